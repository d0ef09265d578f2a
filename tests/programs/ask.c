/* ask WORD...: one line to the control socket, and its answer: the least that a client can do. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { AF_UNIX, "/run/initctl" };
	char line[4096] = "";
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(s, (void *) &address, sizeof address))
		return 1;
	for (int i = 1; i < argc; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
	if (write(s, line, strlen(line)) < 0)
		return 1;
	ssize_t n = read(s, line, sizeof line);
	return n <= 0 || write(1, line, n) != n;
}
