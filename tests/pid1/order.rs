//! Who stands on whom, with real processes that keep a diary.

use crate::machine::Machine;

/// A service that writes when it begins and ends.
fn diarist(name: &str, rest: &str) -> String {
    format!("[service.{name}]\ncommand = \"/programs/diarist /out/diary {name}\"\n{rest}\n")
}

fn entry(machine: &Machine, line: &str) {
    machine.wait(line, |m| m.read("/out/diary").lines().any(|l| l == line).then_some(()));
}

#[test]
fn needs_wants_after_and_before_are_an_order() {
    // Up is who was executed, which is before its program writes anything; its hook has written
    // by then. The first one would be late if nothing kept the others waiting.
    let unit = |name: &str, before: &str, rest: &str| {
        let entry = format!("\"/bin/sh -c 'echo {name} begins >>/out/diary'\"");
        let command = "command = \"/programs/idle\"";
        format!("[service.{name}]\n{command}\nbefore-start = [{before}{entry}]\n{rest}\n")
    };
    let toml = [
        unit("last", "", "after = \"third\""),
        unit("third", "", "wants = \"second\""),
        unit("second", "", "needs = \"first\""),
        unit("first", "\"/bin/sleep 0.2\", ", "before = \"third\""),
    ];
    let machine = Machine::boot(&toml.concat());
    entry(&machine, "last begins");
    let diary = machine.read("/out/diary");
    let names: Vec<&str> = diary.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(names[0] == "first", "{diary}");
    let place = |name| names.iter().position(|n| *n == name);
    assert!(place("first") < place("second"), "{diary}");
    for name in ["first", "second", "third", "last"] {
        machine.until(name, "up");
    }
}

#[test]
fn a_service_waits_for_what_it_needs_and_comes_by_itself_when_that_is_there() {
    let machine = Machine::boot(&format!(
        "[task.disk]\ncommand = \"/usr/bin/test -e /out/disk\"\n{}",
        diarist("database", "needs = \"disk\"")
    ));
    machine.until("disk", "failed");
    let status = machine.until("database", "waiting");
    assert_eq!(status["reason"], "waits for disk, which is failed");
    machine.write("/out/disk", "");
    machine.order(&["start", "disk"]);
    entry(&machine, "database begins");
}

#[test]
fn what_is_only_wanted_may_fail() {
    let machine = Machine::boot(&format!(
        "[task.disk]\ncommand = \"/bin/false\"\n{}",
        diarist("web", "wants = \"disk\"")
    ));
    entry(&machine, "web begins");
    machine.until("disk", "failed");
}

#[test]
fn dependents_stop_first_and_are_named() {
    let toml = [diarist("a", ""), diarist("b", "needs = \"a\""), diarist("c", "needs = \"b\"")];
    let machine = Machine::boot(&toml.concat());
    for who in ["a", "b", "c"] {
        entry(&machine, &format!("{who} begins"));
    }
    let said = machine.order(&["stop", "a"]);
    assert!(said.contains('b') && said.contains('c'), "{said}");
    assert_eq!(machine.ends(), ["c", "b", "a"]);
}

/// The one that is declared last is left out, and the other one does not start without it.
#[test]
fn a_circle_is_told_and_costs_neither_the_login_nor_the_others() {
    let circle = [diarist("a", "needs = \"b\""), diarist("b", "needs = \"a\""), diarist("c", "")];
    let machine = Machine::boot(&circle.concat());
    machine.until("console-login", "up");
    entry(&machine, "c begins");
    let why = "a circle in which each waits for the next: a -> b -> a";
    assert_eq!(machine.until("b", "failed")["reason"], format!("left out: {why}"));
    let waits = machine.until("a", "waiting");
    assert_eq!(waits["reason"], format!("needs b, which was left out: {why}"));
    let said = machine.ctl(&["start", "b"]);
    assert!(said.code != 0 && said.text.contains(why), "{said:?}");
    assert_eq!(machine.read("/out/diary"), "c begins\n");
    // Mended, it is as if nothing had been.
    let toml = [diarist("a", "needs = \"b\""), diarist("b", ""), diarist("c", "")];
    machine.write("/etc/finit.toml", &toml.concat());
    machine.order(&["apply"]);
    machine.until("a", "up");
    assert_eq!(machine.status("b")["state"], "up");
}

/// A crash that is repaired is no reason to take others along: `bound-to` is for that.
#[test]
fn a_dependent_lives_on_while_what_it_needs_crashes_and_comes_back() {
    let toml = [diarist("a", "restart = { delay = \"1ms\" }"), diarist("b", "needs = \"a\"")];
    let machine = Machine::boot(&toml.concat());
    entry(&machine, "a begins");
    entry(&machine, "b begins");
    let (a, b) = (machine.main_pid("a"), machine.main_pid("b"));
    machine.sh(&format!("kill -9 {a}"));
    machine.wait("the one that was killed to be there again", |m| {
        let now = m.status("a");
        (now["state"] == "up" && now["pid"] != a).then_some(())
    });
    assert_eq!(machine.main_pid("b"), b);
    let diary = machine.wait("its second entry", |m| {
        Some(m.read("/out/diary")).filter(|diary| diary.lines().count() == 3)
    });
    assert!(diary.ends_with("a begins\n") && !diary.contains("ends"), "{diary}");
}

#[test]
fn a_dependent_goes_when_what_it_needs_has_failed_for_good() {
    let toml = [
        diarist("a", "restart = { delay = \"1ms\", burst = 1, within = \"1h\" }"),
        diarist("b", "needs = \"a\""),
    ];
    let machine = Machine::boot(&toml.concat());
    entry(&machine, "b begins");
    for _ in 0..2 {
        let a = machine.main_pid("a");
        machine.sh(&format!("kill -9 {a}"));
        machine.wait("an end of that process to be told", |m| {
            let now = m.status("a");
            (now["pid"] != a && now["state"] != "restarting").then_some(())
        });
    }
    machine.until("a", "failed");
    machine.until("b", "waiting");
    machine.order(&["start", "a"]);
    machine.until("b", "up");
}
