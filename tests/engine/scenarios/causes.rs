//! First causes: whatever happens to a service, `finitctl why` leads back to whom or what began
//! it, and names nobody who has nothing to do with it.

use finit::calendar::Schedule;
use finit::config::spec::{Hook, RestartWhen, Trigger};
use finit::engine::{Access, Event};
use finit::facts::Stage;
use finit::proto::{Power, Reply, Request};

use crate::build::{Part, hook, machine, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::why::{why, why_as};

const ROOT: &str = "finitctl (pid 77, uid 0)";

fn asked(what: &str) -> String {
    format!("  {ROOT} asked: {what}")
}

/// The causes of the service itself.
pub fn causes(rig: &mut Rig, name: &str) -> Vec<String> {
    let told = why(rig, name).into_iter().skip(1);
    told.take_while(|line| line.starts_with("  ")).collect()
}

fn signal(rig: &mut Rig, name: &str, signal: &str) {
    let (name, signal) = (name.to_owned(), signal.to_owned());
    rig.ask(Request::Signal { name, signal }).expect("it runs");
}

fn killed(rig: &mut Rig, name: &str, number: i32) {
    let number = finit::facts::SignalNumber::new(number).unwrap();
    let exit = finit::facts::Exit::Signal { number, core: false };
    let run = rig.main(name);
    rig.world.end(run, finit::engine::Ended::Exit(exit));
    rig.now();
}

#[test]
fn who_steps_in_tells_for_whom() {
    for helper in [service("page").manual(), task("page").manual(), task("page").manual().forgets()]
    {
        let mut rig = Rig::booted([service("bb").restart_never().on_failure("page"), helper]);
        rig.exits("bb", 3);
        let of_bb = ["  bb, which failed, and calls for it", "  its process exited with status 3"];
        assert_eq!(causes(&mut rig, "page"), of_bb);
        rig.start("bb");
        if rig.label("page") != "up" {
            rig.exits("page", 0);
            let ended = ["  its process exited with status 0", of_bb[0], of_bb[1]];
            assert_eq!(causes(&mut rig, "page"), ended);
        }
        rig.exits("bb", 4);
        let last = causes(&mut rig, "page").pop().unwrap();
        let expected = if rig.starts("page") == 2 { 4 } else { 3 };
        assert_eq!(last, format!("  its process exited with status {expected}"));
    }
}

#[test]
fn a_wait_that_ends_tells_what_came() {
    let parts = [service("db"), service("cache").manual(), service("web").needs("db|cache")];
    let mut rig = Rig::booted(parts);
    // Otherwise it would step in at once.
    rig.stop("cache");
    rig.stop("db");
    rig.pass(secs(5));
    rig.start("cache");
    assert_eq!(rig.state("web"), "up");
    assert_eq!(
        causes(&mut rig, "web"),
        ["  cache, which it needs".to_owned(), asked("start cache")]
    );
    rig.stop("cache");
    assert_eq!(
        causes(&mut rig, "web"),
        ["  cache, which it needs".to_owned(), asked("stop cache")]
    );
}

#[test]
fn a_path_that_comes_is_why_one_that_waited_for_it_is_up() {
    let mut rig = Rig::booted([service("np").needs_path("/run/foo").manual()]);
    rig.start("np");
    assert_eq!(rig.reason("np"), "waits for /run/foo");
    assert_eq!(causes(&mut rig, "np"), [asked("start np")]);
    for _ in 0..3 {
        // It comes, and is gone again when it is looked at.
        let run = *rig.world.awaited.first_key_value().expect("a look-out").0;
        rig.world.turn(Event::Arrived { run });
        rig.now();
        assert_eq!(causes(&mut rig, "np"), [asked("start np")]);
    }
    rig.path("/run/foo");
    assert_eq!(rig.state("np"), "up");
    let came = "  /run/foo, which it waited for".to_owned();
    assert_eq!(causes(&mut rig, "np"), [came, asked("start np")]);
}

#[test]
fn who_only_comes_later_tells_that_it_need_not_wait_any_more() {
    let parts = [service("slow").notifies(), service("late").wants("slow")];
    let mut rig = Rig::booted_but(parts, |rig| rig.program("slow", Program::mute()));
    assert_eq!(
        (rig.state("late"), causes(&mut rig, "late")),
        ("waiting", vec!["  the boot".to_owned()])
    );
    rig.pass(secs(3));
    rig.stop("slow");
    assert_eq!(rig.state("late"), "up");
    assert_eq!(
        causes(&mut rig, "late"),
        ["  slow, which it comes after".to_owned(), asked("stop slow")]
    );
}

#[test]
fn who_waits_for_a_rival_tells_who_took_it_away() {
    let mut rig = Rig::booted([service("exim"), service("postfix").conflicts("exim")]);
    let (up, waits) =
        if rig.label("exim") == "up" { ("exim", "postfix") } else { ("postfix", "exim") };
    rig.pass(secs(3));
    rig.stop(up);
    let excludes = format!("  {up}, which excludes it");
    assert_eq!(causes(&mut rig, waits), [excludes, asked(&format!("stop {up}"))]);
}

#[test]
fn who_asked_last_is_told_and_not_who_had_begun_what_it_waited_for() {
    let parts = [service("db").notifies().manual(), service("web").needs("db").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.program("db", Program::mute()));
    rig.start("db");
    rig.pass(secs(1));
    rig.start("web");
    assert_eq!(rig.state("web"), "waiting");
    rig.tells("db", "READY=1");
    assert_eq!(rig.state("web"), "up");
    assert_eq!(causes(&mut rig, "web"), [asked("start web")]);
    assert_eq!(causes(&mut rig, "db"), [asked("start db")]);
}

#[test]
fn an_end_that_finit_brings_about_is_told_as_that() {
    let short = |part: Part| part.start_timeout(Some(secs(1))).restart_never();
    let exec = Program { executes: None, ..Program::daemon() };
    for (part, program) in [
        (short(service("web")), exec),
        (short(service("web").notifies()), Program::mute()),
        (short(service("web").notifies()), Program { obeys: None, ..Program::mute() }),
        (short(service("web").accepts()), Program::daemon()),
        (short(service("web").forks()), Program::daemon()),
    ] {
        let mut rig = Rig::booted_but([part], |rig| {
            rig.program("web", program);
            rig.ends("web?", secs(100), 1);
        });
        rig.pass(secs(30));
        assert_eq!(rig.state("web"), "failed");
        assert_eq!(causes(&mut rig, "web").last().unwrap(), "  the boot");
        let told = causes(&mut rig, "web").join("");
        assert!(told.contains("the end of its start-timeout"), "{told}");
        assert!(!told.contains("its process"), "{told}");
    }
}

#[test]
fn a_watchdog_is_told_with_what_had_started_its_service() {
    let mut rig = Rig::booted([service("web").watchdog(secs(2)).manual()]);
    rig.start("web");
    for _ in 0..3 {
        rig.pass(secs(2));
        // It ends by SIGABRT, comes again, and is as silent as before.
        rig.pass(millis(400));
        let told = causes(&mut rig, "web");
        assert_eq!(told[0], "  the end of its restart delay");
        assert_eq!(told[1..], ["  the end of its watchdog time".to_owned(), asked("start web")]);
    }
}

#[test]
fn a_signal_by_hand_is_remembered_for_the_end_that_it_leads_to() {
    let mut rig = Rig::booted([service("db").delay(secs(1), secs(1))]);
    signal(&mut rig, "db", "HUP");
    rig.world.anew();
    killed(&mut rig, "db", 1);
    let told = ["  its process killed by SIGHUP".to_owned(), asked("signal HUP db")];
    assert_eq!(causes(&mut rig, "db"), told);
    rig.pass(secs(2));
    assert_eq!(causes(&mut rig, "db")[1..], told);
    // The next run has nothing to do with it, nor has another signal.
    killed(&mut rig, "db", 1);
    assert_eq!(causes(&mut rig, "db"), told[..1]);
    rig.pass(secs(2));
    signal(&mut rig, "db", "HUP");
    killed(&mut rig, "db", 15);
    assert_eq!(causes(&mut rig, "db"), ["  its process killed by SIGTERM"]);
}

#[test]
fn a_stop_outweighs_a_signal_by_hand() {
    let mut rig = Rig::booted_but([service("db")], |rig| rig.stubborn("db"));
    signal(&mut rig, "db", "USR1");
    rig.stop("db");
    killed(&mut rig, "db", 10);
    assert_eq!(causes(&mut rig, "db"), [asked("stop db")]);
}

#[test]
fn a_machine_that_goes_back_tells_who_had_applied_the_file() {
    let mut rig = Rig::booted([service("web"), service("old")]);
    rig.try_out(machine([service("web").runs("/sbin/other")]), secs(60));
    let applied = "  the edited file";
    assert_eq!(causes(&mut rig, "web"), [applied]);
    rig.pass(secs(61));
    let back = ["  nobody confirmed the file", applied];
    assert_eq!(causes(&mut rig, "web"), back);
    assert_eq!(causes(&mut rig, "old"), back);
}

#[test]
fn a_task_that_ended_tells_what_had_started_it() {
    let ends = "  its process exited with status 0".to_owned();
    let backup = task("backup").on_schedule(Schedule::parse("every 1h").unwrap());
    let mut rig = Rig::booted_but([backup], |rig| rig.ends("backup", secs(1), 0));
    rig.pass(secs(3602));
    assert_eq!(causes(&mut rig, "backup"), [ends.clone(), "  its schedule".to_owned()]);
    rig.start("backup");
    rig.pass(secs(2));
    assert_eq!(causes(&mut rig, "backup"), [ends.clone(), asked("start backup")]);

    let part = task("build").watches(Trigger::Changed, "/src");
    let mut rig = Rig::booted_but([part], |rig| rig.ends("build", secs(1), 0));
    rig.changes("build", "/src");
    rig.pass(secs(2));
    assert_eq!(causes(&mut rig, "build"), [ends.clone(), "  path /src changed".to_owned()]);

    let mut rig = Rig::booted_but([task("once")], |rig| rig.ends("once", secs(1), 0));
    rig.pass(secs(2));
    assert_eq!(causes(&mut rig, "once"), [ends, "  the boot".to_owned()]);
}

#[test]
fn a_task_that_is_tried_again_tells_what_had_started_it_and_no_more() {
    let part = task("job").manual().restart(RestartWhen::OnFailure);
    let mut rig = Rig::booted_but([part], |rig| rig.ends("job", secs(1), 1));
    rig.start("job");
    rig.pass(secs(20));
    rig.ends("job", secs(1), 0);
    rig.pass(secs(60));
    let ends = "  its process exited with status 0".to_owned();
    assert_eq!(causes(&mut rig, "job"), [ends, asked("start job")]);
}

#[test]
fn who_is_pulled_up_tells_by_whom() {
    let parts = [
        service("pulls").needs("low").wants("side").manual(),
        service("low").manual(),
        service("side").disabled(),
    ];
    let mut rig = Rig::booted(parts);
    rig.start("pulls");
    let start = asked("start pulls");
    assert_eq!(causes(&mut rig, "low"), ["  pulls, which needs it".to_owned(), start.clone()]);
    assert_eq!(causes(&mut rig, "side"), ["  pulls, which wants it".to_owned(), start.clone()]);
    assert_eq!(causes(&mut rig, "pulls"), [start]);

    let mut rig = Rig::booted([service("pulls").needs("low"), service("low").manual()]);
    assert_eq!(causes(&mut rig, "low"), ["  pulls, which needs it", "  the boot"]);
}

#[test]
fn who_stops_one_that_rests_or_watches_is_named() {
    let part = service("app").watches(Trigger::Changed, "/src").manual();
    let mut rig = Rig::booted([part, service("off").manual()]);
    rig.changes("app", "/src");
    rig.stop("app");
    let off = format!("stopped by {ROOT}; its paths are off until it is started");
    assert_eq!(rig.reason("app"), off);
    assert_eq!(causes(&mut rig, "app"), [asked("stop app")]);
    rig.stop("off");
    assert_eq!(rig.reason("off"), format!("stopped by {ROOT}"));
    assert_eq!(causes(&mut rig, "off"), [asked("stop off")]);

    let part = task("build").watches(Trigger::Changed, "/src");
    let mut rig = Rig::booted_but([part], |rig| rig.ends("build", secs(1), 0));
    rig.changes("build", "/src");
    rig.pass(secs(2));
    assert_eq!(rig.reason("build"), "exited with status 0; watches /src");
    rig.stop("build");
    assert_eq!((rig.reason("build"), causes(&mut rig, "build")), (off, vec![asked("stop build")]));
}

#[test]
fn what_is_asked_for_again_tells_who_asked() {
    let parts = [service("db").restart_never(), service("web").needs("db")];
    let mut rig = Rig::booted(parts);
    rig.exits("db", 3);
    rig.reset("db");
    assert_eq!((rig.state("db"), causes(&mut rig, "db")), ("up", vec![asked("reset db")]));
    rig.exits("db", 3);
    rig.start("web");
    assert_eq!((rig.state("db"), causes(&mut rig, "db")), ("up", vec![asked("start web")]));
}

#[test]
fn a_start_that_takes_too_long_tells_what_was_missing_and_what_ended_it() {
    let short = |part: Part| part.start_timeout(Some(secs(2))).restart_never();
    let table = [
        (short(service("web").notifies()), "it has not said READY=1; killed by SIGTERM"),
        (short(service("web").accepts()), "nobody listens at tcp:80; killed by SIGTERM"),
        (
            short(service("web").forks()),
            "the program that is to leave a daemon behind has not ended; killed by SIGTERM",
        ),
        (
            short(service("web").ready_by("/probe", secs(1))),
            "its ready command exited with status 1; killed by SIGTERM",
        ),
        (
            short(service("web").before_start(hook("/sleep 100"))),
            "`/sleep 100` has not ended; killed by SIGTERM",
        ),
    ];
    for (part, lacks) in table {
        let mut rig = Rig::booted_but([part], |rig| {
            rig.program("web", Program::mute());
            rig.program("web?", Program::mute());
            rig.ends("/probe", millis(0), 1);
        });
        rig.pass(secs(3));
        assert_eq!(rig.reason("web"), format!("not ready after 2s (start-timeout): {lacks}"));
    }
}

#[test]
fn a_hook_that_takes_too_long_is_told_as_that() {
    let slow = || Hook { timeout: Some(millis(500)), ..hook("/sleep 100") };
    let burst = |part: Part| {
        part.restart(RestartWhen::OnFailure).burst(1, secs(60)).delay(millis(10), millis(10))
    };
    let late = "`/sleep 100` took longer than 500ms (timeout) and was killed; gave up after 1";
    for (part, key) in [
        (service("web").before_start(slow()), "before-start"),
        (service("web").only_if_command(slow()), "only-if-command"),
    ] {
        let mut rig = Rig::booted([burst(part)]);
        assert_eq!(rig.reason("web"), format!("runs {key}: /sleep 100 (1 s left)"));
        rig.pass(secs(5));
        let reason = rig.reason("web");
        assert!(reason.starts_with(&format!("{key} {late}")), "{reason}");
        assert_eq!(causes(&mut rig, "web"), ["  the end of the time for a command", "  the boot"]);
    }
}

#[test]
fn the_last_word_of_a_run_that_failed_is_kept() {
    let mut rig =
        Rig::booted([service("db").restart_never(), service("again").delay(secs(8), secs(8))]);
    for name in ["db", "again"] {
        rig.tells(name, "STATUS=cannot open db");
        rig.exits(name, 1);
    }
    let last = "exited with status 1; it said: cannot open db";
    assert_eq!(rig.reason("db"), last);
    assert_eq!(rig.reason("again"), format!("{last}; again in 8.0 s"));
    assert_eq!(why(&mut rig, "db")[0], format!("db failed: {last}"));
    rig.world.anew();
    assert_eq!(rig.reason("db"), last);
    // What ended well has nothing to explain.
    rig.start("db");
    rig.tells("db", "STATUS=done");
    rig.exits("db", 0);
    assert_eq!(rig.reason("db"), "exited with status 0");
}

#[test]
fn what_is_under_way_is_told_with_what_comes_next() {
    let part = service("web").after_stop(hook("/tidy")).stop_command("/ask");
    let mut rig = Rig::booted_but([part, task("job").runs("/job 1")], |rig| {
        rig.stubborn("web");
        rig.stubborn("/ask");
        rig.program("/tidy", Program::mute());
    });
    assert_eq!(rig.reason("job"), "runs /job 1 (1 min left)");
    rig.stop("web");
    assert_eq!(rig.reason("web"), "runs stop.command: /ask (10 s left)");
    rig.pass(secs(11));
    assert_eq!(rig.reason("web"), "SIGKILL in 9 s; stop.command took too long, killed");
    rig.pass(secs(9));
    let reason = rig.reason("web");
    assert!(reason.starts_with("runs after-stop: /tidy (10 s left); "), "{reason}");

    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    rig.apply([]);
    assert_eq!(rig.reason("web"), "SIGKILL in 10 s; not in the file any more");
}

#[test]
fn what_could_not_be_started_is_told_as_that() {
    let mut rig = Rig::booted_but([service("web").restart_never()], |rig| {
        rig.fails_at("web", Stage::Exec);
    });
    let told = ["  it could not be started: exec: No such file or directory (ENOENT)"];
    assert_eq!(causes(&mut rig, "web"), told);
}

#[test]
fn who_clears_a_failure_is_told_that_it_starts_again() {
    let parts = [service("db").restart_never(), service("off").restart_never().manual()];
    let mut rig = Rig::booted(parts);
    let reset = |rig: &mut Rig, name: &str| match rig.ask(Request::Reset { name: name.to_owned() })
    {
        Ok(Reply::Done { message }) => message,
        other => panic!("{other:?}"),
    };
    rig.exits("db", 3);
    assert_eq!(reset(&mut rig, "db"), "db: cleared; the target wants it, so it starts again");
    assert_eq!(reset(&mut rig, "db"), "db: cleared");
    rig.start("off");
    rig.exits("off", 3);
    assert_eq!(reset(&mut rig, "off"), "off: cleared; it was asked for, so it starts again");
}

#[test]
fn without_rights_status_and_why_hide_the_same() {
    let mut rig = Rig::booted([service("db"), service("web")]);
    rig.stop("db");
    rig.ask(Request::Hold { name: "web".to_owned() }).unwrap();
    let short = [("db", "stopped by a person"), ("web", "held since 0 s")];
    let in_full =
        [("db", format!("stopped by {ROOT}")), ("web", format!("held since 0 s by {ROOT}"))];
    for (name, reason) in short {
        let request = Request::Status { name: name.to_owned() };
        let Ok(Reply::Service(report)) = rig.ask_as(Access::Look, request) else { panic!() };
        assert_eq!(report.reason, reason);
        let Ok(Reply::Machine(machine)) = rig.ask_as(Access::Look, Request::List) else { panic!() };
        let one = machine.services.iter().find(|one| one.name == name).unwrap();
        assert_eq!(one.reason, reason);
        let word = report.state.word();
        assert_eq!(why_as(&mut rig, Access::Look, name), [format!("{name} {word}: {reason}")]);
    }
    for (name, reason) in in_full {
        assert_eq!(rig.reason(name), reason);
        let machine = rig.machine();
        assert_eq!(machine.services.iter().find(|one| one.name == name).unwrap().reason, reason);
    }
}

#[test]
fn a_shutdown_tells_who_asked_for_it() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    rig.power(Power::Halt).unwrap();
    assert_eq!(causes(&mut rig, "web"), ["  the shutdown".to_owned(), asked("halt")]);
}

#[test]
fn a_script_does_not_fill_the_reason() {
    let long = format!("/bin/sh\n{}", "x".repeat(100));
    let mut rig = Rig::booted([task("job").runs(&long)]);
    let reason = rig.reason("job");
    assert!(
        reason.starts_with("runs '/bin/sh x") && reason.ends_with("x… (1 min left)"),
        "{reason}"
    );
    assert!(reason.chars().count() < 90, "{reason}");
}
