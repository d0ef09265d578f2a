#!/usr/bin/env python3
"""A full disk, and file systems that never answer: the machine stays in hand, and goes down when told."""

from machine import Machine, check, main, same

CHATTER = """[service.chatter]
command = "/bin/sh -c 'while sleep 0.2; do date +said-%s.%N; done'"
restart = "always"
"""
# Root may use the reserve too. The last blocks go one by one.
FILLED = ("fallocate -l $(($(stat -f -c '%f*%s' /) - 8000000)) /root/fill; "
          "cat /dev/zero >/root/rest 2>/dev/null; sync")

# Writes to a page of a file on a disk that is frozen meanwhile: while that waits, its mappings are locked, and once
# somebody wants to change them nobody reads its memory either, or its words.
LOCKED = """
open my $file, '+>', '/srv/mapped';
truncate $file, 65536;
my $at = syscall(9, 0, 65536, 3, 1, fileno($file) + 0, 0);
open my $zero, '<', '/dev/zero';
syscall(0, fileno($zero) + 0, $at, 1);
system 'sync; fsfreeze -f /srv; touch /run/frozen';
syscall(0, fileno($zero) + 0, $at + 4096, 1);
"""
# Started over ssh, they are not among the processes of a service that stops.
LOCK = ("stuck() { until grep -q State:.D /proc/$1/status; do sleep 0.1; done; }; exec </dev/null >/dev/null 2>&1; "
        "perl /root/locked & first=$!; until [ -e /run/frozen ]; do sleep 0.1; done; stuck $first; "
        "(echo 1 >/proc/$first/clear_refs) & stuck $!")


def full(vm: Machine):
    """with / full services and orders go on"""
    vm.login()
    vm.ok(f"cat >>/etc/finit.toml <<'END'\n{CHATTER}END")
    vm.ok("finitctl start chatter nginx cron")
    vm.ok("cp /etc/finit.toml /root/; until finitctl logs chatter | grep -q said; do :; done")
    vm.run(FILLED)
    check("/ is full", vm.run("echo more >/root/more && cat /root/more | grep -q more")[1] != 0)
    for order in ("stop nginx", "start nginx", "restart chatter", "status chatter", "restart cron", "status"):
        output, status = vm.run(f"finitctl {order}")
        check(f"finitctl {order}", status == 0, output)


def told(vm: Machine):
    """what is lost is told"""
    # The last block of its file has room for some dozens of lines, of which a slow machine has one or two a second.
    vm.ok("until dmesg | grep -i 'finit.*No space left'; do sleep 0.1; done", 180)


def space_again(vm: Machine):
    """log lines are written again once there is space"""
    vm.ok("rm -f /root/fill /root/rest /root/more; now=$(date +%s)")
    vm.ok("until finitctl logs chatter | sed -n 's/.*said-\\([0-9]*\\).*/\\1/p' | "
          "awk -v now=$now '$1 > now + 1 { found = 1 } END { exit !found }'; do sleep 0.1; done", 60)


def full_reboot(vm: Machine):
    """a machine with a full disk reboots, and the disk is clean"""
    vm.run(FILLED)
    vm.reboot()
    vm.login()
    vm.was_clean()
    vm.ok("finitctl status nginx; rm -f /root/fill /root/rest /root/more")


def silent_server(vm: Machine):
    """a FUSE server that says nothing, a frozen disk, processes in both that nothing can kill, one that keeps / from
    being made read-only and one of whom not even the words can be read: it still goes off"""
    vm.ok("mkdir -p /mnt/silent; exec 9<>/dev/fuse")
    vm.ok("mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 silent /mnt/silent")
    vm.ok("(ls /mnt/silent/x) >/dev/null 2>&1 &")
    vm.ok(f"echo dirty >/srv/dirty; cat >/root/locked <<'END'{LOCKED}END")
    same("ssh", vm.ssh(LOCK).returncode, 0)
    # With a file of / that it writes to.
    vm.ok("(exec 3>/root/held; echo more >/srv/more) 2>/dev/null & stuck=$!")
    vm.ok("until grep -q 'State:.D' /proc/$stuck/status; do :; done")
    vm.poweroff(120)
    vm.disks_are_clean(vm.disk)


main(full, told, space_again, full_reboot, silent_server)
