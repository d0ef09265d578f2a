//! Rivals that made way for a run that a time or a path has asked for: they come back after it.

use finit::calendar::Schedule;
use finit::config::spec::Trigger;

use crate::build::{Part, secs, service, task};
use crate::rig::Rig;
use crate::scenarios::causes::causes;

/// A task that takes ten seconds, each hour.
fn dump() -> Part {
    task("dump").on_schedule(Schedule::parse("every 1h").unwrap())
}

/// A machine with that task and a database that must not run beside it, and with what else.
fn booted<const N: usize>(more: [Part; N]) -> Rig {
    let parts = [service("db"), dump().conflicts("db")].into_iter().chain(more);
    Rig::booted_but(parts, |rig| rig.ends("dump", secs(10), 0))
}

fn states(rig: &mut Rig) -> [&'static str; 2] {
    ["db", "dump"].map(|name| rig.state(name))
}

#[test]
fn who_makes_way_for_a_time_is_there_again_after_it() {
    let by_hand = service("by-hand").part_of("db").manual();
    let mut rig = booted([service("part").part_of("db"), service("web").needs("db"), by_hand]);
    rig.start("by-hand");
    rig.pass(secs(15));
    for night in 1..=2 {
        rig.pass(secs(3_590));
        assert_eq!(states(&mut rig), ["stopped", "starting"]);
        let others = ["part", "web", "by-hand"].map(|name| rig.state(name));
        assert_eq!(others, ["stopped", "waiting", "stopped"]);
        let why = "stopped by dump, which excludes it, until that is over";
        assert_eq!(rig.reason("db"), why);
        rig.world.anew();
        rig.pass(secs(10));
        assert_eq!(states(&mut rig), ["up", "stopped"]);
        assert_eq!(["part", "web", "by-hand"].map(|name| rig.state(name)), ["up"; 3]);
        let told = "dump runs: stops db, which conflicts with dump; stops part, a part of db; \
                    stops by-hand, a part of db";
        assert_eq!((rig.said(told), rig.starts("db")), (night, night + 1));
    }
    assert_eq!(rig.starts("dump"), 2);
}

#[test]
fn what_a_person_asks_for_meanwhile_counts() {
    let mut rig = booted([]);
    rig.pass(secs(3_601));
    rig.stop("db");
    rig.pass(secs(60));
    assert_eq!(states(&mut rig), ["stopped", "stopped"]);
    rig.pass(secs(3_600));
    assert_eq!((states(&mut rig), rig.starts("dump")), (["stopped", "stopped"], 2));

    let mut rig = booted([]);
    rig.pass(secs(3_601));
    rig.start("db");
    assert_eq!(states(&mut rig), ["up", "stopped"]);

    // Who is sent away by a person stays away.
    let mut rig = booted([]);
    rig.start("dump");
    rig.pass(secs(60));
    assert_eq!(states(&mut rig), ["stopped", "stopped"]);
}

#[test]
fn who_made_way_for_what_does_not_exclude_it_any_more_comes_back() {
    let mut rig = booted([]);
    rig.pass(secs(3_601));
    assert_eq!(states(&mut rig), ["stopped", "starting"]);
    rig.apply([service("db"), dump()]);
    assert_eq!(states(&mut rig), ["up", "starting"]);

    let mut rig = booted([]);
    rig.pass(secs(3_601));
    rig.apply([service("db")]);
    assert_eq!((rig.state("db"), rig.label("dump")), ("up", "unknown"));
}

/// Found by seed 26982: it told what had happened to another, that itself had stopped.
#[test]
fn who_was_edited_and_made_way_says_who_it_made_way_for() {
    let parts = |db: Part| [db, dump(), service("web").needs("db")];
    let before = parts(service("db").conflicts("dump"));
    let mut rig = Rig::booted_but(before, |rig| rig.ends("dump", secs(10), 0));
    rig.look_at(parts(service("db")));
    rig.pass(secs(3_601));
    assert_eq!(states(&mut rig), ["up", "starting"]);
    let story = ["  dump, which excludes it", "  its schedule"];
    assert_eq!(causes(&mut rig, "db"), story);
    let story = ["  db, which it needs", story[0], story[1]];
    assert_eq!(causes(&mut rig, "web"), story);
}

/// What it needs has a rival.
#[test]
fn who_makes_way_for_a_need_is_there_again_too() {
    let mut rig = Rig::booted_but(
        [
            service("db"),
            dump().needs("gone|store"),
            service("store").manual().conflicts("db"),
            service("gone").manual().restart_never(),
        ],
        |rig| {
            rig.ends("dump", secs(10), 0);
            rig.fails_at("gone", finit::facts::Stage::Exec);
        },
    );
    rig.start("gone");
    assert_eq!(rig.state("gone"), "failed");
    rig.pass(secs(15));
    for _ in 0..2 {
        rig.pass(secs(3_590));
        let now = ["db", "store", "dump"].map(|name| rig.state(name));
        assert_eq!(now, ["stopped", "up", "starting"], "{}", rig.story());
        rig.pass(secs(10));
        assert_eq!(
            ["db", "store", "dump"].map(|name| rig.state(name)),
            ["up", "stopped", "stopped"]
        );
    }
}

/// Each of two is started by what it sees; neither cuts the other's run short.
#[test]
fn a_task_at_work_makes_way_for_no_run() {
    let one = |name: &str| task(name).watches(Trigger::Changed, &format!("/etc/{name}"));
    let mut rig = Rig::booted_but([one("a"), one("b").conflicts("a")], |rig| {
        rig.ends("a", secs(10), 0);
        rig.ends("b", secs(10), 0);
    });
    rig.changes("a", "/etc/a");
    rig.pass(secs(5));
    rig.changes("b", "/etc/b");
    assert_eq!(rig.reason("b"), "conflicts with a, which is starting; watches /etc/b");
    rig.pass(secs(6));
    rig.changes("a", "/etc/a");
    assert_eq!((rig.state("a"), rig.state("b")), ("waiting", "starting"));
    rig.pass(secs(6));
    rig.changes("b", "/etc/b");
    rig.pass(secs(60));
    assert_eq!((rig.starts("a"), rig.starts("b")), (2, 2));
    assert!(rig.signals("a").is_empty() && rig.signals("b").is_empty());
}

fn report(every: &str) -> Part {
    task("report").on_schedule(Schedule::parse(every).unwrap()).needs("db")
}

/// The dump waits for the report that needs what it excludes, and the report for the dump; each
/// night again.
#[test]
fn a_run_waits_for_one_that_needs_what_it_excludes() {
    for every in ["every 3595s", "every 3605s"] {
        let mut rig = booted([report(every)]);
        rig.ends("report", secs(10), 0);
        for night in 1..=3 {
            rig.pass(secs(3_660));
            assert_eq!((rig.starts("dump"), rig.starts("report")), (night, night), "{every}");
            assert_eq!((states(&mut rig), rig.starts("db")), (["up", "stopped"], night + 1));
        }
        assert!(rig.signals("dump").is_empty() && rig.signals("report").is_empty());
    }
}

/// A service that makes way is one thing, and that nobody can do the work is another.
#[test]
fn nobody_stays_away_for_a_run_that_does_not_begin() {
    let nas = || service("nas").manual().restart_never();
    let parts = [service("db"), dump().conflicts("db").needs("nas"), nas()];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("dump", secs(10), 0);
        rig.fails_at("nas", finit::facts::Stage::Exec);
    });
    rig.pass(secs(3_601));
    assert_eq!((states(&mut rig), rig.starts("db")), (["up", "waiting"], 1));
    rig.pass(secs(3_600));
    assert_eq!((states(&mut rig), rig.starts("db")), (["up", "waiting"], 1));
    rig.mends("nas");
    rig.start("nas");
    assert_eq!(states(&mut rig), ["stopped", "starting"]);
    rig.pass(secs(11));
    assert_eq!((states(&mut rig), rig.starts("dump")), (["up", "stopped"], 1));

    // What it needs is lost before it could begin.
    rig.stubborn("db");
    rig.restart("db");
    rig.pass(secs(3_589));
    assert_eq!(states(&mut rig), ["stopping", "waiting"]);
    rig.stop("nas");
    rig.pass(secs(100));
    assert_eq!(states(&mut rig), ["up", "waiting"], "{}", rig.story());
}

/// With all that belongs to it.
#[test]
fn who_makes_way_for_two_comes_back_after_both() {
    let vacuum = task("vacuum").on_schedule(Schedule::parse("every 3605s").unwrap());
    for (first, second) in [(20, 10), (10, 20)] {
        let part = service("part").part_of("db");
        let mut rig = booted([vacuum.clone().conflicts("db"), part]);
        rig.ends("dump", secs(first), 0);
        rig.ends("vacuum", secs(second), 0);
        rig.pass(secs(3_607));
        let all = |rig: &mut Rig| ["db", "part", "dump", "vacuum"].map(|name| rig.state(name));
        assert_eq!(all(&mut rig), ["stopped", "stopped", "starting", "starting"]);
        rig.world.anew();
        rig.pass(secs(10));
        let longer = if first > second { ["starting", "stopped"] } else { ["stopped", "starting"] };
        assert_eq!(all(&mut rig)[..2], ["stopped", "stopped"], "{}", rig.story());
        assert_eq!(all(&mut rig)[2..], longer);
        let last = if first > second { "that" } else { "vacuum" };
        let why = format!("stopped by dump, which excludes it, until {last} is over");
        assert_eq!(rig.reason("db"), why);
        rig.pass(secs(10));
        assert_eq!(all(&mut rig), ["up", "up", "stopped", "stopped"]);
        assert_eq!((rig.starts("db"), rig.starts("part")), (2, 2));
    }
}

/// Of two that wait for their turn, the second does not have it come back in between.
#[test]
fn nobody_comes_back_between_two_runs() {
    let vacuum = task("vacuum").on_schedule(Schedule::parse("every 3605s").unwrap());
    let mut rig = booted([vacuum.conflicts("db").conflicts("dump")]);
    rig.ends("vacuum", secs(10), 0);
    rig.pass(secs(3_607));
    assert_eq!((states(&mut rig), rig.state("vacuum")), (["stopped", "starting"], "waiting"));
    rig.pass(secs(5));
    assert_eq!((states(&mut rig), rig.state("vacuum")), (["stopped", "stopped"], "starting"));
    rig.pass(secs(10));
    assert_eq!((states(&mut rig), rig.starts("db")), (["up", "stopped"], 2));
}

/// A service that a time begins goes on for ever, and nobody could wait for its end.
#[test]
fn a_service_makes_way_whoever_has_begun_it() {
    let watched = service("show").watches(Trigger::Changed, "/etc/show").manual();
    let mut rig = booted([watched.conflicts("dump")]);
    rig.changes("show", "/etc/show");
    assert_eq!(rig.state("show"), "up");
    rig.pass(secs(3_601));
    assert_eq!((rig.state("show"), rig.state("dump")), ("stopped", "starting"));
    rig.pass(secs(10));
    assert_eq!((rig.state("show"), rig.starts("show")), ("up", 2));
}
