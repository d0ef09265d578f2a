//! DC: the unit tests of dinit's core: who stands on whom.

use finit::proto::Outcome;

use crate::build::{Part, secs, service};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::gentle::stays;

fn slow(rig: &mut Rig, name: &str, seconds: u64) {
    rig.program(name, Program { executes: Some(secs(seconds)), ..Program::daemon() });
}

fn manual(name: &str) -> Part {
    service(name).manual()
}

fn states<const N: usize>(rig: &mut Rig, names: [&str; N]) -> [&'static str; N] {
    names.map(|name| rig.state(name))
}

#[test]
fn dc_basic5_a_chain_of_slow_starts_comes_up_link_by_link() {
    let parts = [manual("s1"), manual("s2").needs("s1"), manual("s3").needs("s2")];
    let mut rig = Rig::booted_but(parts, |rig| {
        for name in ["s1", "s2", "s3"] {
            slow(rig, name, 1);
        }
    });
    let job = rig.start("s3");
    let names = ["s1", "s2", "s3"];
    assert_eq!(states(&mut rig, names), ["starting", "waiting", "waiting"]);
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, names), ["up", "starting", "waiting"]);
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, names), ["up", "up", "starting"]);
    assert_eq!(rig.outcome(job), None);
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, names), ["up", "up", "up"]);
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
}

#[test]
fn dc_basic6_a_stop_that_brings_nobody_down_leaves_what_a_dependent_needs() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").needs("s1"), manual("s3").needs("s2")]);
    rig.start("s3");
    rig.start("s2");
    let said = stays(&mut rig, &["s1"]);
    assert_eq!(said, "s1 stays for s2, and goes when nobody needs or wants it any more");
    stays(&mut rig, &["s2"]);
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["up"; 3]);
    assert_eq!(rig.stopped(), Vec::<&str>::new());
    rig.stop("s3");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["stopped"; 3]);
}

#[test]
fn dc_basic9_a_restart_takes_along_who_needs_it_and_leaves_who_only_wants_it() {
    let mut rig = Rig::booted([
        service("s1"),
        service("s2").needs("s1"),
        service("s3").needs("s2"),
        service("s4").wants("s1"),
        service("s5").after("s1"),
    ]);
    rig.restart("s1");
    let starts = ["s1", "s2", "s3", "s4", "s5"].map(|name| rig.starts(name));
    assert_eq!(starts, [2, 2, 2, 1, 1]);
    assert_eq!(states(&mut rig, ["s1", "s2", "s3", "s4", "s5"]), ["up"; 5]);
}

#[test]
fn dc_softdep1_who_only_wants_another_outlives_its_stop() {
    let mut rig =
        Rig::booted([service("s1"), service("s2").needs("s1"), service("s3").wants("s2")]);
    rig.stop("s1");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["stopped", "waiting", "up"]);
    assert_eq!(rig.starts("s3"), 1);
}

#[test]
fn dc_softdep5_a_want_holds_again_what_was_stopped_and_started() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").wants("s1")]);
    rig.start("s2");
    rig.stop("s1");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "up"]);
    rig.start("s1");
    let said = stays(&mut rig, &["s1"]);
    assert!(said.starts_with("s1 stays for s2, "), "{said}");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["up", "up"]);
    rig.stop("s2");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "stopped"]);
}

#[test]
fn dc_softdep6_what_two_want_stays_until_both_are_gone() {
    let mut rig = Rig::booted([manual("s1"), manual("s2").wants("s1"), manual("s3").wants("s1")]);
    rig.start("s2");
    rig.start("s3");
    assert_eq!(rig.starts("s1"), 1);
    rig.stop("s2");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["up", "stopped", "up"]);
    rig.stop("s3");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["stopped"; 3]);
}

#[test]
fn dc_softdep7_what_is_wanted_comes_back_after_a_crash_and_its_dependent_does_not_notice() {
    let mut rig = Rig::booted([manual("s1"), service("s2").wants("s1")]);
    rig.crashes("s1");
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["restarting", "up"]);
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["up", "up"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (2, 1));
}

#[test]
fn dc_softdep8_what_is_wanted_and_never_restarts_stays_down_beside_its_dependent() {
    let mut rig = Rig::booted([manual("s1").restart_never(), service("s2").wants("s1")]);
    rig.crashes("s1");
    rig.pass(secs(3600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["failed", "up"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (1, 1));
}

#[test]
fn dc_other2_nothing_is_left_of_what_one_service_brought_up_in_different_ways() {
    let mut rig = Rig::booted([
        manual("s1").wants("s2").needs("s3").bound_to("s4"),
        manual("s2"),
        manual("s3"),
        manual("s4"),
    ]);
    rig.start("s1");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3", "s4"]), ["up"; 4]);
    rig.stop("s1");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3", "s4"]), ["stopped"; 4]);
    assert_eq!(rig.world.living(|_| true).len(), 0);
}

#[test]
fn dc_other3_a_restart_of_what_is_wanted_restarts_it_alone() {
    let parts = [manual("s1"), service("s2").wants("s1"), service("s3").needs("s2")];
    let mut rig = Rig::booted_but(parts, |rig| slow(rig, "s1", 2));
    rig.pass(secs(2));
    let job = rig.restart("s1");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["starting", "up", "up"]);
    assert_eq!(rig.outcome(job), None);
    rig.pass(secs(2));
    assert_eq!((rig.state("s1"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    assert_eq!(["s1", "s2", "s3"].map(|name| rig.starts(name)), [2, 1, 1]);
}

#[test]
fn dc_other4_after_a_restart_a_stop_is_a_stop() {
    let mut rig = Rig::booted([manual("s1"), service("s2").wants("s1")]);
    rig.restart("s1");
    assert_eq!((rig.state("s1"), rig.starts("s1")), ("up", 2));
    rig.stop("s1");
    rig.pass(secs(3600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "up"]);
    assert_eq!(rig.starts("s1"), 2);
}

#[test]
fn dc_other5_a_restart_ends_with_the_last_who_wanted_it() {
    let parts = [manual("s1"), service("s2").wants("s1")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("s1"));
    let job = rig.restart("s1");
    assert_eq!(rig.state("s1"), "stopping");
    rig.stop("s2");
    rig.pass(secs(3600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "stopped"]);
    assert_eq!(rig.starts("s1"), 1);
    assert!(rig.outcome(job).is_some_and(|end| end != Outcome::Done), "{:?}", rig.outcome(job));
}

#[test]
fn dc_other6_a_start_that_is_taken_back_half_way_releases_what_it_had_begun() {
    let parts = [manual("s1"), manual("s2").wants("s1"), manual("s3").needs("s2")];
    let mut rig = Rig::booted_but(parts, |rig| slow(rig, "s1", 5));
    rig.start("s3");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["starting", "waiting", "waiting"]);
    rig.stop("s2");
    rig.pass(secs(60));
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["stopped", "stopped", "waiting"]);
    assert_eq!((rig.starts("s2"), rig.starts("s3")), (0, 0));
    assert_eq!(rig.world.living(|_| true).len(), 0);
}

/// A chain in the middle of a restart: all of it is on its way down.
fn restarting(parts: [Part; 2]) -> (Rig, u64) {
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.stubborn("s1");
        rig.stubborn("s2");
    });
    let job = rig.restart("s1");
    assert_eq!((rig.state("s1"), rig.state("s2")), ("up", "stopping"));
    (rig, job)
}

#[test]
fn dc_restart_stop2_a_stop_during_a_restart_counts_for_the_dependent_too() {
    let (mut rig, restart) = restarting([service("s1"), service("s2").needs("s1")]);
    let stop = rig.stop("s1");
    rig.pass(secs(600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "waiting"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (1, 1));
    assert_eq!(rig.outcome(restart), Some(Outcome::Replaced));
    assert_eq!(rig.outcome(stop), Some(Outcome::Done));
}

#[test]
fn dc_restart_stop3_a_stop_of_the_dependent_ends_the_restart_of_what_only_it_needed() {
    let (mut rig, _) = restarting([manual("s1"), service("s2").needs("s1")]);
    rig.stop("s2");
    rig.pass(secs(600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["stopped", "stopped"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (1, 1));
}

#[test]
fn dc_restart_stop4_a_stop_of_the_dependent_leaves_the_restart_of_what_others_want() {
    let (mut rig, restart) = restarting([service("s1"), service("s2").needs("s1")]);
    rig.stop("s2");
    rig.pass(secs(600));
    assert_eq!(states(&mut rig, ["s1", "s2"]), ["up", "stopped"]);
    assert_eq!((rig.starts("s1"), rig.starts("s2")), (2, 1));
    assert_eq!(rig.outcome(restart), Some(Outcome::Done));
}

/// What waits for a failed need keeps what it wants besides, until nobody asks for it any more.
#[test]
fn dc_release_from_failed_a_stop_of_who_waits_for_a_failure_releases_the_rest() {
    let parts = [manual("s1").restart_never(), manual("s2"), manual("s3").needs("s1").wants("s2")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("s1", secs(0), 1);
        slow(rig, "s2", 5);
    });
    let job = rig.start("s3");
    assert_eq!(states(&mut rig, ["s1", "s2", "s3"]), ["failed", "starting", "waiting"]);
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    rig.stop("s3");
    rig.pass(secs(60));
    assert_eq!(states(&mut rig, ["s2", "s3"]), ["stopped", "stopped"]);
    assert_eq!((rig.starts("s3"), rig.world.living(|_| true).len()), (0, 0));
}
