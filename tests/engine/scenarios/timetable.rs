//! Tasks that run at their times.

use finit::calendar::Schedule;
use finit::engine::{After, Event};
use finit::facts::Moment;
use finit::proto::{Power, Request};

use crate::build::{machine, secs, service, task};
use crate::rig::Rig;

fn at(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

fn backup(text: &str) -> crate::build::Part {
    task("backup").on_schedule(at(text))
}

/// The task takes a second.
fn booted(part: crate::build::Part) -> Rig {
    let name = part.0.name.clone();
    Rig::booted_but([part], |rig| rig.ends(&name, secs(1), 0))
}

#[test]
fn a_task_runs_at_its_times_and_not_at_boot() {
    let mut rig = booted(backup("every 15m"));
    assert_eq!((rig.state("backup"), rig.starts("backup")), ("stopped", 0));
    assert_eq!(rig.reason("backup"), "next run in 15 min");
    rig.pass(secs(900));
    assert_eq!((rig.state("backup"), rig.starts("backup")), ("starting", 1));
    rig.pass(secs(1));
    assert_eq!(rig.state("backup"), "stopped");
    assert_eq!(rig.reason("backup"), "exited with status 0; next run in 14 min");
    rig.pass(secs(2 * 900));
    assert_eq!(rig.starts("backup"), 3);
}

/// Its socket is one way to start it, and its times are another.
#[test]
fn a_task_that_listens_runs_at_its_times_too() {
    let mut report = task("report").listens(80);
    report.0.schedule = Some(at("every 15m").into());
    report.0.remain = false;
    let mut rig = booted(report);
    assert_eq!((rig.state("report"), rig.starts("report")), ("listening", 0));
    for starts in 1..4 {
        rig.pass(secs(if starts == 1 { 900 } else { 899 }));
        assert_eq!((rig.label("report"), rig.starts("report")), ("starting", starts));
        rig.pass(secs(1));
        assert_eq!(rig.state("report"), "listening");
    }
    assert_eq!(rig.said("left out"), 0);
    rig.connect("report", "10.0.0.1");
    rig.pass(secs(1));
    assert_eq!((rig.state("report"), rig.starts("report")), ("listening", 4));
    // Who holds it has neither start it.
    rig.ask(Request::Hold { name: "report".to_owned() }).expect("it is held");
    rig.pass(secs(900));
    assert_eq!((rig.starts("report"), rig.said("is due and held")), (4, 1));
}

/// A machine whose clock begins in 1970 has missed no time by that.
#[test]
fn times_of_the_calendar_are_asked_for_once_the_boot_has_set_the_clock() {
    for step in ["clock", "mount-local"] {
        let mut rig = Rig::booted_but([backup("03:00")], |rig| {
            rig.step(step, Some((secs(2), Ok(None))));
            rig.ends("backup", secs(1), 0);
        });
        assert!(rig.world.asked.is_empty());
        assert_eq!(rig.status("backup").timer.unwrap().never, "not known yet");
        rig.world.ahead += secs(50 * 365 * 86_400);
        rig.world.turn(Event::ClockSet);
        rig.pass(secs(2));
        assert_eq!(rig.world.asked, [("backup".to_owned(), After::Arming)]);
        rig.pass(secs(6));
        assert_eq!(rig.starts("backup"), 0);
        rig.pass(secs(1));
        assert_eq!(rig.starts("backup"), 1);
    }
}

#[test]
fn times_are_told_with_the_last_run_and_how_it_went() {
    let mut rig = booted(backup("every 15m"));
    let timer = |rig: &mut Rig| *rig.status("backup").timer.unwrap();
    let told = timer(&mut rig);
    assert_eq!((told.next_ms, told.last_ms, told.result), (Some(900_000), None, None));
    rig.pass(secs(900));
    let told = timer(&mut rig);
    assert_eq!((told.next_ms, told.last_ms, told.result), (Some(900_000), Some(0), None));
    rig.pass(secs(31));
    // Somebody has it run beside its times: that is its last run too.
    rig.start("backup");
    rig.pass(secs(10));
    let told = timer(&mut rig);
    assert_eq!((told.next_ms, told.last_ms), (Some(859_000), Some(10_000)));
    assert_eq!(told.result.as_deref(), Some("exited with status 0"));
    rig.stop("backup");
    let told = timer(&mut rig);
    assert_eq!((told.next_ms, told.last_ms), (None, Some(10_000)), "its last run is no secret");
    assert_eq!(told.never, "its times are off until it is started");
}

#[test]
fn why_no_time_comes_is_told() {
    let never = |part: crate::build::Part| {
        let mut rig = booted(part);
        rig.status("backup").timer.unwrap().never
    };
    assert_eq!(never(backup("every 15m")), "");
    assert_eq!(never(backup("every 15m").disabled()), "not enabled");
    assert_eq!(never(backup("every 15m").in_target("rescue")), "not of the target default");
    let mut rig = booted(backup("every 15m").in_target("rescue"));
    assert_eq!(rig.reason("backup"), "not of the target default");
    rig.start("backup");
    rig.pass(secs(1));
    assert_eq!(rig.reason("backup"), "exited with status 0; not of the target default");
    let mut rig = booted(backup("every 15m").disabled());
    assert_eq!(rig.reason("backup"), "not enabled");
    let mut rig = booted(
        task("backup").on_schedule(Schedule { after_boot: Some(secs(5)), ..Schedule::default() }),
    );
    assert_eq!(rig.status("backup").timer.unwrap().next_ms, Some(5_000));
    rig.pass(secs(60));
    let told = rig.status("backup").timer.unwrap();
    assert_eq!((told.next_ms, told.never.as_str()), (None, "no time left"));
    assert_eq!(told.last_ms, Some(55_000));
    assert_eq!(rig.machine().services.iter().filter(|one| one.timer.is_some()).count(), 1);
}

/// Enabled at boot or later, and once each time: a run of then is none of now.
#[test]
fn a_time_after_enabling_counts_from_when_it_was_enabled() {
    let once = Schedule { after_enable: Some(secs(60)), ..Schedule::default() };
    let part = || task("backup").on_schedule(once.clone());
    let mut rig = booted(part());
    rig.pass(secs(59));
    assert_eq!((rig.starts("backup"), rig.reason("backup").as_str()), (0, "next run in 1 s"));
    rig.pass(secs(3600));
    assert_eq!(rig.starts("backup"), 1);
    rig.apply([part().disabled()]);
    rig.pass(secs(3600));
    rig.apply([part()]);
    rig.pass(secs(59));
    assert_eq!(rig.starts("backup"), 1);
    rig.pass(secs(1));
    assert_eq!(rig.starts("backup"), 2);
}

#[test]
fn a_failure_shows_and_the_next_time_comes_all_the_same() {
    let mut rig = Rig::booted_but([backup("every 1h")], |rig| rig.ends("backup", secs(1), 3));
    rig.pass(secs(3601));
    assert_eq!(rig.state("backup"), "failed");
    assert_eq!(rig.reason("backup"), "exited with status 3; next run in 59 min");
    rig.ends("backup", secs(1), 0);
    rig.pass(secs(3600));
    assert_eq!((rig.state("backup"), rig.starts("backup")), ("stopped", 2));
}

#[test]
fn a_time_that_comes_while_it_runs_is_left_out() {
    let mut rig = Rig::booted_but([backup("every 1m").start_timeout(None)], |rig| {
        rig.ends("backup", secs(150), 0);
    });
    rig.pass(secs(60 + 149));
    assert_eq!(rig.starts("backup"), 1);
    assert_eq!(rig.said("backup is due again and still starting: this time is left out"), 2);
    rig.pass(secs(31));
    assert_eq!(rig.starts("backup"), 2);
}

#[test]
fn times_of_the_calendar_are_asked_for_one_by_one() {
    let mut rig = Rig::cold(crate::build::machine([backup("daily 03:00")]), "default");
    rig.ends("backup", secs(1), 0);
    rig.world.calendars.insert("backup".into(), (secs(3 * 3600), 9));
    rig.boot();
    assert_eq!(rig.reason("backup"), "next run in 3 h");
    rig.pass(secs(3 * 3600));
    assert_eq!(rig.starts("backup"), 1);
    let asked = rig.world.asked.iter().map(|(_, after)| *after).collect::<Vec<_>>();
    assert_eq!(asked, [After::Arming, After::Run]);
}

#[test]
fn the_zone_of_the_machine_is_followed_while_times_are_meant_in_it() {
    for (text, follows) in [("daily 03:00", true), ("daily 03:00 UTC", false), ("every 15m", false)]
    {
        let parts = [backup(text), service("slow")];
        let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("slow"));
        assert_eq!(rig.world.engine.follows_zone(), follows, "{text}");
        rig.power(Power::Poweroff).expect("it goes down");
        assert!(rig.finished().is_none() && !rig.world.engine.follows_zone(), "{text}");
    }
}

/// SD32, G1: somebody sets the clock.
#[test]
fn a_clock_that_is_set_moves_the_times_and_loses_none() {
    let mut rig = Rig::cold(crate::build::machine([backup("daily 03:00")]), "default");
    rig.ends("backup", secs(1), 0);
    rig.world.calendars.insert("backup".into(), (secs(10_000), 9));
    let wall = |rig: &mut Rig, seconds: u64| {
        rig.world.epoch = Moment(rig.world.now.0 - seconds * 1_000_000);
        rig.world.turn(Event::ClockSet);
        rig.now();
    };
    rig.world.now = Moment(90_000_000_000);
    rig.world.epoch = Moment(60_000_000_000);
    rig.boot();
    assert_eq!(rig.reason("backup"), "next run in 2 h 46 min");
    rig.pass(secs(1_000));
    // An hour forward: it comes an hour sooner.
    wall(&mut rig, 34_600);
    assert_eq!(rig.reason("backup"), "next run in 1 h 30 min");
    // Back, to before it was asked for.
    wall(&mut rig, 27_400);
    assert_eq!(rig.reason("backup"), "next run in 2 h 46 min");
    assert_eq!(rig.starts("backup"), 0);
    // Far beyond it: it is due, once.
    wall(&mut rig, 80_000);
    rig.pass(secs(10));
    assert_eq!(rig.starts("backup"), 1);
    assert_eq!(rig.world.asked.last().map(|(_, after)| *after), Some(After::Run));
}

/// Somebody mistypes the date, and puts it right: what has run today does not run again.
#[test]
fn a_clock_that_is_set_back_and_put_right_makes_nothing_run_twice() {
    let mut rig = Rig::cold(crate::build::machine([backup("daily 03:00")]), "default");
    rig.ends("backup", secs(1), 0);
    rig.world.calendars.insert("backup".into(), (secs(10_000), 9));
    rig.world.now = Moment(200_000_000_000);
    rig.world.epoch = Moment(100_000_000_000);
    rig.boot();
    rig.pass(secs(10_001));
    assert_eq!(rig.starts("backup"), 1);
    for epoch in [190_000_000_000, 100_000_000_000] {
        rig.world.epoch = Moment(epoch);
        rig.world.turn(Event::ClockSet);
        rig.pass(secs(100));
    }
    assert_eq!((rig.starts("backup"), rig.reason("backup").contains("next run in 2 h")), (1, true));
}

#[test]
fn a_person_stops_the_times_and_brings_them_back() {
    let mut rig = booted(backup("every 1m"));
    rig.stop("backup");
    rig.pass(secs(600));
    assert_eq!((rig.state("backup"), rig.starts("backup")), ("stopped", 0));
    assert_eq!(
        rig.reason("backup"),
        "stopped by finitctl (pid 77, uid 0); its times are off until it is started"
    );
    rig.start("backup");
    rig.pass(secs(2));
    assert_eq!(rig.starts("backup"), 1, "now");
    rig.pass(secs(60));
    assert_eq!(rig.starts("backup"), 2, "and at its times again");
}

#[test]
fn an_edit_moves_the_times_and_starts_nothing() {
    let mut rig = booted(backup("every 1m"));
    rig.pass(secs(61));
    assert_eq!(rig.starts("backup"), 1);
    rig.apply([backup("every 1h")]);
    assert_eq!(rig.reason("backup"), "exited with status 0; next run in 1 h");
    rig.apply([backup("every 1h").runs("/sbin/other")]);
    rig.pass(secs(1_000));
    assert_eq!(rig.starts("backup"), 1);
    rig.apply([]);
    rig.pass(secs(4_000));
    assert_eq!(rig.starts("backup"), 1);
}

#[test]
fn what_a_task_needs_comes_with_it() {
    let mut rig =
        Rig::booted_but([backup("every 1m").needs("db"), service("db").manual()], |rig| {
            rig.ends("backup", secs(1), 0)
        });
    assert_eq!(rig.state("db"), "stopped");
    rig.pass(secs(60));
    assert_eq!((rig.state("db"), rig.state("backup")), ("up", "starting"));
    rig.pass(secs(1));
    assert_eq!(rig.state("db"), "stopped", "nobody needs it any more");
}

#[test]
fn once_after_the_boot_is_once() {
    let mut schedule = Schedule { after_boot: Some(secs(300)), ..Schedule::default() };
    schedule.jitter = secs(60);
    let mut rig = booted(task("report").on_schedule(schedule));
    rig.pass(secs(299));
    assert_eq!(rig.starts("report"), 0);
    rig.pass(secs(62));
    assert_eq!(rig.starts("report"), 1);
    rig.pass(secs(100_000));
    assert_eq!((rig.starts("report"), rig.reason("report").as_str()), (1, "exited with status 0"));
}

#[test]
fn no_time_comes_once_the_machine_goes_down() {
    let mut rig = booted(backup("every 1s"));
    rig.stubborn("backup");
    rig.ask(Request::Power { how: finit::proto::Power::Poweroff }).unwrap();
    rig.pass(secs(30));
    assert_eq!(rig.starts("backup"), 0);
}

/// A misspelt zone, or a time that is over: it must not look like a task that waits for its time.
#[test]
fn a_task_that_can_never_be_due_says_so() {
    let mut rig = Rig::cold(machine([backup("2020-01-01 00:00")]), "default");
    rig.world.calendars.insert("backup".to_owned(), (secs(7), 0));
    rig.boot();
    assert_eq!(rig.reason("backup"), "never due: no time left");
    assert_eq!(rig.said("backup is never due: no time left"), 1);
    // Whoever sets the clock back has one.
    rig.world.calendars.insert("backup".to_owned(), (secs(7), 1));
    rig.world.turn(Event::ClockSet);
    assert_eq!(rig.reason("backup"), "next run in 7 s");
    rig.ends("backup", secs(1), 0);
    rig.pass(secs(16));
    assert_eq!(rig.reason("backup"), "exited with status 0; never due: no time left");
    assert_eq!(rig.said("backup is never due"), 1, "it has had its time");
}

/// Somebody has edited the file half, and starts another service.
#[test]
fn a_mere_look_moves_no_times() {
    let other = || service("web").manual();
    for part in [backup("every 1m"), backup("every 1m").runs("/sbin/other")] {
        let mut rig = booted(backup("every 1h"));
        rig.look_at([part.clone(), other()]);
        rig.start("web");
        assert_eq!(rig.reason("backup"), "next run in 1 h");
        rig.pass(secs(600));
        assert_eq!(rig.starts("backup"), 0);
        let plan = rig.world.engine.plan(machine([part.clone(), other()]).into());
        let plan: Vec<&str> = plan.iter().map(|change| change.why.as_str()).collect();
        assert!(plan.iter().any(|why| why.contains("schedule")), "{plan:?}");
        rig.pass(secs(3_001));
        assert_eq!(rig.started().last(), Some(&"/sbin/backup"), "by what is followed");
        rig.apply([part.clone(), other()]);
        rig.pass(secs(60));
        assert_eq!(rig.starts("backup"), 2);
        let command = part.0.commands.clone();
        assert!(format!("{command:?}").contains(rig.started().last().unwrap()));
    }
    // None that it has had goes, and none comes where there was none.
    let mut rig = booted(backup("every 1h"));
    rig.look_at([task("backup").manual()]);
    rig.pass(secs(3_700));
    assert_eq!(rig.starts("backup"), 1);
    let mut rig = booted(task("backup").manual());
    rig.look_at([backup("every 1m")]);
    rig.pass(secs(3_700));
    assert_eq!(rig.starts("backup"), 0);
}
