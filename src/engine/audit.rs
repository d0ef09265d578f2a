//! The accounts, done again from scratch: counters, flags and indexes that are kept up to date
//! by small steps have to say what a look at everything says. Tests ask after every event.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::id::NodeId;
use super::node::Node;
use super::settle;
use super::state::State;

impl Engine {
    /// How many looks at nodes were taken so far: the work that settling costs.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Compares all that is kept with all that is.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn audit(&self) -> Result<(), String> {
        if !self.fresh.is_empty() || !self.work.is_empty() {
            return Err("the worklist is not empty".to_owned());
        }
        self.audit_counts()?;
        self.audit_deadlines()?;
        for id in self.ids() {
            let Some(node) = self.node(id) else { continue };
            let fault = self.fault(id, node);
            if let Some(fault) = fault {
                return Err(format!("{} ({id:?}, {:?}): {fault}", node.name, node.state));
            }
        }
        Ok(())
    }

    fn audit_counts(&self) -> Result<(), String> {
        let unsettled = self.nodes.iter().filter(|node| !node.settled).count();
        if unsettled != self.unsettled {
            return Err(format!("{unsettled} nodes are unsettled, not {}", self.unsettled));
        }
        let active = self.nodes.iter().filter(|node| node.state.is_active()).count();
        if active != self.active {
            return Err(format!("{active} nodes are active, not {}", self.active));
        }
        let mut required: BTreeMap<NodeId, u32> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| node.wanted) {
            for below in node.edges.pulls() {
                let count = required.entry(below).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (id, node) in self.ids().zip(&self.nodes) {
            let count = required.get(&id).copied().unwrap_or_default();
            if count != node.required {
                return Err(format!("{} is required {count} times: {}", node.name, node.required));
            }
        }
        Ok(())
    }

    fn audit_deadlines(&self) -> Result<(), String> {
        let all = self.ids().zip(&self.nodes);
        let due: BTreeSet<_> = all.filter_map(|(id, node)| Some((node.deadline()?, id))).collect();
        match due == self.deadlines {
            true => Ok(()),
            false => Err(format!("deadlines {due:?} are kept as {:?}", self.deadlines)),
        }
    }

    /// What is wrong with one node.
    fn fault(&self, id: NodeId, node: &Node) -> Option<&'static str> {
        let listening = matches!(node.state, State::Listening);
        let checks = [
            (node.queued || node.fresh, "stands in no worklist"),
            (node.wanted != self.is_wanted(node), "wanted is out of date"),
            (node.leaving != self.is_leaving(node), "leaving is out of date"),
            (node.firm != settle::is_firm(node), "firm is out of date"),
            (node.settled != settle::is_settled(node), "settled is out of date"),
            (node.watched && !(node.bound && listening), "watched, but not listening"),
            (node.pid.is_some() && node.state.run().is_none(), "a pid without a run"),
            (node.restarting && !node.state.is_active(), "restarts what does not run"),
            (node.hung.is_some() && !matches!(node.state, State::Failed(_)), "hangs unnoticed"),
            (node.bound && self.is_over(node), "holds sockets that nobody wants"),
            (!node.name.is_empty() && node.removed && self.is_over(node), "not forgotten"),
            (
                self.names.get(&node.name).is_some_and(|named| {
                    *named != id && self.node(*named).is_some_and(|n| !n.removed) && !node.removed
                }),
                "two of that name",
            ),
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, what)| what)
    }

    /// Down, and not wanted.
    fn is_over(&self, node: &Node) -> bool {
        !node.wanted && matches!(node.state, State::Down(_) | State::Failed(_))
    }
}
