//! How one comes from nodes to others over their edges, whatever edges those are.

use std::collections::BTreeSet;

use super::id::NodeId;
use super::node::Node;
use super::why::Why;
use super::{Cause, Engine};

impl Engine {
    /// These, and all that one comes to from them, each once and in the order in which it is found.
    /// `next` says where one goes from a node.
    pub(super) fn reach<I: IntoIterator<Item = NodeId>>(
        &self,
        from: &[NodeId],
        mut next: impl FnMut(NodeId, &Node) -> I,
    ) -> Vec<NodeId> {
        let mut found = from.to_vec();
        let mut known: BTreeSet<NodeId> = from.iter().copied().collect();
        let mut at = 0;
        while let Some(id) = found.get(at) {
            let there = self.node(*id).map(|node| next(*id, node)).into_iter().flatten();
            found.extend(there.filter(|id| known.insert(*id)).collect::<Vec<_>>());
            at = at.saturating_add(1);
        }
        found
    }

    /// The parts of these, and their parts.
    pub(super) fn parts_of(&self, ids: &[NodeId]) -> Vec<NodeId> {
        let found = self.reach(ids, |_, node| node.edges.parts().to_vec());
        found.into_iter().skip(ids.len()).collect()
    }

    /// These with what has each of them go or come, and their parts, and their parts, each because
    /// of its whole.
    pub(super) fn with_parts(&self, mut found: Vec<(NodeId, Why)>) -> Vec<(NodeId, Why)> {
        let mut at = 0;
        while let Some((whole, why)) = found.get(at).cloned() {
            at = at.saturating_add(1);
            let Some(node) = self.node(whole) else { continue };
            let why = Why::behind(self.now, Cause::Whole(node.name.to_string()), why);
            for part in node.edges.parts() {
                if found.iter().all(|(known, _)| known != part) {
                    found.push((*part, why.clone()));
                }
            }
        }
        found
    }

    /// A node and all that it stands on.
    pub(super) fn all_below(&self, id: NodeId) -> Vec<NodeId> {
        self.reach(&[id], |_, node| node.edges.needs.iter().flatten().copied().collect::<Vec<_>>())
    }
}
