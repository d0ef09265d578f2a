//! Storms: many services that end as soon as they are there and come back at once, for a while.

use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::{Kind, RestartWhen, Start};
use finit::engine::{Effect, Level, Peek, Spawn, What};
use finit::facts::{Exit, Moment};

use crate::blueprint::{Blueprint, Draft};
use crate::build::{Part, millis};
use crate::dice::Dice;
use crate::fates::Program;
use crate::oracle::Oracle;

/// Restarts of one machine that may come at once.
const AT_ONCE: u64 = 500;
/// Time in which there may be one more.
const STEP: Duration = Duration::from_millis(5);
/// Restarts that were decided early and are due at the same time as others, and what persons ask
/// for meanwhile: neither is braked.
const OTHERS: u64 = 150;
/// When a storm is over that began with the boot.
pub const END: Moment = Moment(1_000_000 + 4_000_000);

/// What an onlooker knows of restarts.
#[derive(Debug, Default)]
pub struct Restarts {
    /// Of each node, those decided before its last start.
    before: Vec<u32>,
    /// When the next one would be due if they came one by one.
    free: Moment,
    /// All that were decided, and those of them that were told.
    decided: u64,
    told: u64,
}

/// A machine of many.
pub fn blueprint(seed: u64) -> Blueprint {
    let mut dice = Dice::of(seed, "storm");
    let draft = |number| Draft { number, seed: dice.throw(), edition: 0 };
    Blueprint { drafts: (0..16).map(draft).collect(), stormy: true }
}

/// Has a service come back at once, and without end.
pub fn hasten(part: &mut Part) {
    let spec = &mut part.0;
    if spec.kind == Kind::Service && spec.sockets.is_none() {
        spec.start = Start::Boot;
        spec.conditions = None;
        let restart = Rc::make_mut(&mut spec.restart);
        restart.when = RestartWhen::Always;
        (restart.delay, restart.max_delay, restart.burst) = (millis(0), millis(0), None);
    }
}

/// What it does in a storm.
pub fn program(order: &Spawn, dice: &mut Dice) -> Option<Program> {
    let hit = order.what == What::Main && order.service.kind == Kind::Service;
    let ends = Some((millis(*dice.pick(&[0, 0, 1])), Exit::Code(1)));
    hit.then(|| Program { ends, ..Program::daemon() })
}

impl Oracle {
    /// A program of a service is started: if that is a restart, not too many come in that time.
    pub fn restarts(&mut self, node: &Peek, order: &Spawn) {
        let begins = matches!(order.what, What::Main | What::Hook) && node.label == "starting";
        if !begins {
            return;
        }
        let place = usize::try_from(order.run.node.number()).unwrap();
        let before = &mut self.restarts.before;
        before.resize(before.len().max(place + 1), 0);
        if std::mem::replace(&mut before[place], node.restarts) >= node.restarts {
            return;
        }
        let free = self.restarts.free.max(self.now);
        self.restarts.free = free.after(STEP);
        let most = STEP * u32::try_from(AT_ONCE + OTHERS).unwrap();
        let ahead = free.since(self.now);
        self.check(ahead <= most, || format!("restarts are {ahead:?} before their time"));
    }

    /// One more is decided.
    pub fn restarts_again(&mut self, old: &Peek, new: &Peek) {
        self.restarts.decided += u64::from(new.restarts.saturating_sub(old.restarts));
    }

    /// Each restart is told at the console, or counted among those that are not.
    pub fn restart_told(&mut self, effect: &Effect) {
        let Effect::Tell { level: Level::Progress, text } = effect else { return };
        self.restarts.told += u64::from(text.ends_with("; starting it again"));
        let more = text.strip_suffix(" more restarts within a second, see `finitctl`");
        self.restarts.told += more.map_or(0, |count| count.parse().unwrap());
    }

    /// None was forgotten.
    pub fn restarts_at_rest(&mut self) {
        let Restarts { decided, told, .. } = self.restarts;
        self.check(decided == told, || format!("of {decided} restarts {told} are told"));
    }
}
