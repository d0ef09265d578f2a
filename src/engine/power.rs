//! Phases of the machine's life: it boots, it runs, it goes down. There is never more than one
//! way down at a time, and nothing undoes it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::State;
use super::why::Why;
use super::{Cause, Effect, Engine, Level};
use crate::facts::Moment;
use crate::proto::{Code, Power, Refusal};

/// How often the late ones are named.
const REPORT: Duration = Duration::from_secs(5);

/// Where the machine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not everything that is wanted is settled yet.
    Boot,
    /// The boot is over; it took this long.
    Running(Duration),
    /// On its way down.
    Down {
        /// How it ends.
        how: Power,
        /// Since when.
        since: Moment,
        /// When the services have no more time.
        deadline: Moment,
        /// When the late ones are named next.
        report: Moment,
        /// Whether the driver was told to finish.
        told: bool,
    },
}

impl Phase {
    /// Whether the machine goes down.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    /// How long the boot took, if it is over.
    pub fn boot(&self) -> Duration {
        match self {
            Self::Running(took) => *took,
            Self::Boot | Self::Down { .. } => Duration::ZERO,
        }
    }

    /// The same for an engine that goes on from there: whoever finished is not there any more.
    pub fn taken_up(self) -> Self {
        match self {
            Self::Boot | Self::Running(_) => self,
            Self::Down { how, since, deadline, report, told: _ } => {
                Self::Down { how, since, deadline, report, told: false }
            }
        }
    }

    /// When something happens by itself.
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Boot | Self::Running(_) | Self::Down { told: true, .. } => None,
            Self::Down { deadline, report, .. } => Some((*deadline).min(*report)),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("booting"),
            Self::Running(_) => f.write_str("running"),
            Self::Down { how, .. } => write!(f, "shutting down: {how}"),
        }
    }
}

impl Engine {
    /// Whether a shutdown can still be asked for.
    ///
    /// # Errors
    /// One has begun.
    pub(super) fn may_go_down(&self) -> Result<(), Refusal> {
        if self.phase.is_down() {
            let message = format!("the machine is {} already", self.phase);
            return Err(Refusal::new(Code::ShuttingDown, message));
        }
        Ok(())
    }

    /// Brings the machine down. A second request changes nothing.
    pub(super) fn power(&mut self, how: Power) {
        if self.phase.is_down() {
            return;
        }
        self.scheduled = None;
        let text = format!("{how}, asked for by {}", self.cause);
        self.tell(Level::Trouble, text);
        self.cause = Why::behind(self.now, Cause::Shutdown, self.cause.clone());
        let shutdown = self.shutdown_settings();
        let for_services = shutdown.timeout.saturating_sub(shutdown.kept_back());
        let deadline = self.now.after(for_services);
        let report = self.now.after(REPORT);
        self.phase = Phase::Down { how, since: self.now, deadline, report, told: false };
        self.end_holds();
        self.stop_left_behind();
        self.touch_all();
    }

    /// What is true once all is settled: the boot is over, or the services are down.
    pub(super) fn after_settling(&mut self) {
        match self.phase {
            Phase::Boot if self.unsettled == 0 => {
                let took = self.now.since(self.began);
                self.phase = Phase::Running(took);
                self.tell(Level::Progress, format!("boot finished in {} ms", took.as_millis()));
            }
            Phase::Down { how, told: false, .. } if self.active == 0 => self.finish(how),
            Phase::Boot | Phase::Running(_) | Phase::Down { .. } => {}
        }
    }

    fn finish(&mut self, how: Power) {
        if let Phase::Down { told, .. } = &mut self.phase {
            *told = true;
        }
        self.emit(Effect::Finish(how));
    }

    /// Names those who are late, and goes on without them when their time is over.
    pub(super) fn on_phase_deadline(&mut self) {
        let Phase::Down { how, deadline, report, told: false, .. } = self.phase else { return };
        if self.now >= deadline {
            let late = self.late();
            self.tell(Level::Trouble, format!("going on without {late}"));
            self.finish(how);
        } else if self.now >= report {
            let late = self.late();
            self.tell(Level::Trouble, format!("waiting for {late}"));
            if let Phase::Down { report, .. } = &mut self.phase {
                *report = self.now.after(REPORT);
            }
        }
    }

    /// The first few names of those who are not down yet.
    fn late(&self) -> String {
        let stopping = |state: &State| {
            matches!(
                state,
                State::Stopping { .. } | State::Cleaning { .. } | State::Starting { .. }
            )
        };
        let late: Vec<&str> =
            self.nodes.iter().filter(|n| stopping(&n.state)).map(|n| &*n.name).collect();
        match late.get(..8) {
            Some(some) if late.len() > 8 => {
                format!("{} and {} more", some.join(", "), late.len().saturating_sub(8))
            }
            _ => late.join(", "),
        }
    }
}
