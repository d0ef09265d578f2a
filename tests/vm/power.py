#!/usr/bin/env python3
"""Reboot, Ctrl-Alt-Del and power off end in order, and leave clean file systems."""

import hashlib

from machine import Machine, check, main, same, tool


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
    """`poweroff` ends the machine, its file systems unmounted, and waits far past its time for a disk that takes its own"""
    vm.ok("printf '[shutdown]\\ntimeout = \"10s\"\\n' >>/etc/finit.toml; finitctl apply; sync")
    # Something that ignores SIGTERM and holds /srv must not keep it from being unmounted.
    vm.ok("(trap '' TERM HUP; cd /srv; exec sleep 1000000) >/dev/null 2>&1 </dev/null &")
    others = {name: 0 for name in ("bps", "bps_rd", "iops", "iops_rd", "iops_wr")}
    vm.qmp("block_set_io_throttle", device="virtio0", bps_wr=500_000, **others)
    kept = vm.ok("head -c 16M /dev/urandom >/root/slow; sha256sum </root/slow").split()[0]
    vm.poweroff()
    vm.disks_are_clean()
    written = tool("debugfs", "-R", "cat /root/slow", vm.disk, text=False).stdout
    same("what was written, of which the disk had taken nothing", hashlib.sha256(written).hexdigest(), kept)


main(reboot, ctrl_alt_del, poweroff)
