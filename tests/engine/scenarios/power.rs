//! The machine goes down: once, in order, and in bounded time.

use finit::config::spec::StopScope;
use finit::engine::{Aim, Cause, Event};
use finit::facts::SignalNumber;
use finit::proto::{Code, Outcome, Power, Request};

use crate::build::{Part, hook, machine, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn services_stop_and_then_it_finishes() {
    let mut rig = Rig::booted([service("web"), service("db")]);
    rig.power(Power::Poweroff).expect("it goes down");
    assert_eq!(rig.finished(), Some(Power::Poweroff));
    assert_eq!((rig.state("web"), rig.state("db")), ("stopped", "stopped"));
    assert_eq!(rig.world.finished.len(), 1);
}

#[test]
fn during_the_boot_it_turns_round_at_once() {
    let mut rig = Rig::cold(machine([service("web"), service("late").after("web")]), "default");
    rig.hangs_before_exec("web");
    rig.step("clock", None);
    rig.boot();
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(60));
    assert_eq!((rig.finished(), rig.starts("late")), (Some(Power::Reboot), 0));
    assert_eq!(rig.said("boot finished"), 0);
}

#[test]
fn the_first_request_counts() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    rig.power(Power::Reboot).expect("it goes down");
    let refusal = rig.power(Power::Halt).unwrap_err();
    assert_eq!(refusal.code, Code::ShuttingDown);
    assert_eq!(refusal.message, "the machine is shutting down: reboot already");
    let cause = Cause::Signal("SIGINT".into());
    rig.world.turn(Event::PowerAsked { how: Power::Poweroff, cause });
    rig.pass(secs(60));
    assert_eq!(rig.world.finished, [Power::Reboot]);
}

#[test]
fn nothing_is_started_any_more_and_requests_say_so() {
    let mut rig = Rig::booted_but([service("web"), service("off").manual()], |rig| {
        rig.stubborn("web");
    });
    rig.power(Power::Reboot).expect("it goes down");
    let refusal = rig.ask(Request::Start { names: vec!["off".to_owned()] }).unwrap_err();
    assert_eq!(refusal.code, Code::ShuttingDown);
    rig.apply([service("web"), service("new")]);
    rig.pass(secs(100));
    assert_eq!((rig.starts("off"), rig.starts("new")), (0, 0));
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn a_crash_on_the_way_down_is_no_reason_to_come_back() {
    let mut rig =
        Rig::booted_but([service("a").delay(secs(0), secs(0)), service("b").needs("a")], |rig| {
            rig.stubborn("b")
        });
    rig.power(Power::Halt).expect("it goes down");
    rig.crashes("a");
    rig.pass(secs(60));
    assert_eq!((rig.starts("a"), rig.finished()), (1, Some(Power::Halt)));
}

#[test]
fn who_waits_out_a_delay_does_not_hold_it_up() {
    let mut rig = Rig::booted([service("web").delay(secs(30), secs(30))]);
    rig.crashes("web");
    rig.power(Power::Halt).expect("it goes down");
    assert_eq!(rig.finished(), Some(Power::Halt));
}

#[test]
fn after_its_time_it_goes_on_without_those_who_are_late() {
    let parts = [service("slow").stop_timeout(None), service("below"), service("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("slow"));
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(5));
    assert_eq!(rig.trouble().last(), Some(&"waiting for slow"));
    // 60 s for the whole, 25 s of it for what comes after the services.
    rig.pass(secs(29));
    assert_eq!(rig.finished(), None);
    rig.pass(secs(1));
    assert_eq!(rig.finished(), Some(Power::Reboot));
    assert_eq!(rig.trouble().last(), Some(&"going on without slow"));
}

#[test]
fn a_hundred_stubborn_services_are_killed_side_by_side() {
    let mut parts = Vec::new();
    for number in 0..100 {
        parts.push(service(&format!("s{number}")));
    }
    let mut rig = Rig::booted_but(parts, |rig| {
        for number in 0..100 {
            rig.stubborn(&format!("s{number}"));
        }
    });
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(10));
    assert_eq!(rig.finished(), Some(Power::Reboot));
}

#[test]
fn after_stop_commands_run_on_the_way_down() {
    let parts = [service("web").after_stop(hook("/tidy")).stop_command("/ask")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("/ask", millis(5), 0);
        rig.ends("/tidy", secs(1), 0);
    });
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(millis(500));
    assert_eq!((rig.started(), rig.finished()), (vec!["/sbin/web", "/ask", "/tidy"], None));
    rig.pass(secs(1));
    assert_eq!(rig.finished(), Some(Power::Reboot));
}

#[test]
fn jobs_that_cannot_come_true_any_more_end() {
    let mut rig = Rig::booted_but([service("web").manual()], |rig| {
        rig.program("web", Program { executes: Some(secs(20)), ..Program::daemon() });
    });
    let job = rig.start("web");
    rig.power(Power::Reboot).expect("it goes down");
    assert_eq!(rig.outcome(job), Some(Outcome::Replaced));
}

#[test]
fn those_without_a_right_to_it_are_refused() {
    use finit::engine::Access::{Look, Power as MayPower};
    let mut rig = Rig::booted([service("web")]);
    let how = Power::Halt;
    assert_eq!(rig.ask_as(Look, Request::Power { how }).unwrap_err().code, Code::Denied);
    assert_eq!(rig.finished(), None);
    rig.ask_as(MayPower, Request::Power { how }).expect("it may");
    assert_eq!(rig.finished(), Some(how));
}

/// The sessions of an sshd would hang: nobody tells their clients that they have ended.
#[test]
fn sessions_that_outlive_a_stop_go_before_the_network_does() {
    let sshd = || service("sshd").inetd(22).after("net").stop_scope(StopScope::Main);
    for is_stopped in [false, true] {
        let mut rig = Rig::booted_but([sshd(), task("net").stop_command("/down")], |rig| {
            rig.program("sshd", Program { obeys: Some(secs(2)), ..Program::daemon() });
            rig.ends("net", secs(0), 0);
        });
        rig.connect("sshd", "10.0.0.1");
        if is_stopped {
            rig.stop("sshd");
            assert_eq!((rig.state("sshd"), rig.connections()), ("stopped", 1));
        }
        rig.power(Power::Reboot).expect("it goes down");
        rig.pass(secs(1));
        assert_eq!((rig.connections(), rig.started().contains(&"/down")), (1, false));
        rig.pass(secs(2));
        assert_eq!((rig.connections(), rig.started().contains(&"/down")), (0, true));
    }
}

/// What it did is undone once, and what it never did is not.
#[test]
fn what_is_down_is_not_tidied_up_when_the_machine_goes_down() {
    let hooked = |part: Part| part.stop_scope(StopScope::Main).after_stop(hook("/tidy"));
    let tidied = |rig: &Rig| rig.started().iter().filter(|line| **line == "/tidy").count();
    let mut rig = Rig::booted_but([hooked(service("cron"))], |rig| {
        rig.program("cron", Program { leaves: 1, ..Program::daemon() });
        rig.ends("/tidy", secs(0), 0);
    });
    rig.stop("cron");
    assert_eq!((rig.state("cron"), tidied(&rig)), ("stopped", 1));
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(20));
    assert_eq!((tidied(&rig), rig.finished()), (1, Some(Power::Reboot)));

    let mut rig = Rig::booted_but([hooked(service("cron").restart_never())], |rig| {
        rig.program("cron", Program { leaves: 1, ..Program::daemon() });
        rig.ends("/tidy", secs(0), 0);
    });
    rig.crashes("cron");
    assert_eq!((rig.state("cron"), tidied(&rig)), ("failed", 1));
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(20));
    let said = rig.trouble().iter().filter(|line| line.contains("cron failed")).count();
    assert_eq!((tidied(&rig), said, rig.finished()), (1, 1, Some(Power::Reboot)));

    let mut rig = Rig::booted([hooked(service("web").listens(80))]);
    assert_eq!(rig.state("web"), "listening");
    rig.power(Power::Reboot).expect("it goes down");
    rig.pass(secs(20));
    assert_eq!((tidied(&rig), rig.finished()), (0, Some(Power::Reboot)));
}

/// As the jobs of a cron: they are asked once it has gone itself.
#[test]
fn those_left_behind_by_a_main_process_go_before_what_they_stand_on() {
    let cron = || service("cron").needs("db").stop_scope(StopScope::Main);
    for is_stopped in [false, true] {
        let mut rig = Rig::booted_but([cron(), service("db")], |rig| {
            rig.program("cron", Program { leaves: 1, ..Program::daemon() });
        });
        let (cron, db) = (rig.main("cron"), rig.main("db"));
        if is_stopped {
            rig.stop("cron");
        }
        rig.power(Power::Reboot).expect("it goes down");
        let asked = rig.world.signals.iter().filter(|(_, _, signal)| *signal == SignalNumber::TERM);
        let aims: Vec<Aim> = asked.map(|(_, aim, _)| *aim).collect();
        // A service of the usual scope is asked as a whole.
        assert_eq!(aims, [Aim::Run(cron), Aim::Group, Aim::Group]);
        assert!(rig.world.is_empty(cron.node) && rig.world.is_empty(db.node));
        assert_eq!(rig.finished(), Some(Power::Reboot));
    }
}
