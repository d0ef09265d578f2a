//! Whole lives of random machines, each from one seed: random definitions, programs that crash,
//! hang and ignore signals, clients that ask for anything, edited files, power. After every step
//! the oracle looks; at the end all faults cease and everything has to come to rest.
//!
//! A failing seed prints the line that plays it again, and what is left of its decisions and
//! services after all those that do not matter are taken away; a panic of the engine is a fault
//! like any other, and so is a life that is another one when it is played again.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::ServiceSpec;
use finit::engine::{Event, What};
use finit::facts::Moment;
use finit::proto::Power;

use crate::accident::{self, kind};
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
/// What chance or the order of a hash map decides.
const TWICE: &str = "it plays twice in two ways";

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
    /// A fault that is none of the engine, for tests of what is done about faults: looked for after
    /// each decision.
    planted: Option<fn(&mut World<Chance>)>,
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
        Self { seed, blueprint, decisions, planted: None }
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
        let played = accident::caught(|| {
            self.run(&mut world);
            world.engine.services().into_iter().map(|(_, spec)| spec).collect()
        });
        let (services, panic) = match played {
            Ok(services) => (services, None),
            Err(panic) => (Vec::new(), Some(panic)),
        };
        Outcome {
            fault: panic.or_else(|| world.fault().map(str::to_owned)),
            hash: world.diary.hash,
            count: world.diary.count,
            lines: world.diary.lines.take().unwrap_or_default(),
            services,
        }
    }

    fn run(&self, world: &mut World<Chance>) {
        let mut blueprint = self.blueprint.clone();
        world.turn(Event::Began);
        for decision in &self.decisions {
            let until = world.now.after(decision.after);
            let rests = world.run_until(until, PATIENCE);
            if !rests && world.fault().is_none() {
                fail(world, "events without end");
            }
            if world.fault().is_some() {
                break;
            }
            do_it(world, &mut blueprint, &decision.act);
            if let Some(planted) = self.planted {
                planted(world);
            }
        }
        come_to_rest(world);
    }

    /// What is wrong with it; it costs a second life to know whether it is the same `twice`.
    fn fault(&self, twice: bool) -> Result<u64, String> {
        let first = self.play(true, false);
        match first.fault {
            Some(fault) => return Err(fault),
            None if !twice => return Ok(first.count),
            None => {}
        }
        let second = self.play(false, false);
        match second.fault {
            Some(fault) => Err(fault),
            None if first.hash != second.hash => Err(TWICE.to_owned()),
            None => Ok(first.count),
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
            let fault = less.fault(sought == TWICE);
            if fault.is_err_and(|found| kind(&found) == kind(sought)) {
                life = less;
            } else {
                at += size;
            }
        }
        life
    }
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

fn describe(when: &str, services: Vec<Rc<ServiceSpec>>) -> String {
    let mut told = format!("{when}:\n");
    for one in services {
        told.push_str(&format!(
            "{} {:?} start {:?} in {:?}\n    {:?}\n    {:?} {:?} remain {}\n    {:?}\n",
            one.name,
            one.kind,
            one.start,
            one.targets,
            one.dependencies,
            one.restart,
            one.start_timeout,
            one.remain,
            one.stop
        ));
    }
    told
}

/// How many events and effects a life has that is right, and the same when it is played again; of
/// one that is not, all that a person needs who is to find out why.
fn judge(life: Life, twice: bool) -> Result<u64, String> {
    let fault = match life.fault(twice) {
        Ok(count) => return Ok(count),
        Err(fault) => fault,
    };
    let seed = life.seed;
    let small = life.shrunk(&fault);
    let told = small.play(true, true);
    let mut story = vec![
        describe("at first", small.blueprint.spec().services),
        describe("at last", told.services),
    ];
    if fault == TWICE {
        let again = small.play(false, true).lines;
        let same = told.lines.iter().zip(&again).take_while(|(one, other)| one == other).count();
        story.push(format!("the first line that differs: {:?}", again.get(same)));
        story.push(told.lines.get(..=same).unwrap_or(&told.lines).join("\n"));
    } else {
        story.push(told.lines.join("\n"));
    }
    let now = told.fault.unwrap_or_default();
    Err(format!(
        "{}\nseed {seed}: {fault}\nshrunk to {} decisions, {} services: {now}\n{:#?}\n\
         again: FINIT_SEED={seed} cargo test --test engine lives",
        story.join("\n"),
        small.decisions.len(),
        small.blueprint.drafts.len(),
        small.decisions,
    ))
}

/// Plays one seed.
fn check(seed: u64) -> u64 {
    // What differs shows in few lives; each costs a second one.
    let twice = (seed / SHARES).is_multiple_of(4) || setting("FINIT_SEED").is_some();
    judge(Life::of(seed), twice).unwrap_or_else(|story| panic!("{story}"))
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

/// Plants a fault in the first life that shows it in the midst of much else, and judges it.
fn planted(fault: fn(&mut World<Chance>)) -> String {
    let shows = |seed| {
        let life = Life { planted: Some(fault), ..Life::of(seed) };
        let large = life.decisions.len() > 30 && life.blueprint.drafts.len() > 8;
        (large && life.fault(false).is_err()).then_some(life)
    };
    let life = (0..1_000).find_map(shows).expect("one that shows it");
    let line = format!("again: FINIT_SEED={} cargo test --test engine lives", life.seed);
    let story = judge(life, false).unwrap_err();
    assert!(story.ends_with(&line), "{story}");
    story
}

/// How much is left of a life: decisions and services.
fn left(story: &str) -> [usize; 2] {
    let line = story.lines().find_map(|line| line.strip_prefix("shrunk to ")).expect("a size");
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    [numbers.next().unwrap(), numbers.next().unwrap()]
}

fn starts(world: &World<Chance>, name: &str) -> usize {
    let main = |(who, _, what): &&(String, String, What)| who == name && *what == What::Main;
    world.started.iter().filter(main).count()
}

#[test]
fn a_fault_is_shrunk_to_the_little_that_it_takes() {
    let story = planted(|world| {
        if starts(world, "s3") > 1 {
            fail(world, "planted: s3 was started twice");
        }
    });
    let [decisions, services] = left(&story);
    assert!((1..=3).contains(&decisions) && (1..=2).contains(&services), "{story}");
    assert!(story.contains("services: planted: s3 was started twice"), "{story}");
    assert!(story.contains("spawn"), "a transcript: {story}");
}

#[test]
fn a_panic_is_a_fault_like_any_other() {
    let story = planted(|world| assert!(starts(world, "s3") < 2, "planted"));
    let [decisions, services] = left(&story);
    assert!((1..=3).contains(&decisions) && (1..=2).contains(&services), "{story}");
    assert!(story.contains("panicked at tests/engine/sim.rs:"), "{story}");
    assert!(story.contains("spawn"), "a transcript: {story}");
}

#[test]
fn a_life_that_is_another_one_the_second_time_is_shrunk_too() {
    // Who plays it is seen by the oracle alone, which the second time has not.
    let life = Life {
        planted: Some(|world| {
            if world.oracle.is_none() && starts(world, "s3") > 1 {
                world.turn(Event::Elapsed);
            }
        }),
        ..Life::of(0)
    };
    let lives = (0..1_000).map(|seed| Life { planted: life.planted, ..Life::of(seed) });
    let mut lives = lives.filter(|life| life.decisions.len() > 30);
    let story = lives.find_map(|life| judge(life, true).err()).expect("one that shows it");
    assert!(story.contains("services: \n") && story.contains(TWICE), "{story}");
    assert!(story.contains("the first line that differs: Some("), "{story}");
    let [decisions, services] = left(&story);
    assert!((1..=3).contains(&decisions) && (1..=2).contains(&services), "{story}");
}
