//! When a started service counts as up, and what it tells of itself from then on.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Ended;
use super::health::Vitals;
use super::id::{NodeId, RunId};
use super::node::{Aside, Node};
use super::notice::{Notice, Watchdog};
use super::state::{Rung, StartStep, State};
use super::{Aim, Cause, Effect, Engine, Group, Level, Spawn, What, conditions, view};
use crate::config::spec::{CommandLine, NotifyFrom, Probe, Ready, ServiceSpec};
use crate::facts::{Exit, Moment, NOBODY_LEFT, Pid, SignalNumber};

/// How long until a look that came to nothing is taken again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a daemon may be unknown after the program that left it has ended, where nothing else
/// is said: it may have died.
const ADOPTION: Duration = Duration::from_secs(60);

/// What is known of a running service beside its state; most tell nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidings {
    /// What it does, in its own words.
    pub status: String,
    /// What it is about.
    pub doing: Doing,
    /// When what it is about has taken too long.
    #[serde(default)]
    pub over_at: Option<Moment>,
    /// The time between two signs of life that it asked for itself.
    pub watchdog: Option<Duration>,
    /// When it will have been silent for too long.
    pub silent_at: Option<Moment>,
    /// When to look again whether it is up.
    pub probe_at: Option<Moment>,
    /// How the command that tells whether it is up has ended last.
    #[serde(default)]
    pub probed: String,
    /// What checks of its health have found, if it has any.
    #[serde(default)]
    pub health: Option<Vitals>,
}

/// What a service says that it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    /// Its work.
    #[default]
    Work,
    /// The same, and it may have begun to read its configuration again: it got the signal.
    Asked,
    /// It reads its configuration again.
    Reloading,
    /// Its work, as far as anybody knows: it never said that it has read its configuration.
    Late,
    /// It goes down by itself.
    Stopping,
}

impl Tidings {
    /// When something happens by itself.
    pub fn deadline(&self) -> Option<Moment> {
        let check_at = self.health.as_ref().and_then(|health| health.check_at);
        let look = Moment::first(self.probe_at, check_at);
        Moment::first(Moment::first(self.silent_at, self.over_at), look)
    }

    /// The words for a status; empty where there are none.
    pub fn words(&self) -> String {
        let found = self.health.as_ref().map_or("", |health| &health.words);
        let own = self.own_words();
        match (found.is_empty(), own.is_empty()) {
            (true, _) => own,
            (false, true) => found.to_owned(),
            (false, false) => format!("{found}; it says: {own}"),
        }
    }

    /// What it says itself.
    fn own_words(&self) -> String {
        let doing = match self.doing {
            Doing::Work | Doing::Asked => "",
            Doing::Reloading => "reloading",
            Doing::Late => "its reload was not done in time (start-timeout)",
            Doing::Stopping => "says that it is stopping",
        };
        match (doing.is_empty(), self.status.is_empty()) {
            (_, true) => doing.to_owned(),
            (true, false) => self.status.clone(),
            (false, false) => format!("{doing}: {}", self.status),
        }
    }
}

impl Node {
    /// Forgets what the new state has no use for: what was told, and that a person asked for it,
    /// who has got it, or was told why not.
    pub fn review_tidings(&mut self) {
        self.summoned &= match self.state {
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. } => true,
            State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Up { .. }
            | State::Failed(_)
            | State::Done(_) => false,
        };
        match self.state {
            State::Starting { .. } | State::Up { .. } => {}
            State::Stopping { .. } => {
                if let Some(tidings) = &mut self.tidings {
                    (tidings.silent_at, tidings.probe_at, tidings.over_at) = (None, None, None);
                    tidings.health = None;
                }
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => self.tidings = None,
        }
    }

    /// The run of a start, once all of its programs have been started.
    fn final_run(&self) -> Option<RunId> {
        let State::Starting { run, step, .. } = &self.state else { return None };
        let last = match step {
            StartStep::Main(index) => index.saturating_add(1) == self.spec()?.commands.len(),
            StartStep::Adopt => true,
            StartStep::Check
            | StartStep::OnlyIf(_)
            | StartStep::Bind
            | StartStep::Before(_)
            | StartStep::After(_)
            | StartStep::Read(_) => false,
        };
        last.then_some(*run)
    }
}

impl Engine {
    /// The program of a run was executed: that is all the readiness some promise.
    pub(super) fn on_executed(&mut self, run: RunId) {
        match self.awaited(run) {
            Some(Ready::Exec) => self.become_up(run),
            // The started program has to end first.
            Some(Ready::Found(Probe::Forked(_))) => {}
            Some(Ready::Found(_)) => self.probe(run.node),
            Some(Ready::Exit | Ready::Notify | Ready::Descriptor(_)) | None => {}
        }
    }

    /// A line came through the descriptor of a run.
    pub(super) fn on_wrote(&mut self, run: RunId) {
        if matches!(self.awaited(run), Some(Ready::Descriptor(_))) {
            self.become_up(run);
        }
    }

    /// When a run counts as up, if it has only that still to come.
    fn awaited(&self, run: RunId) -> Option<&Ready> {
        let node = self.node(run.node).filter(|node| node.final_run() == Some(run))?;
        node.spec().map(|spec| &spec.ready.when)
    }

    /// The program that was to leave a daemon behind has ended well: which process is it?
    pub(super) fn adopt(&mut self, id: NodeId, run: RunId, spec: &ServiceSpec) {
        let Some(node) = self.node_mut(id) else { return };
        node.pid = None;
        // It may have asked for more time.
        let had = node.state.deadline();
        let until =
            self.start_deadline(id, spec).map(|until| had.map_or(until, |had| had.max(until)));
        let until = until.or(Some(self.now.after(ADOPTION)));
        self.set_state(id, State::Starting { run, step: StartStep::Adopt, until });
        self.probe(id);
    }

    /// The run of the main process of a node, whether or not it is known which that is.
    pub fn main_run(&self, id: NodeId) -> Option<RunId> {
        let node = self.node(id)?;
        match node.state {
            State::Starting { .. } => node.final_run(),
            State::Up { run } | State::Stopping { run, .. } => run,
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => None,
        }
    }

    /// Whose words count.
    pub fn notify_from(&self, id: NodeId) -> Option<NotifyFrom> {
        self.node(id).and_then(|node| node.spec()).map(|spec| spec.ready.notify_from)
    }

    /// Has somebody look whether it is up.
    pub(super) fn probe(&mut self, id: NodeId) {
        let Some(service) = self.node(id).and_then(|node| node.spec()).map(Rc::clone) else {
            return;
        };
        let Ready::Found(probe) = &service.ready.when else { return };
        if let Probe::Command(hook, _) = probe {
            self.launch_aside(id, Aside::Probe, hook, None);
            return;
        }
        let run = self.new_aside(id, Aside::Probe, None);
        self.send_out(run, service, What::Probe);
    }

    /// Starts finit itself to look at a service.
    pub(super) fn send_out(&mut self, run: RunId, service: Rc<ServiceSpec>, what: What) {
        let command = CommandLine { words: Default::default() };
        let (user, told) = (None, Vec::new());
        self.emit(Effect::Spawn(Box::new(Spawn { run, service, what, command, user, told })));
    }

    /// Whoever looked has an answer; or is gone, and another one looks after a while.
    pub(super) fn on_probe_ended(&mut self, id: NodeId, found: bool) {
        let Some(node) = self.node(id) else { return };
        let (Some(run), Some(spec)) = (node.final_run(), node.spec()) else { return };
        let lacks_main = spec.ready.when.pidfile().is_some() && node.pid.is_none();
        if found && !lacks_main {
            self.become_up(run);
            return;
        }
        let every = if let Ready::Found(Probe::Command(_, every)) = &spec.ready.when {
            *every
        } else {
            AGAIN
        };
        let at = self.now.after(every);
        self.change(id, |node| node.tidings.get_or_insert_default().probe_at = Some(at));
    }

    /// Whether nobody is left who could be the daemon that is looked for.
    pub(super) fn is_dead(&self, id: NodeId, ended: &Ended, group: Group) -> bool {
        let adopts = |node: &Node| {
            matches!(node.state, State::Starting { step: StartStep::Adopt, .. })
                && node.pid.is_none()
        };
        let nobody = *ended == Ended::Exit(Exit::Code(NOBODY_LEFT));
        group == Group::Empty && nobody && self.node(id).is_some_and(adopts)
    }

    /// Keeps how the command that tells whether it is up has ended.
    pub(super) fn note_probe(&mut self, id: NodeId, ended: &Ended) {
        let by_command =
            |spec: &ServiceSpec| matches!(spec.ready.when, Ready::Found(Probe::Command(..)));
        let Some(node) = self.node_mut(id) else { return };
        if node.spec().is_some_and(|spec| by_command(spec)) {
            node.tidings.get_or_insert_default().probed = ended.to_string();
        }
    }

    /// What a start that takes too long at that step has waited for.
    pub(super) fn lacked(&self, id: NodeId, spec: &ServiceSpec, step: StartStep) -> String {
        if let Some(hook) = conditions::hook(spec, step) {
            return format!("`{}` has not ended", view::short(&hook.command));
        }
        if matches!(step, StartStep::Read(_)) {
            return "its env-file has not been read, a file system does not answer".to_owned();
        }
        let probed = self.node(id).and_then(|node| node.tidings.as_ref());
        let probed = probed.map(|tidings| tidings.probed.as_str()).filter(|how| !how.is_empty());
        match &spec.ready.when {
            Ready::Exec => "its program was not executed".to_owned(),
            Ready::Exit => "it has not ended".to_owned(),
            Ready::Notify => "it has not said READY=1".to_owned(),
            Ready::Descriptor(number) => format!("no line came through descriptor {number}"),
            Ready::Found(Probe::Accepts(address)) => format!("nobody listens at {address}"),
            Ready::Found(Probe::Bus(name)) => format!("nobody owns {name}"),
            Ready::Found(Probe::File(path)) => format!("no file {}", path.display()),
            Ready::Found(Probe::Forked(_)) if step != StartStep::Adopt => {
                "the program that is to leave a daemon behind has not ended".to_owned()
            }
            Ready::Found(Probe::Forked(path)) => {
                format!("no pid file {} that names a process of it", path.display())
            }
            Ready::Found(Probe::Command(..)) => match probed {
                Some(how) => format!("its ready command {how}"),
                None => "its ready command has not ended".to_owned(),
            },
        }
    }

    /// Nobody has to look any more.
    pub(super) fn end_probe(&mut self, id: NodeId) {
        self.end_asides(id, |aside| matches!(aside, Aside::Probe | Aside::Health));
    }

    /// Commands beside a service are over, and nobody waits for their ends any more.
    pub(super) fn end_asides(&mut self, id: NodeId, which: fn(Aside) -> bool) {
        let Some(node) = self.node(id) else { return };
        let found = node.asides.iter().filter(|(_, beside)| which(beside.aside));
        for generation in found.map(|(generation, _)| *generation).collect::<Vec<_>>() {
            self.change(id, |node| node.asides.remove(&generation));
            self.signal(id, Aim::Run(RunId { node: id, generation }), SignalNumber::KILL);
        }
    }

    /// Whether the words of a process of that run count, or of one of unknown run: those of a main
    /// process that was left alone (`stop.scope = "none"`) are not about the one after it.
    pub fn heeds(&self, id: NodeId, run: Option<RunId>) -> bool {
        let is_of_now = |node: &Node| {
            run.is_none_or(|run| {
                run.node == id && (node.is_main(run) || node.asides.contains_key(&run.generation))
            })
        };
        self.node(id).is_some_and(is_of_now)
    }

    /// It tells something of itself.
    pub(super) fn on_notified(&mut self, id: NodeId, from: Option<RunId>, notice: Notice) {
        if !self.heeds(id, from) {
            return;
        }
        let spec = self.node(id).and_then(|node| node.spec()).map(Rc::clone);
        let (Some(run), Some(spec)) = (self.main_run(id), spec) else { return };
        self.take_down(id, &notice);
        if let Some(time) = notice.extend {
            self.extend(id, time);
        }
        let starts = matches!(self.node(id), Some(node) if node.final_run() == Some(run));
        if notice.ready && starts && spec.ready.when == Ready::Notify {
            self.become_up(run);
        }
        match notice.watchdog {
            Some(Watchdog::Trigger) => self.abort(id, Ended::GaveUp),
            Some(Watchdog::Alive) => self.feed(id),
            None if notice.watchdog_time.is_some() => self.feed(id),
            None => {}
        }
    }

    /// Keeps what was told.
    fn take_down(&mut self, id: NodeId, notice: &Notice) {
        let Some(node) = self.node_mut(id) else { return };
        if let Some(pid) = notice.main_pid {
            node.pid = Some(pid);
        }
        if notice.status.is_some() || notice.watchdog_time.is_some() {
            let tidings = node.tidings.get_or_insert_default();
            tidings.watchdog = notice.watchdog_time.or(tidings.watchdog);
            if let Some(status) = &notice.status {
                status.clone_into(&mut tidings.status);
            }
        }
        self.take_doing(id, notice);
    }

    /// It needs more time for what it is doing: it gets that, and never less than it had.
    fn extend(&mut self, id: NodeId, time: Duration) {
        let now = self.now;
        let later = |until: Option<Moment>| until.map(|until| until.max(now.after(time)));
        let Some(node) = self.node(id) else { return };
        let state = match node.state.clone() {
            State::Starting { run, step, until } => {
                State::Starting { run, step, until: later(until) }
            }
            State::Stopping { run, rung, until, then } if rung < Rung::Killed => {
                self.move_stop_command(id, later);
                State::Stopping { run, rung, until: later(until), then }
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => {
                self.extend_doing(id, self.now.after(time));
                return;
            }
        };
        self.set_state(id, state);
    }

    /// A sign of life, once it is up: the time runs anew. One that stops owes none.
    pub(super) fn feed(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| node.doing() != Doing::Stopping) else {
            return;
        };
        let own = node.tidings.as_ref().and_then(|tidings| tidings.watchdog);
        let time = own.or(node.spec().and_then(|spec| spec.ready.watchdog));
        if let (State::Up { run: Some(_) }, Some(time)) = (&node.state, time) {
            let at = (!time.is_zero()).then(|| self.now.after(time));
            self.change(id, |node| node.tidings.get_or_insert_default().silent_at = at);
        }
    }

    /// The time of its tidings has come.
    pub(super) fn on_tidings_due(&mut self, id: NodeId) {
        let now = self.now;
        let due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        let Some(tidings) = self.node(id).and_then(|node| node.tidings.as_ref()) else { return };
        if due(tidings.probe_at) {
            self.change(id, |node| node.tidings.as_mut().map(|tidings| tidings.probe_at.take()));
            self.probe(id);
        } else if due(tidings.over_at) {
            self.on_doing_late(id);
        } else if due(tidings.silent_at) {
            self.on_silent(id);
        } else {
            self.on_health_due(id);
        }
    }

    /// It hangs.
    fn on_silent(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let own = node.tidings.as_ref().and_then(|tidings| tidings.watchdog);
        let time = own.or(node.spec().and_then(|spec| spec.ready.watchdog));
        self.abort(id, Ended::Silent(time.unwrap_or_default()));
    }

    /// One that is up ends in this way: SIGABRT lets it leave a core dump, and what follows is as
    /// after a crash.
    fn abort(&mut self, id: NodeId, ended: Ended) {
        let Some(node) = self.node(id) else { return };
        let (State::Up { run: Some(run) }, Some(spec)) =
            (node.state.clone(), node.spec().map(Rc::clone))
        else {
            return;
        };
        let name = node.name.clone();
        self.end_probe(id);
        let (what, cause) = if ended == Ended::GaveUp {
            ("gave itself up", "its own word, WATCHDOG=trigger")
        } else {
            ("gave no sign of life", "the end of its watchdog time")
        };
        self.because_of_its_start(id, Cause::Timer(cause.into()));
        self.tell(Level::Trouble, format!("{name} {what}: it is ended with SIGABRT (watchdog)"));
        let said = self.last_words(id).unwrap_or_default();
        let how = format!("{ended}{said}");
        let then = self.take_end(id, &spec, ended, how);
        let until = self.stop_deadline(&spec);
        self.set_state(id, State::Stopping { run: Some(run), rung: Rung::Asked, until, then });
        self.signal(id, Aim::Run(run), SignalNumber::ABRT);
        self.signal(id, Aim::Run(run), SignalNumber::CONT);
    }

    /// Nobody wants it any more: what it gave to be kept for its next start goes. By an older
    /// definition it may have given something where it cannot by this one.
    pub(super) fn unkeep(&mut self, id: NodeId) {
        if self.node(id).is_some_and(|node| node.spec().is_some()) {
            self.emit(Effect::Unkeep { node: id });
        }
    }

    fn become_up(&mut self, run: RunId) {
        let id = run.node;
        self.end_probe(id);
        let Some(node) = self.node_mut(id) else { return };
        node.stirred = false;
        let (leaving, why) = (node.leaving, node.cause.clone());
        // Whatever follows for others does so since this one came.
        self.cause = why;
        self.set_state(id, State::Up { run: Some(run) });
        self.bound_doing(id);
        self.feed(id);
        self.begin_health(id);
        self.tell_up(id);
        if !leaving {
            self.after_start(id, 0);
        }
    }

    fn tell_up(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let level = if node.history.restarts == 0 { Level::Progress } else { Level::Detail };
        let pid = node.pid.map(Pid::raw).map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        let text = format!("{} is up{pid}", node.name);
        self.tell(level, text);
    }
}
