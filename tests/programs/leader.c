/* leader: its first thread ends at once and another one goes on, as in some daemons that are written for threads: in
 * the list of processes it is a zombie that nobody can reap. */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, stay, NULL))
		return 1;
	pthread_exit(NULL);
}
