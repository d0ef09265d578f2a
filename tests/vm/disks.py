#!/usr/bin/env python3
"""What /etc/fstab asks for and the disks do not give: each trouble is told, and costs nothing but itself."""

from machine import Machine, check, main, same

LINES = r"""
/dev/vdz          /gone    ext4   defaults            0 2
LABEL=no\040where /nowhere ext4   nofail              0 2
tmpfs             /bad     tmpfs  bogus=1             0 0
/root             /bound   none   bind                0 0
/root/swap        none     swap   sw                  0 0
tmpfs             /above/b tmpfs  x-mount.mkdir,size=1m 0 0
tmpfs             /above   tmpfs  defaults            0 0
/dev/vdb          /manual  ext4   noauto              0 2
/root/image       /looped  ext4   loop                0 0
proc              /proc    proc   defaults,hidepid=2  0 0
tmpfs             /dev/shm tmpfs  noexec              0 0
/quick/y          /shown   none   bind                0 0
silent:/x         /silent  nfs    defaults            0 0
quick:/x          /quick   cifs   _netdev             0 0
nothing:/x        /none    nfs    noauto              0 0
"""
# The server of the one never answers, and the other's does.
HELPERS = """
printf '#!/bin/sh\\nexec sleep 1000\\n' >/sbin/mount.nfs
printf '#!/bin/sh\\nexec mount -i -t tmpfs none "$2"\\n' >/sbin/mount.cifs
chmod 755 /sbin/mount.nfs /sbin/mount.cifs
"""


def prepare(vm: Machine):
    """an fstab full of troubles, and a file system that fsck does not mend by itself"""
    vm.login()
    vm.ok(f"cat >>/etc/fstab <<'END'{LINES}END")
    # The others are made.
    vm.ok("mkdir -p /gone /nowhere /bad /manual /none")
    vm.ok("dd if=/dev/zero of=/root/swap bs=1M count=8 2>/dev/null; chmod 600 /root/swap; mkswap -q /root/swap")
    vm.ok("truncate -s 8M /root/image; mke2fs -q -F -t ext4 /root/image")
    vm.ok(HELPERS)
    # A folder with two parents: it can be mounted, and which of them is wrong only a person knows.
    vm.ok("mkdir /srv/a /srv/b; umount /srv; debugfs -w -R 'ln a b/c' /dev/vdb; debugfs -w -R 'ssv state 2' /dev/vdb")
    vm.reboot()


def told(vm: Machine):
    """each is told on the console, and there is a login all the same"""
    vm.expect(r"waiting up to 30 s for /dev/vdz of /etc/fstab")
    vm.expect(r"fsck LABEL=srv by hand, then finitctl start fsck mount-local; until then it is not mounted")
    failed = vm.expect(r"mount-local failed: [^\n]*\n")[0]
    for word in ("/srv: not mounted, errors are left", "/dev/vdz", "/bad"):
        check(f"of the local ones, {word}", word in failed, failed)
    check("not what may be missing", "nowhere" not in failed, failed)
    vm.login()


def others(vm: Machine):
    """what can be mounted is"""
    same("/srv is not mounted", vm.run("mountpoint -q /srv")[1], 32)
    for place in ("/bound", "/above", "/above/b", "/tmp", "/looped"):
        vm.ok(f"mountpoint -q {place}")
    check("/manual is not", vm.run("mountpoint -q /manual")[1] != 0)
    swaps = vm.ok("cat /proc/swaps")
    check("the swap file is used", "/root/swap" in swaps and "/dev/vdc" in swaps, swaps)
    check("/ is writable", vm.run("touch /root/here")[1] == 0)
    table = {line.split()[1]: line.split()[3].split(",") for line in vm.ok("cat /proc/mounts").splitlines()}
    wanted = {"nosuid", "nodev", "noexec"}
    check("/proc has the options of its line", wanted | {"hidepid=invisible"} <= set(table["/proc"]), table["/proc"])
    check("/dev/shm too", wanted <= set(table["/dev/shm"]), table["/dev/shm"])
    for place in ("/dev/mqueue", "/sys/kernel/debug", "/sys/kernel/tracing"):
        check(f"{place} is there without a line", wanted <= set(table[place]), table)


def network(vm: Machine):
    """a server that never answers holds up neither the login nor another server, nor what lies on that"""
    vm.ok("until mountpoint -q /quick && mountpoint -q /shown; do sleep 0.1; done", 60)
    output, _ = vm.run("finitctl status mount-network")
    check("the other one is still waited for", "starting" in output, output)


def mended(vm: Machine):
    """what was mended by hand is mounted on demand"""
    vm.run("fsck -y LABEL=srv")
    vm.ok("sed -i '/vdz/d; /bad/d' /etc/fstab")
    # The check takes longer than the mount: only in order do they mend it.
    vm.ok("finitctl start fsck mount-local")
    vm.ok("mountpoint -q /srv && touch /srv/here")


def damage_root(vm: Machine, request):
    """Writes to the disk of the root behind the kernel, which is made to write nothing more, and boots again."""
    vm.ok("sync; echo u >/proc/sysrq-trigger; until grep -q '^[^ ]* / ext4 ro' /proc/mounts; do :; done")
    vm.ok(f"debugfs -w -R '{request}' /dev/vda; debugfs -w -R 'ssv state 2' /dev/vda; sync")
    vm.reboot("reboot -f")


def root(vm: Machine):
    """a root with errors stays read-only, on a machine that can be reached"""
    vm.ok("mkdir /a /b")
    damage_root(vm, "ln /a /b/c")
    vm.expect(r"fsck /dev/vda by hand, then reboot; until then / stays read-only")
    vm.login()
    check("/ is read-only", vm.run("touch /root/there")[1] != 0)
    check("ssh works", vm.ssh("true").returncode == 0)
    vm.run("fsck -y /dev/vda")
    vm.reboot()
    vm.login()
    vm.ok("touch /root/there; rm -rf /a /b")


def root_mended(vm: Machine):
    """a root that was mended under the kernel has the machine restarted, once"""
    vm.ok("mkdir /a")
    damage_root(vm, "sif /a links_count 7")
    vm.expect(r"corrected, and the machine has to be restarted for it: restarting")
    vm.wait_event("RESET")
    vm.login()
    vm.ok("touch /root/there")


def poweroff(vm: Machine):
    """and the machine goes off, with the mount that hangs"""
    vm.poweroff()
    vm.disks_are_clean()


main(prepare, told, others, network, mended, root, root_mended, poweroff)
