//! Names that nothing good stands for: there to be seen and to be waited for, and failed.

use std::collections::{BTreeMap, BTreeSet};

use super::id::NodeId;
use super::node::Body;
use super::state::State;
use super::{Engine, Extent};
use crate::config::spec::{LeftOut, SystemSpec};

impl Engine {
    /// Takes names with a mistake in. A mere look takes none from what runs: an instance that it
    /// does not find goes when the file is followed, with whoever needs it.
    pub(super) fn leave_out(&mut self, spec: &SystemSpec, extent: Extent) {
        let is_bare = spec.left_out.is_empty() || extent.is_followed();
        let providers = if is_bare { BTreeMap::new() } else { self.providers() };
        for LeftOut { name, mistake } in &spec.left_out {
            if !extent.is_followed() && self.is_stood_for(name, &providers) {
                continue;
            }
            let id = self.ensure(name, || Body::LeftOut(String::new()));
            if let Some(node) = self.node_mut(id) {
                node.body = Body::LeftOut(mistake.clone());
                node.removed = false;
            }
            self.set_state(id, State::Failed(format!("left out: {mistake}")));
        }
    }

    /// Names of instances that nobody has looked for, or that they would provide.
    pub(super) fn awaited_names(&self) -> BTreeSet<String> {
        let awaited = self.spec.templates.iter().filter(|one| one.search.is_none());
        awaited.map(|one| one.name.clone()).collect()
    }

    /// Names that were left out or awaited, are so no more, and that a service provides by now are
    /// those of that service. One whose newer definition provides it does not before it follows
    /// that: whoever needs the name waits on.
    pub(super) fn free_names(&mut self, awaited: &BTreeSet<String>) {
        let left_out = self.spec.left_out.iter().map(|one| &one.name);
        let bare = left_out.chain(self.spec.templates.iter().map(|one| &one.name));
        let bare: BTreeSet<&str> = bare.map(String::as_str).collect();
        let may_go = |id: &NodeId| {
            self.node(*id).is_some_and(|node| match node.body {
                Body::LeftOut(_) => !bare.contains(&*node.name),
                Body::Template => awaited.contains(&*node.name) && !bare.contains(&*node.name),
                Body::Service(_) | Body::Step(_) | Body::Milestone | Body::Target => false,
            })
        };
        let candidates: Vec<NodeId> = self.names.values().copied().filter(may_go).collect();
        if candidates.is_empty() {
            return;
        }
        let providers = self.providers();
        let stays = |id: &NodeId| self.node(*id).is_some_and(|node| !node.removed);
        let provided =
            |id: &NodeId| providers.get(self.name(*id)).is_some_and(|ids| ids.iter().any(stays));
        for id in candidates.into_iter().filter(provided).collect::<Vec<_>>() {
            let Some(node) = self.node_mut(id) else { continue };
            node.removed = true;
            node.hold = None;
            let name = node.name.clone();
            self.names.remove(&name);
        }
    }

    /// Whether a service has that name, or provides it. A template that stands in for one that is
    /// awaited is none.
    fn is_stood_for(&self, name: &str, providers: &BTreeMap<String, Vec<NodeId>>) -> bool {
        match self.names.get(name).and_then(|id| self.node(*id)) {
            Some(node) => matches!(node.body, Body::Service(_)) && !node.removed,
            None => providers.contains_key(name),
        }
    }
}
