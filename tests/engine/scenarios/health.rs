//! Checks that are repeated while a service is up.

use std::time::Duration;

use finit::config::spec::{Address, Check, Health, RestartWhen};
use finit::proto::Power;

use crate::build::{Part, hook, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

const ASK: &str = "/bin/ask";

fn every(every: Duration, check: Check) -> Health {
    Health { check, every, timeout: secs(2), failures: 3 }
}

/// A service whose health a command is asked for every ten seconds.
fn asked(name: &str) -> Part {
    service(name).health(every(secs(10), Check::Command(Box::new(hook(ASK)))))
}

/// A machine with it; the command ends at once with that status.
fn booted(part: Part, status: u8) -> Rig {
    Rig::booted_but([part], |rig| rig.ends(ASK, millis(0), status))
}

#[test]
fn a_healthy_service_is_checked_again_and_again_and_nothing_else_happens() {
    let mut rig = booted(asked("web"), 0);
    rig.pass(millis(9_900));
    assert_eq!(rig.started(), ["/sbin/web"], "the first check is a while after it is up");
    rig.pass(secs(40));
    assert_eq!(rig.started(), ["/sbin/web", ASK, ASK, ASK, ASK]);
    assert_eq!((rig.state("web"), rig.reason("web").as_str(), rig.starts("web")), ("up", "", 1));
    assert!(rig.trouble().is_empty());
}

#[test]
fn checks_that_fail_in_a_row_end_it_as_a_crash_does() {
    let mut rig = booted(asked("web").delay(secs(5), secs(5)), 1);
    rig.pass(secs(10));
    let said = "1 of 3 health checks failed: exited with status 1";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("up", said));
    rig.pass(secs(10));
    assert_eq!(rig.reason("web"), "2 of 3 health checks failed: exited with status 1");
    rig.pass(secs(10));
    let why = "3 health checks in a row failed: exited with status 1 (health)";
    assert_eq!(rig.trouble(), [format!("web is ended: {why}")]);
    assert_eq!(rig.signals("web"), ["SIGTERM"]);
    assert_eq!(rig.state("web"), "restarting");
    let cause = rig.status("web").detail.expect("in full").cause;
    assert_eq!(cause, "the checks of its health");
    assert!(rig.reason("web").starts_with(why), "{}", rig.reason("web"));
    rig.ends(ASK, millis(0), 0);
    rig.pass(secs(5));
    assert_eq!((rig.state("web"), rig.starts("web"), rig.reason("web").as_str()), ("up", 2, ""));
}

#[test]
fn one_success_and_they_are_counted_anew() {
    let mut rig = booted(asked("web"), 1);
    rig.pass(secs(20));
    rig.ends(ASK, millis(0), 0);
    rig.pass(secs(10));
    assert_eq!(rig.reason("web"), "");
    rig.ends(ASK, millis(0), 1);
    rig.pass(secs(20));
    assert_eq!(rig.reason("web"), "2 of 3 health checks failed: exited with status 1");
    assert_eq!(rig.starts("web"), 1);
}

#[test]
fn count_and_time_begin_anew_with_each_run() {
    let mut rig = booted(asked("web"), 1);
    rig.pass(secs(25));
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("up", ""));
    rig.pass(secs(10));
    assert_eq!(rig.reason("web"), "1 of 3 health checks failed: exited with status 1");
}

#[test]
fn what_follows_is_as_the_policy_has_it_for_a_crash() {
    let crash = [RestartWhen::Always, RestartWhen::OnFailure, RestartWhen::OnCrash];
    for when in crash {
        let mut rig = booted(asked("web").restart(when), 1);
        rig.pass(secs(31));
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2), "{when:?}");
    }
    for when in [RestartWhen::OnSuccess, RestartWhen::Never] {
        let mut rig = booted(asked("web").restart(when), 1);
        rig.pass(secs(31));
        let why =
            "3 health checks in a row failed: exited with status 1 (health); killed by SIGTERM";
        assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why), "{when:?}");
        assert_eq!(rig.signals("web"), ["SIGTERM"]);
    }
}

/// Neither may it stay for ever.
#[test]
fn who_does_not_obey_is_killed_and_its_own_command_stops_it() {
    let mut rig = Rig::booted_but([asked("web").stop_command("/bin/halt")], |rig| {
        rig.ends(ASK, millis(0), 1);
        rig.ends("/bin/halt", millis(5), 0);
        rig.program("web", Program { dies: millis(10), ..Program::stubborn() });
    });
    rig.pass(secs(30) + millis(5));
    assert_eq!((rig.state("web"), rig.started().last()), ("stopping", Some(&"/bin/halt")));
    rig.pass(secs(11));
    assert_eq!(rig.signals("web"), ["SIGTERM", "SIGKILL"]);
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn a_check_that_hangs_is_killed_and_has_failed_and_there_is_never_a_second_one() {
    let mut rig = Rig::booted_but([asked("web").restart_never()], |rig| {
        rig.program(ASK, Program::stubborn());
    });
    rig.pass(secs(11));
    assert_eq!(rig.reason("web"), "");
    rig.pass(secs(1));
    assert_eq!(rig.reason("web"), "1 of 3 health checks failed: no answer within 2s");
    assert_eq!(rig.signals("web"), ["SIGKILL"]);
    rig.pass(secs(24));
    assert_eq!(rig.started(), ["/sbin/web", ASK, ASK, ASK], "one after the other");
    let why = "3 health checks in a row failed: no answer within 2s (health); killed by SIGTERM";
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", why));
}

#[test]
fn the_time_of_the_command_itself_counts_before_that_of_the_check() {
    let mut ask = hook(ASK);
    ask.timeout = Some(secs(5));
    let part = service("web").health(every(secs(10), Check::Command(Box::new(ask))));
    let mut rig = Rig::booted_but([part], |rig| rig.program(ASK, Program::daemon()));
    rig.pass(secs(14));
    assert_eq!(rig.reason("web"), "");
    rig.pass(secs(1));
    assert_eq!(rig.reason("web"), "1 of 3 health checks failed: no answer within 5s");
}

#[test]
fn a_check_that_cannot_even_be_made_has_failed() {
    let mut rig = Rig::booted_but([asked("web")], |rig| rig.clone_fails(ASK));
    rig.pass(secs(10));
    assert!(rig.reason("web").starts_with("1 of 3 health checks failed: "));
    rig.pass(secs(20));
    assert_eq!(rig.said("web is ended: 3 health checks in a row failed"), 1);
}

#[test]
fn a_stop_or_an_end_takes_the_check_along() {
    let mut rig = Rig::booted_but([asked("web")], |rig| rig.program(ASK, Program::daemon()));
    rig.pass(secs(11));
    rig.stop("web");
    assert_eq!(rig.signals("web"), ["SIGKILL", "SIGTERM"], "the check, and the service");
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.started().len()), ("stopped", 2));

    rig.start("web");
    rig.pass(secs(11));
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 3));
    rig.pass(secs(8));
    assert_eq!(rig.reason("web"), "", "the check of before says nothing of this run");
}

#[test]
fn nobody_checks_what_is_not_up_yet_or_about_to_go() {
    let mut rig = Rig::booted_but([asked("db").notifies(), service("web").needs("db")], |rig| {
        rig.program("db", Program::mute());
        rig.program("web", Program { obeys: Some(secs(9)), ..Program::daemon() });
        rig.ends(ASK, millis(0), 1);
    });
    rig.pass(secs(30));
    assert_eq!(rig.started(), ["/sbin/db"]);
    rig.tells("db", "READY=1");
    rig.pass(secs(29));
    assert_eq!(rig.reason("db"), "2 of 3 health checks failed: exited with status 1");
    rig.stop("db");
    rig.pass(secs(8));
    assert_eq!((rig.state("db"), rig.state("web")), ("up", "stopping"));
    assert_eq!(rig.trouble(), [""; 0], "it goes anyway");
    rig.pass(secs(2));
    assert_eq!(rig.state("db"), "stopped");
}

#[test]
fn its_own_words_stand_beside_those_about_it_and_a_reload_changes_nothing() {
    let mut rig = booted(asked("web").notifies(), 1);
    rig.tells("web", "RELOADING=1\nSTATUS=reading");
    rig.pass(secs(10));
    let said = "1 of 3 health checks failed: exited with status 1; it says: reloading: reading";
    assert_eq!(rig.reason("web"), said);
}

#[test]
fn finit_itself_looks_at_ports_and_pages() {
    let checks = [
        (Check::Accepts(Address::TcpPort(80)), "tcp:80"),
        (Check::Answers(Address::TcpPort(80), "/healthz".to_owned()), "http://:80/healthz"),
    ];
    for (check, name) in checks {
        let mut rig = Rig::booted([service("web").health(every(secs(10), check))]);
        rig.pass(secs(35));
        assert_eq!((rig.looks("web"), rig.starts("web"), rig.reason("web")), (3, 1, String::new()));
        rig.ends("web!", millis(1), 1);
        rig.pass(secs(10));
        let said =
            format!("1 of 3 health checks failed: {name} gives no good answer, as its log says");
        assert_eq!(rig.reason("web"), said);
        rig.pass(secs(21));
        assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    }
}

#[test]
fn a_watchdog_that_bites_first_takes_the_check_along() {
    let mut rig = Rig::booted_but([asked("web").watchdog(secs(11))], |rig| {
        rig.program(ASK, Program::daemon());
        rig.program("web", Program { dies: millis(1), ..Program::stubborn() });
    });
    rig.pass(secs(11));
    assert_eq!(rig.signals("web"), ["SIGKILL", "SIGABRT"]);
}

#[test]
fn an_upgrade_keeps_the_count_and_the_check_that_is_under_way() {
    let mut rig = booted(asked("web"), 1);
    rig.pass(secs(20));
    rig.ends(ASK, secs(1), 1);
    rig.pass(secs(10));
    rig.world.anew();
    assert_eq!(rig.reason("web"), "2 of 3 health checks failed: exited with status 1");
    rig.pass(secs(1));
    assert_eq!(rig.said("web is ended: 3 health checks in a row failed"), 1);
}

#[test]
fn another_check_in_the_file_counts_from_the_next_start() {
    let mut rig = booted(asked("web"), 0);
    rig.pass(secs(10));
    rig.look_at([service("web")]);
    rig.pass(secs(10));
    assert_eq!(rig.started(), ["/sbin/web", ASK, ASK]);
    rig.restart("web");
    rig.pass(secs(60));
    assert_eq!(rig.started(), ["/sbin/web", ASK, ASK, "/sbin/web"]);
}

#[test]
fn the_end_of_the_machine_waits_for_no_check() {
    let mut rig = Rig::booted_but([asked("web")], |rig| rig.program(ASK, Program::stubborn()));
    rig.pass(secs(11));
    rig.power(Power::Reboot).expect("it goes down");
    assert_eq!(rig.finished(), Some(Power::Reboot));
}
