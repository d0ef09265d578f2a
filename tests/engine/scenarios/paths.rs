//! Paths that a service waits for.

use finit::engine::{Event, Verdict};
use finit::proto::{Outcome, Power, Request};

use crate::build::{secs, service, task};
use crate::rig::Rig;

#[test]
fn one_that_needs_a_path_waits_for_it_and_comes_by_itself() {
    let parts = [
        service("web").needs_path("/dev/a").needs_path("/dev/b"),
        service("late").after("web"),
        service("user").needs("web"),
    ];
    let mut rig = Rig::booted(parts);
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/a"));
    assert_eq!((rig.state("late"), rig.machine().phase.as_str()), ("up", "running"));
    assert_eq!(rig.reason("user"), "waits for web, which is waiting for /dev/a");
    rig.pass(secs(3600));
    rig.path("/dev/a");
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/b"));
    rig.path("/dev/b");
    assert_eq!((rig.state("web"), rig.state("user"), rig.starts("web")), ("up", "up", 1));
    // One that goes away later does not stop it, but the next start waits again.
    rig.path_goes("/dev/a");
    rig.pass(secs(60));
    assert_eq!(rig.state("web"), "up");
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/a"));
    rig.path("/dev/a");
    assert_eq!((rig.state("web"), rig.state("user")), ("up", "up"));
}

#[test]
fn whoever_waits_for_a_path_can_be_stopped_started_and_edited() {
    let web = || service("web").needs_path("/dev/a");
    let mut rig = Rig::booted([web()]);
    assert_eq!(rig.world.awaited.len(), 1);
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert_eq!(rig.last_word(job), "waiting: waits for /dev/a");
    let run = *rig.world.awaited.first_key_value().expect("a look-out").0;
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert_eq!(rig.world.awaited.len(), 0, "nobody looks out any more");
    rig.world.turn(Event::Arrived { run });
    assert_eq!(rig.state("web"), "stopped");
    rig.start("web");
    rig.apply([service("web").needs_path("/dev/b")]);
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/b"));
    rig.apply([service("web")]);
    assert_eq!((rig.state("web"), rig.world.awaited.len()), ("up", 0));
    let mut rig = Rig::booted([web()]);
    rig.power(Power::Halt).unwrap();
    assert_eq!(rig.finished(), Some(Power::Halt));
}

#[test]
fn who_waits_for_a_path_and_loses_a_need_waits_for_that() {
    let parts = [service("db"), service("web").needs("db").needs_path("/dev/a")];
    let mut rig = Rig::booted(parts);
    rig.stop("db");
    assert_eq!(rig.reason("web"), "waits for db, which is stopped");
    assert_eq!(rig.world.awaited.len(), 0);
    rig.start("db");
    assert_eq!(rig.reason("web"), "waits for /dev/a");
}

#[test]
fn a_path_that_comes_and_goes_all_the_time_is_not_followed_at_its_pace() {
    let mut rig = Rig::booted([service("web").needs_path("/dev/a")]);
    for _ in 0..150 {
        let runs: Vec<_> = rig.world.awaited_runs("/dev/a");
        runs.into_iter().for_each(|run| rig.world.arrive(run));
        rig.now();
    }
    assert_eq!((rig.state("web"), rig.label("web")), ("restarting", "backoff"));
    assert!(rig.reason("web").starts_with("/dev/a comes and goes; again in "));
    rig.pass(secs(2));
    assert_eq!(rig.reason("web"), "waits for /dev/a");
}

#[test]
fn looks_go_on_when_finit_executes_itself() {
    let parts = [
        service("web").needs_path("/dev/a"),
        service("skip").only_if("/etc/skip"),
        service("slow").only_if("/etc/slow").manual(),
    ];
    let mut rig = Rig::booted_but(parts, |rig| rig.skips("skip", "not here"));
    rig.look_hangs("slow");
    rig.start("slow");
    rig.mends("slow");
    rig.world.anew();
    rig.now();
    assert_eq!(
        [rig.state("slow"), rig.state("skip"), rig.state("web")],
        ["up", "skipped", "waiting"]
    );
    rig.path("/dev/a");
    assert_eq!(rig.state("web"), "up");
}

/// Found by seed 2815: it waited for what no definition asked for any more, until the next upgrade.
#[test]
fn an_edit_during_the_look_is_what_it_waits_for() {
    let mut rig = Rig::booted_but([service("web").needs_path("/dev/a")], |rig| {
        rig.look_hangs("web");
    });
    let run = rig.world.looks.first().copied().expect("a look");
    rig.look_at([service("web").needs_path("/dev/b")]);
    rig.world.fates.looks.clear();
    rig.world.looked(run, Ok(Verdict::Missing("/dev/a".into())));
    rig.now();
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/b"));
    rig.path("/dev/b");
    assert_eq!(rig.state("web"), "up");
}

/// Found by seeds 951 and 1176: it was looked at again and again, at once and without end.
#[test]
fn one_whose_newer_definition_waits_to_be_followed_waits_for_its_own_path() {
    let web = || service("web").needs_path("/dev/a");
    let mut rig = Rig::booted_but([web()], |rig| rig.look_hangs("web"));
    let run = rig.world.looks.first().copied().expect("a look");
    rig.look_at([web().in_target("other")]);
    rig.world.fates.looks.clear();
    rig.world.looked(run, Ok(Verdict::Missing("/dev/a".into())));
    rig.now();
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("waiting", "waits for /dev/a"));
    rig.path("/dev/a");
    assert_eq!(rig.state("web"), "up");
}

/// Found by seed 7571: a restart that moves what the waiting one comes after.
#[test]
fn one_that_waits_for_a_path_is_not_stirred_by_what_it_only_comes_after() {
    let parts = [
        service("screen").restart_never(),
        service("camera").wants("screen").after("screen").needs_path("/dev/video0"),
        task("show").wants("camera").conflicts("screen"),
    ];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("show", secs(1), 1));
    for _ in 0..3 {
        rig.restart("show");
        rig.pass(secs(5));
    }
    assert_eq!(
        (rig.state("camera"), rig.reason("camera").as_str()),
        ("waiting", "waits for /dev/video0")
    );
    assert!(rig.starts("show") >= 3);
}

/// Found by seed 56301: what it needs is restarted in the moment in which another is started.
#[test]
fn who_waits_for_a_path_and_is_looked_at_again_is_waited_for() {
    let parts = [
        service("db"),
        service("web").needs("db").needs_path("/dev/a"),
        service("page").after("web").manual(),
    ];
    let mut rig = Rig::booted(parts);
    rig.look_hangs("web");
    let names = vec!["db".to_owned(), "page".to_owned()];
    rig.ask(Request::Restart { names }).expect("a job");
    assert_eq!((rig.state("db"), rig.label("web")), ("up", "starting"));
    assert_eq!(rig.reason("page"), "waits for web, which is starting");
    let run = rig.world.looks.first().copied().expect("a look");
    rig.world.looked(run, Ok(Verdict::Missing("/dev/a".into())));
    rig.now();
    assert_eq!((rig.state("web"), rig.state("page")), ("waiting", "up"));
}
