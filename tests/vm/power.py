#!/usr/bin/env python3
"""Reboot, Ctrl-Alt-Del and power off end in order, and leave clean file systems."""

import subprocess

from machine import Machine, check, main, same


def reboot(vm: Machine):
    """`finitctl reboot` comes back to a login"""
    vm.login()
    vm.ok("echo kept >/srv/note; echo kept >/root/note")
    vm.reboot("finitctl reboot")
    vm.login()
    same("a file on /", vm.ok("cat /root/note"), "kept")
    same("a file on /srv", vm.ok("cat /srv/note"), "kept")
    # The session before the reboot ended with it.
    records = vm.ok("last -x")
    check("last tells when it went down", "system down" in records and "- down" in records, records)
    vm.was_clean()


def ctrl_alt_del(vm: Machine):
    """Ctrl-Alt-Del on the keyboard reboots"""
    keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
    vm.qmp("send-key", keys=keys)
    vm.wait_event("RESET")
    vm.login()
    vm.was_clean()


def poweroff(vm: Machine):
    """`poweroff` ends the machine, its file systems unmounted"""
    # Something that ignores SIGTERM and holds /srv must not keep it from being unmounted.
    vm.ok("(trap '' TERM HUP; cd /srv; exec sleep 1000000) >/dev/null 2>&1 </dev/null &")
    vm.poweroff()
    for disk in (vm.disk, vm.disk.replace("root.img", "srv.img")):
        name = disk.rsplit("/", 1)[1]
        fsck = tool("e2fsck", "-fn", disk)
        same(f"e2fsck -fn of {name} (4: errors)", fsck.returncode, 0)
        header = tool("dumpe2fs", "-h", disk).stdout
        check(f"the journal of {name} needs no recovery", "needs_recovery" not in header, header)
        check(f"{name} is marked clean", "Filesystem state:         clean" in header, header)


def tool(*words):
    """Runs a program of the host, which may be in a folder of administrators."""
    return subprocess.run(["env", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", *words], capture_output=True, text=True)


main(reboot, ctrl_alt_del, poweroff)
