//! Names that nothing good stands for: there to be seen and to be waited for, and failed.

use std::collections::{BTreeMap, BTreeSet};

use super::id::NodeId;
use super::node::{Body, Node};
use super::state::State;
use super::{Engine, Extent};
use crate::config::spec::{LeftOut, ServiceSpec, SystemSpec};

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

    /// Names that were left out or awaited, and that a service stands for by now, are those of that
    /// service.
    pub(super) fn free_names(&mut self, spec: &SystemSpec) {
        let awaited = self.spec.templates.iter().filter(|one| one.search.is_none());
        let awaited = awaited.map(|one| &one.name);
        let mut names: BTreeSet<String> =
            awaited.chain(self.spec.left_out.iter().map(|one| &one.name)).cloned().collect();
        let stands_for = |service: &ServiceSpec, name: &String| {
            let others = service.dependencies.provides.iter().chain(&service.alias);
            others.chain([&service.name]).any(|other| other == name)
        };
        names.retain(|name| spec.services.iter().any(|service| stands_for(service, name)));
        for name in names {
            let Some(id) = self.names.get(&name).copied() else { continue };
            let is_bare = |node: &&mut Node| matches!(node.body, Body::Template | Body::LeftOut(_));
            if let Some(node) = self.node_mut(id).filter(is_bare) {
                node.removed = true;
                node.hold = None;
                self.names.remove(&name);
            }
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
