#!/usr/bin/env python3
"""Reboot, Ctrl-Alt-Del and power off end in order, and leave clean file systems."""

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
    check("last tells when it went down", "system down" in records, records)
    sessions = [line for line in records.splitlines() if "ttyS0" in line]
    same("sessions that have ended", ["still logged in" not in line for line in sessions], [False, True])
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
    vm.disks_are_clean()


main(reboot, ctrl_alt_del, poweroff)
