//! Main processes that are another's children: that they have ended is known, and not how.

use finit::config::spec::RestartWhen::{Always, Never, OnCrash, OnFailure, OnSuccess};
use finit::engine::{Ended, Event, Group, RunId};
use finit::facts::{Exit, SignalNumber};
use finit::proto::Outcome;

use crate::build::{millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

/// The main process ends, and nobody sees how.
fn ends_unseen(rig: &mut Rig, name: &str) -> RunId {
    let run = rig.main(name);
    rig.world.end(run, Ended::Unseen);
    rig.now();
    run
}

/// The same end again, as the reaper would tell it.
fn told_again(rig: &mut Rig, run: RunId, ended: Ended) {
    rig.world.turn(Event::Exited { run, ended, group: Group::Empty });
    rig.now();
}

#[test]
fn an_end_that_nobody_saw_is_a_success_to_each_policy() {
    let table = [
        (Always, "up", 2),
        (OnSuccess, "up", 2),
        (OnFailure, "ended", 1),
        (OnCrash, "ended", 1),
        (Never, "ended", 1),
    ];
    for (policy, label, starts) in table {
        let mut rig = Rig::booted([service("web").restart(policy), service("above").needs("web")]);
        ends_unseen(&mut rig, "web");
        rig.pass(secs(1));
        assert_eq!((rig.label("web"), rig.starts("web")), (label, starts), "{policy:?}");
        assert!(rig.trouble().is_empty(), "{:?}", rig.trouble());
        let detail = rig.status("web").detail.expect("in full");
        assert_eq!(detail.last_exit.as_deref(), Some("ended, and finit was not told how"));
        assert_eq!(rig.status("above").state.word(), if starts == 2 { "up" } else { "waiting" });
    }
}

#[test]
fn what_is_left_of_it_goes_before_it_comes_again() {
    let mut rig = Rig::booted_but([service("web")], |rig| {
        rig.program("web", Program { leaves: 1, ..Program::daemon() });
    });
    let run = rig.main("web");
    rig.world.end(run, Ended::Unseen);
    // Its supervisor has been asked to go and has not gone yet.
    assert_eq!((rig.state("web"), rig.status("web").pid), ("stopping", None));
    assert_eq!(rig.signals("web"), ["SIGTERM"]);
    rig.pass(secs(30));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn each_end_counts_once_whoever_tells_it_first() {
    let killed = Ended::Exit(Exit::Signal { number: SignalNumber::KILL, core: false });
    for (first, second) in [(Ended::Unseen, killed.clone()), (killed, Ended::Unseen)] {
        let mut rig = Rig::booted([service("web")]);
        let run = rig.main("web");
        rig.world.end(run, first.clone());
        rig.now();
        rig.pass(secs(1));
        told_again(&mut rig, run, second);
        rig.pass(secs(1));
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
        let detail = rig.status("web").detail.expect("in full");
        assert_eq!(detail.last_exit, Some(first.to_string()));
    }
}

#[test]
fn its_end_is_that_of_a_stop_and_a_restart_too() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    let job = rig.restart("web");
    assert_eq!(rig.state("web"), "stopping");
    rig.mends("web");
    ends_unseen(&mut rig, "web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    rig.stubborn("web");
    rig.restart("web");
    let job = rig.stop("web");
    ends_unseen(&mut rig, "web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    rig.pass(secs(30));
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn one_that_hung_is_let_go_when_it_has_ended_after_all() {
    let mut rig = Rig::booted_but([service("web")], |rig| {
        rig.hangs_in_the_kernel("web", secs(900));
    });
    let run = rig.main("web");
    rig.stop("web");
    rig.pass(secs(15));
    assert_eq!(rig.state("web"), "failed");
    rig.world.end(run, Ended::Unseen);
    rig.now();
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn an_end_before_it_was_ready_is_a_failure() {
    let mut rig = Rig::booted_but([service("db").notifies().restart(Never)], |rig| {
        rig.program("db", Program::mute());
    });
    ends_unseen(&mut rig, "db");
    rig.pass(millis(10));
    assert_eq!((rig.label("db"), rig.starts("db")), ("failed", 1));
    let reason = "ended before it was ready (notify), and finit was not told how";
    assert_eq!(rig.reason("db"), reason);
}

#[test]
fn a_task_that_ended_unseen_has_done_its_work() {
    let mut rig =
        Rig::booted_but([task("job"), service("above").needs("job")], |rig| rig.stubborn("job"));
    ends_unseen(&mut rig, "job");
    assert_eq!((rig.label("job"), rig.state("above")), ("done", "up"));
    assert_eq!(rig.reason("job"), "ended, and finit was not told how");
}
