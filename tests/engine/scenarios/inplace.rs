//! What of an edited definition no process sees is followed without a restart.

use finit::config::spec::{Check, Health, LogTarget, OwnLog, Ready, StopScope};
use finit::proto::Outcome;

use super::plan::plan;
use crate::build::{Part, hook, millis, secs, service, task};
use crate::rig::Rig;

fn described(mut part: Part) -> Part {
    part.0.description = "another word".to_owned();
    part
}

#[test]
fn what_no_process_sees_restarts_neither_it_nor_those_that_need_it() {
    let s = || service("s");
    let check = Health {
        check: Check::Command(Box::new(hook("/sbin/healthy"))),
        every: secs(10),
        timeout: secs(2),
        failures: 3,
    };
    let edits: [(&str, Part); 17] = [
        ("description", described(s())),
        ("alias", s().alias("other")),
        ("enabled", s().disabled()),
        ("start", s().manual()),
        ("restart", s().restart_never()),
        ("stop", s().stop_scope(StopScope::Main)),
        ("stop", s().stop_command("/sbin/ask")),
        ("start-timeout", s().start_timeout(Some(secs(1)))),
        ("reload", s().reloads_by_signal("HUP")),
        ("on-failure", s().on_failure("dep")),
        ("ok-exit", s().ok_exit_any()),
        ("after-start, after-stop", s().after_start(hook("/a")).after_stop(hook("/b"))),
        ("provides", s().provides("name")),
        ("only-if", s().only_if("/etc/no-such-thing")),
        ("health", s().health(check)),
        ("utmp", s().utmp("1")),
        ("ready", s().ready(Ready::Found(finit::config::spec::Probe::File("/run/s".into())))),
    ];
    for (key, edited) in edits {
        let dep = || service("dep").needs("s");
        let mut rig = Rig::booted([s(), dep()]);
        let parts = || [edited.clone(), dep()];
        assert_eq!(plan(&rig, parts()), [format!("update s: changed: {key}")]);
        assert_eq!(rig.apply(parts()), "0 added, 1 changed (1 in place), 0 removed", "{key}");
        rig.pass(millis(10));
        assert_eq!((rig.starts("s"), rig.starts("dep")), (1, 1), "{key}");
        assert_eq!((rig.state("s"), rig.state("dep")), ("up", "up"), "{key}");
        assert_eq!(plan(&rig, parts()), Vec::<String>::new(), "{key}");
    }
}

#[test]
fn what_a_process_sees_restarts_it() {
    let s = || service("s");
    let edits = [
        ("command", s().runs("/opt/s")),
        ("before-start", s().before_start(hook("/a"))),
        ("stdin", s().reads("/a")),
        ("ready", s().notifies()),
        ("watchdog", s().watchdog(secs(3))),
        ("dynamic-user", s().own_user()),
        ("capabilities", s().capability(10)),
        ("needs", s().needs("db")),
        ("bound-to", s().bound_to("db")),
        ("conflicts", s().conflicts("idle")),
    ];
    let others = || [service("db"), service("idle").manual()];
    for (key, edited) in edits {
        let mut rig = Rig::booted([vec![s()], others().to_vec()].concat());
        let parts = || [vec![edited.clone()], others().to_vec()].concat();
        assert_eq!(plan(&rig, parts()), [format!("restart s: changed: {key}")]);
        assert_eq!(rig.apply(parts()), "0 added, 1 changed, 0 removed");
        assert_eq!(rig.stopped(), ["s"], "{key}");
        // And what it loses of that again is no reason.
        let loses = ["needs", "bound-to", "conflicts"].contains(&key);
        let parts = || [vec![s()], others().to_vec()].concat();
        let verb = if loses { "update" } else { "restart" };
        assert_eq!(plan(&rig, parts()), [format!("{verb} s: changed: {key}")]);
    }
}

#[test]
fn what_runs_is_stopped_and_comes_back_by_the_new_policy() {
    let s = || service("s").stop_timeout(None);
    let mut rig = Rig::booted_but([s()], |rig| rig.stubborn("s"));
    rig.apply([s().stop_timeout(Some(secs(2))).restart_never()]);
    let job = rig.stop("s");
    rig.pass(secs(2));
    assert!(rig.outcome(job).is_some());
    rig.mends("s");
    rig.start("s");
    rig.crashes("s");
    assert_eq!((rig.state("s"), rig.starts("s")), ("failed", 2));
}

#[test]
fn a_stop_that_would_never_end_ends_by_a_new_timeout() {
    let s = || service("s").stop_timeout(None);
    let mut rig = Rig::booted_but([s()], |rig| rig.stubborn("s"));
    rig.stop("s");
    rig.pass(secs(100));
    assert_eq!(rig.state("s"), "stopping");
    rig.apply([s().stop_timeout(Some(secs(2)))]);
    rig.pass(secs(2));
    assert_eq!(rig.state("s"), "stopped");
}

#[test]
fn a_stop_command_gets_the_time_that_the_new_file_gives_it() {
    let s = |time| service("s").stop_command("/sbin/halt").stop_timeout(Some(secs(time)));
    let mut rig = Rig::booted_but([s(10)], |rig| {
        rig.stubborn("s");
        rig.stubborn("/sbin/halt");
    });
    rig.stop("s");
    rig.apply([s(60)]);
    rig.pass(secs(30));
    assert_eq!(rig.reason("s"), "runs stop.command: /sbin/halt (30 s left)");
    rig.pass(secs(31));
    assert!(!rig.reason("s").contains("stop.command: "), "{}", rig.reason("s"));
}

#[test]
fn a_start_gets_the_time_that_the_new_file_gives_it() {
    let s = |time| service("s").notifies().restart_never().start_timeout(time);
    for (old, new) in [(Some(secs(5)), Some(secs(60))), (None, Some(secs(60)))] {
        let mut rig = Rig::booted_but([s(old)], |rig| rig.hangs_before_exec("s"));
        rig.pass(secs(4));
        rig.apply([s(new)]);
        rig.pass(secs(55));
        assert_eq!((rig.state("s"), rig.starts("s")), ("starting", 1));
        rig.pass(secs(2));
        assert_eq!(rig.state("s"), "failed");
    }
}

#[test]
fn checks_of_health_begin_anew_with_what_the_file_says() {
    let s = |every: Option<u64>| {
        let check = |every| Health {
            check: Check::Command(Box::new(hook("/sbin/healthy"))),
            every: secs(every),
            timeout: secs(2),
            failures: 1,
        };
        every.into_iter().fold(service("s"), |part, every| part.health(check(every)))
    };
    let mut rig = Rig::booted([s(None)]);
    let checks = |rig: &Rig| rig.started().iter().filter(|one| **one == "/sbin/healthy").count();
    rig.apply([s(Some(100))]);
    rig.pass(secs(50));
    rig.apply([s(Some(10))]);
    rig.pass(secs(9));
    assert_eq!(checks(&rig), 0);
    rig.pass(secs(1));
    assert_eq!(checks(&rig), 1);
    rig.apply([s(None)]);
    rig.pass(secs(100));
    assert_eq!((checks(&rig), rig.state("s"), rig.starts("s")), (1, "up", 1));
}

#[test]
fn a_task_that_is_done_runs_again_for_another_command_and_for_nothing_else() {
    for once in [task("once"), task("once").forgets()] {
        let mut rig = Rig::booted_but([once.clone()], |rig| rig.ends("once", millis(0), 0));
        rig.apply([described(once.clone()).restart_never().stop_timeout(None)]);
        assert_eq!(rig.starts("once"), 1);
        rig.apply([once.runs("/opt/once")]);
        assert_eq!(rig.starts("once"), 2);
    }
}

/// Seed 60223: the second reading of the same found a stop, and gave it more time.
#[test]
fn a_task_that_is_undone_to_run_by_a_newer_definition_is_so_however_often_that_is_read() {
    let once = |time| task("once").stop_command("/sbin/undo").stop_timeout(Some(secs(time)));
    let mut rig = Rig::booted_but([once(1)], |rig| {
        rig.ends("once", millis(0), 0);
        rig.stubborn("/sbin/undo");
    });
    for _ in 0..2 {
        assert_eq!(rig.apply([once(100).forgets()]), "0 added, 1 changed, 0 removed");
        assert_eq!((rig.state("once"), rig.starts("once")), ("stopping", 1));
    }
    rig.pass(secs(5));
    assert_eq!(rig.starts("once"), 2);
}

#[test]
fn what_waits_for_its_delay_comes_at_once_by_another_policy_and_nobody_goes_for_that() {
    let s = |longest| service("s").delay(secs(50), secs(longest));
    let dep = || service("dep").needs("s");
    let mut rig = Rig::booted([s(50), dep()]);
    rig.crashes("s");
    assert_eq!(rig.state("s"), "restarting");
    let edited = || [s(60), dep()];
    assert_eq!(plan(&rig, edited()), ["start s: changed: restart"]);
    rig.apply(edited());
    assert_eq!((rig.state("s"), rig.starts("s"), rig.starts("dep")), ("up", 2, 1));
}

#[test]
fn more_connections_are_accepted_at_once_and_none_is_ended() {
    let on = |most| service("on").inetd(22).at_most(most);
    let mut rig = Rig::booted([on(1)]);
    rig.connect("on", "10.0.0.1");
    rig.connect("on", "10.0.0.1");
    assert_eq!(rig.connections(), 1);
    assert_eq!(plan(&rig, [on(2)]), ["update on: changed: sockets"]);
    rig.apply([on(2)]);
    rig.connect("on", "10.0.0.1");
    assert_eq!(rig.connections(), 2);
    rig.apply([on(1)]);
    assert_eq!(rig.connections(), 2);
}

#[test]
fn what_listened_and_is_to_be_there_from_the_boot_starts() {
    let mut rig = Rig::booted([service("web").listens(80)]);
    assert_eq!(rig.state("web"), "listening");
    let edited = || [service("web").listens(80).at_boot()];
    rig.look_at(edited());
    assert_eq!(rig.state("web"), "listening");
    assert_eq!(plan(&rig, edited()), ["start web: changed: start"]);
    rig.apply(edited());
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn what_the_boot_would_leave_alone_and_nobody_asked_for_stops_and_the_plan_says_so() {
    let mut rig = Rig::booted([service("s"), service("t").manual()]);
    rig.start("t");
    let edited = || [service("s").disabled(), service("t").manual().disabled()];
    assert_eq!(
        plan(&rig, edited()),
        ["stop s: changed: enabled; nobody wants it any more", "update t: changed: enabled"]
    );
    rig.apply(edited());
    assert_eq!((rig.state("s"), rig.state("t"), rig.starts("t")), ("stopped", "up", 1));
}

#[test]
fn what_waits_for_a_restart_and_what_was_followed_in_place_survive_another_finit() {
    let mut rig = Rig::booted([service("a"), service("b")]);
    rig.look_at([service("a").runs("/opt/a"), described(service("b")).restart_never()]);
    rig.world.anew();
    assert!(rig.status("a").detail.unwrap().changed);
    let edited = || [service("a").runs("/opt/a"), described(service("b")).restart_never()];
    assert_eq!(
        plan(&rig, edited()),
        ["restart a: changed: command", "update b: changed: description, restart"]
    );
    assert_eq!(rig.apply(edited()), "0 added, 2 changed (1 in place), 0 removed");
    rig.world.anew();
    assert_eq!((rig.starts("a"), rig.starts("b")), (2, 1));
    assert_eq!(plan(&rig, edited()), Vec::<String>::new());
    rig.crashes("b");
    assert_eq!(rig.state("b"), "failed");
}

/// By the old definition it would have failed for good.
#[test]
fn who_is_about_to_fail_comes_again_by_a_newer_definition() {
    let web = || service("web").restart_never().after_stop(hook("/sbin/tidy"));
    let mut rig = Rig::booted([web()]);
    rig.stubborn("/sbin/tidy");
    rig.crashes("web");
    assert_eq!(rig.label("web"), "cleaning");
    rig.apply([web().runs("/opt/web")]);
    rig.pass(secs(100));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn a_reload_that_is_edited_while_its_command_runs_begins_anew() {
    let web = || service("web").reloads_by_signal("HUP");
    let mut rig = Rig::booted_but([service("web").reloads_by(hook("/check"))], |rig| {
        rig.ends("/check", secs(2), 0);
    });
    rig.reload("web").expect("a job");
    rig.apply([web()]);
    rig.pass(secs(3));
    assert_eq!(rig.outcome(1), Some(Outcome::Done));
    assert!(rig.signals("web").contains(&"SIGHUP".to_owned()), "{:?}", rig.signals("web"));
}

/// The descriptors of a process stay what they are: only where those would be others it restarts.
#[test]
fn lines_go_elsewhere_without_a_restart_where_the_pipes_stay() {
    let s = |log: LogTarget, own: OwnLog| service("s").logs_to(log, own);
    let tagged = |tag: &str| OwnLog { tag: Some(tag.into()), ..OwnLog::default() };
    let apart = |log: LogTarget| OwnLog { stderr: Some(log), ..OwnLog::default() };
    let (files, plain) = (LogTarget::Files, OwnLog::default());
    let sized = OwnLog { max_size: Some(1 << 20), ..OwnLog::default() };
    let steps = [
        ("update", "log", s(LogTarget::Syslog, plain.clone())),
        ("update", "log-tag", s(LogTarget::Syslog, tagged("t"))),
        ("update", "log-tag", s(LogTarget::Syslog, tagged("u"))),
        ("update", "log, log-tag, log-max", s(files.clone(), sized)),
        ("restart", "log-stderr, log-max", s(files.clone(), apart(LogTarget::Kmsg))),
        ("update", "log-stderr", s(files.clone(), apart(LogTarget::Syslog))),
        ("update", "log-stderr", s(files.clone(), plain.clone())),
        ("restart", "log", s(LogTarget::None, plain.clone())),
        ("restart", "log", s(LogTarget::Console, plain)),
        ("restart", "log-tag", s(LogTarget::Console, tagged("t"))),
    ];
    let mut rig = Rig::booted([service("s")]);
    let mut starts = 1;
    for (verb, keys, part) in steps {
        let parts = || [part.clone()];
        assert_eq!(plan(&rig, parts()), [format!("{verb} s: changed: {keys}")]);
        let in_place = if verb == "update" { " (1 in place)" } else { "" };
        assert_eq!(rig.apply(parts()), format!("0 added, 1 changed{in_place}, 0 removed"));
        rig.pass(secs(1));
        starts += usize::from(verb == "restart");
        assert_eq!((rig.starts("s"), rig.state("s")), (starts, "up"), "{keys}");
        assert_eq!(plan(&rig, parts()), Vec::<String>::new());
        let told = rig.world.redirected.pop().is_some();
        assert_eq!(told, verb == "update", "{keys}");
    }
    // What is no matter of lines has nobody told.
    rig.apply([s(LogTarget::Console, tagged("t")).restart_never()]);
    assert_eq!(rig.world.redirected, <[String; 0]>::default());
}
