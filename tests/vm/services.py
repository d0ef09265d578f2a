#!/usr/bin/env python3
"""Services are started, stopped, restarted and reached as finitctl and finit.toml promise."""

from concurrent.futures import ThreadPoolExecutor

from machine import Machine, check, main, same

# It writes its pid into a pipe at each start: reading there waits for a start, and for nothing else.
PROBE = """
[service.probe]
script = '''
echo $$ >/run/probe
exec sleep infinity
'''
"""
BROKEN = """
[service.broken]
comand = "/bin/true"
"""
UP, STOPPED, UNKNOWN = 0, 3, 4  # LSB's exit codes of `status`


def append(vm: Machine, text):
    vm.ok(f"cat >>/etc/finit.toml <<'END OF FILE'\n{text}\nEND OF FILE")


def status(vm: Machine, name):
    return vm.run(f"finitctl status {name} >/dev/null 2>&1")[1]


def add(vm: Machine):
    """a service is added in two steps: edit the file, start it"""
    vm.login()
    vm.ok("mkfifo /run/probe")
    same("status before it is known", status(vm, "probe"), UNKNOWN)
    append(vm, PROBE)
    vm.ok("finitctl start probe")
    pid = vm.ok("cat /run/probe")
    same("status", status(vm, "probe"), UP)
    check("its pid is shown", pid in vm.ok("finitctl status probe"))


def stop(vm: Machine):
    """stop ends it and all it started"""
    vm.ok("finitctl stop probe")
    same("status", status(vm, "probe"), STOPPED)
    same("processes left", vm.run("pgrep -f 'sleep infinity'")[0], "")
    vm.ok("finitctl start probe")
    vm.ok("cat /run/probe")


def killed(vm: Machine):
    """a service that is killed comes back, every time"""
    pid = vm.ok("pgrep -f 'sleep infinity'")
    for _ in range(5):
        vm.ok(f"kill -9 {pid}")
        new = vm.ok("cat /run/probe")
        check(f"after {pid} came {new}", new != pid)
        pid = new
    vm.ok("finitctl start probe")
    same("status", status(vm, "probe"), UP)


def broken(vm: Machine):
    """a file with an error changes nothing and says where the error is"""
    pid = vm.ok("pgrep -f 'sleep infinity'")
    vm.ok("cp /etc/finit.toml /root/good.toml")
    append(vm, BROKEN)
    output, code = vm.run("finitctl check")
    same("exit code of check", code, 1)
    check("it shows the line with a caret", 'comand = "/bin/true"' in output and "^" in output, output)
    check("it knows what was meant", "command" in output.replace("comand", ""), output)
    check("nor is it applied", vm.run("finitctl apply")[1] != 0)
    same("the running service", vm.ok("pgrep -f 'sleep infinity'"), pid)
    same("the service of the broken file", status(vm, "broken"), UNKNOWN)
    vm.ok("mv /root/good.toml /etc/finit.toml; finitctl check")


def scripts(vm: Machine):
    """service(8) and the scripts of packages act on finit's services"""
    vm.ok("finitctl start nginx")
    pids = [vm.ok("pgrep -o -x nginx")]
    for command in ("service nginx restart", "invoke-rc.d nginx restart"):
        vm.ok(command)
        pids.append(vm.ok("finitctl start nginx >/dev/null; pgrep -o -x nginx"))
    same("different processes", len(set(pids)), 3)
    vm.ok("service ssh status")
    vm.ok("service cron stop")
    same("status of what was stopped", status(vm, "cron"), STOPPED)
    vm.ok("invoke-rc.d cron start; finitctl status cron")
    # The script of dbus knows a way to reload, finit.toml none.
    vm.ok("invoke-rc.d dbus reload")
    vm.ok("invoke-rc.d udev restart")
    same("udev daemons", vm.ok("pgrep -xc systemd-udevd"), "1")
    output, code = vm.run("service hwclock.sh status")
    check("what finit does not know is left to its script", "sage:" in output, output)


def ssh(vm: Machine):
    """finit holds sshd's socket: logins go on, whatever happens to sshd"""
    check("PID 1 listens on port 22", "pid=1," in vm.ok("ss -Hltnp 'sport = :22'"))
    for round_ in ("at first", "after sshd was killed"):
        answer = vm.ssh("echo hello")
        same(f"ssh {round_}", answer.stdout.strip(), "hello")
        vm.run("pkill -9 -x sshd")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(vm.ssh, [f"echo {number}" for number in range(5)]))
    same("five logins at once", sorted(answer.stdout.strip() for answer in answers), list("01234"))


def orphans(vm: Machine, count=2000):
    """processes that lost their parent are buried by PID 1"""
    # Each subshell leaves a child behind; `cat` ends when the last of them has let go of the pipe.
    vm.ok(f"for n in $(seq {count}); do (: &); done | cat; :")
    zombies = None
    for _ in range(20):
        vm.ok("finitctl status >/dev/null")  # PID 1 takes a turn
        zombies = vm.run("ps -A -o stat=,ppid=,comm= | grep ^Z")[0]
        if not zombies:
            break
    same(f"zombies left of {count} orphans", zombies, "")
    same("sshd's socket", status(vm, "sshd"), UP)


def times(vm: Machine):
    """a task runs at its time though somebody sets the clock, to just before it; the last test, as the clock stays so"""
    vm.ok("mkfifo /run/midnight")
    append(vm, "[task.midnight]\ncommand = \"/bin/sh -c 'date -u +%H:%M >/run/midnight'\"\nschedule = \"daily UTC\"")
    vm.ok("finitctl apply")
    vm.ok("date -u -s \"$(date -u +%F) 23:59:57\"")
    same("it ran at", vm.ok("cat /run/midnight"), "00:00")


main(add, stop, killed, broken, scripts, ssh, orphans, times)
