//! What a service says that it is about, and how long it may be.

use finit::config::spec::RestartWhen::OnFailure;
use finit::config::spec::{Check, Health, StopScope};
use finit::engine::{Event, Notice};
use finit::proto::{Outcome, Reply};

use crate::build::{Part, hook, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

/// A machine with one service that is up since it said so.
fn telling(part: Part) -> Rig {
    let mut rig = Rig::booted_but([part], |rig| rig.program("db", Program::mute()));
    rig.tells("db", "READY=1");
    assert_eq!(rig.state("db"), "up");
    rig
}

fn db() -> Part {
    service("db").notifies().start_timeout(Some(secs(20)))
}

fn reload(rig: &mut Rig) -> u64 {
    match rig.reload("db") {
        Ok(Reply::Job { job, .. }) => job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reload_is_done_when_the_service_says_so() {
    let mut rig = telling(db().reloads_by_signal("HUP"));
    let job = reload(&mut rig);
    rig.pass(millis(500));
    rig.tells("db", "RELOADING=1");
    rig.pass(secs(10));
    assert_eq!((rig.outcome(job), rig.reason("db").as_str()), (None, "reloading"));
    rig.tells("db", "READY=1");
    assert_eq!((rig.outcome(job), rig.last_word(job)), (Some(Outcome::Done), "reloaded"));
    assert_eq!(rig.signals("db"), ["SIGHUP"]);
}

/// Many services tell that they are up, and nothing of their reloads.
#[test]
fn one_that_says_nothing_of_its_reload_is_not_waited_for() {
    let mut rig = telling(db().reloads_by_signal("HUP"));
    let job = reload(&mut rig);
    rig.pass(millis(999));
    assert_eq!(rig.outcome(job), None);
    rig.pass(millis(1));
    assert_eq!((rig.outcome(job), rig.reason("db")), (Some(Outcome::Done), String::new()));
    let mut rig = Rig::booted([service("db").reloads_by_signal("HUP")]);
    let job = reload(&mut rig);
    assert_eq!(rig.outcome(job), Some(Outcome::Done), "it tells nothing at all");
}

#[test]
fn a_reload_that_is_never_done_has_failed_and_the_service_stays_up() {
    let mut rig = telling(db().reloads_by_signal("HUP"));
    let job = reload(&mut rig);
    rig.tells("db", "RELOADING=1\nSTATUS=reading");
    rig.pass(secs(19));
    assert_eq!(rig.outcome(job), None);
    rig.tells("db", "EXTEND_TIMEOUT_USEC=5000000");
    rig.pass(millis(4_999));
    assert_eq!(rig.outcome(job), None);
    rig.pass(millis(1));
    let why = "reload: not done after 20s (start-timeout)";
    assert_eq!((rig.outcome(job), rig.last_word(job)), (Some(Outcome::Failed), why));
    let reason = "its reload was not done in time (start-timeout): reading";
    assert_eq!((rig.state("db"), rig.reason("db").as_str()), ("up", reason));
    assert_eq!(rig.signals("db"), ["SIGHUP"]);
    assert_eq!(rig.said(why), 1);
    // Late is better than never.
    rig.tells("db", "READY=1\nSTATUS=");
    assert_eq!(rig.reason("db"), "");
}

#[test]
fn whoever_waits_for_a_reload_is_told_when_the_service_goes() {
    let mut rig = telling(db().reloads_by_signal("HUP"));
    let job = reload(&mut rig);
    rig.tells("db", "RELOADING=1");
    rig.crashes("db");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    let mut rig = telling(db().reloads_by_signal("HUP"));
    let job = reload(&mut rig);
    rig.tells("db", "STOPPING=1");
    let why = "reload: it says that it is stopping";
    assert_eq!((rig.outcome(job), rig.last_word(job)), (Some(Outcome::Failed), why));
}

#[test]
fn after_its_commands_a_reload_is_waited_for_as_long_as_the_service_says_that_it_reloads() {
    let mut rig = telling(db().reloads_by(hook("/bin/reread")));
    rig.ends("/bin/reread", secs(1), 0);
    let job = reload(&mut rig);
    rig.tells("db", "RELOADING=1");
    rig.pass(secs(2));
    assert_eq!(rig.outcome(job), None);
    rig.tells("db", "READY=1");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    let job = reload(&mut rig);
    rig.pass(secs(2));
    assert_eq!(rig.outcome(job), Some(Outcome::Done), "it said nothing");
}

#[test]
fn one_that_says_that_it_stops_and_does_not_is_stopped() {
    let mut rig = telling(db().stop_timeout(Some(secs(5))).restart(OnFailure));
    rig.tells("db", "STOPPING=1");
    rig.pass(secs(4));
    assert_eq!(rig.reason("db"), "says that it is stopping");
    rig.tells("db", "EXTEND_TIMEOUT_USEC=3000000");
    rig.pass(millis(2_999));
    assert_eq!((rig.state("db"), rig.signals("db").len()), ("up", 0));
    rig.pass(millis(1));
    assert_eq!(rig.signals("db"), ["SIGTERM"]);
    let why = "said that it stops, and had not after 5s (stop.timeout)";
    assert_eq!(rig.said(why), 1);
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.starts("db")), ("starting", 2));
}

/// It goes by itself in time, or may take as long as it wants.
#[test]
fn one_that_says_that_it_stops_has_its_time() {
    let mut rig = telling(db().stop_timeout(Some(secs(5))).restart(OnFailure));
    rig.tells("db", "STOPPING=1");
    rig.pass(secs(4));
    rig.exits("db", 0);
    rig.pass(secs(60));
    assert_eq!((rig.label("db"), rig.signals("db").len()), ("ended", 0));
    let mut rig = telling(db().stop_timeout(None));
    rig.tells("db", "STOPPING=1");
    rig.pass(secs(6_000));
    assert_eq!((rig.state("db"), rig.signals("db").len()), ("up", 0));
}

/// Whoever closes its files has no time for signs of life, and its port is closed already.
#[test]
fn one_that_stops_by_itself_is_neither_watched_nor_checked() {
    let check = Check::Command(Box::new(hook("/bin/check")));
    let health = Health { check, every: secs(2), timeout: secs(2), failures: 3 };
    for part in [db().watchdog(secs(5)), db().health(health)] {
        let part = part.stop_timeout(Some(secs(60))).restart(OnFailure);
        let mut rig = telling(part.clone());
        rig.ends("/bin/check", millis(1_500), 1);
        rig.pass(secs(3));
        rig.tells("db", "STOPPING=1");
        rig.tells("db", "WATCHDOG=1");
        rig.pass(secs(20));
        assert_eq!(rig.reason("db"), "says that it is stopping");
        rig.exits("db", 0);
        rig.pass(secs(60));
        assert_eq!((rig.label("db"), rig.starts("db")), ("ended", 1));
        assert_eq!(rig.signals("db").iter().filter(|signal| *signal != "SIGKILL").count(), 0);

        // It works on after all.
        let mut rig = telling(part);
        rig.ends("/bin/check", millis(1_500), 1);
        rig.tells("db", "STOPPING=1");
        rig.pass(secs(20));
        rig.tells("db", "READY=1");
        rig.pass(secs(20));
        assert_eq!(rig.starts("db"), 2);
    }
}

/// It was left alone (`stop.scope = "none"`), and means itself.
#[test]
fn what_an_earlier_run_says_is_not_about_the_next() {
    let web = service("web").notifies().stop_scope(StopScope::None).watchdog(secs(10));
    let mut rig = Rig::booted([web]);
    let old = rig.main("web");
    rig.program("web", Program::mute());
    rig.restart("web");
    let says = |rig: &mut Rig, text: &str| {
        let notice = Notice::parse(text.as_bytes());
        rig.world.turn(Event::Notified { node: old.node, run: Some(old), notice });
        rig.now();
    };
    for text in ["READY=1", "STATUS=old", "STOPPING=1"] {
        says(&mut rig, text);
        assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("starting", NOT_YET), "{text}");
    }
    rig.tells("web", "READY=1");
    says(&mut rig, "WATCHDOG=trigger");
    assert_eq!(rig.state("web"), "up");
    rig.pass(secs(9));
    says(&mut rig, "WATCHDOG=1");
    rig.pass(secs(2));
    assert_eq!(rig.signals("web"), ["SIGABRT"], "the other's sign of life is none of it");
}

const NOT_YET: &str = "not ready yet (notify)";
