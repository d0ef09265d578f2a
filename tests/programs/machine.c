/* machine: a machine in namespaces for one test. Its root is an overlay over ours whose upper
 * layer is a tmpfs of its own, so nothing of the host is written and many run side by side.
 *
 *   machine DIR KEY=VALUE... -- PROGRAM [ARG...]
 *     DIR           an empty folder; what is mounted on it is seen here and inside alone
 *     sbin=DIR      finit and finitctl, put into /usr/sbin
 *     programs=DIR  the programs of the tests, seen as /programs
 *     console=PATH  a terminal, becomes /dev/console; without it there is none
 *     cgroup=yes    a control group of its own, cgroup2 on /sys/fs/cgroup
 *     closed=N      bits 0 to 2: PROGRAM starts without these descriptors
 *     lacks=WORD    one letter each: d no device in /dev, g control groups that nobody may change,
 *                   c no capabilities, p no /proc, nor the right to mount one
 *     old=yes       the kernel is one before Linux 5.3: it has no descriptors for processes
 *     dirty=yes     PROGRAM starts with a mask, ignored signals, an open descriptor and
 *                   capabilities to be inherited
 *
 * Prints "PID <n>" when all is ready, waits for a byte on stdin, executes PROGRAM as PID 1,
 * prints "EXIT <code>" or "SIGNAL <number>" at its end. The end of stdin ends the machine. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir, *sbin, *programs, *console, *lacks = "";
static char *group;
static int cgroup, closed, dirty, old;

static void die(const char *what)
{
	fprintf(stderr, "machine: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static char *in(const char *base, const char *name)
{
	char *path;
	if (asprintf(&path, "%s/%s", base, name) < 0)
		die("memory");
	return path;
}

static void put(const char *source, const char *target, const char *type, unsigned long flags,
		const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, options))
		die(target);
}

/* A file or device of the host, seen at another place. */
static void show(const char *source, const char *target)
{
	int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd >= 0)
		close(fd);
	if (mount(source, target, 0, MS_BIND, 0))
		die(target);
}

static void read_only(const char *path)
{
	if (mount(path, path, 0, MS_BIND, 0) || mount(0, path, 0, MS_BIND | MS_REMOUNT | MS_RDONLY, 0))
		die(path);
}

static void node(const char *path, int major, int minor)
{
	if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) || chmod(path, 0666))
		die(path);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void make_devices(void)
{
	node("dev/null", 1, 3);
	node("dev/zero", 1, 5);
	node("dev/random", 1, 8);
	node("dev/urandom", 1, 9);
	node("dev/tty", 5, 0);
	put("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=666");
	if (symlink("pts/ptmx", "dev/ptmx") || symlink("/proc/self/fd", "dev/fd"))
		die("dev");
}

static void make_root(void)
{
	char *options, *root = in(dir, "root");
	if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0))
		die("/");
	if (asprintf(&options, "lowerdir=/,upperdir=%s/upper,workdir=%s/work", dir, dir) < 0)
		die("memory");
	put("overlay", root, "overlay", 0, options);
	if (chdir(root))
		die(root);
	if (!strchr(lacks, 'p'))
		put("proc", "proc", "proc", 0, 0);
	put("sysfs", "sys", "sysfs", MS_RDONLY, 0);
	if (cgroup)
		put("cgroup2", "sys/fs/cgroup", "cgroup2", 0, 0);
	if (strchr(lacks, 'g'))
		read_only("sys/fs/cgroup");
	put("tmpfs", "dev", "tmpfs", 0, "mode=755");
	put("tmpfs", "run", "tmpfs", 0, "mode=755");
	put("tmpfs", "tmp", "tmpfs", 0, "mode=1777");
	if (!strchr(lacks, 'd'))
		make_devices();
	if (console)
		show(console, "dev/console");
	mkdir("out", 0777);
	chmod("out", 01777);
	put(programs, "programs", 0, MS_BIND, 0);
	show(in(sbin, "finit"), "usr/sbin/finit");
	show(in(sbin, "finitctl"), "usr/sbin/finitctl");
	mkdir("old", 0700);
	if (syscall(SYS_pivot_root, ".", "old") || chdir("/") || umount2("/old", MNT_DETACH) || rmdir("/old"))
		die("pivot_root");
	/* What belongs to the whole kernel stays out of reach. */
	if (!strchr(lacks, 'p'))
		read_only("/proc/sys");
	if (!access("/proc/sysrq-trigger", F_OK))
		read_only("/proc/sysrq-trigger");
	int keep_off[] = { 16 /* SYS_MODULE */, 17 /* SYS_RAWIO */, 25 /* SYS_TIME */, 34 /* SYSLOG */ };
	for (unsigned i = 0; i < sizeof keep_off / sizeof *keep_off; i++)
		prctl(PR_CAPBSET_DROP, keep_off[i], 0, 0, 0);
	if (sethostname("machine", 7))
		die("sethostname");
	/* Without /proc finit takes it for a whole machine, which it must not change. */
	if (strchr(lacks, 'p'))
		if (prctl(PR_CAPBSET_DROP, 21 /* SYS_ADMIN */, 0, 0, 0) || prctl(PR_CAPBSET_DROP, 27 /* MKNOD */, 0, 0, 0))
			die("capabilities");
	if (strchr(lacks, 'c'))
		for (int i = 0; !prctl(PR_CAPBSET_DROP, i, 0, 0, 0); i++)
			;
}

/* What a careless parent leaves behind; none of it may reach a service. */
static void soil(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, 40);
	sigprocmask(SIG_SETMASK, &mask, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	umask(077);
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		die("capget");
	sets[0].inheritable = 1 << 10 /* NET_BIND_SERVICE */ | 1 << 7 /* SETUID */;
	if (syscall(SYS_capset, &header, sets))
		die("capset");
	/* Without O_CLOEXEC, which is the point. */
	if (dup2(open("/etc/passwd", O_RDONLY), 77) < 0)
		die("descriptor 77");
}

static void age(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		die("seccomp");
}

static void child(char **argv, int ready, int go)
{
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (group) {
		write_to(in(group, "cgroup.procs"), "0");
		if (unshare(CLONE_NEWCGROUP))
			die("control group namespace");
	}
	make_root();
	setsid();
	int null = open(console ? "/dev/console" : "/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(125);
	for (int fd = 0; fd < 3; fd++)
		if (closed & 1 << fd || null < 0)
			close(fd);
		else
			dup2(null, fd);
	if (dirty)
		soil();
	if (old)
		age();
	/* Where a container may be started: on a mount. */
	if (chdir("/tmp"))
		_exit(125);
	char *environment[] = { "PATH=/nowhere", "HOME=/nowhere", "TERM=linux", "SECRET=leak", "BOOT_IMAGE=/vmlinuz",
		"LD_LIBRARY_PATH=/nowhere", "NOTIFY_SOCKET=/run/not-yours", "LISTEN_FDS=3", "LISTEN_PID=1", 0 };
	execve(argv[0], argv, environment);
	_exit(126);
}

static void remove_groups(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_groups(in(path, e->d_name));
	if (d)
		closedir(d);
	/* The last of its processes may be on its way out still. */
	for (int i = 0; i < 1000 && rmdir(path) && errno == EBUSY; i++)
		usleep(1000);
}

static void read_options(int argc, char **argv, int *at)
{
	for (*at = 2; *at < argc && strcmp(argv[*at], "--"); ++*at) {
		char *key = argv[*at], *value = strchr(key, '=');
		if (!value)
			die(key);
		*value++ = 0;
		if (!strcmp(key, "sbin"))
			sbin = value;
		else if (!strcmp(key, "programs"))
			programs = value;
		else if (!strcmp(key, "console"))
			console = value;
		else if (!strcmp(key, "cgroup"))
			cgroup = *value == 'y';
		else if (!strcmp(key, "closed"))
			closed = atoi(value);
		else if (!strcmp(key, "dirty"))
			dirty = *value == 'y';
		else if (!strcmp(key, "lacks"))
			lacks = value;
		else if (!strcmp(key, "old"))
			old = *value == 'y';
		else
			die(key);
	}
}

int main(int argc, char **argv)
{
	int at, ready[2], go[2], status;
	char byte;
	if (argc < 4)
		return 2;
	dir = argv[1];
	read_options(argc, argv, &at);
	if (unshare(CLONE_NEWNS) || mount(0, "/", 0, MS_REC | MS_PRIVATE, 0))
		die("mount namespace");
	put("machine", dir, "tmpfs", 0, "mode=755,nr_inodes=0,size=75%");
	mkdir(in(dir, "upper"), 0755);
	mkdir(in(dir, "work"), 0755);
	if (cgroup) {
		put("cgroup2", in(dir, "cgroup"), "cgroup2", 0, 0);
		/* One that was killed has left its own behind, and numbers of processes come again. */
		if (asprintf(&group, "%s/cgroup/finit-test-XXXXXX", dir) < 0 || !mkdtemp(group) || chmod(group, 0755))
			die("control group");
	}
	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		die("pipe");
	int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
	pid_t pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		die("clone");
	if (!pid)
		child(argv + at + 1, ready[1], go[0]);
	close(ready[1]);
	int end = syscall(SYS_pidfd_open, pid, 0);
	if (end < 0 || read(ready[0], &byte, 1) != 1)
		die("the machine was not made");
	printf("PID %d\n", pid);
	fflush(stdout);
	struct pollfd both[2] = { { 0, POLLIN, 0 }, { end, POLLIN, 0 } };
	while (poll(both, 2, -1) >= 0 && !both[1].revents)
		if (both[0].revents && (read(0, &byte, 1) != 1 || write(go[1], &byte, 1) != 1)) {
			kill(pid, SIGKILL);
			both[0].fd = -1;
		}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (WIFSIGNALED(status))
		printf("SIGNAL %d\n", WTERMSIG(status));
	else
		printf("EXIT %d\n", WEXITSTATUS(status));
	if (group)
		remove_groups(group);
	return 0;
}
