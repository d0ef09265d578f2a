//! What a machine should be, in typed values: the result of reading the file and the input of
//! the engine. Everything is immutable once made and compared as a whole, so that "did this
//! service change?" is one `==`.

mod conditions;
mod exec;
mod health;
mod instances;
mod lifecycle;
mod machine;
mod output;
mod sockets;
mod watch;

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::calendar::Schedule;

pub use conditions::{
    CONTAINERS, Comparison, Condition, Conditions, MACHINES, TESTS, Test, comparison,
};
pub use exec::{CommandLine, ExecSpec, Hook, Hooks, Missing, Piece, ReloadAction, Stdin, Word};
pub use health::{Check, Health};
pub use instances::{Listing, Look, NO_INSTANCE, NO_LOOK, Remedy, Search, TemplateSpec};
pub use lifecycle::{
    Exits, NotifyFrom, OkExit, Probe, Readiness, Ready, RestartSpec, RestartWhen, StopScope,
    StopSpec,
};
pub use machine::{
    BootSpec, ControlSpec, Devices, FIND_INSTANCES, LogSpec, MILESTONES, PowerKey, STEPS,
    ShutdownSpec, TARGETS, TargetSpec,
};
pub use output::{LogTarget, Outlet, OwnLog, Stream};
pub use sockets::{Address, SocketMode, SocketSpec, SocketsSpec, UnixKind, UnixPath};
pub use watch::{Sight, Trigger, Watched};

/// The whole machine as one file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemSpec {
    /// Services and tasks, instances of templates already written out, in file order.
    pub services: Vec<Rc<ServiceSpec>>,
    /// Templates whose instances are found on the machine. Those that are known are among the
    /// services.
    pub templates: Vec<TemplateSpec>,
    /// Named sets that the machine can be brought to.
    pub targets: Vec<Rc<TargetSpec>>,
    /// Names that a mistake keeps from being any of these; in a file without errors only those
    /// of instances that were not found.
    pub left_out: Vec<LeftOut>,
    /// What is done before the services.
    pub boot: BootSpec,
    /// How the machine goes down.
    pub shutdown: ShutdownSpec,
    /// Who may give orders.
    pub control: ControlSpec,
    /// Where log lines go.
    pub log: LogSpec,
}

/// A name that the file speaks of, and that cannot be started before the file is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The name.
    pub name: String,
    /// What is wrong, in a sentence without a full stop.
    pub mistake: String,
}

/// A service or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name, `NAME@INSTANCE` for an instance of a template.
    pub name: String,
    /// Daemon or task.
    pub kind: Kind,
    /// The template that it is an instance of.
    pub template: Option<String>,
    /// One line for people.
    pub description: String,
    /// Other names that it answers to.
    pub alias: Vec<String>,
    /// Whether the machine starts it by itself.
    pub enabled: bool,
    /// What starts it.
    pub start: Start,
    /// Early ones do not wait for the boot steps.
    pub stage: Stage,
    /// Targets that it belongs to.
    pub targets: Rc<Vec<String>>,
    /// Times at which it runs.
    pub schedule: Option<Rc<Schedule>>,
    /// Paths that start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Rc<[Watched]>>,
    /// The commands: one, or the steps of a task, run one after the other. A `script` is
    /// `/bin/sh -eu -c SCRIPT`.
    pub commands: Vec<CommandLine>,
    /// As whom they run, and what they find around them.
    pub exec: Rc<ExecSpec>,
    /// Commands around the main one.
    pub hooks: Rc<Hooks>,
    /// What must hold before it is started; most ask for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Rc<Conditions>>,
    /// When it counts as up, and what it may tell.
    pub ready: Rc<Readiness>,
    /// How long it may take to become ready; none for ever.
    pub start_timeout: Option<Duration>,
    /// What it stands on.
    pub dependencies: Rc<Dependencies>,
    /// When it comes back after its end.
    pub restart: Rc<RestartSpec>,
    /// Exits that count as success.
    pub ok_exit: Rc<OkExit>,
    /// Whether a finished task counts as up.
    pub remain: bool,
    /// How it is stopped.
    pub stop: Rc<StopSpec>,
    /// Sockets held for it.
    pub sockets: Option<Box<SocketsSpec>>,
    /// Line in the file where it is defined, for messages; no part of its identity.
    pub line: Line,
}

impl ServiceSpec {
    /// Keeps in memory once what is the same in the other. Most services of a machine have the
    /// same policies; a copy for each would be two thirds of what a definition takes.
    pub fn share(&mut self, other: &Self) {
        fn one<T: PartialEq>(ours: &mut Rc<T>, theirs: &Rc<T>) {
            if ours == theirs {
                *ours = Rc::clone(theirs);
            }
        }
        one(&mut self.targets, &other.targets);
        one(&mut self.exec, &other.exec);
        one(&mut self.dependencies, &other.dependencies);
        one(&mut self.hooks, &other.hooks);
        one(&mut self.ready, &other.ready);
        one(&mut self.restart, &other.restart);
        one(&mut self.ok_exit, &other.ok_exit);
        one(&mut self.stop, &other.stop);
        if let (Some(ours), Some(theirs)) = (&mut self.conditions, &other.conditions) {
            one(ours, theirs);
        }
    }

    /// Whether each connection gets a process of its own, and the service has none.
    pub fn is_inetd(&self) -> bool {
        self.sockets.as_ref().is_some_and(|sockets| sockets.mode == SocketMode::Inetd)
    }
}

/// A line number that is never a difference: moving a service in its file changes nothing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Line(pub usize);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Line {}

/// Daemon or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Runs until told to stop.
    Service,
    /// Runs to its end.
    Task,
}

/// What starts a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Reaching one of its targets.
    Boot,
    /// A connection to its sockets, or what is seen of its paths.
    Demand,
    /// Only a person, or a dependent.
    Manual,
    /// Its schedule.
    Schedule,
}

/// Part of the boot in which a service may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// After the milestone `sysinit`.
    Main,
    /// As soon as the virtual file systems are there.
    Early,
}

/// What a service stands on, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dependencies {
    /// Must be up first; each entry is a list of alternatives.
    pub needs: Vec<Vec<String>>,
    /// Started and waited for; their failure is no obstacle.
    pub wants: Vec<String>,
    /// Order only: if those come up too, this comes later.
    pub after: Vec<String>,
    /// Order only: if those come up too, this comes earlier.
    pub before: Vec<String>,
    /// Names that this stands for.
    pub provides: Vec<String>,
    /// As `needs`, and stopped whenever one of them is not up, be it that it comes back.
    pub bound_to: Vec<String>,
    /// Stopped and restarted together with these.
    pub part_of: Vec<String>,
    /// Never up together with these.
    pub conflicts: Vec<String>,
    /// Started when this fails.
    pub on_failure: Vec<String>,
    /// Reloaded together with these.
    pub reload_with: Vec<String>,
}
