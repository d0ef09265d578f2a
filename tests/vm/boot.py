#!/usr/bin/env python3
"""A Debian boots to a login under finit, and is as it should be."""

import re

from machine import Machine, check, main, same

SERVICES = ["getty", "networking", "dbus", "rsyslog", "cron", "sshd", "nginx"]
PROGRAMS = ["agetty|login", "dbus-daemon", "rsyslogd", "cron", "nginx"]

# mount point: type, the flags of these that it has, permissions of its top
MOUNTS = {
    "/proc": ("proc", {"nosuid", "noexec", "nodev"}, None),
    "/sys": ("sysfs", {"nosuid", "noexec", "nodev"}, None),
    "/sys/fs/cgroup": ("cgroup2", {"nosuid", "noexec", "nodev"}, None),
    "/dev": ("devtmpfs", {"nosuid"}, "755"),
    "/dev/pts": ("devpts", {"nosuid", "noexec"}, None),
    "/dev/shm": ("tmpfs", {"nosuid", "nodev"}, "1777"),
    "/run": ("tmpfs", {"nosuid", "nodev"}, "755"),
    "/run/lock": ("tmpfs", {"nosuid", "noexec", "nodev"}, "1777"),
    "/tmp": ("tmpfs", {"nosuid", "nodev"}, "1777"),
}


def login(vm: Machine):
    """the console asks for a login and takes it"""
    vm.login()
    # `start` waits until it is up, and the login does not wait for all services.
    vm.ok("finitctl start " + " ".join(SERVICES))


def process_one(vm: Machine):
    """PID 1 is finit, with one thread"""
    same("program of PID 1", vm.ok("readlink /proc/1/exe"), "/usr/sbin/finit")
    threads = vm.ok("grep Threads: /proc/1/status").split()
    same("threads of PID 1", threads, ["Threads:", "1"])
    # Its helper has its name, and not that of the link it was executed by.
    same("the log writer", vm.ok("cat /proc/$(pgrep -f -- --log-write[r])/comm"), "finit")


def mounts(vm: Machine):
    """the virtual file systems are mounted with the right options"""
    # The last line of a mount point counts: it covers those before it.
    table = {line.split()[1]: line.split() for line in vm.ok("cat /proc/mounts").splitlines()}
    for point, (kind, flags, mode) in MOUNTS.items():
        check(f"{point} is mounted", point in table)
        options = set(table[point][3].split(","))
        same(f"type of {point}", table[point][2], kind)
        same(f"flags of {point}", options & {"nosuid", "noexec", "nodev"}, flags)
        if mode:
            same(f"mode of {point}", vm.ok(f"stat -c %a {point}"), mode)
    pts = set(table["/dev/pts"][3].split(","))
    check("/dev/pts has mode=620 and gid=5", {"mode=620", "gid=5"} <= pts, pts)
    for point in ("/", "/srv"):
        check(f"{point} is mounted and writable", "rw" in table.get(point, "....")[3].split(","), table.get(point))
    same("type of /srv", table["/srv"][2], "ext4")


def system(vm: Machine):
    """the boot steps have done their work"""
    same("host name", vm.ok("hostname"), "finit-vm")
    check("loopback is up", "127.0.0.1/8" in vm.ok("ip -4 -o addr show dev lo up"))
    check("eth0 has its address", "10.0.2.15/24" in vm.ok("ip -4 -o addr show dev eth0 up"))
    check("udev runs", vm.ok("pgrep -x systemd-udevd"))
    check("udev made its links", vm.ok("readlink -f /dev/disk/by-label/srv") == "/dev/vdb")
    # Nobody has loaded their modules; udevd has given the nodes their modes.
    for node, expected in (("fuse", "666 a:e5"), ("net/tun", "666 a:c8"), ("loop-control", "660 a:ed")):
        same(f"mode and number of /dev/{node}", vm.ok(f"stat -c '%a %t:%T' /dev/{node}"), expected)
    check("swap is on", "/dev/vdc" in vm.ok("cat /proc/swaps"))
    check("there is a machine-id", re.fullmatch(r"[0-9a-f]{32}", vm.ok("cat /etc/machine-id")))
    check("logins are allowed", vm.run("test -e /run/nologin")[1] == 1)
    check("who -b knows of the boot", "system boot" in vm.ok("who -b"))
    vm.ok("setpriv --reuid=65534 --clear-groups touch /run/lock/anybody")
    # Nobody else makes it, and its line is one for the boot.
    same("what tmpfiles makes", vm.ok("stat -c '%a %U %G' /run/utmp"), "664 root utmp")


def services(vm: Machine):
    """services are up, and apart from each other"""
    same("what has failed, boot steps among it", vm.ok("finitctl list --all --failed 2>/dev/null"), "")
    screen = vm.ok("finitctl status")
    for name in SERVICES:
        row = re.search(rf"(?m)^{name} +(\S+)", screen)
        state = row and row[1]
        check(f"{name} is up", state in ("up", "done", "listening"), f"{state}\n{screen}")
    pids = [vm.ok(f"pgrep -o -x '{program}'") for program in PROGRAMS]
    for file in ("cgroup", "autogroup"):
        groups = [vm.ok(f"cat /proc/{pid}/{file}") for pid in pids]
        same(f"services with a {file} of their own", len(set(groups)), len(pids))
    check("nginx answers", "Welcome to nginx" in vm.ok("busybox wget -qO- http://127.0.0.1/"))
    zombies = [line for line in vm.ok("ps -A -o stat=,pid=,comm=").splitlines() if line.startswith("Z")]
    same("zombies", zombies, [])


def who(vm: Machine):
    """who(1) sees the login on the console, and nobody of it once that was left"""
    seen = [line for line in vm.ok("who").splitlines() if " ttyS0 " in line]
    check("root is seen on ttyS0", len(seen) == 1 and seen[0].startswith("root "), seen)
    # Type, process and terminal of each record. The getty of the next login writes none that is dead.
    dead = "utmpdump /var/log/wtmp 2>/dev/null | grep -c '^\\[8\\].*\\[ttyS0 '"
    before = int(vm.run(dead)[0])
    vm.type("exit\n")
    vm.login()
    check("finit has told of the end", int(vm.ok(dead)) > before)
    seen = [line for line in vm.ok("who").splitlines() if " ttyS0 " in line]
    same("those on ttyS0", len(seen), 1)
    check("the first session is over", "gone" not in vm.ok("last -n 2 root ttyS0"))


def force(vm: Machine):
    """`poweroff -f` takes it down at once, and waits for no disk that never answers"""
    vm.ok("touch /srv/unwritten; sync")
    # A byte a second.
    vm.qmp("block_set_io_throttle", device="virtio1", bps=0, bps_rd=1, bps_wr=1, iops=0, iops_rd=0, iops_wr=0)
    vm.ok("dd if=/dev/zero of=/srv/unwritten bs=1M count=4 2>/dev/null")
    vm.type("poweroff -f\n")
    vm.wait_event("SHUTDOWN", 60)


main(login, process_one, mounts, system, services, who, force)
