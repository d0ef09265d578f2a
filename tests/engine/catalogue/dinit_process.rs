//! DP: the unit tests of dinit's processes: start, end, stop and their times.

use std::rc::Rc;

use finit::config::spec::{Exits, OkExit, RestartWhen};
use finit::facts::{Exit, SignalNumber, Stage};
use finit::proto::Outcome;

use crate::build::{millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

/// No timer is left over: nothing will happen by itself.
fn is_quiet(rig: &Rig) -> bool {
    rig.world.engine.next_deadline().is_none()
}

fn slow(rig: &mut Rig, name: &str, seconds: u64) {
    rig.program(name, Program { executes: Some(secs(seconds)), ..Program::daemon() });
}

#[test]
fn dp_start_it_starts_until_its_program_is_executed_and_then_is_up() {
    let mut rig = Rig::booted_but([service("p")], |rig| slow(rig, "p", 1));
    assert_eq!((rig.state("p"), is_quiet(&rig)), ("starting", false));
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), is_quiet(&rig)), ("up", true));
}

#[test]
fn dp_unexpected_term_an_end_by_itself_is_told_and_leaves_no_timer() {
    let mut rig = Rig::booted([service("p").restart_never()]);
    rig.exits("p", 0);
    assert_eq!((rig.label("p"), is_quiet(&rig)), ("ended", true));
    assert_eq!(rig.reason("p"), "exited with status 0");
}

#[test]
fn dp_term_restart3_a_restart_that_takes_too_long_is_given_up_and_tried_again() {
    let parts = [service("p").start_timeout(Some(secs(5))).delay(secs(1), secs(1))];
    let mut rig = Rig::booted(parts);
    rig.hangs_before_exec("p");
    rig.crashes("p");
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.starts("p")), ("starting", 2));
    rig.pass(secs(5));
    assert_eq!((rig.state("p"), rig.signals("p")), ("restarting", vec!["SIGTERM".to_owned()]));
    assert!(rig.reason("p").contains("5s"), "{}", rig.reason("p"));
    rig.mends("p");
    rig.pass(secs(3));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 3));
}

#[test]
fn dp_term_restart5_a_signal_that_is_fine_is_no_reason_to_come_back() {
    let usr1 = SignalNumber::parse("USR1").unwrap();
    let mut part = service("p").restart(RestartWhen::OnFailure);
    part.0.ok_exit = Rc::new(OkExit::Listed(Exits { codes: vec![7], signals: vec![usr1] }));
    let ends = |exit| Program { ends: Some((millis(1), exit)), ..Program::daemon() };
    let by = |number| Exit::Signal { number, core: false };
    for (exit, again) in [
        (by(usr1), false),
        (by(SignalNumber::parse("USR2").unwrap()), true),
        (Exit::Code(7), false),
        (Exit::Code(8), true),
    ] {
        let mut rig = Rig::booted_but([part.clone()], |rig| rig.program("p", ends(exit)));
        rig.pass(millis(1));
        rig.mends("p");
        rig.pass(secs(10));
        assert_eq!(rig.starts("p") == 2, again, "{exit:?}");
    }
}

#[test]
fn dp_restart_fail_a_restart_that_fails_takes_the_dependents_down_and_says_so() {
    let mut rig = Rig::booted([service("db").restart_never(), service("web").needs("db")]);
    rig.fails_at("db", Stage::Exec);
    let job = rig.restart("db");
    rig.pass(secs(60));
    assert_eq!((rig.state("db"), rig.state("web")), ("failed", "waiting"));
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert!(rig.last_word(job).contains("exec: No such file"), "{}", rig.last_word(job));
    assert_eq!(rig.starts("web"), 1);
}

#[test]
fn dp_term_via_stop1_a_stop_ends_with_the_process_and_takes_its_timer_along() {
    let mut rig = Rig::booted_but([service("p")], |rig| rig.stubborn("p"));
    rig.stop("p");
    assert_eq!((rig.state("p"), is_quiet(&rig)), ("stopping", false));
    rig.exits("p", 0);
    assert_eq!((rig.state("p"), is_quiet(&rig)), ("stopped", true));
    assert!(rig.reason("p").starts_with("stopped by"), "{}", rig.reason("p"));
}

#[test]
fn dp_term_via_stop2_the_reason_of_an_old_failure_is_gone_after_a_good_run() {
    let parts = [service("p").restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("p", Stage::Exec));
    assert_eq!(rig.state("p"), "failed");
    rig.mends("p");
    rig.start("p");
    assert_eq!((rig.state("p"), rig.reason("p").as_str()), ("up", ""));
    rig.stop("p");
    assert_eq!(rig.state("p"), "stopped");
    assert!(rig.reason("p").starts_with("stopped by"), "{}", rig.reason("p"));
}

#[test]
fn dp_term_via_stop3_two_stops_are_one_signal_and_both_are_done() {
    let mut rig = Rig::booted_but([service("p")], |rig| rig.stubborn("p"));
    let first = rig.stop("p");
    rig.pass(secs(5));
    let second = rig.stop("p");
    assert_eq!(rig.signals("p"), ["SIGTERM"]);
    rig.pass(secs(5));
    assert_eq!((rig.state("p"), rig.signals("p").len()), ("stopped", 2));
    assert_eq!(rig.outcome(first), Some(Outcome::Done));
    assert_eq!(rig.outcome(second), Some(Outcome::Done));
}

#[test]
fn dp_start_timeout2_who_only_wants_what_is_too_slow_starts_all_the_same() {
    let parts = [task("p").start_timeout(Some(secs(1))).manual(), service("tp").wants("p")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("p"));
    assert_eq!((rig.state("p"), rig.state("tp")), ("starting", "waiting"));
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.state("tp")), ("stopping", "waiting"));
    rig.pass(secs(10));
    assert_eq!((rig.state("p"), rig.state("tp")), ("failed", "up"));
    assert!(is_quiet(&rig));
}

#[test]
fn dp_scripted_stop_timeout_a_stop_command_of_a_task_that_hangs_is_killed() {
    let parts = [task("p").stop_command("/sbin/undo")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("p", millis(1), 0);
        rig.stubborn("/sbin/undo");
    });
    rig.pass(secs(1));
    assert_eq!(rig.state("p"), "done");
    let job = rig.stop("p");
    assert_eq!((rig.state("p"), rig.started().len()), ("stopping", 2));
    rig.pass(secs(30));
    assert_eq!((rig.state("p"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert!(rig.signals("p").contains(&"SIGKILL".to_owned()), "{:?}", rig.signals("p"));
    assert!(rig.world.living(|_| true).is_empty() && is_quiet(&rig));
}

#[test]
fn dp_scripted_start_fail_a_task_that_fails_keeps_all_above_it_down() {
    let parts = [
        task("p").manual(),
        service("s2").needs("p").manual(),
        service("s3").needs("p").needs("s2").manual(),
    ];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("p", secs(1), 1));
    let job = rig.start("s3");
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.outcome(job)), ("failed", Some(Outcome::Failed)));
    assert_eq!((rig.state("s2"), rig.state("s3")), ("waiting", "waiting"));
    assert_eq!((rig.starts("s2"), rig.starts("s3")), (0, 0));
    assert_eq!(rig.reason("s3"), "waits for p, which is failed");
}

#[test]
fn dp_scripted_stop_fail_a_stop_command_that_fails_is_run_once_and_all_go_down() {
    let parts = [
        task("p").stop_command("/sbin/undo").manual(),
        service("s2").manual(),
        service("s3").needs("s2").needs("p").manual(),
        service("s4").needs("p").needs("s3").manual(),
    ];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("p", millis(1), 0);
        rig.ends("/sbin/undo", millis(1), 1);
    });
    rig.start("s4");
    rig.pass(secs(1));
    assert_eq!((rig.state("p"), rig.state("s4")), ("done", "up"));
    rig.stop("s4");
    rig.pass(secs(60));
    for name in ["p", "s2", "s3", "s4"] {
        assert_eq!(rig.state(name), "stopped", "{name}");
    }
    assert_eq!(rig.started().iter().filter(|command| **command == "/sbin/undo").count(), 1);
}

/// Who asks for one asks for what it wants, too: the stop of before is not the last word.
#[test]
fn dp_waitsfor_restart_who_wants_what_still_stops_has_it_started_again() {
    let parts = [service("p").manual(), service("tp").wants("p").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("p"));
    rig.start("p");
    rig.stop("p");
    assert_eq!(rig.state("p"), "stopping");
    rig.mends("p");
    let job = rig.start("tp");
    assert_eq!((rig.state("p"), rig.state("tp")), ("stopping", "waiting"));
    rig.pass(secs(10));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 2));
    assert_eq!((rig.state("tp"), rig.outcome(job)), ("up", Some(Outcome::Done)));
}
