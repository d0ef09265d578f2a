//! `finitctl freeze`: all processes of a service stand still, and nobody is blamed for that.

use finit::config::spec::{Check, Health, RestartWhen};
use finit::facts::Stage;
use finit::proto::{Code, Outcome, Power, Refusal, Reply, Request};

use crate::build::{Part, hook, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::hold::{hold, order};

fn ask(rig: &mut Rig, on: bool, names: &[&str]) -> Result<Reply, Refusal> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    rig.ask(if on { Request::Freeze { names } } else { Request::Thaw { names } })
}

fn job(rig: &mut Rig, on: bool, name: &str) -> u64 {
    match ask(rig, on, &[name]) {
        Ok(Reply::Job { job, .. }) => job,
        other => panic!("{other:?}"),
    }
}

fn done(rig: &mut Rig, on: bool, names: &[&str]) -> String {
    match ask(rig, on, names) {
        Ok(Reply::Done { message }) => message,
        other => panic!("{other:?}"),
    }
}

fn freeze(rig: &mut Rig, name: &str) {
    let job = job(rig, true, name);
    assert_eq!(rig.outcome(job), Some(Outcome::Done), "{}", rig.last_word(job));
}

fn thaw(rig: &mut Rig, name: &str) {
    let job = job(rig, false, name);
    assert_eq!(rig.outcome(job), Some(Outcome::Done), "{}", rig.last_word(job));
}

/// Whether it is said to be frozen, and its group stands still; both or none.
fn is_frozen(rig: &mut Rig, name: &str) -> bool {
    let said = rig.status(name).frozen.is_some();
    let node = rig.world.engine.number(name).unwrap();
    assert_eq!(rig.world.freezer.holds(node), said, "{name}");
    said
}

#[test]
fn what_is_frozen_stays_what_it_is_and_says_since_when_and_by_whom() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    assert_eq!(done(&mut rig, false, &["db"]), "db is not frozen");
    freeze(&mut rig, "db");
    rig.pass(secs(90));
    let report = rig.status("db");
    assert_eq!(report.state.word(), "up");
    let frozen = report.frozen.expect("it is");
    let by = frozen.by.as_deref();
    assert_eq!((frozen.since_ms, by), (90_000, Some("finitctl (pid 77, uid 0)")));
    let words = "frozen since 1 min by finitctl (pid 77, uid 0)";
    assert_eq!(report.reason, words);
    assert_eq!(done(&mut rig, true, &["db"]), format!("db is {words} already"));
    assert!(rig.machine().services.iter().any(|one| one.name == "db" && one.frozen.is_some()));
    // Of two, the one that is frozen already is done at once.
    let both = ask(&mut rig, true, &["db", "web"]);
    assert!(matches!(both, Ok(Reply::Job { .. })), "{both:?}");
    assert!(is_frozen(&mut rig, "web"));
    assert!(matches!(ask(&mut rig, false, &["db", "web"]), Ok(Reply::Job { .. })));
    assert_eq!(["db", "web"].map(|name| is_frozen(&mut rig, name)), [false, false]);
    assert_eq!(done(&mut rig, false, &["db", "web"]), "db, web are not frozen");
    assert_eq!((rig.starts("db"), rig.starts("web"), rig.stopped().len()), (1, 1, 0));
}

#[test]
fn what_has_no_main_process_that_runs_is_refused() {
    let lost = service("lost").restart(RestartWhen::Never);
    let parts = [
        service("idle").manual(),
        service("page").listens(80),
        service("slow").before_start(hook("/prepare")),
        lost,
        task("over"),
        service("going"),
    ];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("/prepare", Program::daemon());
        rig.fails_at("lost", Stage::Exec);
        rig.ends("over", millis(0), 0);
        rig.stubborn("going");
    });
    rig.stop("going");
    for name in ["idle", "page", "slow", "lost", "over", "going"] {
        let state = rig.state(name);
        let refusal = ask(&mut rig, true, &[name]).unwrap_err();
        assert_eq!(refusal.code, Code::NotRunning, "{name}");
        assert!(refusal.message.starts_with(&format!("{name} is {state}")), "{refusal:?}");
    }
    assert_eq!(ask(&mut rig, true, &["default"]).unwrap_err().code, Code::NotSupported);
    assert_eq!(ask(&mut rig, true, &["nobody"]).unwrap_err().code, Code::NoSuchService);
}

#[test]
fn a_watchdog_waits_and_begins_anew() {
    let mut rig = Rig::booted([service("web").notifies().watchdog(secs(2))]);
    rig.pass(millis(1_500));
    freeze(&mut rig, "web");
    // What it had said before comes late.
    rig.tells("web", "WATCHDOG=1");
    rig.pass(secs(3_600));
    thaw(&mut rig, "web");
    rig.pass(millis(1_900));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("up", 0));
    rig.pass(millis(100));
    assert_eq!(rig.signals("web"), ["SIGABRT"]);
}

#[test]
fn a_check_of_its_health_is_broken_off_and_counts_for_nothing() {
    let check = Check::Command(Box::new(hook("/bin/ask")));
    let health = Health { check, every: secs(10), timeout: secs(2), failures: 1 };
    let part = service("web").health(health);
    let mut rig = Rig::booted_but([part], |rig| rig.program("/bin/ask", Program::daemon()));
    rig.pass(secs(11));
    freeze(&mut rig, "web");
    assert_eq!(rig.signals("web"), ["SIGKILL"], "the one under way");
    rig.pass(secs(600));
    rig.ends("/bin/ask", millis(0), 0);
    thaw(&mut rig, "web");
    rig.pass(millis(9_900));
    assert_eq!(rig.started(), ["/sbin/web", "/bin/ask"]);
    rig.pass(millis(100));
    assert_eq!(rig.started(), ["/sbin/web", "/bin/ask", "/bin/ask"]);
    assert_eq!((rig.starts("web"), rig.state("web")), (1, "up"));
}

#[test]
fn a_start_has_what_was_left_of_its_time() {
    let part = service("web").notifies().start_timeout(Some(secs(10)));
    let mut rig = Rig::booted_but([part], |rig| rig.program("web", Program::mute()));
    rig.pass(secs(4));
    freeze(&mut rig, "web");
    rig.pass(secs(600));
    assert_eq!(rig.state("web"), "starting");
    thaw(&mut rig, "web");
    rig.pass(millis(5_900));
    assert_eq!((rig.state("web"), rig.signals("web").len()), ("starting", 0));
    rig.pass(millis(100));
    assert_eq!(rig.signals("web"), ["SIGTERM"]);
}

#[test]
fn a_task_is_frozen_in_one_step_and_the_time_of_the_next_is_not_shortened() {
    let part = task("copy").then_runs("/bin/more").start_timeout(Some(secs(10)));
    let mut rig = Rig::booted_but([part], |rig| rig.ends("copy", secs(3), 0));
    rig.pass(secs(2));
    freeze(&mut rig, "copy");
    rig.pass(secs(600));
    rig.program("copy", Program::daemon());
    thaw(&mut rig, "copy");
    rig.pass(secs(7));
    assert_eq!((rig.state("copy"), rig.starts("copy")), ("starting", 2));
    rig.pass(secs(1));
    assert_eq!(rig.signals("copy"), ["SIGTERM"]);
}

#[test]
fn commands_beside_it_have_what_was_left_of_their_time() {
    let part = service("web").after_start(hook("/after")).start_timeout(Some(secs(10)));
    let mut rig = Rig::booted_but([part], |rig| rig.program("/after", Program::daemon()));
    rig.pass(secs(4));
    freeze(&mut rig, "web");
    rig.pass(secs(60));
    thaw(&mut rig, "web");
    rig.pass(secs(5));
    assert!(rig.signals("web").is_empty());
    rig.pass(secs(1));
    assert_eq!(rig.signals("web"), ["SIGKILL"]);
    assert_eq!(rig.state("web"), "up");
}

/// The kernel without which nobody obeys SIGTERM in a frozen group has the last word here.
#[test]
fn a_stop_a_restart_a_reload_and_the_shutdown_wake_it_first() {
    let web = || service("web").reloads_by_signal("HUP");
    let mut rig = Rig::booted([web()]);
    freeze(&mut rig, "web");
    match rig.reload("web") {
        Ok(Reply::Job { job, notes, .. }) => {
            assert_eq!(notes, ["web was frozen, and goes on for this"]);
            assert_eq!(rig.outcome(job), Some(Outcome::Done));
        }
        other => panic!("{other:?}"),
    }
    assert!(!is_frozen(&mut rig, "web"));
    freeze(&mut rig, "web");
    rig.restart("web");
    assert!(!is_frozen(&mut rig, "web"));
    freeze(&mut rig, "web");
    rig.stop("web");
    rig.start("web");
    freeze(&mut rig, "web");
    rig.apply([web().runs("/sbin/other")]);
    assert_eq!((rig.starts("web"), rig.state("web")), (4, "up"));
    freeze(&mut rig, "web");
    rig.power(Power::Reboot).unwrap();
    assert_eq!(rig.finished(), Some(Power::Reboot));
    assert_eq!(rig.signals("web"), ["SIGHUP", "SIGTERM", "SIGTERM", "SIGTERM", "SIGTERM"]);
}

#[test]
fn what_is_to_go_is_awake_for_those_that_go_before_it() {
    let parts = [service("db"), service("web").needs("db")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
    freeze(&mut rig, "db");
    rig.stop("db");
    assert_eq!((rig.state("web"), rig.state("db")), ("stopping", "up"));
    assert!(!is_frozen(&mut rig, "db"));
    let refusal = ask(&mut rig, true, &["db"]).unwrap_err();
    assert_eq!(refusal.message.split_once(" (").unwrap().0, "db is up");
    assert!(refusal.message.ends_with(" and about to go"), "{}", refusal.message);
}

#[test]
fn it_ends_with_the_run_and_the_next_one_is_awake() {
    let mut rig = Rig::booted([service("web")]);
    rig.freezes("web", true, Ok(Some(secs(3))));
    let job = job(&mut rig, true, "web");
    rig.crashes("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    // The answer to an order of the run before comes by now, and means nothing.
    rig.pass(secs(3));
    assert!(!is_frozen(&mut rig, "web"));
    rig.mends("web");
    rig.freezes("web", true, Ok(Some(secs(0))));
    freeze(&mut rig, "web");
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 3));
    assert!(!is_frozen(&mut rig, "web"));
}

#[test]
fn who_is_not_frozen_in_time_goes_on_and_so_does_who_cannot_be() {
    let mut rig = Rig::booted([service("web")]);
    rig.freezes("web", true, Ok(Some(secs(4))));
    let slow = job(&mut rig, true, "web");
    assert_eq!(rig.reason("web"), "being frozen by finitctl (pid 77, uid 0)");
    rig.pass(secs(3));
    assert_eq!(rig.outcome(slow), None);
    rig.pass(secs(1));
    assert_eq!(rig.outcome(slow), Some(Outcome::Done));
    thaw(&mut rig, "web");
    rig.freezes("web", true, Ok(None));
    let hangs = job(&mut rig, true, "web");
    rig.pass(secs(10));
    let why = "not frozen, not within 10 s: a process of it hangs in the kernel";
    assert_eq!((rig.outcome(hangs), rig.last_word(hangs)), (Some(Outcome::Failed), why));
    assert!(!is_frozen(&mut rig, "web"));
    rig.freezes("web", true, Err("there is no cgroup2"));
    let lacks = job(&mut rig, true, "web");
    let why = "not frozen, there is no cgroup2";
    assert_eq!((rig.outcome(lacks), rig.last_word(lacks)), (Some(Outcome::Failed), why));
    assert!(!is_frozen(&mut rig, "web"));
    assert_eq!((rig.starts("web"), rig.trouble().len()), (1, 2));
}

#[test]
fn who_is_not_thawed_in_time_is_still_frozen_until_it_is() {
    let mut rig = Rig::booted([service("web").notifies().watchdog(secs(2))]);
    freeze(&mut rig, "web");
    rig.freezes("web", false, Ok(Some(secs(12))));
    let late = job(&mut rig, false, "web");
    rig.pass(secs(10));
    let why = "not thawed, not within 10 s: a process of it hangs in the kernel";
    assert_eq!((rig.outcome(late), rig.last_word(late)), (Some(Outcome::Failed), why));
    assert_eq!(rig.reason("web"), "being thawed");
    rig.pass(secs(2));
    assert_eq!((rig.reason("web").as_str(), rig.signals("web").len()), ("", 0));
    rig.pass(secs(2));
    assert_eq!(rig.signals("web"), ["SIGABRT"]);
}

#[test]
fn an_order_takes_the_place_of_the_one_before() {
    let mut rig = Rig::booted([service("web")]);
    rig.freezes("web", true, Ok(Some(secs(3))));
    rig.freezes("web", false, Ok(Some(secs(2))));
    let first = job(&mut rig, true, "web");
    rig.pass(secs(1));
    let second = job(&mut rig, false, "web");
    assert_eq!(
        (rig.outcome(first), rig.last_word(first)),
        (Some(Outcome::Replaced), "thawed again")
    );
    let third = job(&mut rig, true, "web");
    assert_eq!(
        (rig.outcome(second), rig.last_word(second)),
        (Some(Outcome::Replaced), "frozen again")
    );
    // The answers to the first two come meanwhile.
    rig.pass(millis(2_900));
    assert_eq!(rig.outcome(third), None);
    rig.pass(millis(100));
    assert_eq!(rig.outcome(third), Some(Outcome::Done));
    assert!(is_frozen(&mut rig, "web"));
}

#[test]
fn another_finit_goes_on_with_it() {
    let mut rig = Rig::booted([service("web").notifies().watchdog(secs(2))]);
    rig.freezes("web", true, Ok(Some(secs(3))));
    job(&mut rig, true, "web");
    rig.world.anew();
    assert_eq!(rig.reason("web"), "being frozen by finitctl (pid 77, uid 0)");
    rig.pass(secs(60));
    rig.world.anew();
    assert_eq!(rig.reason("web"), "frozen since 1 min by finitctl (pid 77, uid 0)");
    rig.freezes("web", false, Ok(None));
    job(&mut rig, false, "web");
    rig.freezes("web", false, Ok(Some(secs(0))));
    rig.world.anew();
    rig.pass(secs(1));
    assert_eq!((rig.reason("web").as_str(), rig.starts("web")), ("", 1));
    assert!(!is_frozen(&mut rig, "web"));
}

#[test]
fn holds_and_signals_and_templates() {
    let instance = |name: &str| -> Part { service(name).instance_of("getty") };
    let mut rig = Rig::booted([instance("getty@1"), instance("getty@2")]);
    hold(&mut rig, "getty@1");
    assert!(matches!(ask(&mut rig, true, &["getty"]), Ok(Reply::Job { .. })));
    assert!(is_frozen(&mut rig, "getty@1") && is_frozen(&mut rig, "getty@2"));
    assert_eq!(order(&mut rig, "stop", "getty@1").unwrap_err().code, Code::Held);
    let signal = |rig: &mut Rig, signal: &str| {
        let (name, signal) = ("getty@2".to_owned(), signal.to_owned());
        match rig.ask(Request::Signal { name, signal }) {
            Ok(Reply::Done { message }) => message,
            other => panic!("{other:?}"),
        }
    };
    let later = "SIGHUP sent to getty@2, which is frozen and gets it once it is thawed";
    assert_eq!(signal(&mut rig, "HUP"), later);
    assert_eq!(signal(&mut rig, "KILL"), "SIGKILL sent to getty@2");
    rig.pass(secs(1));
    assert_eq!(rig.starts("getty@2"), 2);
    assert!(!is_frozen(&mut rig, "getty@2"));
}

/// Its clocks stand still with it, those of what it does included.
#[test]
fn who_said_that_it_stops_is_not_late_for_having_been_frozen() {
    let mut rig = Rig::booted_but([service("db").notifies()], |rig| {
        rig.program("db", Program::mute());
    });
    rig.tells("db", "READY=1");
    rig.tells("db", "STOPPING=1");
    rig.pass(secs(2));
    freeze(&mut rig, "db");
    rig.pass(secs(60));
    thaw(&mut rig, "db");
    rig.pass(secs(7));
    assert_eq!((rig.state("db"), rig.signals("db")), ("up", Vec::new()));
    rig.pass(secs(2));
    assert_eq!(rig.signals("db"), ["SIGTERM"]);
}
