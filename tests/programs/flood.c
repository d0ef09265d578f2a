/* flood FILE: a service that says that it is up and then without end what it does, through
 * $NOTIFY_SOCKET. FILE holds how many words the kernel has taken so far, as eight bytes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { AF_UNIX, "" };
	char word[64] = "READY=1";
	if (argc != 2 || !path)
		return 2;
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	int speaker = socket(AF_UNIX, SOCK_DGRAM, 0), book = open(argv[1], O_WRONLY | O_CREAT, 0644);
	if (connect(speaker, (void *)&address, sizeof address))
		return 3;
	for (uint64_t sent = 0;;) {
		if (send(speaker, word, strlen(word), 0) < 0)
			return 4;
		sent++;
		if (pwrite(book, &sent, sizeof sent, 0) != sizeof sent)
			return 5;
		snprintf(word, sizeof word, "STATUS=word %ju", (uintmax_t)sent);
	}
}
