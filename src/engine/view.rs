//! What a person sees: every state in words, with the one reason that matters.

use super::Engine;
use super::conditions;
use super::event::Cause;
use super::id::NodeId;
use super::node::{Body, Node};
use super::power::Phase;
use super::schedule::span;
use super::settle::is_firm;
use super::state::{DownWhy, Rung, StartStep, State, Then};
use crate::config::spec::{CommandLine, Kind, LogTarget, Piece, Ready, ServiceSpec, Stream, Word};
use crate::facts::{Moment, Pid, glob, log};
use crate::proto::report::Detail;
use crate::proto::{MachineReport, Refusal, Reply, ServiceReport, StateWord};

/// Most characters of a command that stands in a reason.
const SHORT: usize = 60;
/// Most that wait for one another and are followed for one line.
const ROW: usize = 32;

/// Of a mistake in the file, for those who may not know more.
const A_MISTAKE: &str = "a mistake in the file, which root is told";

impl Engine {
    /// The machine and all of its services in short; who asked for what only where that may be
    /// `known`.
    pub(super) fn machine_report(&self, known: bool) -> MachineReport {
        let boot = match self.phase {
            Phase::Running(took) => Some(millis(took)),
            Phase::Boot | Phase::Down { .. } => None,
        };
        MachineReport {
            phase: self.phase.to_string(),
            scheduled: self.scheduled_report(known),
            target: self.target.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: millis(self.now.since(self.began)),
            boot_ms: boot,
            warnings: self.warnings_for(known).chain(self.trial_warning(known)).collect(),
            services: self
                .ids()
                .filter(|id| self.node(*id).is_some_and(|node| !node.name.is_empty()))
                .map(|id| self.service_report(id, false, known))
                .collect(),
        }
    }

    /// What a person must know. Behind its first line may follow one of the file, which not
    /// everybody may read.
    fn warnings_for(&self, known: bool) -> impl Iterator<Item = String> {
        let lines = if known { usize::MAX } else { 1 };
        let told = move |text: &String| text.lines().take(lines).collect::<Vec<_>>().join("\n");
        self.warnings.iter().map(told)
    }

    /// One service; in full with `detail`, and with who asked where that may be `known`.
    pub(super) fn service_report(&self, id: NodeId, detail: bool, known: bool) -> ServiceReport {
        let Some(node) = self.node(id) else { return ServiceReport::nobody() };
        if matches!(node.body, Body::Template) {
            return self.umbrella_report(node, detail, known);
        }
        let inetd = node.spec().is_some_and(|spec| spec.is_inetd());
        ServiceReport {
            name: node.name.to_string(),
            kind: kind(node).to_owned(),
            state: word(&node.state),
            since_ms: millis(self.now.since(node.since)),
            pid: node.pid.map(Pid::raw),
            restarts: node.history.restarts,
            reason: self.reason(node, known),
            held: node.is_held(),
            frozen: node.frozen_report(self.now, known),
            connections: inetd.then(|| u32::try_from(node.connections.len()).unwrap_or(u32::MAX)),
            timer: self.timer_report(node),
            cgroup: None,
            own_user: None,
            detail: detail.then(|| self.detail(node)),
        }
    }

    /// The service of that name, or those of a pattern; in full, and with who asked, where that
    /// may be `known`.
    pub(super) fn status(&self, name: &str, known: bool) -> Result<Reply, Refusal> {
        let report = |id: NodeId| self.service_report(id, known, known);
        if glob::is_pattern(name) {
            let reports = self.find_matching(name)?.into_iter().map(report);
            return Ok(Reply::Services(reports.collect()));
        }
        Ok(Reply::Service(Box::new(report(self.find(name)?))))
    }

    pub(super) fn detail(&self, node: &Node) -> Detail {
        let spec = node.spec();
        let state_of =
            |id: &NodeId| self.node(*id).map(|node| (node.name.to_string(), self.word_of(node)));
        let file = |stream| self.log_file(node, spec?.exec.log_of(stream));
        let (log, errors) = (file(Stream::Output), file(Stream::Errors));
        let log_stderr = errors.filter(|errors| log.as_ref() != Some(errors));
        let tag = |stream, path: &Option<String>| {
            let exec = &spec.filter(|_| path.is_some())?.exec;
            let is_shared = matches!(exec.log_of(stream), LogTarget::File(_));
            is_shared.then(|| log::tag(exec.log_tag().unwrap_or(&node.name)))
        };
        let (log_tag, log_stderr_tag) =
            (tag(Stream::Output, &log), tag(Stream::Errors, &log_stderr));
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
            log_stderr,
            log_tag,
            log_stderr_tag,
            strays: 0,
        }
    }

    /// The file that lines of a node go to, if they go to one.
    fn log_file(&self, node: &Node, target: &LogTarget) -> Option<String> {
        match target {
            LogTarget::Files => {
                let file = log::file_name(&node.name);
                Some(self.log_settings().directory.join(file).display().to_string())
            }
            LogTarget::File(path) => Some(path.display().to_string()),
            LogTarget::Syslog | LogTarget::Kmsg | LogTarget::Console | LogTarget::None => None,
        }
    }

    /// A state as a phrase that follows the name of the node.
    pub(super) fn state_in_words(&self, node: &Node) -> String {
        let pid = node.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        let reason = if is_short(node) { String::new() } else { self.reason(node, true) };
        let base = format!("{}{pid}", self.word_of(node).word());
        if reason.is_empty() { base } else { format!("{base}: {reason}") }
    }

    /// The one reason that matters, when it runs next, what went wrong beside it, for whom it is
    /// there, and who froze or holds it; who asked only where that may be `known`.
    pub(super) fn reason(&self, node: &Node, known: bool) -> String {
        if matches!(node.body, Body::Template) && node.state.waits_for().is_none() {
            return self.umbrella_reason(node, known);
        }
        let slips = node.slips.as_deref().map(str::to_owned);
        let gone = node.removed.then(|| "not in the file any more".to_owned());
        let lent = self.names.get(&*node.name).and_then(|id| self.lent_words(*id));
        let frozen = node.frozen_words(self.now, known);
        let held = node.held_words(self.now, known);
        let late = node.backlog.as_ref().map(|backlog| backlog.words());
        let rest = slips.into_iter().chain(gone).chain(lent).chain(frozen).chain(held).chain(late);
        joined([self.reason_and_times(node, known)].into_iter().chain(rest))
    }

    fn reason_and_times(&self, node: &Node, known: bool) -> String {
        if let (Some(sight), true) = (Self::next_of(node), node.state.is_active()) {
            return joined([
                self.plain_reason(node, known),
                format!("runs once more, since {sight}"),
            ]);
        }
        let spec = node.living_spec();
        let comes = spec.is_some_and(|spec| spec.schedule.is_some() || spec.watch.is_some());
        if node.state.is_active() || !comes {
            return self.plain_reason(node, known);
        }
        if let Some(why) = self.not_asked(node) {
            return joined([self.plain_reason(node, known), why]);
        }
        // It rests between two runs, unless somebody stopped it.
        let rests = matches!(node.state, State::Down(_)) && !node.is_off();
        let before = if rests { last_exit(node) } else { self.plain_reason(node, known) };
        let next = self.next_time(node).or_else(|| self.next_sight(node));
        joined([before].into_iter().chain(next))
    }

    /// When times make it run next, if they do.
    fn next_time(&self, node: &Node) -> Option<String> {
        let table = node.timetable.as_ref();
        match table.and_then(|table| table.due) {
            _ if !node.timed || node.living_spec()?.schedule.is_none() => None,
            Some(due) => Some(format!("next run in {}", span(due.since(self.now)))),
            None if node.is_off() || table?.never.is_some() => Some(self.no_time(node)),
            None => None,
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

    pub(super) fn plain_reason(&self, node: &Node, known: bool) -> String {
        // A mistake may quote the file, which not everybody may read.
        if let (Body::LeftOut(_), false) = (&node.body, known) {
            return format!("left out: {A_MISTAKE}");
        }
        match &node.state {
            State::Waiting { on: on_id, .. } => {
                if let Some(words) = self.alternatives_in_words(node, *on_id) {
                    return words;
                }
                let (name, on) = (self.name(*on_id), self.node(*on_id));
                if let Some(Body::LeftOut(mistake)) = on.map(|node| &node.body) {
                    let mistake = if known { mistake } else { A_MISTAKE };
                    return format!("needs {name}, which was left out: {mistake}");
                }
                let word = on.map_or("gone", |node| word(&node.state).word());
                let is_rival = on.is_some_and(|on| keeps_away(on, *on_id, node));
                let is_needed = node.edges.needs.iter().flatten().any(|need| need == on_id);
                let lacks_nothing = is_needed && self.missing_need(node).is_none();
                if lacks_nothing && !is_rival && on.is_some_and(is_firm) {
                    // It yields: what it needs needs what it excludes.
                    return format!("needs {name}, which goes when this one starts");
                }
                let verb = if is_rival { "conflicts with" } else { "waits for" };
                let held = on.is_some_and(Node::is_held);
                let held =
                    if held { format!(" and held: finitctl unhold {name}") } else { String::new() };
                let end = on.map(|on| self.end_of_wait(on)).unwrap_or_default();
                let leaves = on.map(leaves).unwrap_or_default();
                format!("{verb} {name}, which is {word}{leaves}{end}{held}")
            }
            State::Backoff { until, why } => {
                let wait = until.since(self.now);
                format!("{why}; again in {:.1} s", wait.as_secs_f32())
            }
            State::Starting { step: StartStep::Check, .. } => {
                "its conditions are being looked at".to_owned()
            }
            State::Starting { step: StartStep::Read(_), .. } => {
                "its env-file is being read".to_owned()
            }
            State::Awaiting { path, .. } => format!("waits for {path}"),
            State::Failed(why) | State::Skipped(why) => why.clone(),
            State::Down(DownWhy::Ended) | State::Done(_) => last_exit(node),
            State::Down(DownWhy::Stopped) if node.spec().is_some() => match node.cause.cause() {
                Cause::Exit(how) => how.clone(),
                Cause::NotStarted(_) => node.cause.to_string(),
                Cause::Person { .. } if !known => "stopped by a person".to_owned(),
                Cause::Rival(_) => {
                    let until = self.until_in_words(node);
                    format!("stopped by {}{until}", node.cause.cause().story())
                }
                Cause::LetGo(name) => format!("no longer needed by {name}"),
                Cause::Boot
                | Cause::Dependency(_)
                | Cause::Order(_)
                | Cause::NeededBy(_)
                | Cause::WantedBy(_)
                | Cause::Failure(_)
                | Cause::Whole(_)
                | Cause::Person { .. }
                | Cause::Condition
                | Cause::Timer(_)
                | Cause::Signal(_)
                | Cause::Connection
                | Cause::Path(_)
                | Cause::Config
                | Cause::Shutdown => format!("stopped by {}", node.cause),
            },
            State::Starting { .. } => self.on_its_way_up(node),
            State::Stopping { .. } | State::Cleaning { .. } => self.on_its_way_down(node),
            State::Up { .. } => node.tidings.as_ref().map(|t| t.words()).unwrap_or_default(),
            State::Listening => node.pause_in_words(self.now),
            State::Down(_) => String::new(),
        }
    }

    /// What one that waits is waiting for itself: where others wait between them, the last of that
    /// row, as nobody else can do anything about it.
    fn end_of_wait(&self, on: &Node) -> String {
        let next = |node: &&Node| node.state.waits_for().and_then(|id| self.node(id));
        let row: Vec<&Node> = std::iter::successors(Some(on), next).take(ROW).collect();
        let between = if row.len() > 2 { " in the end" } else { "" };
        let Some((last, row)) = row.split_last() else { return String::new() };
        if let State::Awaiting { path, .. } = &last.state {
            return format!("{between} for {path}");
        }
        // A row that goes on further than it is followed has no end here.
        let Some(waits) = row.last().filter(|_| last.state.waits_for().is_none()) else {
            return String::new();
        };
        let is = format!("{}, which is {}{}", last.name, word(&last.state).word(), leaves(last));
        let is_rival = waits.state.waits_for().is_some_and(|id| keeps_away(last, id, waits));
        match row {
            _ if !is_rival => format!("{between} for {is}"),
            [_] => format!(" and conflicts with {is}"),
            _ => format!("{between} for {}, which conflicts with {is}", waits.name),
        }
    }

    /// What a start waits for.
    fn on_its_way_up(&self, node: &Node) -> String {
        let (Some(spec), State::Starting { step, until, .. }) = (node.spec(), &node.state) else {
            return String::new();
        };
        if let Some(hook) = conditions::hook(spec, *step) {
            let key = if matches!(step, StartStep::Before(_)) {
                "before-start"
            } else if matches!(step, StartStep::After(_)) {
                "after-start"
            } else {
                "only-if-command"
            };
            return format!("runs {key}: {}{}", short(&hook.command), self.left(*until));
        }
        match (&spec.ready.when, step) {
            (Ready::Exit, StartStep::Main(index)) => {
                let command = spec.commands.get(*index).map(short).unwrap_or_default();
                format!("runs {command}{}", self.left(*until))
            }
            (Ready::Exec, _) => "not executed yet".to_owned(),
            (ready, _) => {
                let said = node.tidings.as_ref().map(|tidings| tidings.words());
                let said = said.filter(|words| !words.is_empty());
                let said = said.map(|words| format!("; it says: {words}")).unwrap_or_default();
                format!("not ready yet ({ready}){said}")
            }
        }
    }

    /// What a stop is for, if it is for a failure, and what comes next.
    fn on_its_way_down(&self, node: &Node) -> String {
        let Some(spec) = node.spec() else { return String::new() };
        match &node.state {
            State::Stopping { rung, until, then, .. } => {
                let why = if let Then::Fail(why) = then { why.clone() } else { String::new() };
                let left = until.map(|until| span(until.since(self.now)));
                let next = match (rung, left, &spec.stop.command) {
                    (Rung::Command, _, Some(hook)) => {
                        format!("runs stop.command: {}{}", short(&hook.command), self.left(*until))
                    }
                    (Rung::Command, ..) | (_, None, _) => "waits for its processes".to_owned(),
                    (Rung::Asked, Some(left), _) if spec.stop.kill => format!("SIGKILL in {left}"),
                    (Rung::Asked, Some(left), _) => format!("left alone in {left}"),
                    (Rung::Killed, Some(left), _) => format!("killed, and given up in {left}"),
                };
                joined([why, next])
            }
            State::Cleaning { index, until, .. } => {
                let hook = spec.hooks.after_stop.get(*index);
                let command = hook.map(|hook| short(&hook.command)).unwrap_or_default();
                format!("runs after-stop: {command}{}", self.left(*until))
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Failed(_)
            | State::Done(_) => String::new(),
        }
    }

    /// How long it still may take.
    fn left(&self, until: Option<Moment>) -> String {
        let left = until.map(|until| format!(" ({} left)", span(until.since(self.now))));
        left.unwrap_or_default()
    }
}

/// Whether nobody who follows what he asked for wants to read of that step: most often it is over
/// at once.
fn is_short(node: &Node) -> bool {
    let exec = || node.spec().is_some_and(|spec| matches!(spec.ready.when, Ready::Exec));
    let starts =
        matches!(node.state, State::Starting { step: StartStep::Main(_) | StartStep::Bind, .. });
    let then_fails = matches!(node.state, State::Stopping { then: Then::Fail(_), .. });
    let asked = matches!(node.state, State::Stopping { rung: Rung::Asked, .. });
    starts && exec() || asked && !then_fails && !node.removed && !node.is_held()
}

/// Whether one who runs, of that number, is what another is kept down by.
fn keeps_away(rival: &Node, id: NodeId, node: &Node) -> bool {
    rival.state.is_active() && node.edges.rivals().contains(&id)
}

/// That one who is there still is not to be waited for as it is.
pub(super) fn leaves(node: &Node) -> &'static str {
    if node.leaving { " and about to stop" } else { "" }
}

/// How its last run ended.
fn last_exit(node: &Node) -> String {
    node.last_exit.as_ref().map(ToString::to_string).unwrap_or_default()
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

pub(super) fn kind(node: &Node) -> &'static str {
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
pub(super) fn joined(parts: impl IntoIterator<Item = String>) -> String {
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

/// One of them as a part of a line: a script has many.
pub(super) fn short(command: &CommandLine) -> String {
    let whole = words(command).replace(char::is_control, " ");
    match whole.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", whole.get(..end).unwrap_or_default()),
        None => whole,
    }
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
