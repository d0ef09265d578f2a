//! The way down: a ladder of ever harder requests, each with a deadline, so that no stop ever
//! waits for ever. `stop.command` or the stop signal; SIGKILL; giving up on what even that does
//! not end (a process in a hung system call).

use std::rc::Rc;
use std::time::Duration;

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::{Aside, Hung, Node};
use super::state::{Rung, StartStep, State, Then};
use super::told::Fault;
use super::{Aim, Cause, Effect, Engine, Group, Level, conditions};
use crate::config::spec::{ServiceSpec, StopScope};
use crate::facts::{Exit, Moment, SignalNumber};

/// How long SIGKILL may take: it is not the process that obeys, it is the kernel that ends it,
/// and only a hung system call keeps it from that.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    /// Stops a node, whatever it is doing.
    pub(super) fn stop(&mut self, id: NodeId, then: Then) {
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else {
            self.apply(id, then);
            return;
        };
        match node.state.clone() {
            State::Down(_)
            | State::Failed(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Backoff { .. } => self.apply(id, then),
            State::Listening => {
                let serving = !node.connections.is_empty();
                let leaves = node.strays && self.takes_all(&spec);
                // What was done before it accepts is to be undone, whoever is served.
                let hooks = &spec.hooks;
                let is_made = !(hooks.before_start.is_empty() && hooks.after_stop.is_empty());
                self.unwatch(id);
                if serving || spec.is_inetd() && is_made {
                    self.begin_stop(id, &spec, None, then);
                } else if leaves {
                    self.ask_to_end(id, &spec, None, Then::Left(None));
                } else {
                    self.apply(id, then);
                }
            }
            // A task may have left something behind.
            State::Done(_) => self.begin_stop(id, &spec, None, then),
            // The answer comes in this same turn, and with it the stop.
            State::Starting { step: StartStep::Bind, .. } => {}
            // Whom to ask is known soon, or its start has taken too long: all in its group are too
            // many, and to ask nobody would leave a daemon behind that nobody knows of.
            State::Starting { step: StartStep::Adopt, .. }
                if node.pid.is_none() && spec.stop.scope == StopScope::Main => {}
            // The program that was started has ended, and the one that it left is not known yet.
            State::Starting { step: StartStep::Adopt, .. } if node.pid.is_none() => {
                self.begin_stop(id, &spec, None, then);
            }
            // Nothing of it runs yet.
            State::Starting { step: StartStep::Check, .. } => self.apply(id, then),
            // The program before has ended, and may have left somebody.
            State::Starting { step: StartStep::Read(_), .. } => {
                self.begin_stop(id, &spec, None, then);
            }
            State::Starting { run, .. } => self.begin_stop(id, &spec, Some(run), then),
            State::Up { run } => self.begin_stop(id, &spec, run, then),
            State::Stopping { run, rung, until, .. } => {
                self.set_state(id, State::Stopping { run, rung, until, then });
            }
            State::Cleaning { run, index, until, .. } => {
                self.set_state(id, State::Cleaning { run, index, until, then });
            }
        }
    }

    /// A start that nobody wants any more goes no further: not the step that has ended is why.
    pub(super) fn leave_start(&mut self, id: NodeId) {
        if let Some(node) = self.node(id) {
            self.cause = node.departure();
        }
        self.apply(id, Then::Down);
    }

    /// The first rung.
    pub(super) fn begin_stop(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        run: Option<RunId>,
        then: Then,
    ) {
        self.end_probe(id);
        // What a task has done is there to be undone, though its process is gone.
        let ran = |node: &Node| {
            let after = matches!(node.state, State::Starting { step: StartStep::After(_), .. });
            node.pid.is_some() || after || matches!(node.state, State::Done(_))
        };
        if let (Some(hook), true) = (&spec.stop.command, self.node(id).is_some_and(ran)) {
            // Its own time, where it has one, is that of this rung.
            let patience = hook.timeout.or(spec.stop.timeout);
            let until = patience.map(|patience| self.now.after(patience));
            self.end_stop_command(id);
            self.set_state(id, State::Stopping { run, rung: Rung::Command, until, then });
            self.launch_aside(id, Aside::Stop, hook, spec.stop.timeout);
            return;
        }
        self.ask_to_end(id, spec, run, then);
    }

    /// What `stop.command` may take changes with the time of the stop.
    pub(super) fn move_stop_command(
        &mut self,
        id: NodeId,
        time: impl Fn(Option<Moment>) -> Option<Moment>,
    ) {
        self.change(id, |node| {
            for beside in node.asides.values_mut().filter(|beside| beside.aside == Aside::Stop) {
                beside.until = time(beside.until);
            }
        });
    }

    /// The second rung: those that the scope names are asked by signal, if any of them is there.
    fn ask_to_end(&mut self, id: NodeId, spec: &ServiceSpec, run: Option<RunId>, then: Then) {
        let nobody = match spec.stop.scope {
            StopScope::None => true,
            // What it left behind lives on.
            StopScope::Main => run.is_none() && !self.takes_all(spec),
            StopScope::Cgroup | StopScope::Mixed => false,
        };
        if nobody {
            self.finish_stop(id, then);
            return;
        }
        let until = self.stop_deadline(spec);
        self.set_state(id, State::Stopping { run, rung: Rung::Asked, until, then });
        self.ask(id, spec, run);
        if run.is_none() {
            self.emit(Effect::WatchEmpty { node: id });
        }
    }

    /// Whether those go too whom a stop of the main process alone leaves behind. When the machine goes
    /// down they are asked while what they stand on is there: the sessions of an sshd would lose the
    /// network before anybody has told them to end.
    pub(super) fn takes_all(&self, spec: &ServiceSpec) -> bool {
        spec.stop.scope == StopScope::Main && self.phase.is_down()
    }

    /// The machine goes down: those go in their order whom services have left behind that are down
    /// already.
    pub(super) fn stop_left_behind(&mut self) {
        for id in self.ids() {
            // One that is gone from the file is gone.
            let Some(node) = self.node(id).filter(|node| !node.removed) else { continue };
            let Some(spec) = node.spec().map(Rc::clone) else { continue };
            let leaves = node.strays || !node.connections.is_empty();
            // Whom not even SIGKILL has ended need not be asked.
            let is_asked = leaves && node.hung.is_none();
            if node.state.is_active() || !is_asked || !self.takes_all(&spec) {
                continue;
            }
            let failed =
                if let State::Failed(why) = &node.state { Some(why.clone()) } else { None };
            self.ask_to_end(id, &spec, None, Then::Left(failed));
        }
    }

    pub(super) fn stop_deadline(&self, spec: &ServiceSpec) -> Option<Moment> {
        spec.stop.timeout.map(|timeout| self.now.after(timeout))
    }

    /// Sends the stop signal. A stopped (SIGSTOP) process would never see it without SIGCONT.
    fn ask(&mut self, id: NodeId, spec: &ServiceSpec, run: Option<RunId>) {
        let aim = match (spec.stop.scope, run) {
            (StopScope::Main | StopScope::Mixed, Some(run)) => Aim::Run(run),
            (StopScope::Main, None) if !self.takes_all(spec) => return,
            (_, None) | (StopScope::Cgroup | StopScope::None, Some(_)) => Aim::Group,
        };
        self.signal(id, aim, spec.stop.signal);
        if spec.stop.hup {
            self.signal(id, aim, SignalNumber::HUP);
        }
        self.signal(id, aim, SignalNumber::CONT);
    }

    pub(super) fn signal(&mut self, node: NodeId, aim: Aim, signal: SignalNumber) {
        self.emit(Effect::Signal { node, aim, signal });
    }

    /// The main process ended by itself and left others behind: they go too.
    pub(super) fn clear_group(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, then: Then) {
        let until = self.stop_deadline(spec);
        if let Some(node) = self.node_mut(id) {
            // The end of a command of a task before the last comes here without a word about it.
            node.pid = None;
        }
        self.set_state(id, State::Stopping { run: None, rung: Rung::Asked, until, then });
        let signal = match spec.stop.scope {
            StopScope::Mixed => SignalNumber::KILL,
            StopScope::Cgroup | StopScope::Main | StopScope::None => spec.stop.signal,
        };
        self.signal(id, Aim::Group, signal);
        self.signal(id, Aim::Group, SignalNumber::CONT);
        self.emit(Effect::WatchEmpty { node: id });
    }

    /// The main process of a node is gone, and these of its group live on.
    pub(super) fn note_strays(&mut self, id: NodeId, group: Group) {
        if let Some(node) = self.node_mut(id) {
            node.strays = group == Group::Inhabited;
        }
    }

    /// Nobody knows which process of a start that failed is the daemon, and it alone was to be
    /// asked. Where all in its group are of this start they go; where others live on there from
    /// earlier runs (the sessions of a restarted sshd), it lives on with them, and that is told.
    fn clear_lost(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, then: Then) {
        let Some(node) = self.node(id) else { return };
        if !node.strays {
            self.clear_group(id, spec, then);
            return;
        }
        let text = format!(
            "{}: what its start has left behind is not stopped, as nobody can tell it from what \
             earlier runs have (stop.scope)",
            node.name
        );
        self.tell(Level::Trouble, text);
        self.finish_stop(id, then);
    }

    /// The main process of a node that is being stopped is gone.
    pub(super) fn on_main_gone(
        &mut self,
        id: NodeId,
        rung: Rung,
        until: Option<Moment>,
        then: Then,
        group: Group,
    ) {
        let Some(spec) = self.node(id).and_then(|node| node.spec()).map(Rc::clone) else { return };
        let all = self.takes_all(&spec);
        let alone = matches!(spec.stop.scope, StopScope::Main | StopScope::None) && !all;
        if group == Group::Empty || alone {
            self.note_strays(id, group);
            self.finish_stop(id, then);
            return;
        }
        // A command that is at it is let finish: it is one of the group.
        if all && rung != Rung::Command {
            self.ask_to_end(id, &spec, None, then);
            return;
        }
        self.set_state(id, State::Stopping { run: None, rung, until, then });
        if spec.stop.scope == StopScope::Mixed {
            self.signal(id, Aim::Group, SignalNumber::KILL);
        }
        self.emit(Effect::WatchEmpty { node: id });
    }

    /// Nobody is left in the group.
    pub(super) fn on_emptied(&mut self, id: NodeId) {
        self.carry_on(id);
        let Some(node) = self.node(id) else { return };
        if let State::Stopping { run: None, then, .. } = node.state.clone() {
            self.finish_stop(id, then);
        } else {
            self.on_hung_gone(id);
        }
    }

    /// A `stop.command` of an earlier stop, which the service did not wait for, may run still: its
    /// end would be taken for that of the next one.
    fn end_stop_command(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let mut asides = node.asides.iter();
        let old = asides.find(|(_, beside)| beside.aside == Aside::Stop);
        let Some(generation) = old.map(|(generation, _)| *generation) else { return };
        self.forget_stop_command(id);
        self.signal(id, Aim::Run(RunId { node: id, generation }), SignalNumber::KILL);
    }

    /// A `stop.command` has no say any more.
    pub(super) fn forget_stop_command(&mut self, id: NodeId) {
        self.change(id, |node| node.asides.retain(|_, beside| beside.aside != Aside::Stop));
    }

    /// `stop.command` ended so, or its time is over: what still runs is asked by signal, and gets
    /// the whole time for it, as in systemd.service(5).
    pub(super) fn on_stop_command_ended(&mut self, id: NodeId, ended: Option<&Ended>) {
        let Some(node) = self.node(id) else { return };
        let (Some(spec), State::Stopping { run, rung: Rung::Command, then, .. }) =
            (node.spec().map(Rc::clone), node.state.clone())
        else {
            return;
        };
        let may_fail = spec.stop.command.as_ref().is_some_and(|hook| hook.may_fail);
        // It went with the rest of the group when the main process did.
        let swept = run.is_none() && spec.stop.scope == StopScope::Mixed;
        match ended {
            None => {
                self.blame(id, Fault::Timeout);
                self.tell_slip(id, "stop.command took too long, killed".to_owned());
            }
            Some(Ended::Exit(Exit::SUCCESS)) => {}
            Some(ended) if !may_fail => {
                self.blame(id, Fault::of(ended));
                if !swept {
                    self.tell_slip(id, format!("stop.command: {ended}"));
                }
            }
            Some(_) => {}
        }
        self.ask_to_end(id, &spec, run, then);
    }

    /// Patience ended.
    pub(super) fn on_deadline(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let (name, state) = (node.name.clone(), node.state.clone());
        self.carry_on(id);
        match state {
            State::Backoff { .. } => {
                self.because_of_its_past(id, Cause::Timer("the end of its restart delay".into()));
                self.apply(id, Then::Down);
            }
            State::Starting { run, step, .. } => self.on_start_late(id, &spec, run, step),
            State::Stopping { rung: Rung::Command, .. } => self.on_stop_command_ended(id, None),
            State::Stopping { run, rung: Rung::Asked, then, .. } => {
                self.because_of_its_past(id, Cause::Timer("the end of its stop.timeout".into()));
                self.blame(id, Fault::Timeout);
                self.kill(id, &name, &spec, run, then);
            }
            State::Stopping { run, then, rung: Rung::Killed, .. } => {
                let why = "SIGKILL did not end it: a process hangs in the kernel";
                self.leave_hung(id, run, then, why);
            }
            State::Cleaning { run, index, then, .. } => {
                self.tell_slip(id, "after-stop took too long, killed".to_owned());
                let aim = match spec.stop.scope {
                    StopScope::Cgroup | StopScope::Mixed => Aim::Group,
                    StopScope::Main | StopScope::None => Aim::Run(run),
                };
                self.signal(id, aim, SignalNumber::KILL);
                self.clean(id, index.saturating_add(1), then);
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Up { .. }
            | State::Failed(_)
            | State::Done(_) => {}
        }
    }

    /// A step on the way up took too long. A hook with a time of its own is killed, and its end
    /// says what follows; else the start has failed.
    fn on_start_late(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, run: RunId, step: StartStep) {
        if let StartStep::After(index) = step {
            self.on_after_task_late(id, spec, run, index);
            return;
        }
        let whole = self.start_deadline(id, spec);
        let is_hook = matches!(step, StartStep::OnlyIf(_) | StartStep::Before(_));
        if is_hook && whole.is_none_or(|whole| whole > self.now) {
            let until = whole.or(Some(self.now.after(KILL_PATIENCE)));
            if !conditions::hook(spec, step).is_some_and(|hook| hook.may_fail) {
                self.blame(id, Fault::Timeout);
            }
            self.signal(id, Aim::Run(run), SignalNumber::KILL);
            self.set_state(id, State::Starting { run, step, until });
            return;
        }
        self.because_of_its_start(id, Cause::Timer("the end of its start-timeout".into()));
        if step == StartStep::Check {
            self.on_check_late(id, spec);
            return;
        }
        let ended = Ended::TooSlow(spec.start_timeout.unwrap_or(conditions::PATIENCE));
        let (lacks, said) = (self.lacked(id, spec, step), self.last_words(id).unwrap_or_default());
        let how = format!("{ended}: {lacks}{said}");
        let lost = step == StartStep::Adopt && self.node(id).is_some_and(|n| n.pid.is_none());
        let then = self.take_end(id, spec, ended, how);
        if lost && spec.stop.scope == StopScope::Main {
            self.end_probe(id);
            self.clear_lost(id, spec, then);
            return;
        }
        let runs = !lost && !matches!(step, StartStep::Read(_));
        self.begin_stop(id, spec, runs.then_some(run), then);
    }

    /// The last rung.
    fn kill(&mut self, id: NodeId, name: &str, spec: &ServiceSpec, run: Option<RunId>, then: Then) {
        match spec.stop.scope {
            StopScope::None => {
                self.finish_stop(id, then);
                return;
            }
            StopScope::Cgroup | StopScope::Main | StopScope::Mixed if !spec.stop.kill => {
                self.leave_hung(id, run, then, "did not stop in time, and stop.kill is false");
                return;
            }
            StopScope::Cgroup | StopScope::Main | StopScope::Mixed => {}
        }
        self.tell(Level::Trouble, format!("{name} does not stop, killing it"));
        let until = Some(self.now.after(KILL_PATIENCE));
        self.set_state(id, State::Stopping { run, rung: Rung::Killed, until, then });
        let aim = match (spec.stop.scope, run) {
            (StopScope::Main, Some(run)) => Aim::Run(run),
            _ => Aim::Group,
        };
        self.signal(id, aim, SignalNumber::KILL);
    }

    /// Goes on without what does not end. Until it does, nothing is started in its place.
    fn leave_hung(&mut self, id: NodeId, run: Option<RunId>, then: Then, why: &str) {
        self.forget_stop_command(id);
        if let Some(node) = self.node_mut(id) {
            node.hung = Some(Box::new(Hung { run, then }));
        }
        self.apply(id, Then::Fail(why.to_owned()));
    }
}
