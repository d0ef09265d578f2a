//! What the world does to the engine in a random life.

use std::time::Duration;

use finit::config::spec::{Ready, STEPS, Sight, Trigger};
use finit::engine::{
    Access, Cause, Ended, Event, Extent, Group, NodeId, Notice, Peek, RunId, Verdict, What,
};
use finit::facts::{Exit, Moment, SignalNumber};
use finit::proto::{Code, Power, Refusal, Request};

use crate::blueprint::{Blueprint, Draft, name};
use crate::build::secs;
use crate::chance::Chance;
use crate::dice::Dice;
use crate::edits::goes;
use crate::oracle;
use crate::world::World;

/// Where connections come from.
const SOURCES: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

/// What services say.
const WORDS: [&str; 10] = [
    "READY=1",
    "RELOADING=1",
    "STOPPING=1",
    "STATUS=busy",
    "WATCHDOG=1",
    "WATCHDOG=trigger",
    "WATCHDOG_USEC=2000000",
    "EXTEND_TIMEOUT_USEC=5000000",
    "MAINPID=77",
    "nonsense",
];

/// Something that the world does to the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Ask(Access, Request),
    /// Somebody edits the file, and it is read.
    Edit(u64, Extent),
    /// The same, on trial for so many seconds.
    TryOut(u64, u64),
    /// The file is read again as it is.
    Reread,
    /// Somebody edits what no process sees of it, and it is followed.
    Retouch(u64),
    Connect(u64, &'static str),
    /// A process is killed from outside.
    Kill(u64),
    /// The main process of somebody ends, and nobody is told how.
    Vanish(u64),
    /// Whoever watches paths for a service sees something: that it is there, or a change.
    See(u64, bool, u64),
    /// Whoever watches for a service is killed.
    Blind(u64),
    /// One of those that run asks, and waits.
    Plead(u64, Request),
    /// A service says something.
    Tell(u64, &'static str),
    /// Somebody has one that tells of itself read its configuration again.
    Reload(u64),
    /// Somebody has a step of the boot that has failed tried again.
    Mend(u64),
    /// Somebody sends a signal to one that runs, and it ends: by that, or by itself.
    ByHand(u64, &'static str),
    Power(Power),
    /// Something is told that is long over.
    Stale(u64),
    /// The clock rings for nothing.
    Ring,
    /// Somebody sets the clock on the wall, forward or back.
    SetClock(u64),
    /// Somebody sets it forward by a year.
    NextYear,
    /// Somebody sets it to 1970 by mistake, and right again.
    Mistake,
    /// finit executes itself.
    Anew,
    /// A bug has finit execute itself, in the middle of a boot or a shutdown too, before it does
    /// what it has just ordered.
    Bug,
}

pub fn fail(world: &mut World<Chance>, what: &str) {
    world.complain(what.to_owned());
}

/// A name that may be anybody's, or nobody's, or a pattern.
fn somebody(dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => "nobody".to_owned(),
        1 => "tty".to_owned(),
        2 => "default".to_owned(),
        3 => dice.pick(&["fsck", "sysinit", "network"]).to_string(),
        4 => dice.pick(&["*", "s?", "s1*", "tty@*", "[!s]*", "s[2-4]", "x*"]).to_string(),
        _ => name(Draft { number: dice.below(16), seed: 0, edition: 0 }),
    }
}

fn names(dice: &mut Dice) -> Vec<String> {
    (0..dice.below(3).max(1)).map(|_| somebody(dice)).collect()
}

pub fn act(dice: &mut Dice) -> Act {
    let access = if dice.percent(90) { Access::Everything } else { Access::Look };
    match dice.below(142) {
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
        67 => Act::Reread,
        68 => Act::Retouch(dice.throw()),
        69 => Act::TryOut(dice.throw(), *dice.pick(&[1, 20, 400])),
        70..=80 => Act::Connect(dice.below(16), SOURCES[usize::from(dice.percent(50))]),
        81..=89 => Act::Kill(dice.throw()),
        90..=92 => Act::Stale(dice.throw()),
        95 if dice.percent(60) => Act::Ask(access, Request::Confirm),
        93..=95 => Act::Tell(dice.below(16), WORDS[usize::try_from(dice.below(10)).unwrap()]),
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
        99 if dice.percent(50) => Act::Anew,
        99 => Act::Bug,
        98 => match dice.below(4) {
            0 => Act::NextYear,
            1 => Act::Mistake,
            _ => Act::SetClock(dice.below(10_000_000)),
        },
        100..=102 => Act::Ask(access, Request::Hold { name: somebody(dice) }),
        103..=105 => Act::Ask(access, Request::Unhold { name: somebody(dice) }),
        118..=123 => Act::Ask(access, Request::StopGently { names: names(dice) }),
        124..=128 => Act::Ask(access, Request::Freeze { names: names(dice) }),
        129..=131 => Act::Ask(access, Request::Thaw { names: names(dice) }),
        132..=134 => Act::Reload(dice.throw()),
        135..=137 => {
            Act::ByHand(dice.throw(), dice.pick::<&str>(&["TERM", "KILL", "USR1", "SEGV"]))
        }
        140..=141 => Act::Mend(dice.throw()),
        138..=139 => {
            let name = dice.percent(50).then(|| somebody(dice));
            Act::Ask(access, Request::Graph { name })
        }
        106..=110 => Act::See(dice.below(16), dice.percent(30), dice.below(3)),
        111 => Act::Blind(dice.below(16)),
        112..=113 => Act::Vanish(dice.throw()),
        114..=117 => {
            let names = names(dice);
            let request = match dice.below(4) {
                0 => Request::Start { names },
                1 if dice.percent(30) => Request::StopGently { names },
                1 => Request::Stop { names },
                2 => Request::Restart { names },
                _ => Request::Reload { names },
            };
            Act::Plead(dice.throw(), request)
        }
        _ => Act::Ring,
    }
}

pub fn do_it(world: &mut World<Chance>, blueprint: &mut Blueprint, act: &Act) {
    match act {
        Act::Ask(access, request) => drop(world.ask(*access, request.clone())),
        // No file is read while one is on trial.
        Act::Edit(..) | Act::TryOut(..) | Act::Reread | Act::Retouch(_)
            if world.before.is_some() => {}
        Act::Edit(seed, extent) => {
            *blueprint = blueprint.edited(*seed);
            world.load(blueprint.spec(), *extent);
        }
        Act::TryOut(seed, seconds) => {
            *blueprint = blueprint.edited(*seed);
            world.try_out(blueprint.spec(), secs(*seconds));
        }
        Act::Reread => reread(world, blueprint),
        Act::Retouch(seed) => retouch(world, blueprint, *seed),
        Act::Connect(number, source) => {
            let name = name(Draft { number: *number, seed: 0, edition: 0 });
            // To some come several at a time, more than one source may have.
            for _ in 0..=number % 4 {
                world.connect(&name, Some(source));
            }
        }
        Act::Tell(number, words) => {
            let name = name(Draft { number: *number, seed: 0, edition: 0 });
            if let Some(run) = world.main_run(&name) {
                world.tells(run.node, Notice::parse(words.as_bytes()));
            }
        }
        Act::Kill(pick) => {
            if let Some(run) = one_of(&world.living(|_| true), *pick) {
                let exit = Exit::Signal { number: SignalNumber::KILL, core: false };
                world.end(run, Ended::Exit(exit));
            }
        }
        Act::Vanish(pick) => {
            if let Some(run) = one_of(&world.living(|what| *what == What::Main), *pick) {
                world.end(run, Ended::Unseen);
            }
        }
        Act::Reload(pick) => reload(world, *pick),
        Act::Mend(pick) => mend(world, *pick),
        Act::ByHand(pick, signal) => by_hand(world, *pick, signal),
        Act::See(number, level, mark) => {
            if let Some(run) = watcher(world, *number) {
                world.sights(run, *level, *mark);
            }
        }
        Act::Blind(number) => {
            if let Some(run) = watcher(world, *number) {
                world.blind(run);
            }
        }
        Act::Plead(pick, request) => plead(world, *pick, request),
        Act::Power(how) => {
            world.turn(Event::PowerAsked { how: *how, cause: Cause::Signal("SIGINT".into()) });
        }
        Act::Stale(pick) => stale(world, *pick),
        Act::Anew => world.anew(),
        Act::Bug => {
            world.anew_after_a_bug(Request::Restart { names: vec!["s?".to_owned()] });
        }
        Act::SetClock(epoch) => {
            world.epoch = Moment(*epoch);
            clock_set(world);
        }
        Act::NextYear => {
            world.ahead += secs(365 * 24 * 3600);
            clock_set(world);
        }
        Act::Mistake => {
            let right = (world.epoch, world.ahead);
            for (epoch, ahead) in [(world.now, Duration::ZERO), right] {
                (world.epoch, world.ahead) = (epoch, ahead);
                clock_set(world);
            }
        }
        Act::Ring => nothing_follows(world, |_| Event::Elapsed),
    }
}

/// The clock on the wall was set: whatever follows it is asked for anew, once the boot has set it.
fn clock_set(world: &mut World<Chance>) {
    let over = |step: &str| {
        let label = world.engine.number(step).map(|id| oracle::peek(&world.engine, id).label);
        ["done", "failed"].contains(&label.unwrap_or_default())
    };
    let is_right = over("clock") && over("mount-local");
    let timed = |id: &NodeId| world.engine.schedule_of(*id).is_some_and(|s| !s.at.is_empty());
    let ids = world.engine.services().into_iter().map(|(id, _)| id);
    let timed = ids.filter(timed).count();
    let before = world.asked.len();
    world.turn(Event::ClockSet);
    if is_right && world.asked.len() < before + timed {
        fail(world, "the clock is set, and not every time is asked for");
    }
}

/// One of these, if there are any.
fn one_of(runs: &[RunId], pick: u64) -> Option<RunId> {
    let at = pick.checked_rem(runs.len() as u64)?;
    runs.get(usize::try_from(at).unwrap()).copied()
}

/// Somebody asks one that tells of itself for a reload.
fn reload(world: &mut World<Chance>, pick: u64) {
    let tells = world.runs.iter().filter(|(_, p)| p.what == What::Main && p.ready == Ready::Notify);
    let runs: Vec<RunId> = tells.map(|(run, _)| *run).collect();
    if let Some(run) = one_of(&runs, pick) {
        let names = vec![world.engine.name(run.node).to_owned()];
        world.ask(Access::Everything, Request::Reload { names });
    }
}

/// Somebody has mended what a step of the boot failed for.
fn mend(world: &mut World<Chance>, pick: u64) {
    let failed = |step: &&&str| {
        let id = world.engine.number(step);
        id.is_some_and(|id| oracle::peek(&world.engine, id).label == "failed")
    };
    let steps: Vec<&&str> = STEPS.iter().filter(failed).collect();
    if let Some(at) = pick.checked_rem(steps.len() as u64) {
        let names = vec![steps[usize::try_from(at).unwrap()].to_string()];
        world.ask(Access::Everything, Request::Start { names });
    }
}

/// Somebody sends a signal, and the next moment the process ends: by that in most cases.
fn by_hand(world: &mut World<Chance>, pick: u64, signal: &str) {
    let Some(run) = one_of(&world.living(|what| *what == What::Main), pick) else { return };
    let name = world.engine.name(run.node).to_owned();
    let request = Request::Signal { name, signal: signal.to_owned() };
    world.ask(Access::Everything, request);
    let number = SignalNumber::parse(signal).unwrap();
    let exit = match pick % 4 {
        0 => Exit::Code(1),
        1 => Exit::Signal { number: SignalNumber::INT, core: false },
        _ => Exit::Signal { number, core: false },
    };
    world.end(run, Ended::Exit(exit));
}

/// Who watches paths for the service of that number.
fn watcher(world: &World<Chance>, number: u64) -> Option<RunId> {
    let node = world.engine.number(&name(Draft { number, seed: 0, edition: 0 }))?;
    world.watchers.keys().copied().find(|run| run.node == node)
}

/// A client in one of the programs asks; a refusal because it would wait for itself changes nothing.
fn plead(world: &mut World<Chance>, pick: u64, request: &Request) {
    let run = one_of(&world.living(|_| true), pick);
    let before = oracle::all(&world.engine);
    let ticket = world.ask_within(run, Access::Everything, request.clone());
    let refused = |refusal: &Refusal| refusal.code == Code::SelfWait;
    let in_vain = world.replies.get(&ticket).and_then(|reply| reply.as_ref().err());
    if in_vain.is_some_and(refused) && before != oracle::all(&world.engine) {
        fail(world, "what was refused changes something");
    }
}

/// A file that is what it was changes nothing, once it is followed.
fn reread(world: &mut World<Chance>, blueprint: &Blueprint) {
    world.load(blueprint.spec(), Extent::Everything);
    let before = oracle::living(&world.engine);
    let count = world.diary.count;
    world.load(blueprint.spec(), Extent::Everything);
    // The event, the word at the console and the reply.
    let after = oracle::living(&world.engine);
    if world.diary.count > count + 3 || before != after {
        let change = before.iter().zip(&after).find(|(before, after)| before != after);
        fail(world, &format!("a file that did not change changes something: {change:?}"));
    }
}

/// A file in which nothing differs that a process sees ends none.
fn retouch(world: &mut World<Chance>, blueprint: &Blueprint, seed: u64) {
    world.load(blueprint.spec(), Extent::Everything);
    let before = oracle::all(&world.engine);
    world.load(blueprint.retouched(seed), Extent::Everything);
    let after = oracle::all(&world.engine);
    // Who was there for want of a better alternative goes when that gets another chance, and so
    // does who was there for him.
    let several = after.iter().flat_map(|peek| &peek.needs).any(|need| need.len() > 1);
    let let_go = |old: &Peek, new: &Peek| several && old.wanted && !new.wanted;
    // Nor does it stay who stands on none of several any more that are looked at again (seed 8363).
    let up = |id: &NodeId| oracle::at(&before, *id).up;
    let hangs = |node: &Peek| node.needs.iter().any(|need| need.len() > 1 && !need.iter().any(up));
    let ends = |(old, new): &(&Peek, &Peek)| {
        old.run.is_some() && goes(old, new) && !let_go(old, new) && !hangs(old)
    };
    if let Some(change) = before.iter().zip(&after).find(ends) {
        fail(world, &format!("it is ended for what it does not see: {change:?}"));
    }
}

fn stale(world: &mut World<Chance>, pick: u64) {
    let Some(run) = one_of(world.over(), pick) else { return };
    nothing_follows(world, |_| match pick % 10 {
        0 => Event::Executed { run },
        1 => {
            let ended = Ended::Exit(Exit::Code(3));
            Event::Exited { run, ended, group: Group::Inhabited }
        }
        2 => Event::StepEnded { run, result: Ok(None) },
        3 => Event::Checked { run, result: Ok(Verdict::Skips("long ago".to_owned())) },
        4 => Event::Arrived { run },
        5 => Event::Blinded { run },
        6 => {
            let path = "/etc/it".to_owned();
            let sights = vec![Sight { trigger: Trigger::Changed, path, mark: 7 }];
            Event::Sighted { run, marks: vec![7], sights }
        }
        7 => Event::Froze {
            order: run,
            result: if pick.is_multiple_of(2) { Ok(()) } else { Err(String::new()) },
        },
        8 => {
            let text = WORDS[usize::try_from(pick / 10 % 10).unwrap()];
            let notice = Notice::parse(text.as_bytes());
            Event::Notified { node: run.node, run: Some(run), notice }
        }
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
