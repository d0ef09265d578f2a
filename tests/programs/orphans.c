/* orphans N: N processes at once whose parents are gone, so that PID 1 becomes theirs; then
 * all end together. Prints how many it made. Who reads its output to the end has waited for
 * the last of them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, gate[2], status;
	char byte;
	if (pipe(gate))
		return 1;
	pid_t parent = fork();
	if (parent == 0) {
		for (int i = 0; i < n; i++) {
			pid_t pid = fork();
			if (pid < 0)
				_exit(1);
			if (pid == 0) {
				close(gate[1]);
				_exit(read(gate[0], &byte, 1) != 0);
			}
		}
		_exit(0);
	}
	if (parent < 0 || waitpid(parent, &status, 0) != parent || status)
		return 1;
	printf("%d\n", n);
	return 0;
}
