//! NI, HO, SD, DX: what nitro, Horust, systemd and dinit's protocol test.

use finit::config::spec::{RestartWhen, StopScope};
use finit::facts::{Exit, SignalNumber};
use finit::proto::{Code, Outcome, Request};

use crate::build::{Part, hook, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::gentle::{goes, stays};
use std::rc::Rc;

#[test]
fn ni1005_down_added_what_is_added_as_manual_waits_to_be_asked_for() {
    let mut rig = Rig::booted([service("a")]);
    rig.apply([service("a"), service("b").manual()]);
    rig.pass(secs(60));
    assert_eq!((rig.state("b"), rig.starts("b")), ("stopped", 0));
    rig.start("b");
    assert_eq!(rig.state("b"), "up");
}

#[test]
fn ni1101_setup_error_a_setup_that_fails_is_tried_again() {
    let parts = [service("web").before_start(hook("/setup")).delay(secs(1), secs(1))];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("/setup", millis(0), 1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("restarting", 0));
    rig.ends("/setup", millis(0), 0);
    rig.pass(secs(2));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn ni1102_setup_fatal_a_setup_that_says_never_again_is_not_tried_again() {
    let mut web = service("web").before_start(hook("/setup"));
    Rc::make_mut(&mut web.0.restart).except.codes.push(111);
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/setup", millis(0), 111));
    rig.pass(secs(60));
    assert_eq!(
        (rig.state("web"), rig.reason("web").as_str()),
        ("failed", "before-start: exited with status 111")
    );
}

#[test]
fn ni1103_setup_finish_what_tidies_up_runs_after_a_setup_that_failed_too() {
    let web = service("web").before_start(hook("/setup")).after_stop(hook("/tidy"));
    let mut rig = Rig::booted_but([web.restart_never()], |rig| {
        rig.ends("/setup", millis(0), 1);
        rig.ends("/tidy", millis(0), 0);
    });
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.started()), ("failed", vec!["/setup", "/tidy"]));
}

fn getty(names: &[&str]) -> Vec<Part> {
    let one = |name: &&str| service(&format!("getty@{name}")).instance_of("getty");
    names.iter().map(one).collect()
}

#[test]
fn ni1202_instances_fatal_an_instance_that_fails_fails_alone() {
    let parts = getty(&["tty1", "tty2"]).into_iter().map(Part::restart_never);
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("getty@tty1", millis(0), 111));
    rig.pass(secs(60));
    assert_eq!((rig.state("getty@tty1"), rig.state("getty@tty2")), ("failed", "up"));
    rig.mends("getty@tty1");
    rig.start("getty@tty1");
    assert_eq!((rig.state("getty@tty1"), rig.starts("getty@tty2")), ("up", 1));
}

#[test]
fn ni1204_instances_stop_an_instance_that_is_not_there_is_refused_and_not_made() {
    let mut rig = Rig::booted(getty(&["tty1"]));
    let known = rig.machine().services.len();
    for request in [
        Request::Stop { names: vec!["getty@tty9".to_owned()] },
        Request::Start { names: vec!["getty@tty9".to_owned()] },
        Request::Restart { names: vec!["getty@tty9".to_owned()] },
        Request::Status { name: "getty@tty9".to_owned() },
    ] {
        assert_eq!(rig.ask(request).unwrap_err().code, Code::NoSuchService);
    }
    assert_eq!((rig.label("getty@tty9"), rig.machine().services.len()), ("unknown", known));
    assert_eq!((rig.state("getty@tty1"), rig.starts("getty@tty1")), ("up", 1));
}

#[test]
fn ni1203_instances_regression_an_instance_without_a_name_is_refused() {
    let mut rig = Rig::booted(getty(&["a"]));
    for name in ["getty@", "@a", "@"] {
        let names = vec![name.to_owned()];
        let refusal = rig.ask(Request::Start { names }).unwrap_err();
        assert_eq!(refusal.code, Code::NoSuchService, "{name}");
        assert_eq!(rig.label(name), "unknown");
    }
    assert_eq!(rig.starts("getty@a"), 1);
}

#[test]
fn ni1601_parallel_start_those_that_do_not_depend_on_each_other_start_side_by_side() {
    let slow = Program { executes: Some(secs(5)), ..Program::daemon() };
    let mut rig = Rig::booted_but([service("a"), service("b"), service("c")], |rig| {
        for name in ["a", "b", "c"] {
            rig.program(name, slow.clone());
        }
    });
    assert_eq!(rig.started().len(), 3);
    rig.pass(secs(5));
    assert_eq!(["a", "b", "c"].map(|name| rig.state(name)), ["up"; 3]);
}

fn every_signal() -> impl Iterator<Item = SignalNumber> {
    (1..=64).filter_map(SignalNumber::new)
}

#[test]
fn ho_termination_custom_signals_each_signal_may_be_the_one_that_stops() {
    let mut count = 0;
    for signal in every_signal() {
        let mut part = service("web").stop_timeout(None);
        Rc::make_mut(&mut part.0.stop).signal = signal;
        let mut rig = Rig::booted_but([part], |rig| rig.stubborn("web"));
        rig.stop("web");
        let sent: Vec<_> = rig.world.signals.iter().map(|(_, _, signal)| *signal).collect();
        assert_eq!(sent.first(), Some(&signal), "{sent:?}");
        assert!(!sent.contains(&SignalNumber::TERM) || signal == SignalNumber::TERM);
        count += 1;
    }
    assert!(count >= 62, "{count}");
}

#[test]
fn ho_restart_always_killed_by_signals_whichever_signal_it_was_it_comes_back() {
    for number in every_signal() {
        let killed = Exit::Signal { number, core: false };
        let mut rig = Rig::booted_but([service("web").restart(RestartWhen::Always)], |rig| {
            let once = Program { ends: Some((millis(1), killed)), ..Program::daemon() };
            rig.program("web", once);
        });
        rig.pass(millis(1));
        rig.mends("web");
        rig.pass(secs(1));
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2), "{number}");
    }
}

#[test]
fn sd4_a_mixed_stop_with_a_command_after_it_leaves_no_process() {
    let web = service("web").stop_scope(StopScope::Mixed).after_stop(hook("/tidy"));
    let mut rig = Rig::booted_but([web], |rig| {
        rig.program("web", Program { leaves: 3, ..Program::daemon() });
        rig.ends("/tidy", secs(1), 0);
    });
    let job = rig.stop("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert_eq!(rig.signals("web"), ["SIGTERM", "SIGKILL"]);
    assert_eq!(rig.started(), ["/sbin/web", "/tidy"]);
    let node = rig.world.engine.number("web").unwrap();
    assert!(rig.world.is_empty(node));
}

#[test]
fn sd8_a_service_is_not_up_once_its_main_process_is_gone() {
    let parts = [service("web").restart_never(), service("above").needs("web")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("web", Program { leaves: 1, ..Program::daemon() });
    });
    let run = rig.main("web");
    rig.world.end(run, finit::engine::Ended::Exit(Exit::Code(1)));
    // What it left has been asked to go and has not gone yet.
    let report = rig.status("web");
    assert_ne!(report.state.word(), "up");
    assert_eq!(report.pid, None);
    rig.pass(secs(30));
    assert_eq!((rig.state("web"), rig.state("above")), ("failed", "waiting"));
}

#[test]
fn sd19_a_connection_that_comes_while_the_service_restarts_waits_for_it() {
    let parts = [service("web").listens(80)];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
    rig.connect("web", "one");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
    rig.mends("web");
    rig.restart("web");
    assert_eq!(rig.state("web"), "stopping");
    rig.connect("web", "two");
    assert_eq!(rig.starts("web"), 1, "not beside the one that stops");
    rig.pass(secs(10));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    assert_eq!(rig.signals("web"), ["SIGTERM", "SIGKILL"]);
}

#[test]
fn dx_version_whoever_asks_is_told_the_version_of_the_protocol_and_of_finit() {
    let mut rig = Rig::booted([]);
    match rig.ask_as(finit::engine::Access::Look, Request::Hello) {
        Ok(finit::proto::Reply::Hello { protocol, version, .. }) => {
            assert_eq!((protocol, version.as_str()), (1, env!("CARGO_PKG_VERSION")));
        }
        other => panic!("{other:?}"),
    }
}

/// dinit answers a stop without `--force` with the dependents, and so does this.
#[test]
fn dx_gentlestop_who_still_needs_it_is_named_and_nobody_goes() {
    let mut rig =
        Rig::booted([service("s1"), service("s2").needs("s1"), service("s3").needs("s2")]);
    let said = stays(&mut rig, &["s1"]);
    assert_eq!(said, "s1 stays for s2, and goes when nobody needs or wants it any more");
    assert_eq!(["s1", "s2", "s3"].map(|name| rig.state(name)), ["up"; 3]);
    goes(&mut rig, &["s3"]);
    assert_eq!(["s1", "s2", "s3"].map(|name| rig.state(name)), ["up", "up", "stopped"]);
    goes(&mut rig, &["s2"]);
    assert_eq!(["s1", "s2", "s3"].map(|name| rig.state(name)), ["stopped"; 3]);
}
