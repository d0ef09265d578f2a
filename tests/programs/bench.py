"""The measurements of tests/bench. Each is a function that yields rows: what is measured, its
unit, finit's figure, the floor's. Times come from the programs themselves (CLOCK_MONOTONIC in
the first instruction of main), so that looking for the end of a run costs no accuracy."""

import atexit
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SBIN, WORK = Path(sys.argv[1]), Path(sys.argv[2])
PROGRAMS = WORK / "programs"
PATIENCE = 300
FLOOR = "/programs/floor"


class Machine:
    """A program as PID 1, see machine.c."""

    def __init__(self, argv, toml="", cgroup=False):
        self.folder = tempfile.mkdtemp(prefix="machine-", dir=WORK)
        options = [f"sbin={SBIN}", f"programs={PROGRAMS}", f"cgroup={'yes' if cgroup else 'no'}"]
        command = [PROGRAMS / "machine", self.folder, *options, "--", *argv]
        self.launcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.launcher.stdout.readline().split()[1])
        self.root = Path(f"/proc/{self.pid}/root")
        (self.root / "etc/finit.toml").write_text("boot.tmpfiles = false\n")
        (self.root / "etc/finit.toml.d").mkdir()
        tables = toml.split("\n\n")
        for i in range(0, len(tables), 10_000):  # a file has 1 MiB at most
            (self.root / f"etc/finit.toml.d/{i:06}.toml").write_text("\n\n".join(tables[i:i + 10_000]))
        self.began = time.monotonic_ns()
        self.launcher.stdin.write(b"!")
        self.launcher.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.launcher.stdin.close()
        self.launcher.wait()
        os.rmdir(self.folder)

    def enter(self, *argv):
        """The words that start a program in the machine."""
        return ["nsenter", "-t", str(self.pid), *"-p -m -u -i -n -C -r -w".split(), "--", *argv]

    def run(self, *argv):
        """What a program in the machine prints."""
        done = subprocess.run(self.enter(*argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"bench: {argv}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout

    def until(self, what, check):
        end = time.monotonic() + PATIENCE
        while not (found := check()):
            if time.monotonic() > end:
                sys.exit(f"bench: waited in vain for {what}")
            time.sleep(0.002)
        return found

    def stamps(self, path, count):
        """The times in the lines of a file, once it has that many."""
        file = self.root / path.lstrip("/")
        lines = self.until(path, lambda: file.exists() and (t := file.read_text()).count("\n") >= count and t)
        return [int(line.split()[1]) for line in lines.splitlines()]

    def ask(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.root / "run/initctl"))
            s.sendall(line.encode() + b"\n")
            return s.makefile().readline()

    def services(self):
        answer = json.loads(self.ask('{"method":"list"}'))
        return answer["result"]["machine"]["services"]

    def cpu(self):
        """Milliseconds of processor time of PID 1."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e6

    def settled(self):
        """Waits until PID 1 and its helpers have slept through a second."""
        def asleep():
            before = self.switches()
            time.sleep(1)
            return self.switches() == before
        self.until("silence", asleep)

    def status(self, key):
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(key + ":")))

    def own(self, file):
        """Lines of that file in /proc of PID 1 and of its helpers, which are the same program."""
        for folder in (self.root / "proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "exe") in ("/usr/sbin/finit", FLOOR):
                    yield from (folder / file).read_text().splitlines()
            except OSError:
                continue

    def switches(self):
        """How often they were given a processor."""
        return sum(int(line.split()[1]) for line in self.own("status") if "voluntary_ctxt_switches:" in line)

    def pss(self):
        """KiB of them."""
        return sum(int(line.split()[1]) for line in self.own("smaps_rollup") if line.startswith("Pss:"))

    def zombies(self):
        count = 0
        for stat in (self.root / "proc").glob("[0-9]*/stat"):
            try:
                count += stat.read_text().rpartition(")")[2].startswith(" Z")
            except OSError:
                continue
        return count


def finit(toml, **options):
    return Machine(["/usr/sbin/finit"], toml, **options)


def floor(count, again, *argv):
    return Machine([FLOOR, str(count), str(again), *argv])


def service(name, command, rest='log = "none"'):
    return f'[service.{name}]\ncommand = "{command}"\n{rest}\n\n'


def middle(text):
    return statistics.median(int(line) for line in text.split())


def sizes():
    for name in ("finit", "finitctl"):
        yield f"size of {name}", "KiB", (SBIN / name).stat().st_size / 1024, None


def start(n=1000):
    """From the exec of PID 1 to the main() of the last service."""
    def up(machine):
        with machine:
            last = max(machine.stamps("/out/all", n))
            return (last - machine.began) / 1e6, machine.cpu()
    best = lambda make: min((up(make()) for _ in range(3)))
    least, least_cpu = best(lambda: floor(n, 0, "/programs/idle", "/out/all"))
    for words, log, cgroup in (("no log", 'log = "none"', False), ("logged", "", False),
                               ("cgroups", 'log = "none"', True), ("logged, cgroups", "", True)):
        toml = "".join(service(f"s{i}", "/programs/idle /out/all", log) for i in range(n))
        wall, cpu = best(lambda: finit(toml, cgroup=cgroup))
        yield f"start of {n}, {words}", "ms", wall, least
        yield "  processor time of PID 1", "ms", cpu, least_cpu


def restart(services=20, kills=50):
    """From kill -9 to the main() of the replacement."""
    def times(machine):
        with machine:
            for i in range(services):
                machine.stamps(f"/out/{i}", 1)
            return middle("".join(machine.run("/programs/killer", f"/out/{i}", str(kills)) for i in range(services)))
    rest = 'restart = { delay = "0ms", max-delay = "0ms" }\n'
    least = times(floor(services, 1, "/programs/idle", "/out/%"))
    for words, log, cgroup in (("no log", 'log = "none"\n', False), ("logged, cgroups", "", True)):
        toml = "".join(service(f"s{i}", f"/programs/idle /out/{i}", log + rest) for i in range(services))
        yield f"crash to main, {words}", "us", times(finit(toml, cgroup=cgroup)) / 1000, least / 1000


def memory():
    for n in (10, 1000):
        with floor(n, 0, "/programs/idle", "/out/all") as machine:
            machine.stamps("/out/all", n)
            least = machine.pss()
        for words, log in (("no log", 'log = "none"'), ("logged", "")):
            toml = "".join(service(f"s{i}", "/programs/idle /out/all", log) for i in range(n))
            with finit(toml, cgroup=True) as machine:
                machine.stamps("/out/all", n)
                machine.settled()
                before = machine.switches()
                time.sleep(5)
                yield f"memory (PSS) with {n}, {words}", "KiB", machine.pss(), least
                yield "  wake-ups in 5 s, with its helpers", "", machine.switches() - before, 0
                yield "  threads", "", machine.status("Threads"), 1


def status(n=100, times=500):
    with floor(n, 0, "/programs/idle", "/out/all") as machine:
        machine.stamps("/out/all", n)
        least = middle(machine.run("/programs/repeat", str(times), "/programs/ask", "status", "s50"))
    toml = "".join(service(f"s{i}", "/programs/idle /out/all") for i in range(n))
    with finit(toml, cgroup=True) as machine:
        machine.stamps("/out/all", n)
        for client in ("/programs/ask", "/usr/sbin/finitctl"):
            took = middle(machine.run("/programs/repeat", str(times), client, "status", "s50"))
            yield f"status of 1 of {n}, by {Path(client).name}", "us", took / 1000, least / 1000


def upgrade(n=1000):
    toml = "".join(service(f"s{i}", "/programs/idle /out/all", "") for i in range(n))
    with finit(toml, cgroup=True) as machine:
        machine.stamps("/out/all", n)
        machine.settled()
        pids = lambda: [(s["name"], s.get("pid")) for s in machine.services()]
        before, waits = pids(), []
        other = subprocess.Popen(machine.enter("finitctl", "upgrade"), stdout=subprocess.DEVNULL)
        while other.poll() is None:
            began = time.monotonic_ns()
            machine.ask('{"method":"ping"}')
            waits.append((time.monotonic_ns() - began) / 1e6)
        if other.returncode or pids() != before:
            sys.exit("bench: the upgrade did not keep everything")
        yield f"longest wait of a client over an upgrade, {n} services", "ms", max(waits), None


def inetd(n=3000):
    def rate(machine, workers):
        words = machine.run("/programs/clients", "7", str(n), str(workers)).split()
        if words[0] != str(n):
            sys.exit(f"bench: connections were lost: {words}")
        return float(words[6].removesuffix("/s"))
    with floor(1, 0, "/programs/inetfloor", "7", "/programs/serve") as machine:
        machine.run("ip", "link", "set", "lo", "up")  # which finit does by itself
        machine.until("the port", lambda: "0 refused" in machine.run("/programs/clients", "7", "1", "1"))
        least = [rate(machine, workers) for workers in (1, 8)]
    toml = service("echo", "/programs/serve", 'log = "none"\ninetd = "7"')
    for words, cgroup in (("", False), (", cgroups", True)):
        with finit(toml, cgroup=cgroup) as machine:
            machine.until("the port", lambda: "0 refused" in machine.run("/programs/clients", "7", "1", "1"))
            for workers, best in zip((1, 8), least):
                yield f"connections, {workers} at a time{words}", "/s", rate(machine, workers), best


def at_once(n):
    """How many of n processes can be there at once: all of them, where the kernel and memory have room."""
    kernel = Path("/proc/sys/kernel")
    before = (kernel / "pid_max").read_text()
    if int(before) < 2 * n:
        (kernel / "pid_max").write_text(str(2 * n))
        atexit.register((kernel / "pid_max").write_text, before)
    free = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable:"))
    # The least that a process takes of the kernel and for its page tables.
    room = min(int((kernel / "threads-max").read_text()) // 2, free // 128)
    if room < n:
        print(f"bench: {n} processes at once have no room here, {room} at a time have", file=sys.stderr)
    return min(n, room)


def reap(n=int(os.environ.get("FINIT_BENCH_REAP", "100000"))):
    most = at_once(n)

    def make_orphans(machine):
        for done in range(0, n, most):
            count = str(min(most, n - done))
            if machine.run("/programs/orphans", count).strip() != count:
                sys.exit("bench: not all orphans were made")

    def orphans(machine):
        with machine:
            machine.until("the socket", lambda: (machine.root / "run/initctl").exists())
            before, began = machine.cpu(), time.monotonic()
            make_orphans(machine)
            machine.until("the last zombie to go", lambda: not machine.zombies())
            return time.monotonic() - began, machine.cpu() - before
    wall, cpu = orphans(finit("", cgroup=True))
    least_wall, least_cpu = orphans(floor(0, 0))
    yield f"{n} orphans, all reaped", "s", wall, least_wall
    yield "  processor time of PID 1", "ms", cpu, least_cpu
    with floor(n, 0, "/programs/exiter", "3") as machine:
        machine.until("the socket", lambda: (machine.root / "run/initctl").exists())
        machine.until("all to end", lambda: machine.ask("x").split()[1] == str(n))
        least = (time.monotonic_ns() - machine.began) / 1e9
    toml = "".join(f'[task.t{i}]\ncommand = "/programs/exiter {i % 256}"\nlog = "none"\n\n' for i in range(n))
    with finit(toml) as machine:
        machine.until("the socket", lambda: (machine.root / "run/initctl").exists())
        make_orphans(machine)
        ended = lambda: sum(s["state"] in ("done", "failed") for s in machine.services() if s["kind"] == "task") == n
        machine.until("all tasks to end", ended)
        wall = (time.monotonic_ns() - machine.began) / 1e9
        told = {s["name"]: s.get("reason") for s in machine.services()}
        exact = sum(told[f"t{i}"] == f"exited with status {i % 256}" for i in range(n))
        machine.until("the last zombie to go", lambda: not machine.zombies())
    yield f"{n} short tasks, file and all, and {n} orphans at once", "s", wall, least + least_wall
    yield "  exits told exactly", "", exact, n


def main():
    parts = [sizes, start, restart, memory, status, upgrade, inetd, reap]
    wanted = sys.argv[3:] or [part.__name__ for part in parts]
    print(f"{'':60} {'finit':>10} {'floor':>10} {'times':>7}")
    for part in parts:
        for what, unit, value, least in part() if part.__name__ in wanted else ():
            # A rate is better when it is higher.
            ratio = "" if not least or not value else f"{least / value if unit == '/s' else value / least:.2f}"
            shown = "" if least is None else f"{least:.10g}" if least == int(least) else f"{least:.1f}"
            mine = f"{value:.10g}" if value == int(value) else f"{value:.1f}"
            print(f"{what + (f' [{unit}]' if unit else ''):60} {mine:>10} {shown:>10} {ratio:>7}", flush=True)


main()
