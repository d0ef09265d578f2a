//! Connections that are accepted and wait. A source that has all the connections it may have is
//! delayed and not refused, and those of other sources go on: the kernel cannot leave those of
//! one source alone, so they are taken out of its queue into this one. It has a bound; what
//! comes past that is closed, and told.

use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::hold::Kept;
use super::id::{ConnectionId, NodeId};
use super::node::{Connection, Node};
use super::state::State;
use super::{Effect, Engine, Level, Spawn, What};
use crate::config::spec::{ServiceSpec, SocketMode, SocketsSpec};
use crate::facts::Moment;

/// Most connections of a service that wait: each is a descriptor of PID 1.
const MOST: usize = 128;
/// Most of them that are of one source, so that it leaves room for those of others.
const MOST_OF_SOURCE: usize = 16;

/// Those of a service, in the order in which they came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Backlog {
    waiting: VecDeque<Waiting>,
    /// It was told that one was closed, for as long as any waits.
    told: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    connection: ConnectionId,
    source: String,
}

impl Backlog {
    /// What waits.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.waiting.iter().map(|waiting| waiting.connection)
    }

    /// How many wait, and for what, as a report has it.
    pub fn words(&self) -> String {
        match self.waiting.len() {
            1 => "1 connection waits until another of its address ends".to_owned(),
            count => format!("{count} connections wait until others of their addresses end"),
        }
    }
}

impl Engine {
    /// A connection for a process of its own.
    pub(super) fn accept(
        &mut self,
        id: NodeId,
        connection: ConnectionId,
        source: Option<String>,
        (spec, sockets): (&Rc<ServiceSpec>, &SocketsSpec),
    ) {
        match source {
            Some(source) if self.is_spent(id, sockets, &source) => {
                self.have_wait(id, Waiting { connection, source });
            }
            source => self.serve(id, connection, source, (spec, sockets)),
        }
    }

    /// Whether a source has all the connections that it may have. Counted among the living, so
    /// that nothing can be forgotten (systemd#20685).
    fn is_spent(&self, id: NodeId, sockets: &SocketsSpec, source: &str) -> bool {
        let Some(max) = sockets.max_per_source else { return false };
        let same = self.node(id).map_or(0, |node| {
            let of_source = |c: &&Connection| c.source.as_deref() == Some(source);
            node.connections.values().filter(of_source).count()
        });
        same >= usize::try_from(max).unwrap_or(usize::MAX)
    }

    fn have_wait(&mut self, id: NodeId, late: Waiting) {
        let Some(node) = self.node_mut(id) else { return };
        let backlog = node.backlog.get_or_insert_default();
        let all = backlog.waiting.len();
        let same = backlog.waiting.iter().filter(|waiting| waiting.source == late.source).count();
        if same < MOST_OF_SOURCE && all < MOST {
            backlog.waiting.push_back(late);
            return;
        }
        let told = std::mem::replace(&mut backlog.told, true);
        let many = match same < MOST_OF_SOURCE {
            true => format!("{all} connections"),
            false => format!("{same} connections from {}", late.source),
        };
        let text = format!("{}: {many} wait already; further ones are closed", node.name);
        if !told {
            self.tell(Level::Trouble, text);
        }
        self.emit(Effect::Drop { connection: late.connection });
    }

    /// Starts a process for a connection.
    fn serve(
        &mut self,
        id: NodeId,
        connection: ConnectionId,
        source: Option<String>,
        (spec, sockets): (&Rc<ServiceSpec>, &SocketsSpec),
    ) {
        let Some(command) = spec.commands.first().cloned() else {
            self.emit(Effect::Drop { connection });
            return;
        };
        let run = self.new_run(id);
        if let Some(node) = self.node_mut(id) {
            node.connections.insert(run.generation, Connection { source, pid: None });
        }
        self.limit(id, sockets);
        self.emit(Effect::Spawn(Box::new(Spawn {
            run,
            service: Rc::clone(spec),
            what: What::Connection(connection),
            command,
            user: None,
            told: Vec::new(),
        })));
    }

    /// Serves those that wait, as far as there is room for them by now.
    pub(super) fn serve_waiting(&mut self, id: NodeId) {
        while let Some((spec, sockets)) =
            self.node(id).filter(|node| node.accepts()).and_then(inetd)
            && let Some(waiting) = self.next_waiting(id, &sockets)
        {
            self.serve(id, waiting.connection, Some(waiting.source), (&spec, &sockets));
        }
    }

    /// Takes out the first of those whose source has room.
    fn next_waiting(&mut self, id: NodeId, sockets: &SocketsSpec) -> Option<Waiting> {
        let at = self.first_with_room(id, sockets)?;
        let slot = &mut self.node_mut(id)?.backlog;
        let found = slot.as_mut()?.waiting.remove(at);
        *slot = slot.take().filter(|backlog| !backlog.waiting.is_empty());
        found
    }

    fn first_with_room(&self, id: NodeId, sockets: &SocketsSpec) -> Option<usize> {
        let waiting = &self.node(id)?.backlog.as_ref()?.waiting;
        waiting.iter().position(|late| !self.is_spent(id, sockets, &late.source))
    }

    /// The sockets go, and with them what waits at them.
    pub(super) fn forget_waiting(&mut self, id: NodeId) {
        let backlog = self.node_mut(id).and_then(|node| node.backlog.take());
        for connection in backlog.iter().flat_map(|backlog| backlog.connections()) {
            self.emit(Effect::Drop { connection });
        }
    }

    /// Compares who waits with who has to.
    pub(super) fn audit_backlogs(&self) -> Result<(), String> {
        for id in self.ids() {
            let Some(node) = self.node(id).filter(|node| node.backlog.is_some()) else { continue };
            if !node.bound {
                return Err(format!("connections wait for {}, which has no sockets", node.name));
            }
            let sockets = Some(node).filter(|node| node.accepts()).and_then(inetd);
            if sockets.is_some_and(|(_, sockets)| self.first_with_room(id, &sockets).is_some()) {
                return Err(format!("a connection waits for {} in vain", node.name));
            }
        }
        Ok(())
    }

    /// The connections that wait, whichever service they are for.
    pub fn waiting_connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.nodes.iter().filter_map(|node| node.backlog.as_ref()).flat_map(|b| b.connections())
    }
}

impl Node {
    /// Whether it takes a connection now: it is not held, and no limit is reached.
    pub(super) fn accepts(&self) -> bool {
        let listens =
            matches!(self.state, State::Listening) && self.kept() != Some(Kept::Listening);
        let has_sockets = self.spec().is_some_and(|spec| spec.sockets.is_some());
        listens && has_sockets && !self.is_full() && self.throttled.is_none()
    }

    /// Whether it has as many connections at once as it may have.
    pub(super) fn is_full(&self) -> bool {
        let sockets = self.spec().and_then(|spec| spec.sockets.as_ref());
        sockets.is_some_and(|sockets| {
            let most = usize::try_from(sockets.max).unwrap_or(usize::MAX);
            sockets.mode == SocketMode::Inetd && self.connections.len() >= most
        })
    }

    /// Until when one that listens accepts nothing, and which limit says so.
    pub(super) fn pause_in_words(&self, now: Moment) -> String {
        match self.throttled {
            _ if self.is_full() => match self.connections.len() {
                1 => "accepts no more until its connection ends (inetd-max)".to_owned(),
                most => format!("accepts no more until one of its {most} ends (inetd-max)"),
            },
            Some(until) => {
                let wait = until.since(now).as_secs_f32();
                format!("accepts no more for {wait:.1} s (inetd-rate)")
            }
            None => String::new(),
        }
    }
}

/// The definition of a node that accepts connections now.
pub(super) fn inetd(node: &Node) -> Option<(Rc<ServiceSpec>, Box<SocketsSpec>)> {
    let spec = node.spec().filter(|_| matches!(node.state, State::Listening))?;
    let sockets = spec.sockets.clone().filter(|s| s.mode == SocketMode::Inetd)?;
    Some((Rc::clone(spec), sockets))
}
