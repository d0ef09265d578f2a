/* Sends nonsense of every length, and too much of it, to the socket of a service; counts what the kernel took.
 * babbler SOCKET SEED COUNT: random bytes, 0 to 70,000 of them or a million, some with descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t state;

static uint64_t throw(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	struct sockaddr_un address = { AF_UNIX, "" };
	strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
	state = strtoull(argv[2], NULL, 10);
	static char bytes[1 << 20];
	int socket_fd = socket(AF_UNIX, SOCK_DGRAM, 0), null = open("/dev/null", O_RDWR);
	int room = 1 << 22;
	if (setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room))
		return 3;
	long sent = 0, large = 0, count = atol(argv[3]);
	for (long i = 0; i < count; i++) {
		size_t length = throw() % 8 ? throw() % 64 : throw() % 8 ? throw() % 70000 : sizeof bytes;
		for (size_t at = 0; at < length && at < 256; at++)
			bytes[at] = (char)throw();
		if (throw() % 4 == 0 && length > 20)
			memcpy(bytes, "FDSTORE=1\nMAINPID=1\nREADY=0", 20);
		struct iovec part = { bytes, length };
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(253 * sizeof(int))];
		} control = { 0 };
		struct msghdr message = { &address, sizeof address, &part, 1, NULL, 0, 0 };
		if (throw() % 16 == 0) {
			int fds = throw() % 253 + 1;
			message.msg_control = &control;
			message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
			control.header = (struct cmsghdr){ CMSG_LEN(fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
			for (int at = 0; at < fds; at++)
				memcpy(CMSG_DATA(&control.header) + at * sizeof(int), &null, sizeof null);
		}
		if (sendmsg(socket_fd, &message, 0) >= 0)
			sent++, large += length == sizeof bytes;
		else if (errno != EMSGSIZE && errno != ETOOMANYREFS && errno != EMFILE && errno != ENOBUFS)
			break;
	}
	printf("%ld of a megabyte, %ld sent\n", large, sent);
	return 0;
}
