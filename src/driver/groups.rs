//! Control groups of services: one each, below `finit` in the tree that finit may write, and
//! the news of those that become empty, stand still or go on. Without cgroup2 a service is its
//! sessions, and cannot be frozen.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::{NodeId, RunId};
use crate::facts::{Errno, SignalNumber};
use crate::os::cgroup::{self, Group, Tree, Watch, WatchId};

use super::watch::{Token, Watch as Set};

/// Name of finit's part of the tree, and of the leaf that PID 1 itself lives in.
const NAME: &str = "finit";
const LEAF: &str = "init";

/// What is waited for in a group.
struct Waiting {
    id: WatchId,
    /// Its end.
    empty: bool,
    /// An order to freeze it, or to thaw it.
    frozen: Option<(RunId, bool)>,
}

/// How a process gets into the group of its service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// It is born in it.
    Born,
    /// Everybody in it was killed at once, or may have been: what is born in it is killed, too.
    /// It is made anew before the next process, or, while somebody lives in it still, that one
    /// moves in.
    #[default]
    Unsure,
    /// Each moves in: what was born in a new one did not live either, since the group of PID 1
    /// itself was killed once, which spares PID 1.
    Moves,
}

/// What is known of the end of a group, or of an order to freeze it or to thaw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nobody lives in it; it is carried out.
    Here,
    /// The kernel tells when it comes.
    Told,
    /// Nobody tells, as when the watches that root may have are used up: it is to be asked for.
    Untold,
}

/// The tree, if there is one, and what is waited for.
#[derive(Default)]
pub struct Groups {
    tree: Option<Tree>,
    watch: Option<Watch>,
    waiting: BTreeMap<NodeId, Waiting>,
    /// Orders to freeze, or to thaw, of which nobody tells when they are carried out.
    untold: BTreeMap<NodeId, (RunId, bool)>,
}

impl Groups {
    /// Looks for a tree, once there may be one.
    pub fn open(&mut self, set: &Set, controllers: &[&str]) -> Result<bool, Errno> {
        if self.tree.is_some() {
            return Ok(true);
        }
        let Some(base) = cgroup::find() else { return Ok(false) };
        let tree = Tree::open(&base, NAME)?;
        tree.enter_leaf(LEAF)?;
        // A controller that is missing costs a figure in the status, nothing more.
        let _missing = tree.enable(controllers);
        let watch = Watch::new()?;
        set.readable(watch.as_fd(), Token::Groups)?;
        self.tree = Some(tree);
        self.watch = Some(watch);
        Ok(true)
    }

    /// A group for the next processes of a service, and how they get into it.
    pub fn make_anew(&mut self, node: NodeId, name: &str) -> Result<Option<(Group, Way)>, Errno> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let (group, is_new) = tree.make_anew(name)?;
        if is_new {
            self.unwatch(node);
        }
        Ok(Some((group, if is_new { Way::Born } else { Way::Unsure })))
    }

    /// The group that a service of the finit before has, made if it is not there.
    pub fn make(&self, name: &str) -> Result<Option<Group>, Errno> {
        self.tree.as_ref().map(|tree| tree.make(name)).transpose()
    }

    /// Whether a process is in a group.
    pub fn holds(&self, group: &Group, pid: i32) -> bool {
        group.holds(NAME, pid)
    }

    /// Folder of a group, for the status.
    pub fn folder(&self, group: &Group) -> Option<PathBuf> {
        self.tree.as_ref().map(|tree| tree.path().join(group.folder()))
    }

    /// Takes the folder of a group away; a group that is not empty stays.
    pub fn remove(&mut self, node: NodeId, name: &str) {
        self.unwatch(node);
        if let Some(tree) = &self.tree {
            // Busy: somebody lives there still, and the next start uses it again.
            let _busy = tree.remove(name);
        }
    }

    /// Tells of this group when it becomes empty, if it is not already.
    pub fn watch(&mut self, node: NodeId, group: &Group) -> End {
        let _untold = self.watch_group(node, group);
        self.wait_for(node, |waiting| waiting.empty = true);
        // Asked after the watch is there, so that no end falls between the two.
        if group.populated().unwrap_or(false) {
            return if self.waits_for_end(node) { End::Told } else { End::Untold };
        }
        self.wait_for(node, |waiting| waiting.empty = false);
        End::Here
    }

    /// Has everybody in a group stand still, or go on, for this order. [`Groups::carried_out`]
    /// tells where they do not already.
    pub fn freeze(&mut self, order: RunId, group: &Group, on: bool) -> Result<End, Errno> {
        // Whatever was ordered before counts no more.
        self.wait_for(order.node, |waiting| waiting.frozen = None);
        self.untold.remove(&order.node);
        group.freeze(on)?;
        let _untold = self.watch_group(order.node, group);
        if !self.waiting.contains_key(&order.node) {
            self.untold.insert(order.node, (order, on));
        }
        self.wait_for(order.node, |waiting| waiting.frozen = Some((order, on)));
        if self.carried_out(order.node, group).is_some() {
            return Ok(End::Here);
        }
        Ok(if self.is_untold(order) { End::Untold } else { End::Told })
    }

    /// The order that was waited for, once it is carried out.
    pub fn carried_out(&mut self, node: NodeId, group: &Group) -> Option<RunId> {
        let told = self.waiting.get(&node).and_then(|waiting| waiting.frozen);
        let (order, on) = told.or(self.untold.get(&node).copied())?;
        // Of a group that is gone, nobody stands still.
        if group.frozen().unwrap_or(false) != on {
            return None;
        }
        self.wait_for(node, |waiting| waiting.frozen = None);
        self.untold.remove(&node);
        Some(order)
    }

    /// Whether nobody tells when that order is carried out, and it is still to be.
    pub fn is_untold(&self, order: RunId) -> bool {
        self.untold.get(&order.node).is_some_and(|(untold, _)| *untold == order)
    }

    /// Whether the end of a group is waited for.
    pub fn waits_for_end(&self, node: NodeId) -> bool {
        self.waiting.get(&node).is_some_and(|waiting| waiting.empty)
    }

    /// Has the kernel tell of changes in a group.
    fn watch_group(&mut self, node: NodeId, group: &Group) -> Result<(), Errno> {
        if let (Some(watch), false) = (&self.watch, self.waiting.contains_key(&node)) {
            let id = watch.add(group)?;
            self.waiting.insert(node, Waiting { id, empty: false, frozen: None });
        }
        Ok(())
    }

    /// Nothing is waited for in a group any more.
    fn unwatch(&mut self, node: NodeId) {
        self.wait_for(node, |waiting| (waiting.empty, waiting.frozen) = (false, None));
        self.untold.remove(&node);
    }

    /// Changes what is waited for in a group that is watched; for nothing, it need not be.
    fn wait_for(&mut self, node: NodeId, change: impl FnOnce(&mut Waiting)) {
        let Some(waiting) = self.waiting.get_mut(&node) else { return };
        change(waiting);
        if let (Waiting { id, empty: false, frozen: None }, Some(watch)) = (waiting, &self.watch) {
            watch.remove(*id);
            self.waiting.remove(&node);
        }
    }

    /// Nodes whose groups have changed since the last look.
    pub fn changed(&mut self, set: &Set) -> Vec<NodeId> {
        let Some(watch) = &self.watch else { return Vec::new() };
        let changed = watch.changed();
        let _rearmed = set.readable(watch.as_fd(), Token::Groups);
        // None stands for more changes than the kernel's queue holds: any may have changed.
        let any = changed.contains(&None);
        let hit = |id: &WatchId| any || changed.contains(&Some(*id));
        self.waiting.iter().filter(|(_, known)| hit(&known.id)).map(|(node, _)| *node).collect()
    }
}

/// Sends a signal to everybody in a group; SIGKILL by the kernel itself, which misses nobody
/// who forks meanwhile.
pub fn signal(group: &Group, signal: SignalNumber) -> Result<(), Errno> {
    let answer = match signal {
        SignalNumber::KILL => group.kill(),
        signal => group.signal_all(signal).map(|_| ()),
    };
    match answer {
        // Somebody took the empty group away.
        Err(Errno(libc::ENOENT | libc::ENODEV)) => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_group_that_cannot_be_watched_is_to_be_asked_for() {
        let base = std::env::temp_dir().join(format!("finit-groups-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let (group, _) = Tree::open(&base, NAME).unwrap().make_anew("web").unwrap();
        let events = base.join(NAME).join(group.folder()).join("cgroup.events");
        let node = NodeId::from_number(1);
        let mut groups = Groups::default();
        std::fs::write(&events, "populated 1\n").unwrap();
        assert_eq!(groups.watch(node, &group), End::Untold);
        std::fs::write(&events, "populated 0\n").unwrap();
        assert_eq!(groups.watch(node, &group), End::Here);
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn an_order_to_a_group_that_cannot_be_watched_is_carried_out_all_the_same() {
        let base = std::env::temp_dir().join(format!("finit-frozen-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let (group, _) = Tree::open(&base, NAME).unwrap().make_anew("web").unwrap();
        let file = |name: &str| base.join(NAME).join(group.folder()).join(name);
        let mut groups = Groups::default();
        let node = NodeId::from_number(1);
        let order = |generation| RunId { node, generation };
        for name in ["cgroup.events", "cgroup.freeze"] {
            std::fs::write(file(name), "populated 1\nfrozen 0\n").unwrap();
        }
        // It runs again already, as most do.
        assert_eq!(groups.freeze(order(1), &group, false), Ok(End::Here));
        assert_eq!(groups.freeze(order(2), &group, true), Ok(End::Untold));
        assert_eq!(groups.carried_out(node, &group), None);
        assert!(groups.is_untold(order(2)) && !groups.is_untold(order(1)));
        std::fs::write(file("cgroup.events"), "populated 1\nfrozen 1\n").unwrap();
        assert_eq!(groups.carried_out(node, &group), Some(order(2)));
        assert!(!groups.is_untold(order(2)));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
