//! What may happen to programs, sockets and boot steps, and who decides it.

use std::time::Duration;

use finit::config::spec::Conditions;
use finit::engine::{Spawn, Verdict, What};
use finit::facts::{Exit, Moment, SpawnError};

use crate::reloads::Reload;

/// What a started program will do.
#[derive(Debug, Clone)]
pub struct Program {
    /// When its program is executed, or that it never is until it is killed.
    pub executes: Option<Duration>,
    /// Why it is not executed at that time but ends.
    pub fails: Option<SpawnError>,
    /// When it ends by itself, and how.
    pub ends: Option<(Duration, Exit)>,
    /// How long it takes to obey a signal that asks it to end; none: it ignores it.
    pub obeys: Option<Duration>,
    /// How long SIGKILL takes.
    pub dies: Duration,
    /// When it says that it is up, after it was executed; none: never.
    pub tells: Option<Duration>,
    /// How many it leaves behind in its group, and whether those obey.
    pub leaves: u32,
    /// What it says of itself before it ends by itself.
    pub says: Option<&'static str>,
    /// What kills it comes too late: it has just ended.
    pub late: bool,
}

impl Program {
    /// Runs until told to stop, and obeys.
    pub fn daemon() -> Self {
        Self {
            executes: Some(Duration::ZERO),
            fails: None,
            ends: None,
            obeys: Some(Duration::ZERO),
            dies: Duration::ZERO,
            tells: Some(Duration::ZERO),
            leaves: 0,
            says: None,
            late: false,
        }
    }

    /// Ends by itself.
    pub fn ends(after: Duration, code: u8) -> Self {
        Self { ends: Some((after, Exit::Code(code))), ..Self::daemon() }
    }

    /// What an order is for, where all goes well.
    pub fn usual(order: &Spawn) -> Self {
        let forks = order.what == What::Main && order.service.ready.when.pidfile().is_some();
        if forks || matches!(order.what, What::Probe | What::Health) {
            return Self::ends(Duration::ZERO, 0);
        }
        Self::daemon()
    }

    /// Never says that it is up.
    pub fn mute() -> Self {
        Self { tells: None, ..Self::daemon() }
    }

    /// Ignores what asks it to end.
    pub fn stubborn() -> Self {
        Self { obeys: None, ..Self::daemon() }
    }
}

/// The end of a boot step.
pub type StepResult = Result<Option<&'static str>, String>;

/// What comes of a look at conditions.
pub type Look = Option<(Duration, Result<Verdict, SpawnError>)>;

/// Who decides what happens to whom.
pub trait Fates {
    /// What a started program does; an error is a failed clone.
    fn program(&mut self, order: &Spawn, now: Moment) -> Result<Program, SpawnError>;
    /// Whether sockets can be bound.
    fn bind(&mut self, name: &str, now: Moment) -> Result<(), SpawnError>;
    /// How long a step takes and how it ends; none: it hangs.
    fn step(&mut self, step: &'static str, now: Moment) -> Option<(Duration, StepResult)>;
    /// How long a look at conditions takes and what is seen, or why not; none: it hangs.
    fn look(&mut self, name: &str, conditions: &Conditions, now: Moment) -> Look;
    /// How long it takes to read the files of a service, and whether it works; none: it hangs.
    fn read(&mut self, name: &str, now: Moment) -> Look;
    /// When a path comes; none: never.
    fn arrives(&mut self, path: &str, now: Moment) -> Option<Duration>;
    /// After how long whoever watches paths sees that one of them is there when it is asked; none:
    /// none is.
    fn level(&mut self, _name: &str, _now: Moment) -> Option<Duration> {
        None
    }
    /// How long it takes until all of a group stands still, or goes on; none: one hangs in the
    /// kernel. An error is a kernel that cannot do it.
    fn freezes(
        &mut self,
        _name: &str,
        _on: bool,
        _now: Moment,
    ) -> Result<Option<Duration>, String> {
        Ok(Some(Duration::ZERO))
    }
    /// What a service says and does when it is to read its configuration again.
    fn reloads(&mut self, _name: &str, _now: Moment) -> Reload {
        Vec::new()
    }
    /// A number that orders what happens at the same time.
    fn tie(&mut self) -> u64;
}
