//! The gentle stop: a service is no longer wanted for its own sake, and goes as soon as nobody
//! who is wanted needs or wants it; at once, if that is so already. Nobody goes for it.
//!
//! It is a wish like that of `start` and `stop`: it outweighs the boot, its times and its paths,
//! and lasts until a person asks otherwise. Who is stopped for good already stays so.

use std::collections::BTreeSet;

use super::Engine;
use super::id::NodeId;
use super::jobs::Goal;
use super::node::{Asked, Node};
use super::state::State;
use crate::proto::{Refusal, Reply};

/// Most names in one sentence.
const NAMES: usize = 8;

impl Node {
    /// Whether a person said that nothing but another node is to make it run.
    pub fn is_off(&self) -> bool {
        matches!(self.asked, Some(Asked::Down | Asked::Released))
    }

    /// Whether it is there for others alone.
    pub fn is_lent(&self) -> bool {
        self.asked == Some(Asked::Released) && !self.is_held() && self.wanted
    }
}

impl Engine {
    /// Stops these, as far as nobody else keeps them.
    pub(super) fn stop_gently(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let ids = self.find_all(names)?;
        self.heed_holds(&ids, Some(Goal::Down))?;
        for id in &ids {
            if let Some(node) = self.node_mut(*id).filter(|n| n.asked != Some(Asked::Down)) {
                node.asked = Some(Asked::Released);
            }
            self.touch(*id);
        }
        // Who stays for whom is known once all of them have let go.
        self.settle();
        let lent = |id: &&NodeId| self.node(**id).is_some_and(Node::is_lent);
        let (stay, go): (Vec<NodeId>, Vec<NodeId>) = ids.iter().partition(lent);
        for id in &go {
            let failed = |node: &Node| matches!(node.state, State::Failed(_)) && !node.is_held();
            if self.node(*id).is_some_and(failed) {
                self.clear(*id);
            }
        }
        let note = |id: &NodeId| {
            let (name, keepers) = (self.name(*id), self.keepers_in_words(*id));
            format!("{name} stays for {keepers}, and goes when nobody needs or wants it any more")
        };
        let notes: Vec<String> = stay.iter().map(note).collect();
        if go.is_empty() {
            return Ok(Reply::Done { message: notes.join("; ") });
        }
        self.job(go.into_iter().map(|id| (id, Goal::Down)).collect(), Vec::new(), notes)
    }

    /// Those that keep one that was let go, by number; none if it is wanted for its own sake.
    pub(super) fn keepers(&self, id: NodeId) -> Vec<NodeId> {
        let Some(node) = self.node(id).filter(|node| node.is_lent()) else { return Vec::new() };
        let pulls = |above: &&NodeId| {
            let above = self.node(**above).filter(|above| above.wanted);
            above.is_some_and(|above| above.edges.brings().any(|below| below == id))
        };
        let around = node.edges.needed_by.iter().chain(&node.edges.ordered_by);
        let keepers: BTreeSet<NodeId> = around.filter(pulls).copied().collect();
        keepers.into_iter().collect()
    }

    /// The same by name.
    pub(super) fn keepers_in_words(&self, id: NodeId) -> String {
        let keepers = self.keepers(id);
        let names: Vec<&str> = keepers.iter().map(|id| self.name(*id)).collect();
        match names.get(..NAMES) {
            Some(some) if names.len() > NAMES => {
                let more = names.len().saturating_sub(NAMES);
                format!("{} and {more} more", some.join(", "))
            }
            _ => names.join(", "),
        }
    }

    /// For whom alone one is there, as a phrase.
    pub(super) fn lent_words(&self, id: NodeId) -> Option<String> {
        let keepers = self.keepers_in_words(id);
        (!keepers.is_empty()).then(|| format!("there only for {keepers}"))
    }

    /// Which of these would go if all of them were let go.
    pub(super) fn unkept(&self, ids: &[NodeId]) -> Vec<NodeId> {
        let for_itself = |id: &NodeId| {
            let node = self.node(*id).filter(|node| node.wanted && !ids.contains(id));
            node.is_some_and(|node| {
                node.is_held() || node.asked == Some(Asked::Up) || node.auto && !node.is_off()
            })
        };
        let mut next: Vec<NodeId> = self.ids().filter(for_itself).collect();
        let mut wanted: BTreeSet<NodeId> = next.iter().copied().collect();
        while let Some(above) = next.pop().and_then(|id| self.node(id)) {
            for below in above.edges.brings() {
                if self.node(below).is_some_and(|node| node.wanted) && wanted.insert(below) {
                    next.push(below);
                }
            }
        }
        ids.iter().copied().filter(|id| !wanted.contains(id)).collect()
    }
}
