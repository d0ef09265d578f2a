//! The sockets of the machine without a kernel, and who connects to them.

use std::collections::BTreeSet;

use finit::config::spec::SocketMode;
use finit::engine::{ConnectionId, Event, NodeId, What};

use crate::fates::Fates;
use crate::world::World;

impl<F: Fates> World<F> {
    /// A socket is readable.
    pub fn knocks(&mut self, node: NodeId) {
        let inetd = self.engine.socket_mode(node) == Some(SocketMode::Inetd);
        while self.watched.contains(&node) {
            let Some(waiting) = self.backlog.get_mut(&node).filter(|w| !w.is_empty()) else {
                return;
            };
            if !inetd {
                self.turn(Event::Stirred { node });
                return;
            }
            let source = waiting.remove(0);
            self.last_connection += 1;
            let connection = ConnectionId(self.last_connection);
            self.accepted.insert(connection);
            self.turn(Event::Connected { node, connection, source });
        }
    }

    /// Somebody connects.
    pub fn connect(&mut self, name: &str, source: Option<&str>) {
        let Some(node) = self.engine.number(name) else { return };
        if self.bound.contains_key(&node) {
            self.backlog.entry(node).or_default().push(source.map(str::to_owned));
            self.knocks(node);
        }
    }

    /// A process for it is started, or was about to be.
    pub fn begins_to_serve(&mut self, what: What) {
        if let What::Connection(connection) = what
            && !self.accepted.remove(&connection)
        {
            self.complain(format!("{connection:?} is served, and is not there"));
        }
    }

    pub fn drop_connection(&mut self, connection: ConnectionId) {
        self.dropped.push(connection);
        if !self.accepted.remove(&connection) {
            self.complain(format!("{connection:?} is dropped, and is not there"));
        }
    }

    /// What was accepted is in nobody's hands but the engine's.
    pub fn review_accepted(&mut self) {
        let waiting: BTreeSet<ConnectionId> = self.engine.waiting_connections().collect();
        if waiting != self.accepted {
            self.complain(format!("{waiting:?} wait, and {:?} are there", self.accepted));
        }
    }
}
