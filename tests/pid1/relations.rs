//! Ties beside needs and order, and the story behind each state, with real processes.

use crate::machine::Machine;

/// A service that writes when it begins and ends.
fn diarist(name: &str, rest: &str) -> String {
    format!("[service.{name}]\ncommand = \"/programs/diarist /out/diary {name}\"\n{rest}\n")
}

/// Waits until the diary holds exactly these lines after those that were there before.
fn diary(machine: &Machine, before: usize, lines: &[&str]) {
    let written = machine.wait(&format!("{lines:?}"), |m| {
        let all = m.read("/out/diary");
        let new: Vec<String> = all.lines().skip(before).map(str::to_owned).collect();
        (new.len() >= lines.len()).then_some(new)
    });
    assert_eq!(written, lines);
}

#[test]
fn who_is_bound_goes_with_a_crash_and_comes_back() {
    let toml = [
        diarist("vpn", "restart = { delay = \"1ms\" }"),
        diarist("app", "bound-to = \"vpn\""),
        diarist("web", "needs = \"vpn\""),
    ];
    let machine = Machine::boot(&toml.concat());
    machine.wait("all three", |m| (m.read("/out/diary").lines().count() == 3).then_some(()));
    let web = machine.main_pid("web");
    let vpn = machine.main_pid("vpn");
    machine.sh(&format!("kill -9 {vpn}"));
    let new = machine.wait("both to be there again", |m| {
        let all = m.read("/out/diary");
        (all.lines().count() == 6)
            .then(|| all.lines().skip(3).map(str::to_owned).collect::<Vec<_>>())
    });
    let place = |line: &str| new.iter().position(|l| l == line).expect(line);
    assert!(place("app ends") < place("app begins"), "{new:?}");
    assert_eq!(new.iter().filter(|line| *line == "vpn begins").count(), 1, "{new:?}");
    assert_eq!(machine.main_pid("web"), web);
}

#[test]
fn who_asks_for_a_rival_has_the_other_one_end_first() {
    let toml = [diarist("exim", ""), diarist("postfix", "conflicts = \"exim\"")];
    let machine = Machine::boot(&toml.concat());
    diary(&machine, 0, &["exim begins"]);
    let waits = machine.until("postfix", "waiting");
    assert_eq!(waits["reason"], "conflicts with exim, which is up");
    let said = machine.order(&["start", "postfix"]);
    assert!(said.contains("exim"), "{said}");
    diary(&machine, 1, &["exim ends", "postfix begins"]);
    machine.order(&["start", "exim"]);
    diary(&machine, 3, &["postfix ends", "exim begins"]);
}

#[test]
fn a_part_shares_what_a_person_does_to_the_whole() {
    let toml = [diarist("web", ""), diarist("cache", "part-of = \"web\"\nafter = \"web\"")];
    let machine = Machine::boot(&toml.concat());
    // Up is who was executed: which of the two writes first is not said.
    machine.wait("both", |m| (m.read("/out/diary").lines().count() == 2).then_some(()));
    machine.order(&["stop", "web"]);
    diary(&machine, 2, &["cache ends", "web ends"]);
    machine.order(&["start", "web"]);
    machine.wait("both again", |m| (m.read("/out/diary").lines().count() == 6).then_some(()));
}

#[test]
fn a_failure_for_good_starts_who_is_to_know() {
    let alert =
        "[task.alert]\ncommand = \"/bin/sh -c 'echo alert >>/out/diary'\"\nstart = \"manual\"\n";
    let db = diarist("db", "restart = \"never\"\non-failure = \"alert\"");
    let machine = Machine::boot(&[alert.to_owned(), db].concat());
    diary(&machine, 0, &["db begins"]);
    machine.sh(&format!("kill -9 {}", machine.main_pid("db")));
    diary(&machine, 1, &["alert"]);
    machine.until("alert", "done");
}

#[test]
fn the_story_goes_back_to_who_asked_and_outlives_an_upgrade() {
    let toml =
        [diarist("db", ""), diarist("app", "needs = \"db\""), diarist("web", "needs = \"app\"")];
    let machine = Machine::boot(&toml.concat());
    machine.until("web", "up");
    machine.order(&["stop", "db"]);
    let story = |machine: &Machine| {
        let said = machine.ctl(&["why", "web"]);
        assert_eq!(said.code, 3, "{said:?}");
        said.text
    };
    let before = story(&machine);
    let lines: Vec<&str> = before.lines().collect();
    assert!(
        lines[0].ends_with(": waits for app, which is waiting for db, which is stopped"),
        "{before}"
    );
    assert!(lines[1].ends_with("app, which it needs"), "{before}");
    assert!(lines[2].ends_with("db, which it needs"), "{before}");
    assert!(lines[3].contains("finitctl (pid ") && lines[3].ends_with("uid 0) asked: stop db"));
    machine.hang_up();
    machine.order(&["upgrade"]);
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .filter(|word| word.parse::<u32>().is_err())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(words(&story(&machine)), words(&before));
    machine.order(&["start", "db"]);
    machine.until("web", "up");
    let said = machine.ctl(&["why", "web"]);
    assert!(said.code == 0 && said.text.contains("asked: start db"), "{said:?}");
    let stranger = machine.ctl(&["why", "wbe"]);
    assert!(stranger.code == 4 && stranger.text.contains("did you mean `web`?"), "{stranger:?}");
}

/// What is told at the prompt: which alternative comes, what goes, and what a wait waits for.
#[test]
fn of_alternatives_the_next_one_comes_and_a_wait_names_them_all() {
    let machine = Machine::boot(
        r#"
        [defaults]
        start = "manual"
        restart = "never"
        [service.alt]
        command = "/programs/idle"
        needs = "w2|w1"
        [service.w2]
        command = "/etc/nothing"
        [service.w1]
        command = "/programs/idle"
        conflicts = "rival"
        [service.rival]
        command = "/programs/idle"
        [service.np]
        command = "/programs/idle"
        needs-path = "/run/foo"
        "#,
    );
    let said = machine.ctl(&["start", "alt"]);
    assert!(said.code == 0 && said.text.contains("also starts: w2\n"), "{said:?}");
    machine.until("w1", "up");
    machine.until("w2", "failed");
    let said = machine.ctl(&["start", "rival"]);
    assert!(
        said.code == 0 && said.text.contains("stops w1, which conflicts with rival\n"),
        "{said:?}"
    );
    let said = machine.ctl(&["start", "np"]);
    let wait = "np waits for /run/foo and comes by itself once it is there";
    assert!(said.code == 1 && said.text.contains(wait), "{said:?}");
    machine.order(&["stop", "rival", "w1"]);
    let reason = machine.until("alt", "waiting")["reason"].to_string();
    assert_eq!(reason, "\"waits for w2 (failed) or w1 (stopped)\"");
}

/// A name that others provide, and one that stands for others.
#[test]
fn who_is_meant_by_a_name_of_several_is_told() {
    let machine = Machine::boot(
        r#"
        [service.getty]
        instances = ["tty1", "tty2"]
        command = "/programs/idle"
        restart = "never"
        provides = "mail"
        "#,
    );
    machine.until("getty@tty2", "up");
    let said = machine.ctl(&["start", "mail"]);
    let who = "`mail` is provided by getty@tty1, getty@tty2";
    assert!(said.code == 4 && said.text.contains(who), "{said:?}");
    assert_eq!(machine.ctl(&["status", "getty"]).code, 0);
    machine.order(&["stop", "getty@tty1"]);
    let said = machine.ctl(&["status", "getty"]);
    assert!(said.code == 0 && said.text.contains("1 of 2 up"), "{said:?}");
    machine.sh(&format!("kill -9 {}", machine.main_pid("getty@tty2")));
    machine.until("getty", "failed");
    assert_eq!(machine.ctl(&["status", "getty"]).code, 1);
    machine.order(&["stop", "getty"]);
    assert_eq!(machine.ctl(&["status", "getty"]).code, 3);
}

/// What a file has to say for a failure that is to end in repairs, as `finitctl check` says.
#[test]
fn a_task_that_steps_in_brings_the_machine_to_another_target() {
    let machine = Machine::boot(
        "[service.db]\ncommand = \"/bin/false\"\nrestart = \"never\"\non-failure = \"repairs\"\n\
         [task.repairs]\ncommand = \"/usr/sbin/finitctl target rescue\"\nstart = \"manual\"\n\
         [service.other]\ncommand = \"/programs/idle\"\n",
    );
    machine.until("rescue-shell", "up");
    machine.until("other", "stopped");
    let said = machine.ctl(&["start", "default"]);
    assert!(said.code != 0 && said.text.contains("finitctl target default"), "{said:?}");
}
