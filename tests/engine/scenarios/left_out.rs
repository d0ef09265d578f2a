//! What the file leaves out for a mistake is missing, is seen to be, and is not started without.

use std::collections::{BTreeMap, BTreeSet};

use finit::config::spec::{LeftOut, SystemSpec};
use finit::config::{Source, parse};
use finit::engine::{Access, Extent};
use finit::proto::{Code, Outcome, Reply, Request};

use crate::build::{Part, machine, service, with_targets};
use crate::dice::Dice;
use crate::rig::Rig;
use crate::scenarios::why::why_as;
use crate::sim::setting;

fn without(parts: impl IntoIterator<Item = Part>, name: &str) -> SystemSpec {
    let left_out = vec![LeftOut { name: name.to_owned(), mistake: "unknown key".to_owned() }];
    SystemSpec { left_out, ..machine(parts) }
}

fn booted(spec: SystemSpec) -> Rig {
    let mut rig = Rig::cold(spec, "default");
    rig.boot();
    rig
}

#[test]
fn it_is_failed_and_who_needs_it_waits_while_the_others_boot() {
    let parts = [
        service("a").needs("b"),
        service("c").wants("b"),
        service("d").after("a"),
        service("e").needs("b|c"),
    ];
    let mut rig = booted(without(parts, "b"));
    assert_eq!(rig.reason("b"), "left out: unknown key");
    assert_eq!(rig.reason("a"), "needs b, which was left out: unknown key");
    let states = ["a", "b", "c", "d", "e"].map(|name| rig.state(name));
    assert_eq!(states, ["waiting", "failed", "up", "up", "up"]);
    assert_eq!((rig.starts("a"), rig.said("boot finished")), (0, 1));
}

/// A mistake quotes the file.
#[test]
fn who_may_not_read_the_file_is_not_told_what_is_wrong_in_it() {
    let mut rig = booted(without([service("a").needs("b")], "b"));
    let names = [("b", "left out: "), ("a", "needs b, which was left out: ")];
    for (name, reason) in names {
        let request = Request::Status { name: name.to_owned() };
        let Ok(Reply::Service(report)) = rig.ask_as(Access::Look, request) else { panic!() };
        assert_eq!(report.reason, format!("{reason}a mistake in the file, which root is told"));
        let told = why_as(&mut rig, Access::Look, name);
        assert!(!told.concat().contains("unknown key"), "{told:?}");
    }
}

#[test]
fn nobody_can_start_or_clear_it() {
    let mut rig = booted(without([service("a").needs("b")], "b"));
    let names = || vec!["b".to_owned()];
    for request in [
        Request::Start { names: names() },
        Request::Restart { names: names() },
        Request::Reset { name: "b".to_owned() },
    ] {
        let refusal = rig.ask(request).unwrap_err();
        assert_eq!(refusal.code, Code::BrokenConfig);
        assert_eq!(refusal.message, "`b` was left out: unknown key");
    }
    let job = rig.start("a");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert_eq!(rig.last_word(job), "waiting: needs b, which was left out: unknown key");
    assert_eq!((rig.starts("a"), rig.state("b")), (0, "failed"));
}

#[test]
fn a_mended_file_brings_it_and_who_needs_it() {
    for extent in [Extent::Everything, Extent::Definitions] {
        let mut rig = booted(without([service("a").needs("b")], "b"));
        rig.load(machine([service("a").needs("b"), service("b")]), extent);
        assert_eq!((rig.state("a"), rig.state("b")), ("up", "up"), "{extent:?}");
    }
}

/// Somebody has edited the file, and started something.
#[test]
fn a_mere_look_gives_no_name_to_what_does_not_stand_for_it_yet() {
    let others = || [service("web").needs("sql"), service("other")];
    let parts = || others().into_iter().chain([service("db").provides("sql").runs("db 2")]);
    for follows in [false, true] {
        let mut rig = booted(without(others().into_iter().chain([service("db")]), "sql"));
        for _ in 0..2 {
            rig.load(machine(parts()), Extent::Definitions);
            assert_eq!((rig.state("db"), rig.state("web")), ("up", "waiting"));
        }
        assert_eq!((rig.starts("web"), rig.starts("db"), rig.state("sql")), (0, 1, "failed"));
        if follows {
            rig.load(machine(parts()), Extent::Everything);
        } else {
            rig.restart("db");
        }
        assert_eq!((rig.starts("db"), rig.state("web"), rig.label("sql")), (2, "up", "unknown"));
    }
    // What is to be an instance is none of a service.
    let mut rig = booted(without([service("web").needs("db@a"), service("db")], "db@a"));
    let parts = || [service("web").needs("db@a"), service("db@a").instance_of("db")];
    rig.load(machine(parts()), Extent::Definitions);
    let states = ["db", "db@a", "web"].map(|name| rig.state(name));
    assert_eq!((states, rig.starts("web")), (["up", "failed", "waiting"], 0));
    rig.load(machine(parts()), Extent::Everything);
    assert_eq!(["db", "db@a", "web"].map(|name| rig.state(name)), ["up"; 3]);
}

#[test]
fn one_that_is_gone_from_the_file_is_gone() {
    let mut rig = booted(without([service("a")], "b"));
    rig.apply([service("a")]);
    assert_eq!((rig.state("a"), rig.label("b")), ("up", "unknown"));
}

#[test]
fn a_target_that_needs_it_is_not_reached() {
    let mut spec = with_targets(without([service("a")], "b"), &[]);
    let needs = vec![vec!["b".to_owned()]];
    let (name, wants) = ("default".to_owned(), Vec::new());
    spec.targets.push(std::rc::Rc::new(finit::config::spec::TargetSpec { name, wants, needs }));
    let mut rig = booted(spec);
    assert_eq!((rig.state("a"), rig.state("default")), ("up", "waiting"));
    rig.power(finit::proto::Power::Halt).expect("it goes down all the same");
    assert_eq!(rig.finished(), Some(finit::proto::Power::Halt));
}

/// Machines whose services need each other at random, most of them in circles;
/// `FINIT_CIRCLES=10000` plays as many.
#[test]
fn of_random_circles_only_those_start_whose_needs_are_there() {
    let (count, from) = (setting("FINIT_CIRCLES"), setting("FINIT_SEED_FROM"));
    let (count, from) = (count.unwrap_or(3000), from.unwrap_or(0));
    let mut circles = 0;
    for seed in from..from + count {
        let needs = needs(&mut Dice::of(seed, "circles"));
        let text: String = needs
            .iter()
            .map(|(name, needs)| format!("[service.{name}]\ncommand = \"/x\"\nneeds = {needs:?}\n"))
            .collect();
        let spec = parse(&[Source::new("/etc/finit.toml", text)]).spec;
        let out: BTreeSet<String> = spec.left_out.iter().map(|one| one.name.clone()).collect();
        circles += u64::from(!out.is_empty());
        assert_eq!(out.is_empty(), circle_free(&needs), "seed {seed}");
        let lost = above(&needs, &out);
        let mut rig = Rig::cold(spec, "default");
        // What is asked here the end shows; the oracle would look at all after each event.
        rig.world.oracle = None;
        rig.boot();
        for name in needs.keys() {
            let expected = match (out.contains(name), lost.contains(name)) {
                (true, _) => "failed",
                (false, true) => "waiting",
                (false, false) => "up",
            };
            assert_eq!(rig.label(name), expected, "{name} of seed {seed}: {needs:?}");
            assert_eq!(rig.starts(name), usize::from(expected == "up"), "{name} of seed {seed}");
        }
    }
    assert!(circles > count / 4, "{circles} of {count} machines have circles");
}

type Needs = BTreeMap<String, Vec<String>>;

fn needs(dice: &mut Dice) -> Needs {
    let count = 2 + dice.below(8);
    let name = |number| format!("s{number}");
    let mut needs = Needs::new();
    for number in 0..count {
        let some = (0..dice.below(3)).map(|_| dice.below(count)).filter(|other| *other != number);
        let some: BTreeSet<u64> = some.collect();
        needs.insert(name(number), some.into_iter().map(name).collect());
    }
    needs
}

/// Those that need one of these, and those that need them, and so on.
fn above(needs: &Needs, those: &BTreeSet<String>) -> BTreeSet<String> {
    let mut lost = those.clone();
    loop {
        let more = needs.iter().filter(|(_, needs)| needs.iter().any(|need| lost.contains(need)));
        let more: Vec<String> = more.map(|(name, _)| name.clone()).collect();
        let before = lost.len();
        lost.extend(more);
        if lost.len() == before {
            return lost;
        }
    }
}

/// Whether all can come up one after the other.
fn circle_free(needs: &Needs) -> bool {
    let mut up: BTreeSet<&String> = BTreeSet::new();
    for _ in needs {
        up.extend(
            needs
                .iter()
                .filter(|(_, n)| n.iter().all(|need| up.contains(need)))
                .map(|(k, _)| k)
                .collect::<Vec<_>>(),
        );
    }
    up.len() == needs.len()
}
