//! What must hold before a service starts.

use finit::engine::{Event, Verdict};
use finit::facts::Stage;
use finit::proto::{Code, Outcome, Power, Reply, Request};

use crate::build::{hook, millis, secs, service, task};
use crate::rig::Rig;

const WHY: &str = "only-if.exists = /etc/web: it does not exist";

fn skipped() -> Rig {
    Rig::booted_but([service("web").only_if("/etc/web")], |rig| rig.skips("web", WHY))
}

#[test]
fn a_service_without_conditions_is_not_looked_at() {
    let rig = Rig::booted([service("web")]);
    assert!(!rig.story().contains("Check"), "{}", rig.story());
}

#[test]
fn what_holds_is_no_obstacle() {
    let web = service("web").needs_path("/dev/x").only_if("/etc/web").asserts("/srv");
    let mut rig = Rig::booted_but([web], |rig| rig.path("/dev/x"));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn one_whose_condition_does_not_hold_is_skipped_with_the_reason() {
    let mut rig = skipped();
    assert_eq!((rig.state("web"), rig.starts("web")), ("skipped", 0));
    assert_eq!(rig.reason("web"), WHY);
    assert_eq!(rig.said(&format!("web is skipped: {WHY}")), 1);
    assert_eq!(rig.machine().phase, "running");
    let report = rig.status("web");
    assert_eq!((report.restarts, report.pid), (0, None));
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("skipped", 0));
}

#[test]
fn a_skipped_one_is_there_for_those_who_need_want_or_follow_it() {
    let mut rig = Rig::booted_but(
        [
            service("web").only_if("/etc/web"),
            service("a").needs("web"),
            service("b").wants("web"),
            service("c").after("web"),
        ],
        |rig| rig.skips("web", WHY),
    );
    for name in ["a", "b", "c"] {
        assert_eq!(rig.state(name), "up", "{name}");
    }
}

#[test]
fn what_is_bound_to_a_skipped_one_waits() {
    let mut rig = Rig::booted_but(
        [service("web").only_if("/etc/web"), service("a").bound_to("web"), service("b").needs("a")],
        |rig| rig.skips("web", WHY),
    );
    assert_eq!(rig.reason("a"), "waits for web, which is skipped");
    assert_eq!((rig.state("b"), rig.machine().phase.as_str()), ("waiting", "running"));
    rig.mends("web");
    rig.start("web");
    assert_eq!([rig.state("web"), rig.state("a"), rig.state("b")], ["up"; 3]);
    // Skipped after a crash, it takes the bound one with it.
    rig.skips("web", WHY);
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!([rig.state("web"), rig.state("a")], ["skipped", "waiting"]);
}

#[test]
fn those_who_need_it_wait_for_the_look() {
    let parts = [service("web").only_if("/etc/web"), service("a").needs("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.look_hangs("web"));
    assert_eq!((rig.state("web"), rig.state("a")), ("starting", "waiting"));
    assert_eq!(rig.machine().phase, "booting");
}

#[test]
fn a_skipped_one_is_looked_at_again_when_somebody_starts_it() {
    for start in [Rig::start, Rig::restart] {
        let mut rig = skipped();
        let job = start(&mut rig, "web");
        assert_eq!((rig.state("web"), rig.outcome(job)), ("skipped", Some(Outcome::Done)));
        assert_eq!(rig.last_word(job), format!("skipped: {WHY}"));
        rig.mends("web");
        let job = start(&mut rig, "web");
        assert_eq!((rig.state("web"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    }
}

#[test]
fn a_skipped_one_is_looked_at_again_when_somebody_starts_what_needs_it() {
    let parts = [service("web").only_if("/etc/web"), service("a").needs("web").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.skips("web", WHY));
    rig.mends("web");
    rig.start("a");
    assert_eq!([rig.state("web"), rig.state("a")], ["up"; 2]);
}

#[test]
fn a_skipped_one_is_looked_at_again_when_the_file_is_applied_and_only_then() {
    let parts = || [service("web").only_if("/etc/web"), service("a").needs("web")];
    let mut rig = Rig::booted_but(parts(), |rig| rig.skips("web", WHY));
    rig.mends("web");
    rig.look_at(parts());
    assert_eq!(rig.state("web"), "skipped");
    assert_eq!(rig.apply(parts()), "nothing changed");
    assert_eq!((rig.state("web"), rig.starts("a")), ("up", 1));
}

#[test]
fn an_edited_definition_is_looked_at_as_it_is_now() {
    let mut rig = skipped();
    rig.look_at([service("web")]);
    assert_eq!(rig.state("web"), "skipped");
    rig.apply([service("web")]);
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn it_is_looked_at_before_each_start_of_its_own_too() {
    let mut rig = Rig::booted([service("web").only_if("/etc/web")]);
    rig.skips("web", WHY);
    assert_eq!(rig.state("web"), "up", "what runs is left alone");
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("skipped", 1));
}

#[test]
fn a_skipped_one_can_be_stopped_and_removed() {
    let mut rig = skipped();
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    let mut rig = skipped();
    rig.apply([]);
    assert_eq!(rig.label("web"), "unknown");
    let mut rig = skipped();
    assert_eq!(rig.reload("web").map_err(|refusal| refusal.code), Err(Code::NotSupported));
    rig.power(Power::Poweroff).unwrap();
    assert_eq!(rig.finished(), Some(Power::Poweroff));
}

#[test]
fn a_skipped_one_is_no_rival() {
    let parts = [service("web").only_if("/etc/web").conflicts("b"), service("b")];
    let mut rig = Rig::booted_but(parts, |rig| rig.skips("web", WHY));
    assert_eq!([rig.state("web"), rig.state("b")], ["skipped", "up"]);
}

#[test]
fn a_skipped_one_holds_no_sockets() {
    let web = || service("web").listens(80).only_if("/etc/web");
    let mut rig = Rig::booted_but([web()], |rig| rig.skips("web", WHY));
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("skipped", 0));
    rig.mends("web");
    rig.reset("web");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("listening", 1));
    // At the first connection it is looked at once more.
    rig.skips("web", WHY);
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.world.bound.len(), rig.starts("web")), ("skipped", 0, 0));
    let mut rig = Rig::booted([web()]);
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn an_assertion_that_does_not_hold_is_a_failure_until_somebody_asks() {
    let why = "assert.exists = /srv: it does not exist";
    let parts = [service("web").asserts("/srv"), service("a").needs("web"), task("help").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails("web", why));
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why));
    assert_eq!(rig.reason("a"), "waits for web, which is failed");
    assert_eq!(rig.trouble(), [format!("web failed: {why}")]);
    rig.pass(secs(3600));
    assert_eq!((rig.state("web"), rig.status("web").restarts), ("failed", 0));
    let job = rig.start("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("failed", Some(Outcome::Failed)));
    rig.mends("web");
    rig.start("web");
    assert_eq!([rig.state("web"), rig.state("a")], ["up"; 2]);
}

/// Nor does anybody answer meanwhile, so it holds no sockets: who connects is told at once.
#[test]
fn an_assertion_that_does_not_hold_any_more_leaves_nobody_waiting_at_its_sockets() {
    let mut rig = Rig::booted([service("web").listens(80).asserts("/srv")]);
    let is_bound = |rig: &Rig| !rig.world.bound.is_empty();
    assert_eq!((rig.state("web"), is_bound(&rig)), ("listening", true));
    rig.fails("web", "no /srv");
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), is_bound(&rig)), ("failed", false));
    rig.mends("web");
    rig.reset("web");
    assert_eq!((rig.state("web"), is_bound(&rig)), ("listening", true));
}

#[test]
fn a_failed_assertion_calls_for_help() {
    let parts = [service("web").asserts("/srv").on_failure("help"), task("help").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails("web", "no"));
    assert_eq!((rig.state("web"), rig.starts("help")), ("failed", 1));
}

#[test]
fn a_stop_while_it_is_looked_at_works_at_once_and_a_late_answer_is_ignored() {
    let parts = [service("web").only_if("/etc/web").after_stop(hook("/tidy"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.look_hangs("web"));
    let run = *rig.world.looks.first().expect("a look");
    assert_eq!(rig.reason("web"), "its conditions are being looked at");
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert!(rig.world.looks.is_empty(), "nobody looks any more");
    assert!(rig.started().is_empty(), "nothing ran, so nothing is tidied up");
    for verdict in [Verdict::Holds, Verdict::Skips("late".to_owned()), Verdict::Fails("l".into())] {
        rig.world.turn(Event::Checked { run, result: Ok(verdict) });
        rig.now();
        assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 0));
    }
    // Nor is it taken for the answer of the next look.
    rig.start("web");
    rig.world.turn(Event::Checked { run, result: Ok(Verdict::Holds) });
    assert_eq!(rig.state("web"), "starting");
}

#[test]
fn a_restart_while_it_is_looked_at_looks_anew() {
    let parts = [service("web").only_if("/etc/web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.look_hangs("web"));
    rig.mends("web");
    rig.restart("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_power_off_while_it_is_looked_at_does_not_wait() {
    let parts = [service("web").only_if("/etc/web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.look_hangs("web"));
    rig.power(Power::Poweroff).unwrap();
    assert_eq!(rig.finished(), Some(Power::Poweroff));
}

#[test]
fn a_look_that_takes_too_long_is_a_failed_start() {
    let web = service("web").only_if("/nfs/web").restart_never();
    let mut rig = Rig::booted_but([web], |rig| rig.look_hangs("web"));
    rig.pass(secs(61));
    let why = "its conditions could not be looked at in 60s: a file system does not answer";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why));
    assert!(rig.world.looks.is_empty());
    // A task may take for ever, a look may not.
    let job = task("job").only_if("/nfs/job").start_timeout(None);
    let mut rig = Rig::booted_but([job], |rig| rig.look_hangs("job"));
    rig.pass(secs(61));
    assert_eq!((rig.state("job"), rig.reason("job").as_str()), ("failed", why));
    // By its policy it is tried again.
    let web = service("web").only_if("/nfs/web");
    let mut rig = Rig::booted_but([web], |rig| rig.look_hangs("web"));
    rig.mends("web");
    rig.pass(secs(61));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_look_that_cannot_be_taken_is_a_failed_start() {
    let web = service("web").only_if("/etc/web").restart_never();
    let mut rig = Rig::booted_but([web], |rig| rig.clone_fails("look"));
    let error = crate::rig::error(Stage::Clone);
    let why = format!("its conditions could not be looked at: {error}");
    assert_eq!((rig.state("web"), rig.reason("web")), ("failed", why));
}

#[test]
fn the_look_is_a_part_of_the_start_timeout() {
    let web = service("web").only_if("/x").before_start(hook("/a")).restart_never();
    let mut rig = Rig::booted_but([web.start_timeout(Some(secs(10)))], |rig| {
        rig.look_hangs("web");
        rig.stubborn("/a");
    });
    rig.pass(secs(8));
    let run = *rig.world.looks.first().expect("a look");
    rig.world.looked(run, Ok(Verdict::Holds));
    rig.pass(millis(1_900));
    assert_eq!(rig.state("web"), "starting");
    rig.pass(millis(200));
    assert_eq!(rig.state("web"), "stopping");
}

#[test]
fn why_names_the_condition() {
    let mut rig = skipped();
    let Ok(Reply::Why(chapters)) = rig.ask(Request::Why { name: "web".to_owned() }) else {
        panic!("no story");
    };
    assert_eq!((chapters[0].state.word(), chapters[0].reason.as_str()), ("skipped", WHY));
    let told: Vec<_> = chapters[0].because.iter().map(|because| because.text.as_str()).collect();
    assert_eq!(told, ["its conditions", "the boot"]);

    let mut rig = Rig::booted([service("web").needs_path("/dev/a"), service("a").needs("web")]);
    let Ok(Reply::Why(chapters)) = rig.ask(Request::Why { name: "a".to_owned() }) else {
        panic!("no story");
    };
    let told: Vec<_> = chapters.iter().map(|chapter| chapter.reason.as_str()).collect();
    assert_eq!(told, ["waits for web, which is waiting for /dev/a", "waits for /dev/a"]);
}

#[test]
fn a_plan_names_the_keys() {
    let mut rig = skipped();
    let edited = service("web").needs_path("/a").asserts("/b").only_if_command(hook("/c"));
    let spec = std::rc::Rc::new(crate::build::machine([edited]));
    let plan = rig.world.engine.plan(spec);
    assert_eq!(plan.len(), 1);
    assert_eq!(plan[0].why, "changed: needs-path, only-if, assert, only-if-command");
    assert_eq!(rig.state("web"), "skipped");
}
