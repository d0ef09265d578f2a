//! First causes: whatever happens to a service, `finitctl why` leads back to whom or what began
//! it, and names nobody who has nothing to do with it.

use finit::calendar::Schedule;
use finit::config::spec::{RestartWhen, Trigger};
use finit::engine::Event;
use finit::proto::Request;

use crate::build::{Part, machine, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::why::why;

const ROOT: &str = "finitctl (pid 77, uid 0)";

fn asked(what: &str) -> String {
    format!("  {ROOT} asked: {what}")
}

/// The causes of the service itself.
fn causes(rig: &mut Rig, name: &str) -> Vec<String> {
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
