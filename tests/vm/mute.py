#!/usr/bin/env python3
"""A machine whose /dev/console does not open, since the kernel was told of a device that is not there."""

# tests/run boots the machine with these words.
# boot: console=hvc3

from machine import Machine, check, main, same


def boot(vm: Machine):
    """it boots, and lets people in at its other terminals and over ssh"""
    vm.login()
    said, code = vm.run("true >/dev/console")
    check("/dev/console does not open", code != 0, said)
    check("sshd", vm.ssh("finitctl status sshd").returncode == 0)
    same("steps and services that failed", vm.ok("finitctl list --failed"), "nothing to list")


def repair_shell(vm: Machine):
    """the shell for repairs, whose terminal is the console, is on the screen"""
    vm.ok("finitctl start rescue-shell")
    pid = vm.ok("finitctl status --json rescue-shell | grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*$'")
    same("its terminal", vm.ok(f"readlink /proc/{pid}/fd/0"), "/dev/tty1")


def poweroff(vm: Machine):
    """`poweroff` works without it"""
    vm.poweroff()
    vm.disks_are_clean()


main(boot, repair_shell, poweroff)
