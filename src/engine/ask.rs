//! What the driver may ask: names, definitions and numbers, never decisions.

use std::rc::Rc;
use std::time::Duration;

use super::Engine;
use super::id::{NodeId, RunId};
use super::node::Body;
use super::power::Phase;
use crate::config::spec::{ServiceSpec, SocketMode, SystemSpec};
use crate::facts::Moment;

impl Engine {
    /// The name of a node.
    pub fn name(&self, id: NodeId) -> &str {
        self.node(id).map_or("?", |node| &*node.name)
    }

    /// The number of a node.
    pub fn number(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The definitions in force.
    pub fn spec(&self) -> &Rc<SystemSpec> {
        &self.spec
    }

    /// The name of the target that the machine is to reach.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The steps of the boot that were left out in an emergency, and are yet to be run.
    pub fn spared(&self) -> impl Iterator<Item = String> + '_ {
        self.nodes.iter().filter(|node| node.spared).map(|node| node.name.to_string())
    }

    /// Services and tasks with their numbers.
    pub fn services(&self) -> Vec<(NodeId, Rc<ServiceSpec>)> {
        self.ids().filter_map(|id| Some((id, Rc::clone(self.node(id)?.spec()?)))).collect()
    }

    /// The definition that a node runs by, if it is a service or task.
    pub fn definition(&self, id: NodeId) -> Option<&Rc<ServiceSpec>> {
        self.node(id)?.spec()
    }

    /// Who accepts the connections of a node.
    pub fn socket_mode(&self, id: NodeId) -> Option<SocketMode> {
        self.node(id)?.spec()?.sockets.as_ref().map(|sockets| sockets.mode)
    }

    /// Whether the sockets of a node are to be watched.
    pub fn is_watched(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.watched)
    }

    /// Whether there is something of a node to stop.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.state.is_active())
    }

    /// Whether those who need a node may start.
    pub fn is_up(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.state.is_up())
    }

    /// Whether it is a step of the boot.
    pub fn is_step(&self, node: NodeId) -> bool {
        self.node(node).is_some_and(|node| matches!(node.body, Body::Step(_)))
    }

    /// Whether a run serves a connection.
    pub fn is_connection(&self, run: RunId) -> bool {
        self.node(run.node).is_some_and(|node| node.connections.contains_key(&run.generation))
    }

    /// Whether the boot is over, and the machine not on its way down.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }

    /// What is left of the time for the whole shutdown.
    pub fn shutdown_left(&self, now: Moment) -> Duration {
        match self.phase {
            Phase::Down { since, .. } => {
                self.shutdown_settings().timeout.saturating_sub(now.since(since))
            }
            Phase::Boot | Phase::Running(_) => self.shutdown_settings().timeout,
        }
    }
}
