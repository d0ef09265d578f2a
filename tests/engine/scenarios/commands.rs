//! Commands that decide whether a service starts.

use finit::config::spec::Hook;
use finit::facts::Stage;

use crate::build::{hook, millis, secs, service};
use crate::rig::Rig;

const WHY: &str = "only-if.exists = /etc/web: it does not exist";

#[test]
fn a_command_decides_before_anything_else_of_the_service_runs() {
    let web = || {
        service("web")
            .only_if("/etc/web")
            .only_if_command(hook("/ask"))
            .only_if_command(hook("/more"))
            .before_start(hook("/prepare"))
            .after_stop(hook("/tidy"))
    };
    let all_well = |rig: &mut Rig| {
        for program in ["/ask", "/more", "/prepare", "/tidy"] {
            rig.ends(program, millis(0), 0);
        }
    };
    let mut rig = Rig::booted_but([web()], all_well);
    assert_eq!(rig.state("web"), "up");
    assert_eq!(rig.started(), ["/ask", "/more", "/prepare", "/sbin/web"]);
    for code in [1, 77, 254] {
        let mut rig = Rig::booted_but([web()], |rig| {
            all_well(rig);
            rig.ends("/more", millis(0), code);
        });
        let why = format!("only-if-command `/more` exited with status {code}");
        assert_eq!((rig.state("web"), rig.reason("web")), ("skipped", why));
        assert_eq!(rig.started(), ["/ask", "/more"]);
        assert_eq!(rig.status("web").restarts, 0);
        rig.ends("/more", millis(0), 0);
        rig.start("web");
        assert_eq!(rig.state("web"), "up");
    }
    let mut rig = Rig::booted_but([web()], |rig| {
        all_well(rig);
        rig.skips("web", WHY);
    });
    assert_eq!((rig.reason("web").as_str(), rig.started().len()), (WHY, 0));
}

#[test]
fn a_command_that_cannot_decide_fails_the_start() {
    let web = || service("web").only_if_command(hook("/ask")).restart_never().ok_exit_any();
    let fails = |change: &dyn Fn(&mut Rig), why: &str| {
        let mut rig = Rig::booted_but([web()], |rig| change(rig));
        assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why));
        assert_eq!(rig.starts("web"), 0);
    };
    fails(
        &|rig| rig.ends("/ask", millis(0), 255),
        "only-if-command `/ask`: exited with status 255",
    );
    let error = crate::rig::error(Stage::Exec);
    fails(&|rig| rig.fails_at("/ask", Stage::Exec), &format!("only-if-command `/ask`: {error}"));
    fails(
        &|rig| rig.clone_fails("/ask"),
        &format!("only-if-command `/ask`: {}", crate::rig::error(Stage::Clone)),
    );
    // A time of its own, and that of the whole start.
    let slow = Hook { timeout: Some(secs(5)), ..hook("/ask") };
    let mut rig = Rig::booted_but([service("web").only_if_command(slow).restart_never()], |_| {});
    rig.pass(secs(6));
    let why = "only-if-command `/ask` took longer than 5s (timeout) and was killed";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why));
    let mut rig = Rig::booted([web()]);
    rig.pass(secs(61));
    assert_eq!(rig.state("web"), "failed");
}

#[test]
fn a_command_that_may_fail_is_overlooked_but_still_skips() {
    let may_fail = || Hook { may_fail: true, ..hook("/ask") };
    let parts = || [service("web").only_if_command(may_fail())];
    let mut rig = Rig::booted_but(parts(), |rig| rig.ends("/ask", millis(0), 255));
    assert_eq!(rig.state("web"), "up");
    let mut rig = Rig::booted_but(parts(), |rig| rig.ends("/ask", millis(0), 1));
    assert_eq!(rig.state("web"), "skipped");
}

#[test]
fn a_command_is_stopped_like_any_other_step() {
    let parts = [service("web").only_if_command(hook("/ask"))];
    let mut rig = Rig::booted(parts);
    assert_eq!((rig.state("web"), rig.started()), ("starting", vec!["/ask"]));
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("stopped", 0));
    assert_eq!(rig.signals("web"), ["SIGTERM"]);
}

fn asked(rig: &Rig) -> usize {
    rig.started().iter().filter(|word| **word == "/ask").count()
}

/// SD7: connections in plenty, and a command that says no: nobody goes round in circles about it.
#[test]
fn a_command_that_says_no_to_a_connection_lets_go_of_the_socket() {
    let web = service("web").listens(80).only_if_command(hook("/ask"));
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/ask", millis(0), 0));
    assert_eq!((rig.state("web"), asked(&rig), rig.world.bound.len()), ("listening", 1, 1));
    rig.ends("/ask", millis(0), 1);
    for _ in 0..100 {
        rig.connect("web", "10.0.0.1");
    }
    rig.pass(secs(3600));
    let why = "only-if-command `/ask` exited with status 1";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("skipped", why));
    assert_eq!((asked(&rig), rig.starts("web"), rig.world.bound.len()), (2, 0, 0));
    rig.ends("/ask", millis(0), 0);
    rig.start("web");
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn a_command_is_asked_before_inetd_listens_and_not_at_each_connection() {
    let web = service("web").inetd(80).only_if_command(hook("/ask"));
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/ask", millis(0), 1));
    assert_eq!((rig.state("web"), rig.world.bound.len()), ("skipped", 0));
    rig.ends("/ask", millis(0), 0);
    rig.start("web");
    rig.ends("/ask", millis(0), 1);
    for _ in 0..10 {
        rig.connect("web", "10.0.0.1");
    }
    assert_eq!((rig.state("web"), asked(&rig), rig.starts("web")), ("listening", 2, 10));
}

#[test]
fn a_command_that_cannot_decide_about_a_connection_is_asked_ever_more_slowly() {
    let web = service("web").listens(80).only_if_command(hook("/ask"));
    let mut rig = Rig::booted_but([web], |rig| rig.ends("/ask", millis(0), 0));
    rig.ends("/ask", millis(0), 255);
    rig.connect("web", "10.0.0.1");
    rig.pass(secs(3600));
    let asked = rig.started().len();
    assert!((20..300).contains(&asked), "{asked} times in an hour");
    assert_eq!((rig.starts("web"), rig.world.bound.len()), (0, 1), "{}", rig.reason("web"));
    rig.ends("/ask", millis(0), 0);
    rig.pass(secs(60));
    assert_eq!(rig.state("web"), "up", "the connection still waits for it");
}
