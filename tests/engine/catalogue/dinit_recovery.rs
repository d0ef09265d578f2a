//! DP, smooth recovery: a service that comes back without its dependents noticing. finit does so
//! with every need; `bound-to` is for those that want to notice.

use std::rc::Rc;

use finit::facts::{Exit, SignalNumber, Stage};
use finit::proto::Outcome;

use crate::build::{millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn dp_smooth_recovery3_a_recovery_that_fails_for_good_takes_the_dependents_down() {
    let db = service("db").delay(secs(1), secs(1)).burst(1, secs(3600));
    let mut rig = Rig::booted([db, service("web").needs("db")]);
    rig.fails_at("db", Stage::Exec);
    rig.crashes("db");
    assert_eq!((rig.state("db"), rig.state("web")), ("restarting", "up"));
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.state("web")), ("failed", "waiting"));
    assert_eq!(rig.starts("db"), 2);
}

#[test]
fn dp_smooth_recovery5_a_stop_while_it_recovers_stops_it_and_its_dependents() {
    let db = service("db").delay(millis(1), millis(1));
    let mut rig = Rig::booted([db, service("web").needs("db")]);
    rig.program("db", Program { executes: Some(secs(5)), ..Program::daemon() });
    rig.crashes("db");
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.state("web")), ("starting", "up"));
    let job = rig.stop("db");
    assert_eq!((rig.state("db"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert_eq!(rig.stopped(), ["web", "db"]);
    rig.pass(secs(600));
    assert_eq!((rig.state("db"), rig.state("web"), rig.starts("db")), ("stopped", "waiting", 2));
}

#[test]
fn dp_term_restart6_certain_signals_alone_bring_it_back() {
    let usr1 = SignalNumber::parse("USR1").unwrap();
    let mut part = service("p").restart_never();
    Rc::make_mut(&mut part.0.restart).also.signals.push(usr1);
    let by = |number| Exit::Signal { number, core: false };
    let mut rig = Rig::booted_but([part], |rig| {
        rig.program("p", Program { ends: Some((millis(1), by(usr1))), ..Program::daemon() });
    });
    rig.pass(millis(1));
    assert_eq!(rig.state("p"), "restarting");
    rig.program(
        "p",
        Program { ends: Some((millis(1), by(SignalNumber::KILL))), ..Program::daemon() },
    );
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.starts("p")), ("failed", 2));
}

#[test]
fn s66_some_ends_are_for_good_though_it_always_comes_back() {
    let mut part = service("p");
    Rc::make_mut(&mut part.0.restart).except.codes.push(111);
    Rc::make_mut(&mut part.0.restart).also.codes.push(111);
    let mut rig = Rig::booted([part]);
    rig.exits("p", 3);
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 2));
    rig.exits("p", 111);
    rig.pass(secs(60));
    assert_eq!((rig.state("p"), rig.reason("p").as_str()), ("failed", "exited with status 111"));
}
