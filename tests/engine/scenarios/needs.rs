//! Needs: up first, waited for, stopped after, and nothing has to be asked twice.

use finit::config::spec::RestartWhen;
use finit::facts::Stage;
use finit::proto::Outcome;

use crate::build::{millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn one_waits_while_its_need_is_not_up_and_then_comes_by_itself() {
    let parts = [service("web").needs("db"), service("db")];
    let mut rig = Rig::booted_but(parts, |rig| rig.hangs_before_exec("db"));
    assert_eq!(rig.state("web"), "waiting");
    assert_eq!(rig.reason("web"), "waits for db, which is starting");
    rig.mends("db");
    rig.pass(secs(90));
    assert_eq!((rig.state("db"), rig.state("web")), ("up", "up"));
}

#[test]
fn a_stop_takes_dependents_down_first_and_they_come_back_with_it() {
    let mut rig = Rig::booted([
        service("db"),
        service("app").needs("db"),
        service("web").needs("app"),
        service("other"),
    ]);
    let job = rig.stop("db");
    assert_eq!(rig.stopped(), ["web", "app", "db"]);
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("app"), rig.state("web")), ("waiting", "waiting"));
    assert_eq!(rig.state("other"), "up");
    rig.start("db");
    assert_eq!((rig.state("app"), rig.state("web")), ("up", "up"));
}

#[test]
fn a_need_is_not_signalled_while_a_stubborn_dependent_lives() {
    let parts = [service("db"), service("web").needs("db")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
    rig.stop("db");
    rig.pass(secs(9));
    assert_eq!(rig.stopped(), ["web"]);
    assert_eq!(rig.state("db"), "up");
    rig.pass(secs(1));
    assert_eq!(rig.state("db"), "stopped");
}

#[test]
fn a_restart_restarts_dependents_too() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db"), service("other")]);
    let job = rig.restart("db");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.starts("db"), rig.starts("web"), rig.starts("other")), (2, 2, 1));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_restart_of_both_at_once_succeeds_for_both() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    let names = vec!["web".to_owned(), "db".to_owned()];
    let reply = rig.ask(finit::proto::Request::Restart { names });
    assert!(matches!(reply, Ok(finit::proto::Reply::Job { job: 1, .. })));
    assert_eq!(rig.outcome(1), Some(Outcome::Done));
    assert_eq!((rig.starts("db"), rig.starts("web")), (2, 2));
}

#[test]
fn a_crash_of_a_need_that_comes_back_leaves_dependents_alone() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    rig.crashes("db");
    assert_eq!((rig.state("db"), rig.state("web")), ("restarting", "up"));
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.state("web")), ("up", "up"));
    assert_eq!(rig.starts("web"), 1);
}

#[test]
fn a_crash_for_good_stops_dependents() {
    let mut rig = Rig::booted([service("db").restart_never(), service("web").needs("db")]);
    rig.crashes("db");
    assert_eq!((rig.state("db"), rig.state("web")), ("failed", "waiting"));
    assert_eq!(rig.reason("web"), "waits for db, which is failed");
}

#[test]
fn while_a_need_is_held_down_nothing_restarts_above_it() {
    let mut rig = Rig::booted([
        service("s1"),
        service("s2").needs("s1"),
        service("s3").needs("s2"),
        service("s4").needs("s3"),
    ]);
    rig.stop("s1");
    rig.pass(secs(600));
    assert_eq!(rig.state("s4"), "waiting");
    assert_eq!((rig.starts("s2"), rig.starts("s3"), rig.starts("s4")), (1, 1, 1));
}

#[test]
fn a_crash_during_the_delay_of_its_need_waits_for_that_and_leaves_those_above_alone() {
    let slow = |name| service(name).delay(secs(10), secs(10));
    let mut rig = Rig::booted([
        slow("db"),
        service("app").needs("db").delay(millis(1), millis(1)),
        service("web").needs("app"),
    ]);
    rig.crashes("db");
    rig.crashes("app");
    rig.pass(secs(1));
    assert_eq!(rig.state("app"), "waiting");
    assert_eq!(rig.state("web"), "up");
    rig.pass(secs(10));
    assert_eq!((rig.state("app"), rig.starts("web")), ("up", 1));
}

#[test]
fn either_of_two_alternatives_will_do() {
    let parts = [service("mail").needs("postfix|exim"), service("postfix"), service("exim")];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("postfix", Stage::Exec));
    assert_eq!(rig.state("mail"), "up");
    rig.stop("postfix");
    assert_eq!((rig.state("mail"), rig.starts("mail")), ("up", 1));
    rig.stop("exim");
    assert_eq!(rig.state("mail"), "waiting");
}

#[test]
fn the_first_alternative_is_brought_up_where_nobody_wants_any() {
    let mut rig = Rig::booted([
        service("mail").needs("postfix|exim"),
        service("postfix").manual(),
        service("exim").manual(),
    ]);
    let states = (rig.state("mail"), rig.state("postfix"), rig.state("exim"));
    assert_eq!(states, ("up", "up", "stopped"));
}

#[test]
fn the_last_alternative_is_given_up_only_after_the_one_that_stands_on_it() {
    let mut rig = Rig::booted([service("mail").needs("a|b"), service("a"), service("b")]);
    rig.stop("a");
    assert_eq!(rig.stopped(), ["a"]);
    rig.stop("b");
    assert_eq!(rig.stopped(), ["a", "mail", "b"]);
}

#[test]
fn a_crashing_alternative_does_not_hold_up_the_stop_of_the_other() {
    let mut rig = Rig::booted([
        service("mail").needs("a|b"),
        service("a").delay(secs(60), secs(60)),
        service("b"),
    ]);
    rig.crashes("a");
    let job = rig.stop("b");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(rig.stopped(), ["mail", "b"]);
}

#[test]
fn a_want_is_waited_for_and_its_failure_is_no_obstacle() {
    let parts = [service("web").wants("cache"), service("cache").manual().restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| {
        let slow = Program { executes: Some(secs(2)), ..Program::daemon() };
        let error = Some(crate::rig::error(Stage::User));
        rig.program("cache", Program { fails: error, ..slow });
    });
    assert_eq!(rig.state("web"), "waiting");
    rig.pass(secs(2));
    assert_eq!((rig.state("cache"), rig.state("web")), ("failed", "up"));
}

#[test]
fn what_only_a_dependent_wanted_goes_with_it() {
    let mut rig = Rig::booted([
        service("web").needs("db").wants("cache"),
        service("db").manual(),
        service("cache").manual(),
    ]);
    assert_eq!((rig.state("db"), rig.state("cache")), ("up", "up"));
    rig.stop("web");
    assert_eq!((rig.state("db"), rig.state("cache")), ("stopped", "stopped"));
    assert_eq!(rig.stopped().first(), Some(&"web"));
}

#[test]
fn a_shared_need_stays_while_one_dependent_is_left() {
    let mut rig =
        Rig::booted([service("db").manual(), service("a").needs("db"), service("b").needs("db")]);
    rig.stop("a");
    assert_eq!(rig.state("db"), "up");
    rig.stop("b");
    assert_eq!(rig.state("db"), "stopped");
}

#[test]
fn to_ask_for_a_dependent_is_to_ask_for_its_stopped_and_failed_needs() {
    let mut rig = Rig::booted([
        service("web").needs("app"),
        service("app").needs("db"),
        service("db").restart(RestartWhen::Never),
    ]);
    rig.stop("app");
    rig.crashes("db");
    assert_eq!(
        (rig.state("db"), rig.state("app"), rig.state("web")),
        ("failed", "stopped", "waiting")
    );
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("db"), rig.state("app"), rig.state("web")), ("up", "up", "up"));
}

#[test]
fn to_ask_for_a_dependent_is_to_ask_for_what_it_wants_and_for_what_that_needs() {
    let mut rig = Rig::booted([
        service("web").wants("cache"),
        service("cache").needs("db").restart_never(),
        service("db"),
    ]);
    rig.stop("db");
    rig.stop("cache");
    assert_eq!(
        (rig.state("web"), rig.state("cache"), rig.state("db")),
        ("up", "stopped", "stopped")
    );
    let job = rig.restart("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("web"), rig.state("cache"), rig.state("db")), ("up", "up", "up"));
}

#[test]
fn a_stop_outweighs_dependents_that_want_it() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    rig.stop("db");
    rig.pass(secs(3600));
    assert_eq!((rig.state("db"), rig.state("web")), ("stopped", "waiting"));
}

#[test]
fn a_need_that_comes_too_late_is_waited_for_without_holding_up_the_boot() {
    let parts =
        [service("web").needs("db"), service("db").restart_never(), service("last").after("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("db", millis(0), 1));
    assert_eq!((rig.state("web"), rig.state("last")), ("waiting", "up"));
    assert_eq!(rig.said("boot finished"), 1);
}
