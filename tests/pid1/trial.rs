//! `finitctl apply --confirm`: the machine goes back by itself unless somebody confirms.

use crate::machine::Machine;

const FILE: &str = "/etc/finit.toml";

/// Services by name, each with the file that it makes at its start.
fn file(services: &[(&str, &str)]) -> String {
    let one = |(name, mark): &(&str, &str)| {
        format!("[service.{name}]\ncommand = \"/programs/idle /out/{mark}\"\n")
    };
    services.iter().map(one).collect()
}

fn before() -> String {
    file(&[("web", "web"), ("old", "old"), ("same", "same")])
}

fn edited() -> String {
    file(&[("web", "edited"), ("new", "new"), ("same", "same")])
}

/// Boots, edits the file and has it on trial.
fn on_trial(time: &str) -> Machine {
    let machine = Machine::boot(&before());
    machine.booted();
    machine.write(FILE, &edited());
    let said = machine.order(&["apply", "--confirm", time]);
    assert!(said.contains("1 added, 1 changed, 1 removed; on trial for"), "{said}");
    assert!(said.contains("finitctl confirm keeps it, or the machine goes back"), "{said}");
    machine
}

fn names(machine: &Machine) -> Vec<String> {
    let name = |service: &serde_json::Value| {
        let known = ["web", "old", "same", "new", "third"];
        let name = service["name"].as_str().filter(|name| known.contains(name));
        name.map(str::to_owned)
    };
    machine.list().iter().filter_map(name).collect()
}

fn is_edited(machine: &Machine) {
    machine.appears("/out/edited");
    machine.until("new", "up");
    machine.wait("old to be gone", |m| (names(m) == ["web", "same", "new"]).then_some(()));
}

fn is_as_before(machine: &Machine) {
    machine.wait("the way back", |m| {
        let states = ["web", "old", "same"].map(|name| m.status(name)["state"] == "up");
        (states == [true; 3] && names(m).len() == 3).then_some(())
    });
}

fn status(machine: &Machine) -> String {
    machine.order(&["status"])
}

#[test]
fn nobody_confirms_it_and_the_machine_goes_back() {
    let machine = on_trial("3s");
    let same = machine.main_pid("same");
    is_edited(&machine);
    assert!(status(&machine).contains(" is on trial: "), "{}", status(&machine));
    machine.forget("/out/web");
    machine.appears("/out/web");
    is_as_before(&machine);
    assert_eq!(machine.main_pid("same"), same);
    // It is told where a person looks, and the file is left alone.
    let told = "was not confirmed: the machine went back to what ran before; the file on the disk";
    machine.until_shown(told);
    assert!(status(&machine).contains(told), "{}", status(&machine));
    assert_eq!(machine.read(FILE), edited());
    let why = machine.order(&["why", "web"]);
    assert!(why.contains("nobody confirmed the file") && why.contains("asked: apply"), "{why}");
    // A restart takes nothing of it; a person who applies it again takes it all.
    machine.forget("/out/edited");
    machine.forget("/out/web");
    let said = machine.order(&["restart", "web"]);
    assert!(said.contains("was not confirmed and is left out"), "{said}");
    machine.appears("/out/web");
    assert!(!machine.exists("/out/edited"));
    assert!(machine.order(&["plan"]).contains("changed: command"));
    machine.order(&["apply"]);
    is_edited(&machine);
    assert!(!status(&machine).contains("warning"), "{}", status(&machine));
}

#[test]
fn confirmed_it_stays() {
    let machine = on_trial("1h");
    assert!(status(&machine).contains("is on trial: 1 h left; finitctl confirm keeps it"));
    let said = machine.order(&["confirm"]);
    assert!(said.contains(" stays"), "{said}");
    is_edited(&machine);
    assert!(!status(&machine).contains("trial"), "{}", status(&machine));
    let again = machine.ctl(&["confirm"]);
    assert!(again.code == 1 && again.text.contains("there is nothing to confirm"), "{again:?}");
    machine.write(FILE, &before());
    machine.order(&["reload"]);
    is_as_before(&machine);
}

#[test]
fn one_at_a_time_and_only_what_is_good_and_new() {
    let machine = Machine::boot(&before());
    machine.booted();
    let idle = |words: &[&str]| {
        let said = machine.ctl(words);
        assert_eq!(machine.ctl(&["confirm"]).code, 1, "{words:?} arms nothing: {said:?}");
        said
    };
    for text in [before(), format!("# the same\n{}", before())] {
        machine.write(FILE, &text);
        let said = idle(&["apply", "--confirm", "60s"]);
        assert!(said.code == 0 && said.text.contains("nothing changed: nothing is on trial"));
    }
    machine.write(FILE, &format!("{}comand = 1\n", edited()));
    let said = idle(&["apply", "--confirm", "60s"]);
    assert!(said.code == 1 && said.text.contains("did you mean `command`?"), "{said:?}");
    is_as_before(&machine);
    machine.write(FILE, &edited());
    machine.order(&["reload", "--confirm", "60s"]);
    is_edited(&machine);
    machine.write(FILE, &before());
    for words in [&["apply"] as &[&str], &["reload"], &["apply", "--confirm", "5s"]] {
        let said = machine.ctl(words);
        assert!(said.code == 5 && said.text.contains("finitctl confirm keeps it"), "{said:?}");
    }
    machine.signal_pid1(libc::SIGHUP);
    machine.until_shown("finitctl confirm keeps it, or wait");
    is_edited(&machine);
    machine.order(&["confirm"]);
    machine.order(&["apply"]);
    is_as_before(&machine);
}

#[test]
fn a_start_after_an_edit_neither_confirms_nor_loses_the_way_back() {
    let machine = on_trial("5s");
    machine.write(FILE, &(edited() + &file(&[("third", "third")])));
    let said = machine.order(&["start", "third"]);
    assert!(said.contains("was read again"), "{said}");
    machine.until("third", "up");
    assert!(status(&machine).contains("is on trial"), "{}", status(&machine));
    is_as_before(&machine);
    assert!(status(&machine).contains("was not confirmed"), "{}", status(&machine));
}

#[test]
fn what_was_only_looked_at_before_is_not_the_way_back() {
    let machine = Machine::boot(&before());
    machine.booted();
    machine.write(FILE, &edited());
    machine.order(&["start", "new"]);
    machine.order(&["apply", "--confirm", "2s"]);
    is_edited(&machine);
    is_as_before(&machine);
}

#[test]
fn another_finit_goes_on_with_the_trial() {
    let machine = on_trial("6s");
    is_edited(&machine);
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert!(status(&machine).contains("is on trial"), "{}", status(&machine));
    is_as_before(&machine);
    // What was not confirmed stays out after another one, too.
    machine.hang_up();
    machine.order(&["upgrade"]);
    machine.forget("/out/edited");
    machine.order(&["restart", "web"]);
    machine.until("web", "up");
    assert!(!machine.exists("/out/edited"));
    assert!(status(&machine).contains("was not confirmed"), "{}", status(&machine));
}

#[test]
fn a_shutdown_comes_first() {
    let machine = on_trial("1h");
    // The shutdown may end whoever asks for it before its answer is read.
    drop(machine.connect().ask("poweroff"));
    assert_eq!(machine.ended(), "SIGNAL 2");
}
