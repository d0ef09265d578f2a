//! An edited file: only what changed is touched.

use finit::engine::{Engine, Extent, Verdict};
use finit::proto::{Outcome, Request};

use crate::build::{machine, millis, secs, service, task, with_targets};
use crate::rig::Rig;

#[test]
fn a_file_that_did_not_change_touches_nobody() {
    let parts = || [service("a"), service("b").needs("a").listens(80), service("c").inetd(22)];
    let mut rig = Rig::booted(parts());
    let spawned = rig.world.started.len();
    assert_eq!(rig.apply(parts()), "nothing changed");
    assert_eq!(rig.look_at(parts()), "nothing changed");
    assert_eq!((rig.world.started.len(), rig.world.signals.len()), (spawned, 0));
}

#[test]
fn what_is_added_starts_and_what_is_removed_stops() {
    let mut rig = Rig::booted([service("a"), service("b")]);
    assert_eq!(rig.apply([service("a"), service("c")]), "1 added, 0 changed, 1 removed");
    assert_eq!((rig.state("a"), rig.state("c"), rig.label("b")), ("up", "up", "unknown"));
    assert_eq!((rig.starts("a"), rig.signals("b").len()), (1, 1));
}

#[test]
fn what_changed_restarts_with_the_new_definition() {
    let mut rig = Rig::booted([service("a"), service("b")]);
    rig.apply([service("a").runs("/opt/a --new"), service("b")]);
    assert_eq!((rig.starts("a"), rig.starts("b")), (2, 1));
    assert_eq!(rig.started().last(), Some(&"/opt/a --new"));
}

#[test]
fn a_mere_look_changes_nothing_that_runs_and_starts_nothing() {
    let mut rig = Rig::booted([service("a"), service("b")]);
    rig.look_at([service("a").runs("/opt/a --new"), service("c")]);
    assert_eq!((rig.world.started.len(), rig.world.signals.len()), (2, 0));
    assert_eq!((rig.state("b"), rig.state("c")), ("up", "stopped"));
    assert!(rig.status("a").detail.unwrap().changed);
    rig.start("c");
    assert_eq!(rig.state("c"), "up");
    rig.restart("a");
    assert_eq!(rig.started().last(), Some(&"/opt/a --new"));
}

/// SD12: what the file says now is what counts, however often it was edited to and fro.
#[test]
fn a_definition_that_is_as_it_was_again_is_no_newer_one() {
    let changed = |rig: &mut Rig| rig.status("a").detail.unwrap().changed;
    let edited = || [service("a").runs("/opt/a --new"), service("b")];
    let before = || [service("a"), service("b")];
    let mut rig = Rig::booted(before());
    rig.look_at(edited());
    assert!(changed(&mut rig));
    rig.world.anew();
    assert!(changed(&mut rig), "an upgrade forgets it not");
    rig.look_at(before());
    assert!(!changed(&mut rig), "it runs by what the file says");
    rig.look_at([service("b")]);
    rig.look_at(before());
    assert!(!changed(&mut rig), "nor by its absence in between");
    rig.look_at(edited());
    rig.restart("a");
    assert!(!changed(&mut rig), "what was restarted is the new one");
    rig.apply(before());
    assert!(!changed(&mut rig));
    assert_eq!((rig.starts("a"), rig.starts("b")), (3, 1));
}

/// SD11: who is not in the file any more, and nobody has said that it is to be followed.
#[test]
fn a_socket_whose_definition_has_vanished_is_kept_until_the_file_is_followed() {
    let web = || service("web").listens(80);
    let mut rig = Rig::booted([web(), service("other")]);
    let bound = rig.world.bound.clone();
    for _ in 0..3 {
        rig.look_at([service("other")]);
    }
    rig.world.anew();
    let node = rig.world.engine.number("web").unwrap();
    assert!(std::rc::Rc::ptr_eq(&rig.world.bound[&node], &bound[&node]), "never bound anew");
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
    // It comes back into the file: it is the same.
    assert_eq!(rig.apply([web(), service("other")]), "nothing changed");
    assert_eq!((rig.state("web"), rig.starts("web"), rig.world.bound.len()), ("up", 1, 1));
    rig.apply([service("other")]);
    assert_eq!((rig.label("web"), rig.world.bound.len()), ("unknown", 0));
}

/// SD17: another name is for one service, then for another, then that of a service.
#[test]
fn an_alias_moves_with_the_file_and_takes_no_process_along() {
    let mut rig = Rig::booted([service("nginx").alias("www"), service("caddy")]);
    let named = |rig: &mut Rig| rig.status("www").name;
    assert_eq!(named(&mut rig), "nginx");
    rig.apply([service("nginx"), service("caddy").alias("www")]);
    assert_eq!(named(&mut rig), "caddy");
    rig.stop("www");
    assert_eq!((rig.state("nginx"), rig.state("caddy")), ("up", "stopped"));
    rig.start("www");
    let starts = [rig.starts("nginx"), rig.starts("caddy")];
    rig.apply([service("nginx"), service("caddy"), service("www").needs("nginx")]);
    assert_eq!((named(&mut rig), rig.state("www"), rig.starts("www")), ("www".into(), "up", 1));
    assert_eq!(
        [rig.starts("nginx"), rig.starts("caddy")],
        starts,
        "a name is no reason to restart"
    );
    // And the other way: who had the name goes, and another is called so.
    rig.world.anew();
    rig.apply([service("nginx").alias("www"), service("caddy")]);
    assert_eq!((named(&mut rig), rig.label("www")), ("nginx".into(), "unknown"));
    rig.stop("www");
    assert_eq!((rig.state("nginx"), rig.state("caddy")), ("stopped", "up"));
    // Those that need it by that name follow it.
    rig.apply([service("nginx").alias("www"), service("caddy"), service("app").needs("www")]);
    assert_eq!(rig.state("app"), "waiting");
    rig.apply([service("nginx"), service("caddy").alias("www"), service("app").needs("www")]);
    assert_eq!((rig.state("app"), rig.state("nginx")), ("up", "stopped"));
}

/// SD21: what it runs by is what it was started by, to its last step.
#[test]
fn a_task_that_is_edited_in_the_middle_goes_on_where_it_is() {
    let steps = |words: &[&str]| {
        let first = task("job").runs(words[0]);
        words[1..].iter().fold(first, |part, word| part.then_runs(word))
    };
    let old = || [steps(&["/one", "/two", "/three", "/four"]), service("other")];
    let edited = || [steps(&["/zero", "/one", "/other", "/three"]), service("other")];
    let shorter = || [steps(&["/one"]), service("other")];
    let mut rig = Rig::booted_but(old(), |rig| rig.ends("job", secs(10), 0));
    let of_job = |rig: &Rig| -> Vec<String> {
        let words = rig.started().into_iter().filter(|word| *word != "/sbin/other");
        words.map(str::to_owned).collect()
    };
    rig.pass(secs(15));
    assert_eq!(of_job(&rig), ["/one", "/two"]);
    rig.look_at(edited());
    rig.world.anew();
    rig.pass(secs(10));
    assert_eq!(of_job(&rig), ["/one", "/two", "/three"]);
    rig.look_at(shorter());
    rig.world.anew();
    rig.look_at([service("other")]);
    rig.pass(secs(3600));
    assert_eq!(of_job(&rig), ["/one", "/two", "/three", "/four"]);
    assert_eq!(rig.state("job"), "done");
    // What the file says counts from the next run on.
    rig.look_at(edited());
    rig.restart("job");
    rig.pass(secs(3600));
    assert_eq!(of_job(&rig)[4..], ["/zero", "/one", "/other", "/three"]);
}

/// What it has found stands for no name of those that are followed, until it is followed itself.
#[test]
fn what_a_mere_look_finds_takes_the_place_of_nobody() {
    let database = |name: &str| service(name).provides("database");
    let before = || [database("mariadb").manual(), service("app").needs("database")];
    let states = |rig: &mut Rig| ["mariadb", "app", "postgres"].map(|name| rig.state(name));
    for is_up in [true, false] {
        let mut rig = Rig::booted(before());
        if !is_up {
            rig.stop("mariadb");
        }
        rig.look_at(before().into_iter().chain([database("postgres")]));
        let there = if is_up { ["up", "up", "stopped"] } else { ["stopped", "waiting", "stopped"] };
        assert_eq!(states(&mut rig), there);
        rig.world.anew();
        rig.restart("app");
        assert_eq!((states(&mut rig)[2], rig.starts("postgres")), ("stopped", 0));
        rig.apply(before().into_iter().chain([database("postgres")]));
        assert_eq!((states(&mut rig)[1..].to_vec(), rig.starts("postgres")), (vec!["up"; 2], 1));
    }

    // Who was not followed either has it.
    let mut rig = Rig::booted([database("mariadb").manual()]);
    let new = [database("postgres"), service("app").needs("database")];
    rig.look_at([database("mariadb").manual()].into_iter().chain(new));
    rig.start("app");
    assert_eq!((rig.state("postgres"), rig.state("app")), ("up", "up"));
}

/// A newer finit may make more of the file that is followed: a shell for where nobody can log in.
#[test]
fn what_another_finit_makes_of_the_file_is_followed_as_the_file_is() {
    for followed in [true, false] {
        let mut rig = Rig::booted([service("a")]);
        let memory = rig.world.engine.memory().unwrap();
        let spec = machine([service("a"), service("shell").in_target("rescue")]);
        rig.world.engine = Engine::recall(spec.into(), followed, memory, rig.world.now);
        rig.now();
        assert_eq!((rig.state("a"), rig.state("shell"), rig.starts("a")), ("up", "stopped", 1));
        rig.target("rescue");
        assert_eq!(rig.state("shell") == "up", followed);
    }
}

/// Nor what it stands on: that is followed with the definition.
#[test]
fn a_mere_look_takes_from_nobody_what_it_stands_on() {
    let before = || [service("db").manual(), service("web").needs("db"), service("x").manual()];
    let mut rig = Rig::booted(before());
    rig.look_at([service("db").manual(), service("web").wants("x"), service("x").manual()]);
    assert!(rig.stopped().is_empty());
    assert_eq!((rig.state("db"), rig.state("x")), ("up", "stopped"));
    rig.restart("web");
    assert_eq!((rig.starts("web"), rig.state("x"), rig.state("db")), (2, "up", "stopped"));
}

/// Way is made for whoever is asked for by what the file says now.
#[test]
fn who_is_restarted_or_started_after_an_edit_gets_what_the_edited_definition_needs() {
    let parts = |needed: bool| {
        let web = if needed { service("web").needs("db") } else { service("web") };
        [web.restart_never(), service("db").manual()]
    };
    let mut rig = Rig::booted(parts(false));
    rig.start("db");
    rig.stop("db");
    rig.look_at(parts(true));
    let job = rig.restart("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("web"), rig.state("db"), rig.starts("web")), ("up", "up", 2));
    let mut rig = Rig::booted_but(parts(false), |rig| rig.ends("web", millis(0), 1));
    rig.mends("web");
    rig.start("db");
    rig.stop("db");
    rig.look_at(parts(true));
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("web"), rig.state("db")), ("up", "up"));
}

/// And what it excludes now goes; if that may not go, all stays.
#[test]
fn who_is_restarted_after_an_edit_displaces_what_the_edited_definition_excludes() {
    let parts = |rival: bool| {
        let web = service("web").needs("old");
        let web = if rival { service("web").conflicts("apache") } else { web };
        [web, service("apache"), service("old").manual()]
    };
    let states = |rig: &mut Rig| ["web", "apache", "old"].map(|name| rig.state(name));
    let mut rig = Rig::booted(parts(false));
    rig.ask(Request::Hold { name: "apache".to_owned() }).unwrap();
    rig.look_at(parts(true));
    rig.ask(Request::Restart { names: vec!["web".to_owned()] }).unwrap_err();
    assert_eq!(states(&mut rig), ["up", "up", "up"]);
    rig.ask(Request::Unhold { name: "apache".to_owned() }).unwrap();
    assert_eq!((states(&mut rig), rig.starts("web")), (["up", "up", "up"], 1));
    rig.restart("web");
    assert_eq!((states(&mut rig), rig.starts("web")), (["up", "stopped", "stopped"], 2));
}

/// Nor does an upgrade, which looks at the same again (seed 21322).
#[test]
fn who_listens_when_finit_is_executed_anew_follows_no_definition_by_that() {
    let parts = |needed| {
        let web = service("web").listens(80).needs(needed).asserts("/there");
        [web, service("db").manual(), service("x").manual()]
    };
    let mut rig = Rig::booted_but(parts("db"), |rig| rig.look_hangs("web"));
    let run = *rig.world.looks.first().expect("somebody looks");
    rig.look_at(parts("x"));
    rig.world.looked(run, Ok(Verdict::Holds));
    let states = |rig: &mut Rig| ["web", "db", "x"].map(|name| rig.state(name));
    assert_eq!(states(&mut rig), ["listening", "up", "stopped"]);
    rig.world.anew();
    assert_eq!(states(&mut rig), ["listening", "up", "stopped"]);
    rig.world.fates.looks.clear();
    rig.connect("web", "10.0.0.1");
    assert_eq!(states(&mut rig), ["up", "stopped", "up"]);
}

#[test]
fn a_mere_look_at_a_target_brings_and_takes_nobody() {
    let parts = || [service("cups").manual(), service("new").manual(), service("other")];
    let mut rig = Rig::cold(with_targets(machine(parts()), &[("default", &["cups"])]), "default");
    rig.boot();
    let edited = || with_targets(machine(parts()), &[("default", &["new"])]);
    rig.load(edited(), Extent::Definitions);
    rig.restart("other");
    assert_eq!((rig.state("cups"), rig.state("new")), ("up", "stopped"));
    rig.world.anew();
    assert_eq!((rig.state("cups"), rig.state("new")), ("up", "stopped"));
    rig.load(edited(), Extent::Everything);
    assert_eq!((rig.state("cups"), rig.state("new")), ("stopped", "up"));
}

/// Whoever stands on it goes first, and who takes its place waits.
#[test]
fn what_is_taken_out_is_tied_to_others_until_it_is_down() {
    let mut rig =
        Rig::booted_but([service("pg").provides("sql"), service("web").needs("sql")], |rig| {
            rig.stubborn("web");
        });
    rig.apply([]);
    assert_eq!(rig.stopped(), ["web"]);
    assert_eq!(rig.state("pg"), "up");
    rig.pass(secs(20));
    assert_eq!(rig.stopped(), ["web", "pg"]);
    let parts = [service("exim").conflicts("postfix"), service("postfix").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("exim"));
    rig.apply([service("postfix")]);
    assert_eq!(rig.state("postfix"), "waiting");
    rig.pass(secs(20));
    assert_eq!(rig.state("postfix"), "up");
}

#[test]
fn what_a_look_has_read_is_followed_by_the_next_apply() {
    let edited = || [service("a").runs("/opt/a --new"), service("c")];
    let mut rig = Rig::booted([service("a"), service("b")]);
    rig.look_at(edited());
    rig.apply(edited());
    assert_eq!((rig.starts("a"), rig.state("c"), rig.label("b")), (2, "up", "unknown"));
}

#[test]
fn a_changed_dependency_takes_its_dependents_through_a_restart() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    rig.apply([service("db").runs("/opt/db"), service("web").needs("db")]);
    assert_eq!(rig.stopped(), ["web", "db"]);
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn a_new_definition_gives_a_failed_service_another_chance() {
    let parts = [service("a").restart_never()];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("a", millis(0), 1));
    assert_eq!(rig.state("a"), "failed");
    rig.mends("a");
    // Somebody else's change does not; its own does, even if a look has read it before.
    rig.apply([service("a").restart_never(), service("b")]);
    assert_eq!(rig.state("a"), "failed");
    rig.look_at([service("a"), service("b")]);
    assert_eq!(rig.state("a"), "failed");
    rig.apply([service("a"), service("b")]);
    assert_eq!(rig.state("a"), "up");
}

#[test]
fn a_changed_socket_is_bound_anew_and_an_unchanged_one_is_kept() {
    let mut rig = Rig::booted([service("a").listens(80), service("b").listens(81)]);
    let bound = rig.world.bound.clone();
    rig.apply([service("a").listens(8080), service("b").listens(81).runs("/opt/b")]);
    let a = rig.world.engine.number("a").unwrap();
    let b = rig.world.engine.number("b").unwrap();
    assert_ne!(rig.world.bound[&a].sockets, bound[&a].sockets);
    assert!(std::rc::Rc::ptr_eq(&rig.world.bound[&b], &bound[&b]));
}

#[test]
fn what_was_stopped_by_hand_stays_stopped() {
    let mut rig = Rig::booted([service("a")]);
    rig.stop("a");
    rig.apply([service("a").runs("/opt/a")]);
    assert_eq!((rig.state("a"), rig.starts("a")), ("stopped", 1));
}

#[test]
fn what_is_removed_and_added_again_while_it_stops_comes_back() {
    let mut rig = Rig::booted_but([service("a")], |rig| rig.stubborn("a"));
    rig.apply([]);
    assert_eq!(rig.state("a"), "stopping");
    rig.apply([service("a")]);
    rig.pass(secs(10));
    assert_eq!((rig.state("a"), rig.starts("a")), ("up", 2));
}

#[test]
fn an_edited_task_runs_again_and_others_do_not() {
    let parts = [task("a"), task("b")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("a", millis(0), 0);
        rig.ends("b", millis(0), 0);
    });
    rig.apply([task("a").runs("/opt/a"), task("b")]);
    assert_eq!((rig.starts("a"), rig.starts("b")), (2, 1));
}

#[test]
fn a_job_for_what_is_removed_ends() {
    let parts = [service("a").needs("db"), service("db").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.hangs_before_exec("db"));
    let job = rig.start("a");
    assert_eq!(rig.outcome(job), None);
    rig.apply([service("db").manual()]);
    assert_eq!(rig.outcome(job), Some(Outcome::Replaced));
    assert_eq!(rig.last_word(job), "not in the file any more");
}

#[test]
fn what_was_stuck_and_is_not_any_more_holds_up_those_that_come_later() {
    let late = || service("late").after("early");
    let parts =
        [late().manual(), service("broken").restart_never(), service("early").needs("broken")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("broken", millis(0), 1));
    assert_eq!(rig.state("early"), "waiting");
    rig.hangs_before_exec("early");
    rig.apply([late(), service("early")]);
    assert_eq!((rig.state("early"), rig.state("late")), ("starting", "waiting"));
}

#[test]
fn what_is_removed_and_hangs_is_forgotten_when_it_ends_and_never_runs_twice() {
    let mut rig = Rig::booted_but([service("a")], |rig| rig.hangs_in_the_kernel("a", secs(1_000)));
    rig.apply([]);
    rig.pass(secs(60));
    assert_eq!(rig.state("a"), "failed");
    // It comes back into the file: the old process is still there.
    rig.mends("a");
    rig.apply([service("a")]);
    rig.start("a");
    rig.pass(secs(60));
    assert_eq!((rig.state("a"), rig.starts("a")), ("failed", 1), "{}", rig.story());
    rig.apply([]);
    rig.pass(secs(1_000));
    assert_eq!(rig.label("a"), "unknown");
    rig.apply([service("a")]);
    assert_eq!((rig.state("a"), rig.starts("a")), ("up", 2));
}

/// As when the machine boots with that file (seed 81648).
#[test]
fn whose_provider_is_taken_out_waits_for_nobody() {
    for name in ["network", "mail"] {
        let others = || [service("web").needs(name), service("late").manual().needs(name)];
        let mut rig = Rig::booted([service("net").provides(name)].into_iter().chain(others()));
        rig.apply(others());
        rig.start("late");
        assert_eq!((rig.state("web"), rig.state("late")), ("up", "up"), "{name}");
    }
}

/// Somebody has edited the file half, and works in another target meanwhile.
#[test]
fn a_change_of_target_follows_no_mere_look() {
    let web = || service("web");
    let mut rig = Rig::booted([web(), service("db")]);
    rig.look_at([web().disabled(), service("db").runs("/sbin/other"), service("new")]);
    rig.target("rescue");
    assert_eq!((rig.state("web"), rig.state("db")), ("stopped", "stopped"));
    rig.target("default");
    assert_eq!(["web", "db", "new"].map(|name| rig.state(name)), ["up", "up", "stopped"]);
    rig.apply([web().disabled(), service("db"), service("new")]);
    assert_eq!(["web", "db", "new"].map(|name| rig.state(name)), ["stopped", "up", "up"]);
}

#[test]
fn a_mere_look_reloads_nobody_with_another() {
    let hup = |name: &str| service(name).reloads_by_signal("HUP");
    let mut rig = Rig::booted([hup("nginx"), hup("php").reload_with("nginx"), hup("fpm")]);
    rig.look_at([hup("nginx"), hup("php"), hup("fpm").reload_with("nginx")]);
    rig.reload("nginx").unwrap();
    assert_eq!((rig.signals("php").len(), rig.signals("fpm").len()), (1, 0));
}
