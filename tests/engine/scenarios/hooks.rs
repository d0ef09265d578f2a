//! Commands around the main one.

use finit::proto::{Code, Outcome, Reply};

use crate::build::{hook, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;
use finit::config::spec::{Hook, RestartWhen, StopScope};

fn may_fail(text: &str) -> Hook {
    Hook { may_fail: true, ..hook(text) }
}

fn within(text: &str, seconds: u64) -> Hook {
    Hook { timeout: Some(secs(seconds)), ..hook(text) }
}

#[test]
fn before_start_runs_in_order_and_the_main_program_last() {
    let parts = [service("web").before_start(hook("/a")).before_start(hook("/b"))];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("/a", secs(1), 0);
        rig.ends("/b", secs(1), 0);
    });
    assert_eq!((rig.state("web"), rig.started()), ("starting", vec!["/a"]));
    rig.pass(secs(2));
    assert_eq!((rig.state("web"), rig.started()), ("up", vec!["/a", "/b", "/sbin/web"]));
}

#[test]
fn a_before_start_that_fails_is_a_failed_start() {
    let parts = [service("web").before_start(hook("/a")).restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/a", millis(0), 42));
    assert_eq!((rig.state("web"), rig.starts("web")), ("failed", 0));
    assert_eq!(rig.reason("web"), "before-start: exited with status 42");
}

#[test]
fn no_ok_exit_makes_a_success_of_a_before_start_that_fails() {
    let setup = || task("setup").ok_exit_any().before_start(hook("/a"));
    let mut rig = Rig::booted_but([setup()], |rig| rig.ends("/a", millis(0), 42));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("failed", 0));
    assert_eq!(rig.reason("setup"), "before-start: exited with status 42");
    let again = setup().restart(RestartWhen::OnFailure);
    let mut rig = Rig::booted_but([again], |rig| rig.ends("/a", millis(0), 42));
    rig.mends("/a");
    rig.ends("/a", millis(0), 0);
    rig.ends("setup", millis(0), 42);
    rig.pass(secs(1));
    assert_eq!((rig.state("setup"), rig.starts("setup")), ("done", 1));
}

#[test]
fn a_before_start_that_may_fail_is_overlooked() {
    let parts = [service("web").before_start(may_fail("/a"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/a", millis(0), 42));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_before_start_that_takes_too_long_is_killed() {
    let parts = [service("web").before_start(within("/a", 5)).restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("/a"));
    rig.pass(secs(5));
    assert_eq!((rig.state("web"), rig.signals("web")), ("failed", vec!["SIGKILL".to_owned()]));
    assert_eq!(rig.world.living(|_| true).len(), 0);

    let late = Hook { may_fail: true, ..within("/a", 5) };
    let mut rig = Rig::booted_but([service("web").before_start(late)], |rig| rig.stubborn("/a"));
    rig.pass(secs(5));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn the_start_timeout_is_for_the_whole_start() {
    let web = service("web").before_start(hook("/a")).before_start(hook("/b")).restart_never();
    let mut rig = Rig::booted_but([web.start_timeout(Some(secs(10)))], |rig| {
        rig.ends("/a", secs(8), 0);
        rig.ends("/b", secs(8), 0);
    });
    rig.pass(secs(11));
    assert_eq!((rig.state("web"), rig.started()), ("failed", vec!["/a", "/b"]));
}

#[test]
fn after_start_runs_beside_it_and_its_failure_is_only_told() {
    let parts = [service("web").after_start(hook("/a")).after_start(hook("/b"))];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("/a", secs(1), 1);
        rig.ends("/b", secs(1), 0);
    });
    assert_eq!(rig.state("web"), "up");
    rig.pass(secs(2));
    assert_eq!(rig.started(), ["/sbin/web", "/a", "/b"]);
    assert_eq!(rig.trouble(), ["web: after-start: exited with status 1"]);
}

/// As ExecStartPost= of a oneshot in systemd.service(5).
#[test]
fn after_start_of_a_task_runs_when_its_work_is_done_and_before_those_who_need_it() {
    let setup = || task("setup").after_start(hook("/a")).after_start(hook("/b"));
    for (part, ends_as) in [(setup(), "done"), (setup().forgets(), "ended")] {
        let parts = [part, service("web").after("setup")];
        let mut rig = Rig::booted_but(parts, |rig| {
            rig.ends("setup", secs(1), 0);
            rig.ends("/a", secs(1), 1);
            rig.ends("/b", secs(1), 0);
        });
        rig.pass(secs(1));
        assert_eq!(rig.started(), ["/sbin/setup", "/a"]);
        assert_eq!((rig.state("setup"), rig.state("web")), ("starting", "waiting"));
        assert_eq!(rig.reason("setup"), "runs after-start: /a (1 min left)");
        rig.pass(secs(2));
        assert_eq!(rig.started(), ["/sbin/setup", "/a", "/b", "/sbin/web"]);
        assert_eq!(rig.label("setup"), ends_as);
        assert_eq!(rig.trouble(), ["setup: after-start: exited with status 1"]);
        let job = rig.restart("setup");
        rig.pass(secs(3));
        assert_eq!(rig.started()[4..], ["/sbin/setup", "/a", "/b"]);
        assert_eq!(rig.outcome(job), Some(Outcome::Done));
    }
}

#[test]
fn after_start_of_a_task_that_failed_does_not_run() {
    let parts = [task("setup").after_start(hook("/a"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("setup", secs(0), 1));
    assert_eq!((rig.state("setup"), rig.started()), ("failed", vec!["/sbin/setup"]));
}

#[test]
fn a_task_that_is_stopped_at_its_after_start_is_undone() {
    let parts = [task("setup").after_start(hook("/a")).stop_command("/undo")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("setup", secs(0), 0);
        rig.ends("/undo", secs(1), 0);
    });
    let job = rig.stop("setup");
    rig.pass(secs(2));
    assert_eq!(rig.started(), ["/sbin/setup", "/a", "/undo"]);
    assert_eq!((rig.state("setup"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
}

#[test]
fn an_after_start_of_a_task_that_hangs_is_killed_after_its_time() {
    let parts = [task("setup").after_start(within("/a", 5)).after_start(hook("/b"))];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("setup", secs(0), 0);
        rig.stubborn("/a");
        rig.ends("/b", secs(1), 0);
    });
    rig.pass(secs(6));
    assert_eq!((rig.state("setup"), rig.signals("setup")), ("done", vec!["SIGKILL".to_owned()]));
    assert_eq!(rig.trouble(), ["setup: after-start: took too long, killed"]);
    assert_eq!(rig.started(), ["/sbin/setup", "/a", "/b"]);
}

#[test]
fn after_start_is_not_gone_on_with_once_the_service_is_stopped() {
    let web = service("web").after_start(hook("/a")).after_start(hook("/b"));
    let web = web.stop_scope(finit::config::spec::StopScope::Main);
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/a", secs(5), 0));
    rig.stop("web");
    rig.pass(secs(60));
    assert_eq!(rig.started(), ["/sbin/web", "/a"]);
}

#[test]
fn an_after_start_that_hangs_is_killed_after_a_while() {
    let parts = [service("web").after_start(hook("/a"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("/a"));
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.signals("web")), ("up", vec!["SIGKILL".to_owned()]));
}

#[test]
fn after_stop_runs_after_each_end_before_what_follows() {
    let parts = [service("web").after_stop(hook("/tidy")).delay(millis(1), millis(1))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/tidy", secs(1), 1));
    rig.crashes("web");
    assert_eq!(rig.started(), ["/sbin/web", "/tidy"]);
    rig.pass(secs(1));
    assert_eq!((rig.started().len(), rig.state("web")), (3, "up"));
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopping", None));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
}

#[test]
fn an_after_stop_that_hangs_is_killed() {
    let parts = [service("web").after_stop(within("/tidy", 3))];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("/tidy"));
    rig.stop("web");
    rig.pass(secs(3));
    assert_eq!((rig.state("web"), rig.world.living(|_| true).len()), ("stopped", 0));
    assert_eq!(rig.said("after-stop took too long"), 1);
}

/// Before it accepts and after it has is once each, whoever has connected.
#[test]
fn after_stop_of_one_that_accepts_runs_though_nobody_is_connected() {
    for connected in [false, true] {
        let part = service("ftp").inetd(21).before_start(hook("/make"));
        let mut rig = Rig::booted_but([part.after_stop(hook("/tidy"))], |rig| {
            rig.ends("/make", millis(0), 0);
            rig.ends("/tidy", secs(1), 0);
        });
        if connected {
            rig.connect("ftp", "10.0.0.1");
        }
        let job = rig.restart("ftp");
        assert_eq!((rig.state("ftp"), rig.outcome(job)), ("stopping", None));
        rig.pass(secs(1));
        assert_eq!((rig.state("ftp"), rig.outcome(job)), ("listening", Some(Outcome::Done)));
        rig.stop("ftp");
        rig.pass(secs(1));
        assert_eq!((rig.state("ftp"), rig.world.bound.len()), ("stopped", 0));
        let hooks = |known: &&str| *known != "/sbin/ftp";
        let run: Vec<_> = rig.started().into_iter().filter(hooks).collect();
        assert_eq!(run, ["/make", "/tidy", "/make", "/tidy"]);
    }
}

/// What a command before it accepts has left behind goes as well.
#[test]
fn a_stop_of_one_that_accepts_ends_what_was_made_before() {
    let mut rig = Rig::booted_but([service("ftp").inetd(21).before_start(hook("/make"))], |rig| {
        rig.program("/make", Program { leaves: 1, ..Program::ends(millis(0), 0) });
    });
    rig.stop("ftp");
    assert_eq!((rig.state("ftp"), rig.signals("ftp")), ("stopped", vec!["SIGTERM".to_owned()]));
    assert!(rig.world.strays.values().all(|count| *count == 0), "{:?}", rig.world.strays);
}

#[test]
fn a_reload_by_signal_goes_to_the_main_process() {
    let mut rig = Rig::booted([service("web").reloads_by_signal("HUP")]);
    let reply = rig.reload("web");
    assert!(matches!(reply, Ok(Reply::Job { job: 1, .. })));
    assert_eq!(
        (rig.signals("web"), rig.outcome(1)),
        (vec!["SIGHUP".to_owned()], Some(Outcome::Done))
    );
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_reload_by_command_ends_with_it() {
    let parts = [service("web").reloads_by(hook("/check")).reloads_by_signal("HUP")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/check", secs(2), 0));
    rig.reload("web").expect("a job");
    assert_eq!((rig.outcome(1), rig.signals("web").len()), (None, 0));
    rig.pass(secs(2));
    assert_eq!((rig.outcome(1), rig.signals("web").len()), (Some(Outcome::Done), 1));
}

#[test]
fn a_reload_that_fails_leaves_the_service_alone() {
    let parts = [service("web").reloads_by(hook("/check")).reloads_by_signal("HUP")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/check", secs(0), 1));
    rig.reload("web").expect("a job");
    assert_eq!((rig.outcome(1), rig.signals("web").len()), (Some(Outcome::Failed), 0));
    assert_eq!(rig.last_word(1), "reload: exited with status 1");
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_reload_that_hangs_fails_after_a_while() {
    let parts = [service("web").reloads_by(within("/check", 5))];
    let mut rig = Rig::booted_but(parts, |rig| rig.hangs_in_the_kernel("/check", secs(900)));
    rig.reload("web").expect("a job");
    rig.pass(secs(5));
    assert_eq!((rig.outcome(1), rig.state("web")), (Some(Outcome::Failed), "up"));
    assert_eq!(rig.last_word(1), "reload: took too long, killed");
}

/// As it is overlooked before a start and after a stop.
#[test]
fn what_may_fail_beside_a_service_is_overlooked_there_too() {
    let may = |text: &str, seconds| Hook { may_fail: true, ..within(text, seconds) };
    let web = service("web").after_start(may("/a", 5)).after_start(may("/b", 5));
    let web = web.after_start(hook("/c")).reloads_by(may("/d", 5)).reloads_by(may("/e", 5));
    let mut rig = Rig::booted_but([web.reloads_by_signal("HUP")], |rig| {
        for (fails, hangs) in [("/a", "/b"), ("/d", "/e")] {
            rig.ends(fails, secs(1), 1);
            rig.stubborn(hangs);
        }
    });
    rig.pass(secs(10));
    assert_eq!(rig.started(), ["/sbin/web", "/a", "/b", "/c"]);
    assert_eq!((rig.said("after-start"), rig.reason("web").as_str()), (0, ""));
    rig.reload("web").expect("a job");
    rig.pass(secs(10));
    assert_eq!((rig.outcome(1), rig.last_word(1)), (Some(Outcome::Done), "reloaded"));
    assert_eq!(rig.signals("web").last().map(String::as_str), Some("SIGHUP"));
}

#[test]
fn a_reload_asked_for_during_another_follows_it() {
    let parts = [service("web").reloads_by(hook("/check"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/check", secs(5), 0));
    for _ in 0..3 {
        rig.reload("web").expect("a job");
        rig.pass(secs(1));
    }
    rig.pass(secs(3));
    assert_eq!((rig.outcome(1), rig.outcome(2)), (Some(Outcome::Done), None));
    assert_eq!(rig.started(), ["/sbin/web", "/check", "/check"]);
    rig.pass(secs(5));
    assert_eq!((rig.outcome(2), rig.outcome(3)), (Some(Outcome::Done), Some(Outcome::Done)));
    assert_eq!(rig.started(), ["/sbin/web", "/check", "/check"], "one for both");
}

#[test]
fn a_reload_of_what_is_being_stopped_fails() {
    let parts = [service("web").reloads_by(hook("/check"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/check", secs(5), 0));
    rig.reload("web").expect("a job");
    rig.stop("web");
    rig.pass(secs(10));
    assert_eq!(rig.outcome(1), Some(Outcome::Failed));
}

#[test]
fn without_a_reload_or_a_process_there_is_nothing_to_reload() {
    let mut rig = Rig::booted([service("web"), service("off").manual().reloads_by_signal("HUP")]);
    let refusal = rig.reload("web").unwrap_err();
    assert_eq!(refusal.code, Code::NotSupported);
    assert!(refusal.hint.contains("finitctl restart web"), "{}", refusal.hint);
    assert_eq!(rig.reload("off").unwrap_err().code, Code::NotRunning);
    assert_eq!(rig.reload("default").unwrap_err().code, Code::NotSupported);
}

/// With the scope "main" they outlive the stop: they are no part of the run that follows.
#[test]
fn commands_of_the_run_before_do_not_go_on_for_the_next_one() {
    let web = service("web").stop_scope(StopScope::Main);
    let web = web.after_start(hook("/sbin/first")).after_start(hook("/sbin/second"));
    let mut rig = Rig::booted_but([web], |rig| {
        rig.ends("/sbin/first", secs(5), 0);
        rig.ends("/sbin/second", secs(1), 0);
    });
    rig.pass(secs(1));
    rig.restart("web");
    assert_eq!(rig.state("web"), "up");
    rig.pass(millis(4_500));
    assert_eq!(rig.started(), ["/sbin/web", "/sbin/first", "/sbin/web", "/sbin/first"]);
    rig.pass(secs(2));
    assert_eq!(rig.started().last(), Some(&"/sbin/second"));
    rig.pass(secs(10));
    assert_eq!(rig.started().len(), 5);
}

#[test]
fn what_a_failed_command_before_the_start_leaves_behind_goes() {
    let leaves = |rig: &mut Rig| {
        rig.program("/a", Program { leaves: 1, ..Program::ends(millis(0), 42) });
    };
    let mut rig =
        Rig::booted_but([service("web").before_start(hook("/a")).restart_never()], leaves);
    rig.pass(secs(20));
    assert_eq!(rig.state("web"), "failed");
    assert!(rig.world.strays.values().all(|count| *count == 0), "{:?}", rig.world.strays);
}

#[test]
fn a_command_after_the_stop_that_hangs_does_not_cost_the_next_one() {
    let web = service("web").after_stop(within("/a", 3)).after_stop(hook("/b"));
    let mut rig = Rig::booted_but([web], |rig| rig.stubborn("/a"));
    rig.stop("web");
    rig.pass(secs(3));
    assert_eq!(rig.started(), ["/sbin/web", "/a", "/b"]);
}
