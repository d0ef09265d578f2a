//! From definitions to the graph, and from one graph to the next: what is in the new file and
//! what is not, by name. What did not change is not touched.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::edit::{Followed, comes_as, comes_otherwise, is_called_otherwise};
use super::graph::is_member;
use super::id::{NodeId, Ticket};
use super::names::Names;
use super::node::{Body, Edges, Node};
use super::{Cause, Effect, Engine, Extent, Level};
use crate::config::spec::{
    FIND_INSTANCES, MILESTONES, STEPS, ServiceSpec, SystemSpec, TARGETS, TemplateSpec,
};
use crate::proto::Reply;

impl Engine {
    /// The file was read again and is good.
    pub(super) fn on_loaded(
        &mut self,
        spec: Rc<SystemSpec>,
        extent: Extent,
        cause: Cause,
        ticket: Option<Ticket>,
    ) {
        self.because(cause);
        if let (Extent::Back, Some(trial)) = (extent, &self.trial) {
            self.cause = trial.over(&self.cause);
            self.find_target();
        }
        let first = self.nodes.len();
        let mut summary = self.load(spec, extent);
        self.review_trial(extent, first, &mut summary);
        if extent.is_followed() {
            self.check_target();
        }
        let is_boot = *self.cause.cause() == Cause::Boot;
        if is_boot {
            self.refresh_found(first);
        }
        let what = if is_boot { "instances found" } else { "configuration read again" };
        self.tell(Level::Progress, format!("{what}: {summary}"));
        if let Some(ticket) = ticket {
            self.emit(Effect::Reply { ticket, result: Ok(Reply::Done { message: summary }) });
        }
    }

    /// Takes new definitions in; the answer says in words what is different.
    pub(super) fn load(&mut self, spec: Rc<SystemSpec>, extent: Extent) -> String {
        if self.nodes.is_empty() {
            self.nodes.reserve(spec.services.len());
            self.add_fixed();
        }
        let awaited = self.awaited_names();
        let mut counts = Counts::default();
        for service in &spec.services {
            self.take_service(service, extent, &mut counts);
        }
        for template in &spec.templates {
            if !self.is_left_alone(&template.name, &Body::Template, extent) {
                let id = self.ensure(&template.name, || Body::Template);
                if let Some(node) = self.node_mut(id) {
                    node.removed = false;
                }
            }
        }
        for target in &spec.targets {
            if self.is_left_alone(&target.name, &Body::Target, extent) {
                continue;
            }
            let id = self.ensure(&target.name, || Body::Target);
            if let Some(node) = self.node_mut(id) {
                node.removed = false;
            }
        }
        self.leave_out(&spec, extent);
        // Growing leaves room for as many nodes again, and they are what takes the most memory.
        self.nodes.shrink_to_fit();
        self.remove_missing(&spec, extent, &mut counts);
        let settings = self.follow_settings(&spec, extent);
        self.spec = spec;
        self.free_names(&awaited);
        self.connect();
        let mut summary = counts.to_string();
        if !settings.is_empty() {
            let nothing = counts.is_nothing();
            summary = if nothing { settings } else { format!("{summary}; {settings}") };
        }
        if extent.is_followed() {
            self.refresh_auto();
            self.review_skipped();
            summary.push_str(&self.held_back());
        }
        self.touch_all();
        summary
    }

    /// The nodes that are always there.
    fn add_fixed(&mut self) {
        for step in STEPS {
            self.ensure(step, || Body::Step(step));
        }
        for milestone in MILESTONES {
            self.ensure(milestone, || Body::Milestone);
        }
        for target in TARGETS {
            self.ensure(target, || Body::Target);
        }
    }

    /// The node of that name, made if it is new. One of another kind makes room: a service that
    /// becomes a template is another thing.
    pub(super) fn ensure(&mut self, name: &str, body: impl FnOnce() -> Body) -> NodeId {
        let body = body();
        if let Some(id) = self.names.get(name).copied() {
            let kind = std::mem::discriminant(&body);
            match self.node_mut(id) {
                Some(node) if std::mem::discriminant(&node.body) == kind => return id,
                Some(node) => {
                    node.removed = true;
                    // Nobody could let go of it any more: its name is that of another.
                    node.hold = None;
                }
                None => {}
            }
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let name: Rc<str> = name.into();
        self.nodes.push(Node::new(name.clone(), body, self.now, &self.cause));
        self.names.insert(name, id);
        id
    }

    /// Whether a mere look at a file leaves what has that name as it is, since it would be another
    /// thing: that is followed with the file. What only waits for a thing is none.
    fn is_left_alone(&self, name: &str, new: &Body, extent: Extent) -> bool {
        let known = self.names.get(name).and_then(|id| self.node(*id));
        let is_it = |one: &TemplateSpec| one.search.is_none() && one.name == name;
        let is_thing = |node: &Node| match node.body {
            Body::LeftOut(_) => false,
            Body::Template => !self.spec.templates.iter().any(is_it),
            Body::Service(_) | Body::Step(_) | Body::Milestone | Body::Target => true,
        };
        let other = known.is_some_and(|node| {
            let differs = std::mem::discriminant(&node.body) != std::mem::discriminant(new);
            !node.removed && differs && is_thing(node)
        });
        other && !extent.is_followed()
    }

    /// A definition: new, changed, or the same.
    fn take_service(&mut self, spec: &Rc<ServiceSpec>, extent: Extent, counts: &mut Counts) {
        let new = Body::Service(Rc::clone(spec));
        let mut of = spec.template.iter();
        if self.is_left_alone(&spec.name, &new, extent)
            || of.any(|template| self.is_left_alone(template, &Body::Template, extent))
        {
            return;
        }
        if let Some(template) = &spec.template {
            let id = self.ensure(template, || Body::Template);
            if let Some(node) = self.node_mut(id) {
                node.removed = false;
            }
        }
        let known = self.names.get(&*spec.name).copied();
        let id = self.ensure(&spec.name, || Body::Service(Rc::clone(spec)));
        let Some(node) = self.node_mut(id) else { return };
        let back = std::mem::take(&mut node.removed);
        let new = known != Some(id);
        let found = !extent.is_followed() && (new || node.is_only_found());
        node.unfollowed &= !extent.is_followed();
        if new || back {
            counts.added = counts.added.saturating_add(1);
        }
        // What an earlier look has read, and nobody has followed, is a change for who follows.
        let known = if extent.is_followed() { node.spec() } else { node.newest_spec() };
        let changed = known != Some(spec) && !back;
        let mut in_place = false;
        let newer = node.newest_spec() != Some(spec);
        if newer {
            node.pending = (node.spec() != Some(spec)).then(|| Rc::clone(spec));
        }
        let as_good = |old: &Rc<ServiceSpec>| match extent.is_followed() {
            true => comes_otherwise(old, spec),
            false => newer && is_called_otherwise(old, spec),
        };
        if node.spec().is_some_and(as_good) {
            node.body = Body::Service(Rc::clone(spec));
            node.pending = None;
            in_place = node.state.is_active();
        }
        let same = node.spec().is_some_and(|old| comes_as(old, spec));
        if extent.is_followed() || newer && same {
            // A mere look that finds what another found leaves what waits for a start.
            self.take_pending(id);
        }
        if extent.is_followed() {
            in_place |= self.follow_pending(id) == Some(Followed::InPlace);
        }
        if let Some(node) = self.node_mut(id) {
            let stays = if extent.is_followed() { node.is_held() } else { node.behind || newer };
            node.behind = node.pending.is_some() && stays;
            let looked = !extent.is_followed() && newer || node.unfollowed;
            node.unfollowed = found || node.pending.is_some() && looked;
        }
        if changed {
            counts.changed = counts.changed.saturating_add(1);
        }
        if changed && in_place {
            counts.in_place = counts.in_place.saturating_add(1);
        }
    }

    /// What is not in the file any more goes once it is down; a mere look at the definitions
    /// leaves it alone.
    fn remove_missing(&mut self, spec: &SystemSpec, extent: Extent, counts: &mut Counts) {
        if !extent.is_followed() {
            return;
        }
        let mut there: BTreeMap<&str, ()> = BTreeMap::new();
        for service in &spec.services {
            there.insert(service.name.as_str(), ());
            if let Some(template) = &service.template {
                there.insert(template.as_str(), ());
            }
        }
        there.extend(spec.left_out.iter().map(|left_out| (left_out.name.as_str(), ())));
        there.extend(spec.templates.iter().map(|template| (template.name.as_str(), ())));
        there.extend(spec.targets.iter().map(|target| (target.name.as_str(), ())));
        there.extend(TARGETS.map(|target| (target, ())));
        for node in &mut self.nodes {
            let gone = !matches!(node.body, Body::Step(_) | Body::Milestone)
                && !node.name.is_empty()
                && !there.contains_key(&*node.name);
            if gone && !node.removed {
                node.removed = true;
                // Its instances are what a template is, and its members what a target is.
                let counted = usize::from(!matches!(node.body, Body::Template | Body::Target));
                counts.removed = counts.removed.saturating_add(counted);
            }
        }
    }

    /// Takes a removed node that is down out of the world. Its place stays empty, so that no
    /// number ever means two things.
    pub(super) fn forget(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        if node.name.is_empty() {
            return;
        }
        // While it has a name to be told.
        let edges = node.edges.clone();
        for other in edges.ordered_by.iter().chain(edges.rivals()) {
            let waits = |node: &Node| node.wanted && node.state.waits_for() == Some(id);
            if self.node(*other).is_some_and(waits) {
                self.try_start(*other);
            }
        }
        let Some(node) = self.node_mut(id) else { return };
        let name = std::mem::take(&mut node.name);
        node.edges = Edges::default();
        self.change(id, |node| node.timetable = None);
        // A node of another kind may have its name by now.
        if self.names.get(&name) == Some(&id) {
            self.names.remove(&name);
        }
        self.unbind(id);
        self.emit(Effect::Forget { node: id });
        let stays = |other: &NodeId| self.node(*other).is_some_and(|node| !node.removed);
        if edges.needed_by.iter().any(stays) {
            // Of a name that nobody else provides nothing is missing.
            self.connect();
            self.touch_all();
        }
    }

    /// Makes all edges anew from the definitions that count.
    pub(super) fn connect(&mut self) {
        let providers = self.providers();
        let instances = self.instances();
        let found = self.ids().filter(|id| self.node(*id).is_some_and(Node::is_only_found));
        let found = found.collect();
        let names = Names { ids: &self.names, providers: &providers, instances: &instances, found };
        let mut all: Vec<Edges> = self.nodes.iter().map(|node| names.edges(node)).collect();
        let mut after: Vec<(NodeId, NodeId)> = Vec::new();
        for (id, node) in self.ids().zip(&self.nodes) {
            let Some(spec) = node.standing_spec() else { continue };
            for later in spec.dependencies.before.iter().flat_map(|name| names.ordered(name)) {
                after.push((later, id));
            }
        }
        for (template, instances) in
            instances.iter().filter_map(|(name, ids)| Some((self.names.get(*name)?, ids)))
        {
            if let Some(edges) = all.get_mut(template.index()) {
                edges.wants.clone_from(instances);
            }
        }
        let look = self.names.get(FIND_INSTANCES);
        for template in &self.spec.templates {
            let id = self.names.get(&*template.name);
            if let Some(edges) = id.and_then(|id| all.get_mut(id.index())) {
                edges.after.extend(look);
            }
        }
        for target in self.targets() {
            let Some(id) = self.names.get(&*target.name) else { continue };
            let (Some(node), Some(edges)) = (self.node(*id), all.get_mut(id.index())) else {
                continue;
            };
            edges.needs = target.needs.iter().map(|need| names.alternatives(node, need)).collect();
            edges.wants = target.wants.iter().flat_map(|name| names.below(node, name)).collect();
        }
        self.tie(&names, &mut all);
        for (later, earlier) in after {
            if let Some(edges) = all.get_mut(later.index()) {
                edges.after.push(earlier);
            }
        }
        self.mirror(all);
    }

    /// Instances by the name of their template.
    fn instances(&self) -> BTreeMap<&str, Vec<NodeId>> {
        let mut instances: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
        for (id, node) in self.ids().zip(&self.nodes) {
            if let Some(template) = node.living_spec().and_then(|spec| spec.template.as_deref()) {
                instances.entry(template).or_default().push(id);
            }
        }
        instances
    }

    /// Services by the names that they provide, in the order of the file; but one that the target
    /// brings up is there anyway, and one that is not enabled is there for nobody else's sake.
    pub(super) fn providers(&self) -> BTreeMap<String, Vec<NodeId>> {
        let mut providers: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        let mut going: Vec<(&String, NodeId)> = Vec::new();
        for (id, node) in self.ids().zip(&self.nodes) {
            let Some(spec) = node.standing_spec() else { continue };
            for name in spec.dependencies.provides.iter().chain(&spec.alias) {
                if node.removed {
                    going.push((name, id));
                    continue;
                }
                providers.entry(name.clone()).or_default().push(id);
            }
            if spec.sockets.is_some() && !node.removed {
                providers.entry("sockets".to_owned()).or_default().push(id);
            }
        }
        // Who stands on what is on its way out goes before it.
        let new: Vec<_> =
            going.into_iter().filter(|(name, _)| !providers.contains_key(*name)).collect();
        for (name, id) in new {
            providers.entry(name.clone()).or_default().push(id);
        }
        let rank = |id: &NodeId| {
            let spec = self.node(*id).and_then(Node::standing_spec);
            let comes = spec.is_some_and(|spec| is_member(spec, &self.target));
            (!comes, !spec.is_some_and(|spec| spec.enabled))
        };
        providers.values_mut().for_each(|all| all.sort_by_key(rank));
        providers
    }

    /// Puts the edges in place, with their other halves, and counts anew who is required.
    fn mirror(&mut self, mut all: Vec<Edges>) {
        for edges in &mut all {
            // What is wanted is waited for.
            let wants = edges.wants.clone();
            edges.after.extend(wants);
            edges.after.sort_unstable();
            edges.after.dedup();
        }
        let mut needed_by: Vec<(NodeId, NodeId)> = Vec::new();
        let mut ordered_by: Vec<(NodeId, NodeId)> = Vec::new();
        for (id, edges) in self.ids().zip(&all) {
            needed_by.extend(edges.needs.iter().flatten().map(|below| (*below, id)));
            ordered_by.extend(edges.after.iter().map(|below| (*below, id)));
        }
        for (below, above) in needed_by {
            if let Some(edges) = all.get_mut(below.index()) {
                edges.needed_by.push(above);
            }
        }
        for (below, above) in ordered_by {
            if let Some(edges) = all.get_mut(below.index()) {
                edges.ordered_by.push(above);
            }
        }
        for (node, edges) in self.nodes.iter_mut().zip(all) {
            node.edges = edges;
            node.required = 0;
        }
        for id in self.ids() {
            let Some(node) = self.node(id).filter(|node| node.wanted) else { continue };
            for below in node.edges.pulls().collect::<Vec<_>>() {
                self.pull(below, true);
            }
            self.refresh_choice(id);
        }
    }
}

/// What a new file brings.
#[derive(Debug, Default)]
struct Counts {
    added: usize,
    changed: usize,
    /// Of these, how many run on.
    in_place: usize,
    removed: usize,
}

impl Counts {
    fn is_nothing(&self) -> bool {
        self.added == 0 && self.changed == 0 && self.removed == 0
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_nothing() {
            return f.write_str("nothing changed");
        }
        write!(f, "{} added, {} changed", self.added, self.changed)?;
        if self.in_place > 0 {
            write!(f, " ({} in place)", self.in_place)?;
        }
        write!(f, ", {} removed", self.removed)
    }
}
