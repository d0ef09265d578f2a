/* killer FILE N: N times, kills with SIGKILL the process that added the last line to FILE, see
 * idle.c, and waits for another line. Prints the time from kill(2) to the main() of each
 * replacement, in nanoseconds. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[64], newer[64], events[4096];
	int laps = argc > 2 ? atoi(argv[2]) : 0, pid = 0, watch = inotify_init1(IN_NONBLOCK);
	long long began = 0, killed = 0;
	FILE *file = argc > 2 ? fopen(argv[1], "r") : 0;
	if (!file || inotify_add_watch(watch, argv[1], IN_MODIFY) < 0)
		return 2;
	for (int lap = 0; lap <= laps; lap++) {
		while (!fgets(line, sizeof line, file)) {
			struct pollfd one = { watch, POLLIN, 0 };
			clearerr(file);
			if (poll(&one, 1, 30000) != 1 || read(watch, events, sizeof events) < 0) {
				printf("nobody came back after %d kills\n", lap);
				return 1;
			}
		}
		/* The file may tell of earlier ones. */
		while (lap == 0 && fgets(newer, sizeof newer, file))
			sscanf(newer, "%[^\n]", line);
		sscanf(line, "%d %lld", &pid, &began);
		/* The first is no time from a kill. */
		if (lap)
			printf("%lld\n", began - killed);
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		killed = now.tv_sec * 1000000000LL + now.tv_nsec;
		if (lap < laps && kill(pid, SIGKILL)) {
			printf("%d is not there\n", pid);
			return 1;
		}
	}
	return 0;
}
