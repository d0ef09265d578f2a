#!/usr/bin/env python3
"""What qemu/probe saw of a boot, as a line of numbers; and the table of many such lines. See qemu/bench.

boottime.py INIT FILE    as a --test of qemu/run: adds this boot to FILE
boottime.py FILE         prints the table
"""

import json
import pathlib
import statistics
import sys
from collections import Counter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "vm"))
from machine import Failed, Machine  # noqa: E402

INITS = ["finit", "systemd"]
TTY_S0 = 4 << 8 | 64
TICKS = 100  # a second, of the start times in /proc/PID/stat
# udevd runs under both, and its program has another name.
OWN = {"finit": "/usr/sbin/finit", "systemd": "/usr/lib/systemd/"}
ROWS = [
    ("login", "getty on ttyS0 started", "s", 2),
    ("daemon", "last daemon started", "s", 2),
    ("ssh", "port 22 answers", "s", 2),
    ("cpu", "CPU time of PID 1", "ms", 1),
    ("pss", "memory of PID 1", "KiB", 0),
    ("family", "  with its helpers", "KiB", 0),
    ("helpers", "  number of those", "", 0),
    ("processes", "processes in all", "", 0),
]


class Process:
    """One line of the probe."""

    def __init__(self, line):
        self.program, pss, stat = line.split(" ", 2)
        self.pid = int(stat.split(" ", 1)[0])
        self.pss = int(pss)
        # The name in parentheses can have blanks. Fields are counted from 1 in proc(5), and this starts at the third.
        fields = stat.rsplit(") ", 1)[1].split()
        self.tty = int(fields[7 - 3])
        self.start = int(fields[22 - 3]) / TICKS


def measure(init):
    """Waits for the probe's report of this boot: its numbers."""
    machine = Machine()
    machine.expect("probe: began\n", 600)
    report = machine.expect("(?s)(.*?)probe: ended\n")[1]
    lines = [line.removeprefix("probe: ").split(" ", 1) for line in report.splitlines() if line.startswith("probe: ")]
    one = {key: value for key, value in lines if key != "process"}
    processes = [Process(value) for key, value in lines if key == "process"]
    # The probe itself is not counted.
    processes = [process for process in processes if not process.program.endswith("/busybox")]
    own = [process for process in processes if process.program.startswith(OWN[init])]
    others = [process for process in processes if process not in own]
    gettys = [process for process in others if process.program.endswith("/agetty")]
    login = [process.start for process in gettys if process.tty == TTY_S0]
    daemons = [process for process in others if process not in gettys]
    began = float(one["exec"])
    if not login or one["ssh"] == "never" or not own or own[0].pid != 1:
        raise Failed(f"not up after half a minute under {init}: {report}")
    return {
        "init": init,
        "login": login[0] - began,
        "daemon": max(process.start for process in daemons) - began,
        "ssh": float(one["ssh"]) - began,
        "cpu": (int(one["cpu"]) - int(one["spent"])) / 1e6,
        "pss": own[0].pss,
        "family": sum(process.pss for process in own),
        "helpers": len(own) - 1,
        "processes": len(processes),
        "names": {init: [process.program.rsplit("/", 1)[1] for process in own[1:]],
                  "others": [process.program.rsplit("/", 1)[1] for process in others]},
    }


def table(boots):
    """Prints medians, ratios, and how comparable the two were."""
    of = {init: [boot for boot in boots if boot["init"] == init] for init in INITS}
    count = len(of["finit"])
    print(f"Medians of {count} boots each; seconds are the machine's, from the start of the init.\n")
    print(f"{'':26}{'finit':>10}{'systemd':>10}{'ratio':>8}")
    for key, title, unit, digits in ROWS:
        mine, theirs = (statistics.median(boot[key] for boot in of[init]) for init in INITS)
        ratio = f"{theirs / mine:.1f}" if mine else ""
        print(f"{title:26}{mine:>10.{digits}f}{theirs:>10.{digits}f}{ratio:>8}  {unit}".rstrip())
    print()
    for key, title, unit, digits in ROWS[:4]:
        spread = "; ".join(
            f"{init} {min(values):.{digits}f} to {max(values):.{digits}f}"
            for init in INITS
            for values in [[boot[key] for boot in of[init]]]
        )
        print(f"range of: {title}: {spread}")
    names = {init: of[init][-1]["names"] for init in INITS}
    for init in INITS:
        print(f"helpers of {init}: {' '.join(names[init][init]) or 'none'}")
    mine, theirs = (Counter(names[init]["others"]) for init in INITS)
    print(f"run under both: {' '.join(sorted((mine & theirs).elements()))}")
    print(f"only under finit: {' '.join(sorted((mine - theirs).elements())) or 'none'}")
    print(f"only under systemd: {' '.join(sorted((theirs - mine).elements())) or 'none'}")


def main():
    """Either half, by the number of words."""
    path = pathlib.Path(sys.argv[-1])
    if len(sys.argv) == 3 and sys.argv[1] in INITS:
        try:
            found = measure(sys.argv[1])
        except Failed as failure:
            sys.exit(str(failure))
        with path.open("a") as file:
            file.write(json.dumps(found) + "\n")
    elif len(sys.argv) == 2:
        table([json.loads(line) for line in path.read_text().splitlines()])
    else:
        sys.exit(__doc__)


main()
