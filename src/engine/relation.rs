//! Ties beside needs and order: bound to another, part of a whole, rivals, and who steps in.
//!
//! * *Bound*: a need that is lost as soon as the other is not up, be it that it comes back.
//! * *Part*: what a person does to the whole, happens to its parts. A part that went down with
//!   its whole is wanted again when the whole, or itself, is asked for.
//! * *Rivals* are never there at a time. Who asks for one stops the other; else the one that is
//!   there stays, and the other waits.
//! * *On failure*: started when the other has failed for good.

use std::collections::BTreeSet;

use super::id::NodeId;
use super::names::Names;
use super::node::{Asked, Body, Edges, Node, Ties};
use super::state::{DownWhy, Hope, State};
use super::storm::Tale;
use super::why::Why;
use super::{Cause, Engine};

impl Engine {
    /// Puts the ties of all definitions into the edges.
    pub(super) fn tie(&self, names: &Names<'_>, all: &mut [Edges]) {
        for (id, node) in self.ids().zip(&self.nodes) {
            let Some(spec) = node.standing_spec() else { continue };
            let on = &spec.dependencies;
            let found = |list: &[String]| -> Vec<NodeId> {
                list.iter().flat_map(|name| names.resolve(name)).collect()
            };
            for whole in found(&on.part_of) {
                ties(all, whole, |ties| ties.parts.push(id));
            }
            let rivals = on.conflicts.iter().flat_map(|name| names.ordered(name));
            // Who stands for a name may exclude all others that do.
            for rival in rivals.filter(|rival| *rival != id) {
                ties(all, id, |ties| ties.rivals.push(rival));
                ties(all, rival, |ties| ties.rivals.push(id));
            }
            if !on.bound_to.is_empty() {
                let bound = on.bound_to.iter().map(|name| names.below(node, name)).collect();
                ties(all, id, |ties| ties.bound = bound);
            }
            if !on.on_failure.is_empty() {
                ties(all, id, |ties| ties.on_failure = found(&on.on_failure));
            }
        }
    }

    /// A rival that is there: while it is, this one cannot start.
    pub(super) fn rival(&self, node: &Node) -> Option<(NodeId, Hope)> {
        node.edges.rivals().iter().find_map(|id| {
            let rival = self.node(*id).filter(|rival| rival.state.is_active())?;
            // One that goes for good is all that is left to wait for.
            Some((*id, if rival.wanted { Hope::Stuck } else { Hope::Coming }))
        })
    }

    /// The whole is stopped: so are its parts, until it is asked for again.
    pub(super) fn part(&mut self, parts: &[NodeId]) {
        for id in parts {
            if let Some(node) = self.node_mut(*id) {
                node.parted = true;
                node.asked = node.asked.filter(|asked| *asked != Asked::Up);
            }
            self.touch(*id);
        }
    }

    /// What happened to their whole does not hold these down any more, nor does the run of a rival
    /// where a person asks for them.
    pub(super) fn rejoin(&mut self, ids: &[NodeId]) {
        let for_good = self.is_for_good();
        for id in ids {
            let down = |node: &&mut Node| node.parted || node.displaced.is_some();
            if let Some(node) = self.node_mut(*id).filter(down) {
                node.parted = false;
                node.displaced = node.displaced.filter(|_| !for_good);
                self.touch(*id);
            }
        }
    }

    /// Nothing holds down those that are no parts of anything in the file any more: these.
    pub(super) fn rejoin_orphans(&mut self) -> Vec<NodeId> {
        let wholes = self.nodes.iter().filter(|node| !node.removed);
        let parts: BTreeSet<NodeId> = wholes.flat_map(|node| node.edges.parts()).copied().collect();
        let is_orphan =
            |id: &NodeId| self.node(*id).is_some_and(|node| node.parted) && !parts.contains(id);
        let orphans: Vec<NodeId> = self.ids().filter(is_orphan).collect();
        self.rejoin(&orphans);
        orphans
    }

    /// The same for the parts of these, and theirs: unless what makes those come speaks for all,
    /// a part comes because of its whole.
    pub(super) fn rejoin_parts(&mut self, wholes: &[NodeId]) {
        let speaks = self.cause.is_of_all();
        let found = wholes.iter().map(|id| (*id, self.cause.clone())).collect();
        for (part, why) in self.with_parts(found).into_iter().skip(wholes.len()) {
            if self.node(part).is_some_and(|node| node.parted || node.displaced.is_some()) {
                self.rejoin(&[part]);
                let why = if speaks { self.cause.clone() } else { why };
                self.with_cause(why, |engine| engine.refresh_wanted(part));
            }
        }
    }

    /// Has those that are there go down and come again, but for what is held.
    pub(super) fn restart_parts(&mut self, parts: &[NodeId]) {
        let cause = self.cause.clone();
        for id in parts {
            let goes = |node: &&mut Node| node.state.is_active() && !node.is_held();
            if let Some(node) = self.node_mut(*id).filter(goes) {
                node.restarting = true;
                node.wish = cause.clone();
                self.touch(*id);
            }
        }
    }

    /// Others that say they are reloaded with one of these.
    pub(super) fn reloaded_with(&self, ids: &[NodeId]) -> Vec<NodeId> {
        let providers = self.providers();
        let one_of = |name: &String| match self.names.get(name.as_str()) {
            Some(id) => ids.contains(id),
            None => providers.get(name).is_some_and(|all| all.iter().any(|id| ids.contains(id))),
        };
        let with = self.ids().filter(|id| {
            let spec = self.node(*id).and_then(|node| node.living_spec());
            spec.is_some_and(|spec| spec.dependencies.reload_with.iter().any(one_of))
        });
        with.filter(|id| !ids.contains(id)).collect()
    }

    /// A service failed for good: whoever is to step in does, be it that it has failed itself
    /// before. Only what has led to this very failure is not asked again, so that two cannot call
    /// each other for ever.
    pub(super) fn call_for_help(&mut self, id: NodeId) {
        if self.phase.is_down() {
            return;
        }
        let Some(node) = self.node(id) else { return };
        let helpers = node.edges.on_failure().to_vec();
        if helpers.is_empty() {
            return;
        }
        let why = Why::behind(self.now, Cause::Failure(node.name.to_string()), node.cause.clone());
        self.with_cause(why, |engine| engine.ask_for_help(id, &helpers));
    }

    /// These are to step in for that one, which is the cause of it.
    fn ask_for_help(&mut self, id: NodeId, helpers: &[NodeId]) {
        for helper in helpers.iter().copied() {
            if let Some(why) = self.is_no_help(id, helper) {
                let (failed, other) = (self.name(id), self.name(helper));
                let text = format!("{failed} failed, and {other} is not started for that: {why}");
                self.tell_of_many(Tale::Failure, text);
                continue;
            }
            self.monitor(helper, id);
            // A task that told somebody once tells it again, what was skipped is looked at, and
            // what has failed may do better now.
            let over = |node: &Node| {
                matches!(
                    node.state,
                    State::Skipped(_) | State::Down(DownWhy::Ended) | State::Failed(_)
                )
            };
            if self.node(helper).is_some_and(over) {
                self.clear(helper);
            }
            self.bring_for_help(id, helper);
            let why = self.cause.clone();
            let Some(node) = self.node_mut(helper) else { continue };
            node.asked = Some(Asked::Up);
            if matches!(node.state, State::Done(_)) && !node.restarting {
                node.restarting = true;
                node.wish = why;
            }
            self.refresh_wanted(helper);
            self.touch(helper);
        }
    }

    /// Why one is not started though that one failed and calls for it.
    fn is_no_help(&self, id: NodeId, helper: NodeId) -> Option<String> {
        let node = self.node(helper)?;
        if node.is_held() {
            return Some(format!("it is {}", node.held_words(self.now, true)?));
        }
        let State::Failed(why) = &node.state else { return None };
        match node.body {
            Body::LeftOut(_) => Some(format!("it is left out, {why}")),
            Body::Service(_) | Body::Step(_) | Body::Milestone | Body::Target | Body::Template
                if node.hung.is_some() =>
            {
                Some(why.clone())
            }
            Body::Service(_) | Body::Step(_) | Body::Milestone | Body::Target | Body::Template => {
                let led = self.led_to(helper, id);
                led.then(|| "it has led to this failure".to_owned())
            }
        }
    }

    /// Services below a helper that have failed, or were stopped, get another chance with it,
    /// unless they have led to what it is called for.
    fn bring_for_help(&mut self, id: NodeId, helper: NodeId) {
        let begins = |node: &Node| !node.state.is_active() || matches!(node.state, State::Done(_));
        if !self.node(helper).is_some_and(begins) {
            return;
        }
        let may = |below: &NodeId| {
            let is_service =
                self.node(*below).is_some_and(|node| matches!(node.body, Body::Service(_)));
            is_service && !self.led_to(*below, id)
        };
        let mut missing = self.missing_below(&[helper], true);
        let mut others = self.failed_alternatives(&[&[helper], &missing[..]].concat());
        missing.retain(may);
        others.retain(may);
        for below in missing.iter().chain(&others) {
            self.monitor_below(*below, id);
        }
        self.bring(&[helper], &missing, &others);
    }

    /// Whether that failure is a consequence of the first one's, which started what failed then, and
    /// so on.
    fn led_to(&self, first: NodeId, failed: NodeId) -> bool {
        let before = |id: &NodeId| {
            let monitored = self.node(*id)?.monitored.as_ref()?;
            self.names.get(monitored.unit()).copied()
        };
        let mut chain = std::iter::successors(Some(failed), before).take(self.nodes.len());
        chain.any(|id| id == first)
    }
}

fn ties(all: &mut [Edges], id: NodeId, change: impl FnOnce(&mut Ties)) {
    if let Some(edges) = all.get_mut(id.index()) {
        change(edges.ties.get_or_insert_default());
    }
}
