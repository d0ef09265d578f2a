//! What an edited definition does to what runs. Restarted is only what would see the difference:
//! the program, whom it runs as, what it finds around it, its sockets, the way in which it tells
//! that it is up, what runs before it. All else is a matter of the engine, which goes on by the
//! new definition at once.
//!
//! Needs and rivals lie between the two: one that is new is a reason to go down and to come again
//! in order; one that is gone is none.

use std::rc::Rc;

use super::Engine;
use super::effect::Effect;
use super::id::NodeId;
use super::node::{Aside, Body, Node};
use super::state::{DownWhy, Program, Rung, StartStep, State};
use crate::config::spec::{Dependencies, Hooks, Probe, Readiness, Ready, ServiceSpec, SocketsSpec};
use crate::facts::Moment;

/// How a newer definition was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// What runs goes on, by the new one.
    InPlace,
    /// What is there goes down and comes again; what is not has another chance.
    Anew,
}

impl Engine {
    /// Has a newer definition, read now or by an earlier look at the definitions, take effect.
    pub(super) fn follow_pending(&mut self, id: NodeId) -> Option<Followed> {
        let cause = self.cause.clone();
        let waits_in_vain = |node: &Node| {
            let hands_over = node.spec().is_some_and(|spec| !spec.is_inetd());
            let starts = !node.on_demand() && !node.called;
            matches!(node.state, State::Listening) && hands_over && starts
        };
        if self.node(id).is_some_and(|node| waits_in_vain(node) && !node.is_held()) {
            self.stir(id);
        }
        let node = self.node_mut(id).filter(|node| !node.is_held())?;
        let (old, new) = (node.spec().map(Rc::clone), node.pending.clone()?);
        if old.is_some_and(|old| is_as_good(&old, &new, &node.state)) {
            self.take_in_place(id, &new);
            return Some(Followed::InPlace);
        }
        if node.state.is_active() {
            let begun = std::mem::replace(&mut node.restarting, true);
            node.wish = cause;
            if !begun {
                let parts = self.parts_of(&[id]);
                self.restart_parts(&parts);
            }
            if self.node(id).is_some_and(|node| node.state.goes_down()) {
                // By the old one it might have failed for good, or be done.
                self.clear(id);
            }
        } else if node.hung.is_none() {
            self.clear(id);
        }
        Some(Followed::Anew)
    }

    /// What runs goes on by another definition: what waits for something by the old one begins
    /// anew with that.
    fn take_in_place(&mut self, id: NodeId, spec: &Rc<ServiceSpec>) {
        let Some(node) = self.node_mut(id) else { return };
        let Some(old) = node.spec().map(Rc::clone) else { return };
        node.body = Body::Service(Rc::clone(spec));
        node.pending = None;
        let says_elsewhere = old.exec != spec.exec;
        if node.runs_reload() && old.hooks.reload != spec.hooks.reload {
            self.end_asides(id, |aside| matches!(aside, Aside::Reload(_)));
            self.reload_step(id, 0);
        }
        if says_elsewhere {
            self.emit(Effect::Redirect { node: id, service: Rc::clone(spec) });
        }
        let Some(node) = self.node(id) else { return };
        match node.state {
            State::Up { .. } if old.ready.health != spec.ready.health => {
                self.end_probe(id);
                self.change(id, |node| node.tidings.as_mut().map(|tidings| tidings.health.take()));
                self.begin_health(id);
            }
            // Its delay was that of another policy.
            State::Backoff { .. } if old.restart != spec.restart => self.clear(id),
            State::Starting { .. } if old.start_timeout != spec.start_timeout => {
                self.start_timeout_changed(id, &old);
            }
            State::Stopping { .. } if old.stop.timeout != spec.stop.timeout => {
                self.stop_timeout_changed(id, spec);
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
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

    /// A start that is under way has another time for all of it; what a command before it may
    /// take is its own matter, and whoever asked for more time keeps that.
    fn start_timeout_changed(&mut self, id: NodeId, old: &ServiceSpec) {
        let Some(node) = self.node(id) else { return };
        let State::Starting { run, step, until } = node.state else { return };
        let was = old.start_timeout.map(|timeout| node.since.after(timeout));
        let is = node.spec().and_then(|spec| Some(node.since.after(spec.start_timeout?)));
        let until = match (until, was) {
            _ if matches!(step, StartStep::Bind | StartStep::After(_)) => until,
            (until, was) if until == was => is,
            (Some(until), Some(was)) if until > was => is.map(|is| is.max(until)),
            (until, _) => Moment::first(until, is),
        };
        self.set_state(id, State::Starting { run, step, until });
    }

    /// A stop that is under way has the whole of its new time, from now on.
    fn stop_timeout_changed(&mut self, id: NodeId, spec: &ServiceSpec) {
        let Some(State::Stopping { run, rung, then, .. }) = self.node(id).map(|n| n.state.clone())
        else {
            return;
        };
        // What a command may take is its own matter where it says so.
        let command = spec.stop.command.as_ref().filter(|_| rung == Rung::Command);
        if rung < Rung::Killed && command.is_none_or(|hook| hook.timeout.is_none()) {
            let until = self.stop_deadline(spec);
            self.move_stop_command(id, |_| until);
            self.set_state(id, State::Stopping { run, rung, until, then });
        }
    }

    /// What listens goes on by another definition with the same sockets, which may say how many
    /// are accepted.
    pub(super) fn listen_anew(&mut self, id: NodeId) {
        let listens = |node: &&Node| matches!(node.state, State::Listening);
        let Some(node) = self.node(id).filter(listens) else { return };
        let Some(sockets) = node.spec().and_then(|spec| spec.sockets.clone()) else { return };
        if node.is_full() {
            self.unwatch(id);
        }
        if sockets.rate.is_none() {
            self.change(id, |node| node.throttled = None);
        }
        self.resume(id);
    }
}

impl Node {
    /// Whether what listens can go on by its newer definition: connections get the variables
    /// that were read before.
    pub(super) fn listens_on(&self, new: &ServiceSpec) -> bool {
        let reads_same = |old: &Rc<ServiceSpec>| old.exec.env_files == new.exec.env_files;
        self.keeps_sockets(new) && (!new.is_inetd() || self.spec().is_some_and(reads_same))
    }

    /// Whether its newer definition has the sockets that it has.
    pub(super) fn keeps_sockets(&self, new: &ServiceSpec) -> bool {
        self.spec().is_some_and(|old| are_same(old.sockets.as_deref(), new.sockets.as_deref()))
    }
}

/// Whether two definitions differ in nothing but words: any look at a file may put one in the
/// place of the other.
pub(super) fn is_called_otherwise(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    let (description, alias) = (old.description.clone(), old.alias.clone());
    *old == ServiceSpec { description, alias, ..new.clone() }
}

/// The same, and times and paths that start them: whatever runs, has failed or is over is as good
/// for the one as for the other.
pub(super) fn comes_otherwise(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    let (schedule, watch) = (old.schedule.clone(), old.watch.clone());
    is_called_otherwise(old, &ServiceSpec { schedule, watch, ..new.clone() })
}

/// Whether two definitions say the same of when it comes by itself.
pub(super) fn comes_as(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    let targets = |spec: &ServiceSpec| (spec.enabled, spec.start, spec.targets.clone());
    (&old.schedule, &old.watch) == (&new.schedule, &new.watch) && targets(old) == targets(new)
}

/// Whether what is there in that state, started by the one definition, is as good as if it had
/// been started by the other. A key that is not named here is one that a process may see.
fn is_as_good(old: &ServiceSpec, new: &ServiceSpec, state: &State) -> bool {
    let starts = matches!(state, State::Starting { .. });
    let asks = matches!(
        state,
        State::Starting {
            step: StartStep::Check | StartStep::OnlyIf(_) | StartStep::Read(Program::OnlyIf(_)),
            ..
        }
    );
    let is_over = matches!(state, State::Done(_) | State::Down(DownWhy::Ended));
    // One that failed or was skipped may come up by the other.
    if !(state.is_active() || is_over) {
        return false;
    }
    let before_start = new.hooks.before_start.clone();
    let mut same = ServiceSpec {
        description: old.description.clone(),
        alias: old.alias.clone(),
        enabled: old.enabled,
        start: old.start,
        stage: old.stage,
        targets: old.targets.clone(),
        schedule: old.schedule.clone(),
        watch: old.watch.clone(),
        hooks: Rc::new(Hooks { before_start, ..Hooks::clone(&old.hooks) }),
        start_timeout: old.start_timeout,
        restart: Rc::clone(&old.restart),
        ok_exit: Rc::clone(&old.ok_exit),
        stop: Rc::clone(&old.stop),
        ..new.clone()
    };
    // Whoever runs is known by the old one until it has ended.
    if old.exec.utmp != new.exec.utmp {
        Rc::make_mut(&mut same.exec).utmp.clone_from(&old.exec.utmp);
    }
    if !asks {
        same.conditions.clone_from(&old.conditions);
    }
    // One that goes because of that goes on to do so.
    if !(is_over || state.goes_down()) {
        same.remain = old.remain;
    }
    if is_as_ready(&old.ready, &new.ready, starts) {
        same.ready = Rc::clone(&old.ready);
    }
    if !asks_for_more(&old.dependencies, &new.dependencies) {
        same.dependencies = Rc::clone(&old.dependencies);
    }
    if are_same(old.sockets.as_deref(), new.sockets.as_deref()) {
        same.sockets.clone_from(&old.sockets);
    }
    if old.exec != new.exec && old.exec.has_streams_of(&new.exec) {
        let exec = Rc::make_mut(&mut same.exec);
        exec.log.clone_from(&old.exec.log);
        exec.own_log.clone_from(&old.exec.own_log);
    }
    *old == same
}

/// Whether it tells that it is up, and goes on to tell that it lives, in the same way; of what
/// others find out about it nothing has to change once it is up.
fn is_as_ready(old: &Readiness, new: &Readiness, starts: bool) -> bool {
    let by_others = |when: &Ready| match when {
        Ready::Exec => true,
        Ready::Found(probe) => !matches!(probe, Probe::Forked(_)),
        Ready::Exit | Ready::Notify | Ready::Descriptor(_) => false,
    };
    let found = !starts && by_others(&old.when) && by_others(&new.when);
    (found || old.when == new.when) && old.watchdog == new.watchdog
}

/// Whether it stands on something, or excludes somebody, that it did not before. What has more
/// alternatives than before asks for less.
fn asks_for_more(old: &Dependencies, new: &Dependencies) -> bool {
    let had = |need: &[String]| {
        old.needs.iter().any(|known| known.iter().all(|name| need.contains(name)))
    };
    let new_one = |old: &[String], new: &[String]| new.iter().any(|name| !old.contains(name));
    !new.needs.iter().all(|need| had(need))
        || new_one(&old.bound_to, &new.bound_to)
        || new_one(&old.conflicts, &new.conflicts)
}

/// Whether the same sockets are held in the same way; how many are accepted is another matter.
fn are_same(old: Option<&SocketsSpec>, new: Option<&SocketsSpec>) -> bool {
    let held = |spec: Option<&SocketsSpec>| spec.map(|spec| (spec.mode, spec.sockets.clone()));
    held(old) == held(new)
}
