//! Names that nothing good stands for: there to be seen and to be waited for, and failed.

use std::collections::BTreeMap;

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

    /// Whether a service has that name, or provides it. A template that stands in for one that is
    /// awaited is none.
    fn is_stood_for(&self, name: &str, providers: &BTreeMap<String, Vec<NodeId>>) -> bool {
        match self.names.get(name).and_then(|id| self.node(*id)) {
            Some(node) => matches!(node.body, Body::Service(_)) && !node.removed,
            None => providers.contains_key(name),
        }
    }
}
