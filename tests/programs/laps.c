/* laps NAME N: N times, stops the service NAME and starts it again, on one connection, and
 * waits for the end of each job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static FILE *in, *out;

static int ask(const char *method, const char *name)
{
	char line[65536];
	int job;
	fprintf(out, "%s %s\n", method, name);
	fflush(out);
	if (!fgets(line, sizeof line, in) || sscanf(line, "job %d", &job) != 1) {
		printf("%s: %s\n", method, line);
		return 0;
	}
	fprintf(out, "{\"method\":\"wait\",\"params\":{\"job\":%d}}\n", job);
	fflush(out);
	while (fgets(line, sizeof line, in)) {
		if (strstr(line, "\"outcome\":\"done\""))
			return 1;
		if (strstr(line, "\"outcome\"") || strstr(line, "\"error\""))
			break;
	}
	printf("%s: %s\n", method, line);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { AF_UNIX, "/run/initctl" };
	int laps = argc > 2 ? atoi(argv[2]) : 0, s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(s, (void *) &address, sizeof address))
		return 2;
	in = fdopen(s, "r");
	out = fdopen(dup(s), "w");
	for (int lap = 0; lap < laps; lap++)
		if (!ask("stop", argv[1]) || !ask("start", argv[1]))
			return 1;
	return 0;
}
