//! Names of things inside the engine: small numbers that are never mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node of the graph: a service, a task, a boot step, a milestone, a target, a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The bare number, for a token of the kernel.
    pub fn number(self) -> u32 {
        self.0
    }

    /// From such a token.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Its place in the table of nodes.
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// One run of one program for one node. The number is never used twice for a node, so a late
/// exit, a late readiness or a late timer can never hit the run that came after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// For whom.
    pub node: NodeId,
    /// Which of its runs.
    pub generation: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node.0, self.generation)
    }
}

/// A connection that was accepted and waits for its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// A request that waits for its answer. It is answered exactly once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);
