//! What the machine brings up by itself: what its target wants, and has wanted for it at a time.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::node::{Body, Node};
use super::{Engine, graph};

impl Engine {
    /// Whether the target wants each node.
    pub(super) fn refresh_auto(&mut self) {
        let target = self.target.clone();
        self.nodes.iter_mut().for_each(|node| node.refresh_auto(&target));
    }

    /// The same after the boot has looked for instances, for nodes that are newer than the first
    /// so many and for instances that somebody has found before: they are as they would be, had
    /// nobody looked before the boot.
    pub(super) fn refresh_found(&mut self, first: usize) {
        let (target, spec) = (self.target.clone(), Rc::clone(&self.spec));
        let sought = spec.templates.iter().filter(|one| one.search.is_some());
        let sought: BTreeSet<&String> = sought.map(|one| &one.name).collect();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let template = node.newest_spec().and_then(|spec| spec.template.as_ref());
            let is_found = template.is_some_and(|name| sought.contains(name));
            // What the machine has brought up already it keeps up, whatever the file says by now.
            if number >= first || (is_found && !node.auto && !node.timed) {
                node.unfollowed = false;
                node.refresh_auto(&target);
            }
        }
        // They stand for the names that they provide from now on.
        self.connect();
    }

    /// Nodes that are newer than the first so many are of the file that the machine follows, though
    /// this finit is the first that makes them of it. Nothing starts by that.
    pub(super) fn follow_new(&mut self, first: usize) {
        let mut new = self.nodes.iter_mut().skip(first).peekable();
        if new.peek().is_some() {
            new.for_each(|node| node.unfollowed = false);
            self.connect();
        }
    }
}

impl Node {
    fn refresh_auto(&mut self, target: &str) {
        let spec = self.coming_spec().filter(|_| !self.is_only_found()).map(Rc::clone);
        self.auto = match &self.body {
            Body::Step(_) | Body::Milestone => true,
            Body::Target => *self.name == *target,
            Body::Template | Body::LeftOut(_) => false,
            Body::Service(_) => spec.as_ref().is_some_and(|spec| graph::is_member(spec, target)),
        };
        self.timed = spec.is_some_and(|spec| {
            let comes = spec.schedule.is_some() || spec.watch.is_some();
            comes && spec.enabled && spec.targets.iter().any(|one| one == target)
        });
    }
}
