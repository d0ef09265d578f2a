/* inetfloor PORT PROGRAM: the least that an inetd can do: accept, vfork, exec, with the
 * connection on 0 and 1; the kernel reaps. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int c, char **argv)
{
	char *none[] = { 0 };
	if (!vfork()) {
		dup2(c, 0);
		dup2(c, 1);
		execve(argv[0], argv, none);
		_exit(127);
	}
	close(c);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(l, (void *) &address, sizeof address) || listen(l, 4096))
		return 1;
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept4(l, 0, 0, SOCK_CLOEXEC);
		if (c >= 0)
			serve(c, argv + 2);
	}
}
