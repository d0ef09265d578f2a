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
        let told = "dump: it is due, and stops db, which conflicts with dump; stops part, a part \
                    of db; stops by-hand, a part of db";
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

/// Each of two is started by what it sees; neither takes the other's run away again and again.
#[test]
fn who_made_way_waits_for_its_turn() {
    let one = |name: &str| task(name).watches(Trigger::Changed, &format!("/etc/{name}"));
    let mut rig = Rig::booted_but([one("a"), one("b").conflicts("a")], |rig| {
        rig.ends("a", secs(10), 0);
        rig.ends("b", secs(10), 0);
    });
    rig.changes("a", "/etc/a");
    rig.pass(secs(5));
    rig.changes("b", "/etc/b");
    rig.pass(secs(5));
    rig.changes("a", "/etc/a");
    assert_eq!((rig.state("a"), rig.state("b")), ("stopped", "starting"));
    rig.pass(secs(6));
    assert_eq!((rig.state("a"), rig.state("b")), ("starting", "stopped"));
    rig.pass(secs(60));
    assert_eq!((rig.starts("a"), rig.starts("b")), (2, 1));

    // So does one whose time comes meanwhile.
    let nightly = task("db").on_schedule(Schedule::parse("every 61m").unwrap());
    let parts = [nightly.start_timeout(None), dump().start_timeout(None).conflicts("db")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("dump", secs(10), 0);
        rig.ends("db", secs(7_000), 0);
    });
    rig.pass(secs(7_205));
    assert_eq!(states(&mut rig), ["stopped", "starting"]);
    rig.pass(secs(10));
    assert_eq!((states(&mut rig), rig.starts("db")), (["starting", "stopped"], 2));
    rig.ends("dump", secs(200), 0);
    rig.pass(secs(10_805 - 7_215));
    assert_eq!(states(&mut rig), ["stopped", "starting"]);
    rig.pass(secs(10_985 - 10_805));
    assert_eq!(rig.said("db is due and makes way for dump: it runs after it"), 1);
    rig.pass(secs(20));
    assert_eq!((states(&mut rig), rig.starts("db")), (["starting", "stopped"], 3));
}
