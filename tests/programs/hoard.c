/* hoard USERS: for each of USERS users, eight connections to the control socket that say
 * nothing. Prints "ready" once all are made, and stays until its stdin ends. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { AF_UNIX, "/run/initctl" };
	int users = argc > 1 ? atoi(argv[1]) : 0, made[2], bytes;
	char byte, all[4096];
	if (pipe(made))
		return 1;
	for (int user = 0; user < users; user++) {
		if (fork())
			continue;
		if (setgid(20000 + user) || setuid(20000 + user))
			_exit(1);
		for (int i = 0; i < 8; i++)
			if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *) &address, sizeof address))
				_exit(1);
		if (write(made[1], "", 1) != 1)
			_exit(1);
		_exit(read(0, &byte, 1) != 0);
	}
	close(made[1]);
	for (int user = 0; user < users; user += bytes)
		if ((bytes = read(made[0], all, sizeof all)) < 1)
			return 1;
	puts("ready");
	fflush(stdout);
	return read(0, &byte, 1) != 0;
}
