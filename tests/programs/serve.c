/* serve [FILE]: what finit starts for a connection. Says what its descriptors are, then sends
 * back what comes until the end. FILE gets a line at its begin and one at its end. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int fd, const char *line)
{
	if (fd >= 0 && write(fd, line, strlen(line)) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	struct stat in, out, err;
	char bytes[4096];
	ssize_t n;
	int book = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
	note(book, "begin\n");
	if (fstat(0, &in) || fstat(1, &out) || fstat(2, &err))
		return 1;
	int same = S_ISSOCK(in.st_mode) && in.st_ino == out.st_ino;
	int blocking = !(fcntl(0, F_GETFL) & O_NONBLOCK) && !(fcntl(1, F_GETFL) & O_NONBLOCK);
	int others = fcntl(3 + (book == 3), F_GETFD) >= 0;
	dprintf(1, "connection %d blocking %d errors %s others %d listen %d\n", same, blocking,
		S_ISFIFO(err.st_mode) ? "logged" : S_ISSOCK(err.st_mode) ? "sent" : "dropped", others,
		getenv("LISTEN_FDS") != 0);
	while ((n = read(0, bytes, sizeof bytes)) > 0)
		if (write(1, bytes, n) != n)
			break;
	note(book, "end\n");
	return 0;
}
