//! The states of a node, each with exactly the data that is valid in it.
//!
//! ```text
//!             want           deps there        exec'ed / ready
//!   Down ----------> Waiting ----------> Starting ----------> Up
//!    ^                  ^                  |                   |
//!    |                  |   delay over     | failed            | ended by itself
//!    |                  +---- Backoff <----+-------------------+
//!    |   not wanted                                            |  gave up
//!    +<------------- Cleaning <------ Stopping <---------------+-----> Failed
//! ```
//! One that waits for a path to appear is `Awaiting` it; one whose condition does not hold is
//! `Skipped`. A node with sockets rests in `Listening`: finit holds them, nothing runs. A task that ended
//! well is `Done`. What is wanted is computed elsewhere (`settle`); a state only says what is.

use serde::{Deserialize, Serialize};

use crate::facts::{Exit, Moment};

use super::id::{NodeId, RunId};

/// What a node is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nothing, since nobody wants it.
    Down(DownWhy),
    /// It would start, but something else is not there yet.
    Waiting {
        /// That something.
        on: NodeId,
        /// Whether that is on its way.
        hope: Hope,
    },
    /// It would start, but a path is not there yet.
    Awaiting {
        /// The look-out for it.
        run: RunId,
        /// The path.
        path: String,
    },
    /// A condition for its start does not hold, and which. It counts as there for those who
    /// need it.
    Skipped(String),
    /// finit holds its sockets.
    Listening,
    /// It ended and comes back at this time.
    Backoff {
        /// When.
        until: Moment,
        /// Why it ended.
        why: String,
    },
    /// On its way up.
    Starting {
        /// The process of this step.
        run: RunId,
        /// Which step.
        step: StartStep,
        /// When patience ends.
        until: Option<Moment>,
    },
    /// There.
    Up {
        /// Its process; none for milestones, targets and the like.
        run: Option<RunId>,
    },
    /// On its way down.
    Stopping {
        /// Its main process, while it lives.
        run: Option<RunId>,
        /// How far the ladder is climbed.
        rung: Rung,
        /// When the next rung comes.
        until: Option<Moment>,
        /// What follows.
        then: Then,
    },
    /// Its `after-stop` commands run.
    Cleaning {
        /// The command that runs.
        run: RunId,
        /// Its number.
        index: usize,
        /// When patience ends.
        until: Option<Moment>,
        /// What follows.
        then: Then,
    },
    /// It did not start or ended badly; a person or a new definition clears it.
    Failed(String),
    /// A task that ended well.
    Done(Exit),
}

/// Why nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownWhy {
    /// Nobody ever wanted it.
    NeverWanted,
    /// Somebody stopped it, or what wanted it is gone.
    Stopped,
    /// It ended and its policy is to stay so.
    Ended,
}

/// Whether what is waited for is on its way; of several the best counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hope {
    /// It is not: nobody else is held up by this.
    Stuck,
    /// It ended and comes back by itself after a delay: nobody else is held up by that either.
    Later,
    /// It is: others that merely come later wait too.
    Coming,
}

/// A step on the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartStep {
    /// What must hold is being looked at.
    Check,
    /// An `only-if-command`.
    OnlyIf(usize),
    /// Its sockets are being bound.
    Bind,
    /// A `before-start` command.
    Before(usize),
    /// The main command or a step of a task.
    Main(usize),
    /// The files of variables are being read for that program, which is started then.
    Read(Program),
    /// The started program has ended, as it should, and left a daemon behind that is looked for.
    Adopt,
    /// A task has done its work, and this `after-start` command follows.
    After(usize),
}

impl StartStep {
    /// The program that runs in it.
    pub fn program(self) -> Option<Program> {
        match self {
            Self::OnlyIf(index) => Some(Program::OnlyIf(index)),
            Self::Before(index) => Some(Program::Before(index)),
            Self::Main(index) => Some(Program::Main(index)),
            Self::After(index) => Some(Program::After(index)),
            Self::Check | Self::Bind | Self::Read(_) | Self::Adopt => None,
        }
    }
}

/// A program of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// As [`StartStep::OnlyIf`].
    OnlyIf(usize),
    /// As [`StartStep::Before`].
    Before(usize),
    /// As [`StartStep::Main`].
    Main(usize),
    /// As [`StartStep::After`].
    After(usize),
}

impl From<Program> for StartStep {
    fn from(program: Program) -> Self {
        match program {
            Program::OnlyIf(index) => Self::OnlyIf(index),
            Program::Before(index) => Self::Before(index),
            Program::Main(index) => Self::Main(index),
            Program::After(index) => Self::After(index),
        }
    }
}

/// A rung of the stop ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rung {
    /// `stop.command` runs.
    Command,
    /// The stop signal was sent.
    Asked,
    /// SIGKILL was sent.
    Killed,
}

/// What follows a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// Rest; if it is wanted it comes again at once.
    Down,
    /// Come again at that time.
    AgainAt(Moment, String),
    /// It counts as failed, and why.
    Fail(String),
    /// A task that did its work.
    Done(Exit),
    /// It ended, and that was expected.
    Ended,
    /// As it was: it was down, or had failed for this, and somebody whom it had left behind is gone.
    Left(Option<String>),
}

impl State {
    /// When something happens by itself.
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Backoff { until, .. } => Some(*until),
            Self::Starting { until, .. }
            | Self::Stopping { until, .. }
            | Self::Cleaning { until, .. } => *until,
            Self::Down(_)
            | Self::Waiting { .. }
            | Self::Awaiting { .. }
            | Self::Skipped(_)
            | Self::Listening
            | Self::Up { .. }
            | Self::Failed(_)
            | Self::Done(_) => None,
        }
    }

    /// Whether that state only carries this one on, so that what made this one carries on too.
    pub fn goes_on_as(&self, next: &Self) -> bool {
        match self {
            Self::Waiting { .. } | Self::Awaiting { .. } => matches!(
                next,
                Self::Waiting { .. }
                    | Self::Awaiting { .. }
                    | Self::Starting { .. }
                    | Self::Listening
                    | Self::Up { .. }
            ),
            Self::Starting { .. } => matches!(
                next,
                Self::Starting { .. } | Self::Awaiting { .. } | Self::Up { .. } | Self::Listening
            ),
            Self::Stopping { .. } | Self::Cleaning { .. } => matches!(
                next,
                Self::Stopping { .. }
                    | Self::Cleaning { .. }
                    | Self::Down(_)
                    | Self::Backoff { .. }
                    | Self::Failed(_)
                    | Self::Done(_)
            ),
            Self::Down(_)
            | Self::Skipped(_)
            | Self::Listening
            | Self::Backoff { .. }
            | Self::Up { .. }
            | Self::Failed(_)
            | Self::Done(_) => false,
        }
    }

    /// The process that this state is about.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. } | Self::Cleaning { run, .. } => Some(*run),
            Self::Up { run } | Self::Stopping { run, .. } => *run,
            Self::Down(_)
            | Self::Waiting { .. }
            | Self::Awaiting { .. }
            | Self::Skipped(_)
            | Self::Listening
            | Self::Backoff { .. }
            | Self::Failed(_)
            | Self::Done(_) => None,
        }
    }

    /// The look at conditions or at files, or the look-out, that this state waits for.
    pub fn look(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, step: StartStep::Check | StartStep::Read(_), .. }
            | Self::Awaiting { run, .. } => Some(*run),
            Self::Down(_)
            | Self::Waiting { .. }
            | Self::Skipped(_)
            | Self::Listening
            | Self::Backoff { .. }
            | Self::Starting { .. }
            | Self::Up { .. }
            | Self::Stopping { .. }
            | Self::Cleaning { .. }
            | Self::Failed(_)
            | Self::Done(_) => None,
        }
    }

    /// The node that it waits for.
    pub fn waits_for(&self) -> Option<NodeId> {
        let Self::Waiting { on, .. } = self else { return None };
        Some(*on)
    }

    /// Whether those who need it may start.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. } | Self::Done(_) | Self::Listening | Self::Skipped(_))
    }

    /// Whether a run has begun and is not over: how it goes is still to be told.
    pub fn is_under_way(&self) -> bool {
        match self {
            Self::Starting { .. }
            | Self::Up { .. }
            | Self::Stopping { .. }
            | Self::Cleaning { .. } => true,
            Self::Down(_)
            | Self::Waiting { .. }
            | Self::Awaiting { .. }
            | Self::Skipped(_)
            | Self::Listening
            | Self::Backoff { .. }
            | Self::Failed(_)
            | Self::Done(_) => false,
        }
    }

    /// Whether it is on its way down, or what is to follow that is being done.
    pub fn goes_down(&self) -> bool {
        matches!(self, Self::Stopping { .. } | Self::Cleaning { .. })
    }

    /// Whether there is something to stop.
    pub fn is_active(&self) -> bool {
        match self {
            Self::Listening
            | Self::Backoff { .. }
            | Self::Starting { .. }
            | Self::Up { .. }
            | Self::Stopping { .. }
            | Self::Cleaning { .. }
            | Self::Done(_) => true,
            Self::Down(_)
            | Self::Waiting { .. }
            | Self::Awaiting { .. }
            | Self::Skipped(_)
            | Self::Failed(_) => false,
        }
    }
}
