//! A stderr with a place of its own, the name before lines, and the size of a file of them.

use crate::lines::{lines, speaker};
use crate::machine::{Machine, Plan};

/// Says on both streams each line that it is told.
const PARROT: &str = "command = [\"/bin/sh\", \"-c\", \"while read -r line; do \
                      echo $line out; echo $line err >&2; done <>/out/beak\"]\n\
                      before-start = \"/bin/sh -c '[ -p /out/beak ] || mkfifo /out/beak'\"\n";

fn parrot(rest: &str) -> String {
    format!("[service.web]\n{PARROT}{rest}")
}

fn say(machine: &Machine, line: &str) {
    machine.sh(&format!("echo {line} > /out/beak"));
}

fn hears(machine: &Machine, path: &str, words: &str) {
    machine.wait(&format!("{words} in {path}"), |m| m.read(path).contains(words).then_some(()));
}

/// Where the streams of a service lead.
fn streams(machine: &Machine, name: &str) -> [String; 2] {
    let pid = machine.main_pid(name);
    [1, 2].map(|fd| machine.sh(&format!("readlink /proc/{pid}/fd/{fd}")).text.trim().to_owned())
}

fn apply(machine: &Machine, toml: &str) -> String {
    machine.write("/etc/finit.toml", toml);
    let planned = machine.order(&["plan"]);
    machine.order(&["apply"]);
    machine.until("web", "up");
    planned.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn no_line_of_either_stream_is_lost_over_a_hundred_restarts_and_the_ends_of_the_writer() {
    let script = "n=$(cat /out/n 2>/dev/null || echo 0); echo $((n + 1)) > /out/n\n\
                  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n\
                  echo \"run $n line $i, of which there are quite a few\"\n\
                  echo \"run $n line $i, of which there are quite a few\" >&2\n\
                  done\necho >&3; exec /programs/idle";
    let toml = format!(
        "[log]\nkeep = 50\n[service.web]\nscript = '''\n{script}\n'''\nready = \"fd:3\"\n\
         log-stderr = \"file:/out/web.err\"\nlog-max = \"64K\"\n"
    );
    let machine = Machine::boot(&toml);
    machine.until("web", "up");
    machine.booted();
    let few = machine.pid1_descriptors();
    let restarts = "for i in $(seq 100); do finitctl restart web >/dev/null || exit 1; done";
    let mut restarting = machine.begin(&["/bin/sh", "-c", restarts]);
    let runs = |m: &Machine| m.read("/out/n").trim().parse::<u32>().unwrap_or(0);
    for some in [15, 30, 45, 60, 75, 90] {
        machine.wait("some restarts", |m| (runs(m) >= some).then_some(()));
        machine.wait("a writer to end", |m| {
            (m.run(&["pkill", "-9", "-f", "--", "--log-writer"]).code == 0).then_some(())
        });
    }
    assert!(restarting.wait().unwrap().success(), "{}", machine.story());
    let all = machine.wait("all lines", |m| {
        let said = m.order(&["logs", "-n", "99999", "web"]);
        (said.lines().count() >= 101 * 40).then_some(said)
    });
    let (of_stderr, of_stdout): (Vec<&str>, Vec<&str>) =
        all.lines().partition(|line| line.contains("Z web: stderr: run "));
    for there in [of_stderr, of_stdout] {
        let mut there: Vec<&str> =
            there.iter().filter_map(|line| Some(&line[line.find("run ")?..])).collect();
        let count = there.len();
        there.sort_unstable();
        there.dedup();
        assert_eq!((count, there.len()), (101 * 20, 101 * 20));
    }
    // Each is rotated at the size that the service says; that of all others is a megabyte.
    for path in ["/out/web.err", "/var/log/finit/web.log"] {
        let rotated = std::fs::metadata(machine.path(&format!("{path}.1"))).unwrap().len();
        assert!((1..=64 << 10).contains(&rotated), "{path}.1: {rotated}");
    }
    machine.wait("no more descriptors", |m| (m.pid1_descriptors() <= few).then_some(()));
}

#[test]
fn a_name_stands_before_lines_for_syslog_for_the_ring_and_on_the_console() {
    let ear = "[service.ear]\ncommand = \"/usr/bin/python3 /etc/ear.py\"\nlog = \"none\"\n\
               ready = \"file:/out/ear\"\n";
    let toml = [
        ear,
        &speaker("plain", "needs = \"ear\"\nlog = \"syslog\"\nlog-stderr = \"kmsg\"\n"),
        &speaker(
            "web",
            "needs = \"ear\"\nlog = \"kmsg\"\nlog-stderr = \"syslog\"\nlog-tag = \"%n/x\"\n",
        ),
        &speaker("screen", "log = \"console\"\nlog-tag = \"monitor\"\n"),
        &speaker("bare", "log = \"console\"\n"),
        &speaker("shared", "log = \"file:/out/shared\"\nlog-tag = \"other\"\n"),
    ];
    let machine = Plan::new().file("/etc/ear.py", include_str!("ear.py")).boot(&toml.concat());
    for line in [
        "syslog <30>plain: plain out|",
        "kmsg <30>plain: plain err|",
        "kmsg <30>web/x: web out|",
        "syslog <30>web/x: web err|",
    ] {
        hears(&machine, "/out/heard", line);
    }
    hears(&machine, "/out/shared", "Z other: shared out\n");
    for line in ["monitor: screen out", "monitor: screen err", "bare out", "bare err"] {
        machine.until_shown(line);
    }
    assert!(!machine.console().contains("bare: bare out"), "{}", machine.console());
}

/// A task that says so many lines to syslog.
fn burst(name: &str, lines: u32, rest: &str) -> String {
    format!(
        "[task.{name}]\nlog = \"syslog\"\n{rest}script = \"\"\"\n\
         i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo \"line $i of a burst\"; done\n\"\"\"\n"
    )
}

/// The kernel queues ten of them for the daemon.
#[test]
fn a_burst_to_syslog_loses_no_line() {
    let ear = "[service.ear]\ncommand = \"/usr/bin/python3 /etc/ear.py\"\nlog = \"none\"\n\
               ready = \"file:/out/ear\"\n";
    let toml = [ear, &burst("web", 3000, "needs = \"ear\"\n")].concat();
    let machine = Plan::new().file("/etc/ear.py", include_str!("ear.py")).boot(&toml);
    hears(&machine, "/out/heard", "line 3000 of a burst|");
    let heard = machine.read("/out/heard");
    let heard: Vec<&str> = heard.lines().filter(|line| line.contains("web: ")).collect();
    let said: Vec<String> =
        (1..=3000).map(|n| format!("syslog <30>web: line {n} of a burst|")).collect();
    assert!(heard == said, "{} lines", heard.len());
}

/// Its lines are lost then, which is told once it listens; nobody waits for it.
#[test]
fn a_syslog_daemon_that_does_not_listen_stops_no_service() {
    let deaf = "import os, socket\n\
                log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                log.bind('/dev/log')\nos.mkfifo('/out/begin')\n\
                open('/out/ear', 'w').close()\nopen('/out/begin').close()\n\
                heard = open('/out/heard', 'a', buffering=1)\n\
                while True:\n    heard.write(log.recv(65536).decode() + '|\\n')\n";
    let toml = [
        "[service.deaf]\ncommand = \"/usr/bin/python3 /etc/deaf.py\"\nlog = \"none\"\n\
         ready = \"file:/out/ear\"\n",
        &burst("flood", 9000, "needs = \"deaf\"\n"),
        "[task.other]\nneeds = \"flood\"\nscript = \"echo here\"\nlog = \"file:/out/other\"\n",
        &burst("last", 1, "start = \"manual\"\n"),
    ];
    let machine = Plan::new().file("/etc/deaf.py", deaf).boot(&toml.concat());
    hears(&machine, "/out/other", "other: here");
    machine.sh("echo > /out/begin");
    hears(&machine, "/out/heard", "<30>flood: line 1 of a burst|");
    machine.order(&["start", "last"]);
    hears(&machine, "/out/heard", "<30>last: line 1 of a burst|");
    hears(&machine, "/out/heard", " lines lost|");
}

#[test]
fn another_finit_keeps_both_pipes() {
    let both = parrot("log = \"file:/out/out\"\nlog-stderr = \"file:/out/err\"\n");
    let half = "[service.half]\nscript = '''\nmkfifo /out/rest\nprintf 'begun and' >&2\n\
                echo >&3\nread -r rest </out/rest\necho \" $rest\" >&2\n'''\n\
                ready = \"fd:3\"\nlog-stderr = \"file:/out/half\"\nrestart = \"never\"\n";
    let machine = Machine::boot(&[&both, half].concat());
    machine.until("web", "up");
    machine.until("half", "up");
    machine.booted();
    say(&machine, "first");
    hears(&machine, "/out/err", "web: stderr: first err\n");
    let (before, count) = (streams(&machine, "web"), machine.pid1_descriptors());
    assert!(before[0].starts_with("pipe:") && before[0] != before[1], "{before:?}");
    for round in 0..10 {
        // What is said meanwhile waits in the pipes.
        machine.run(&["pkill", "-STOP", "-f", "--", "--log-writer"]);
        say(&machine, &format!("round{round}"));
        machine.hang_up();
        let said = machine.order(&["upgrade"]);
        assert!(said.contains("nothing was restarted"), "{said}");
        machine.run(&["pkill", "-CONT", "-f", "--", "--log-writer"]);
        hears(&machine, "/out/out", &format!("web: round{round} out\n"));
        hears(&machine, "/out/err", &format!("web: stderr: round{round} err\n"));
    }
    assert_eq!(streams(&machine, "web"), before);
    machine.wait("no more descriptors", |m| (m.pid1_descriptors() == count).then_some(()));
    machine.sh("echo ended > /out/rest");
    hears(&machine, "/out/half", "Z half: stderr: begun and ended\n");
    for (path, word) in [("/out/out", " out\n"), ("/out/err", " err\n")] {
        assert_eq!(machine.read(path).matches(word).count(), 11, "{}", machine.read(path));
    }
}

#[test]
fn lines_go_elsewhere_at_once_and_a_restart_is_only_for_other_descriptors() {
    let machine = Machine::boot(&parrot(""));
    let log = "/var/log/finit/web.log";
    machine.until("web", "up");
    machine.booted();
    let (pid, few) = (machine.main_pid("web"), machine.pid1_descriptors());
    say(&machine, "one");
    hears(&machine, log, "Z one err\n");

    let elsewhere = "log = \"file:/out/else\"\nlog-tag = \"tag\"\nlog-max = \"1M\"\n";
    let planned = apply(&machine, &parrot(elsewhere));
    assert_eq!(planned, "update web changed: log, log-tag, log-max");
    say(&machine, "two");
    hears(&machine, "/out/else", "Z tag: two err\n");
    assert_eq!(machine.main_pid("web"), pid);

    let apart = "log-stderr = \"file:/out/err\"\n";
    let planned = apply(&machine, &parrot(apart));
    assert_eq!(planned, "restart web changed: log, log-stderr, log-tag, log-max");
    let other = machine.wait("another process", |m| {
        let now = m.main_pid("web");
        (now != pid).then_some(now)
    });
    say(&machine, "three");
    hears(&machine, "/out/err", "Z web: stderr: three err\n");
    hears(&machine, log, "Z three out\n");

    // The pipe of its stderr is there, and leads to where the other one does.
    assert_eq!(apply(&machine, &parrot("")), "update web changed: log-stderr");
    say(&machine, "four");
    hears(&machine, log, "Z four out\n");
    hears(&machine, log, "Z stderr: four err\n");
    assert_eq!(machine.main_pid("web"), other);
    assert!(!machine.read("/out/err").contains("four"));
    let all = lines(&machine, "web", 5);
    assert_eq!(all.len(), 5, "{all:?}");

    // From its next start on it has one pipe, and both go with it.
    machine.order(&["restart", "web"]);
    let [stdout, stderr] = streams(&machine, "web");
    assert_eq!(stdout, stderr);
    machine
        .write("/etc/finit.toml", "[service.idle]\ncommand = \"/programs/idle\"\nlog = \"none\"\n");
    machine.order(&["apply"]);
    machine.wait("its pipes to go", |m| (m.pid1_descriptors() < few).then_some(()));
}

#[test]
fn a_terminal_a_connection_and_nothing_are_no_obstacle_to_a_stderr() {
    let toml = [
        speaker("quiet", "log = \"none\"\nlog-stderr = \"files\"\n"),
        speaker("half", "log-stderr = \"none\"\n"),
        speaker("shown", "log-stderr = \"console\"\n"),
        speaker("term", "tty = \"console\"\nlog-stderr = \"kmsg\"\nstart = \"manual\"\n"),
        "[service.echo]\ncommand = [\"/bin/sh\", \"-c\", \"echo served; echo told >&2\"]\n\
         inetd = \"7\"\nlog-stderr = \"file:/out/echo\"\n"
            .to_owned(),
        "[task.last]\ncommand = [\"/bin/sh\", \"-c\", \"printf words; printf 'words too' >&2\"]\n\
         log-stderr = \"file:/out/last\"\n"
            .to_owned(),
    ];
    let machine = Machine::boot(&toml.concat());
    hears(&machine, "/var/log/finit/quiet.log", "Z stderr: quiet err\n");
    assert!(!machine.read("/var/log/finit/quiet.log").contains("quiet out"));
    let shown = machine.order(&["logs", "quiet"]);
    assert!(shown.ends_with("Z stderr: quiet err\n") && shown.lines().count() == 1, "{shown}");
    hears(&machine, "/var/log/finit/half.log", "Z half out\n");
    assert_eq!(streams(&machine, "half")[1], "/dev/null");
    machine.until_shown("shown err");
    // A terminal is all three of its descriptors, and hung up before.
    machine.order(&["start", "term"]);
    machine.until_shown("term err");
    machine.until("echo", "listening");
    let connect = "import socket; print(socket.create_connection(('127.0.0.1', 7)).recv(99))";
    let said = machine.run(&["timeout", "50", "/usr/bin/python3", "-c", connect]);
    assert_eq!(said.text.trim(), "b'served\\n'");
    hears(&machine, "/out/echo", "Z echo: stderr: told\n");
    // Last words of either have no newline.
    hears(&machine, "/var/log/finit/last.log", "Z words\n");
    hears(&machine, "/out/last", "Z last: stderr: words too\n");
}
