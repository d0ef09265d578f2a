/* floor N AGAIN [PROGRAM [ARG...]]: the least that a PID 1 can do, to measure others by. Starts
 * N processes by vfork and exec, a % in their last word replaced by their number; starts them
 * again when they end if AGAIN is 1; reaps; answers "ok" to each line on /run/initctl. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int number[1 << 22];
static sigset_t before;

static void start(char **argv, int n)
{
	char word[256], *words[16] = { 0 }, *none[] = { 0 };
	int count = 0;
	for (; argv[count] && count < 15; count++)
		words[count] = argv[count];
	char *last = words[count - 1], *percent = strchr(last, '%');
	if (percent && count > 1) {
		snprintf(word, sizeof word, "%.*s%d%s", (int) (percent - last), last, n, percent + 1);
		words[count - 1] = word;
	}
	pid_t pid = vfork();
	if (!pid) {
		sigprocmask(SIG_SETMASK, &before, 0);
		execve(words[0], words, none);
		_exit(127);
	}
	if (pid > 0)
		number[pid] = n + 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { AF_UNIX, "/run/initctl" };
	struct signalfd_siginfo news;
	int n = argc > 1 ? atoi(argv[1]) : 0, again = argc > 2 && atoi(argv[2]), ended = 0;
	sigset_t child;
	pid_t pid;
	char line[256];
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	int control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(control, (void *) &address, sizeof address) || listen(control, 128))
		return 1;
	for (int i = 0; i < n; i++)
		start(argv + 3, i);
	struct pollfd both[2] = { { signals, POLLIN, 0 }, { control, POLLIN, 0 } };
	for (;;) {
		poll(both, 2, -1);
		if (both[0].revents) {
			while (read(signals, &news, sizeof news) == sizeof news)
				;
			while ((pid = waitpid(-1, 0, WNOHANG)) > 0) {
				int which = number[pid];
				number[pid] = 0;
				ended += which > 0;
				if (which && again)
					start(argv + 3, which - 1);
			}
		}
		if (both[1].revents) {
			int c = accept4(control, 0, 0, SOCK_CLOEXEC);
			if (read(c, line, sizeof line) > 0 && dprintf(c, "ok %d\n", ended) < 0)
				return 1;
			close(c);
		}
	}
}
