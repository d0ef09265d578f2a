#!/usr/bin/env python3
"""Words of the kernel command line: each leads to a console that works, and to what it asks for. Which words mean
the same is shown in src/driver/start.rs."""

# tests/run boots a machine for each of these lines and gives its words as the argument.
# boot: single
# boot: emergency
# boot: finit.target=lean finit.config=/etc/other.toml finit.debug

import sys

from machine import Machine, check, main, same

OTHER = """
[target.lean]

[service.getty]
command = "/sbin/agetty --keep-baud 115200,38400,9600 - $TERM"
tty     = "ttyS0"
targets = ["lean", "default"]

[service.one]
command = "/bin/sleep infinity"
targets = ["lean"]

[service.usual]
command = "/bin/sleep infinity"
"""


def maintenance(vm: Machine):
    """The built-in shell for repairs asks for root's password."""
    vm.expect("Give root password for maintenance")
    vm.expect(": ")
    vm.insist("finit\n", "# ")
    vm.to_plain_shell()


def repair_shell(vm: Machine):
    """a shell for repairs comes up, and no service"""
    maintenance(vm)
    target = "emergency" if sys.argv[1] == "emergency" else "rescue"
    output = vm.ok("finitctl status")
    check("status names the target", f"target {target}" in output, output)
    check("the shell is up", "because     the boot" in vm.ok("finitctl status rescue-shell"))
    for name in ("getty", "rsyslog", "cron", "sshd", "nginx"):
        check(f"{name} is not", f"\n{name} " in output and vm.run(f"finitctl status {name}")[1] == 3, output)


def root(vm: Machine):
    """rescue mounts the disks, emergency leaves them alone"""
    if sys.argv[1] == "emergency":
        check("/ is read-only", vm.run("touch /root/here")[1] != 0)
        check("/srv is not mounted", vm.run("mountpoint -q /srv")[1] != 0)
        vm.ok("mount -o remount,rw /; touch /root/here")
    else:
        # The shell is there before the disks are, or it could not repair them.
        vm.ok("until mountpoint -q /srv; do :; done; touch /root/here /srv/here")


def exit_comes_back(vm: Machine):
    """the shell comes back when it was left"""
    vm.type("exit\n")
    maintenance(vm)


def reboot(vm: Machine):
    """reboot works there"""
    vm.reboot()
    maintenance(vm)
    same("what was written is there", vm.run("test -e /root/here")[1], 0)


def poweroff(vm: Machine):
    """poweroff works there"""
    vm.poweroff()


def no_file(vm: Machine):
    """finit.config= names a file that is not there: a login, and the reason"""
    vm.login()
    output = vm.ok("finitctl status")
    check("status names the file", "/etc/other.toml could not be read" in output, output)
    vm.ok(f"cat >/etc/other.toml <<'END'\n{OTHER}\nEND")
    vm.reboot()


def debug(vm: Machine):
    """finit.debug shows the steps on the console, for all that `quiet` is there too"""
    vm.expect(r"finit: mount-virtual \(\d+ ms\)")


def target(vm: Machine):
    """finit.target= starts what belongs to it, out of that file"""
    vm.login()
    output = vm.ok("finitctl status")
    check("status names the target", "target lean" in output, output)
    check("its service is up", vm.run("finitctl start one")[1] == 0)
    check("one of the usual target is not", vm.run("finitctl status usual")[1] == 3, output)
    check("and none of the usual file exists", "nginx" not in output, output)


if sys.argv[1].startswith("finit."):
    main(no_file, debug, target, poweroff)
else:
    main(repair_shell, root, exit_comes_back, reboot, poweroff)
