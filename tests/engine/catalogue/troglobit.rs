//! TF: what the C init of the same name tests.

use finit::facts::{Exit, NOBODY_LEFT, SignalNumber};
use finit::proto::{Outcome, Reply, Request};

use crate::build::{Part, hook, machine, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn tf3_a_task_that_crashes_during_the_boot_is_left_and_the_boot_ends() {
    let parts = [task("setup").early(), service("web").after("setup"), service("db")];
    let mut rig = Rig::booted_but(parts, |rig| {
        let crash = Exit::Signal { number: SignalNumber::parse("SEGV").unwrap(), core: true };
        rig.program("setup", Program { ends: Some((millis(1), crash)), ..Program::daemon() });
    });
    rig.pass(secs(3600));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", 1));
    assert!(rig.reason("setup").contains("SIGSEGV"), "{}", rig.reason("setup"));
    assert_eq!((rig.state("web"), rig.state("db")), ("up", "up"));
    assert_eq!((rig.machine().phase.as_str(), rig.said("boot finished in")), ("running", 1));
}

#[test]
fn tf4_a_task_runs_once_when_its_condition_comes_and_again_only_when_it_is_touched() {
    let condition = || service("condition");
    let job = |command: &str| task("job").needs("condition").forgets().runs(command);
    let parts = [condition(), job("/sbin/job")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("job", millis(1), 0);
        rig.hangs_before_exec("condition");
    });
    rig.pass(secs(10));
    assert_eq!((rig.state("job"), rig.starts("job")), ("waiting", 0));
    rig.mends("condition");
    rig.restart("condition");
    rig.pass(secs(1));
    assert_eq!(rig.starts("job"), 1);
    rig.apply([condition(), job("/sbin/job")]);
    rig.pass(secs(1));
    assert_eq!(rig.starts("job"), 1, "it is the same");
    rig.target("rescue");
    rig.target("default");
    rig.pass(secs(1));
    assert_eq!(rig.starts("job"), 2, "its target came again");
    rig.apply([condition(), job("/sbin/job --other")]);
    rig.pass(secs(1));
    assert_eq!(rig.starts("job"), 3, "it is another one");
}

#[test]
fn tf5_a_hundred_kills_are_a_crash_for_good_and_after_each_it_is_tidied_up() {
    let quick = service("web").delay(millis(1), millis(1)).burst(100, secs(3600));
    let mut rig = Rig::booted_but([quick.after_stop(hook("/tidy"))], |rig| {
        rig.ends("/tidy", millis(0), 0);
    });
    for kill in 1..=100 {
        rig.crashes("web");
        rig.pass(millis(100));
        assert_eq!(rig.state("web"), "up", "after {kill}");
    }
    rig.crashes("web");
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 101));
    let told = "SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=KILL";
    assert_eq!(rig.told("/tidy"), [told; 101]);
    let reason = rig.reason("web");
    assert_eq!(reason, "killed by SIGKILL; gave up after 100 restarts in 3600s");
}

/// The same where nobody kills it but it itself.
#[test]
fn tf5_a_program_that_crashes_by_itself_is_given_up_and_told_of_each_time() {
    let quick = service("web").delay(millis(1), millis(1)).burst(100, secs(3600));
    let mut rig = Rig::booted_but([quick.after_stop(hook("/tidy"))], |rig| {
        let crash = Exit::Signal { number: SignalNumber::parse("SEGV").unwrap(), core: true };
        rig.program("web", Program { ends: Some((millis(1), crash)), ..Program::daemon() });
        rig.ends("/tidy", millis(0), 0);
    });
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 101));
    let told = "SERVICE_RESULT=core-dump EXIT_CODE=dumped EXIT_STATUS=SEGV";
    assert_eq!(rig.told("/tidy"), [told; 101]);
    assert!(rig.reason("web").ends_with("gave up after 100 restarts in 3600s"));
}

#[test]
fn tf8_a_program_whose_daemon_dies_is_tried_again_and_again() {
    let quick = || service("p").forks().delay(secs(1), secs(1));
    let mut rig = Rig::booted([quick(), service("q").needs("p")]);
    let mut pids = Vec::new();
    for starts in 1..=7 {
        assert_eq!((rig.state("p"), rig.starts("p")), ("up", starts));
        pids.extend(rig.status("p").pid);
        rig.crashes("p");
        assert_eq!((rig.state("p"), rig.status("p").pid), ("restarting", None));
        rig.pass(secs(1));
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!((pids.len(), rig.starts("q")), (7, 1), "each time another daemon: {pids:?}");
    // It forks well each time, and there is no daemon by the time that it is looked for: its end is
    // one that nobody has seen, the oracle neither.
    let mut rig = Rig::booted_but([quick()], |rig| rig.ends("p?", secs(2), NOBODY_LEFT));
    rig.world.oracle = None;
    for starts in 1..=7 {
        assert_eq!((rig.state("p"), rig.starts("p")), ("starting", starts));
        rig.world.strays.clear();
        rig.pass(secs(2));
        assert_eq!(rig.state("p"), "restarting", "{}", rig.reason("p"));
        rig.pass(secs(1));
    }
    rig.mends("p?");
    rig.restart("p");
    assert_eq!(rig.state("p"), "up");
}

#[test]
fn tf10_a_name_stands_for_its_instances_and_not_for_what_begins_like_it() {
    let one = |name: &str| service(name).instance_of("foo");
    let mut rig = Rig::booted([one("foo@1"), one("foo@2"), one("foo@3"), service("foobar")]);
    rig.stop("foo");
    for name in ["foo@1", "foo@2", "foo@3"] {
        assert_eq!(rig.state(name), "stopped", "{name}");
    }
    assert_eq!((rig.state("foobar"), rig.status("foo").kind.as_str()), ("up", "template"));
    let mut shown = |pattern: &str| match rig.ask(Request::Status { name: pattern.to_owned() }) {
        Ok(Reply::Services(all)) => all.into_iter().map(|one| one.name).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown("foo@*"), ["foo@1", "foo@2", "foo@3"]);
    assert_eq!(shown("foo@[!2]"), ["foo@1", "foo@3"]);
    rig.restart("foo");
    assert_eq!((rig.starts("foo@1"), rig.starts("foo@3"), rig.starts("foobar")), (2, 2, 1));
}

#[test]
fn tf19_a_task_that_fails_is_tried_exactly_when_somebody_asks() {
    let parts = || [task("setup"), service("other")];
    let mut rig = Rig::booted_but(parts(), |rig| rig.ends("setup", millis(1), 1));
    rig.pass(secs(3600));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", 1));
    rig.apply(parts());
    rig.pass(secs(3600));
    assert_eq!(rig.starts("setup"), 1, "nobody touched it");
    for tries in 2..=5 {
        let job = rig.start("setup");
        rig.pass(secs(3600));
        assert_eq!((rig.starts("setup"), rig.outcome(job)), (tries, Some(Outcome::Failed)));
    }
    rig.apply([task("setup").runs("/opt/setup"), service("other")]);
    rig.pass(secs(3600));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", 6));
}

/// The runlevel half of it: who comes back from the rescue has mended something.
#[test]
fn tf19_a_task_that_failed_is_tried_exactly_once_when_its_target_comes() {
    let off = || service("off").restart_never();
    let parts = [task("setup"), service("web").needs("db"), db(), off().manual()];
    let mut rig = Rig::booted_but(parts, |rig| {
        for name in ["setup", "db", "off"] {
            rig.ends(name, millis(1), 1);
        }
        rig.step("mount-local", Some((millis(0), Err("no such disk".to_owned()))));
    });
    rig.start("off");
    rig.pass(secs(60));
    for tries in 1..4 {
        assert_eq!(["setup", "db", "off"].map(|name| rig.starts(name)), [tries, tries, 1]);
        assert_eq!((rig.state("off"), rig.state("web")), ("failed", "waiting"));
        rig.target("rescue");
        rig.pass(secs(3600));
        assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", tries));
        rig.target("default");
        rig.pass(secs(3600));
    }
    for name in ["setup", "db"] {
        rig.ends(name, millis(1), 0);
    }
    rig.step("mount-local", Some((millis(0), Ok(None))));
    rig.mends("db");
    rig.target("emergency");
    rig.pass(secs(60));
    assert_eq!(rig.state("mount-local"), "failed", "nothing is touched in an emergency");
    rig.target("default");
    rig.pass(secs(60));
    assert_eq!((rig.state("setup"), rig.state("db"), rig.state("web")), ("done", "up", "up"));
    assert_eq!((rig.state("off"), rig.state("mount-local")), ("failed", "done"));
}

fn db() -> Part {
    service("db").restart_never().manual()
}

#[test]
fn tf21_the_target_of_the_kernel_command_line_is_the_one_that_is_booted() {
    let parts = [service("web"), service("shell").in_target("rescue"), service("base").manual()];
    let shell = parts[1].clone().needs("base");
    let [web, _, base] = parts;
    let mut rig = Rig::cold(machine([web, shell, base]), "rescue");
    rig.boot();
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 0));
    assert_eq!((rig.state("shell"), rig.state("base")), ("up", "up"));
    assert_eq!(rig.machine().target, "rescue");
}

/// There it ended as running, with pid 0; and a reload made another kind of service of it.
#[test]
fn tf26_a_stop_in_the_delay_leaves_nothing_and_a_reload_keeps_how_it_starts() {
    let parts = || [service("svc").forks().delay(secs(5), secs(5))];
    let mut rig = Rig::booted(parts());
    rig.crashes("svc");
    assert_eq!(rig.state("svc"), "restarting");
    assert_eq!(rig.apply(parts()), "nothing changed");
    let job = rig.stop("svc");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    rig.pass(secs(3600));
    let status = rig.status("svc");
    assert_eq!((status.state.word(), status.pid, rig.starts("svc")), ("stopped", None, 1));
    // Still one that leaves a daemon behind: nobody is it until it is found.
    rig.program("svc?", Program::ends(secs(2), 0));
    rig.start("svc");
    rig.pass(secs(1));
    assert_eq!((rig.state("svc"), rig.status("svc").pid), ("starting", None));
    rig.pass(secs(1));
    assert_eq!((rig.state("svc"), rig.starts("svc")), ("up", 2));
}
