//! What `finitctl logs` makes of lines, and what becomes of them without their writer.

use crate::lines::{lines, speaker};
use crate::machine::Machine;

#[test]
fn a_reader_that_goes_away_ends_the_following_of_lines() {
    let plenty = "command = \"/bin/sh -c 'i=0; while [ $i -lt 9000 ]; do echo a line that is \
                  long enough to fill a pipe $i; i=$((i + 1)); done; exec /programs/idle'\"\n";
    let machine = Machine::boot(&format!("[service.web]\n{plenty}"));
    lines(&machine, "web", 100);
    machine.wait("the last line", |m| m.order(&["logs", "web"]).contains("8999").then_some(()));
    let said = machine.sh("timeout 30 sh -c 'finitctl logs -f -n 8000 web | head -n 1'");
    assert_eq!((said.code, said.text.lines().count()), (0, 1), "{}", said.text);
}

#[test]
fn a_service_without_a_file_of_lines_has_none_to_show() {
    let machine = Machine::boot(&speaker("web", "log = \"none\"\n"));
    let said = machine.ctl(&["logs", "web"]);
    assert_eq!((said.code, said.text.contains("no log file")), (1, true), "{}", said.text);
}

/// The writer is killed again and again: the lines wait for the next one, which takes its time.
#[test]
fn a_writer_that_ends_at_once_is_started_again_with_rests_in_between() {
    let machine = Machine::boot(&speaker("web", ""));
    lines(&machine, "web", 2);
    for round in 1..=5 {
        machine.sh("while ! pkill -9 -f -- --log-writer; do :; done");
        machine.order(&["restart", "web"]);
        assert_eq!(lines(&machine, "web", 2 + 2 * round).len(), 2 + 2 * round);
    }
    let console = machine.console();
    let rests = console.matches("starting another in a second").count();
    assert!((3..=5).contains(&rests), "{console}");
}

/// It stands still as on a dead disk, while connections come and go: what PID 1 has to tell it does
/// not grow with them.
#[test]
fn a_writer_that_stands_still_costs_nothing_and_then_writes_every_line() {
    let machine = Machine::boot(
        "[service.echo]\ncommand = [\"/bin/sh\", \"-c\", \"echo served >&2\"]\ninetd = \"7\"\n\
         [service.web]\ncommand = \"/programs/idle\"\n",
    );
    machine.until("echo", "listening");
    let serve = |count: u32| {
        let connects = "import socket\nconnect = lambda: \
                        socket.create_connection(('127.0.0.1', 7)).recv(9)";
        let script = format!("{connects}\nfor _ in range({count}): connect()");
        let said = machine.run(&["timeout", "50", "/usr/bin/python3", "-c", &script]);
        assert_eq!(said.code, 0, "{}", said.text);
    };
    serve(8);
    lines(&machine, "echo", 8);
    let peak = || machine.pid1_status("VmHWM").trim_end_matches(" kB").parse::<u64>().unwrap();
    let before = peak();
    machine.run(&["pkill", "-STOP", "-f", "--", "--log-writer"]);
    serve(2000);
    assert_eq!(machine.status("web")["state"], "up");
    machine.wait("the last one", |m| (m.status("echo")["connections"] == 0).then_some(()));
    let grown = peak() - before;
    assert!(grown < 300, "{grown} kB");
    machine.run(&["pkill", "-CONT", "-f", "--", "--log-writer"]);
    machine.wait("all lines", |m| {
        (m.order(&["logs", "-n", "9999", "echo"]).lines().count() == 2008).then_some(())
    });
}

/// What finit does at the end of a step is done where the step itself is left out.
#[test]
fn lines_are_written_where_the_steps_before_are_left_out() {
    let skip = "[boot]\nskip = [\"mount-virtual\", \"cgroups\", \"mount-local\"]\n";
    let machine = Machine::boot(&[skip, &speaker("web", "")].concat());
    assert_eq!(lines(&machine, "web", 2).len(), 2);
}
