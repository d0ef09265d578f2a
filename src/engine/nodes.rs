//! The nodes of a machine, and how often they were visited: what the work of a turn costs, which
//! grows with the square of the machine where somebody goes through all of them for each one.

use std::cell::Cell;
use std::slice::{Iter, IterMut};

use super::node::Node;

/// All nodes, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    all: Vec<Node>,
    /// Counted in builds for tests alone.
    visits: Cell<u64>,
}

impl Nodes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.all.reserve(more);
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.all.shrink_to_fit();
    }

    pub(super) fn push(&mut self, node: Node) {
        self.all.push(node);
    }

    pub(super) fn get(&self, place: usize) -> Option<&Node> {
        self.visited(1);
        self.all.get(place)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Node> {
        self.visited(1);
        self.all.get_mut(place)
    }

    /// Whoever goes through them is taken to go to the end.
    pub(super) fn iter(&self) -> Iter<'_, Node> {
        self.visited(self.len());
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> IterMut<'_, Node> {
        self.visited(self.len());
        self.all.iter_mut()
    }

    pub(super) fn visits(&self) -> u64 {
        self.visits.get()
    }

    /// So many more.
    pub(super) fn visited(&self, count: usize) {
        if cfg!(debug_assertions) {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.visits.set(self.visits.get().saturating_add(count));
        }
    }
}

impl<'a> IntoIterator for &'a Nodes {
    type Item = &'a Node;
    type IntoIter = Iter<'a, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Nodes {
    type Item = &'a mut Node;
    type IntoIter = IterMut<'a, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
