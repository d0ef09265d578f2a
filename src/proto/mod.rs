//! The control protocol: bytes to types and back, no I/O, shared by both programs.
//!
//! One request a line on `/run/initctl`, answered on the same connection. A line that starts
//! with `{` is JSON, anything else is words for people and shell scripts; both become the same
//! [`Request`]. See [`frame`] for the lines and [`report`] for what a status holds.

pub mod frame;
pub mod report;
pub mod words;

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

pub use report::{
    Because, Change, Chapter, Graph, MachineReport, ScheduledReport, ServiceReport, StateWord,
    TimerReport, Verb, Vertex,
};

/// Version of this protocol: raised when a change would mislead an older client.
pub const PROTOCOL: u32 = 1;

/// What a client may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "kebab-case")]
pub enum Request {
    /// Protocol version, finit version, features.
    Hello,
    /// Are you there?
    Ping,
    /// Every service in short, and the state of the machine.
    List,
    /// One service in full, or all of a pattern such as `getty@*`.
    Status {
        /// Its name, an alias, or the pattern.
        name: String,
    },
    /// Why a service is as it is, back to the first cause; of a pattern, each of them.
    Why {
        /// Its name, or the pattern.
        name: String,
    },
    /// What stands on what: everything with its edges.
    Graph {
        /// From where it is looked at; from the target without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// What `apply` would do.
    Plan,
    /// Bring services up.
    Start {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Bring services down, and those that need them.
    Stop {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Have services be there only while others need or want them: those that nobody does go down
    /// at once. A method of its own: a finit that knew no such stop would take the others down.
    StopGently {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Stop and start again; a stopped one is started.
    Restart {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Let services re-read their own configuration.
    Reload {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Re-read the file and make the machine match it.
    Apply,
    /// The same, and go back to what ran before unless `confirm` comes in time. A method of its
    /// own: a finit that knew no trial would apply the file for good.
    ApplyOnTrial {
        /// How long, in seconds.
        seconds: NonZeroU64,
    },
    /// What is on trial stays.
    Confirm,
    /// Execute the finit on the disk in the place of the one that runs; nothing restarts. Only a
    /// refusal is answered: otherwise the connection ends, and the next one meets the new finit.
    Upgrade {
        /// Another program than the one that runs, by its whole path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// Send a signal to the main process of a service.
    Signal {
        /// Its name.
        name: String,
        /// "HUP", "SIGUSR1", "10".
        signal: String,
    },
    /// Forget that a service failed.
    Reset {
        /// Its name.
        name: String,
    },
    /// Have everybody leave a service as it is: until `unhold`, nothing else starts or stops it,
    /// and who asks for that is refused. A shutdown ends all holds.
    Hold {
        /// Its name.
        name: String,
    },
    /// Let it follow what the machine wants of it again.
    Unhold {
        /// Its name.
        name: String,
    },
    /// Have all processes of services stand still, until `thaw`, their end, or what needs them
    /// awake: a stop, a restart, a reload.
    Freeze {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Have them go on.
    Thaw {
        /// Their names, or patterns.
        names: Vec<String>,
    },
    /// Follow a job until it ends: events, then the last one with its outcome.
    Wait {
        /// Number from the reply that made it.
        job: u64,
    },
    /// Bring the machine down.
    Power {
        /// How it ends.
        how: Power,
    },
    /// Bring the machine down later. A method of its own: one that knew no time would go at once.
    SchedulePower {
        /// How it ends.
        how: Power,
        /// When, in seconds from now, so that no clock has to agree.
        seconds: u64,
        /// For everybody who is told.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// Whether only the console is told, and nobody who is logged in.
        #[serde(default, skip_serializing_if = "is_false")]
        quiet: bool,
    },
    /// Drop the shutdown that was to come.
    CancelPower {
        /// For everybody who is told.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// Whether only the console is told.
        #[serde(default, skip_serializing_if = "is_false")]
        quiet: bool,
    },
    /// Bring the machine to a target.
    Target {
        /// Its name.
        name: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Turned off.
    Poweroff,
    /// Started again.
    Reboot,
    /// Stopped, with its power on.
    Halt,
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poweroff => "power off",
            Self::Reboot => "reboot",
            Self::Halt => "halt",
        })
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To `hello`.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Version of the running finit.
        version: String,
        /// What it can do beyond the first version of the protocol.
        features: Vec<String>,
        /// The file that describes the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<String>,
    },
    /// To `ping`.
    Pong,
    /// To `list`.
    Machine(Box<MachineReport>),
    /// To `status` of a name.
    Service(Box<ServiceReport>),
    /// To `status` of a pattern: those that match it, by name.
    Services(Vec<ServiceReport>),
    /// To `why` of a name: the service, and then what it waits for, or is there for, one behind
    /// the other.
    Why(Vec<Chapter>),
    /// To `why` of a pattern: the same for each that matches it, by name.
    Stories(Vec<Vec<Chapter>>),
    /// To `graph`.
    Graph(Box<Graph>),
    /// To `plan`; empty if nothing would change.
    Plan(Vec<Change>),
    /// To a request that changes something: it is under way, and this is its number.
    Job {
        /// For `wait`.
        job: u64,
        /// Services that change too because they stand on what was named.
        also: Vec<String>,
        /// What else the person should know: a file that was read again, say.
        notes: Vec<String>,
    },
    /// Done, with nothing to wait for.
    Done {
        /// In words.
        message: String,
    },
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what is wrong, with names.
    pub message: String,
    /// For people: what to do. Empty if there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new() }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The line is no request.
    BadRequest,
    /// A request of a later version.
    UnknownMethod,
    /// Nothing has that name.
    NoSuchService,
    /// No such job, or it ended too long ago.
    NoSuchJob,
    /// Not allowed for this user.
    Denied,
    /// The file has errors; nothing was changed.
    BrokenConfig,
    /// The machine is going down.
    ShuttingDown,
    /// Too many clients.
    Busy,
    /// finit itself has failed, and does nothing any more.
    FinitFailed,
    /// Waiting would wait for itself.
    SelfWait,
    /// No file is on trial.
    NothingOnTrial,
    /// Somebody has it stay as it is.
    Held,
    /// Not possible in this state: nothing runs that could get a signal, say.
    NotRunning,
    /// The service has no way to do that.
    NotSupported,
}

/// One step of a job, sent to those who wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEvent {
    /// Its number.
    pub job: u64,
    /// The service that it is about.
    pub service: String,
    /// What happened, in words.
    pub message: String,
    /// Set on the last event of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// The last word on whoever was taken out of the file while a job waited for it.
pub const NOT_IN_FILE: &str = "not in the file any more";

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything asked for is there.
    Done,
    /// It is not, and the messages say why.
    Failed,
    /// Another request took its place.
    Replaced,
}
