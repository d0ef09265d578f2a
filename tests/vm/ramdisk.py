#!/usr/bin/env python3
"""finit as /init of a RAM disk, with nothing but busybox beside it."""

# tests/run gives this option to the machine.
# option: --initramfs

from machine import Machine, check, main, same


def shell(vm: Machine):
    """there is a shell on the console, and finit answers"""
    vm.expect(r"/ # ")
    vm.to_plain_shell()
    same("program of PID 1", vm.ok("readlink /proc/1/exe"), "/sbin/finit")
    output = vm.ok("finitctl status")
    check("the machine runs", "finit" in output and "shell" in output, output)
    for place in ("/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run"):
        vm.ok(f"grep -q ' {place} ' /proc/mounts")


def poweroff(vm: Machine):
    """and it goes off"""
    # The shell has a `poweroff` of its own, which knows the init of busybox alone.
    vm.type("finitctl poweroff\n")
    vm.wait_event("SHUTDOWN")
    vm.wait_exit()


main(shell, poweroff)
