//! What a person sees: every state in words, with the one reason that matters.

use super::Engine;
use super::event::Cause;
use super::id::NodeId;
use super::node::{Body, Node};
use super::power::Phase;
use super::schedule::span;
use super::state::{DownWhy, StartStep, State, Then};
use crate::config::spec::{CommandLine, Kind, LogTarget, Piece, Ready, ServiceSpec, Word};
use crate::facts::Pid;
use crate::proto::report::Detail;
use crate::proto::{MachineReport, ServiceReport, StateWord};

impl Engine {
    /// The machine and all of its services in short.
    pub(super) fn machine_report(&self) -> MachineReport {
        let boot = match self.phase {
            Phase::Running(took) => Some(millis(took)),
            Phase::Boot | Phase::Down { .. } => None,
        };
        MachineReport {
            phase: self.phase.to_string(),
            scheduled: self.scheduled_report(),
            target: self.target.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: millis(self.now.since(self.began)),
            boot_ms: boot,
            warnings: self.warnings.iter().cloned().chain(self.trial_warning()).collect(),
            services: self
                .ids()
                .filter(|id| self.node(*id).is_some_and(|node| !node.name.is_empty()))
                .map(|id| self.service_report(id, false))
                .collect(),
        }
    }

    /// One service; in full with `detail`.
    pub(super) fn service_report(&self, id: NodeId, detail: bool) -> ServiceReport {
        let Some(node) = self.node(id) else { return ServiceReport::nobody() };
        let inetd = node.spec().is_some_and(|spec| spec.is_inetd());
        ServiceReport {
            name: node.name.clone(),
            kind: kind(node).to_owned(),
            state: word(&node.state),
            since_ms: millis(self.now.since(node.since)),
            pid: node.pid.map(Pid::raw),
            restarts: node.history.restarts,
            reason: self.reason(node),
            held: node.is_held(),
            frozen: node.frozen_report(self.now),
            connections: inetd.then(|| u32::try_from(node.connections.len()).unwrap_or(u32::MAX)),
            cgroup: None,
            detail: detail.then(|| self.detail(node)),
        }
    }

    fn detail(&self, node: &Node) -> Detail {
        let spec = node.spec();
        let state_of =
            |id: &NodeId| self.node(*id).map(|node| (node.name.clone(), word(&node.state)));
        let log = spec.and_then(|spec| match &spec.exec.log {
            LogTarget::Files => {
                let file = format!("{}.log", node.name);
                Some(self.log_settings().directory.join(file).display().to_string())
            }
            LogTarget::File(path) => Some(path.display().to_string()),
            LogTarget::Syslog | LogTarget::Kmsg | LogTarget::Console | LogTarget::None => None,
        });
        Detail {
            description: spec.map(|spec| spec.description.clone()).unwrap_or_default(),
            command: spec.map(|spec| command(&spec.commands)).unwrap_or_default(),
            cause: node.cause.to_string(),
            last_exit: node.last_exit.as_ref().map(ToString::to_string),
            enabled: spec.is_some_and(|spec| spec.enabled),
            changed: node.pending.is_some(),
            sockets: spec
                .and_then(|spec| spec.sockets.as_ref())
                .map(|s| s.sockets.iter().map(|one| one.address.to_string()).collect())
                .unwrap_or_default(),
            watches: spec.map(|spec| watches(spec)).unwrap_or_default(),
            needs: node.edges.needs.iter().flatten().filter_map(state_of).collect(),
            after: node.edges.after.iter().filter_map(state_of).collect(),
            needed_by: node.edges.needed_by.iter().map(|id| self.name(*id).to_owned()).collect(),
            log,
            strays: 0,
        }
    }

    /// A state as a phrase that follows the name of the node.
    pub(super) fn state_in_words(&self, node: &Node) -> String {
        let pid = node.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        let reason = self.reason(node);
        let base = format!("{}{pid}", word(&node.state).word());
        if reason.is_empty() { base } else { format!("{base}: {reason}") }
    }

    /// The one reason that matters, when it runs next, for whom it is there, and who froze or holds
    /// it.
    pub(super) fn reason(&self, node: &Node) -> String {
        let lent = self.names.get(&node.name).and_then(|id| self.lent_words(*id));
        let frozen = node.frozen_words(self.now);
        let held = node.held_words(self.now);
        let rest = lent.into_iter().chain(frozen).chain(held);
        joined([self.reason_and_times(node)].into_iter().chain(rest))
    }

    fn reason_and_times(&self, node: &Node) -> String {
        if let (Some(sight), true) = (Self::next_of(node), node.state.is_active()) {
            return joined([self.plain_reason(node), format!("runs once more, since {sight}")]);
        }
        let has_paths = node.living_spec().is_some_and(|spec| spec.watch.is_some());
        if node.state.is_active() || !(node.timed || has_paths) {
            return self.plain_reason(node);
        }
        let before = match &node.state {
            // It rests between two runs, unless somebody stopped it.
            State::Down(_) if !node.is_off() => last_exit(node),
            _ => self.plain_reason(node),
        };
        let next = self.next_time(node).or_else(|| self.next_sight(node));
        joined([before].into_iter().chain(next))
    }

    /// When times make it run next, if they do.
    fn next_time(&self, node: &Node) -> Option<String> {
        let due = node.timetable.as_ref().and_then(|table| table.due);
        match due {
            _ if !node.timed => None,
            _ if node.is_off() => Some("its times are off until it is started".to_owned()),
            due => due.map(|due| format!("next run in {}", span(due.since(self.now)))),
        }
    }

    /// What of its paths makes it run next, if they do.
    fn next_sight(&self, node: &Node) -> Option<String> {
        let paths = node.living_spec()?.watch.as_ref()?;
        if node.is_off() {
            return Some("its paths are off until it is started".to_owned());
        }
        match node.watching.as_ref()?.until {
            Some(until) => {
                Some(format!("runs again in {:.1} s", until.since(self.now).as_secs_f32()))
            }
            None => match &**paths {
                [only] => Some(format!("watches {}", only.path)),
                many => Some(format!("watches {} paths", many.len())),
            },
        }
    }

    fn plain_reason(&self, node: &Node) -> String {
        match &node.state {
            State::Waiting { on: on_id, .. } => {
                if let Some(words) = self.alternatives_in_words(node, *on_id) {
                    return words;
                }
                let (name, on) = (self.name(*on_id), self.node(*on_id));
                if let Some(Body::LeftOut(mistake)) = on.map(|node| &node.body) {
                    return format!("needs {name}, which was left out: {mistake}");
                }
                let word = on.map_or("gone", |node| word(&node.state).word());
                let rival = on.is_some_and(|rival| rival.state.is_active())
                    && node.edges.rivals().contains(on_id);
                let verb = if rival { "conflicts with" } else { "waits for" };
                let held = on.is_some_and(Node::is_held);
                let held =
                    if held { format!(" and held: finitctl unhold {name}") } else { String::new() };
                format!("{verb} {name}, which is {word}{held}")
            }
            State::Backoff { until, why } => {
                let wait = until.since(self.now);
                format!("{why}; again in {:.1} s", wait.as_secs_f32())
            }
            State::Starting { step: StartStep::Check, .. } => {
                "its conditions are being looked at".to_owned()
            }
            State::Awaiting { path, .. } => format!("waits for {path}"),
            State::Failed(why) | State::Skipped(why) => why.clone(),
            State::Down(DownWhy::Ended) | State::Done(_) => last_exit(node),
            State::Down(DownWhy::Stopped) if node.spec().is_some() => match node.cause.cause() {
                Cause::Exit(how) => how.clone(),
                Cause::NotStarted(_) => node.cause.to_string(),
                Cause::Boot
                | Cause::Dependency(_)
                | Cause::Order(_)
                | Cause::NeededBy(_)
                | Cause::WantedBy(_)
                | Cause::Failure(_)
                | Cause::Rival(_)
                | Cause::Person { .. }
                | Cause::Condition
                | Cause::Timer(_)
                | Cause::Signal(_)
                | Cause::Connection
                | Cause::Path(_)
                | Cause::Config
                | Cause::Shutdown => format!("stopped by {}", node.cause),
            },
            State::Stopping { then: Then::Fail(why), .. } => why.clone(),
            State::Starting { .. } => awaited(node),
            State::Up { .. } => node.tidings.as_ref().map(|t| t.words()).unwrap_or_default(),
            State::Down(_) | State::Listening | State::Stopping { .. } | State::Cleaning { .. } => {
                String::new()
            }
        }
    }
}

/// How its last run ended.
fn last_exit(node: &Node) -> String {
    node.last_exit.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// What a start waits for, beside the end of its own programs.
fn awaited(node: &Node) -> String {
    let waits = node.spec().filter(|spec| !matches!(spec.ready.when, Ready::Exec | Ready::Exit));
    let Some(spec) = waits else { return String::new() };
    let said = node.tidings.as_ref().map(|tidings| tidings.words()).filter(|t| !t.is_empty());
    let said = said.map(|words| format!("; it says: {words}")).unwrap_or_default();
    format!("not ready yet ({}){said}", spec.ready.when)
}

/// The word for a state.
pub fn word(state: &State) -> StateWord {
    match state {
        State::Down(_) => StateWord::Stopped,
        State::Waiting { .. } | State::Awaiting { .. } => StateWord::Waiting,
        State::Skipped(_) => StateWord::Skipped,
        State::Listening => StateWord::Listening,
        State::Backoff { .. } => StateWord::Restarting,
        State::Starting { .. } => StateWord::Starting,
        State::Up { .. } => StateWord::Up,
        State::Stopping { .. } | State::Cleaning { .. } => StateWord::Stopping,
        State::Failed(_) => StateWord::Failed,
        State::Done(_) => StateWord::Done,
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.body {
        Body::Service(spec) => match spec.kind {
            Kind::Service => "service",
            Kind::Task => "task",
        },
        Body::Step(_) => "step",
        Body::Milestone => "milestone",
        Body::Target => "target",
        Body::Template => "template",
        // Whatever it was to be, it is missing.
        Body::LeftOut(_) => "service",
    }
}

pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What there is to say, as one line.
fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Paths that start it, each after what of it counts.
fn watches(spec: &ServiceSpec) -> Vec<String> {
    let each = spec.watch.iter().flat_map(|paths| paths.iter());
    each.map(|watched| format!("{} {}", watched.trigger.name(), watched.path)).collect()
}

/// Commands as a person would write them.
fn command(commands: &[CommandLine]) -> String {
    commands.iter().map(words).collect::<Vec<_>>().join("; ")
}

/// One of them.
pub(super) fn words(command: &CommandLine) -> String {
    let word = |pieces: &Word| -> String {
        let plain: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Whole(name) => format!("${{{name}}}"),
                Piece::Split(name) => format!("${name}"),
            })
            .collect();
        let is_one_word = !plain.is_empty() && !plain.contains(char::is_whitespace);
        if is_one_word { plain } else { format!("'{plain}'") }
    };
    command.words.iter().map(word).collect::<Vec<_>>().join(" ")
}
