//! Sockets: held by finit, never deaf, never failed for good.

use finit::config::spec::{RestartWhen, StopScope};
use finit::facts::Stage;
use finit::proto::{Outcome, Request};

use crate::build::{millis, secs, service, task};
use crate::rig::Rig;

fn is_watched(rig: &Rig, name: &str) -> bool {
    rig.world.engine.number(name).is_some_and(|id| rig.world.engine.is_watched(id))
}

#[test]
fn inetd_starts_one_process_a_connection() {
    let mut rig = Rig::booted([service("sshd").inetd(22)]);
    assert_eq!((rig.state("sshd"), rig.starts("sshd")), ("listening", 0));
    rig.connect("sshd", "10.0.0.1");
    rig.connect("sshd", "10.0.0.2");
    assert_eq!((rig.state("sshd"), rig.starts("sshd")), ("listening", 2));
    assert_eq!(rig.status("sshd").connections, Some(2));
    rig.connection_ends();
    assert_eq!(rig.status("sshd").connections, Some(1));
}

#[test]
fn past_its_limit_accepting_pauses_and_resumes() {
    let mut rig = Rig::booted([service("sshd").inetd(22).at_most(2)]);
    for _ in 0..5 {
        rig.connect("sshd", "10.0.0.1");
    }
    assert_eq!((rig.connections(), is_watched(&rig, "sshd")), (2, false));
    for _ in 0..3 {
        rig.connection_ends();
        assert_eq!(rig.connections(), 2);
    }
    rig.connection_ends();
    assert_eq!((rig.connections(), is_watched(&rig, "sshd")), (1, true));
    assert_eq!((rig.starts("sshd"), rig.world.dropped.len()), (5, 0));
}

#[test]
fn one_source_cannot_take_all_places_and_is_not_turned_away() {
    let mut rig = Rig::booted([service("sshd").inetd(22).at_most_per_source(1)]);
    for source in ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"] {
        rig.connect("sshd", source);
    }
    assert_eq!((rig.connections(), rig.starts("sshd")), (2, 2));
    // The order of those that wait is theirs, whatever becomes of finit meanwhile.
    rig.world.anew();
    for starts in [3, 3, 4] {
        rig.connection_ends();
        assert_eq!(rig.starts("sshd"), starts);
    }
    assert!(rig.world.dropped.is_empty());
}

#[test]
fn so_many_wait_and_no_more() {
    let mut rig = Rig::booted([service("sshd").inetd(22).at_most_per_source(1)]);
    for _ in 0..17 {
        rig.connect("sshd", "10.0.0.1");
    }
    assert_eq!((rig.connections(), rig.world.dropped.len(), rig.trouble().len()), (1, 0, 0));
    assert_eq!(rig.reason("sshd"), "16 connections wait until others of their addresses end");
    for dropped in 1..4 {
        rig.connect("sshd", "10.0.0.1");
        assert_eq!((rig.connections(), rig.world.dropped.len()), (1, dropped));
    }
    let told = "sshd: 16 connections from 10.0.0.1 wait already; further ones are closed";
    assert_eq!(rig.trouble(), [told]);
    rig.connect("sshd", "10.0.0.2");
    assert_eq!(rig.connections(), 2);
    // Nobody waits at what does not listen.
    rig.stop("sshd");
    assert_eq!((rig.state("sshd"), rig.world.dropped.len()), ("stopped", 3 + 16));
}

#[test]
fn of_all_sources_together_so_many_wait_and_no_more() {
    let mut rig = Rig::booted([service("sshd").inetd(22).at_most_per_source(1)]);
    for source in 0..9 {
        for _ in 0..17 {
            rig.connect("sshd", &format!("10.0.0.{source}"));
        }
    }
    assert_eq!((rig.connections(), rig.world.dropped.len()), (9, 16));
    assert_eq!(rig.trouble(), ["sshd: 128 connections wait already; further ones are closed"]);
}

#[test]
fn who_waits_is_served_as_the_other_limits_allow() {
    let part = || service("sshd").inetd(22).at_most_per_source(1);
    let mut rig = Rig::booted([part().rate(2, secs(10))]);
    rig.pass(secs(5));
    for source in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
        rig.connect("sshd", source);
    }
    rig.connection_ends();
    assert_eq!((rig.connections(), rig.starts("sshd")), (1, 2));
    rig.pass(secs(10));
    assert_eq!((rig.connections(), rig.starts("sshd")), (2, 3));
    // Another limit counts at once.
    rig.connect("sshd", "10.0.0.2");
    assert_eq!(rig.starts("sshd"), 3);
    rig.apply([part().at_most_per_source(2)]);
    assert_eq!((rig.connections(), rig.starts("sshd")), (3, 4));
}

#[test]
fn places_of_connections_that_never_ran_are_free_again() {
    let parts = [service("sshd").inetd(22).at_most(1).at_most_per_source(1)];
    let mut rig = Rig::booted_but(parts, |rig| rig.clone_fails("sshd"));
    for _ in 0..1_000 {
        rig.connect("sshd", "10.0.0.1");
    }
    assert_eq!((rig.connections(), rig.world.dropped.len()), (0, 0));
    // And told once, not a thousand times.
    assert_eq!(rig.trouble().len(), 1);
    rig.mends("sshd");
    rig.connect("sshd", "10.0.0.1");
    assert_eq!(rig.connections(), 1);
}

#[test]
fn past_its_rate_accepting_pauses_for_the_rest_of_the_period() {
    let mut rig = Rig::booted([service("sshd").inetd(22).rate(3, secs(10))]);
    rig.pass(secs(5));
    for _ in 0..5 {
        rig.connect("sshd", "10.0.0.1");
    }
    assert_eq!((rig.connections(), is_watched(&rig, "sshd")), (3, false));
    rig.pass(secs(9));
    assert_eq!(rig.connections(), 3);
    assert_eq!(rig.status("sshd").reason, "accepts no more for 1.0 s (inetd-rate)");
    rig.pass(secs(1));
    assert_eq!((rig.connections(), is_watched(&rig, "sshd")), (5, true));
    assert_eq!(rig.status("sshd").reason, "");
}

#[test]
fn a_stop_of_inetd_ends_its_connections_unless_they_are_to_live_on() {
    for (scope, left) in [(StopScope::Cgroup, 0), (StopScope::Main, 1)] {
        let mut rig = Rig::booted([service("sshd").inetd(22).stop_scope(scope)]);
        rig.connect("sshd", "10.0.0.1");
        rig.stop("sshd");
        assert_eq!((rig.state("sshd"), rig.connections()), ("stopped", left));
        assert!(rig.world.bound.is_empty());
        rig.start("sshd");
        assert_eq!(rig.status("sshd").connections, Some(left.try_into().unwrap()));
    }
}

#[test]
fn the_first_connection_starts_a_service_that_is_handed_its_sockets() {
    let mut rig = Rig::booted([service("web").listens(80)]);
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 0));
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
    assert!(!is_watched(&rig, "web"));
    rig.connect("web", "10.0.0.2");
    assert_eq!(rig.starts("web"), 1);
}

/// As after `systemctl start` of the service and not of its socket.
#[test]
fn who_starts_it_by_its_name_need_not_connect() {
    let parts = [service("web").listens(80), service("front").needs("web").manual()];
    let mut rig = Rig::booted(parts);
    rig.start("front");
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 0), "nobody named it");
    let job = rig.start("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
    assert_eq!((rig.outcome(job), is_watched(&rig, "web")), (Some(Outcome::Done), false));
    let job = rig.restart("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    // From then on it is what it was.
    rig.start("web");
    rig.exits("web", 0);
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 2));
    rig.restart("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 3), "it only listened");
    rig.stop("web");
    assert_eq!(rig.state("web"), "stopped");
    rig.start("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 4), "its sockets were closed");
}

#[test]
fn who_is_to_start_by_its_name_and_cannot_listens_afterwards() {
    let web = service("web").listens(80).stop_timeout(Some(secs(5)));
    let mut rig = Rig::booted([web, service("ssh").inetd(22)]);
    rig.start("ssh");
    assert_eq!((rig.state("ssh"), rig.starts("ssh")), ("listening", 0), "there is no process");
    rig.fails_at("web", Stage::Exec);
    let job = rig.start("web");
    assert_eq!((rig.outcome(job), rig.starts("web")), (Some(Outcome::Failed), 1));
    rig.mends("web");
    rig.pass(secs(600));
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 1));
    // Nor does an order that was taken back come true later.
    rig.stubborn("web");
    rig.connect("web", "10.0.0.1");
    rig.stop("web");
    rig.start("web");
    rig.stop("web");
    rig.pass(secs(60));
    rig.target("default");
    assert_eq!(rig.state("web"), "stopped");
    let hold = Request::Hold { name: "web".to_owned() };
    rig.start("web");
    rig.exits("web", 0);
    rig.pass(secs(600));
    rig.ask(hold).unwrap();
    rig.start("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 3));
}

#[test]
fn after_its_end_the_socket_is_watched_again() {
    let mut rig = Rig::booted([service("web").listens(80).delay(millis(10), millis(10))]);
    for starts in 1..4 {
        rig.connect("web", "10.0.0.1");
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", starts));
        rig.exits("web", 0);
        rig.pass(secs(1));
        assert_eq!((rig.state("web"), is_watched(&rig, "web")), ("listening", true));
    }
    assert_eq!(rig.world.bound.len(), 1);
}

#[test]
fn a_service_with_a_socket_may_be_started_at_boot() {
    let mut rig = Rig::booted([service("web").listens(80).at_boot()]);
    assert_eq!((rig.state("web"), rig.starts("web"), rig.world.bound.len()), ("up", 1, 1));
}

/// It was started with the machine, has ended when there was nothing to do, and is called again.
#[test]
fn one_from_the_boot_that_ended_well_is_started_by_the_next_connection() {
    let part = || service("web").listens(80).at_boot().restart(RestartWhen::OnFailure);
    let parts = || [part(), service("above").needs("web")];
    let mut rig = Rig::booted(parts());
    for starts in 1..4 {
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", starts));
        rig.exits("web", 0);
        rig.pass(secs(60));
        assert_eq!((rig.state("web"), rig.starts("web")), ("listening", starts));
        assert_eq!((is_watched(&rig, "web"), rig.state("above")), (true, "up"));
        // To follow the file anew is no call.
        rig.apply(parts());
        assert_eq!(rig.state("web"), "listening");
        rig.connect("web", "10.0.0.1");
    }
    assert_eq!(rig.starts("above"), 1);
    for (starts, by) in [(5, Rig::start as fn(&mut Rig, &str) -> u64), (6, Rig::restart)] {
        rig.exits("web", 0);
        assert_eq!(rig.state("web"), "listening");
        by(&mut rig, "web");
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", starts));
    }
    rig.exits("web", 0);
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("stopped", 0));
}

/// A closed port says at once what nobody would ever say at an open one.
#[test]
fn one_from_the_boot_that_has_failed_leaves_no_socket_that_nobody_answers_at() {
    let web = || service("web").listens(80).at_boot();
    let burst = web().burst(2, secs(60)).delay(millis(1), millis(10));
    for part in [web().restart_never(), burst] {
        let mut rig = Rig::booted_but([part], |rig| rig.ends("web", millis(1), 1));
        rig.pass(secs(60));
        assert_eq!((rig.state("web"), rig.world.bound.len()), ("failed", 0));
        rig.mends("web");
        rig.start("web");
        assert_eq!((rig.state("web"), rig.world.bound.len()), ("up", 1));
    }
    let mut rig = Rig::booted_but([task("job").listens(80).at_boot()], |rig| {
        rig.ends("job", millis(1), 0);
    });
    rig.pass(secs(60));
    assert_eq!((rig.state("job"), rig.world.bound.len()), ("done", 0));
}

#[test]
fn one_from_the_boot_that_is_held_while_it_listens_is_called_by_nobody() {
    let part = service("web").listens(80).at_boot().restart(RestartWhen::OnFailure);
    let mut rig = Rig::booted([part]);
    rig.exits("web", 0);
    rig.ask(Request::Hold { name: "web".to_owned() }).expect("it is held");
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 1));
    rig.ask(Request::Unhold { name: "web".to_owned() }).expect("it is let go");
    rig.now();
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn those_who_need_a_socket_need_not_wait_for_its_service() {
    let mut rig = Rig::booted([service("web").needs("db"), service("db").listens(5432)]);
    assert_eq!((rig.state("db"), rig.state("web")), ("listening", "up"));
    rig.connect("db", "127.0.0.1");
    assert_eq!((rig.state("db"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_connection_waits_for_the_needs_of_its_service() {
    let mut rig = Rig::booted([service("web").listens(80).needs("db"), service("db")]);
    rig.stop("db");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("waiting", 1));
    rig.connect("web", "10.0.0.1");
    assert_eq!(rig.starts("web"), 0);
    rig.start("db");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_socket_never_fails_for_good() {
    let parts = [service("web").listens(80).burst(2, secs(60)).delay(millis(1), millis(10))];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("web", Stage::Exec));
    rig.connect("web", "10.0.0.1");
    rig.pass(secs(120));
    assert_ne!(rig.state("web"), "failed");
    assert_eq!(rig.world.bound.len(), 1);
    rig.mends("web");
    rig.pass(secs(120));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_service_that_ends_without_accepting_is_slowed_down() {
    let parts = [service("web").listens(80).restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("web", Stage::Exec));
    rig.connect("web", "10.0.0.1");
    rig.pass(secs(10));
    let starts = rig.starts("web");
    assert!((100..1_300).contains(&starts), "{starts}");
}

#[test]
fn a_task_with_a_socket_listens_again_when_it_is_done() {
    let parts = [task("job").listens(99)];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("job", secs(1), 0));
    for starts in 1..3 {
        rig.connect("job", "10.0.0.1");
        rig.pass(secs(2));
        assert_eq!((rig.state("job"), rig.starts("job")), ("listening", starts));
        assert!(is_watched(&rig, "job"));
    }
}

#[test]
fn sockets_that_cannot_be_bound_are_tried_again() {
    let parts = [service("web").listens(80).delay(millis(100), secs(5))];
    let mut rig = Rig::booted_but(parts, |rig| rig.bind_fails("web"));
    assert_eq!(rig.state("web"), "restarting");
    assert_eq!(rig.said("boot finished"), 1);
    rig.pass(secs(600));
    assert_eq!(rig.trouble().len(), 1);
    rig.mends("web");
    rig.pass(secs(7));
    assert_eq!(rig.state("web"), "listening");
}

#[test]
fn a_stop_lets_go_of_the_sockets_and_a_restart_does_not() {
    let mut rig = Rig::booted([service("web").listens(80).at_boot()]);
    rig.restart("web");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("up", 1));
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("stopped", 0));
    rig.start("web");
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("up", 1));
}

#[test]
fn one_on_demand_that_ends_too_often_says_how() {
    let parts = [service("web").listens(80).burst(1, secs(60)).delay(millis(1), secs(10))];
    let mut rig = Rig::booted(parts);
    for _ in 0..2 {
        rig.pass(millis(5));
        rig.connect("web", "10.0.0.1");
        rig.exits("web", 3);
    }
    let why = "exited with status 3; gave up after 1 restart in 60s; again in 10.0 s";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("restarting", why));
}
