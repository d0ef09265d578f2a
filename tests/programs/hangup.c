/* hangup: hangs up /dev/console as vhangup(2) does: whoever has it open has nothing any more. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		return 1;
	if (child)
		return waitpid(child, &status, 0) != child || status;
	/* The leader of a session is told, and has no terminal before that. */
	signal(SIGHUP, SIG_IGN);
	if (setsid() < 0 || open("/dev/console", O_RDWR) < 0 || vhangup()) {
		perror("hangup");
		return 1;
	}
	return 0;
}
