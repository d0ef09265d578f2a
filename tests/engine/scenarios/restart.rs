//! Whether and when a service comes back.

use finit::config::spec::RestartWhen::{Always, Never, OnCrash, OnFailure, OnSuccess};
use finit::facts::Stage;
use finit::proto::Outcome;

use crate::build::{millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn the_policy_says_after_which_ends_it_comes_back() {
    // After a success, a failure, a crash.
    let table = [
        (Always, [true, true, true]),
        (OnFailure, [false, true, true]),
        (OnCrash, [false, false, true]),
        (OnSuccess, [true, false, false]),
        (Never, [false, false, false]),
    ];
    for (policy, expected) in table {
        for (end, again) in (0..3).zip(expected) {
            let mut rig = Rig::booted([service("web").restart(policy)]);
            match end {
                0 | 1 => rig.exits("web", end),
                _ => rig.crashes("web"),
            }
            rig.pass(secs(1));
            assert_eq!(rig.starts("web") == 2, again, "{policy:?} after {end}");
        }
    }
}

#[test]
fn an_end_by_the_stop_signal_is_no_failure() {
    let mut rig = Rig::booted([service("web").restart(OnFailure)]);
    let signal = finit::proto::Request::Signal { name: "web".into(), signal: "TERM".into() };
    rig.ask(signal).expect("it is sent");
    rig.pass(secs(1));
    assert_eq!((rig.label("web"), rig.starts("web")), ("ended", 1));
}

#[test]
fn the_delay_doubles_up_to_the_longest_and_returns_after_a_while_of_being_up() {
    let mut rig = Rig::booted([service("web").delay(secs(1), secs(4))]);
    let mut waits = Vec::new();
    for _ in 0..5 {
        rig.crashes("web");
        let since = rig.world.now;
        while rig.label("web") == "backoff" {
            rig.pass(millis(50));
        }
        waits.push(rig.world.now.since(since).as_millis());
    }
    let bounds = [(1_000, 1_050), (2_000, 2_550), (3_000, 4_050), (3_000, 4_050), (3_000, 4_050)];
    for (wait, (least, most)) in waits.iter().zip(bounds) {
        assert!((least..=most).contains(wait), "{waits:?}");
    }
    rig.pass(secs(30));
    rig.crashes("web");
    rig.pass(millis(1_001));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_delay_of_nothing_restarts_in_the_same_turn() {
    let mut rig = Rig::booted([service("web").delay(secs(0), secs(0))]);
    let before = rig.world.now;
    rig.crashes("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    assert_eq!(rig.world.now, before);
}

#[test]
fn a_program_that_dies_at_once_is_slowed_down_even_without_a_delay() {
    let parts = [service("bad").delay(secs(0), secs(0))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("bad", secs(0), 1));
    rig.pass(secs(10));
    let starts = rig.starts("bad");
    assert!((100..1_300).contains(&starts), "{starts}");

    let parts = [service("bad").delay(secs(0), secs(0))];
    let mut rig = Rig::booted_but(parts, |rig| rig.clone_fails("bad"));
    rig.pass(secs(10));
    assert!(rig.starts("bad") < 1_300);
}

#[test]
fn too_many_restarts_in_a_time_are_a_failure_until_somebody_asks() {
    let quick = service("web").delay(millis(1), millis(1)).burst(3, secs(10));
    let parts = [quick, service("above").needs("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("web", millis(5), 1));
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 4));
    assert_eq!(rig.reason("web"), "exited with status 1; gave up after 3 restarts in 10s");
    assert_eq!(rig.state("above"), "waiting");
    rig.mends("web");
    rig.reset("web");
    assert_eq!((rig.state("web"), rig.state("above")), ("up", "up"));
}

/// The machine is short of processes: no fault of whoever is to start.
#[test]
fn a_start_for_which_there_is_no_room_is_tried_again_and_does_not_count() {
    let web = || service("web").delay(millis(100), secs(2)).burst(2, secs(1000));
    for policy in [Always, OnCrash, OnSuccess] {
        let mut rig = Rig::booted_but([web().restart(policy)], |rig| rig.clone_fails("web"));
        let why = "clone: Resource temporarily unavailable (EAGAIN)";
        assert!(rig.reason("web").starts_with(why), "{}", rig.reason("web"));
        rig.pass(secs(60));
        assert_eq!(rig.state("web"), "restarting");
        rig.mends("web");
        rig.pass(secs(3));
        assert_eq!(rig.state("web"), "up");
    }
    let mut rig = Rig::booted_but([web().restart_never()], |rig| rig.clone_fails("web"));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 1));
    // What cannot be started for another reason does count.
    let mut rig = Rig::booted_but([web()], |rig| rig.fails_at("web", Stage::Exec));
    rig.pass(secs(60));
    assert_eq!(rig.state("web"), "failed");
}

#[test]
fn a_start_clears_a_failure_and_counts_anew() {
    let parts = [service("web").delay(millis(1), millis(1)).burst(1, secs(100))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("web", secs(0), 1));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 2));
    rig.start("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 4));
}

#[test]
fn restarts_that_are_far_apart_never_exhaust_the_burst() {
    let parts = [service("web").burst(2, secs(10)).delay(millis(10), millis(10))];
    let mut rig = Rig::booted(parts);
    for _ in 0..10 {
        rig.pass(secs(11));
        rig.crashes("web");
        rig.pass(secs(1));
        assert_eq!(rig.state("web"), "up");
    }
}

#[test]
fn a_stop_during_the_delay_is_the_last_word() {
    let mut rig = Rig::booted([service("web").delay(secs(5), secs(5))]);
    rig.crashes("web");
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 1));
}

#[test]
fn a_start_during_the_delay_starts_at_once() {
    let mut rig = Rig::booted([service("web").delay(secs(50), secs(50))]);
    rig.crashes("web");
    let job = rig.start("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    rig.pass(secs(3600));
    assert_eq!(rig.starts("web"), 2);
}

#[test]
fn a_start_that_takes_too_long_is_stopped_and_tried_again() {
    let parts = [service("web").start_timeout(Some(secs(5)))];
    let mut rig = Rig::booted_but(parts, |rig| rig.hangs_before_exec("web"));
    rig.pass(secs(4));
    assert_eq!(rig.state("web"), "starting");
    rig.pass(secs(2));
    assert_eq!(rig.signals("web"), ["SIGTERM"]);
    rig.mends("web");
    rig.pass(secs(10));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_program_that_cannot_be_executed_names_the_step_and_is_tried_again() {
    let parts = [service("web").delay(secs(1), secs(1))];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("web", Stage::Chdir));
    assert_eq!(rig.state("web"), "restarting");
    let reason = rig.reason("web");
    assert!(reason.starts_with("chdir: No such file or directory"), "{reason}");
    rig.mends("web");
    rig.pass(secs(2));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn the_end_may_overtake_the_news_of_the_start() {
    let mut rig = Rig::booted_but([service("web").restart_never()], |rig| {
        rig.program("web", Program { executes: Some(secs(1)), ..Program::ends(secs(0), 0) });
    });
    rig.pass(secs(5));
    assert_eq!(rig.label("web"), "ended");
}

#[test]
fn a_thousand_kills_leave_one_process_and_its_number_is_known() {
    let mut rig = Rig::booted([service("web").delay(secs(0), secs(0))]);
    for _ in 0..1_000 {
        rig.crashes("web");
        rig.pass(millis(100));
    }
    let report = rig.status("web");
    assert_eq!((report.restarts, report.state.word()), (1_000, "up"));
    assert_eq!(rig.world.living(|_| true).len(), 1);
    assert_eq!(report.pid, Some(100 + 1_001));
}

/// It is asked to go when those above it have gone, and may be faster.
#[test]
fn a_restart_is_not_forgotten_when_it_ends_by_itself_first() {
    for part in [service("db").restart_never(), service("db").restart(OnFailure)] {
        let parts = [part, service("web").needs("db")];
        let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
        let job = rig.restart("db");
        rig.exits("db", 0);
        rig.pass(secs(30));
        assert_eq!((rig.state("db"), rig.state("web")), ("up", "up"));
        assert_eq!((rig.starts("db"), rig.outcome(job)), (2, Some(Outcome::Done)));
    }
}
