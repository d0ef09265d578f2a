//! What must hold before a service starts. Looking at paths may hang, so others look: the driver
//! has a child do it and comes back with a [`Verdict`]. What that child is told to look at, and
//! what follows from what it saw, is decided here.
//!
//! A service that waits for a path stands in `Awaiting`, with a look-out that the driver keeps
//! for it. One whose condition does not hold is `Skipped`: that is no failure, so whoever needs
//! it starts, as with Requires= of systemd.unit(5); it is looked at again when somebody starts
//! it or the file is applied.

use std::rc::Rc;
use std::time::Duration;

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::Node;
use super::respawn;
use super::state::{DownWhy, Program, StartStep, State, Then};
use super::told::Fault;
use super::why::Why;
use super::{Aim, Cause, Effect, Engine, Group, Level, view};
use crate::config::spec::{Hook, ServiceSpec, StopScope};
use crate::facts::{Exit, SignalNumber, SpawnError};

/// How long a look may take for a service that may take for ever to start.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The status with which a command says that it could not decide.
const UNDECIDED: u8 = 255;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that must hold does.
    Holds,
    /// This path is not there yet.
    Missing(String),
    /// A condition does not hold: which, and why.
    Skips(String),
    /// Something does not hold that had to, or it could not be told.
    Fails(String),
}

/// The command of a step that is one.
pub(super) fn hook(spec: &ServiceSpec, step: StartStep) -> Option<&Hook> {
    match step {
        StartStep::OnlyIf(index) => spec.conditions.as_ref()?.commands.get(index),
        StartStep::Before(index) => spec.hooks.before_start.get(index),
        StartStep::After(index) => spec.hooks.after_start.get(index),
        StartStep::Check
        | StartStep::Bind
        | StartStep::Main(_)
        | StartStep::Read(_)
        | StartStep::Adopt => None,
    }
}

impl Engine {
    /// The first step of a start; most services have nothing to be looked at.
    pub(super) fn check(&mut self, id: NodeId, spec: &Rc<ServiceSpec>) {
        let binds =
            |node: &Node| matches!(node.state, State::Starting { step: StartStep::Bind, .. });
        // It was looked at before its sockets were bound.
        let bound_by_now = self.node(id).is_some_and(binds);
        let Some(conditions) = spec.conditions.as_ref().filter(|_| !bound_by_now) else {
            self.start_service(id, spec);
            return;
        };
        self.unwatch(id);
        if !conditions.has_tests() {
            self.ask_command(id, spec, 0);
            return;
        }
        let until = self.start_deadline(id, spec).or(Some(self.now.after(PATIENCE)));
        let run = self.new_run(id);
        self.set_state(id, State::Starting { run, step: StartStep::Check, until });
        self.emit(Effect::Check { run, conditions: Rc::clone(conditions) });
    }

    /// The answer of a look.
    pub(super) fn on_checked(&mut self, run: RunId, result: Result<Verdict, SpawnError>) {
        let id = run.node;
        let Some(node) = self.node(id).filter(|node| node.is_main(run)) else { return };
        if let State::Starting { step: StartStep::Read(program), .. } = node.state {
            self.on_read(run, program, result.err());
            return;
        }
        let State::Starting { step: StartStep::Check, .. } = node.state else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        // One that waits to be followed is not taken, and nothing of it counts yet.
        let edited = node.pending.is_some() && !node.waits_to_be_followed();
        let leaving = node.leaving;
        self.because_of_its_past(id, Cause::Condition);
        match result {
            _ if leaving => self.leave_start(id),
            // Whoever waits does so for what the newest definition asks for.
            Ok(Verdict::Missing(_)) if edited => self.apply(id, Then::Down),
            Ok(Verdict::Holds) => self.ask_command(id, &spec, 0),
            Ok(Verdict::Missing(path)) => self.await_path(id, path),
            Ok(Verdict::Skips(why)) => self.skip(id, why),
            Ok(Verdict::Fails(why)) => {
                self.blame(id, Fault::ExecCondition);
                self.apply(id, Then::Fail(why));
            }
            Err(error) => {
                let ended = Ended::NotExecuted(error);
                let what = format!("its conditions could not be looked at: {ended}");
                self.undecided(id, &spec, ended, what);
            }
        }
    }

    /// A look takes too long: a file system does not answer.
    pub(super) fn on_check_late(&mut self, id: NodeId, spec: &Rc<ServiceSpec>) {
        let limit = spec.start_timeout.unwrap_or(PATIENCE);
        let what = format!(
            "its conditions could not be looked at in {limit:?}: a file system does not answer"
        );
        self.undecided(id, spec, Ended::TooSlow(limit), what);
    }

    /// It is unknown whether it may start, which is a failed start.
    fn undecided(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, ended: Ended, what: String) {
        let then = self.take_end(id, spec, ended, what);
        self.apply(id, then);
    }

    fn await_path(&mut self, id: NodeId, path: String) {
        let now = self.now;
        let Some(node) = self.node_mut(id) else { return };
        let brake = respawn::brake(&mut node.history, now);
        if !brake.is_zero() {
            // It comes and goes all the time; to follow at its pace would be to do nothing else.
            self.apply(id, Then::AgainAt(now.after(brake), format!("{path} comes and goes")));
            return;
        }
        // A connection that still waits knocks again.
        node.stirred = false;
        // It may have come for a moment, and is no cause of anything then.
        (node.cause, node.wish) = (node.cause.without_paths(), node.wish.without_paths());
        let text = format!("{} waits for {path}", node.name);
        self.tell(Level::Progress, text);
        let run = self.new_run(id);
        self.set_state(id, State::Awaiting { run, path: path.clone() });
        self.emit(Effect::Await { run, path });
    }

    /// The path is there, or the look-out cannot go on: all is looked at again.
    pub(super) fn on_arrived(&mut self, run: RunId) {
        let now = self.now;
        let Some(node) = self.node_mut(run.node) else { return };
        if let State::Awaiting { run: awaited, path } = &node.state
            && *awaited == run
        {
            let came = Cause::Path(format!("{path}, which it waited for"));
            node.wish = Why::behind(now, came, node.wish.without_paths());
            self.try_start(run.node);
        }
    }

    /// One that waits for a path goes on doing so, unless it has lost a need. What it comes after
    /// is no reason: nobody waits for it now, and who started because of that must not find it
    /// starting in the same turn (seed 7571).
    pub(super) fn keep_awaiting(&mut self, id: NodeId) {
        if let Some((on, hope)) = self.node(id).and_then(|node| self.missing_need(node)) {
            self.set_state(id, State::Waiting { on, hope });
        }
    }

    /// Leaves it out. A skipped one holds no sockets: nobody would ever answer.
    fn skip(&mut self, id: NodeId, why: String) {
        let Some(node) = self.node_mut(id) else { return };
        node.stirred = false;
        let text = format!("{} is skipped: {why}", node.name);
        self.tell(Level::Progress, text);
        self.set_state(id, State::Skipped(why));
        self.unbind(id);
        self.wait_for_next(id);
    }

    /// Skipped ones are looked at again, since whatever was edited may have been for them.
    pub(super) fn review_skipped(&mut self) {
        let cause = self.cause.clone();
        for id in self.ids() {
            let skipped =
                |node: &&mut Node| matches!(node.state, State::Skipped(_)) && !node.is_held();
            if let Some(node) = self.node_mut(id).filter(skipped) {
                node.wish = cause.clone();
                self.clear(id);
            }
        }
    }

    /// Runs the `only-if-command` of that number, or goes on after the last.
    fn ask_command(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, index: usize) {
        let program = Program::OnlyIf(index);
        if hook(spec, program.into()).is_some() {
            self.launch(id, spec, program);
        } else {
            self.start_service(id, spec);
        }
    }

    /// An `only-if-command` ended; ExecCondition= of systemd.service(5).
    pub(super) fn on_command_ended(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        index: usize,
        ended: Ended,
        group: Group,
    ) {
        let Some(hook) = hook(spec, StartStep::OnlyIf(index)) else { return };
        let what = || format!("only-if-command `{}`", view::words(&hook.command));
        let goes_on = match &ended {
            Ended::Exit(Exit::SUCCESS) => true,
            Ended::Exit(Exit::Code(UNDECIDED)) => hook.may_fail,
            Ended::Exit(Exit::Code(_)) => false,
            Ended::Exit(Exit::Signal { .. })
            | Ended::Unseen
            | Ended::Early { .. }
            | Ended::NotExecuted(_)
            | Ended::TooSlow(_)
            | Ended::Silent(_)
            | Ended::GaveUp
            | Ended::Lingering(_)
            | Ended::Unhealthy { .. } => hook.may_fail,
        };
        let leaving = self.node(id).is_some_and(|node| node.leaving);
        if goes_on && !leaving {
            self.ask_command(id, spec, index.saturating_add(1));
            return;
        }
        if group == Group::Inhabited
            && matches!(spec.stop.scope, StopScope::Cgroup | StopScope::Mixed)
        {
            // What it left behind has no service to belong to.
            self.signal(id, Aim::Group, SignalNumber::KILL);
        }
        if leaving {
            self.leave_start(id);
            return;
        }
        if let Ended::Exit(Exit::Code(code)) = ended
            && code != UNDECIDED
        {
            self.because_of_its_past(id, Cause::Condition);
            self.skip(id, format!("{} exited with status {code}", what()));
            return;
        }
        let what = match self.blame_time(id, hook, &ended) {
            Some(late) => format!("{} {late}", what()),
            None => format!("{}: {ended}", what()),
        };
        self.undecided(id, spec, ended, what);
    }

    /// That a hook which had to end well took too long, if that is why it ended so: then that is
    /// the cause of what follows.
    pub(super) fn blame_time(&mut self, id: NodeId, hook: &Hook, ended: &Ended) -> Option<String> {
        let killed = Ended::Exit(Exit::Signal { number: SignalNumber::KILL, core: false });
        let late = self.node(id)?.ending.is_late() && *ended == killed;
        let limit = hook.timeout.filter(|_| late)?;
        self.because_of_its_start(id, Cause::Timer("the end of the time for a command".into()));
        Some(format!("took longer than {limit:?} (timeout) and was killed"))
    }

    /// The looks that are under way, ordered again: whoever took them is gone.
    pub(super) fn look_again(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let Some(service) = node.spec().map(Rc::clone) else { return };
        match node.state.clone() {
            State::Awaiting { run, path } => self.emit(Effect::Await { run, path }),
            State::Starting { run, step: StartStep::Check, .. } => {
                let conditions = service.conditions.clone().unwrap_or_default();
                self.emit(Effect::Check { run, conditions });
            }
            State::Starting { run, step: StartStep::Read(_), .. } => {
                self.emit(Effect::ReadVariables { run, service });
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => {}
        }
    }

    /// An edited definition may wait for another path, or for none.
    pub(super) fn stop_awaiting(&mut self, id: NodeId) {
        if self.node(id).is_some_and(|node| matches!(node.state, State::Awaiting { .. })) {
            self.set_state(id, State::Down(DownWhy::Stopped));
        }
    }
}
