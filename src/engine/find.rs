//! From the names that people say to nodes.

use super::Engine;
use super::id::NodeId;
use super::node::{Body, Node};
use crate::proto::{Code, Refusal};

impl Engine {
    /// The node of that name or alias.
    pub(super) fn find(&self, name: &str) -> Result<NodeId, Refusal> {
        if let Some(id) = self.names.get(name).copied().or_else(|| self.find_alias(name)) {
            return Ok(id);
        }
        let provides = |node: &&Node| {
            let spec = node.living_spec();
            spec.is_some_and(|spec| spec.dependencies.provides.iter().any(|one| one == name))
        };
        let providers: Vec<&str> =
            self.nodes.iter().filter(provides).map(|node| node.name.as_str()).collect();
        if !providers.is_empty() {
            let message = format!("`{name}` is provided by {}", providers.join(", "));
            return Err(Refusal::new(Code::NoSuchService, message).hint("name one of them"));
        }
        let refusal = Refusal::new(Code::NoSuchService, format!("no service is called `{name}`"));
        let near = crate::config::suggest(name, self.names.keys().map(String::as_str));
        Err(match near {
            Some(near) => refusal.hint(format!("did you mean `{near}`?")),
            None => refusal.hint("finitctl list shows all names"),
        })
    }

    fn find_alias(&self, name: &str) -> Option<NodeId> {
        self.ids().find(|id| {
            let living = self.node(*id).filter(|node| !node.removed);
            let spec = living.and_then(|node| node.newest_spec());
            spec.is_some_and(|spec| spec.alias.iter().any(|alias| alias == name))
        })
    }

    /// The node of that name, if a person may start and stop it.
    pub(super) fn find_service(&self, name: &str) -> Result<NodeId, Refusal> {
        let id = self.find(name)?;
        match self.node(id).map(|node| &node.body) {
            Some(Body::Step(_) | Body::Milestone) => {
                let message = format!("`{name}` is a part of the boot, not a service");
                Err(Refusal::new(Code::NotSupported, message))
            }
            Some(Body::LeftOut(mistake)) => {
                let message = format!("`{name}` was left out: {mistake}");
                Err(Refusal::new(Code::BrokenConfig, message).hint("see finitctl check"))
            }
            Some(Body::Service(_) | Body::Target | Body::Template) | None => Ok(id),
        }
    }

    /// The nodes of these names, instances for a template; all or none.
    pub(super) fn find_all(&self, names: &[String]) -> Result<Vec<NodeId>, Refusal> {
        if names.is_empty() {
            return Err(Refusal::new(Code::BadRequest, "a name is missing"));
        }
        let mut found = Vec::new();
        for name in names {
            let id = self.find_service(name)?;
            found.push(id);
            if let Some(node) = self.node(id).filter(|node| matches!(node.body, Body::Template)) {
                found.extend(&node.edges.wants);
            }
        }
        Ok(found)
    }

    /// The services of these names; for a template its instances alone.
    pub(super) fn find_instances(&self, names: &[String]) -> Result<Vec<NodeId>, Refusal> {
        let mut ids = self.find_all(names)?;
        ids.retain(|id| self.node(*id).is_some_and(|n| !matches!(n.body, Body::Template)));
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            let message = format!("{} has no instances", names.join(", "));
            return Err(Refusal::new(Code::NotSupported, message));
        }
        Ok(ids)
    }
}
