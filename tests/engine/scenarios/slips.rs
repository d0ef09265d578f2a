//! What goes wrong beside the main process of a service: told at the console, and with the state
//! until the next start.

use finit::config::spec::{Hook, StopScope};
use finit::proto::{Reply, Request};

use crate::build::{hook, millis, secs, service};
use crate::rig::Rig;

/// What comes before the reason that it was stopped, and what after.
fn stopped(rig: &mut Rig, slips: &str) {
    let reason = rig.reason("web");
    assert!(reason.starts_with("stopped by ") && reason.ends_with(slips), "{reason}");
}

#[test]
fn a_stop_command_that_fails_is_told_where_it_may_not_fail() {
    for (scope, may_fail) in
        [(StopScope::Cgroup, false), (StopScope::Main, false), (StopScope::Cgroup, true)]
    {
        let halt = Hook { may_fail, ..hook("/halt") };
        let web = service("web").stops_by(halt).stop_scope(scope);
        let mut rig = Rig::booted_but([web], |rig| rig.ends("/halt", secs(0), 3));
        let job = rig.stop("web");
        rig.pass(secs(1));
        if may_fail {
            stopped(&mut rig, " (pid 77, uid 0)");
            assert_eq!(rig.trouble(), [""; 0]);
            continue;
        }
        stopped(&mut rig, "; stop.command: exited with status 3");
        assert!(rig.last_word(job).ends_with("; stop.command: exited with status 3"));
        assert_eq!(rig.trouble(), ["web: stop.command: exited with status 3"]);
        rig.start("web");
        assert_eq!(rig.reason("web"), "", "the next start begins anew");
    }
}

#[test]
fn a_stop_command_that_hangs_is_told_once() {
    let web = service("web").stop_command("/halt").stop_timeout(Some(millis(300)));
    let mut rig = Rig::booted_but([web], |rig| rig.stubborn("/halt"));
    rig.stop("web");
    rig.pass(secs(5));
    stopped(&mut rig, "; stop.command took too long, killed");
    assert_eq!(rig.trouble(), ["web: stop.command took too long, killed"]);

    // With a time of its own, too.
    let own = Hook { timeout: Some(millis(100)), ..hook("/halt") };
    let web = service("web").stops_by(own);
    let mut rig = Rig::booted_but([web], |rig| rig.stubborn("/halt"));
    rig.stop("web");
    rig.pass(millis(200));
    stopped(&mut rig, "; stop.command took too long, killed");
    assert_eq!(rig.trouble(), ["web: stop.command took too long, killed"]);
}

#[test]
fn an_after_stop_that_fails_or_hangs_is_told_and_the_next_one_runs() {
    let late = Hook { timeout: Some(secs(1)), ..hook("/c") };
    let may_fail = Hook { may_fail: true, ..hook("/b") };
    let web = service("web").after_stop(hook("/a")).after_stop(may_fail).after_stop(late);
    let mut rig = Rig::booted_but([web], |rig| {
        rig.ends("/a", secs(0), 1);
        rig.ends("/b", secs(0), 1);
        rig.stubborn("/c");
    });
    rig.stop("web");
    rig.pass(secs(2));
    stopped(&mut rig, "; after-stop: exited with status 1; after-stop took too long, killed");
    let told = ["web: after-stop: exited with status 1", "web: after-stop took too long, killed"];
    assert_eq!(rig.trouble(), told);
}

#[test]
fn an_after_start_that_failed_is_told_while_the_service_is_up() {
    let parts = [service("web").after_start(hook("/a"))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/a", secs(1), 1));
    rig.pass(secs(2));
    assert_eq!(
        (rig.state("web"), rig.reason("web").as_str()),
        ("up", "after-start: exited with status 1")
    );
    let answer = rig.ask(Request::Why { name: "web".into() });
    let Ok(Reply::Why(chapters)) = answer else { panic!("{answer:?}") };
    assert_eq!(chapters[0].reason, "after-start: exited with status 1");
}

#[test]
fn a_stop_that_took_sigkill_says_so() {
    let web = service("web").stop_timeout(Some(millis(700)));
    let mut rig = Rig::booted_but([web], |rig| rig.stubborn("web"));
    let job = rig.stop("web");
    rig.pass(secs(1));
    stopped(&mut rig, "; killed after 700ms (stop.timeout)");
    assert!(rig.last_word(job).ends_with("; killed after 700ms (stop.timeout)"));
    rig.start("web");
    assert_eq!(rig.reason("web"), "");
}

/// The service went by itself, and nobody waited for the command any more.
#[test]
fn a_stop_command_of_an_earlier_stop_has_no_say_in_the_next() {
    let web = service("web").stop_command("/halt").stop_scope(StopScope::Main);
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/halt", secs(5), 0));
    rig.stop("web");
    rig.exits("web", 0);
    assert_eq!(rig.state("web"), "stopped");
    rig.pass(secs(1));
    rig.start("web");
    rig.stop("web");
    assert_eq!(rig.signals("web"), ["SIGKILL"], "the command of before");
    rig.pass(secs(4));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("stopping", 1));
    rig.pass(secs(1));
    assert_eq!(rig.state("web"), "stopped");
    assert_eq!(rig.signals("web"), ["SIGKILL", "SIGTERM"]);
}
