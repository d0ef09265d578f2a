//! Sockets: finit holds them, so a connection is never refused while a service is down. With
//! `listen` the first one starts the service, which is handed the sockets; with `inetd` finit
//! accepts, and each connection gets a process. Past a limit accepting pauses and resumes: the
//! kernel keeps the rest waiting, and a socket never fails for good.

use std::rc::Rc;

use super::event::Ended;
use super::hold::Kept;
use super::id::{ConnectionId, NodeId};
use super::node::Node;
use super::state::{DownWhy, StartStep, State, Then};
use super::{Cause, Effect, Engine, Group, Level, backlog, respawn};
use crate::config::spec::{ServiceSpec, SocketMode, SocketsSpec};
use crate::facts::SpawnError;

impl Engine {
    /// The answer to `Bind`.
    pub(super) fn on_bound(&mut self, id: NodeId, result: Result<(), SpawnError>) {
        let Some(node) = self.node_mut(id) else { return };
        node.bound = result.is_ok();
        let State::Starting { step: StartStep::Bind, .. } = node.state else { return };
        let leaving = node.leaving;
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        match result {
            _ if leaving => self.leave_start(id),
            Ok(()) => self.try_start(id),
            Err(error) => self.bind_again(id, &spec, error),
        }
    }

    /// The address may appear later: it is tried again and again, ever more rarely.
    fn bind_again(&mut self, id: NodeId, spec: &ServiceSpec, error: SpawnError) {
        let why = error.to_string();
        self.because(Cause::NotStarted(why.clone()));
        let Some(node) = self.nodes.get_mut(id.index()) else { return };
        let news = node.last_exit.as_deref() != Some(&Ended::NotExecuted(error.clone()));
        node.last_exit = Some(Box::new(Ended::NotExecuted(error)));
        let delay = respawn::bind_delay(spec, &mut node.history, &mut self.random);
        if news {
            let text = format!("{}: {why}", node.name);
            self.tell(Level::Trouble, text);
        }
        self.apply(id, Then::AgainAt(self.now.after(delay), why));
    }

    /// Rests with its sockets watched.
    pub(super) fn listen(&mut self, id: NodeId) {
        self.set_state(id, State::Listening);
        self.resume(id);
    }

    /// What has ended so and does not come back by itself is not the one that answers at its
    /// sockets any more. Where it ended as it may, the next connection starts it; else they go, so
    /// that nobody waits there for an answer.
    pub(super) fn leave_sockets(&mut self, id: NodeId) {
        let hands_over = self.socket_mode(id) == Some(SocketMode::Listen);
        // One that goes down for what it stands on comes back, and keeps them.
        let ends_here = |node: &&Node| node.bound && node.wanted && !self.is_leaving(node);
        let Some(node) = self.node(id).filter(ends_here) else { return };
        let comes_again = node.comes_again();
        match node.state {
            State::Down(DownWhy::Ended) if hands_over && !comes_again => {
                self.change(id, |node| node.called = true);
                self.listen(id);
            }
            State::Failed(_) if node.hung.is_some() => {}
            State::Down(DownWhy::Ended) | State::Done(_) | State::Failed(_) => self.unbind(id),
            State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. } => {}
        }
    }

    /// Serves who waits at a listening node and watches its sockets, unless a limit is reached or
    /// it is held.
    pub(super) fn resume(&mut self, id: NodeId) {
        self.serve_waiting(id);
        let Some(node) = self.node(id) else { return };
        if node.accepts() && !node.watched {
            if let Some(node) = self.node_mut(id) {
                node.watched = true;
            }
            self.emit(Effect::Watch { node: id });
        }
    }

    pub(super) fn unwatch(&mut self, id: NodeId) {
        if let Some(node) = self.node_mut(id).filter(|node| node.watched) {
            node.watched = false;
            self.emit(Effect::Unwatch { node: id });
        }
    }

    pub(super) fn unbind(&mut self, id: NodeId) {
        self.unwatch(id);
        self.forget_waiting(id);
        if let Some(node) = self.node_mut(id).filter(|node| node.bound) {
            node.bound = false;
            let sockets = node.spec().and_then(|spec| spec.sockets.as_ref());
            let sockets = sockets.map(|sockets| sockets.sockets.iter()).into_iter().flatten();
            let files = sockets.filter(|one| one.unlink).map(|one| one.address.clone()).collect();
            self.emit(Effect::Unbind { files, node: id });
        }
    }

    /// A first connection, or datagram: the service is to start.
    pub(super) fn on_stirred(&mut self, id: NodeId) {
        self.because(Cause::Connection);
        let hands_over = self.socket_mode(id) == Some(SocketMode::Listen);
        let listens = |node: &Node| {
            let held = node.kept() == Some(Kept::Listening);
            matches!(node.state, State::Listening) && hands_over && !held
        };
        if self.node(id).is_some_and(listens) {
            self.stir(id);
        }
    }

    /// One that listens is to start.
    pub(super) fn stir(&mut self, id: NodeId) {
        let why = self.cause.clone();
        if let Some(node) = self.node_mut(id) {
            node.stirred = true;
            node.wish = why;
        }
        self.unwatch(id);
        self.touch(id);
    }

    /// A person asks for one by its name, as for any other: its process is to come, and waits for
    /// no connection.
    pub(super) fn summon(&mut self, id: NodeId) {
        let hands_over = self.socket_mode(id) == Some(SocketMode::Listen);
        let Some(node) = self.node_mut(id).filter(|node| !node.is_held()) else { return };
        match node.state {
            State::Listening if hands_over => self.stir(id),
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Starting {
                step: StartStep::Check | StartStep::OnlyIf(_) | StartStep::Bind,
                ..
            }
            | State::Stopping { .. }
            | State::Cleaning { .. } => node.summoned = true,
            State::Starting { .. }
            | State::Listening
            | State::Up { .. }
            | State::Skipped(_)
            | State::Backoff { .. }
            | State::Done(_)
            | State::Failed(_) => {}
        }
    }

    /// A connection for a process of its own.
    pub(super) fn on_connected(
        &mut self,
        id: NodeId,
        connection: ConnectionId,
        source: Option<String>,
    ) {
        self.because(Cause::Connection);
        match self.node(id).and_then(backlog::inetd) {
            Some((spec, sockets)) => self.accept(id, connection, source, (&spec, &sockets)),
            None => self.emit(Effect::Drop { connection }),
        }
    }

    /// Pauses accepting where a limit is reached.
    pub(super) fn limit(&mut self, id: NodeId, sockets: &SocketsSpec) {
        let now = self.now;
        let Some(node) = self.node(id) else { return };
        if node.is_full() {
            self.unwatch(id);
        }
        let Some((most, period)) = sockets.rate else { return };
        let Some(node) = self.node_mut(id) else { return };
        let (since, count) = node.accepted;
        // A period begins with the first connection in it.
        let runs = count > 0 && now.since(since) < period;
        let (since, count) = if runs { (since, count) } else { (now, 0) };
        let count = count.saturating_add(1);
        node.accepted = (since, count);
        if count >= most {
            self.unwatch(id);
            self.change(id, |node| node.throttled = Some(since.after(period)));
        }
    }

    /// The pause of a rate limit is over.
    pub(super) fn on_throttle_over(&mut self, id: NodeId) {
        if self.node(id).and_then(|node| node.throttled).is_some_and(|until| until <= self.now) {
            self.change(id, |node| node.throttled = None);
            self.resume(id);
        }
    }

    /// The process of a connection ended.
    pub(super) fn on_connection_ended(&mut self, id: NodeId, ended: &Ended, group: Group) {
        if let Ended::NotExecuted(error) = ended {
            let Some(node) = self.node_mut(id) else { return };
            let news = node.last_exit.as_deref() != Some(ended);
            let name = node.name.clone();
            node.last_exit = Some(Box::new(ended.clone()));
            if news {
                self.tell(Level::Trouble, format!("{name}: {error}"));
            }
        }
        let Some(node) = self.node(id) else { return };
        if node.connections.is_empty() && group == Group::Empty {
            self.on_emptied(id);
        }
        self.resume(id);
    }
}
