#!/usr/bin/env python3
"""Reboot, halt, the keys of the keyboard and power off do what they say, and leave clean file systems."""

import hashlib
import re

from machine import Machine, check, main, same, tool

SEED = "sha256sum </var/lib/finitd/random-seed"
# Wait for what was just put aside to be the sleep: until then a SIGTERM may still end it.
DEAF = "until grep -qx sleep /proc/$!/comm; do sleep 0.1; done"


def reboot(vm: Machine):
    """`finitctl reboot` comes back to a login"""
    vm.login()
    vm.ok("echo kept >/srv/note; echo kept >/root/note")
    vm.ok("echo dummy >/etc/modules-load.d/one.conf; echo net.ipv4.ip_forward=1 >/etc/sysctl.d/one.conf")
    vm.ok("printf '[task.say]\\ncommand = \"/bin/echo before the reboot\"\\nstart = \"manual\"\\n' >>/etc/finit.toml")
    vm.ok("finitctl start say")
    seed = vm.ok(SEED)
    vm.reboot("finitctl reboot")
    vm.login()
    check("the module of modules-load.d is loaded", "dummy" in vm.ok("ls /sys/module"))
    same("the setting of sysctl.d", vm.ok("cat /proc/sys/net/ipv4/ip_forward"), "1")
    check("the year of the machine's clock", int(vm.ok("date +%Y")) > 2024)
    check("the random seed is another", seed != vm.ok(SEED), seed)
    same("size and mode of the seed", vm.ok("stat -c '%s %a' /var/lib/finitd/random-seed"), "32 600")
    check("lines of before the reboot", "before the reboot" in vm.ok("finitctl logs say"))
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


def alt_up(vm: Machine):
    """the keyboard asks for a rescue login, which takes the console"""
    # Alt-Up is that key in the keymaps of kbd(4); in the kernel's own it is none. KDSKBENT, ioctl_console(2).
    vm.ok("""perl -e 'open F, "+<", "/dev/tty0"; my $entry = pack "CCS", 8, 103, 0x212; ioctl F, 0x4b47, $entry or die $!'""")
    vm.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in ("alt", "up")])
    vm.expect("Give root password for maintenance")
    back = vm.ssh("finitctl status rescue-shell && finitctl stop rescue-shell && finitctl start getty")
    same("the way back", back.returncode, 0)
    vm.login()


def halt(vm: Machine):
    """`halt` stops the machine, says who is late, and leaves it on"""
    # One of no service, which is still there when all are asked to leave.
    vm.ok("mkdir /sys/fs/cgroup/own; sh -c 'echo $$ >/sys/fs/cgroup/own/cgroup.procs; trap \"\" TERM HUP; "
          "exec sleep 1000000' >/dev/null 2>&1 </dev/null & " + DEAF)
    vm.type("halt\n")
    late = vm.expect(r"waiting for ([^\n]*sleep \(\d+\)[^\n]*)")[1]
    check("who is late is named, without threads of the kernel", not re.search("kworker|kthreadd|jbd2", late), late)
    vm.expect("reboot: System halted")
    check("it is on", vm.is_running())
    vm.qmp("system_reset")
    vm.login()
    vm.was_clean()


def poweroff(vm: Machine):
    """`poweroff` ends the machine, its file systems unmounted, and waits far past its time for a disk that takes its own"""
    vm.ok("printf '[shutdown]\\ntimeout = \"10s\"\\n' >>/etc/finit.toml; finitctl apply; sync")
    # Something that ignores SIGTERM and holds /srv must not keep it from being unmounted.
    vm.ok("(trap '' TERM HUP; cd /srv; exec sleep 1000000) >/dev/null 2>&1 </dev/null & " + DEAF)
    others = {name: 0 for name in ("bps", "bps_rd", "iops", "iops_rd", "iops_wr")}
    vm.qmp("block_set_io_throttle", device="virtio0", bps_wr=500_000, **others)
    kept = vm.ok("head -c 16M /dev/urandom >/root/slow; sha256sum </root/slow").split()[0]
    vm.poweroff()
    vm.disks_are_clean()
    written = tool("debugfs", "-R", "cat /root/slow", vm.disk, text=False).stdout
    same("what was written, of which the disk had taken nothing", hashlib.sha256(written).hexdigest(), kept)


main(reboot, ctrl_alt_del, alt_up, halt, poweroff)
