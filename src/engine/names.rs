//! Names as edges see them: a node, or those that stand for it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::id::NodeId;
use super::node::{Body, Edges, Node};
use crate::config::spec::Stage;
use crate::config::steps;

/// Names as edges see them.
pub(super) struct Names<'a> {
    /// Of nodes.
    pub ids: &'a BTreeMap<Rc<str>, NodeId>,
    /// What services provide.
    pub providers: &'a BTreeMap<String, Vec<NodeId>>,
    /// Of templates.
    pub instances: &'a BTreeMap<&'a str, Vec<NodeId>>,
    /// Those that a mere look has found.
    pub found: BTreeSet<NodeId>,
}

impl Names<'_> {
    /// The node of that name, or those that stand for it.
    pub(super) fn resolve(&self, name: &str) -> Vec<NodeId> {
        match self.ids.get(name) {
            Some(id) => vec![*id],
            None => self.providers.get(name).cloned().unwrap_or_default(),
        }
    }

    /// The same for mere order: an umbrella that nobody opened orders its instances too.
    pub(super) fn ordered(&self, name: &str) -> Vec<NodeId> {
        let mut found = self.resolve(name);
        found.extend(self.instances.get(name).into_iter().flatten());
        found
    }

    /// The node of that name, or those that stand for it and that a node stands on: what a mere look
    /// has found is there for those alone that nobody has followed either, unless there is nothing
    /// else.
    pub(super) fn below(&self, node: &Node, name: &str) -> Vec<NodeId> {
        let mut found = self.resolve(name);
        let is_followed = node.behind || !node.unfollowed;
        let known = |id: &NodeId| !self.found.contains(id);
        if is_followed && found.iter().any(known) {
            found.retain(known);
        }
        found
    }

    /// The same for several names that will all do.
    pub(super) fn alternatives(&self, node: &Node, names: &[String]) -> Vec<NodeId> {
        names.iter().flat_map(|name| self.below(node, name)).collect()
    }

    /// What a node stands on by its own definition.
    pub(super) fn edges(&self, node: &Node) -> Edges {
        let mut edges = Edges::default();
        // Forgotten: its place stays empty.
        if node.name.is_empty() {
            return edges;
        }
        let fixed: &[&str] = match &node.body {
            Body::Step(step) => steps::after(step),
            Body::Milestone => {
                edges.after.extend(self.providers.get(&*node.name).into_iter().flatten());
                steps::reached_by(&node.name)
            }
            Body::Target | Body::Template | Body::LeftOut(_) => &[],
            Body::Service(_) => match node.standing_spec().map(|spec| spec.stage) {
                Some(Stage::Early) => &steps::EARLY,
                Some(Stage::Main) | None => &[steps::MAIN],
            },
        };
        edges.after.extend(fixed.iter().flat_map(|name| self.resolve(name)));
        if let Some(spec) = node.standing_spec() {
            let on = &spec.dependencies;
            edges.needs = on.needs.iter().map(|need| self.alternatives(node, need)).collect();
            edges.needs.extend(on.bound_to.iter().map(|name| self.below(node, name)));
            edges.wants = on.wants.iter().flat_map(|name| self.below(node, name)).collect();
            edges.after.extend(on.after.iter().flat_map(|name| self.ordered(name)));
        }
        edges
    }
}
