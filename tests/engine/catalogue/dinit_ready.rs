//! DP: dinit's processes that tell when they are up, and those that fork.

use finit::config::spec::StopScope;
use finit::proto::Outcome;

use crate::build::{millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn dp_smooth_recovery6_a_recovery_that_is_not_ready_in_time_is_stopped_and_tried_again() {
    let part = service("p").notifies().start_timeout(Some(secs(5))).delay(secs(1), secs(1));
    let mut rig = Rig::booted([part]);
    rig.program("p", Program::mute());
    rig.crashes("p");
    rig.pass(secs(6));
    assert_eq!((rig.state("p"), rig.signals("p")), ("restarting", vec!["SIGTERM".to_owned()]));
    rig.mends("p");
    rig.pass(secs(2));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 3));
}

#[test]
fn dp_smooth_recovery6a_a_recovery_that_ends_before_it_is_ready_counts_as_another_failure() {
    let part = service("p").notifies().delay(secs(1), secs(1)).burst(2, secs(60));
    let mut rig = Rig::booted([part]);
    rig.program("p", Program { tells: None, ..Program::ends(millis(10), 3) });
    rig.crashes("p");
    rig.pass(secs(10));
    assert_eq!(rig.state("p"), "failed");
    assert_eq!((rig.starts("p"), rig.reason("p").contains("gave up after 2")), (3, true));
}

#[test]
fn dp_bgproc_restart2_a_daemon_that_was_stopped_is_another_one_after_its_start() {
    let mut rig = Rig::booted([service("p").forks()]);
    let first = rig.status("p").pid;
    rig.stop("p");
    assert_eq!((rig.state("p"), rig.status("p").pid), ("stopped", None));
    let job = rig.start("p");
    assert_eq!((rig.state("p"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    assert_ne!(rig.status("p").pid, first);
}

#[test]
fn dp_bgproc_unexpected_term_the_end_of_the_daemon_is_the_end_of_the_service() {
    let mut rig = Rig::booted([service("p").forks().restart_never(), service("q").needs("p")]);
    rig.exits("p", 0);
    assert_eq!((rig.state("p"), rig.reason("p").as_str()), ("stopped", "exited with status 0"));
    assert_eq!((rig.state("q"), rig.world.engine.next_deadline()), ("waiting", None));
}

#[test]
fn dp_bgproc_smooth_recovery3_a_program_that_fails_to_leave_another_daemon_is_tried_again() {
    let mut rig = Rig::booted([service("p").forks().delay(secs(1), secs(1))]);
    rig.ends("p", millis(10), 1);
    rig.crashes("p");
    rig.pass(millis(1_500));
    assert_eq!((rig.state("p"), rig.status("p").pid), ("restarting", None));
    rig.mends("p");
    rig.pass(secs(2));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 3));
}

#[test]
fn dp_bgproc_smooth_recovery4_a_daemon_that_is_not_found_again_is_given_up_in_time() {
    let part = service("p").forks().start_timeout(Some(secs(5))).delay(secs(1), secs(1));
    let mut rig = Rig::booted([part]);
    rig.program("p?", Program::daemon());
    rig.crashes("p");
    rig.pass(secs(2));
    assert_eq!(
        (rig.state("p"), rig.reason("p")),
        ("starting", "not ready yet (forked, /run/app.pid)".into())
    );
    rig.pass(millis(4_500));
    assert_eq!(rig.state("p"), "restarting");
    assert!(rig.signals("p").contains(&"SIGTERM".to_owned()), "what is left of it goes");
}

/// The pid file is read after the stop was asked for, and the daemon stopped: whether all of the
/// group goes with it or it alone.
#[test]
fn dp_bgproc_stop2_a_stop_before_its_pid_file_is_read_leaves_no_daemon_behind() {
    for scope in [StopScope::Cgroup, StopScope::Main] {
        let mut rig = Rig::booted_but([service("p").forks().stop_scope(scope)], |rig| {
            rig.program("p", Program { leaves: 1, ..Program::ends(millis(10), 0) });
            rig.ends("p?", secs(2), 0);
        });
        rig.pass(secs(1));
        let job = rig.stop("p");
        rig.pass(secs(2));
        assert_eq!((rig.state("p"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
        assert!(rig.signals("p").contains(&"SIGTERM".to_owned()), "{scope:?}");
        assert!(rig.world.living(|_| true).is_empty(), "{scope:?}");
    }
}

#[test]
fn dp_bgproc_stop4_its_own_command_stops_the_daemon() {
    let mut rig = Rig::booted_but([service("p").forks().stop_command("/bin/quit")], |rig| {
        rig.ends("/bin/quit", millis(10), 0);
    });
    rig.stop("p");
    assert_eq!((rig.state("p"), rig.signals("p").len()), ("stopping", 0));
    rig.pass(millis(10));
    assert_eq!((rig.state("p"), rig.signals("p")), ("stopped", vec!["SIGTERM".to_owned()]));
}

#[test]
fn dp_bgproc_stop5_a_daemon_that_ends_during_its_stop_command_is_stopped() {
    let mut rig = Rig::booted_but([service("p").forks().stop_command("/bin/quit")], |rig| {
        rig.ends("/bin/quit", secs(5), 0);
    });
    rig.stop("p");
    rig.exits("p", 0);
    rig.pass(secs(5));
    assert_eq!((rig.state("p"), rig.starts("p")), ("stopped", 1));
    assert!(!rig.signals("p").contains(&"SIGKILL".to_owned()));
}

/// A reload of the file in the middle of a start.
#[test]
fn sd17_a_daemon_that_is_looked_for_is_found_though_the_file_is_read_again() {
    let mut rig = Rig::booted_but([service("p").forks()], |rig| rig.ends("p?", secs(2), 0));
    assert_eq!(rig.state("p"), "starting");
    rig.apply([service("p").forks()]);
    rig.pass(secs(2));
    assert_eq!((rig.state("p"), rig.starts("p")), ("up", 1));
}
