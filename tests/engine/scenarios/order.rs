//! Order: who comes later, and who goes earlier.

use finit::proto::Power;

use crate::build::{Part, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

fn slow(rig: &mut Rig, name: &str) {
    rig.program(name, Program { executes: Some(secs(3)), ..Program::daemon() });
}

#[test]
fn after_is_honoured_in_any_order_of_the_file() {
    let one: [Part; 2] = [service("early"), service("late").after("early")];
    let other: [Part; 2] = [service("late").after("early"), service("early")];
    for parts in [one, other] {
        let mut rig = Rig::booted_but(parts, |rig| slow(rig, "early"));
        assert_eq!(rig.started(), ["/sbin/early"]);
        rig.pass(secs(3));
        assert_eq!(rig.started(), ["/sbin/early", "/sbin/late"]);
    }
}

#[test]
fn before_is_honoured_in_any_order_of_the_file() {
    let one: [Part; 2] = [service("early").before("late"), service("late")];
    let other: [Part; 2] = [service("late"), service("early").before("late")];
    for parts in [one, other] {
        let mut rig = Rig::booted_but(parts, |rig| slow(rig, "early"));
        assert_eq!(rig.started(), ["/sbin/early"]);
        rig.pass(secs(3));
        assert_eq!(rig.started(), ["/sbin/early", "/sbin/late"]);
    }
}

#[test]
fn order_holds_for_what_is_added_or_asked_for_together() {
    let parts = || [service("late").after("early").manual(), service("early").manual()];
    let mut rig = Rig::booted_but(parts(), |rig| slow(rig, "early"));
    let names = vec!["late".to_owned(), "early".to_owned()];
    rig.ask(finit::proto::Request::Start { names }).expect("a job");
    assert_eq!(rig.started(), ["/sbin/early"]);

    let mut rig = Rig::booted_but([], |rig| slow(rig, "early"));
    rig.apply([service("late").after("early"), service("early")]);
    assert_eq!(rig.started(), ["/sbin/early"]);
    rig.pass(secs(3));
    assert_eq!(rig.started(), ["/sbin/early", "/sbin/late"]);
}

#[test]
fn order_without_need_brings_nothing_up_and_keeps_nothing_up() {
    let mut rig = Rig::booted([service("late").after("early"), service("early").manual()]);
    assert_eq!((rig.state("late"), rig.state("early")), ("up", "stopped"));
    rig.start("early");
    rig.stop("early");
    assert_eq!(rig.starts("late"), 1);
}

#[test]
fn what_failed_or_is_stuck_does_not_hold_up_those_that_come_later() {
    let mut rig = Rig::booted_but(
        [
            service("broken").restart_never(),
            service("stuck").needs("broken"),
            service("late").after("broken").after("stuck"),
        ],
        |rig| rig.ends("broken", secs(0), 1),
    );
    assert_eq!(rig.state("late"), "up");
}

#[test]
fn one_that_comes_back_waits_until_the_one_before_it_has_stopped() {
    let parts = [service("early"), service("late").after("early")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("early"));
    rig.stop("late");
    rig.stop("early");
    rig.start("late");
    assert_eq!((rig.state("early"), rig.state("late")), ("stopping", "waiting"));
    rig.pass(secs(10));
    assert_eq!((rig.state("early"), rig.state("late")), ("stopped", "up"));
}

#[test]
fn going_down_is_the_reverse_of_coming_up() {
    let mut rig = Rig::booted([
        service("c").after("b"),
        service("a"),
        service("d").needs("c"),
        service("b").needs("a"),
    ]);
    rig.power(Power::Halt).expect("it goes down");
    assert_eq!(rig.stopped(), ["d", "c", "b", "a"]);
}

#[test]
fn a_target_change_stops_in_reverse_order() {
    let mut rig = Rig::booted([service("a"), service("b").after("a")]);
    rig.target("rescue");
    assert_eq!(rig.stopped(), ["b", "a"]);
}
