//! What keeps many services that end and come back at once from taking a whole CPU, and from
//! filling the console with lines that all say the same: the bounds that one service has
//! (`respawn`) are no bound where there are fifty of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Engine, Level};
use crate::facts::Moment;

/// Time between two restarts in the long run: 200 a second cost PID 1 about 3 % of a CPU.
const STEP: Duration = Duration::from_millis(5);
/// What may come before its time: 500 at once, as after a fault that took many services along.
const SLACK: Duration = Duration::from_millis(2500);
/// Lines of one kind in one period.
const LINES: u32 = 20;
/// That period.
const PERIOD: Duration = Duration::from_secs(1);

/// Restarts of all services and what is told of them. What a person, a boot or a need starts is
/// neither counted nor delayed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Storm {
    /// When the next restart would be due if they came one by one.
    free: Moment,
    restarts: Lines,
    failures: Lines,
}

/// Lines of one kind in the running period.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Lines {
    since: Moment,
    told: u32,
    left_out: u32,
}

/// Of what a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tale {
    /// A service ended and comes again.
    Restart,
    /// One failed for good.
    Failure,
}

impl Storm {
    /// How long one more restart has to wait for those of others; nothing, mostly.
    pub fn brake(&mut self, now: Moment) -> Duration {
        let free = self.free.max(now);
        self.free = free.after(STEP);
        free.since(now).saturating_sub(SLACK)
    }

    /// When it is told how many lines were left out, if any were.
    pub fn deadline(&self) -> Option<Moment> {
        let both = [&self.restarts, &self.failures];
        let silent = both.into_iter().filter(|lines| lines.left_out > 0);
        silent.map(|lines| lines.since.after(PERIOD)).min()
    }
}

impl Lines {
    /// Whether there is room for one more.
    fn admits(&mut self, now: Moment) -> bool {
        if now.since(self.since) >= PERIOD {
            *self = Self { since: now, told: 0, left_out: 0 };
        }
        let fits = self.told < LINES;
        let count = if fits { &mut self.told } else { &mut self.left_out };
        *count = count.saturating_add(1);
        fits
    }

    /// How many were left out in the period that is over.
    fn take_left_out(&mut self, now: Moment) -> Option<u32> {
        let over = self.left_out > 0 && now.since(self.since) >= PERIOD;
        over.then(|| std::mem::take(&mut self.left_out))
    }
}

impl Engine {
    /// A line about one service, where very many may have the same.
    pub(super) fn tell_of_many(&mut self, tale: Tale, text: String) {
        self.tell_left_out();
        let (lines, level) = match tale {
            Tale::Restart => (&mut self.storm.restarts, Level::Progress),
            Tale::Failure => (&mut self.storm.failures, Level::Trouble),
        };
        if lines.admits(self.now) {
            self.tell(level, text);
        }
    }

    /// How many such lines were left out, once their period is over.
    pub(super) fn tell_left_out(&mut self) {
        let now = self.now;
        if let Some(count) = self.storm.restarts.take_left_out(now) {
            let text = format!("{count} more restarts within a second, see `finitctl`");
            self.tell(Level::Progress, text);
        }
        if let Some(count) = self.storm.failures.take_left_out(now) {
            let text = format!("{count} more failures within a second, see `finitctl`");
            self.tell(Level::Trouble, text);
        }
    }
}
