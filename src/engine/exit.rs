//! Ends of processes: who ended, whether it was to be expected, and what follows.

use std::rc::Rc;

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::{Aside, Beside, Node};
use super::respawn::{self, Next};
use super::state::{DownWhy, State, Then};
use super::stop::KILL_PATIENCE;
use super::storm::Tale;
use super::told::Fault;
use super::{Aim, Cause, Effect, Engine, Group};
use crate::config::spec::{Hook, Kind, ReloadAction, ServiceSpec, StopScope};
use crate::facts::{Exit, SignalNumber};

impl Engine {
    /// The end of a run, whatever it was.
    pub(super) fn on_exited(&mut self, run: RunId, ended: Ended, group: Group) {
        let id = run.node;
        let Some(node) = self.node_mut(id) else { return };
        if node.connections.remove(&run.generation).is_some() {
            self.on_connection_ended(id, &ended, group);
            return;
        }
        if node.asides.contains_key(&run.generation) {
            self.carry_on(id);
            self.on_aside_ended(id, run, &ended, group);
            return;
        }
        if !node.is_main(run) {
            self.on_hung_ended(run, &ended, group);
            return;
        }
        let state = node.state.clone();
        // Whatever ends it has its own cause, and this end is what comes of it.
        let own = state.goes_down().then(|| node.cause.clone());
        self.note_end(run, &ended);
        self.cause = own.unwrap_or_else(|| self.end_of(run, &ended));
        match state {
            State::Starting { step, .. } => self.on_start_step_ended(id, step, ended, group),
            State::Up { .. } => self.main_ended(id, ended, group),
            State::Stopping { rung, until, mut then, .. } => {
                if let (
                    Then::Fail(why) | Then::AgainAt(_, why),
                    Ended::Exit(exit @ Exit::Signal { .. }),
                ) = (&mut then, &ended)
                {
                    // What comes of how finit ended it.
                    why.push_str(&format!("; {exit}"));
                }
                if let Some(node) = self.node_mut(id) {
                    node.pid = None;
                    node.last_exit = Some(Box::new(ended));
                }
                self.on_main_gone(id, rung, until, then, group);
            }
            State::Cleaning { index, then, .. } => {
                self.review_after_stop(id, index, &ended);
                self.clean(id, index.saturating_add(1), then);
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Failed(_)
            | State::Done(_) => {}
        }
    }

    /// The daemon that a program has left behind has ended before anybody knew which it was.
    fn daemon_is_dead(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let (Some(run), Some(spec)) = (node.state.run(), node.spec()) else { return };
        let ended = Ended::Early { exit: None, ready: spec.ready.when.to_string() };
        self.cause = self.end_of(run, &ended);
        self.blame(id, Fault::of(&ended));
        self.main_ended(id, ended, Group::Empty);
    }

    /// The main process ended by itself.
    pub(super) fn main_ended(&mut self, id: NodeId, ended: Ended, group: Group) {
        self.end_probe(id);
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let ended = node.or_early(&spec, ended);
        let success = respawn::is_success(&spec, &ended);
        let said = self.last_words(id).filter(|_| !success).unwrap_or_default();
        let then = self.what_follows(id, &spec, &ended, success, format!("{ended}{said}"));
        if let Some(node) = self.node_mut(id) {
            node.pid = None;
            node.stirred = false;
            node.last_exit = Some(Box::new(ended));
        }
        self.end_with_group(id, &spec, then, group);
    }

    /// Its process ended by itself: whom it left behind goes too, where the scope says so.
    pub(super) fn end_with_group(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        then: Then,
        group: Group,
    ) {
        let kills =
            matches!(spec.stop.scope, StopScope::Cgroup | StopScope::Mixed) || self.takes_all(spec);
        // What a task started and left behind is its work: `ifup` leaves a DHCP client.
        let work = spec.kind == Kind::Task && matches!(then, Then::Done(_));
        if group == Group::Inhabited && kills && !work {
            self.clear_group(id, spec, then);
            return;
        }
        self.note_strays(id, group);
        self.finish_stop(id, then);
    }

    /// It ends, or is to end, in this way, which is that in words, and which no `ok-exit` makes a
    /// success of: it is kept, and the answer is what follows.
    pub(super) fn take_end(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        ended: Ended,
        how: String,
    ) -> Then {
        let then = self.what_follows(id, spec, &ended, false, how);
        self.blame(id, Fault::of(&ended));
        if let Some(node) = self.node_mut(id) {
            node.last_exit = Some(Box::new(ended));
        }
        then
    }

    /// What a service that failed has said last of itself.
    pub(super) fn last_words(&self, id: NodeId) -> Option<String> {
        let tidings = self.node(id)?.tidings.as_ref()?;
        (!tidings.status.is_empty()).then(|| format!("; it said: {}", tidings.status))
    }

    /// What follows an end, a good one or not, by the policy of the service; `how` says it in words.
    pub(super) fn what_follows(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        ended: &Ended,
        success: bool,
        how: String,
    ) -> Then {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(id.index()) else { return Then::Down };
        // It was to go and come back as soon as those that stand on it have gone.
        if node.restarting {
            return Then::Down;
        }
        let on_demand = node.on_demand();
        if spec.kind == Kind::Task && success && !on_demand {
            // Where nobody saw it, it counts as a good one.
            let exit = ended.exit().unwrap_or(Exit::SUCCESS);
            return if spec.remain { Then::Done(exit) } else { Then::Ended };
        }
        let is_up = matches!(node.state, State::Up { .. });
        let up_for = if is_up { now.since(node.since) } else { std::time::Duration::ZERO };
        let name = node.name.clone();
        let random = &mut self.random;
        let next = respawn::decide(spec, &mut node.history, ended, success, up_for, now, random);
        match next {
            Next::Again(at) => {
                let at = at.max(now.after(self.storm.brake(now)));
                self.tell_of_many(Tale::Restart, format!("{name}: {how}; starting it again"));
                Then::AgainAt(at, how)
            }
            // A socket never fails for good: the next connection after a while tries again.
            Next::GiveUp(why) if on_demand => {
                // Without a longest delay that would be at once, for ever.
                let brake = respawn::brake(&mut node.history, now).max(self.storm.brake(now));
                let at = now.after(spec.restart.max_delay.max(brake));
                Then::AgainAt(at, format!("{how}; {why}"))
            }
            Next::Stay if on_demand => {
                // One that ends without accepting would be started again for ever, at full speed.
                let brake = respawn::brake(&mut node.history, now).max(self.storm.brake(now));
                Then::AgainAt(now.after(brake), how)
            }
            Next::GiveUp(why) => Then::Fail(format!("{how}; {why}")),
            Next::Stay if success => Then::Ended,
            Next::Stay => Then::Fail(how),
        }
    }

    /// Nothing of the service runs any more: its `after-stop` commands, then what follows.
    pub(super) fn finish_stop(&mut self, id: NodeId, then: Then) {
        let killed = self.node(id).and_then(Node::killed_after);
        if let Some(time) = killed {
            self.note_slip(id, &format!("killed after {time:?} (stop.timeout)"));
        }
        // What it did was undone when it went.
        match then {
            Then::Left(_) => self.apply(id, then),
            Then::Down | Then::AgainAt(..) | Then::Fail(_) | Then::Done(_) | Then::Ended => {
                self.clean(id, 0, then);
            }
        }
    }

    /// Runs the `after-stop` command of that number, or goes on after the last.
    pub(super) fn clean(&mut self, id: NodeId, index: usize, then: Then) {
        let Some(spec) = self.node(id).and_then(|node| node.spec()).map(Rc::clone) else {
            self.apply(id, then);
            return;
        };
        let Some(Hook { command, user, timeout, .. }) = spec.hooks.after_stop.get(index) else {
            self.apply(id, then);
            return;
        };
        self.forget_stop_command(id);
        let told = self.node(id).map(|node| node.ending.variables()).unwrap_or_default();
        let run = self.new_run(id);
        // A service that is killed at once still gets its tidying up.
        let patience = timeout.or(spec.stop.timeout.map(|patience| patience.max(KILL_PATIENCE)));
        let until = patience.map(|patience| self.now.after(patience));
        self.set_state(id, State::Cleaning { run, index, until, then });
        self.emit(Effect::Spawn(Box::new(super::Spawn {
            run,
            service: Rc::clone(&spec),
            what: super::What::Hook,
            command: command.clone(),
            user: user.clone(),
            told,
        })));
    }

    /// An `after-stop` command ended: its failure changes nothing, but is told.
    fn review_after_stop(&mut self, id: NodeId, index: usize, ended: &Ended) {
        let Some(spec) = self.node(id).and_then(|node| node.spec()) else { return };
        let may_fail = spec.hooks.after_stop.get(index).is_some_and(|hook| hook.may_fail);
        if *ended != Ended::Exit(Exit::SUCCESS) && !may_fail {
            self.tell_slip(id, format!("after-stop: {ended}"));
        }
    }

    /// Something beside the main process went wrong: that is told at once, and with the state
    /// until the next start.
    pub(super) fn tell_slip(&mut self, id: NodeId, text: String) {
        let name = self.name(id).to_owned();
        self.tell_of_many(Tale::Failure, format!("{name}: {text}"));
        self.note_slip(id, &text);
    }

    pub(super) fn note_slip(&mut self, id: NodeId, text: &str) {
        let Some(node) = self.node_mut(id) else { return };
        let slips = match &node.slips {
            Some(before) => format!("{before}; {text}"),
            None => text.to_owned(),
        };
        node.slips = Some(slips.into());
    }

    /// What follows is there.
    pub(super) fn apply(&mut self, id: NodeId, then: Then) {
        let Some(node) = self.node_mut(id) else { return };
        node.restarting = false;
        // A connection that still waits knocks again.
        node.stirred = false;
        node.pid = None;
        let (name, wanted) = (node.name.clone(), node.wanted);
        let failed = matches!(then, Then::Fail(_));
        let state = match then {
            Then::Down => State::Down(DownWhy::Stopped),
            Then::Ended => State::Down(DownWhy::Ended),
            Then::Left(why) => why.map_or(State::Down(DownWhy::Stopped), State::Failed),
            Then::Done(exit) => State::Done(exit),
            Then::AgainAt(at, _) if at <= self.now => State::Down(DownWhy::Stopped),
            Then::AgainAt(until, why) => State::Backoff { until, why },
            Then::Fail(why) => {
                // Where nothing else went wrong, it ended well and did so too often.
                self.blame(id, Fault::StartLimitHit);
                self.tell_of_many(Tale::Failure, format!("{name} failed: {why}"));
                State::Failed(why)
            }
        };
        if !wanted {
            self.unbind(id);
            self.unkeep(id);
        }
        self.set_state(id, state);
        self.leave_sockets(id);
        self.take_pending(id);
        self.wait_for_next(id);
        if failed {
            self.call_for_help(id);
        }
    }

    /// A command beside a service ended: the next one of its row, if the service is still
    /// there, or a word about it.
    fn on_aside_ended(&mut self, id: NodeId, run: RunId, ended: &Ended, group: Group) {
        let beside = self.change(id, |node| node.asides.remove(&run.generation)).flatten();
        let Some(Beside { aside, .. }) = beside else { return };
        match aside {
            Aside::Stop => self.on_stop_command_ended(id, Some(ended)),
            Aside::Probe if self.is_dead(id, ended, group) => self.daemon_is_dead(id),
            Aside::Probe => {
                self.note_probe(id, ended);
                self.on_probe_ended(id, *ended == Ended::Exit(Exit::SUCCESS));
            }
            Aside::Health => self.on_health_ended(id, ended),
            Aside::AfterStart(_) | Aside::Reload(_) => {
                let failure = (*ended != Ended::Exit(Exit::SUCCESS)).then(|| ended.to_string());
                self.on_hook_over(id, aside, failure);
            }
        }
    }

    /// A command of a row came to its end, as it should or not: the next one, if the service is
    /// still there.
    fn on_hook_over(&mut self, id: NodeId, aside: Aside, failure: Option<String>) {
        let Some(node) = self.node(id) else { return };
        let up = matches!(node.state, State::Up { .. }) && !node.leaving;
        let overlooked = node.spec().is_some_and(|spec| may_fail(spec, aside));
        let failure = failure.filter(|_| !overlooked);
        match aside {
            Aside::Reload(index) => match failure {
                None if up => self.reload_step(id, index.saturating_add(1)),
                None => self.finish_reload(id, Err("reload: it is being stopped".to_owned())),
                Some(how) => self.finish_reload(id, Err(format!("reload: {how}"))),
            },
            Aside::AfterStart(index) if up => {
                if let Some(how) = failure {
                    self.tell_slip(id, format!("after-start: {how}"));
                }
                self.after_start(id, index.saturating_add(1));
            }
            Aside::AfterStart(_) | Aside::Stop | Aside::Probe | Aside::Health => {}
        }
    }

    /// A command beside a service took too long: it is killed, and no longer waited for.
    pub(super) fn on_aside_late(&mut self, id: NodeId) {
        let now = self.now;
        let late = self.node(id).and_then(|node| {
            let is_late = |beside: &Beside| beside.until.is_some_and(|until| until <= now);
            let late = node.asides.iter().find(|(_, beside)| is_late(beside));
            late.map(|(number, beside)| (*number, beside.aside))
        });
        let Some((generation, aside)) = late else { return };
        let run = RunId { node: id, generation };
        self.carry_on(id);
        self.signal(id, Aim::Run(run), SignalNumber::KILL);
        match aside {
            Aside::Health => self.on_health_late(id, run),
            Aside::Stop => {
                self.change(id, |node| node.asides.remove(&generation));
                self.on_stop_command_ended(id, None);
            }
            Aside::AfterStart(_) | Aside::Reload(_) => {
                self.change(id, |node| node.asides.remove(&generation));
                self.on_hook_over(id, aside, Some("took too long, killed".to_owned()));
            }
            Aside::Probe => {
                let killed = Exit::Signal { number: SignalNumber::KILL, core: false };
                self.on_aside_ended(id, run, &Ended::Exit(killed), Group::Inhabited);
            }
        }
    }

    /// What had outlived its stop ended after all: what was to follow then follows now.
    fn on_hung_ended(&mut self, run: RunId, ended: &Ended, group: Group) {
        let Some(node) = self.node_mut(run.node) else { return };
        let all = group == Group::Empty
            || node.spec().is_some_and(|spec| spec.stop.scope == StopScope::Main);
        let Some(hung) = node.hung.as_mut().filter(|hung| hung.run == Some(run)) else { return };
        hung.run = None;
        node.note_main(ended);
        if all {
            self.on_hung_gone(run.node);
        } else {
            self.emit(Effect::WatchEmpty { node: run.node });
        }
    }

    /// The last of them is gone.
    pub(super) fn on_hung_gone(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        let Some(hung) = node.hung.take_if(|hung| hung.run.is_none()) else { return };
        if matches!(node.state, State::Failed(_)) {
            self.because(Cause::Exit("ended after all".to_owned()));
            self.finish_stop(id, hung.then);
        }
    }
}

/// Whether the failure of a command of a row is overlooked.
fn may_fail(spec: &ServiceSpec, aside: Aside) -> bool {
    match aside {
        Aside::AfterStart(index) => spec.hooks.after_start.get(index).is_some_and(|h| h.may_fail),
        Aside::Reload(index) => match spec.hooks.reload.get(index) {
            Some(ReloadAction::Run(hook)) => hook.may_fail,
            Some(ReloadAction::Signal(_)) | None => false,
        },
        Aside::Stop | Aside::Probe | Aside::Health => false,
    }
}
