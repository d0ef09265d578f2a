//! `finitctl plan` and `apply` on a running machine.

use crate::machine::Machine;

const IDLE: &str = "command = \"/programs/idle\"\n";

#[test]
fn a_plan_is_told_and_nothing_is_done_until_apply() {
    let unit = |name: &str, rest: &str| format!("[service.{name}]\n{IDLE}{rest}");
    let before =
        [unit("db", ""), unit("web", "needs = \"db\"\n"), unit("old", ""), unit("same", "")];
    let machine = Machine::boot(&before.concat());
    for name in ["db", "web", "old", "same"] {
        machine.until(name, "up");
    }
    machine.booted();
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    let pids = ["db", "web", "old", "same"].map(|name| machine.main_pid(name));

    let after = [
        unit("db", "env = { A = \"1\" }\n"),
        unit("web", "needs = \"db\"\n"),
        "# a comment\n".to_owned(),
        unit("same", ""),
        unit("new", ""),
    ];
    machine.write("/etc/finit.toml", &after.concat());
    let said = machine.order(&["plan"]);
    let lines: Vec<Vec<&str>> =
        said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            vec!["restart", "db", "changed:", "env"],
            vec!["restart", "web", "db,", "which", "it", "needs"],
            vec!["stop", "old", "not", "in", "the", "file", "any", "more"],
            vec!["start", "new", "new", "in", "the", "file"],
        ],
        "{said}"
    );
    assert_eq!(["db", "web", "old", "same"].map(|name| machine.main_pid(name)), pids);

    machine.write("/etc/finit.toml", &format!("{}neds = \"db\"\n", after.concat()));
    let said = machine.ctl(&["plan"]);
    assert!(said.code == 1 && said.text.contains("did you mean `needs`?"), "{said:?}");

    machine.write("/etc/finit.toml", &after.concat());
    machine.order(&["apply"]);
    machine.until("new", "up");
    machine.wait("both to be others", |m| {
        let now = ["db", "web"].map(|name| m.status(name));
        let other = |at: usize| now[at]["state"] == "up" && now[at]["pid"] != pids[at];
        (other(0) && other(1)).then_some(())
    });
    assert_eq!(machine.main_pid("same"), pids[3]);
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
}

#[test]
fn what_no_process_sees_is_followed_in_place_and_so_are_settings_of_the_machine() {
    let file = |db: &str, rest: &str| {
        format!(
            "[service.db]\n{IDLE}{db}[service.web]\n{IDLE}needs = \"db\"\n\
             [service.idle]\n{IDLE}start = \"manual\"\n{rest}"
        )
    };
    let machine = Machine::boot(&file("", ""));
    machine.booted();
    let pids = ["db", "web"].map(|name| machine.main_pid(name));

    let db = "description = \"the store\"\nrestart = \"never\"\n";
    machine.write("/etc/finit.toml", &file(db, "[shutdown]\ntimeout = \"20s\"\n"));
    // A service that is started has the file read, and nothing else of it is followed.
    machine.order(&["start", "idle"]);
    let said = machine.order(&["plan"]);
    let words: Vec<Vec<&str>> =
        said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        words,
        [
            vec!["update", "db", "changed:", "description,", "restart"],
            vec!["update", "[shutdown]", "changed:", "timeout"],
        ],
        "{said}"
    );
    let said = machine.order(&["apply"]);
    assert_eq!(
        said.trim(),
        "0 added, 1 changed (1 in place), 0 removed; [shutdown] changed: timeout"
    );
    assert_eq!(["db", "web"].map(|name| machine.main_pid(name)), pids);
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    machine.order(&["signal", "KILL", "db"]);
    machine.until("db", "failed");
}

/// SD12: of what a service runs by, a file that changes a part of it is a part as well.
#[test]
fn an_override_that_comes_and_goes_makes_what_runs_another_and_the_same_again() {
    let units = format!("[service.web]\n{IDLE}[service.other]\n{IDLE}");
    let machine = Machine::boot(&units);
    machine.booted();
    let pid = machine.main_pid("web");
    let changed = || machine.status("web")["detail"]["changed"] == true;
    let note = "the file has changed since it was started";
    let file = "/etc/finit.toml.d/web.toml";
    for _ in 0..2 {
        machine.write(file, "[override.service.web]\nnice = 5\n");
        let said = machine.order(&["plan"]);
        assert_eq!(
            said.split_whitespace().collect::<Vec<_>>(),
            ["restart", "web", "changed:", "nice"]
        );
        assert!(!changed(), "nobody has read it but to plan");
        machine.order(&["restart", "other"]);
        assert!(changed() && machine.order(&["status", "web"]).contains(note));
        machine.forget(file);
        machine.order(&["restart", "other"]);
        assert!(!changed() && !machine.order(&["status", "web"]).contains(note));
        assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    }
    machine.write(file, "[override.service.web]\nnice = 5\n");
    machine.order(&["apply"]);
    machine.wait("another process", |m| (m.main_pid("web") != pid).then_some(()));
    assert!(!changed());
}
