//! DI: what dinit tests with whole machines, where the engine alone can show it.

use std::rc::Rc;

use finit::proto::Outcome;

use crate::build::{machine, secs, service, with_targets};
use crate::fates::Program;
use crate::rig::Rig;

/// dinit refuses such a reload; here the file is what should be, and the machine is made so.
#[test]
fn di13_a_need_that_is_new_in_the_file_is_brought_up_first() {
    let slow = |rig: &mut Rig| {
        rig.program("db", Program { executes: Some(secs(2)), ..Program::daemon() });
    };
    let mut rig = Rig::booted_but([service("web"), service("db").manual()], slow);
    assert_eq!((rig.state("web"), rig.state("db")), ("up", "stopped"));
    rig.apply([service("web").needs("db"), service("db").manual()]);
    assert_eq!((rig.state("web"), rig.state("db")), ("waiting", "starting"));
    rig.pass(secs(2));
    assert_eq!((rig.state("web"), rig.state("db")), ("up", "up"));
}

#[test]
fn di14_a_stopped_service_starts_with_the_needs_of_the_new_file() {
    let below = || [service("old").manual(), service("new").manual()];
    let mut rig = Rig::booted([vec![service("web").needs("old")], below().to_vec()].concat());
    rig.stop("web");
    assert_eq!(rig.state("old"), "stopped");
    rig.apply([vec![service("web").needs("new")], below().to_vec()].concat());
    assert_eq!((rig.state("web"), rig.state("new")), ("stopped", "stopped"));
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("old"), rig.state("new")), ("stopped", "up"));
    assert_eq!(rig.starts("old"), 1);
}

#[test]
fn di16_a_want_that_comes_and_goes_with_the_file_starts_and_releases() {
    let cache = || service("cache").manual();
    let mut rig = Rig::booted([service("web"), cache()]);
    assert_eq!(rig.state("cache"), "stopped");
    rig.apply([service("web").wants("cache"), cache()]);
    assert_eq!((rig.state("web"), rig.state("cache")), ("up", "up"));
    rig.apply([service("web"), cache()]);
    assert_eq!((rig.state("web"), rig.state("cache")), ("up", "stopped"));
}

/// `before` on one side and `needs` on the other say the same: that is no circle.
#[test]
fn di20_before_is_no_dependency() {
    let mut rig = Rig::booted([service("first").manual().before("second"), service("second")]);
    assert_eq!((rig.state("first"), rig.state("second")), ("stopped", "up"));
    rig.start("first");
    rig.stop("first");
    assert_eq!((rig.state("second"), rig.starts("second")), ("up", 1));

    let text = "[service.first]\ncommand = '/sbin/first'\nbefore = 'second'\nstart = 'manual'\n\
                [service.second]\ncommand = '/sbin/second'\nneeds = 'first'\n";
    let loaded = finit::config::parse(&[finit::config::Source::new("/etc/finit.toml", text)]);
    assert!(loaded.errors().is_empty(), "{:?}", loaded.errors());
    let mut rig = Rig::cold(loaded.spec, "default");
    rig.boot();
    assert_eq!((rig.state("second"), rig.started()[0]), ("up", "/sbin/first"));
}

/// What is asked for and cannot come says at which stage, and that it was too slow.
#[test]
fn di18_a_start_that_fails_says_at_which_stage_or_that_it_took_too_long() {
    use finit::facts::Stage;
    let never = |name: &str| service(name).manual().restart_never();
    let parts = [never("lost"), never("slow").start_timeout(Some(secs(5)))];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.fails_at("lost", Stage::Exec);
        rig.hangs_before_exec("slow");
    });
    let lost = rig.start("lost");
    let slow = rig.start("slow");
    rig.pass(secs(5));
    assert_eq!(rig.outcome(lost), Some(Outcome::Failed));
    assert!(rig.reason("lost").starts_with("exec: No such file"), "{}", rig.reason("lost"));
    assert_eq!(rig.outcome(slow), Some(Outcome::Failed));
    assert!(rig.last_word(slow).contains("not ready after 5s"), "{}", rig.last_word(slow));
}

/// A target goes and comes with those that need it; what it is made of runs on.
#[test]
fn di7_a_restart_of_what_has_no_process_takes_those_along_that_need_it() {
    let parts = [
        service("part").manual(),
        service("needed").manual(),
        service("above").needs("group"),
        service("beside").wants("group"),
    ];
    let names = ["group", "part", "needed", "above", "beside"];
    let mut spec = with_targets(machine(parts), &[("group", &["part"])]);
    Rc::make_mut(&mut spec.targets[0]).needs.push(vec!["needed".to_owned()]);
    let mut rig = Rig::cold(spec, "default");
    rig.boot();
    for restarts in 1..=3 {
        let job = rig.restart("group");
        rig.pass(secs(1));
        assert_eq!(rig.outcome(job), Some(Outcome::Done));
        assert_eq!(names.map(|name| rig.state(name)), ["up"; 5]);
        assert_eq!(names.map(|name| rig.starts(name)), [0, 1, 1, restarts + 1, 1]);
    }
    let job = rig.stop("group");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    let down = ["stopped", "stopped", "stopped", "waiting", "up"];
    assert_eq!(names.map(|name| rig.state(name)), down);
    // One that is down is started by it.
    let job = rig.restart("group");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(names.map(|name| rig.state(name)), ["up"; 5]);
}
