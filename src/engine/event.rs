//! What happened: facts, in past tense, in the words of the kernel or of a person.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NodeId;
use super::conditions::Verdict;
use super::id::{ConnectionId, RunId, Ticket};
use super::notice::Notice;
use crate::config::spec::{Sight, SystemSpec};
use crate::facts::{Exit, Moment, Pid, SpawnError};
use crate::proto::{Power, Request};

/// A fact for the engine.
#[derive(Debug)]
pub enum Event {
    /// The machine is to be brought up: the first event.
    Began,
    /// The answer to [`super::Effect::Spawn`], in the same turn.
    Spawned {
        /// Of this run.
        run: RunId,
        /// Its process, or why there is none.
        result: Result<Pid, SpawnError>,
    },
    /// Its program was executed.
    Executed {
        /// Of this run.
        run: RunId,
    },
    /// It wrote a line to the descriptor that tells of its readiness.
    Wrote {
        /// Of this run.
        run: RunId,
    },
    /// It told something of itself, and was allowed to; what it said of its main process is true.
    Notified {
        /// Which.
        node: NodeId,
        /// The run of the process that told it, where that is one that finit has started: what an
        /// earlier run says is not about this one.
        run: Option<RunId>,
        /// What.
        notice: Notice,
    },
    /// Its process ended, and was reaped where it was our child. Exactly once for each run with
    /// a process.
    Exited {
        /// Of this run.
        run: RunId,
        /// How.
        ended: Ended,
        /// What is left of its group.
        group: Group,
    },
    /// A bug came between its order and its start: it was never started. Told instead of
    /// [`Event::Exited`].
    Lost {
        /// Which run.
        run: RunId,
    },
    /// The last member of a group that was not empty is gone.
    Emptied {
        /// Whose.
        node: NodeId,
    },
    /// The answer to [`super::Effect::Freeze`], in the same turn or later.
    Froze {
        /// Which order.
        order: RunId,
        /// It is carried out, or why it cannot be.
        result: Result<(), String>,
    },
    /// The answer to [`super::Effect::Check`], and to [`super::Effect::ReadVariables`]: all of
    /// them that must be there were read, or why not.
    Checked {
        /// Of this run.
        run: RunId,
        /// What was seen, or why nobody could look.
        result: Result<Verdict, SpawnError>,
    },
    /// The answer to [`super::Effect::Await`]: it is worth looking again.
    Arrived {
        /// Of this run.
        run: RunId,
    },
    /// Something was seen of paths that somebody watches; without any sight, it is only said what
    /// they are like.
    Sighted {
        /// Who watches.
        run: RunId,
        /// What they are like, for whoever watches next.
        marks: Vec<u64>,
        /// What was seen; of what goes on, only what was so after all that
        /// [`super::Effect::LookAtPaths`] has asked for.
        sights: Vec<Sight>,
    },
    /// Nobody watches any more, though it is wanted.
    Blinded {
        /// Who did.
        run: RunId,
    },
    /// A boot step came to its end.
    StepEnded {
        /// Of this run.
        run: RunId,
        /// How: skipped with a reason, done, or failed with a reason.
        result: Result<Option<&'static str>, String>,
    },
    /// The answer to [`super::Effect::Bind`], in the same turn.
    Bound {
        /// Whose sockets.
        node: NodeId,
        /// Whether all are bound.
        result: Result<(), SpawnError>,
    },
    /// Somebody knocks at a socket that is watched.
    Stirred {
        /// Whose.
        node: NodeId,
    },
    /// A connection was accepted.
    Connected {
        /// On whose socket.
        node: NodeId,
        /// It, kept by the driver.
        connection: ConnectionId,
        /// From which address, where there is one.
        source: Option<String>,
    },
    /// The answer to [`super::Effect::AskCalendar`], in the same turn or later.
    Calendar {
        /// Whose task.
        node: NodeId,
        /// From when on it is the next time, in seconds since 1970.
        base: i64,
        /// When that is, or why it never comes.
        at: Result<Moment, String>,
    },
    /// The clock on the wall was set, or the machine has slept.
    ClockSet,
    /// The time of [`super::Engine::next_deadline`] has come.
    Elapsed,
    /// A client asks.
    Requested {
        /// For the answer.
        ticket: Ticket,
        /// Who.
        peer: Peer,
        /// What.
        request: Request,
        /// The run that the client is a part of, where it will wait for what comes of this.
        waits: Option<RunId>,
    },
    /// The file was read again and is good.
    Loaded {
        /// What it says.
        spec: Rc<SystemSpec>,
        /// How far it is followed.
        extent: Extent,
        /// Who made us read it.
        cause: Cause,
        /// For the answer, where a client asked.
        ticket: Option<Ticket>,
    },
    /// The machine is asked to go down, by a signal or a key.
    PowerAsked {
        /// How it ends.
        how: Power,
        /// By what.
        cause: Cause,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// Its process ended.
    Exit(Exit),
    /// Its process ended as the child of another, who alone was told how, or while a bug had finit
    /// not listen.
    Unseen,
    /// The same, or well, before it was ready.
    Early {
        /// How its process ended, where somebody saw it.
        exit: Option<Exit>,
        /// Its readiness, as the file spells it.
        ready: String,
    },
    /// Its program was never executed.
    NotExecuted(SpawnError),
    /// It was not ready after this time and is being stopped.
    TooSlow(Duration),
    /// It was up, gave no sign of life for this time and is being stopped.
    Silent(Duration),
    /// It was up, said that it is to be treated as one that gives no sign of life, and is.
    GaveUp,
    /// It was up, said that it stops, had not after this time and is being stopped.
    Lingering(Duration),
    /// It was up, so many checks in a row failed and it is being stopped.
    Unhealthy {
        /// How many.
        failures: u32,
        /// How the last of them did.
        why: String,
    },
}

impl Ended {
    /// How its process ended, where somebody saw it.
    pub fn exit(&self) -> Option<Exit> {
        match self {
            Self::Exit(exit) => Some(*exit),
            Self::Early { exit, .. } => *exit,
            Self::Unseen
            | Self::NotExecuted(_)
            | Self::TooSlow(_)
            | Self::Silent(_)
            | Self::GaveUp
            | Self::Lingering(_)
            | Self::Unhealthy { .. } => None,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(exit) => exit.fmt(f),
            Self::Unseen => f.write_str("ended, and finit was not told how"),
            Self::Early { exit: Some(exit), ready } => {
                write!(f, "ended before it was ready ({ready}): {exit}")
            }
            Self::Early { exit: None, ready } => {
                write!(f, "ended before it was ready ({ready}), and finit was not told how")
            }
            Self::NotExecuted(error) => error.fmt(f),
            Self::TooSlow(limit) => write!(f, "not ready after {limit:?} (start-timeout)"),
            Self::GaveUp => f.write_str("gave itself up (WATCHDOG=trigger)"),
            Self::Silent(limit) => write!(f, "no sign of life for {limit:?} (watchdog)"),
            Self::Lingering(limit) => {
                write!(f, "said that it stops, and had not after {limit:?} (stop.timeout)")
            }
            Self::Unhealthy { failures: 1, why } => {
                write!(f, "a health check failed: {why} (health)")
            }
            Self::Unhealthy { failures, why } => {
                write!(f, "{failures} health checks in a row failed: {why} (health)")
            }
        }
    }
}

/// What is left of the processes of a service after its main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Nothing.
    Empty,
    /// Somebody.
    Inhabited,
}

/// How far a file that was read again is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Definitions only: what runs, runs on; nothing is started by itself.
    Definitions,
    /// The machine is made to match it.
    Everything,
    /// The same, and after this time it goes back by itself unless somebody confirms it.
    Trial(Duration),
    /// What ran before a trial that nobody confirmed: everything of it.
    Back,
}

impl Extent {
    /// Whether more than the definitions is followed.
    pub fn is_followed(self) -> bool {
        self != Self::Definitions
    }
}

/// Who asks, as the kernel says it (SO_PEERCRED).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// User.
    pub uid: u32,
    /// Process, for messages only.
    pub pid: i32,
    /// Name of its program, for messages only.
    pub command: String,
    /// What it may do.
    pub access: Access,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Look, in short.
    Look,
    /// Bring the machine down too.
    Power,
    /// Everything.
    Everything,
}

/// Who or what made something happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The boot.
    Boot,
    /// A person or program, by the control socket.
    Person {
        /// User.
        uid: u32,
        /// Process.
        pid: i32,
        /// Its program.
        command: String,
        /// What it asked for.
        asked: String,
    },
    /// Another service.
    Dependency(String),
    /// One that it comes after.
    Order(String),
    /// One that is wanted and needs it.
    NeededBy(String),
    /// One that is wanted and wants it.
    WantedBy(String),
    /// One that had it brought up, and does not any more.
    LetGo(String),
    /// One that failed and calls for it.
    Failure(String),
    /// One that excludes it was asked for.
    Rival(String),
    /// One whose part it is, and that was let go before, comes again.
    Whole(String),
    /// A process that ended.
    Exit(String),
    /// A process that could not even be started.
    NotStarted(String),
    /// What its conditions say.
    Condition,
    /// A time that came.
    Timer(Cow<'static, str>),
    /// A signal to PID 1.
    Signal(Cow<'static, str>),
    /// A connection.
    Connection,
    /// What was seen of a path.
    Path(String),
    /// An edited file.
    Config,
    /// The machine goes down.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("the boot"),
            Self::Person { uid, pid, command, .. } => {
                write!(f, "{command} (pid {pid}, uid {uid})")
            }
            Self::Dependency(name)
            | Self::Order(name)
            | Self::NeededBy(name)
            | Self::WantedBy(name)
            | Self::LetGo(name)
            | Self::Failure(name)
            | Self::Rival(name)
            | Self::Whole(name) => f.write_str(name),
            Self::Exit(how) => write!(f, "its process {how}"),
            Self::NotStarted(how) => write!(f, "it could not be started: {how}"),
            Self::Condition => f.write_str("its conditions"),
            Self::Timer(what) => f.write_str(what),
            Self::Signal(name) => write!(f, "{name} to PID 1"),
            Self::Connection => f.write_str("a connection"),
            Self::Path(sight) => f.write_str(sight),
            Self::Config => f.write_str("the edited file"),
            Self::Shutdown => f.write_str("the shutdown"),
        }
    }
}

impl Cause {
    /// What happened, as a line of a story.
    pub fn story(&self) -> String {
        match self {
            Self::Person { asked, .. } => format!("{self} asked: {asked}"),
            Self::Dependency(name) => format!("{name}, which it needs"),
            Self::Order(name) => format!("{name}, which it comes after"),
            Self::NeededBy(name) => format!("{name}, which needs it"),
            Self::WantedBy(name) => format!("{name}, which wants it"),
            Self::LetGo(name) => format!("{name}, which had brought it up"),
            Self::Failure(name) => format!("{name}, which failed, and calls for it"),
            Self::Rival(name) => format!("{name}, which excludes it"),
            Self::Whole(name) => format!("{name}, whose part it is"),
            Self::Boot
            | Self::Exit(_)
            | Self::NotStarted(_)
            | Self::Condition
            | Self::Timer(_)
            | Self::Signal(_)
            | Self::Connection
            | Self::Path(_)
            | Self::Config
            | Self::Shutdown => self.to_string(),
        }
    }

    /// How a run ended.
    pub fn end(ended: &Ended) -> Self {
        match ended {
            Ended::NotExecuted(error) => Self::NotStarted(error.to_string()),
            Ended::Exit(_)
            | Ended::Unseen
            | Ended::Early { .. }
            | Ended::TooSlow(_)
            | Ended::Silent(_)
            | Ended::GaveUp
            | Ended::Lingering(_)
            | Ended::Unhealthy { .. } => Self::Exit(ended.to_string()),
        }
    }

    /// A person, and what that one asked for.
    pub fn person(peer: &Peer, asked: impl Into<String>) -> Self {
        let Peer { uid, pid, command, .. } = peer;
        Self::Person { uid: *uid, pid: *pid, command: command.clone(), asked: asked.into() }
    }
}
