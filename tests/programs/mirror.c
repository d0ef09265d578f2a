/* mirror FILE: writes down what it was started with, one fact a line, and stays. The file
 * appears at once and whole. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void descriptors(FILE *out)
{
	char link[64], target[4096];
	for (int fd = 0; fd < 1024; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof target - 1);
		if (n < 0)
			continue;
		target[n] = 0;
		/* The number of a pipe or socket says nothing. */
		char *colon = strstr(target, ":[");
		if (colon)
			*colon = 0;
		fprintf(out, "fd %d %s%s\n", fd, target, fcntl(fd, F_GETFL) & O_NONBLOCK ? " nonblocking" : "");
	}
}

static void copy_lines(FILE *out, const char *path, const char **keys)
{
	char line[4096];
	FILE *in = fopen(path, "re");
	while (in && fgets(line, sizeof line, in))
		for (const char **key = keys; *key; key++)
			if (!strncmp(line, *key, strlen(*key)))
				fprintf(out, "%s", line);
	if (in)
		fclose(in);
}

int main(int argc, char **argv)
{
	static const char *status[] = { "Umask:", "Uid:", "Gid:", "Groups:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:",
		"SigCgt:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Threads:", 0 };
	static const char *group[] = { "0::", 0 }, *limits[] = { "Max ", 0 };
	char partial[4096], text[4096];
	int death = 0, reaper = 0, tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty >= 0)
		close(tty);
	if (argc < 2)
		return 2;
	umask(umask(0));
	char *dump;
	size_t size;
	FILE *out = open_memstream(&dump, &size);
	descriptors(out);
	copy_lines(out, "/proc/self/status", status);
	copy_lines(out, "/proc/self/limits", limits);
	copy_lines(out, "/proc/self/cgroup", group);
	for (char **e = environ; *e; e++)
		fprintf(out, "env %s\n", *e);
	for (int i = 2; i < argc; i++)
		fprintf(out, "arg %s\n", argv[i]);
	prctl(PR_GET_PDEATHSIG, &death);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	fprintf(out, "oom score ");
	copy_lines(out, "/proc/self/oom_score_adj", (const char *[]) { "", 0 });
	fprintf(out, "cwd %s\n", getcwd(text, sizeof text));
	fprintf(out, "nice %d\n", getpriority(PRIO_PROCESS, 0));
	fprintf(out, "policy %d\n", sched_getscheduler(0));
	fprintf(out, "session leader %d\n", getsid(0) == getpid());
	fprintf(out, "group leader %d\n", getpgrp() == getpid());
	fprintf(out, "parent %d\n", getppid());
	fprintf(out, "controlling terminal %d\n", tty >= 0);
	fprintf(out, "foreground %d\n", tty >= 0 && tcgetpgrp(0) == getpgrp());
	fprintf(out, "death signal %d, subreaper %d, dumpable %d\n", death, reaper, prctl(PR_GET_DUMPABLE));
	fclose(out);
	snprintf(partial, sizeof partial, "%s.%d", argv[1], getpid());
	int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, dump, size) != (ssize_t) size || rename(partial, argv[1]))
		return 1;
	close(fd);
	for (;;)
		pause();
}
