//! The sockets of the machine without a kernel, and who connects to them.

use finit::config::spec::SocketMode;
use finit::engine::{ConnectionId, Event, NodeId};

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
}
