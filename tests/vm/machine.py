"""A virtual machine under test, as `qemu/run --test` hands it over in the environment.

Every wait is for an event (bytes on the console, a message from QEMU, the end of a process) and has a generous upper
bound: a slow host does not fail a test, and a hung machine ends it with a sentence that says what was missing.
"""

import json
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import time

PATIENCE = 180  # seconds; an emulated machine on a busy host is slow
LOGIN = r"login: "


class Failed(Exception):
    """The machine did not do what was expected of it."""


class Machine:
    """The console, QEMU's control socket and ssh of one machine."""

    def __init__(self):
        self.unread = ""  # what the console said and nobody has asked for yet
        self.commands = 0
        self.console = connect("FINIT_VM_SERIAL")
        self.process = os.pidfd_open(int(os.environ["FINIT_VM_PID"]))
        self.disk = os.environ["FINIT_VM_DISK"]
        self.qmp_socket = connect("FINIT_VM_QMP")
        self.qmp_unread = b""
        self.events = []
        self.message(PATIENCE, "QEMU's greeting")
        self.qmp("qmp_capabilities")

    # The console

    def expect(self, pattern, within=PATIENCE):
        """Reads the console up to the first match; what was before it is forgotten."""
        found = self.hear(pattern, within)
        if not found:
            raise Failed(f"no {pattern!r} on the console within {within} s; its end: {self.unread[-300:]!r}")
        return found

    def hear(self, pattern, within):
        """The same, or None if it does not come in time."""
        deadline = time.monotonic() + within
        while not (found := re.search(pattern, self.unread)):
            if "Kernel panic - not syncing" in self.unread:
                raise Failed(f"the kernel panicked while {pattern!r} was awaited; did PID 1 end?")
            if not self.listen(deadline):
                raise Failed(f"QEMU ended while {pattern!r} was awaited on the console")
            if time.monotonic() > deadline:
                return None
        self.unread = self.unread[found.end():]
        return found

    def listen(self, deadline):
        """Takes what the console says next; False once there is no console any more."""
        ready, _, _ = select.select([self.console], [], [], max(0, deadline - time.monotonic()))
        data = self.console.recv(65536) if ready else b""
        self.unread += data.decode(errors="replace").replace("\r", "")
        return bool(data) or not ready

    def type(self, text):
        """Types on the console."""
        self.console.sendall(text.encode())

    def insist(self, text, pattern):
        """Types until that is heard: sulogin(8) throws away what comes before it has set up its terminal, and asks
        before that."""
        for _ in range(PATIENCE // 10):
            self.type(text)
            if self.hear(pattern, 10):
                return
        raise Failed(f"{text!r} was typed for {PATIENCE} s, and no {pattern!r} came; the end: {self.unread[-300:]!r}")

    def login(self, password="finit"):
        """Logs in as root at the login prompt, to a plain shell."""
        self.expect(LOGIN)
        self.type("root\n")
        self.expect(r"Password: ")
        self.type(password + "\n")
        self.expect(r"root@[^\n]*# ")
        self.to_plain_shell()

    def to_plain_shell(self):
        """From the prompt of a shell to a shell without echo, prompt and line editing."""
        self.type("exec sh\n")
        self.type("stty -echo; PS1= PS2=; export NO_COLOR=1; dmesg -n 1; echo re''ady\n")
        self.expect(r"ready\n")

    def run(self, command, within=PATIENCE):
        """Runs shell text on the console: its output and its exit status."""
        self.commands += 1
        mark = f"end of {self.commands}:"
        self.type(f"{{ {command}\n}}; echo \"\n{mark} $?\"\n")
        found = self.expect(rf"(?s)(.*?)\n{mark} (\d+)\n", within)
        return found[1].strip("\n"), int(found[2])

    def ok(self, command, within=PATIENCE):
        """The output of shell text that must succeed."""
        output, status = self.run(command, within)
        if status != 0:
            raise Failed(f"{command!r} exits {status}: {output}")
        return output

    # QEMU's control socket

    def message(self, within, what):
        """The next message of QEMU; None once it has ended."""
        deadline = time.monotonic() + within
        while b"\n" not in self.qmp_unread:
            # The console is drained here too: a guest whose console nobody reads waits.
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self.qmp_socket, self.console], [], [], left)
            if not ready:
                raise Failed(f"no {what} within {within} s; the end of the console: {self.unread[-300:]!r}")
            if self.console in ready and not self.listen(deadline):
                return None
            if self.qmp_socket in ready:
                data = self.qmp_socket.recv(65536)
                if not data:
                    return None
                self.qmp_unread += data
        line, self.qmp_unread = self.qmp_unread.split(b"\n", 1)
        return json.loads(line)

    def qmp(self, command, **arguments):
        """Sends a command to QEMU and waits for its answer."""
        self.qmp_socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while answer := self.message(PATIENCE, f"answer to {command}"):
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failed(f"QEMU refuses {command}: {answer['error']['desc']}")
            self.events.append(answer)
        raise Failed(f"QEMU ended before it answered {command}")

    def wait_event(self, name, within=PATIENCE):
        """Waits until QEMU reports an event such as RESET or SHUTDOWN."""
        while not any(event["event"] == name for event in self.events):
            event = self.message(within, f"event {name}")
            if event is None:
                raise Failed(f"QEMU ended without the event {name}")
            self.events.append(event)
        self.events.clear()

    def reboot(self, command="reboot"):
        """Has the machine start again."""
        self.type(command + "\n")
        self.wait_event("RESET")
        # Seen once in some hundred resets under TCG: the firmware never gets to a kernel. That is no fault of an init.
        self.unread = ""
        while not self.speaks(60) and self.is_in_firmware():
            print("  (the firmware hangs after the reset: once more)", flush=True)
            self.qmp("system_reset")
            self.wait_event("RESET")

    def speaks(self, within):
        """Whether the console says anything in that time."""
        ready, _, _ = select.select([self.console], [], [], within)
        return bool(ready)

    def registers(self):
        """The registers of all CPUs, in QEMU's words."""
        return self.qmp("human-monitor-command", **{"command-line": "info registers -a"})

    def is_in_firmware(self):
        """Whether no CPU has paging on, without which no kernel runs: bit 31 of CR0."""
        control = re.findall(r"CR0=([0-9a-f]+)", self.registers())
        return bool(control) and not any(int(bits, 16) >> 31 for bits in control)

    def poweroff(self, within=PATIENCE):
        """Has the machine go off, which takes so many seconds at most."""
        self.type("poweroff\n")
        self.wait_event("SHUTDOWN", within)
        self.wait_exit()

    def was_clean(self):
        """Fails if file systems had to be repaired at mount in this boot, which the kernel says."""
        output, _ = self.run("dmesg | grep -i 'EXT4-fs.*recover'")
        same("journals replayed in this boot", output, "")

    def disks_are_clean(self, *disks):
        """Fails if the machine, which is off, has left anything to repair on these of its disks, or on both."""
        for disk in disks or (self.disk, self.disk.replace("root.img", "srv.img")):
            name = disk.rsplit("/", 1)[1]
            fsck = tool("e2fsck", "-fn", disk)
            same(f"e2fsck -fn of {name} (4: errors)", fsck.returncode, 0)
            header = tool("dumpe2fs", "-h", disk).stdout
            check(f"the journal of {name} needs no recovery", "needs_recovery" not in header, header)
            check(f"{name} is marked clean", "Filesystem state:         clean" in header, header)

    def is_running(self):
        """Whether QEMU still is."""
        return not select.select([self.process], [], [], 0)[0]

    def wait_exit(self, within=PATIENCE):
        """Waits for the end of QEMU, after which its disk files are complete."""
        deadline = time.monotonic() + within
        waiting = [self.process, self.console]
        while self.process not in (ready := select.select(waiting, [], [], max(0, deadline - time.monotonic()))[0]):
            if not ready:
                raise Failed(f"the machine is not off after {within} s; the end of the console: {self.unread[-300:]!r}")
            if not self.listen(deadline):
                waiting.remove(self.console)

    # ssh

    def ssh(self, command, within=PATIENCE):
        """Runs a command over ssh: the completed process, with stdout and stderr as text."""
        words = shlex.split(os.environ["FINIT_VM_SSH"]) + [command]
        try:
            return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within)
        except subprocess.TimeoutExpired:
            raise Failed(f"ssh did not finish {command!r} within {within} s") from None


def tool(*words, text=True):
    """Runs a program of the host, which may be in a folder of administrators."""
    return subprocess.run(["env", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", *words], capture_output=True, text=text)


def connect(variable):
    """A connection to the unix socket that a variable of the environment names."""
    if variable not in os.environ:
        sys.exit(f"{variable} is not set: run this by `qemu/run --test {sys.argv[0]}`")
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[variable])
    return connection


def check(what, condition, detail=""):
    """One thing that has to be so."""
    if not condition:
        raise Failed(f"{what}: {detail}" if str(detail) else what)
    print(f"  ok  {what}", flush=True)


def same(what, found, expected):
    """Two values that have to be equal."""
    check(what, found == expected, f"found {found!r}, expected {expected!r}")


def main(*tests):
    """Runs tests on the machine, one after the other; the first failure ends the run."""
    machine = Machine()
    for test in tests:
        print(f"{test.__name__}: {test.__doc__}", flush=True)
        try:
            test(machine)
        except Failed as failure:
            where = re.findall(r"(?:RIP|CR0)=[0-9a-f]+", machine.registers()) if machine.is_running() else "it is off"
            sys.exit(f"FAILED {test.__name__}: {failure}\nCPUs: {where}")
