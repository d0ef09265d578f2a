#!/usr/bin/env python3
"""SIGTERM has finit execute the program on the disk: the same PID 1, and nobody notices."""

import json

from machine import Failed, Machine, check, main, same

# A line every few milliseconds, with a number; one that dies at once when it is told so; one that is slow to stop.
FILE = """
[service.counter]
script = '''
n=0
while n=$((n + 1)); do echo line $n; sleep 0.02; done
'''

[service.fragile]
command = "/bin/sleep infinity"
restart = { delay = "50ms", max-delay = "50ms" }

[service.held]
script = '''
exec perl -e 'open my $s, "+<&=", 3; accept my $c, $s; syswrite $c, "hello\\n"; sleep'
'''
listen  = "/run/held.sock"

[task.over]
command = "/bin/sh -c 'exit 7'"
"""

KEPT = "is not executed anew: "


def said(vm: Machine, command):
    """The output of a command; on the console finit's own words might be in the middle of it."""
    done = vm.ssh(command)
    if done.returncode:
        raise Failed(f"{command!r} exits {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def story(vm: Machine):
    """All services, with what must not change."""
    keys = ["name", "state", "pid", "restarts", "reason", "cgroup"]
    services = map(json.loads, said(vm, "finitctl list --json").splitlines())
    # The session that asks is one of sshd's.
    return {service["name"]: [service.get(key) for key in keys] for service in services if service["name"] != "sshd"}


def anew(vm: Machine, words="was executed anew in [0-9]+ ms; [0-9]+ processes run on"):
    """Has PID 1 execute itself and waits until it says on the console how that went."""
    vm.type("kill -TERM 1\n")
    return vm.expect(words + "[^\n]*\n", 60)[0]


def mirror(vm: Machine):
    """What the service `fragile` got from PID 1 besides its program."""
    return said(vm, "pid=$(pgrep -x -f '/bin/sleep infinity'); cd /proc/$pid && grep -E '^(Sig[^Q]|Shd|Cap|NoNew|Umask)' status"
                 " && cat limits cgroup && tr '\\0' '\\n' <environ && ls fd")


def nothing_restarts(vm: Machine):
    """services, their states and their numbers are what they were"""
    vm.login()
    vm.ok(f"cat >>/etc/finit.toml <<'END OF FILE'\n{FILE}\nEND OF FILE")
    vm.ok("finitctl apply; finitctl start counter fragile")
    vm.before = mirror(vm)
    before = story(vm)
    # Nothing of the boot is done twice: what a person has set since then stays, and mounts are no more.
    vm.ok("hostname by-hand; sysctl -qw kernel.printk='3 4 1 7'")
    early = "hostname; sysctl kernel.printk; cat /proc/1/mountinfo"
    set_up = said(vm, early)
    for _ in range(5):
        anew(vm)
        same("the machine", story(vm), before)
        same("what the boot has set up", said(vm, early), set_up)
    vm.ok("hostname -F /etc/hostname")
    # The one before ends once it has written what it had. The brackets keep pgrep from finding the shell that runs it.
    said(vm, "until [ $(pgrep -fc -- '--log-write[r]') = 1 ]; do sleep 0.1; done")
    same("descriptors that are open in PID 1 and not close-on-exec", said(
        vm, "for fd in /proc/1/fdinfo/*; do n=${fd##*/}; [ $n -gt 2 ] || continue;"
        " flags=$(sed -n 's/^flags:.//p' $fd); [ $((flags & 02000000)) != 0 ] || readlink /proc/1/fd/$n; done"), "")


def supervision(vm: Machine):
    """what dies afterwards is noticed, stopped and started as ever"""
    pid = story(vm)["fragile"][2]
    vm.ok(f"kill -9 {pid}; finitctl start fragile")
    new = story(vm)["fragile"][2]
    check(f"after {pid} came {new}", new not in (None, pid))
    same("what it got", mirror(vm), vm.before)
    vm.ok("finitctl stop fragile; ! pgrep -f 'sleep infinity'")
    vm.ok("finitctl restart counter")


def sockets(vm: Machine):
    """sockets are held throughout: those of inetd, and those that start a service"""
    same("ssh", vm.ssh("echo hello").stdout.strip(), "hello")
    vm.ok("finitctl status held | grep -q listening || finitctl start held")
    client = "perl -MIO::Socket::UNIX -e 'print IO::Socket::UNIX->new(\"/run/held.sock\")->getline'"
    same("the first one", said(vm, client), "hello")
    # While it executes itself again and again, nobody who connects is refused.
    vm.ok("(for n in 1 2 3 4 5 6 7 8; do kill -TERM 1; sleep 0.3; done) & "
          "for n in $(seq 40); do finitctl list >/dev/null || exit 1; done; wait")
    same("ssh after that", vm.ssh("echo hello").stdout.strip(), "hello")


def lines(vm: Machine):
    """no line of a log is lost or there twice"""
    vm.ok("finitctl stop counter")
    gaps = said(vm, "cat $(ls -rt /var/log/finit/counter.log*) | sed -n 's/.*line //p' | awk '"
                 "$1 != 1 && $1 != last + 1 { print last, $1 } { last = $1 }'")
    same("gaps", gaps, "")


def broken(vm: Machine):
    """a program that does not understand, or is none, is not executed"""
    vm.ok("cp /usr/sbin/finit /root/finit; rm /usr/sbin/finit; cp /bin/false /usr/sbin/finit")
    check("one that fails", "does not understand" in anew(vm, KEPT))
    vm.ok("rm /usr/sbin/finit; echo nonsense >/usr/sbin/finit; chmod +x /usr/sbin/finit")
    check("one that is none", "ENOEXEC" in anew(vm, KEPT))
    vm.ok("rm /usr/sbin/finit")
    check("none at all", "ENOENT" in anew(vm, KEPT))
    vm.ok("cp /root/finit /usr/sbin/finit; finitctl status cron")
    old = said(vm, "stat -c %i -L /proc/1/exe")
    check("finitctl says how it went", "nothing was restarted" in said(vm, "finitctl upgrade"))
    check("another file with that name", said(vm, "stat -c %i -L /proc/1/exe") != old)
    vm.ok("finitctl status cron")


def fault(vm: Machine):
    """a fault in PID 1 is no kernel panic: whoever is logged in stays so, daemons run on, and the machine starts again"""
    # ud2, where PID 1 waits.
    vm.ok("pc=$(awk '{ print $9 }' /proc/1/syscall); "
          "printf '\\017\\013' | dd of=/proc/1/mem bs=1 conv=notrunc seek=$((pc)) 2>/dev/null")
    vm.type("kill -WINCH 1\n")
    vm.expect("finit has failed: SIGILL, which is a bug")
    vm.ok("pgrep -x cron; pgrep -x nginx")
    same("nginx", vm.ok("perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(q(127.0.0.1:80)) ? 1 : 0'"), "1")
    # No login beside the one that is there; an orphan is reaped.
    check("nobody else reads this terminal", vm.run("pgrep sulogin")[1] != 0)
    vm.ok("orphan=$(sh -c 'sleep 0 & echo $!'); while [ -e /proc/$orphan ]; do sleep 0.1; done")
    vm.reboot("reboot -f")
    vm.login()
    vm.ok("finitctl status cron")


def down(vm: Machine):
    """and the machine goes down in order"""
    vm.poweroff()
    vm.disks_are_clean()


main(nothing_restarts, supervision, sockets, lines, broken, fault, down)
