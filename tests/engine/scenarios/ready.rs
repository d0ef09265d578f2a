//! When a started service counts as up, and what it tells of itself.

use std::rc::Rc;

use finit::config::spec::RestartWhen::OnFailure;
use finit::config::spec::{NotifyFrom, Ready, StopScope};
use finit::engine::{Descriptors, Ended, Engine, Event, Group, Notice};
use finit::facts::{Exit, NOBODY_LEFT};
use finit::proto::Outcome;

use crate::build::{Part, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

/// A machine with a service that says nothing by itself.
fn silent(part: crate::build::Part) -> Rig {
    let name = part.0.name.clone();
    let after = service("after").needs(&name);
    Rig::booted_but([part, after], |rig| rig.program(&name, Program::mute()))
}

#[test]
fn whoever_notifies_is_up_once_it_says_so_and_those_that_need_it_wait() {
    let mut rig = silent(service("db").notifies());
    assert_eq!((rig.state("db"), rig.state("after")), ("starting", "waiting"));
    assert_eq!(rig.reason("db"), "not ready yet (notify)");
    rig.tells("db", "STATUS=replaying the journal");
    assert_eq!(rig.reason("db"), "not ready yet (notify); it says: replaying the journal");
    assert_eq!(rig.state("db"), "starting");
    rig.tells("db", "READY=1\nSTATUS=at work");
    assert_eq!((rig.state("db"), rig.state("after")), ("up", "up"));
    assert_eq!(rig.reason("db"), "at work");
}

/// TF11: the word of one run is none for the next.
#[test]
fn every_run_has_to_say_it_again() {
    let mut rig = silent(service("db").notifies());
    rig.tells("db", "READY=1");
    rig.crashes("db");
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.starts("db")), ("starting", 2));
    rig.tells("db", "READY=1");
    let job = rig.restart("db");
    assert_eq!((rig.state("db"), rig.outcome(job)), ("starting", None));
    rig.tells("db", "READY=1");
    assert_eq!((rig.state("db"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    assert_eq!(rig.starts("after"), 2, "it goes and comes with what it needs");
}

#[test]
fn a_reload_that_is_told_of_shows_and_touches_nobody() {
    let mut rig = silent(service("db").notifies().reloads_by_signal("HUP"));
    rig.tells("db", "READY=1");
    assert!(rig.reload("db").is_ok());
    rig.tells("db", "RELOADING=1\nSTATUS=reading");
    assert_eq!((rig.state("db"), rig.reason("db")), ("up", "reloading: reading".to_owned()));
    rig.tells("db", "READY=1\nSTATUS=");
    assert_eq!((rig.state("db"), rig.reason("db")), ("up", String::new()));
    assert_eq!((rig.starts("db"), rig.starts("after")), (1, 1));
}

/// SD34: it says that it reloads, and ends.
#[test]
fn an_end_while_reloading_is_an_end() {
    let mut rig = silent(service("db").notifies());
    rig.tells("db", "READY=1");
    rig.tells("db", "RELOADING=1");
    rig.exits("db", 0);
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.starts("db")), ("starting", 2));
    assert_eq!(rig.reason("db"), "not ready yet (notify)");
}

/// A good end is none before there was any sign that it is up: it never was, and will not be.
#[test]
fn an_end_before_it_was_ready_is_a_failure_however_good() {
    let forms: [fn(Part) -> Part; 4] = [
        Part::notifies,
        Part::accepts,
        |part| part.ready(Ready::Descriptor(9)),
        |part| part.ready_by("/bin/ask", secs(1)),
    ];
    for form in forms {
        let ends = |rig: &mut Rig| {
            rig.program("db", Program { tells: None, ..Program::ends(millis(1), 0) });
            rig.program("db?", Program::daemon());
            rig.program("/bin/ask", Program::daemon());
        };
        let helper = service("helper").manual();
        let db = form(service("db").restart(OnFailure).burst(2, secs(60)).on_failure("helper"));
        let mut rig = Rig::booted_but([db, service("web").needs("db"), helper], ends);
        rig.pass(secs(5));
        assert_eq!((rig.state("db"), rig.starts("db")), ("failed", 3));
        assert_eq!((rig.state("web"), rig.state("helper")), ("waiting", "up"));
        let job = rig.start("db");
        rig.pass(millis(1));
        assert_eq!(rig.outcome(job), Some(Outcome::Failed), "{}", rig.reason("db"));
    }
}

#[test]
fn an_end_before_it_was_ready_says_so_with_its_status() {
    let ends = |rig: &mut Rig| {
        rig.program("db", Program { tells: None, ..Program::ends(millis(1), 0) });
    };
    let mut rig = Rig::booted_but([service("db").notifies().restart_never()], ends);
    rig.pass(millis(1));
    assert_eq!(rig.reason("db"), "ended before it was ready (notify): exited with status 0");
    // What `ok-exit` says of an end is of one that was up; who excepts that status is heeded.
    let mut except = service("db").notifies();
    Rc::make_mut(&mut except.0.restart).except.codes.push(0);
    let mut rig = Rig::booted_but([except], ends);
    rig.pass(secs(5));
    assert_eq!((rig.state("db"), rig.starts("db")), ("failed", 1));
}

/// The daemon that a program left behind ends before it was taken for up.
#[test]
fn a_daemon_that_was_left_behind_and_ends_at_once_has_failed() {
    let mut rig = Rig::booted_but([service("db").forks().restart_never()], |rig| {
        rig.program("db?", Program::daemon());
    });
    rig.tells("db", "MAINPID=77");
    let run = rig.world.engine.number("db").and_then(|id| rig.world.engine.main_run(id));
    let ended = Ended::Exit(Exit::SUCCESS);
    rig.world.turn(Event::Exited { run: run.expect("it"), ended, group: Group::Empty });
    assert_eq!(rig.state("db"), "failed", "{}", rig.reason("db"));
    assert!(rig.reason("db").starts_with("ended before it was ready (forked"), "its readiness");
}

#[test]
fn whoever_never_says_it_is_stopped_and_counts_as_failed() {
    let mut rig = silent(service("db").notifies().restart_never());
    rig.pass(secs(60));
    assert_eq!(rig.state("db"), "failed");
    assert_eq!(
        rig.reason("db"),
        "not ready after 60s (start-timeout): it has not said READY=1; killed by SIGTERM"
    );
    assert_eq!(rig.signals("db"), ["SIGTERM"]);
    assert_eq!(rig.state("after"), "waiting");
}

/// SD23: more time for a start, a stop; and never less.
#[test]
fn a_service_can_ask_for_more_time() {
    let mut rig = silent(service("db").notifies());
    rig.pass(secs(50));
    rig.tells("db", "EXTEND_TIMEOUT_USEC=30000000");
    rig.pass(secs(29));
    assert_eq!(rig.state("db"), "starting");
    rig.tells("db", "EXTEND_TIMEOUT_USEC=1");
    rig.tells("db", "READY=1");
    assert_eq!(rig.state("db"), "up");

    rig.program("db", Program { tells: None, ..Program::stubborn() });
    rig.restart("db");
    rig.tells("db", "READY=1");
    rig.stop("db");
    rig.pass(secs(9));
    rig.tells("db", "EXTEND_TIMEOUT_USEC=20000000");
    rig.pass(secs(19));
    assert_eq!(
        (rig.state("db"), rig.signals("db").contains(&"SIGKILL".to_owned())),
        ("stopping", false)
    );
    rig.pass(secs(2));
    assert_eq!(rig.state("db"), "stopped");
    assert_eq!(rig.signals("db").last().map(String::as_str), Some("SIGKILL"));
}

/// The command that stops it is given as much.
#[test]
fn who_asks_for_more_time_while_its_stop_command_runs_has_it() {
    let mut rig = Rig::booted_but([service("db").notifies().stop_command("/sbin/halt")], |rig| {
        rig.program("db", Program::mute());
        rig.stubborn("/sbin/halt");
    });
    rig.tells("db", "READY=1");
    rig.stop("db");
    rig.pass(secs(5));
    rig.tells("db", "EXTEND_TIMEOUT_USEC=60000000");
    rig.pass(secs(50));
    assert_eq!(rig.reason("db"), "runs stop.command: /sbin/halt (10 s left)");
    rig.pass(secs(11));
    assert!(!rig.reason("db").contains("runs stop.command"), "{}", rig.reason("db"));
}

/// So is the daemon that the program leaves behind.
#[test]
fn who_asked_for_more_time_has_it_once_its_program_has_ended_too() {
    let mut rig = Rig::booted_but([service("nginx").forks()], |rig| {
        rig.program("nginx", Program::mute());
        rig.program("nginx?", Program::daemon());
    });
    rig.pass(secs(50));
    rig.tells("nginx", "EXTEND_TIMEOUT_USEC=60000000");
    rig.pass(secs(30));
    rig.exits("nginx", 0);
    rig.pass(secs(10));
    assert_eq!((rig.state("nginx"), rig.signals("nginx")), ("starting", Vec::new()));
    rig.pass(secs(21));
    assert!(!rig.signals("nginx").is_empty());
}

#[test]
fn a_line_is_the_word_of_those_who_were_promised_one() {
    let mut rig = Rig::booted_but([service("s6").ready(Ready::Descriptor(3))], |rig| {
        rig.program("s6", Program { tells: Some(secs(2)), ..Program::daemon() });
    });
    assert_eq!((rig.state("s6"), rig.reason("s6").as_str()), ("starting", "not ready yet (fd:3)"));
    rig.pass(secs(2));
    assert_eq!(rig.state("s6"), "up");
}

#[test]
fn a_watchdog_that_is_not_fed_ends_a_service_that_hangs() {
    let db = service("db").notifies().watchdog(secs(10)).delay(secs(3), secs(3));
    // It obeys nothing but SIGKILL.
    let mut rig = Rig::booted_but([db], |rig| rig.program("db", Program::stubborn()));
    for _ in 0..5 {
        rig.pass(secs(9));
        rig.tells("db", "WATCHDOG=1");
    }
    assert_eq!((rig.state("db"), rig.starts("db")), ("up", 1));
    rig.pass(secs(11));
    assert_eq!(rig.signals("db"), ["SIGABRT"]);
    assert_eq!(rig.trouble(), ["db gave no sign of life: it is ended with SIGABRT (watchdog)"]);
    rig.pass(secs(14));
    assert_eq!((rig.state("db"), rig.starts("db")), ("up", 2));
    let why = rig.status("db").detail.expect("in full").cause;
    assert_eq!(why, "the end of its watchdog time");
}

#[test]
fn a_watchdog_waits_until_it_is_up_and_rests_while_it_stops() {
    let mut rig = silent(service("db").notifies().watchdog(secs(5)));
    rig.pass(secs(30));
    assert_eq!(rig.state("db"), "starting");
    rig.program("db", Program::stubborn());
    rig.tells("db", "READY=1");
    rig.stop("db");
    rig.pass(secs(9));
    assert!(!rig.signals("db").contains(&"SIGABRT".to_owned()));
}

#[test]
fn a_service_sets_its_own_watchdog_and_can_trigger_it() {
    let mut rig = Rig::booted([service("db").notifies()]);
    rig.tells("db", "WATCHDOG_USEC=2000000");
    rig.pass(millis(1_900));
    rig.tells("db", "WATCHDOG=1");
    rig.pass(millis(1_900));
    assert_eq!(rig.starts("db"), 1);
    rig.tells("db", "WATCHDOG=trigger");
    assert_eq!(rig.signals("db"), ["SIGABRT"]);
    assert_eq!(rig.trouble(), ["db gave itself up: it is ended with SIGABRT (watchdog)"]);
    assert_eq!(
        rig.reason("db"),
        "gave itself up (WATCHDOG=trigger); killed by SIGABRT; again in 0.1 s"
    );
}

/// An older finit called it a silence of no time at all.
#[test]
fn who_gave_itself_up_under_an_older_finit_still_did() {
    let mut rig = Rig::booted_but([service("db").notifies()], |rig| rig.stubborn("db"));
    rig.tells("db", "WATCHDOG=trigger");
    let engine = &rig.world.engine;
    let memory = serde_json::to_string(&engine.memory().unwrap()).unwrap();
    assert!(memory.contains("\"GaveUp\""));
    let older = memory.replace("\"GaveUp\"", r#"{"Silent":{"secs":0,"nanos":0}}"#);
    let older = serde_json::from_str(&older).unwrap();
    rig.world.engine = Engine::recall(Rc::clone(engine.spec()), false, older, rig.world.now);
    let last = rig.status("db").detail.and_then(|detail| detail.last_exit);
    assert_eq!(last.as_deref(), Some("gave itself up (WATCHDOG=trigger)"));
}

#[test]
fn what_is_kept_is_let_go_with_its_other_side_unless_it_says_otherwise() {
    let kept = |text: &str| Notice::parse(text.as_bytes()).descriptors;
    let of = |name: &str, polled| Descriptors::Keep { name: name.to_owned(), polled };
    assert_eq!(kept("FDSTORE=1"), of("stored", true));
    assert_eq!(kept("FDPOLL=0\nFDSTORE=1\nFDNAME=a"), of("a", false));
    assert_eq!(kept("FDNAME=a\nFDSTORE=1\nFDPOLL=0"), of("a", false));
    assert_eq!(kept("FDSTORE=1\nFDPOLL=1\nFDNAME=a:b"), of("stored", true));
    assert_eq!(kept("FDSTOREREMOVE=1\nFDNAME=a\nFDPOLL=0"), Descriptors::Drop("a".to_owned()));
    assert_eq!(kept("FDPOLL=0"), Descriptors::Unwanted);
}

#[test]
fn a_daemon_is_its_main_process_once_it_is_known() {
    let mut rig = Rig::booted([service("nginx").forks(), service("web").needs("nginx")]);
    assert_eq!((rig.state("nginx"), rig.state("web")), ("up", "up"));
    let pid = rig.status("nginx").pid;
    assert_eq!(pid, Some(103), "neither the program nor who looked for it");
    rig.crashes("nginx");
    rig.pass(secs(1));
    assert_eq!((rig.state("nginx"), rig.starts("nginx")), ("up", 2));
    rig.stop("nginx");
    assert_eq!(rig.state("nginx"), "stopped");
    assert_eq!(rig.signals("nginx"), ["SIGTERM"]);
}

#[test]
fn a_program_that_fails_leaves_no_daemon() {
    let mut rig = Rig::booted_but([service("nginx").forks().restart_never()], |rig| {
        rig.ends("nginx", millis(5), 1);
    });
    rig.pass(millis(5));
    assert_eq!(
        (rig.state("nginx"), rig.reason("nginx").as_str()),
        ("failed", "exited with status 1")
    );
}

/// Its file comes late, or never.
#[test]
fn a_daemon_that_nobody_finds_is_stopped_with_all_that_is_left_of_it() {
    let mut rig = Rig::booted_but([service("nginx").forks().restart_never()], |rig| {
        rig.program("nginx?", Program::daemon());
    });
    assert_eq!(rig.reason("nginx"), "not ready yet (forked, /run/app.pid)");
    rig.pass(secs(60));
    assert_eq!(rig.state("nginx"), "failed");
    let lacks = "no pid file /run/app.pid that names a process of it";
    assert_eq!(rig.reason("nginx"), format!("not ready after 60s (start-timeout): {lacks}"));
    assert_eq!(rig.signals("nginx"), ["SIGKILL", "SIGTERM"], "who looks, and the group");
}

/// It is not waited for when nobody is there to wait for.
#[test]
fn a_daemon_that_died_before_anybody_knew_it_has_ended_early() {
    let mut rig = Rig::booted_but([service("nginx").forks().restart_never()], |rig| {
        rig.ends("nginx?", secs(1), NOBODY_LEFT);
    });
    // Its end is one that nobody has seen, the oracle neither.
    rig.world.oracle = None;
    rig.world.strays.clear();
    rig.pass(secs(1));
    let why = rig.reason("nginx");
    assert_eq!(rig.state("nginx"), "failed", "{why}");
    assert!(why.starts_with("ended before it was ready (forked"), "{why}");
}

#[test]
fn a_daemon_that_alone_is_to_end_is_asked_once_it_is_known() {
    let sshd = service("sshd").forks().stop_scope(StopScope::Main);
    let mut rig = Rig::booted_but([sshd], |rig| rig.ends("sshd?", secs(2), 0));
    let job = rig.stop("sshd");
    assert_eq!((rig.outcome(job), rig.signals("sshd").len()), (None, 0));
    rig.pass(secs(2));
    assert_eq!((rig.signals("sshd"), rig.state("sshd")), (vec!["SIGTERM".to_owned()], "stopped"));
    assert_eq!((rig.outcome(job), rig.world.living(|_| true)), (Some(Outcome::Done), vec![]));
}

/// With `stop.scope = "main"` one process is to be asked, and nobody knows which that is.
#[test]
fn a_lost_daemon_goes_unless_there_are_others_that_are_to_live_on() {
    let sshd = || service("sshd").forks().stop_scope(StopScope::Main);
    let looks_in_vain = |rig: &mut Rig| rig.program("sshd?", Program::daemon());
    let mut rig = Rig::booted_but([sshd().restart_never()], looks_in_vain);
    rig.pass(secs(60));
    assert_eq!((rig.state("sshd"), rig.trouble().len()), ("failed", 1), "{}", rig.story());
    assert_eq!(rig.signals("sshd"), ["SIGKILL", "SIGTERM"], "who looks, and the group");

    let mut rig = Rig::booted_but([sshd()], |rig| {
        rig.program("sshd", Program { leaves: 1, ..Program::ends(secs(0), 0) });
    });
    looks_in_vain(&mut rig);
    rig.crashes("sshd");
    rig.pass(secs(1));
    rig.world.anew();
    rig.pass(secs(60));
    assert_eq!(rig.signals("sshd"), ["SIGKILL"], "a session lives there");
    let lives_on = "what its start has left behind is not stopped";
    assert_eq!((rig.starts("sshd"), rig.said(lives_on)), (3, 1), "{}", rig.story());
}

#[test]
fn a_stop_while_the_daemon_is_looked_for_waits_for_no_process_that_is_gone() {
    let mut rig = Rig::booted_but([service("nginx").forks()], |rig| {
        rig.program("nginx?", Program::daemon());
    });
    let job = rig.stop("nginx");
    assert_eq!((rig.state("nginx"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
}

#[test]
fn somebody_looks_until_connections_are_accepted() {
    let mut rig = Rig::booted_but([service("web").accepts()], |rig| {
        rig.ends("web?", secs(2), 0);
    });
    assert_eq!(
        (rig.state("web"), rig.reason("web").as_str()),
        ("starting", "not ready yet (tcp:80)")
    );
    rig.pass(secs(2));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn who_looks_is_replaced_when_it_dies_and_ends_with_the_service() {
    let mut rig = Rig::booted_but([service("web").accepts()], |rig| rig.ends("web?", secs(1), 1));
    rig.pass(secs(1));
    rig.program("web?", Program::daemon());
    rig.pass(secs(1));
    assert_eq!(rig.started(), ["/sbin/web", "", ""]);
    rig.stop("web");
    assert_eq!(rig.signals("web"), ["SIGKILL", "SIGTERM"]);
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn a_command_is_run_again_until_it_ends_well() {
    let mut rig = Rig::booted_but([service("db").ready_by("/bin/ask", secs(3))], |rig| {
        rig.ends("/bin/ask", millis(10), 1);
    });
    rig.pass(secs(7));
    assert_eq!(rig.started(), ["/sbin/db", "/bin/ask", "/bin/ask", "/bin/ask"]);
    assert_eq!(rig.state("db"), "starting");
    rig.ends("/bin/ask", millis(10), 0);
    rig.pass(secs(3));
    assert_eq!(rig.state("db"), "up");
}

#[test]
fn an_end_before_it_is_ready_is_a_failed_start_and_nobody_looks_any_more() {
    let mut rig = Rig::booted_but([service("web").accepts().restart_never()], |rig| {
        rig.program("web?", Program::daemon());
        rig.ends("web", secs(1), 7);
    });
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.reason("web").as_str()), ("failed", "exited with status 7"));
    assert_eq!(rig.signals("web")[0], "SIGKILL");
}

#[test]
fn what_was_kept_for_its_next_start_goes_when_it_is_stopped() {
    let mut rig = Rig::booted([service("db").notifies(), service("plain")]);
    assert_eq!(rig.state("plain"), "up");
    rig.crashes("db");
    rig.pass(secs(1));
    rig.restart("db");
    assert!(rig.world.unkept.is_empty());
    rig.stop("db");
    assert_eq!(rig.world.unkept, ["db"]);
    // What it gave by another definition is none the less kept.
    rig.start("db");
    rig.apply([service("db"), service("plain")]);
    assert_eq!((rig.state("db"), rig.world.unkept.len()), ("up", 1));
    rig.stop("db");
    assert_eq!(rig.world.unkept, ["db", "db"]);
}

#[test]
fn words_to_a_service_that_does_not_notify_change_nothing_but_its_status() {
    let mut rig = Rig::booted([service("plain"), service("s6").ready(Ready::Descriptor(3))]);
    rig.program("s6", Program::mute());
    rig.restart("s6");
    rig.tells("s6", "READY=1\nSTATUS=words");
    assert_eq!(rig.state("s6"), "starting");
    assert_eq!(rig.world.engine.notify_from(rig.main("s6").node), Some(NotifyFrom::Main));
    assert_eq!(rig.state("plain"), "up");
}

/// It comes back while it is to go: the daemon is known first, and asked then.
#[test]
fn a_stop_while_a_forking_service_comes_back_leaves_no_daemon_behind() {
    let daemon = service("daemon").forks().stop_scope(StopScope::Main);
    let mut rig = Rig::booted_but([daemon, service("top").needs("daemon")], |rig| {
        rig.stubborn("top");
    });
    rig.ends("daemon", secs(1), 0);
    rig.crashes("daemon");
    rig.pass(millis(300));
    assert_eq!((rig.state("daemon"), rig.state("top")), ("starting", "up"));
    rig.stop("daemon");
    rig.pass(secs(30));
    assert_eq!(rig.state("daemon"), "stopped");
    assert!(rig.world.strays.values().all(|count| *count == 0), "{:?}", rig.world.strays);
}
