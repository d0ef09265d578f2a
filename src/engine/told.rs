//! How a service ended, as it is told to the commands that come after it and to whoever is
//! started when it has failed: in the words of systemd.exec(5), so that scripts that were written
//! for its ExecStopPost= and OnFailure= just run.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::Node;
use super::state::{DownWhy, StartStep, State};
use super::{Engine, respawn};
use crate::config::spec::{Ready, ServiceSpec};
use crate::facts::{Exit, Stage};

/// A variable for a program, beside those that its definition sets.
pub type Variable = (&'static str, String);

/// How a service has come to its end since it was started last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// What went wrong first, if anything did.
    fault: Option<Fault>,
    /// How its main process ended, if there was one and it has.
    exit: Option<Exit>,
}

/// What went wrong; the names of the variants are those of systemd.exec(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// It ended well before it was up.
    Protocol,
    /// A step of its start or its stop took too long.
    Timeout,
    /// One of its programs ended with a status that is no success.
    ExitCode,
    /// A signal ended one of its programs.
    Signal,
    /// The same, with a core dump.
    CoreDump,
    /// It gave no sign of life, or the checks of its health failed.
    Watchdog,
    /// What had to hold for its start did not.
    ExecCondition,
    /// It ended well, but too often.
    StartLimitHit,
    /// The machine could not do what was needed for its start.
    Resources,
}

/// Because of whose failure a service was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitored {
    /// Its name.
    unit: String,
    /// How it ended.
    ending: Ending,
    /// Whether it was started for one that steps in, and does not step in itself.
    #[serde(default)]
    below: bool,
}

impl Fault {
    /// What an end that is no success is called.
    pub fn of(ended: &Ended) -> Self {
        match ended {
            // It is none only where the service was not up yet.
            Ended::Unseen | Ended::Early { .. } => Self::Protocol,
            Ended::Exit(Exit::Code(_)) => Self::ExitCode,
            Ended::Exit(Exit::Signal { core: false, .. }) => Self::Signal,
            Ended::Exit(Exit::Signal { core: true, .. }) => Self::CoreDump,
            Ended::NotExecuted(error) if status_of(error.stage).is_some() => Self::ExitCode,
            Ended::NotExecuted(_) => Self::Resources,
            Ended::TooSlow(_) | Ended::Lingering(_) => Self::Timeout,
            Ended::Silent(_) | Ended::GaveUp | Ended::Unhealthy { .. } => Self::Watchdog,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::ExitCode => "exit-code",
            Self::Signal => "signal",
            Self::CoreDump => "core-dump",
            Self::Watchdog => "watchdog",
            Self::ExecCondition => "exec-condition",
            Self::StartLimitHit => "start-limit-hit",
            Self::Resources => "resources",
        }
    }
}

/// The status with which systemd's own child ends where that step fails before the program is
/// executed ("Process Exit Codes" of systemd.exec(5)); none for what comes before there is a child.
fn status_of(stage: Stage) -> Option<u8> {
    match stage {
        Stage::Clone | Stage::EnvFile | Stage::Socket => None,
        Stage::Chdir => Some(200),
        Stage::Nice => Some(201),
        Stage::Descriptors => Some(202),
        Stage::Exec => Some(203),
        Stage::Limits => Some(205),
        Stage::OomScore => Some(206),
        Stage::Stdin | Stage::Tty => Some(208),
        Stage::Root => Some(210),
        Stage::Groups | Stage::SetGid => Some(216),
        Stage::User | Stage::SetUid => Some(217),
        Stage::Capabilities => Some(218),
        Stage::Cgroup => Some(219),
        Stage::Session => Some(220),
        Stage::NoNewPrivileges => Some(227),
    }
}

impl Ending {
    /// Whether a step took too long before anything else went wrong.
    pub fn is_late(self) -> bool {
        self.fault == Some(Fault::Timeout)
    }

    /// For the commands that come after it, and `stop.command`.
    pub fn variables(self) -> Vec<Variable> {
        self.named(["SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"])
    }

    fn named(self, [result, code, status]: [&'static str; 3]) -> Vec<Variable> {
        let word = self.fault.map_or("success", Fault::word);
        let mut told = vec![(result, word.to_owned())];
        if let Some(exit) = self.exit {
            let (how, what) = match exit {
                Exit::Code(number) => ("exited", number.to_string()),
                Exit::Signal { number, core: false } => ("killed", number.word()),
                Exit::Signal { number, core: true } => ("dumped", number.word()),
            };
            told.extend([(code, how.to_owned()), (status, what)]);
        }
        told
    }
}

impl Monitored {
    /// For whoever was started because of it. There is no MONITOR_INVOCATION_ID: finit numbers
    /// no runs in a way that anybody outside could look up.
    pub fn variables(&self) -> Vec<Variable> {
        if self.below {
            return Vec::new();
        }
        let names = ["MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS"];
        let mut told = self.ending.named(names);
        told.push(("MONITOR_UNIT", self.unit.clone()));
        told
    }

    /// Whose failure it was.
    pub fn unit(&self) -> &str {
        &self.unit
    }
}

impl Node {
    /// Whether the run of the state that it is in is its main process; the program that is to
    /// leave a daemon behind is not.
    fn runs_main(&self, spec: &ServiceSpec) -> bool {
        match self.state {
            State::Starting { step: StartStep::Main(_), .. } => spec.ready.when.pidfile().is_none(),
            State::Starting { step: StartStep::Adopt, .. }
            | State::Up { .. }
            | State::Stopping { .. } => self.pid.is_some(),
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => false,
        }
    }

    /// Its main process ended.
    pub fn note_main(&mut self, ended: &Ended) {
        self.ending.exit = match ended {
            Ended::Exit(exit) => Some(*exit),
            Ended::NotExecuted(error) => status_of(error.stage).map(Exit::Code),
            Ended::Early { exit, .. } => *exit,
            Ended::Unseen
            | Ended::TooSlow(_)
            | Ended::Silent(_)
            | Ended::GaveUp
            | Ended::Lingering(_)
            | Ended::Unhealthy { .. } => None,
        };
    }

    /// What the end of its main process is: a good one is a failure while some sign is still
    /// missing that the service is up. It never was, and will not be (systemd: `protocol`).
    pub fn or_early(&self, spec: &ServiceSpec, ended: Ended) -> Ended {
        let starts = matches!(self.state, State::Starting { .. }) && self.runs_main(spec);
        let tells =
            matches!(spec.ready.when, Ready::Notify | Ready::Descriptor(_) | Ready::Found(_));
        if !(starts && tells && respawn::is_success(spec, &ended)) {
            return ended;
        }
        Ended::Early { exit: ended.exit(), ready: spec.ready.when.to_string() }
    }

    /// Whether it would not start now but for the failure of another.
    fn is_idle(&self) -> bool {
        match self.state {
            State::Down(DownWhy::Ended) | State::Skipped(_) | State::Failed(_) => true,
            State::Done(_) => !self.restarting,
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. } => !self.wanted,
        }
    }
}

impl Engine {
    /// Something of a service went wrong; what did first since its start counts.
    pub(super) fn blame(&mut self, id: NodeId, fault: Fault) {
        if let Some(node) = self.node_mut(id) {
            node.ending.fault.get_or_insert(fault);
        }
    }

    /// The run that the state of a node is about ended.
    pub(super) fn note_end(&mut self, run: RunId, ended: &Ended) {
        let Some(node) = self.node_mut(run.node) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let is_program = matches!(node.state, State::Starting { step: StartStep::Main(_), .. });
        let is_main = node.runs_main(&spec);
        if is_main {
            node.note_main(ended);
        }
        let ended = node.or_early(&spec, ended.clone());
        if !respawn::is_success(&spec, &ended) && (is_main || is_program) {
            self.blame(run.node, Fault::of(&ended));
        }
    }

    /// A service has failed, and another is asked to step in: it is told of the failure that it
    /// starts for. One that comes while it is at work starts nothing, and is not told.
    pub(super) fn monitor(&mut self, helper: NodeId, failed: NodeId) {
        let idle = self.node(helper).is_some_and(Node::is_idle);
        if let Some(monitored) = self.failure_of(failed, false).filter(|_| idle) {
            self.change(helper, |node| node.monitored = Some(monitored));
        }
    }

    /// One below that helper that has failed is to be tried again: what comes of that comes of
    /// this failure.
    pub(super) fn monitor_below(&mut self, below: NodeId, failed: NodeId) {
        let over = |node: &Node| matches!(node.state, State::Failed(_)) && node.hung.is_none();
        let over = self.node(below).is_some_and(over);
        if let Some(monitored) = self.failure_of(failed, true).filter(|_| over) {
            self.change(below, |node| node.monitored = Some(monitored));
        }
    }

    fn failure_of(&self, failed: NodeId, below: bool) -> Option<Box<Monitored>> {
        let node = self.node(failed)?;
        Some(Box::new(Monitored { unit: node.name.to_string(), ending: node.ending, below }))
    }

    /// It starts because a person or a time asks for it, or it rests: no failure stands behind it.
    pub(super) fn forget_monitored(&mut self, id: NodeId) {
        if let Some(node) = self.node_mut(id) {
            node.monitored = None;
        }
    }
}
