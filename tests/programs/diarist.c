/* diarist FILE NAME: a service that adds "NAME begins" to FILE, and "NAME ends" when it is told
 * to end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t end;
	int signal, book = open(argc > 2 ? argv[1] : "", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	if (book < 0 || sigprocmask(SIG_BLOCK, &end, 0))
		return 2;
	dprintf(book, "%s begins\n", argv[2]);
	sigwait(&end, &signal);
	dprintf(book, "%s ends\n", argv[2]);
	return 0;
}
