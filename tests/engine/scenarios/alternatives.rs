//! Needs with alternatives: one after the other is tried, and nobody waits for one that cannot
//! come while another could.

use finit::config::spec::Trigger;
use finit::facts::Stage;
use finit::proto::{Outcome, Reply, Request};

use crate::build::{Part, machine, secs, service, task, with_targets};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::gentle::stays;
use crate::scenarios::why::why;

/// Services that only others bring up.
fn manual<const N: usize>(names: [&str; N]) -> [Part; N] {
    names.map(|name| service(name).manual().restart_never())
}

fn states<const N: usize>(rig: &mut Rig, names: [&str; N]) -> [&'static str; N] {
    names.map(|name| rig.state(name))
}

#[test]
fn the_next_one_is_tried_when_one_fails_for_good() {
    let [w1, w2, w3] = manual(["w1", "w2", "w3"]);
    let parts = [service("alt").needs("w2|w1|w3"), w1, w2, w3];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("w2", Stage::Exec));
    assert_eq!(states(&mut rig, ["alt", "w2", "w1", "w3"]), ["up", "failed", "up", "stopped"]);
    rig.crashes("w1");
    assert_eq!(states(&mut rig, ["alt", "w1", "w3"]), ["up", "failed", "up"]);
    assert_eq!(rig.starts("alt"), 1, "a need that crashes and is replaced is no reason to stop");
    rig.crashes("w3");
    assert_eq!(rig.state("alt"), "waiting");
    assert_eq!(rig.reason("alt"), "waits for w2 (failed) or w1 (failed) or w3 (failed)");
}

#[test]
fn one_that_comes_again_by_itself_is_waited_for() {
    let [w1, _] = manual(["w1", "w2"]);
    let w2 = service("w2").manual().delay(secs(5), secs(5));
    let parts = [service("alt").needs("w2|w1"), w1, w2];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("w2", Stage::Exec));
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["waiting", "restarting", "stopped"]);
    assert_eq!(rig.reason("alt"), "waits for w2 (restarting) or w1 (stopped)");
    rig.mends("w2");
    rig.pass(secs(6));
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "up", "stopped"]);
}

/// A person stops it, what it stands on is gone, its path is not there: the next one is tried.
#[test]
fn the_next_one_is_tried_when_one_cannot_come() {
    let [w1, w2] = manual(["w1", "w2"]);
    let mut rig = Rig::booted([service("alt").needs("w2|w1"), w1, w2]);
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "up", "stopped"]);
    rig.stop("w2");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "stopped", "up"]);

    let [w1, w2] = manual(["w1", "w2"]);
    let [db] = manual(["db"]);
    let parts = [service("alt").needs("w2|w1"), w1, w2.needs("db"), db];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("db", Stage::Exec));
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "waiting", "up"]);
    // It comes after all: it is stood on, and the other one is let go.
    rig.mends("db");
    rig.reset("db");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "up", "stopped"]);
    assert_eq!((rig.starts("alt"), rig.stopped()), (1, vec!["w1"]));

    let [w1, w2] = manual(["w1", "w2"]);
    let parts = [service("alt").needs("w2|w1"), w1, w2.needs_path("/dev/w2")];
    let mut rig = Rig::booted(parts);
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "waiting", "up"]);
}

/// The better one takes its time: nothing is taken away meanwhile.
#[test]
fn one_that_is_stood_on_stays_until_a_better_one_is_up() {
    let [w1, w2] = manual(["w1", "w2"]);
    let parts = [service("alt").needs("w2|w1"), w1, w2.notifies()];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("w2", Stage::Exec));
    rig.program("w2", Program::mute());
    rig.reset("w2");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "starting", "up"]);
    rig.tells("w2", "READY=1");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "up", "stopped"]);
    assert_eq!(rig.starts("alt"), 1);
}

/// Who wanted it before does not matter to whoever stands on it.
#[test]
fn a_change_of_target_leaves_what_is_stood_on() {
    let [w2] = manual(["w2"]);
    let spec = with_targets(
        machine([service("alt").needs("w2|w1").manual(), service("w1").in_target("other"), w2]),
        &[("other", &[])],
    );
    let mut rig = Rig::cold(spec, "other");
    rig.fails_at("w2", Stage::Exec);
    rig.boot();
    rig.start("alt");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "failed", "up"]);
    rig.target("default");
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "failed", "up"]);
    rig.stop("alt");
    assert_eq!(rig.state("w1"), "stopped", "nobody stands on it any more");
}

#[test]
fn a_stop_names_only_those_that_lose_their_last_one() {
    let parts = [service("c").needs("x|y"), service("d").needs("c"), service("x"), service("y")];
    let mut rig = Rig::booted(parts);
    let also = |rig: &mut Rig, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        match rig.ask(Request::Stop { names }) {
            Ok(Reply::Job { also, .. }) => also,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(also(&mut rig, &["y"]), Vec::<String>::new());
    assert_eq!(rig.state("c"), "up");
    assert_eq!(also(&mut rig, &["x"]), ["c", "d"]);
    assert_eq!(rig.reason("c"), "waits for x (stopped) or y (stopped)");
    rig.start("x");
    rig.start("y");
    assert_eq!(also(&mut rig, &["x", "y"]), ["c", "d"]);
}

#[test]
fn whoever_asks_for_it_asks_for_all_that_have_failed_in_their_turn() {
    let [w1, w2] = manual(["w1", "w2"]);
    let parts = [service("alt").needs("w2|w1").manual(), w1, w2];
    let fail = |rig: &mut Rig| {
        rig.fails_at("w2", Stage::Exec);
        rig.fails_at("w1", Stage::Exec);
    };
    let mut rig = Rig::booted_but(parts, fail);
    let job = rig.start("alt");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert_eq!(rig.last_word(job), "waiting: waits for w2 (failed) or w1 (failed)");
    rig.mends("w1");
    let Ok(Reply::Job { job, also, .. }) = rig.ask(Request::Start { names: vec!["alt".into()] })
    else {
        panic!("no job")
    };
    assert_eq!((rig.outcome(job), also), (Some(Outcome::Done), vec!["w2".to_owned()]));
    assert_eq!(states(&mut rig, ["alt", "w2", "w1"]), ["up", "failed", "up"]);
}

#[test]
fn a_held_one_is_named_as_such() {
    let [w1, w2] = manual(["w1", "w2"]);
    let parts = [service("alt").needs("w2|w1"), w1, w2];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("w2", Stage::Exec));
    rig.stop("w1");
    assert!(rig.ask(Request::Hold { name: "w1".into() }).is_ok());
    let words = "waits for w2 (failed) or w1 (stopped and held: finitctl unhold w1)";
    assert_eq!(rig.reason("alt"), words);
}

/// Those who provide a name are alternatives in the order of the file.
#[test]
fn whoever_provides_a_name_is_as_good_as_another() {
    let [postfix, exim] = manual(["postfix", "exim"]);
    let parts = [service("web").needs("mta"), postfix.provides("mta"), exim.provides("mta")];
    let mut rig = Rig::booted_but(parts, |rig| rig.fails_at("postfix", Stage::Exec));
    assert_eq!(states(&mut rig, ["web", "postfix", "exim"]), ["up", "failed", "up"]);
}

/// Two would fight for one port.
#[test]
fn of_those_that_provide_a_name_one_that_comes_anyway_is_better_than_one_that_does_not() {
    let mta = |name: &str| service(name).provides("mta").restart_never();
    for exim in [mta("exim").disabled(), mta("exim").manual(), mta("exim").in_target("other")] {
        for rivals in [false, true] {
            let all = [exim.clone(), mta("postfix"), service("web").needs("mta")];
            let all = all.map(|part| {
                let provides = !part.0.dependencies.provides.is_empty();
                if rivals && provides { part.conflicts("mta") } else { part }
            });
            let mut rig = Rig::booted(all);
            let names = ["exim", "postfix", "web"];
            assert_eq!(states(&mut rig, names), ["stopped", "up", "up"]);
            rig.exits("postfix", 1);
            assert_eq!(states(&mut rig, names), ["up", "failed", "up"]);
        }
    }
    // Of those that do not come, one that may is better than one that somebody has switched off.
    let parts = [mta("exim").disabled(), mta("postfix").manual(), service("web").needs("mta")];
    let mut rig = Rig::booted(parts);
    assert_eq!(states(&mut rig, ["exim", "postfix", "web"]), ["stopped", "up", "up"]);
}

#[test]
fn another_target_has_another_one_come_anyway() {
    let mta = |name: &str| service(name).provides("mta");
    let mut web = service("web").needs("mta");
    std::rc::Rc::make_mut(&mut web.0.targets).push("other".to_owned());
    let parts = [mta("exim").in_target("other"), mta("postfix"), web];
    let mut rig = Rig::cold(with_targets(machine(parts), &[("other", &[])]), "default");
    rig.boot();
    assert_eq!(states(&mut rig, ["exim", "postfix", "web"]), ["stopped", "up", "up"]);
    rig.target("other");
    assert_eq!(states(&mut rig, ["exim", "postfix", "web"]), ["up", "stopped", "up"]);
    assert_eq!(rig.starts("web"), 1);
}

#[test]
fn who_steps_in_tells_for_whom_and_in_whose_place() {
    let [db, cache] = manual(["db", "cache"]);
    let mut rig = Rig::booted([service("web").needs("db|cache"), db, cache]);
    rig.pass(secs(1));
    rig.exits("db", 3);
    assert_eq!(states(&mut rig, ["web", "db", "cache"]), ["up", "failed", "up"]);
    let told = why(&mut rig, "cache");
    let causes =
        ["  web, which needs it", "  db, which it needs", "  its process exited with status 3"];
    assert_eq!(told[1..4], causes);
    rig.stop("web");
    rig.pass(secs(1));
    // Both for the same reason: nobody has stepped in for another.
    rig.start("web");
    let asked = "  finitctl (pid 77, uid 0) asked: start web";
    assert_eq!(states(&mut rig, ["db", "cache"]), ["up", "stopped"]);
    assert_eq!(why(&mut rig, "db")[1..], ["  web, which needs it", asked]);
}

#[test]
fn who_is_let_go_tells_who_had_brought_it_up() {
    let app = task("app").watches(Trigger::Changed, "/etc/it").needs("db");
    let mut rig = Rig::booted([app, service("db").manual()]);
    rig.changes("app", "/etc/it");
    assert_eq!(rig.state("db"), "up");
    rig.pass(secs(1));
    rig.exits("app", 0);
    assert_eq!(
        (rig.state("db"), rig.reason("db").as_str()),
        ("stopped", "no longer needed by app")
    );
    let exit = "  its process exited with status 0";
    assert_eq!(why(&mut rig, "db")[1..3], ["  app, which had brought it up", exit]);

    let [db, cache] = manual(["db", "cache"]);
    let mut rig = Rig::booted([service("web").needs("db|cache"), db, cache]);
    rig.exits("db", 3);
    rig.pass(secs(1));
    rig.start("db");
    assert_eq!(states(&mut rig, ["db", "cache"]), ["up", "stopped"]);
    let asked = "  finitctl (pid 77, uid 0) asked: start db";
    assert_eq!(why(&mut rig, "cache")[1..], [asked]);
}

/// Somebody knocks at the one that is stood on: it starts, and the knock is answered, though the
/// better one could come as well.
#[test]
fn one_that_is_called_at_its_socket_is_not_thrown_away_for_a_better_one() {
    let called = service("called").listens(80).notifies();
    let better = service("better").manual().notifies();
    let first = service("first").notifies();
    let parts = [service("web").needs("better|called").after("first"), better, called, first];
    let mut rig = Rig::booted_but(parts, |rig| {
        for name in ["better", "called", "first"] {
            rig.program(name, Program::mute());
        }
    });
    assert_eq!(states(&mut rig, ["web", "called"]), ["waiting", "listening"]);
    let told = stays(&mut rig, &["called"]);
    assert_eq!(told, "called stays for web, and goes when nobody needs or wants it any more");
    rig.connect("called", "10.0.0.1");
    assert_eq!((rig.starts("called"), rig.state("called")), (1, "starting"));
    assert_eq!(rig.signals("called"), Vec::<String>::new());
}
