/* idle [FILE]: a service that does nothing. With FILE, it first adds a line to it: its pid and
 * the time in nanoseconds. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (argc > 1) {
		int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		dprintf(fd, "%d %lld\n", getpid(), now.tv_sec * 1000000000LL + now.tv_nsec);
		close(fd);
	}
	for (;;)
		pause();
}
