/* packet PATH: connects to a unix socket of packets and prints the first that comes. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char packet[256];
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argc > 1 ? argv[1] : "");
	if (connect(s, (void *) &address, sizeof address)) {
		perror("connect");
		return 1;
	}
	ssize_t n = recv(s, packet, sizeof packet, 0);
	return n < 0 || write(1, packet, n) != n;
}
