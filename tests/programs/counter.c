/* counter N: writes N numbered lines, and stays. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0;
	for (int i = 0; i < n; i++) {
		printf("line %d\n", i);
		fflush(stdout);
	}
	for (;;)
		pause();
}
