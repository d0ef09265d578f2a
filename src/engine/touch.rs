//! Whom a change may concern: they are looked at in the same turn, see `settle`.

use super::Engine;
use super::id::NodeId;
use super::node::Edges;

impl Engine {
    /// Puts a node into the worklist.
    pub(super) fn touch(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        let (fresh, queued) = (node.fresh, node.queued);
        (node.fresh, node.queued) = (true, true);
        if !fresh {
            self.fresh.push_back(id);
        }
        if !queued {
            self.work.push_back(id);
        }
    }

    pub(super) fn touch_all(&mut self) {
        for id in self.ids() {
            self.touch(id);
        }
    }

    /// Puts a node and all that a change of its state may concern into the worklist.
    pub(super) fn touch_around(&mut self, id: NodeId) {
        self.touch(id);
        for other in std::mem::take(&mut self.delayed) {
            self.touch(other);
        }
        let Some(node) = self.node(id) else { return };
        let waited_for = node.state.is_active() && !node.stays();
        self.with_edges(id, |engine, edges| {
            for other in edges.needed_by.iter().chain(&edges.ordered_by).chain(edges.rivals()) {
                engine.touch(*other);
            }
            // Those below have only waited for its end, or until it is clear that it stays.
            if !waited_for {
                for other in edges.needs.iter().flatten().chain(&edges.wants).chain(&edges.after) {
                    engine.touch(*other);
                }
            }
        });
    }

    /// Goes along the edges of a node, which has none meanwhile: to copy them at each change of a
    /// state costs more than the change.
    pub(super) fn with_edges(&mut self, id: NodeId, act: impl FnOnce(&mut Self, &Edges)) {
        let Some(node) = self.node_mut(id) else { return };
        let edges = std::mem::take(&mut node.edges);
        act(self, &edges);
        if let Some(node) = self.node_mut(id) {
            node.edges = edges;
        }
    }
}
