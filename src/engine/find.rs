//! From the names that people say, and the patterns, to nodes.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Engine;
use super::graph::is_member;
use super::id::NodeId;
use super::node::{Body, Node};
use super::state::State;
use crate::config::spec::Remedy;
use crate::config::steps::REPEATABLE;
use crate::facts::glob;
use crate::proto::{Code, Refusal};

/// Bytes that a name or a pattern may have, far more than any name has: anybody may ask, and each
/// letter is looked at for each letter of all names.
const LONGEST: usize = 256;

fn check_length(name: &str) -> Result<(), Refusal> {
    if name.len() <= LONGEST {
        return Ok(());
    }
    let message = format!("a name of {} bytes is none", name.len());
    Err(Refusal::new(Code::BadRequest, message).hint(format!("at most {LONGEST}")))
}

impl Engine {
    /// The node of that name or alias.
    pub(super) fn find(&self, name: &str) -> Result<NodeId, Refusal> {
        check_length(name)?;
        if let Some(id) = self.names.get(name).copied().or_else(|| self.find_alias(name)) {
            return Ok(id);
        }
        let provides = |node: &&Node| {
            let spec = node.living_spec();
            spec.is_some_and(|spec| spec.dependencies.provides.iter().any(|one| one == name))
        };
        let providers: Vec<&str> =
            self.nodes.iter().filter(provides).map(|node| &*node.name).collect();
        if !providers.is_empty() {
            let message = format!("`{name}` is provided by {}", providers.join(", "));
            return Err(Refusal::new(Code::NoSuchService, message).hint("name one of them"));
        }
        let refusal = Refusal::new(Code::NoSuchService, format!("no service is called `{name}`"));
        let near = crate::config::suggest(name, self.names.keys().map(|name| &**name));
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

    /// The node of that name or alias; of a pattern all services, tasks and templates whose names
    /// match it, by name, and at least one.
    pub(super) fn find_matching(&self, name: &str) -> Result<Vec<NodeId>, Refusal> {
        if !glob::is_pattern(name) {
            return Ok(vec![self.find(name)?]);
        }
        check_length(name)?;
        let pattern: Vec<char> = name.chars().collect();
        let is_meant = |name: &str, node: &Node| match node.body {
            Body::Service(_) | Body::Template | Body::LeftOut(_) => {
                glob::matches(&pattern, &name.chars().collect::<Vec<_>>())
            }
            // Nobody who says `*` means the boot, or the way back to it.
            Body::Step(_) | Body::Milestone | Body::Target => false,
        };
        let fits = |(name, id): (&Rc<str>, &NodeId)| {
            self.node(*id).filter(|node| is_meant(name, node)).map(|_| *id)
        };
        let found: Vec<NodeId> = self.names.iter().filter_map(fits).collect();
        if found.is_empty() {
            let message = format!("no service matches `{name}`");
            let hint = "finitctl list shows all names";
            return Err(Refusal::new(Code::NoSuchService, message).hint(hint));
        }
        Ok(found)
    }

    /// The node of that name, if a person may start and stop it.
    pub(super) fn find_service(&self, name: &str) -> Result<NodeId, Refusal> {
        let id = self.find(name)?;
        self.may_change(id, name)?;
        Ok(id)
    }

    fn may_change(&self, id: NodeId, name: &str) -> Result<(), Refusal> {
        match self.node(id).map(|node| &node.body) {
            Some(Body::Step(_) | Body::Milestone) => {
                let message = format!("`{name}` is a part of the boot, not a service");
                let refusal = Refusal::new(Code::NotSupported, message);
                let again = REPEATABLE.join(", ");
                Err(refusal.hint(format!(
                    "finitctl start runs a step again that has failed; {again} at any time"
                )))
            }
            Some(Body::LeftOut(mistake)) => {
                let message = format!("`{name}` was left out: {mistake}");
                let hint = match Remedy::of(mistake) {
                    Remedy::File => "see finitctl check",
                    Remedy::Look => {
                        "see to that, or fix `instances` in the file: the next start looks again"
                    }
                    Remedy::Instance => {
                        "make one where `instances` in the file looks: the next start looks again"
                    }
                };
                Err(Refusal::new(Code::BrokenConfig, message).hint(hint))
            }
            Some(Body::Service(_) | Body::Target | Body::Template) | None => Ok(()),
        }
    }

    /// The same for what is started and stopped: what belongs to a target without being named by
    /// it comes and goes with the machine's target alone.
    fn may_drive(&self, id: NodeId, name: &str) -> Result<(), Refusal> {
        self.may_change(id, name)?;
        let Some(node) = self.node(id).filter(|node| matches!(node.body, Body::Target)) else {
            return Ok(());
        };
        let is_named = |id: &NodeId| {
            node.edges.wants.contains(id) || node.edges.needs.iter().any(|need| need.contains(id))
        };
        let is_member = |id: &NodeId| {
            let spec = self.node(*id).filter(|member| !member.removed).and_then(Node::newest_spec);
            spec.is_some_and(|spec| is_member(spec, name))
        };
        let Some(member) = self.ids().find(|id| is_member(id) && !is_named(id)) else {
            return Ok(());
        };
        let message = format!("`{name}` is a target, and {} belongs to it", self.name(member));
        let hint = match self.target == name {
            true => "finitctl target NAME brings the machine to another one".to_owned(),
            false => format!("finitctl target {name} brings the machine there"),
        };
        Err(Refusal::new(Code::NotSupported, message).hint(hint))
    }

    /// The nodes of these names and patterns, each once, instances for a template; all or none.
    pub(super) fn find_all(&self, names: &[String]) -> Result<Vec<NodeId>, Refusal> {
        self.find_each(names, |id, name| self.may_drive(id, name))
    }

    /// The same for a start: a step of the boot that has failed is tried again once somebody has
    /// mended what it failed for, and so is one that was left out in an emergency. One that is done
    /// is not done twice, unless it sees for itself what is left to be done.
    pub(super) fn find_startable(&self, names: &[String]) -> Result<Vec<NodeId>, Refusal> {
        let may = |node: &Node| match &node.body {
            Body::Step(step) => {
                let again = REPEATABLE.contains(step) || node.spared;
                again || matches!(node.state, State::Failed(_))
            }
            Body::Service(_)
            | Body::Milestone
            | Body::Target
            | Body::Template
            | Body::LeftOut(_) => false,
        };
        self.find_each(names, |id, name| match self.node(id) {
            Some(node) if may(node) => Ok(()),
            // Up already; who belongs to it comes by itself.
            Some(node) if *node.name == *self.target => Ok(()),
            Some(_) | None => self.may_drive(id, name),
        })
    }

    fn find_each(
        &self,
        names: &[String],
        may: impl Fn(NodeId, &str) -> Result<(), Refusal>,
    ) -> Result<Vec<NodeId>, Refusal> {
        if names.is_empty() {
            return Err(Refusal::new(Code::BadRequest, "a name is missing"));
        }
        let mut found = Vec::new();
        for name in names {
            for id in self.find_matching(name)? {
                let name = if glob::is_pattern(name) { self.name(id) } else { name.as_str() };
                may(id, name)?;
                found.extend(self.with_instances(id));
            }
        }
        let mut known = BTreeSet::new();
        found.retain(|id| known.insert(*id));
        Ok(found)
    }

    /// A node, and behind a template its instances.
    pub(super) fn with_instances(&self, id: NodeId) -> Vec<NodeId> {
        let template = self.node(id).filter(|node| matches!(node.body, Body::Template));
        let instances = template.iter().flat_map(|node| &node.edges.wants);
        std::iter::once(id).chain(instances.copied()).collect()
    }

    /// The services of these names; for a template its instances alone.
    pub(super) fn find_instances(&self, names: &[String]) -> Result<Vec<NodeId>, Refusal> {
        let mut ids = self.find_all(names)?;
        ids.retain(|id| self.node(*id).is_some_and(|n| !matches!(n.body, Body::Template)));
        ids.sort_unstable();
        if ids.is_empty() {
            let message = format!("{} has no instances", names.join(", "));
            return Err(Refusal::new(Code::NotSupported, message));
        }
        Ok(ids)
    }
}
