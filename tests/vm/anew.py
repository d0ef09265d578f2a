#!/usr/bin/env python3
"""SIGTERM has finit execute the program on the disk: the same PID 1, and nobody notices."""

import json

from machine import Machine, check, main, same

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


def story(vm: Machine):
    """All services, with what must not change."""
    keys = ["name", "state", "pid", "restarts", "reason", "cgroup"]
    # By ssh, which is also a connection that has to live on: sshd's session runs under inetd.
    lines = vm.ssh("finitctl list --json").stdout.splitlines()
    services = [service for service in map(json.loads, lines) if service["name"] != "sshd"]
    return [[service.get(key) for key in keys] for service in services]


def anew(vm: Machine, said="was executed anew in [0-9]+ ms; [0-9]+ processes run on"):
    """Has PID 1 execute itself and waits until it says on the console how that went."""
    vm.type("kill -TERM 1\n")
    return vm.expect(said + "[^\n]*\n", 60)[0]


def mirror(vm: Machine):
    """What the service `fragile` got from PID 1 besides its program."""
    return vm.ok("pid=$(pgrep -x -f '/bin/sleep infinity'); cd /proc/$pid && grep -E '^(Sig[^Q]|Shd|Cap|NoNew|Umask)' status"
                 " && cat limits cgroup && tr '\\0' '\\n' <environ && ls fd")


def nothing_restarts(vm: Machine):
    """services, their states and their numbers are what they were"""
    vm.login()
    vm.ok(f"cat >>/etc/finit.toml <<'END OF FILE'\n{FILE}\nEND OF FILE")
    vm.ok("finitctl apply; finitctl start counter fragile")
    vm.before = mirror(vm)
    before = story(vm)
    for _ in range(5):
        anew(vm)
        same("the machine", story(vm), before)
    check("it has one log writer", vm.ok("pgrep -fc -- --log-writer") == "1")
    same("descriptors that are open in PID 1 and not close-on-exec", vm.ok(
        "for fd in /proc/1/fdinfo/*; do n=${fd##*/}; [ $n -gt 2 ] || continue;"
        " flags=$(sed -n 's/^flags:.//p' $fd); [ $((flags & 02000000)) != 0 ] || readlink /proc/1/fd/$n; done"), "")


def supervision(vm: Machine):
    """what dies afterwards is noticed, stopped and started as ever"""
    pid = vm.ok("finitctl status fragile | sed -n 's/.*(pid \\([0-9]*\\)).*/\\1/p'")
    vm.ok(f"kill -9 {pid}; finitctl start fragile")
    new = vm.ok("finitctl status fragile | sed -n 's/.*(pid \\([0-9]*\\)).*/\\1/p'")
    check(f"after {pid} came {new}", new not in ("", pid))
    same("what it got", mirror(vm), vm.before)
    vm.ok("finitctl stop fragile; ! pgrep -f 'sleep infinity'")
    vm.ok("finitctl restart counter")


def sockets(vm: Machine):
    """sockets are held throughout: those of inetd, and those that start a service"""
    same("ssh", vm.ssh("echo hello").stdout.strip(), "hello")
    vm.ok("finitctl status held | grep -q listening || finitctl start held")
    client = "perl -MIO::Socket::UNIX -e 'print IO::Socket::UNIX->new(\"/run/held.sock\")->getline'"
    same("the first one", vm.ok(client), "hello")
    # While it executes itself again and again, nobody who connects is refused.
    vm.ok("(for n in 1 2 3 4 5 6 7 8; do kill -TERM 1; sleep 0.3; done) & "
          "for n in $(seq 40); do finitctl list >/dev/null || exit 1; done; wait")
    same("ssh after that", vm.ssh("echo hello").stdout.strip(), "hello")


def lines(vm: Machine):
    """no line of a log is lost or there twice"""
    vm.ok("finitctl stop counter")
    gaps = vm.ok("cat $(ls -rt /var/log/finit/counter.log*) | sed -n 's/.*line //p' | awk '"
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
    old = vm.ok("stat -c %i -L /proc/1/exe")
    check("finitctl says how it went", "nothing was restarted" in vm.ok("finitctl upgrade"))
    check("another file with that name", vm.ok("stat -c %i -L /proc/1/exe") != old)
    vm.ok("finitctl status cron")


def down(vm: Machine):
    """and the machine goes down in order"""
    vm.reboot()
    vm.login()
    vm.was_clean()


main(nothing_restarts, supervision, sockets, lines, broken, down)
