#!/usr/bin/env python3
"""qemu/run as a person has it at a terminal: a machine that stays, --snapshot, --memory and --kernel."""
# This one starts its machines itself.
# alone

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from machine import PATIENCE, Failed, Machine, check, same, tool

RUN = pathlib.Path(__file__).resolve().parents[2] / "qemu" / "run"
CACHE = pathlib.Path(os.environ.get("FINIT_CACHE")
                     or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "finit")


class Person(Machine):
    """A machine at whose terminal we sit."""

    def __init__(self, cache, *options):
        self.unread, self.commands = "", 0
        self.console, theirs = socket.socketpair()
        self.started = subprocess.Popen([RUN, *options], stdin=theirs, stdout=theirs, stderr=theirs,
                                        env=os.environ | {"FINIT_CACHE": str(cache)})
        theirs.close()
        self.process = os.pidfd_open(self.started.pid)

    def poweroff(self):
        self.type("poweroff\n")
        self.wait_exit()
        same("how qemu/run ends", self.started.wait(), 0)


def refused(cache, *options):
    """What is said where nothing is started."""
    done = subprocess.run([RUN, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                          env=os.environ | {"FINIT_CACHE": str(cache)})
    check(f"{options[0]} {options[1]} starts nothing", done.returncode == 1, done)
    return done.stderr.strip().splitlines()[-1]


def of_release(path, release):
    """A file that is a kernel of that release as far as its header says."""
    head = bytearray(4096)
    head[0x202:0x206], head[0x20e:0x210] = b"HdrS", (0x600).to_bytes(2, "little")
    head[0x800:0x800 + len(release)] = release
    path.write_bytes(head)
    return path


def marked(cache):
    """Whether the disk of the machine that stays has the mark."""
    return "Inode:" in tool("debugfs", "-R", "stat /root/mark", str(cache / "machine" / "root.img")).stdout


def stays(cache):
    base = next(CACHE.glob("base-*"))
    kernel = shutil.copy(base / "vmlinuz", cache / "kernel")
    vm = Person(cache, "--snapshot", "--memory", "700", "--kernel", kernel)
    vm.login()
    memory = int(vm.ok("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"))
    check("the machine has 700 MB", 600_000 < memory <= 700 << 10, memory)
    vm.ok("touch /root/mark; sync")
    vm.poweroff()
    check("--snapshot forgets", not marked(cache))
    vm = Person(cache)
    vm.login()
    vm.ok("! [ -e /root/mark ] && touch /root/mark")
    busy = refused(cache, "--memory", "300")
    check("there is one machine", busy.endswith("this machine runs already; --test uses disks of its own"), busy)
    vm.poweroff()
    check("the machine stays without", marked(cache))


def kernels(cache):
    missing = refused(cache, "--kernel", "/nonexistent")
    check("a missing one is told", missing.endswith("cannot read the kernel /nonexistent"), missing)
    other = refused(cache, "--kernel", str(of_release(cache / "other", b"6.0.0-99-amd64 (x)")))
    check("one with modules of its own is told", "the drivers of 6.0.0-99-amd64 are modules" in other, other)


with tempfile.TemporaryDirectory(prefix="finit-person") as folder:
    ours = pathlib.Path(folder)
    # The same images and no other machine.
    for name in CACHE.glob("base-*"):
        (ours / name.name).symlink_to(name)
    (ours / "debs").symlink_to(CACHE / "debs")
    if (CACHE / "accel").exists():
        shutil.copy(CACHE / "accel", ours)
    for test in (kernels, stays):
        print(f"{test.__name__}:", flush=True)
        try:
            test(ours)
        except Failed as failure:
            sys.exit(f"FAILED {test.__name__}: {failure}")
