//! What happens by chance while faults are on, and the calm after them.

use std::collections::BTreeSet;
use std::time::Duration;

use finit::config::spec::{Conditions, Ready};
use finit::engine::{RunId, Spawn, Verdict, What};
use finit::facts::{Errno, Exit, Moment, SignalNumber, SpawnError, Stage};

use crate::agenda::Fact;
use crate::build::millis;
use crate::dice::Dice;
use crate::fates::{Fates, Look, Program, StepResult};
use crate::reloads::{self, Reload};
use crate::storms;
use crate::world::World;

/// Chance, as long as faults are on.
pub struct Chance {
    pub seed: u64,
    pub dice: Dice,
    pub calm: bool,
    /// Until when all services end as soon as they are there.
    pub storm: Moment,
    /// Steps of the boot that have run.
    pub steps: BTreeSet<&'static str>,
}

impl Fates for Chance {
    fn program(&mut self, order: &Spawn, now: Moment) -> Result<Program, SpawnError> {
        let purpose = format!("{}#{}", order.service.name, order.run.generation);
        let mut dice = Dice::of(self.seed, &purpose);
        let task = order.service.ready.when == Ready::Exit;
        let forks = order.service.ready.when.pidfile().is_some();
        let ends = task || forks || order.what != What::Main;
        if self.calm {
            let program = if ends { Program::ends(millis(10), 0) } else { Program::daemon() };
            return Ok(program);
        }
        if now < self.storm
            && let Some(program) = storms::program(order, &mut dice)
        {
            return Ok(program);
        }
        // Some services are worse than others.
        let bad = Dice::of(self.seed, &order.service.name).below(40);
        if dice.percent(2) {
            return Err(error(Stage::Clone));
        }
        let mut program = Program::daemon();
        program.executes = Some(*dice.pick(&[millis(0), millis(0), millis(1), millis(30)]));
        if ends && !dice.percent(5) {
            let code = if dice.percent(bad) { *dice.pick(&[1, 1, 255]) } else { 0 };
            program.ends = Some((millis(*dice.pick(&[0, 1, 50, 3_000])), Exit::Code(code)));
        }
        if !ends && dice.percent(bad) {
            let after = *dice.pick(&[0, 0, 1, 20, 500, 20_000]);
            program.ends = Some((millis(after), exit(&mut dice)));
        }
        if dice.percent(bad / 3) {
            program.fails = Some(error(*dice.pick(&[Stage::Exec, Stage::User, Stage::Chdir])));
            program.ends = None;
        } else if dice.percent(bad / 4) {
            program.executes = None;
            program.ends = None;
        }
        program.obeys = (!dice.percent(bad)).then(|| millis(*dice.pick(&[0, 0, 5, 2_000])));
        program.dies = millis(*dice.pick(&[0, 0, 1, 100]));
        if dice.percent(bad / 4) {
            program.dies = millis(30_000);
        }
        if dice.percent(bad / 2) {
            program.leaves = 1;
        }
        // Dice of its own, so that what was drawn before is what it was.
        let mut other = Dice::of(self.seed, &format!("{purpose} too"));
        if order.what == What::Main && other.percent(40) {
            program.says = Some(*other.pick(&["STATUS=no database", "STATUS=", "STATUS=lost"]));
        }
        program.late = order.what != What::Main && other.percent(bad);
        let tells = millis(*dice.pick(&[0, 0, 1, 800]));
        program.tells = (!dice.percent(bad / 4)).then_some(tells);
        Ok(program)
    }

    fn bind(&mut self, _: &str, _: Moment) -> Result<(), SpawnError> {
        let fails = !self.calm && self.dice.percent(10);
        if fails { Err(error(Stage::Socket)) } else { Ok(()) }
    }

    fn step(&mut self, step: &'static str, now: Moment) -> Option<(Duration, StepResult)> {
        let again = !self.steps.insert(step);
        let mut dice = Dice::of(if again { self.seed ^ now.0 } else { self.seed }, step);
        let result = match dice.below(10) {
            0 => Err("no such thing".to_owned()),
            1 | 2 => Ok(Some("not here")),
            _ => Ok(None),
        };
        if dice.percent(1) && !self.calm {
            return None;
        }
        Some((millis(*dice.pick(&[0, 0, 0, 1, 10, 900])), result))
    }

    fn look(&mut self, name: &str, conditions: &Conditions, now: Moment) -> Look {
        let mut dice = Dice::of(self.seed ^ now.0, name);
        if self.calm {
            return Some((millis(1), Ok(Verdict::Holds)));
        }
        if dice.percent(3) {
            return Some((millis(0), Err(error(Stage::Clone))));
        }
        if dice.percent(4) {
            return None;
        }
        let after = millis(*dice.pick(&[0, 0, 1, 20, 3_000]));
        let verdict = match dice.below(10) {
            0..=3 if !conditions.paths.is_empty() => Verdict::Missing(conditions.paths[0].clone()),
            4 | 5 if !conditions.only_if.is_empty() => Verdict::Skips("not here".to_owned()),
            6 if !conditions.assert.is_empty() => Verdict::Fails("it must be".to_owned()),
            _ => Verdict::Holds,
        };
        Some((after, Ok(verdict)))
    }

    fn read(&mut self, name: &str, now: Moment) -> Look {
        let mut dice = Dice::of(self.seed ^ now.0, &format!("{name} reads"));
        match dice.below(20) {
            _ if self.calm => Some((millis(1), Ok(Verdict::Holds))),
            0 => None,
            1 => Some((millis(1), Err(error(Stage::EnvFile)))),
            _ => Some((millis(*dice.pick(&[0, 0, 1, 20, 3_000])), Ok(Verdict::Holds))),
        }
    }

    fn arrives(&mut self, path: &str, now: Moment) -> Option<Duration> {
        let mut dice = Dice::of(self.seed ^ now.0, path);
        (!dice.percent(30)).then(|| millis(*dice.pick(&[0, 1, 100, 5_000, 60_000])))
    }

    fn level(&mut self, name: &str, now: Moment) -> Option<Duration> {
        let mut dice = Dice::of(self.seed ^ now.0, name);
        (!self.calm && dice.percent(40)).then(|| millis(*dice.pick(&[0, 20, 900])))
    }

    fn freezes(&mut self, name: &str, on: bool, now: Moment) -> Result<Option<Duration>, String> {
        let mut dice = Dice::of(self.seed ^ now.0, name);
        Ok(match dice.below(100) {
            _ if self.calm => Some(Duration::ZERO),
            0 if on => return Err("no such file".to_owned()),
            0..=4 => None,
            5..=19 => Some(millis(500)),
            _ => Some(Duration::ZERO),
        })
    }

    fn reloads(&mut self, name: &str, now: Moment) -> Reload {
        if self.calm { reloads::good() } else { reloads::chance(Dice::of(self.seed ^ now.0, name)) }
    }

    fn tie(&mut self) -> u64 {
        self.dice.throw()
    }
}

fn error(stage: Stage) -> SpawnError {
    SpawnError { stage, errno: Errno(2), subject: String::new() }
}

fn exit(dice: &mut Dice) -> Exit {
    match dice.below(3) {
        0 => Exit::Code(0),
        1 => Exit::Code(1),
        _ => Exit::Signal { number: SignalNumber::KILL, core: false },
    }
}

impl<F: Fates> World<F> {
    /// From now on whatever hung does not any more, and all obey.
    pub fn calm(&mut self) {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            let Some(process) = self.runs.get_mut(&run) else { continue };
            process.program.obeys = Some(Duration::ZERO);
            process.program.dies = Duration::ZERO;
            process.program.leaves = 0;
            if let Some(number) = process.asked {
                self.plan(Duration::ZERO, Fact::Ends(run, Exit::Signal { number, core: false }));
                continue;
            }
            if process.program.executes.is_none() {
                process.program.executes = Some(Duration::ZERO);
                process.program.tells = Some(Duration::ZERO);
                self.plan(Duration::ZERO, Fact::Executed(run));
            } else if process.what == What::Main {
                // A reload has an end though nobody tells it.
                let reads = process.reads;
                let after = if reads { reloads::LONG * 2 } else { Duration::from_secs(1) };
                self.plan(after, Fact::Tells(run));
            }
            if self.runs.get(&run).is_some_and(|process| process.ends) {
                self.plan(Duration::from_secs(1), Fact::Ends(run, Exit::SUCCESS));
            }
        }
        for (node, strays) in self.strays.clone() {
            for _ in 0..strays {
                self.plan(Duration::ZERO, Fact::StrayEnds(node));
            }
        }
        for run in self.looks.clone() {
            self.plan(Duration::ZERO, Fact::Looked(run, Ok(Verdict::Holds)));
        }
        for run in self.steps.clone() {
            self.plan(Duration::ZERO, Fact::StepEnds(run, Ok(None)));
        }
    }
}
