//! What finit holds for a node outside the engine: its processes, group, pipe and sockets.

use std::os::fd::OwnedFd;

use super::store::Stored;
use crate::engine::NodeId;
use crate::facts::Pid;
use crate::logger::Target;
use crate::os::cgroup::Group;

/// What is held for one node.
#[derive(Default)]
pub struct Site {
    /// Its processes that we started and have not reaped, by generation. Each leads a session
    /// and a group of its own, but for a main process that it named itself.
    pub runs: Few<Pid>,
    /// Those of them that are another's children, which alone is told how they end.
    pub foreign: Few<OwnedFd>,
    /// Sessions of its processes that are reaped but may have members still, where there is
    /// no control group to tell.
    pub sessions: Vec<Pid>,
    /// Its control group.
    pub group: Option<Group>,
    /// Its log pipe; both ends, for ever.
    pub pipe: Option<(OwnedFd, OwnedFd)>,
    /// Where the log writer was told to put what comes out of it.
    pub target: Option<Target>,
    /// Its sockets.
    pub sockets: Vec<OwnedFd>,
    /// By which it tells of itself.
    pub notify: Option<OwnedFd>,
    /// The pipe for the line of a run, by its generation.
    pub line: Option<(u32, OwnedFd)>,
    /// Descriptors that it gave to be kept for its next start.
    pub kept: Vec<Stored>,
    /// The last number of those that are watched.
    pub last_kept: u32,
    /// Whether connections are to be told.
    pub watched: bool,
    /// Whether its emptiness is to be told.
    pub empty_wanted: bool,
}

/// A map by generation of the few that there are at a time: most services have one process, and
/// a thousand of them a thousand of these.
#[derive(Debug)]
pub struct Few<T>(Vec<(u32, T)>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Few<T> {
    /// That of a run.
    pub fn get(&self, generation: &u32) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == generation).map(|(_, one)| one)
    }

    /// Puts one in, and gives the one that it takes the place of.
    pub fn insert(&mut self, generation: u32, one: T) -> Option<T> {
        let former = self.remove(&generation);
        self.0.reserve_exact(1);
        self.0.push((generation, one));
        former
    }

    /// Takes one out.
    pub fn remove(&mut self, generation: &u32) -> Option<T> {
        let at = self.0.iter().position(|(known, _)| known == generation)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, one)| one)
    }

    /// All with their generations.
    pub fn iter(&self) -> impl Iterator<Item = (&u32, &T)> {
        self.0.iter().map(|(generation, one)| (generation, one))
    }
}

impl<T> FromIterator<(u32, T)> for Few<T> {
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// All of them, by node.
#[derive(Default)]
pub struct Sites(Vec<Site>);

impl Sites {
    /// That of a node, made if it is new.
    pub fn of(&mut self, node: NodeId) -> Option<&mut Site> {
        let index = usize::try_from(node.number()).ok()?;
        if index >= self.0.len() {
            self.0.resize_with(index.checked_add(1)?, Site::default);
        }
        self.0.get_mut(index)
    }

    /// That of a node, if there is one.
    pub fn get(&self, node: NodeId) -> Option<&Site> {
        self.0.get(usize::try_from(node.number()).ok()?)
    }

    /// All with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Site)> {
        (0u32..).map(NodeId::from_number).zip(&self.0)
    }
}
