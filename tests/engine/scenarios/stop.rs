//! The way down: from any state, by a ladder that ends.

use finit::config::spec::{Hook, StopScope};
use finit::engine::Aim;
use finit::proto::Outcome;

use crate::build::{hook, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn one_that_ignores_the_signal_is_killed_after_its_timeout() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    let job = rig.stop("web");
    rig.pass(secs(9));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopping", None));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert_eq!(rig.signals("web"), ["SIGTERM", "SIGKILL"]);
}

/// An interactive shell ignores SIGTERM and ends when its terminal hangs up.
#[test]
fn one_that_is_to_be_hung_up_is_asked_by_both_signals() {
    let mut rig = Rig::booted_but([service("shell").hung_up()], |rig| rig.stubborn("shell"));
    rig.stop("shell");
    rig.pass(secs(10));
    assert_eq!(rig.signals("shell"), ["SIGTERM", "SIGHUP", "SIGKILL"]);
}

#[test]
fn what_not_even_sigkill_ends_is_failed_and_nothing_is_started_beside_it() {
    let parts = [service("web"), service("above").needs("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.hangs_in_the_kernel("web", secs(100)));
    let job = rig.restart("web");
    rig.pass(secs(15));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("failed", Some(Outcome::Failed)));
    assert_eq!(rig.reason("web"), "SIGKILL did not end it: a process hangs in the kernel");
    rig.mends("web");
    let job = rig.start("web");
    rig.reset("web");
    assert_eq!((rig.starts("web"), rig.outcome(job)), (1, Some(Outcome::Failed)));
    // It ends after all, and what was asked for then comes by itself.
    rig.pass(secs(100));
    assert_eq!((rig.state("web"), rig.state("above"), rig.starts("web")), ("up", "up", 2));
}

#[test]
fn a_service_that_must_not_be_killed_is_waited_for() {
    let mut rig = Rig::booted_but([service("db").never_killed()], |rig| rig.stubborn("db"));
    let job = rig.stop("db");
    rig.pass(secs(60));
    assert_eq!((rig.state("db"), rig.outcome(job)), ("failed", Some(Outcome::Failed)));
    assert_eq!(rig.signals("db"), ["SIGTERM"]);
    rig.exits("db", 0);
    assert_eq!(rig.state("db"), "stopped");
}

#[test]
fn a_stop_without_a_timeout_waits() {
    let parts = [service("db").stop_timeout(None)];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("db"));
    rig.stop("db");
    rig.pass(secs(86_400));
    assert_eq!((rig.state("db"), rig.signals("db")), ("stopping", vec!["SIGTERM".to_owned()]));
}

#[test]
fn a_stop_while_it_starts_stops_it_at_any_step() {
    for name in ["web", "/sbin/prepare"] {
        let parts = [service("web").before_start(hook("/sbin/prepare"))];
        let mut rig = Rig::booted_but(parts, |rig| {
            rig.ends("/sbin/prepare", millis(0), 0);
            rig.hangs_before_exec(name);
        });
        assert_eq!(rig.state("web"), "starting");
        let job = rig.stop("web");
        assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
        rig.pass(secs(600));
        assert_eq!(rig.world.living(|_| true).len(), 0);
    }
}

/// Who says how long the command may take means it, and not the time for the signal.
#[test]
fn a_stop_command_has_its_own_time() {
    for scope in [StopScope::Cgroup, StopScope::Main, StopScope::Mixed, StopScope::None] {
        let dbctl = Hook { timeout: Some(secs(60)), ..hook("/bin/dbctl stop") };
        let db = service("db").stops_by(dbctl).stop_scope(scope);
        let mut rig = Rig::booted_but([db], |rig| {
            rig.program("db", Program { obeys: None, ..Program::daemon() });
            rig.ends("/bin/dbctl", secs(15), 0);
        });
        rig.stop("db");
        rig.pass(secs(14));
        assert_eq!((rig.state("db"), rig.signals("db").len()), ("stopping", 0), "{scope:?}");
        rig.pass(secs(1));
        assert_eq!(rig.said("took too long"), 0);
        let asked = scope != StopScope::None;
        assert_eq!(rig.signals("db"), if asked { vec!["SIGTERM"] } else { Vec::new() });
    }
}

#[test]
fn a_stop_command_that_hangs_is_killed_after_its_own_time() {
    for own in [3, 60] {
        let dbctl = Hook { timeout: Some(secs(own)), ..hook("/bin/dbctl stop") };
        let db = service("db").stops_by(dbctl).stop_scope(StopScope::Main);
        let mut rig = Rig::booted_but([db], |rig| rig.stubborn("/bin/dbctl"));
        rig.stop("db");
        rig.pass(secs(own) - millis(1));
        assert_eq!((rig.state("db"), rig.signals("db").len()), ("stopping", 0), "{own}");
        rig.pass(secs(20));
        let mut signals = rig.signals("db");
        signals.sort();
        assert_eq!(signals, ["SIGKILL", "SIGTERM"]);
        assert_eq!((rig.state("db"), rig.world.living(|_| true).len()), ("stopped", 0));
        assert_eq!(rig.said("stop.command took too long, killed"), 1);
    }
}

#[test]
fn a_start_while_it_stops_starts_it_afterwards() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    let stop = rig.stop("web");
    let start = rig.start("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopping", 1));
    assert_eq!(rig.outcome(stop), Some(Outcome::Replaced));
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    assert_eq!(rig.outcome(start), Some(Outcome::Done));
}

#[test]
fn a_restart_while_it_stops_starts_it_once() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    rig.stop("web");
    let restart = rig.restart("web");
    rig.restart("web");
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    assert_eq!(rig.outcome(restart), Some(Outcome::Done));
}

#[test]
fn a_stop_while_it_restarts_leaves_it_down() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    let restart = rig.restart("web");
    let stop = rig.stop("web");
    rig.pass(secs(600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 1));
    assert_eq!(rig.outcome(restart), Some(Outcome::Replaced));
    assert_eq!(rig.outcome(stop), Some(Outcome::Done));
}

#[test]
fn a_start_clears_what_a_running_stop_would_have_ended_in() {
    let parts = [service("web").restart_never().start_timeout(Some(secs(1)))];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("web", Program { executes: None, ..Program::stubborn() });
    });
    rig.pass(secs(2));
    assert_eq!(rig.state("web"), "stopping");
    rig.mends("web");
    let job = rig.start("web");
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("up", Some(Outcome::Done)));
}

#[test]
fn a_stop_of_what_failed_makes_it_stopped() {
    let mut rig = Rig::booted([service("web").restart_never()]);
    rig.crashes("web");
    assert_eq!(rig.state("web"), "failed");
    let job = rig.stop("web");
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
}

fn with_a_stray(scope: StopScope) -> Rig {
    Rig::booted_but([service("web").stop_scope(scope)], |rig| {
        rig.program("web", Program { leaves: 1, ..Program::daemon() });
    })
}

#[test]
fn by_default_everybody_in_its_group_is_asked_and_waited_for() {
    let mut rig = with_a_stray(StopScope::Cgroup);
    rig.stop("web");
    assert_eq!(rig.world.signals[0].1, Aim::Group);
    assert_eq!(rig.state("web"), "stopping");
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("stopped", 2));
}

#[test]
fn with_scope_main_only_the_main_process_goes() {
    let mut rig = with_a_stray(StopScope::Main);
    let run = rig.main("web");
    rig.stop("web");
    assert_eq!(rig.state("web"), "stopped");
    assert_eq!((rig.signals("web").len(), rig.world.signals[0].1), (1, Aim::Run(run)));
}

#[test]
fn with_scope_mixed_the_rest_is_killed_once_the_main_process_is_gone() {
    let mut rig = with_a_stray(StopScope::Mixed);
    let run = rig.main("web");
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.world.signals[0].1), ("stopped", Aim::Run(run)));
    assert_eq!(rig.signals("web"), ["SIGTERM", "SIGKILL"]);
}

#[test]
fn with_scope_none_nobody_is_asked() {
    let mut rig = with_a_stray(StopScope::None);
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("stopped", 0));
    assert_eq!(rig.status("web").pid, None);
}

#[test]
fn what_a_crashed_service_left_behind_goes_before_it_comes_back() {
    let mut rig = with_a_stray(StopScope::Cgroup);
    rig.crashes("web");
    assert_eq!((rig.signals("web"), rig.starts("web")), (vec!["SIGTERM".to_owned()], 1));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn what_a_crashed_service_of_scope_main_left_behind_lives_on() {
    let mut rig = with_a_stray(StopScope::Main);
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.signals("web").len(), rig.state("web")), (0, "up"));
}

#[test]
fn a_stop_command_is_run_first_and_told_the_main_process() {
    let parts = [service("web").stop_command("/sbin/ask-to-stop")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
    rig.stop("web");
    assert_eq!(rig.started(), ["/sbin/web", "/sbin/ask-to-stop"]);
    assert_eq!(rig.signals("web").len(), 0);
    rig.exits("web", 0);
    rig.pass(secs(10));
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn after_a_stop_command_what_still_runs_is_asked_by_signal() {
    let parts = [service("web").stop_command("/sbin/ask-to-stop")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/sbin/ask-to-stop", secs(9), 1));
    rig.stop("web");
    rig.pass(secs(8));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("stopping", 0));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.signals("web")), ("stopped", vec!["SIGTERM".to_owned()]));
}

#[test]
fn a_stop_command_that_hangs_gives_way_to_the_signals() {
    let parts = [service("web").stop_command("/sbin/ask-to-stop")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.stubborn("web");
        rig.stubborn("/sbin/ask-to-stop");
    });
    rig.stop("web");
    rig.pass(secs(10));
    assert!(rig.signals("web").contains(&"SIGTERM".to_owned()));
    rig.pass(secs(10));
    assert_eq!(rig.state("web"), "stopped");
    assert_eq!(rig.world.living(|_| true).len(), 0);
}

#[test]
fn with_scope_none_the_stop_command_alone_is_run() {
    let parts = [service("web").stop_scope(StopScope::None).stop_command("/sbin/ask-to-stop")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/sbin/ask-to-stop", secs(1), 0));
    rig.stop("web");
    assert_eq!(rig.state("web"), "stopping");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("stopped", 0));
}

/// It is the service's for as long as anything of that is to come.
#[test]
fn the_own_user_of_a_service_is_dismissed_when_it_has_ended_and_not_before() {
    let own = service("own").own_user().after_stop(hook("/sbin/tidy"));
    let mut rig = Rig::booted([own, service("plain")]);
    rig.program("/sbin/tidy", Program::ends(secs(1), 0));
    rig.stop("own");
    rig.stop("plain");
    assert_eq!(rig.state("own"), "stopping");
    assert!(rig.world.dismissed.is_empty());
    rig.pass(secs(1));
    assert_eq!(rig.world.dismissed, ["own"]);
}
