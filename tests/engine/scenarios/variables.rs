//! Files of variables are read by others, before each program of a start.

use finit::engine::Verdict;
use finit::facts::{Errno, SpawnError, Stage};
use finit::proto::Outcome;

use crate::build::{hook, secs, service, task};
use crate::rig::Rig;

fn unreadable() -> SpawnError {
    let subject = "/etc/default/web".to_owned();
    SpawnError { stage: Stage::EnvFile, errno: Errno(libc::ENOENT), subject }
}

#[test]
fn they_are_read_anew_before_each_program_of_a_start() {
    let web = service("web").env_file("/run/web").before_start(hook("/make"));
    let make = task("make").env_file("/run/make").then_runs("/second");
    let mut rig = Rig::booted_but([web, make, service("plain")], |rig| {
        rig.ends("/make", secs(1), 0);
        rig.ends("make", secs(1), 0);
    });
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), rig.state("make"), rig.state("plain")), ("up", "done", "up"));
    let read = |rig: &Rig, name: &str| {
        let reads =
            |line: &&str| line.contains("< read variables") && line.ends_with(&format!(" {name}"));
        rig.story().lines().filter(reads).count()
    };
    // The command before may have written them.
    assert_eq!((read(&rig, "web"), read(&rig, "make"), read(&rig, "plain")), (2, 2, 0));
    rig.crashes("web");
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), read(&rig, "web")), ("up", 4));
}

#[test]
fn one_that_cannot_be_read_is_a_failed_start_that_says_which() {
    let web = || service("web").env_file("/etc/default/web").restart_never();
    let mut rig = Rig::booted_but([web()], |rig| rig.reads("web", Some(Err(unreadable()))));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 0));
    let why = "env-file /etc/default/web: No such file or directory (ENOENT)";
    assert_eq!(rig.reason("web"), why);
    rig.reads("web", Some(Ok(())));
    rig.start("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_file_system_that_does_not_answer_costs_its_start_alone() {
    let parts = [
        service("web").env_file("/nfs/web").restart_never().start_timeout(None),
        service("needs").needs("web"),
        service("other"),
    ];
    let mut rig = Rig::booted_but(parts, |rig| rig.reads("web", None));
    assert_eq!((rig.state("web"), rig.state("other")), ("starting", "up"));
    assert_eq!(rig.reason("web"), "its env-file is being read");
    rig.pass(secs(61));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 0));
    assert!(rig.reason("web").contains("its env-file has not been read"), "{}", rig.reason("web"));
    assert!(rig.world.looks.is_empty(), "nobody reads any more");
}

#[test]
fn whoever_is_stopped_while_they_are_read_does_not_start() {
    let mut rig = Rig::booted_but([service("web").env_file("/nfs/web")], |rig| {
        rig.reads("web", None);
    });
    let run = *rig.world.looks.first().expect("somebody reads");
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert!(rig.world.looks.is_empty(), "nobody reads any more");
    rig.world.turn(finit::engine::Event::Checked { run, result: Ok(Verdict::Holds) });
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 0));
}

#[test]
fn connections_get_what_was_read_when_it_began_to_listen() {
    let web = |file: &str| service("web").inetd(80).env_file(file);
    let mut rig = Rig::booted_but([web("/one")], |rig| rig.reads("web", None));
    assert_eq!(rig.state("web"), "starting");
    let run = *rig.world.looks.first().expect("somebody reads");
    rig.world.looked(run, Ok(Verdict::Holds));
    assert_eq!(rig.state("web"), "listening");
    rig.connect("web", "me");
    assert_eq!((rig.starts("web"), rig.world.looks.len()), (1, 0));
    // Another file has to be read first.
    rig.apply([web("/two")]);
    rig.pass(secs(100));
    assert_eq!((rig.state("web"), rig.world.looks.len()), ("starting", 1));
}
