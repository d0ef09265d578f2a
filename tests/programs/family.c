/* family FILE [WORD...]: a service with children that are hard to get rid of. FILE gets a line
 * "WHO PID" for each of them at once. WORDs:
 *   stubborn   the main process notes "asked" in FILE at SIGTERM and stays
 *   child      has a child in its own process group
 *   runaway    has a grandchild in a session of its own that ignores SIGTERM */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int book;

static void asked(int signal)
{
	(void) signal;
	if (write(book, "asked\n", 6) < 0)
		_exit(1);
}

static void stay(void)
{
	for (;;)
		pause();
}

static int runaway(void)
{
	int number, tell[2];
	pid_t between;
	if (pipe(tell) || (between = fork()) < 0)
		exit(1);
	if (!between) {
		if (fork())
			_exit(0);
		setsid();
		signal(SIGTERM, SIG_IGN);
		number = getpid();
		if (write(tell[1], &number, sizeof number) < 0)
			_exit(1);
		stay();
	}
	waitpid(between, 0, 0);
	if (read(tell[0], &number, sizeof number) != sizeof number)
		exit(1);
	return number;
}

int main(int argc, char **argv)
{
	char lines[256];
	size_t n = 0;
	if (argc < 2 || (book = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644)) < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		pid_t child = 0;
		if (!strcmp(argv[i], "stubborn")) {
			signal(SIGTERM, asked);
		} else if (!strcmp(argv[i], "child")) {
			child = fork();
			if (!child)
				stay();
		} else {
			child = runaway();
		}
		if (child)
			n += snprintf(lines + n, sizeof lines - n, "%s %d\n", argv[i], child);
	}
	n += snprintf(lines + n, sizeof lines - n, "main %d\n", getpid());
	if (write(book, lines, n) < 0)
		return 1;
	stay();
}
