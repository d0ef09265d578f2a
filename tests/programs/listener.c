/* listener FILE [PIDS]: a service that is handed its sockets, sd_listen_fds(3), written from
 * the manual page. FILE gets what it was handed and every message; connections and datagrams
 * with a sender are answered with the name of their socket. PIDS gets a line as in idle.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int book;

static void add(int fd, const char *line)
{
	if (write(fd, line, strlen(line)) < 0)
		_exit(1);
}

static void answer(int fd, int type, const char *name)
{
	char bytes[256], line[600];
	struct sockaddr_storage from;
	socklen_t size = sizeof from;
	ssize_t n = 0;
	if (type == SOCK_STREAM || type == SOCK_SEQPACKET) {
		int c = accept4(fd, 0, 0, SOCK_CLOEXEC);
		snprintf(line, sizeof line, "%s\n", name);
		if (c >= 0 && send(c, line, strlen(line), MSG_NOSIGNAL) < 0)
			n = -1;
		close(c);
		return;
	}
	if (type == SOCK_DGRAM)
		n = recvfrom(fd, bytes, sizeof bytes - 1, 0, (void *) &from, &size);
	else
		n = read(fd, bytes, sizeof bytes - 1);
	if (n <= 0)
		return;
	bytes[n] = 0;
	bytes[strcspn(bytes, "\n")] = 0;
	snprintf(line, sizeof line, "%s: %s\n", name, bytes);
	add(book, line);
}

int main(int argc, char **argv)
{
	static char *names[64];
	static int types[64];
	struct pollfd fds[64];
	char line[256];
	signal(SIGPIPE, SIG_IGN);
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *list = getenv("LISTEN_FDNAMES");
	int n = count ? atoi(count) : 0;
	book = open(argc > 1 ? argv[1] : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (book < 0 || n < 1 || n > 64 || !pid || atoi(pid) != getpid()) {
		snprintf(line, sizeof line, "no sockets for me: LISTEN_PID %s, mine %d\n", pid ? pid : "?", getpid());
		add(book, line);
		return 1;
	}
	char *rest = strdup(list ? list : "");
	for (int i = 0; i < n; i++) {
		struct stat st;
		socklen_t size = sizeof types[i];
		names[i] = strsep(&rest, ":");
		if (fstat(3 + i, &st) || (S_ISSOCK(st.st_mode) && getsockopt(3 + i, SOL_SOCKET, SO_TYPE, &types[i], &size)))
			types[i] = -1;
		if (S_ISFIFO(st.st_mode))
			types[i] = 0;
		snprintf(line, sizeof line, "%d %s %s\n", 3 + i, names[i] ? names[i] : "?",
			types[i] == SOCK_STREAM ? "stream" : types[i] == SOCK_DGRAM ? "dgram" :
			types[i] == SOCK_SEQPACKET ? "seqpacket" : types[i] == 0 ? "fifo" : "nothing");
		add(book, line);
		fds[i] = (struct pollfd) { 3 + i, POLLIN, 0 };
	}
	if (fcntl(3 + n, F_GETFD) >= 0 && 3 + n != book)
		add(book, "one descriptor too many\n");
	if (argc > 2) {
		int pids = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		snprintf(line, sizeof line, "%d 0\n", getpid());
		add(pids, line);
		close(pids);
	}
	while (poll(fds, n, -1) > 0 || errno == EINTR)
		for (int i = 0; i < n; i++)
			if (fds[i].revents & POLLIN)
				answer(3 + i, types[i], names[i]);
	return 0;
}
