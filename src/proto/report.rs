//! What a status holds. Times are ages in milliseconds, so that no clock has to agree.

use serde::{Deserialize, Serialize};

use super::{Power, is_false};

/// State of a service in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateWord {
    /// Not wanted, or stopped.
    Stopped,
    /// Wanted, but something it needs is not there.
    Waiting,
    /// finit holds its sockets; the first connection starts it.
    Listening,
    /// On its way up.
    Starting,
    /// Running.
    Up,
    /// A task that ended well.
    Done,
    /// On its way down.
    Stopping,
    /// It ended and comes back after a delay.
    Restarting,
    /// It did not start or ended badly, and nobody tries again by itself.
    Failed,
    /// Left out.
    Skipped,
}

impl StateWord {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Listening => "listening",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Done => "done",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether this counts as up for a script that asks `ok` or `dead`.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Done | Self::Listening)
    }
}

/// The machine and all of its services in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// "booting", "running", "shutting down: power off".
    pub phase: String,
    /// A shutdown that is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<ScheduledReport>,
    /// The target it is brought to.
    pub target: String,
    /// Version of the running finit.
    pub version: String,
    /// Since PID 1 began, in milliseconds.
    pub uptime_ms: u64,
    /// How long the boot took, once it is over, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_ms: Option<u64>,
    /// What a person must know: a broken file, a boot from the last good copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Services, tasks and boot steps.
    pub services: Vec<ServiceReport>,
}

/// A shutdown that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledReport {
    /// How the machine ends.
    pub how: Power,
    /// When, in milliseconds from now.
    pub in_ms: u64,
    /// Who asked for it, in words.
    pub by: String,
    /// For everybody; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// "service", "task", "step", "milestone", "target", "template", "virtual".
    pub kind: String,
    /// State in one word.
    pub state: StateWord,
    /// How long it is in that state, in milliseconds.
    pub since_ms: u64,
    /// Main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How often it was started again after an end of its own.
    pub restarts: u32,
    /// The one reason that matters, in words; empty if all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether somebody has it stay as it is; the reason says who.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// Who has all of its processes stand still; the reason says it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenReport>,
    /// Connections that are being served (inetd).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Its times, where it has a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Box<TimerReport>>,
    /// Its control group, a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The number of the user and group that exist only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_user: Option<u32>,
    /// The rest, where one service was asked for by someone who may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// A freeze of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenReport {
    /// How long ago it was asked for, in milliseconds.
    pub since_ms: u64,
    /// Who did, in words, where that may be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The times of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerReport {
    /// When it runs next, in milliseconds from now; none if no time is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<u64>,
    /// Why no time is to come, in words; empty where one is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub never: String,
    /// How long ago its last run of this boot began, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<u64>,
    /// How that run ended, in words; none while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl ServiceReport {
    /// The report of nothing.
    pub fn nobody() -> Self {
        Self {
            name: String::new(),
            kind: String::new(),
            state: StateWord::Stopped,
            since_ms: 0,
            pid: None,
            restarts: 0,
            reason: String::new(),
            held: false,
            frozen: None,
            connections: None,
            timer: None,
            cgroup: None,
            own_user: None,
            detail: None,
        }
    }
}

/// What only a look at one service shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// From its definition.
    pub description: String,
    /// Its command line as configured.
    pub command: String,
    /// What made it enter this state: who or what, in words.
    pub cause: String,
    /// How its last process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// Whether the file wants it at boot.
    pub enabled: bool,
    /// Whether the file has changed since its process was started.
    pub changed: bool,
    /// Sockets, as written.
    pub sockets: Vec<String>,
    /// Paths that start it, each after what of it counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<String>,
    /// What it needs, with its state.
    pub needs: Vec<(String, StateWord)>,
    /// What it wants or comes after, with its state.
    pub after: Vec<(String, StateWord)>,
    /// What needs or wants it.
    pub needed_by: Vec<String>,
    /// File of its log lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// File of the lines of its stderr, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_stderr: Option<String>,
    /// What stands before its lines in a file that others may share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tag: Option<String>,
    /// The same for its stderr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_stderr_tag: Option<String>,
    /// Processes that live on after its main one.
    pub strays: u32,
}

/// Part of the answer to `why`: one service, and why it is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Its name.
    pub name: String,
    /// State in one word.
    pub state: StateWord,
    /// How long it is in that state, in milliseconds.
    pub since_ms: u64,
    /// Main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The one reason that matters; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What made it so, what was behind that, and so on to the first cause. Only for those who
    /// may know.
    pub because: Vec<Because>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// Who or what.
    pub text: String,
}

/// Everything, and what stands on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Where a look at it begins: what was asked for, or the target.
    pub root: String,
    /// Services, tasks, steps, milestones, targets and templates.
    pub vertices: Vec<Vertex>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vertex {
    /// Its name.
    pub name: String,
    /// As in a [`ServiceReport`].
    pub kind: String,
    /// State in one word.
    pub state: StateWord,
    /// What it needs; each entry a list of alternatives.
    pub needs: Vec<Vec<String>>,
    /// What it wants; of a target, its members too.
    pub wants: Vec<String>,
    /// What it comes after, and so all that it wants.
    pub after: Vec<String>,
}

/// What following the file would do to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What.
    pub verb: Verb,
    /// Why.
    pub why: String,
}

/// What happens to a service when the file is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// It is known from then on, and not started.
    Add,
    /// It is started.
    Start,
    /// It is stopped and started again.
    Restart,
    /// It is stopped.
    Stop,
    /// It runs on as it is, and from then on by its new definition.
    Update,
    /// Its new definition is taken at its next start.
    Change,
    /// It is not known any more; it did not run.
    Remove,
    /// What it finds could not be looked for, and stays.
    Keep,
}

impl Verb {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Update => "update",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }
}
