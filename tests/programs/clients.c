/* clients PORT N WORKERS: N connections to 127.0.0.1:PORT by WORKERS threads; each reads one
 * line and closes. Prints how many got one, were refused, got none, the connections a second,
 * and the last line. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int port, n;
static _Atomic int next, fine, refused, empty;
static char last[256];

static void *work(void *unused)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { 30, 0 };
	while (next++ < n) {
		char line[256];
		int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (connect(s, (void *) &address, sizeof address)) {
			refused++;
			if (errno != ECONNREFUSED)
				perror("connect");
		} else {
			ssize_t got = read(s, line, sizeof line - 1);
			if (got > 0) {
				fine++;
				memcpy(last, line, got);
			} else {
				empty++;
			}
		}
		close(s);
	}
	return unused;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	if (argc < 4)
		return 2;
	port = atoi(argv[1]);
	n = atoi(argv[2]);
	int workers = atoi(argv[3]);
	double began = now();
	for (int i = 0; i < workers && i < 64; i++)
		pthread_create(&threads[i], 0, work, 0);
	for (int i = 0; i < workers && i < 64; i++)
		pthread_join(threads[i], 0);
	printf("%d fine, %d refused, %d empty, %.0f/s\n%s", fine, refused, empty, n / (now() - began), last);
	return 0;
}
