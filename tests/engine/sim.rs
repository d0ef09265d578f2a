//! Whole lives of random machines, each from one seed: random definitions, programs that crash,
//! hang and ignore signals, clients that ask for anything, edited files, power. After every step
//! the oracle looks; at the end all faults cease and everything has to come to rest.
//!
//! A failing seed prints the line that plays it again, and what is left of its decisions and
//! services after all those that do not matter are taken away.

use std::time::Duration;

use finit::engine::{Access, Cause, Ended, Event, Extent, Group, Notice, Verdict};
use finit::facts::{Exit, Moment, SignalNumber};
use finit::proto::{Power, Request};

use crate::blueprint::{Blueprint, Draft, name};
use crate::build::millis;
use crate::chance::Chance;
use crate::dice::Dice;
use crate::oracle::{self, Oracle};
use crate::world::World;

/// Lives played without another word.
const SEEDS: u64 = 10_000;
/// Tests that share them, so that all processors have something to do.
const SHARES: u64 = 4;
/// Events in which a machine without faults has to come to rest.
const PATIENCE: usize = 20_000;

/// Where connections come from.
const SOURCES: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

/// What services say.
const WORDS: [&str; 9] = [
    "READY=1",
    "RELOADING=1",
    "STOPPING=1",
    "STATUS=busy",
    "WATCHDOG=1",
    "WATCHDOG=trigger",
    "WATCHDOG_USEC=2000000",
    "EXTEND_TIMEOUT_USEC=5000000",
    "nonsense",
];

/// Something that the world does to the engine.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    Ask(Access, Request),
    /// Somebody edits the file, and it is read.
    Edit(u64, Extent),
    /// The file is read again as it is.
    Reread,
    Connect(u64, &'static str),
    /// A process is killed from outside.
    Kill(u64),
    /// A service says something.
    Tell(u64, &'static str),
    Power(Power),
    /// Something is told that is long over.
    Stale(u64),
    /// The clock rings for nothing.
    Ring,
    /// Somebody sets the clock on the wall, forward or back.
    SetClock(u64),
    /// finit executes itself.
    Anew,
}

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
}

impl Life {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "life");
        let blueprint = Blueprint::of(seed);
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
        let fates = Chance { seed: self.seed, dice: Dice::of(self.seed, "fates"), calm: false };
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

fn fail(world: &mut World<Chance>, what: &str) {
    if let Some(oracle) = &mut world.oracle {
        oracle.fault = Some(what.to_owned());
    }
}

fn come_to_rest(world: &mut World<Chance>) {
    if world.fault().is_some() {
        return;
    }
    world.fates.calm = true;
    world.calm();
    let end = world.now.after(Oracle::LONG);
    if !world.run_until(end, PATIENCE) {
        fail(world, "it never comes to rest");
    }
    let World { oracle, engine, .. } = world;
    if let Some(oracle) = oracle.as_mut().filter(|oracle| oracle.fault.is_none()) {
        oracle.at_rest(engine);
        oracle.at_the_end();
    }
}

/// A name that may be anybody's, or nobody's.
fn somebody(dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => "nobody".to_owned(),
        1 => "tty".to_owned(),
        2 => "default".to_owned(),
        3 => dice.pick(&["fsck", "sysinit", "network"]).to_string(),
        _ => name(Draft { number: dice.below(16), seed: 0, edition: 0 }),
    }
}

fn names(dice: &mut Dice) -> Vec<String> {
    (0..dice.below(3).max(1)).map(|_| somebody(dice)).collect()
}

fn act(dice: &mut Dice) -> Act {
    let access = if dice.percent(90) { Access::Everything } else { Access::Look };
    match dice.below(100) {
        0..=13 => Act::Ask(access, Request::Start { names: names(dice) }),
        14..=27 => Act::Ask(access, Request::Stop { names: names(dice) }),
        28..=38 => Act::Ask(access, Request::Restart { names: names(dice) }),
        39..=44 => Act::Ask(access, Request::Reload { names: names(dice) }),
        45..=47 => Act::Ask(access, Request::Reset { name: somebody(dice) }),
        48..=49 => {
            let signal = dice.pick(&["TERM", "HUP", "KILL", "nonsense"]).to_string();
            Act::Ask(access, Request::Signal { name: somebody(dice), signal })
        }
        50..=51 => Act::Ask(access, Request::Status { name: somebody(dice) }),
        52..=53 => Act::Ask(access, Request::List),
        54..=56 => {
            let name = dice.pick(&["default", "other", "rescue", "s1", "nowhere"]).to_string();
            Act::Ask(access, Request::Target { name })
        }
        57..=62 => Act::Edit(dice.throw(), Extent::Everything),
        63..=66 => Act::Edit(dice.throw(), Extent::Definitions),
        67..=69 => Act::Reread,
        70..=80 => Act::Connect(dice.below(16), SOURCES[usize::from(dice.percent(50))]),
        81..=89 => Act::Kill(dice.throw()),
        90..=92 => Act::Stale(dice.throw()),
        93..=95 => Act::Tell(dice.below(16), WORDS[usize::try_from(dice.below(9)).unwrap()]),
        97 if dice.percent(10) => {
            let (how, seconds) = (Power::Reboot, dice.below(400));
            let message = String::new();
            let request = Request::SchedulePower { how, seconds, message, quiet: false };
            Act::Ask(access, request)
        }
        98 if dice.percent(20) => {
            let message = String::new();
            Act::Ask(access, Request::CancelPower { message, quiet: true })
        }
        96 if dice.percent(10) => Act::Ask(Access::Power, Request::Power { how: Power::Halt }),
        99 => Act::Anew,
        98 => Act::SetClock(dice.below(10_000_000)),
        _ => Act::Ring,
    }
}

fn do_it(world: &mut World<Chance>, blueprint: &mut Blueprint, act: &Act) {
    match act {
        Act::Ask(access, request) => drop(world.ask(*access, request.clone())),
        Act::Edit(seed, extent) => {
            *blueprint = blueprint.edited(*seed);
            world.load(blueprint.spec(), *extent);
        }
        Act::Reread => reread(world, blueprint),
        Act::Connect(number, source) => {
            let name = name(Draft { number: *number, seed: 0, edition: 0 });
            world.connect(&name, Some(source));
        }
        Act::Tell(number, words) => {
            let name = name(Draft { number: *number, seed: 0, edition: 0 });
            if let Some(run) = world.main_run(&name) {
                world.tells(run.node, Notice::parse(words.as_bytes()));
            }
        }
        Act::Kill(pick) => {
            let living = world.living(|_| true);
            if !living.is_empty() {
                let run = living[usize::try_from(pick % living.len() as u64).unwrap()];
                let exit = Exit::Signal { number: SignalNumber::KILL, core: false };
                world.end(run, Ended::Exit(exit));
            }
        }
        Act::Power(how) => {
            world.turn(Event::PowerAsked { how: *how, cause: Cause::Signal("SIGINT".into()) });
        }
        Act::Stale(pick) => stale(world, *pick),
        Act::Anew => world.anew(),
        Act::SetClock(epoch) => {
            world.epoch = Moment(*epoch);
            world.turn(Event::ClockSet);
        }
        Act::Ring => nothing_follows(world, |_| Event::Elapsed),
    }
}

/// A file that is what it was changes nothing, once it is followed.
fn reread(world: &mut World<Chance>, blueprint: &Blueprint) {
    world.load(blueprint.spec(), Extent::Everything);
    let before = oracle::living(&world.engine);
    let count = world.diary.count;
    world.load(blueprint.spec(), Extent::Everything);
    // The event, the word at the console and the reply.
    if world.diary.count > count + 3 || before != oracle::living(&world.engine) {
        fail(world, "a file that did not change changes something");
    }
}

fn stale(world: &mut World<Chance>, pick: u64) {
    let over = world.over();
    if over.is_empty() {
        return;
    }
    let run = over[usize::try_from(pick % over.len() as u64).unwrap()];
    nothing_follows(world, |_| match pick % 6 {
        0 => Event::Executed { run },
        1 => {
            let ended = Ended::Exit(Exit::Code(3));
            Event::Exited { run, ended, group: Group::Inhabited }
        }
        2 => Event::StepEnded { run, result: Ok(None) },
        3 => Event::Checked { run, result: Ok(Verdict::Skips("long ago".to_owned())) },
        4 => Event::Arrived { run },
        _ => Event::Stirred { node: run.node },
    });
}

/// An event that must not change anything, unless somebody's time has just come.
fn nothing_follows(world: &mut World<Chance>, event: impl FnOnce(&World<Chance>) -> Event) {
    let event = event(world);
    let due = world.engine.next_deadline().is_some_and(|deadline| deadline <= world.now);
    let knock = matches!(event, Event::Stirred { node } if world.engine.is_watched(node));
    let (before, count) = (oracle::all(&world.engine), world.diary.count);
    world.turn(event);
    let changed = world.diary.count > count + 1 || before != oracle::all(&world.engine);
    if changed && !due && !knock {
        fail(world, "news of what is long over changes something");
    }
}

/// Plays one seed twice: it has to be right, and the same.
fn check(seed: u64) -> u64 {
    let life = Life::of(seed);
    let first = life.play(true, false);
    if let Some(fault) = first.fault {
        let small = life.shrunk(&fault);
        let told = small.play(true, true);
        for one in small.blueprint.spec().services {
            println!("{} {:?} start {:?} in {:?}", one.name, one.kind, one.start, one.targets);
            println!("    {:?}", one.dependencies);
            println!("    {:?} {:?} remain {}", one.restart, one.start_timeout, one.remain);
            println!("    {:?}", one.stop);
        }
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
    let second = life.play(false, false);
    assert_eq!(first.hash, second.hash, "seed {seed} plays twice in two ways");
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
        events as f64 * 2.0 / took
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
