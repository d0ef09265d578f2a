#!/usr/bin/env python3
"""A broken file never costs the machine: it boots to a login and says what is wrong. A missing one is no other thing
to a machine than garbage without a copy, and shown in tests/pid1/boot.rs."""

from machine import Machine, check, main

COPY = "/var/lib/finitd/last-good/finit.toml"


def reboot(vm: Machine):
    vm.reboot("finitctl reboot")
    vm.login()


def last_good(vm: Machine):
    """with an error in the file the last good copy boots"""
    vm.login()
    vm.ok(f"until [ -s {COPY} ]; do :; done")  # it is written after the boot, by a child
    vm.ok("cp /etc/finit.toml /root/good.toml")
    vm.ok("printf '[service.nginx2]\\ncomand = \"/x\"\\n' >>/etc/finit.toml")
    reboot(vm)
    output = vm.ok("finitctl status")
    check("status says so", "last good copy" in output, output)
    check("and what is wrong", "unknown key `comand`" in output, output)
    check("the services are there", vm.run("finitctl status nginx")[1] == 0)


def garbage(vm: Machine):
    """with garbage and no copy there is a login on the console"""
    vm.ok(f"rm -rf {COPY} {COPY}.d; head -c 3000 /dev/urandom >/etc/finit.toml")
    reboot(vm)
    output = vm.ok("finitctl status")
    check("status says so", "built-in login" in output, output)


def half(vm: Machine):
    """what is good in a broken file runs beside that login, which its getty does not disturb"""
    vm.ok(f"rm -rf {COPY} {COPY}.d; (cat /root/good.toml; echo '[service.x]') >/etc/finit.toml")
    reboot(vm)
    output = vm.ok("finitctl status")
    check("status says so", "built-in login" in output, output)
    vm.ok("until finitctl status nginx >/dev/null; do sleep 0.1; done")
    check("a second getty is not there", vm.run("finitctl status getty")[1] != 0)


def mended(vm: Machine):
    """and a mended file is followed at once"""
    # The login that goes is this one: it is no part of the file.
    vm.type("cp /root/good.toml /etc/finit.toml; finitctl apply\n")
    vm.login()
    vm.ok("finitctl start nginx")
    check("its services are there", vm.run("finitctl status nginx")[1] == 0)
    output = vm.ok("finitctl status")
    check("and nothing is wrong any more", "built-in" not in output, output)


main(last_good, garbage, half, mended)
