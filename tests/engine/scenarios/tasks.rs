//! Tasks run to their end.

use finit::config::spec::{Ready, RestartWhen, StopScope};
use finit::facts::Stage;
use finit::proto::{Outcome, Power, Reply, Request};

use crate::build::{Part, hook, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn a_task_that_is_done_counts_as_up() {
    let parts = [task("setup"), service("web").needs("setup")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(2), 0));
    assert_eq!((rig.state("setup"), rig.state("web")), ("starting", "waiting"));
    rig.pass(secs(2));
    assert_eq!((rig.state("setup"), rig.state("web")), ("done", "up"));
}

#[test]
fn a_task_that_does_not_remain_counts_as_down() {
    let parts = [task("setup").forgets()];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(0), 0));
    assert_eq!(rig.label("setup"), "ended");
    assert_eq!(rig.reason("setup"), "exited with status 0");
    rig.pass(secs(3600));
    assert_eq!(rig.starts("setup"), 1);
    let job = rig.start("setup");
    assert_eq!((rig.starts("setup"), rig.outcome(job)), (2, Some(Outcome::Done)));
}

#[test]
fn a_task_that_fails_is_failed_and_not_repeated() {
    let parts = [task("setup")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(0), 3));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", 1));
    assert_eq!(rig.reason("setup"), "exited with status 3");
    rig.mends("setup");
    rig.ends("setup", secs(0), 0);
    let job = rig.start("setup");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
}

#[test]
fn a_task_may_be_repeated_until_it_succeeds() {
    let parts = [task("setup").restart(RestartWhen::OnFailure)];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(0), 1));
    rig.pass(secs(5));
    let tries = rig.starts("setup");
    assert!(tries > 3, "{tries}");
    rig.ends("setup", secs(0), 0);
    rig.pass(secs(60));
    assert_eq!(rig.state("setup"), "done");
}

#[test]
fn steps_run_one_after_the_other_and_the_first_failure_is_the_last() {
    let parts = [task("setup").runs("/one").then_runs("/two").then_runs("/three")];
    let mut rig = Rig::booted_but(parts.clone(), |rig| rig.ends("setup", secs(1), 0));
    rig.pass(secs(1));
    assert_eq!(rig.started(), ["/one", "/two"]);
    rig.pass(secs(2));
    assert_eq!((rig.started().len(), rig.state("setup")), (3, "done"));

    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(1), 1));
    rig.pass(secs(9));
    assert_eq!((rig.started().len(), rig.state("setup")), (1, "failed"));
}

#[test]
fn a_task_that_is_up_once_its_last_step_runs_runs_them_all() {
    let steps = task("setup").runs("/one").then_runs("/two").then_runs("/three");
    let parts = [steps.ready(Ready::Exec), service("web").needs("setup")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(1), 0));
    rig.pass(secs(1));
    assert_eq!((rig.state("setup"), rig.started()), ("starting", vec!["/one", "/two"]));
    rig.pass(secs(1));
    assert_eq!(rig.started(), ["/one", "/two", "/three", "/sbin/web"]);
    assert_eq!(rig.state("setup"), "up");
    rig.pass(secs(1));
    assert_eq!((rig.state("setup"), rig.state("web")), ("done", "up"));
}

#[test]
fn a_restart_runs_a_finished_task_again() {
    let parts = [task("setup")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", millis(5), 0));
    rig.pass(secs(1));
    let job = rig.restart("setup");
    rig.pass(secs(1));
    assert_eq!((rig.starts("setup"), rig.outcome(job)), (2, Some(Outcome::Done)));
    // To start what is done is nothing.
    let job = rig.start("setup");
    assert_eq!((rig.starts("setup"), rig.outcome(job)), (2, Some(Outcome::Done)));
}

#[test]
fn what_a_task_left_behind_lives_until_the_task_is_stopped() {
    let parts = [task("ifup")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("ifup", Program { leaves: 1, ..Program::ends(secs(0), 0) });
    });
    assert_eq!((rig.state("ifup"), rig.signals("ifup").len()), ("done", 0));
    rig.stop("ifup");
    assert_eq!((rig.state("ifup"), rig.signals("ifup")), ("stopped", vec!["SIGTERM".to_owned()]));
}

/// It waits with its stop for who comes after it, and its command ends meanwhile (seed 31974).
#[test]
fn what_a_command_before_the_last_leaves_behind_goes_with_the_task() {
    let parts = [service("web").after("job"), task("job").manual().then_runs("/second")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.stubborn("web");
        rig.program("job", Program { leaves: 1, ..Program::ends(secs(1), 0) });
    });
    rig.start("job");
    rig.power(Power::Poweroff).unwrap();
    rig.pass(secs(60));
    assert_eq!(
        (rig.started().contains(&"/second"), rig.finished()),
        (false, Some(Power::Poweroff))
    );
}

#[test]
fn what_a_task_did_is_undone_when_it_is_stopped_whoever_its_stop_concerns() {
    for scope in [StopScope::Cgroup, StopScope::Main, StopScope::Mixed, StopScope::None] {
        let parts = [task("ifup").stop_command("/sbin/ifdown").stop_scope(scope)];
        let mut rig = Rig::booted_but(parts, |rig| {
            rig.ends("ifup", millis(1), 0);
            rig.ends("/sbin/ifdown", secs(1), 0);
        });
        rig.pass(millis(1));
        let job = rig.restart("ifup");
        assert_eq!((rig.state("ifup"), rig.outcome(job)), ("stopping", None), "{scope:?}");
        rig.pass(secs(2));
        assert_eq!((rig.state("ifup"), rig.outcome(job)), ("done", Some(Outcome::Done)));
        rig.power(Power::Poweroff).expect("it goes down");
        rig.pass(secs(1));
        let run = ["/sbin/ifup", "/sbin/ifdown", "/sbin/ifup", "/sbin/ifdown"];
        assert_eq!((rig.started(), rig.finished()), (run.to_vec(), Some(Power::Poweroff)));
    }
}

/// One that failed has done nothing, and there is nothing to undo.
#[test]
fn what_a_task_did_not_do_is_not_undone() {
    let parts = [task("ifup").stop_command("/sbin/ifdown")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("ifup", millis(0), 1));
    rig.stop("ifup");
    assert_eq!((rig.state("ifup"), rig.started()), ("stopped", vec!["/sbin/ifup"]));
}

#[test]
fn a_task_runs_again_when_its_target_comes_again() {
    let parts = [task("once").forgets()];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("once", secs(0), 0));
    rig.target("rescue");
    rig.target("default");
    assert_eq!(rig.starts("once"), 2);
}

#[test]
fn any_exit_may_be_a_success() {
    let parts = [task("grep").ok_exit_any()];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("grep", secs(0), 1));
    assert_eq!(rig.state("grep"), "done");
    let parts = [task("missing").ok_exit_any()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("missing", Stage::Exec));
    assert_eq!(rig.state("missing"), "failed");
}

#[test]
fn a_task_that_takes_too_long_is_stopped_and_failed() {
    let mut rig = Rig::booted([task("endless").start_timeout(Some(secs(5)))]);
    rig.pass(secs(5));
    assert_eq!(rig.state("endless"), "failed");
    assert_eq!(rig.signals("endless"), ["SIGTERM"]);
    assert!(rig.reason("endless").contains("5s"), "{}", rig.reason("endless"));
}

#[test]
fn a_task_that_is_just_done_is_not_done_again_for_who_needs_it() {
    let parts =
        [task("migrate").after_stop(hook("/tidy")), service("web").manual().needs("migrate")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("migrate", millis(0), 0);
        rig.ends("/tidy", secs(1), 0);
    });
    rig.start("web");
    rig.pass(secs(5));
    assert_eq!((rig.starts("migrate"), rig.state("web")), (1, "up"));
}

#[test]
fn nor_for_a_person_who_starts_it_again_or_clears_it() {
    let migrate = || task("migrate").after_stop(hook("/tidy"));
    let tidying = |migrate: Part| {
        Rig::booted_but([migrate], |rig| {
            rig.ends("migrate", millis(0), 0);
            rig.ends("/tidy", secs(1), 0);
        })
    };
    let mut rig = tidying(migrate());
    assert_eq!(rig.label("migrate"), "cleaning");
    let job = rig.start("migrate");
    rig.reset("migrate");
    rig.pass(secs(5));
    assert_eq!((rig.starts("migrate"), rig.outcome(job)), (1, Some(Outcome::Done)));
    // But who restarts it wants it done again.
    let mut rig = tidying(migrate());
    let job = rig.restart("migrate");
    rig.pass(secs(5));
    assert_eq!((rig.starts("migrate"), rig.outcome(job)), (2, Some(Outcome::Done)));
    // One that does not remain ends well, too.
    let mut rig = tidying(migrate().forgets());
    rig.reset("migrate");
    rig.pass(secs(5));
    assert_eq!((rig.starts("migrate"), rig.label("migrate")), (1, "ended"));
}

/// To forget a failure is to start nothing that has not failed.
#[test]
fn what_has_ended_well_is_not_run_again_by_a_reset() {
    let web = service("web").restart(RestartWhen::OnFailure);
    let called = service("called").listens(80).at_boot().restart(RestartWhen::OnFailure);
    let mut rig = Rig::booted_but([task("job").forgets(), web, called], |rig| {
        rig.ends("job", millis(0), 0);
    });
    rig.exits("web", 0);
    rig.exits("called", 0);
    let labels = |rig: &Rig| ["job", "web", "called"].map(|name| rig.label(name));
    assert_eq!(labels(&rig), ["ended", "ended", "listening"]);
    for name in ["job", "web", "called"] {
        let answer = rig.ask(Request::Reset { name: name.to_owned() });
        let Ok(Reply::Done { message }) = answer else { panic!("{answer:?}") };
        assert_eq!(message, format!("{name}: cleared"));
    }
    rig.pass(secs(60));
    assert_eq!(labels(&rig), ["ended", "ended", "listening"]);
    assert_eq!(["job", "web", "called"].map(|name| rig.starts(name)), [1, 1, 1]);
}
