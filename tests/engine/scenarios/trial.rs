//! A file on trial: confirmed it stays, unconfirmed the machine goes back.

use finit::proto::{Code, Power, Refusal, Reply, Request};

use crate::build::{Part, machine, secs, service, with_targets};
use crate::rig::Rig;

fn before() -> [Part; 3] {
    [service("web"), service("old"), service("same")]
}

fn edited() -> [Part; 3] {
    [service("web").runs("/sbin/other"), service("new"), service("same")]
}

/// A machine with an edited file on trial for a minute.
fn on_trial() -> Rig {
    let mut rig = Rig::booted(before());
    let said = try_out(&mut rig);
    assert_eq!(
        said,
        "1 added, 1 changed, 1 removed; on trial for 1 min: finitctl confirm keeps it, or the \
         machine goes back by itself"
    );
    rig
}

fn try_out(rig: &mut Rig) -> String {
    rig.try_out(machine(edited()), secs(60))
}

fn is_edited(rig: &mut Rig) -> bool {
    let states = ["web", "new", "same"].map(|name| rig.state(name));
    states == ["up"; 3] && rig.world.engine.number("old").is_none()
}

fn is_as_before(rig: &mut Rig) -> bool {
    let states = ["web", "old", "same"].map(|name| rig.state(name));
    states == ["up"; 3] && rig.world.engine.number("new").is_none()
}

fn confirm(rig: &mut Rig) -> Result<Reply, Refusal> {
    rig.ask(Request::Confirm)
}

#[test]
fn nobody_confirms_it_and_the_machine_goes_back_to_the_second() {
    let mut rig = on_trial();
    assert!(is_edited(&mut rig));
    rig.pass(secs(18));
    let warning = "the file of the edited file is on trial: 42 s left; finitctl confirm keeps it";
    assert_eq!(rig.machine().warnings, [warning]);
    rig.pass(secs(41));
    assert!(is_edited(&mut rig));
    rig.pass(secs(1));
    assert!(is_as_before(&mut rig), "{}", rig.story());
    // What is the same in both was never touched.
    assert_eq!((rig.starts("same"), rig.starts("web"), rig.starts("old")), (1, 3, 2));
    let warnings = rig.machine().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("was not confirmed"), "{warnings:?}");
    assert_eq!(rig.trouble().len(), 1, "{:?}", rig.trouble());
    // Until a file is good enough.
    rig.pass(secs(1000));
    assert_eq!(rig.machine().warnings.len(), 1);
    rig.apply(edited());
    assert_eq!(rig.machine().warnings, Vec::<String>::new());
}

#[test]
fn what_was_wrong_before_is_told_again_after_it() {
    let mut rig = Rig::booted(before());
    rig.world.engine.warn("booted from the last good copy".to_owned());
    try_out(&mut rig);
    assert_eq!(rig.machine().warnings.len(), 1);
    rig.pass(secs(60));
    let warnings = rig.machine().warnings;
    assert_eq!((warnings.len(), &*warnings[0]), (2, "booted from the last good copy"));
}

#[test]
fn confirmed_it_stays() {
    let mut rig = on_trial();
    rig.pass(secs(59));
    assert!(confirm(&mut rig).is_ok());
    assert!(rig.world.before.is_none());
    rig.pass(secs(1000));
    assert!(is_edited(&mut rig));
    assert_eq!(rig.machine().warnings, Vec::<String>::new());
    let refusal = confirm(&mut rig).unwrap_err();
    assert_eq!(refusal.code, Code::NothingOnTrial);
}

#[test]
fn a_second_one_waits_for_the_first() {
    let mut rig = on_trial();
    rig.pass(secs(20));
    let refusal = rig.world.engine.may_apply(rig.world.now).unwrap_err();
    assert_eq!(refusal.code, Code::Busy);
    assert!(refusal.message.contains("finitctl confirm keeps it, or wait 40 s"), "{refusal:?}");
    rig.pass(secs(40));
    assert!(rig.world.engine.may_apply(rig.world.now).is_ok());
}

#[test]
fn a_look_at_definitions_neither_confirms_it_nor_loses_the_way_back() {
    let mut rig = on_trial();
    rig.look_at([service("web"), service("third")]);
    rig.start("third");
    rig.pass(secs(10));
    assert_eq!((rig.state("third"), rig.machine().warnings.len()), ("up", 1));
    rig.pass(secs(50));
    assert!(is_as_before(&mut rig), "{}", rig.story());
    assert!(rig.world.engine.number("third").is_none());
}

#[test]
fn another_finit_keeps_the_time() {
    let mut rig = on_trial();
    rig.pass(secs(30));
    rig.world.anew();
    rig.pass(secs(29));
    assert!(is_edited(&mut rig));
    rig.pass(secs(1));
    assert!(is_as_before(&mut rig), "{}", rig.story());
}

#[test]
fn a_machine_that_goes_down_does_not_go_back() {
    let mut rig = on_trial();
    rig.stubborn("web");
    rig.pass(secs(59));
    rig.power(Power::Poweroff).unwrap();
    assert_eq!(rig.machine().warnings, Vec::<String>::new());
    assert_eq!(rig.world.engine.may_apply(rig.world.now).unwrap_err().code, Code::ShuttingDown);
    rig.pass(secs(100));
    assert_eq!(rig.finished(), Some(Power::Poweroff));
    assert!(rig.world.before.is_some(), "it is not asked for");
}

#[test]
fn what_would_change_nothing_is_no_trial() {
    let mut rig = Rig::booted(before());
    let differs = |rig: &Rig, parts: [Part; 3]| rig.world.engine.differs(&machine(parts).into());
    assert!(!differs(&rig, before()));
    assert!(differs(&rig, edited()));
    // What is only read does not run yet.
    rig.look_at(edited());
    assert!(differs(&rig, edited()));
    rig.apply(edited());
    assert!(!differs(&rig, edited()));
}

/// Whoever came over the VPN that was started by hand comes in again.
#[test]
fn what_people_had_asked_for_comes_back_too() {
    let parts = || {
        [
            service("screen").in_target("kiosk"),
            service("vpn").manual(),
            service("off").in_target("kiosk"),
        ]
    };
    let mut rig = Rig::cold(with_targets(machine(parts()), &[("kiosk", &[])]), "kiosk");
    rig.boot();
    rig.start("vpn");
    rig.stop("off");
    rig.try_out(machine([service("other")]), secs(60));
    assert_eq!(rig.state("other"), "up");
    rig.world.anew();
    rig.pass(secs(61));
    let states = ["screen", "vpn", "off"].map(|name| rig.state(name));
    assert_eq!(states, ["up", "up", "stopped"]);
}

/// Meanwhile people go on to want things of what is not in the file on trial.
#[test]
fn what_was_let_go_meanwhile_is_not_held_again() {
    let parts = || [service("db"), service("log"), service("web")];
    let mut rig = Rig::booted(parts());
    for name in ["db", "log"] {
        rig.ask(Request::Hold { name: name.into() }).unwrap();
    }
    rig.try_out(machine([service("web")]), secs(60));
    assert_eq!((rig.state("db"), rig.state("log")), ("up", "up"));
    let Ok(Reply::Done { message }) = rig.ask(Request::Unhold { name: "db".into() }) else {
        panic!("it is held")
    };
    assert!(message.starts_with("db is no longer held: "), "{message}");
    rig.pass(secs(61));
    assert_eq!((rig.state("db"), rig.status("db").held), ("up", false));
    assert_eq!((rig.status("log").held, rig.starts("log")), (true, 1), "it was never away");
    rig.restart("db");
    assert_eq!(rig.starts("db"), 3);
}
