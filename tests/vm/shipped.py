#!/usr/bin/env python3
"""config/finit.toml, as it is shipped, runs a Debian."""

import os

from machine import Machine, check, main, same

CONFIG = os.path.join(os.path.dirname(__file__), "../../config/finit.toml")


def boot(vm: Machine):
    """it boots to a login on each terminal"""
    vm.login()
    with open(CONFIG) as file:
        # As its own comment says, for the console of this machine.
        text = file.read().replace('"tty5"]', '"tty5", "ttyS0"]')
    vm.ok(f"cat >/etc/finit.toml <<'END'\n{text}END")
    vm.ok("finitctl check")
    vm.reboot()
    vm.login()
    vm.ok("finitctl start getty dbus syslog cron networking sshd")
    same("what has failed", vm.ok("finitctl list --all --failed 2>/dev/null"), "")
    for number in range(1, 6):
        vm.ok(f"pgrep -x -t tty{number} agetty")


def network(vm: Machine):
    """the network goes and comes with its task, and sshd answers"""
    address = "ip -4 -o addr show dev eth0 | grep -q 10.0.2.15/24"
    vm.ok(address)
    vm.ok("finitctl stop networking")
    check("eth0 has no address", vm.run(address)[1] != 0)
    vm.ok("finitctl start networking")
    vm.ok(address)
    same("ssh", vm.ssh("true").returncode, 0)


def daemons(vm: Machine):
    """the daemons do their work"""
    vm.ok("finitctl reload dbus syslog")
    vm.ok("dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames")
    vm.ok("logger -t shipped heard; until grep -q 'shipped.*heard' /var/log/syslog /var/log/messages 2>/dev/null; do :; done", 60)


def poweroff(vm: Machine):
    """and it goes off in order"""
    vm.poweroff()
    vm.disks_are_clean()


main(boot, network, daemons, poweroff)
