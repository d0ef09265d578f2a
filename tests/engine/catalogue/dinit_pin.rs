//! DC-pin: the unit tests of dinit's pins, and the one of its control protocol. What dinit pins
//! to a state that it is brought to, is held here in the state that it is in; an order against
//! that is refused, where dinit takes it and leaves it undone.

use finit::proto::{Code, Outcome};

use crate::build::{Part, service};
use crate::rig::Rig;
use crate::scenarios::hold::{hold, order, unhold};

/// s3 needs s2, which needs s1; s3 was started.
fn chain() -> Rig {
    let mut rig = Rig::booted([manual("s1"), manual("s2").needs("s1"), manual("s3").needs("s2")]);
    rig.start("s3");
    assert_eq!(states(&mut rig, CHAIN), ["up"; 3]);
    rig
}

const CHAIN: [&str; 3] = ["s1", "s2", "s3"];

fn manual(name: &str) -> Part {
    service(name).manual()
}

fn states<const N: usize>(rig: &mut Rig, names: [&str; N]) -> [&'static str; N] {
    names.map(|name| rig.state(name))
}

fn is_refused(rig: &mut Rig, verb: &str, name: &str) -> bool {
    order(rig, verb, name).is_err_and(|refusal| refusal.code == Code::Held)
}

#[test]
fn dc_pin1_a_held_service_outlives_the_stop_of_its_need_and_goes_when_it_is_let_go() {
    let mut rig = chain();
    hold(&mut rig, "s3");
    rig.stop("s2");
    assert_eq!(rig.state("s3"), "up");
    unhold(&mut rig, "s3");
    assert_eq!(rig.world.living(|_| true).len(), 0);
}

#[test]
fn dc_pin2_a_held_service_is_not_stopped_nor_what_it_needs() {
    let mut rig = chain();
    hold(&mut rig, "s3");
    assert!(is_refused(&mut rig, "stop", "s3"));
    assert_eq!(states(&mut rig, CHAIN), ["up"; 3]);
}

#[test]
fn dc_pin3_what_its_need_needs_goes_with_the_need_though_it_was_asked_for() {
    let mut rig = chain();
    hold(&mut rig, "s3");
    rig.stop("s2");
    // To ask for what is there already holds no need that somebody stopped.
    rig.start("s1");
    rig.stop("s1");
    unhold(&mut rig, "s3");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "stopped"]);
    assert_eq!(rig.world.living(|_| true).len(), 0);
}

#[test]
fn dc_pin4_what_nobody_wants_any_more_goes_when_it_is_let_go() {
    let mut rig = Rig::booted([service("s1")]);
    hold(&mut rig, "s1");
    rig.apply([service("s1").disabled()]);
    assert_eq!(rig.state("s1"), "up");
    unhold(&mut rig, "s1");
    assert_eq!(rig.state("s1"), "stopped");
}

#[test]
fn dc_pin5_a_held_service_outlives_its_last_dependent_and_keeps_what_it_needs() {
    let mut rig = chain();
    hold(&mut rig, "s2");
    rig.stop("s3");
    assert_eq!(states(&mut rig, CHAIN), ["up", "up", "stopped"]);
    unhold(&mut rig, "s2");
    assert_eq!(states(&mut rig, CHAIN), ["stopped"; 3]);
}

#[test]
fn dc_pin6_what_is_let_go_keeps_what_it_wants() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").wants("s1")]);
    rig.start("s2");
    hold(&mut rig, "s2");
    unhold(&mut rig, "s2");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["up", "up"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (1, 1));
}

#[test]
fn dc_pin7_what_is_held_down_does_not_start_when_it_is_let_go() {
    let mut rig = Rig::booted([manual("s1")]);
    hold(&mut rig, "s1");
    assert!(is_refused(&mut rig, "start", "s1"));
    unhold(&mut rig, "s1");
    assert_eq!((rig.state("s1"), rig.starts("s1")), ("stopped", 0));
}

#[test]
fn dc_pin8_a_held_service_protects_its_dependents() {
    let mut rig = chain();
    hold(&mut rig, "s2");
    rig.stop("s1");
    assert_eq!(states(&mut rig, ["s2", "s3"]), ["up", "up"]);
}

#[test]
fn dc_pin9_one_that_was_stopped_is_not_started_by_who_wants_it_once_it_is_let_go() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").wants("s1")]);
    rig.stop("s1");
    hold(&mut rig, "s1");
    rig.start("s2");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "up"]);
    unhold(&mut rig, "s1");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "up"]);
}

#[test]
fn dc_pin10_a_start_that_needs_what_is_held_down_fails() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").needs("s1"), manual("s3").needs("s2")]);
    hold(&mut rig, "s2");
    let job = rig.start("s3");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert_eq!(states(&mut rig, CHAIN), ["stopped", "stopped", "waiting"]);
}

#[test]
fn dx_start_pinned_a_start_of_what_is_held_down_is_refused_and_names_the_holder() {
    let mut rig = Rig::booted([manual("s1")]);
    hold(&mut rig, "s1");
    let refusal = order(&mut rig, "start", "s1").unwrap_err();
    assert_eq!(refusal.code, Code::Held);
    assert_eq!(refusal.message, "s1 is held since 0 s by finitctl (pid 77, uid 0)");
    assert_eq!(refusal.hint, "finitctl unhold s1");
}
