//! Causes with what was behind them, back to the first one: what `finitctl why` tells.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::Cause;
use super::id::NodeId;
use super::node::Node;
use super::state::State;
use super::{Engine, view};
use crate::facts::{Moment, Pid};
use crate::proto::{Because, Chapter};

/// Longest chain that is kept; of a longer one, the last links and the first.
const LINKS: u32 = 32;
/// Most obstacles that are told one behind the other.
const CHAPTERS: usize = 32;

/// A cause and what was behind it. Many nodes share one.
#[derive(Debug, Clone)]
pub struct Why(Rc<Link>);

#[derive(Debug)]
struct Link {
    at: Moment,
    cause: Cause,
    behind: Option<Why>,
    length: u32,
}

impl Why {
    /// A first cause.
    pub fn first(at: Moment, cause: Cause) -> Self {
        Self(Rc::new(Link { at, cause, behind: None, length: 1 }))
    }

    /// One with another behind it.
    pub fn behind(at: Moment, cause: Cause, behind: Self) -> Self {
        let behind = if behind.0.length < LINKS { behind } else { behind.root() };
        let length = behind.0.length.saturating_add(1);
        Self(Rc::new(Link { at, cause, behind: Some(behind), length }))
    }

    /// The last link.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// When.
    pub fn at(&self) -> Moment {
        self.0.at
    }

    /// The last link first.
    fn links(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |why| why.0.behind.as_ref())
    }

    fn root(&self) -> Self {
        self.links().last().unwrap_or(self).clone()
    }

    /// For a report.
    fn told(&self, now: Moment) -> Vec<Because> {
        let told = |why: &Self| Because {
            ago_ms: view::millis(now.since(why.at())),
            text: why.cause().story(),
        };
        self.links().map(told).collect()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().fmt(f)
    }
}

/// The last link first.
impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.links().map(|why| (why.at(), why.cause())))
    }
}

impl<'de> Deserialize<'de> for Why {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let links: Vec<(Moment, Cause)> = Vec::deserialize(deserializer)?;
        let link = |why, (at, cause)| {
            Some(match why {
                None => Self::first(at, cause),
                Some(behind) => Self::behind(at, cause, behind),
            })
        };
        let why = links.into_iter().rev().fold(None, link);
        why.ok_or_else(|| serde::de::Error::custom("a cause without any link"))
    }
}

impl Engine {
    /// From here on, everything happens because of this.
    pub(super) fn because(&mut self, cause: Cause) {
        self.cause = Why::first(self.now, cause);
    }

    /// The same, with what that node is going through behind it.
    pub(super) fn because_of_its_past(&mut self, id: NodeId, cause: Cause) {
        self.cause = match self.node(id) {
            Some(node) => Why::behind(self.now, cause, node.cause.clone()),
            None => Why::first(self.now, cause),
        };
    }

    /// Why a node loses what it stands on: found out when it does, from the one below, which
    /// has found out before.
    pub(super) fn loss(&self, node: &Node) -> Option<Why> {
        let below = self.lost_need(node).and_then(|below| self.node(below))?;
        let cause = Cause::Dependency(below.name.clone());
        Some(Why::behind(self.now, cause, below.departure()))
    }

    /// Why a node comes again after an end that nobody asked for: that end, or how the other
    /// that it went with is by now.
    pub(super) fn comes_back(&self, node: &Node) -> Option<Why> {
        if node.cause.at() < node.wish.at() {
            return None;
        }
        match node.cause.cause() {
            Cause::Exit(_) | Cause::Timer(_) => Some(node.cause.clone()),
            Cause::Dependency(name) => {
                let other = self.names.get(name).and_then(|id| self.node(*id))?;
                Some(Why::behind(self.now, Cause::Dependency(name.clone()), other.departure()))
            }
            Cause::Boot
            | Cause::Condition
            | Cause::Rival(_)
            | Cause::Person { .. }
            | Cause::Signal(_)
            | Cause::Connection
            | Cause::Path(_)
            | Cause::Config
            | Cause::Shutdown => None,
        }
    }

    /// Why a node is as it is: itself, and then whatever it waits for, or is there for where it
    /// was let go, one behind the other.
    /// Without `detail` it is not told who asked.
    pub(super) fn chapters(&self, id: NodeId, detail: bool) -> Vec<Chapter> {
        let mut next = Some(id);
        let mut told = Vec::new();
        while let Some((id, node)) = next.take().and_then(|id| Some((id, self.node(id)?))) {
            told.push(Chapter {
                name: node.name.clone(),
                state: view::word(&node.state),
                since_ms: view::millis(self.now.since(node.since)),
                pid: node.pid.map(Pid::raw),
                reason: self.reason(node),
                because: if detail { node.cause.told(self.now) } else { Vec::new() },
            });
            let behind = match &node.state {
                State::Waiting { on, .. } => Some(*on),
                _ => self.keepers(id).first().copied(),
            };
            let is_new = |id: &NodeId| told.iter().all(|chapter| chapter.name != self.name(*id));
            next = behind.filter(is_new).filter(|_| told.len() < CHAPTERS);
        }
        told
    }
}
