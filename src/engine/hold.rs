//! Holds: whoever works on a service has everybody else leave it as it is.
//!
//! A hold fixes whether a node is *wanted*. What the target, dependents, a schedule, a connection,
//! the failure of another or an edited file would make of it does not count until `unhold`; then
//! it does at once. An order of a person against it is refused and names the holder, so that
//! nobody undoes unknowingly what a colleague relies on.
//!
//! * What is there stays, even without what it needs, which may so be restarted below it. Its own
//!   life goes on: one that ends comes back, or does not, as its `restart` says.
//! * What is not there stays away, and those that need it wait.
//! * What only listens keeps its sockets, and connections wait in them.
//!
//! A shutdown ends all holds.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::id::NodeId;
use super::jobs::Goal;
use super::node::{Body, Node};
use super::schedule::span;
use super::state::{DownWhy, State, Then};
use super::why::Why;
use crate::config::spec::SocketMode;
use crate::facts::Moment;
use crate::proto::{Code, Refusal, Reply};

/// A hold on a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hold {
    /// What it keeps.
    pub kept: Kept,
    /// Who holds it, since when.
    by: Why,
}

/// What a hold keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// That it is wanted.
    Wanted,
    /// The same, and that nobody who connects starts it.
    Listening,
    /// That it is not.
    Unwanted,
}

impl Node {
    /// What a hold keeps of it, if there is one.
    pub fn kept(&self) -> Option<Kept> {
        self.hold.as_ref().map(|hold| hold.kept)
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether it stays though what it needs, or its whole, goes: one that is on its way down
    /// already has to be waited for.
    pub fn stays(&self) -> bool {
        self.is_held() && self.state.is_active() && !self.leaving && !self.state.goes_down()
    }

    /// Since when it is held, and by whom where that may be `known`, as a phrase.
    pub fn held_words(&self, now: Moment, known: bool) -> Option<String> {
        let by = &self.hold.as_ref()?.by;
        let who = if known { format!(" by {by}") } else { String::new() };
        Some(format!("held since {}{who}", span(now.since(by.at()))))
    }
}

impl Engine {
    /// Takes hold of a service; of a template with all of its instances.
    pub(super) fn hold(&mut self, name: &str) -> Result<Reply, Refusal> {
        let ids = self.find_holdable(name)?;
        let held = |id: &NodeId| self.node(*id).is_some_and(Node::is_held);
        if let (Some(first), true) = (ids.first(), ids.iter().all(held)) {
            let words = self.node(*first).and_then(|node| node.held_words(self.now, true));
            let message = format!("{name} is {} already", words.unwrap_or_default());
            return Ok(Reply::Done { message });
        }
        for id in ids.iter().filter(|id| !held(id)).copied().collect::<Vec<_>>() {
            self.take_hold(id);
        }
        self.settle();
        let Some(node) = ids.first().and_then(|id| self.node(*id)) else {
            return Ok(Reply::Done { message: String::new() });
        };
        let how = if node.kept() == Some(Kept::Unwanted) { "stays down" } else { "stays as it is" };
        let state = self.state_in_words(node);
        let message = format!("{name} {how} until finitctl unhold {name}: {state}");
        Ok(Reply::Done { message })
    }

    fn take_hold(&mut self, id: NodeId) {
        let by = self.cause.clone();
        let listens = self.socket_mode(id) == Some(SocketMode::Listen);
        let Some(node) = self.node_mut(id) else { return };
        let kept = match &node.state {
            // It would start as soon as it can: that is what is not to happen.
            State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
            | State::Waiting { .. }
            | State::Awaiting { .. } => Kept::Unwanted,
            // On its way down, or about to go.
            _ if !node.wanted => Kept::Unwanted,
            State::Stopping { then: Then::Down, .. } | State::Cleaning { then: Then::Down, .. }
                if !node.restarting =>
            {
                Kept::Unwanted
            }
            State::Listening if listens => Kept::Listening,
            State::Down(DownWhy::Ended)
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => Kept::Wanted,
        };
        node.hold = Some(Box::new(Hold { kept, by }));
        if kept == Kept::Listening {
            // Who knocked already, knocks again.
            node.stirred = false;
            self.unwatch(id);
        }
        self.touch_around(id);
    }

    /// Lets go of it: from now on everything counts again.
    pub(super) fn unhold(&mut self, name: &str) -> Result<Reply, Refusal> {
        let ids = self.find_holdable(name)?;
        let mut any = false;
        for id in &ids {
            if self.node_mut(*id).is_none_or(|node| node.hold.take().is_none()) {
                continue;
            }
            any = true;
            let name = self.name(*id).to_owned();
            self.forget_hold(&name);
            self.resume(*id);
            self.look_at_paths_again(*id);
            self.touch_around(*id);
        }
        if !any {
            return Ok(Reply::Done { message: format!("{name} is not held") });
        }
        self.settle();
        let Some(node) = ids.first().and_then(|id| self.node(*id)) else {
            return Ok(Reply::Done { message: format!("{name} is no longer held") });
        };
        let mut message = format!("{name} is no longer held: {}", self.state_in_words(node));
        if node.name.is_empty() {
            message = format!("{name} is no longer held, nor in the file: it is gone");
        } else if node.pending.is_some() {
            message.push_str(&format!("; the file has changed meanwhile: finitctl restart {name}"));
        }
        Ok(Reply::Done { message })
    }

    /// The service of that name; for a template its instances behind it.
    fn find_holdable(&self, name: &str) -> Result<Vec<NodeId>, Refusal> {
        let ids = self.with_instances(self.find_service(name)?);
        let is_target =
            |id: &NodeId| self.node(*id).is_some_and(|node| matches!(node.body, Body::Target));
        if ids.iter().any(is_target) {
            let message = format!("`{name}` is a target, and nothing runs in it");
            return Err(Refusal::new(Code::NotSupported, message).hint("hold its services"));
        }
        Ok(ids)
    }

    /// Whether a person may ask for that of all these; without a goal it is to start anew.
    ///
    /// # Errors
    /// One of them is held as something else.
    pub(super) fn heed_holds(&self, ids: &[NodeId], goal: Option<Goal>) -> Result<(), Refusal> {
        let against = |node: &&Node| match goal {
            // What is skipped would be looked at again.
            Some(Goal::Up) => !node.state.is_up() || matches!(node.state, State::Skipped(_)),
            // One that waits would come.
            Some(Goal::Down) => !matches!(node.state, State::Down(_) | State::Failed(_)),
            Some(Goal::Reload | Goal::Reloaded | Goal::Frozen | Goal::Thawed) => false,
            None => true,
        };
        let nodes = ids.iter().filter_map(|id| self.node(*id));
        match nodes.filter(|node| node.is_held()).find(against) {
            Some(node) => Err(self.held_refusal(node)),
            None => Ok(()),
        }
    }

    /// What one is told who wants to change what is held.
    pub(super) fn held_refusal(&self, node: &Node) -> Refusal {
        let (name, words) = (&node.name, node.held_words(self.now, true).unwrap_or_default());
        Refusal::new(Code::Held, format!("{name} is {words}"))
            .hint(format!("finitctl unhold {name}"))
    }

    /// Those that stay though one of these goes, each as a sentence.
    pub(super) fn held_above(&self, ids: &[NodeId]) -> Vec<String> {
        let stays = |node: &&Node| {
            let stood = node.edges.needs.iter().flatten().any(|need| ids.contains(need));
            node.stays() && stood
        };
        let note = |node: &Node| {
            Some(format!("{} stays as it is: {}", node.name, node.held_words(self.now, true)?))
        };
        self.nodes.iter().filter(stays).filter_map(note).collect()
    }

    /// What of an edited file does not count yet, for its summary.
    pub(super) fn held_back(&self) -> String {
        let waits = |node: &&Node| node.is_held() && (node.removed || node.pending.is_some());
        let names: Vec<&str> = self.nodes.iter().filter(waits).map(|node| &*node.name).collect();
        if names.is_empty() {
            return String::new();
        }
        format!("; held, and left as it is until finitctl unhold: {}", names.join(", "))
    }

    /// The machine goes down, and nothing stays.
    pub(super) fn end_holds(&mut self) {
        for id in self.ids() {
            if self.node_mut(id).is_some_and(|node| node.hold.take().is_some()) {
                self.resume(id);
            }
        }
    }
}
