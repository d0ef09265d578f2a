//! Whole lives of random machines, each from one seed: random definitions, programs that crash,
//! hang and ignore signals, clients that ask for anything, edited files, power. After every step
//! the oracle looks; at the end all faults cease and everything has to come to rest.
//!
//! A failing seed prints the line that plays it again, and what is left of its decisions and
//! services after all those that do not matter are taken away.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::ServiceSpec;
use finit::engine::Event;
use finit::facts::Moment;
use finit::proto::Power;

use crate::acts::{Act, act, do_it, fail};
use crate::blueprint::Blueprint;
use crate::build::millis;
use crate::chance::Chance;
use crate::dice::Dice;
use crate::oracle::Oracle;
use crate::storms;
use crate::world::World;

/// Lives played without another word.
const SEEDS: u64 = 10_000;
/// Of those beyond, the ones that went wrong once and are no scenario of their own.
const FOUND: [u64; 3] = [21_322, 31_974, 41_164];
/// Tests that share them, so that all processors have something to do.
const SHARES: u64 = 4;
/// In one of so many lives there is a storm.
const STORMY: u64 = 400;
/// Events in which a machine without faults has to come to rest.
const PATIENCE: usize = 20_000;

/// What happens, and how long after the one before.
#[derive(Debug, Clone, PartialEq)]
struct Decision {
    after: Duration,
    act: Act,
}

/// Everything that makes a life.
#[derive(Debug, Clone)]
struct Life {
    seed: u64,
    blueprint: Blueprint,
    decisions: Vec<Decision>,
}

/// What came of it.
struct Outcome {
    fault: Option<String>,
    hash: u64,
    count: u64,
    lines: Vec<String>,
    /// The definitions at the end.
    services: Vec<Rc<ServiceSpec>>,
}

impl Life {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "life");
        let stormy = seed % STORMY == STORMY - 1;
        let blueprint = if stormy { storms::blueprint(seed) } else { Blueprint::of(seed) };
        let count = 5 + dice.below(60);
        let mut decisions = Vec::new();
        for _ in 0..count {
            let after = millis(*dice.pick(&[0, 0, 0, 1, 10, 100, 500, 2_000, 15_000]));
            decisions.push(Decision { after, act: act(&mut dice) });
        }
        if dice.percent(50) {
            decisions.push(Decision { after: millis(5), act: Act::Power(Power::Reboot) });
            for _ in 0..dice.below(8) {
                decisions.push(Decision { after: millis(50), act: act(&mut dice) });
            }
        }
        Self { seed, blueprint, decisions }
    }

    /// Plays it; `watched` with the oracle, `told` with a diary of all lines.
    fn play(&self, watched: bool, told: bool) -> Outcome {
        let dice = Dice::of(self.seed, "fates");
        let storm = if self.blueprint.stormy { storms::END } else { Moment(0) };
        let fates = Chance { seed: self.seed, dice, calm: false, storm, steps: BTreeSet::new() };
        let mut world = World::new(self.blueprint.spec(), "default", self.seed, fates);
        if !watched {
            world.oracle = None;
        }
        world.diary.lines = told.then(Vec::new);
        let mut blueprint = self.blueprint.clone();
        world.turn(Event::Began);
        for decision in &self.decisions {
            let until = world.now.after(decision.after);
            let rests = world.run_until(until, PATIENCE);
            if !rests && world.fault().is_none() {
                fail(&mut world, "events without end");
            }
            if world.fault().is_some() {
                break;
            }
            do_it(&mut world, &mut blueprint, &decision.act);
        }
        come_to_rest(&mut world);
        Outcome {
            fault: world.fault().map(str::to_owned),
            hash: world.diary.hash,
            count: world.diary.count,
            lines: world.diary.lines.take().unwrap_or_default(),
            services: world.engine.services().into_iter().map(|(_, spec)| spec).collect(),
        }
    }

    /// Takes away what does not matter for the fault, as long as anything can go.
    fn shrunk(mut self, fault: &str) -> Self {
        let mut size = self.decisions.len().max(self.blueprint.drafts.len());
        while size > 0 {
            let before = self.decisions.len() + self.blueprint.drafts.len();
            self = self.without(fault, size, |life| &mut life.decisions);
            self = self.without(fault, size, |life| &mut life.blueprint.drafts);
            let after = self.decisions.len() + self.blueprint.drafts.len();
            if after == before {
                size /= 2;
            }
        }
        self
    }

    /// Without any run of so many of that list that can go.
    fn without<T: Clone>(
        self,
        sought: &str,
        size: usize,
        list: impl Fn(&mut Self) -> &mut Vec<T>,
    ) -> Self {
        let mut life = self;
        let mut at = 0;
        while at < list(&mut life).len() {
            let mut less = life.clone();
            let items = list(&mut less);
            let end = (at + size).min(items.len());
            items.drain(at..end);
            let fault = less.play(true, false).fault;
            if fault.is_some_and(|found| kind(&found) == kind(sought)) {
                life = less;
            } else {
                at += size;
            }
        }
        life
    }
}

/// A fault without the names and numbers in it, so that shrinking does not end at another one.
fn kind(fault: &str) -> Vec<&str> {
    fault.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect()
}

fn come_to_rest(world: &mut World<Chance>) {
    if world.fault().is_some() {
        return;
    }
    world.fates.calm = true;
    world.calm();
    world.thaw_all();
    world.reloads_at_rest(PATIENCE);
    let end = world.now.after(Oracle::LONG);
    if !world.run_until(end, PATIENCE) {
        fail(world, "it never comes to rest");
    }
    world.trial_at_rest();
    world.sights_at_rest();
    let World { oracle, engine, .. } = world;
    if let Some(oracle) = oracle.as_mut().filter(|oracle| oracle.fault.is_none()) {
        oracle.at_rest(engine);
        oracle.at_the_end();
    }
}

fn describe(when: &str, services: Vec<Rc<ServiceSpec>>) {
    println!("{when}:");
    for one in services {
        println!("{} {:?} start {:?} in {:?}", one.name, one.kind, one.start, one.targets);
        println!("    {:?}", one.dependencies);
        println!("    {:?} {:?} remain {}", one.restart, one.start_timeout, one.remain);
        println!("    {:?}", one.stop);
    }
}

/// Plays one seed: it has to be right, and the same when it is played again.
fn check(seed: u64) -> u64 {
    let life = Life::of(seed);
    let first = life.play(true, false);
    if let Some(fault) = first.fault {
        let small = life.shrunk(&fault);
        let told = small.play(true, true);
        describe("at first", small.blueprint.spec().services);
        describe("at last", told.services);
        println!("{}", told.lines.join("\n"));
        let now = told.fault.unwrap_or_default();
        panic!(
            "seed {seed}: {fault}\nshrunk to {} decisions, {} services: {now}\n{:#?}\n\
             again: FINIT_SEED={seed} cargo test --test engine lives",
            small.decisions.len(),
            small.blueprint.drafts.len(),
            small.decisions,
        );
    }
    // What chance or the order of a hash map decides shows in few lives; each costs a second one.
    if (seed / SHARES).is_multiple_of(4) || setting("FINIT_SEED").is_some() {
        let second = life.play(false, false);
        assert_eq!(first.hash, second.hash, "seed {seed} plays twice in two ways");
    }
    first.count
}

/// A number that the environment says.
pub fn setting(name: &str) -> Option<u64> {
    std::env::vars().find(|(key, _)| key == name)?.1.parse().ok()
}

/// Plays one share of the lives.
fn lives(share: u64) {
    if let Some(seed) = setting("FINIT_SEED") {
        if share == seed % SHARES {
            println!("{}", Life::of(seed).play(true, true).lines.join("\n"));
            check(seed);
        }
        return;
    }
    let seeds = setting("FINIT_SEEDS").unwrap_or(SEEDS);
    let first = setting("FINIT_SEED_FROM").unwrap_or(0);
    let mine = (first..first + seeds).filter(|seed| seed % SHARES == share);
    let began = std::time::Instant::now();
    let (count, events) = mine.fold((0, 0), |(n, events), seed| (n + 1, events + check(seed)));
    let took = began.elapsed().as_secs_f64();
    println!(
        "{count} lives, {events} events and effects, {:.0} lives/s, {:.0} events/s",
        f64::from(count) / took,
        events as f64 / took
    );
}

#[test]
fn lives_of_random_machines_go_right_and_the_same_twice() {
    lives(0);
}

#[test]
fn lives_of_a_second_share() {
    lives(1);
}

#[test]
fn lives_of_a_third_share() {
    lives(2);
}

#[test]
fn lives_of_a_fourth_share() {
    lives(3);
}

#[test]
fn lives_that_went_wrong_once() {
    for seed in FOUND {
        check(seed);
    }
}
