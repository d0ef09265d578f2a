//! Needs with alternatives (`needs = "a|b"`, or a name that several provide): which of them are
//! brought up.
//!
//! They are pulled in the order of the file: the first, and each next one while all before it
//! cannot come, be it that they failed for good, that a person keeps them down, or that they wait
//! for something that does not come by itself. Those before stay pulled, so nothing has to be
//! remembered: should one of them come after all, it is stood on from then on. The one that is
//! stood on meanwhile is pulled too, whoever else has it up, until a better one is there; and so
//! are those that crashed and come back, for whoever stays up because they do, and one that
//! somebody called at its socket while it was waited for.

use super::Engine;
use super::hold::Kept;
use super::id::NodeId;
use super::node::{Asked, Body, Edges, Node};
use super::state::{DownWhy, Hope, State, Then};
use super::view;

impl Edges {
    /// Needs that several can fill.
    fn open(&self) -> impl Iterator<Item = &Vec<NodeId>> {
        self.needs.iter().filter(|need| need.len() > 1)
    }

    /// The alternatives that are brought up with it.
    pub fn chosen(&self) -> &[NodeId] {
        self.ties.as_ref().map_or(&[], |ties| &ties.chosen)
    }

    /// Those that are brought up with it whatever happens: what it needs and has no alternative
    /// to, and what it wants.
    pub fn pulls(&self) -> impl Iterator<Item = NodeId> {
        let only = self.needs.iter().filter(|need| need.len() == 1).flatten();
        only.chain(&self.wants).copied()
    }

    /// Everything that is brought up with it, as things are.
    pub fn brings(&self) -> impl Iterator<Item = NodeId> {
        self.pulls().chain(self.chosen().iter().copied())
    }
}

impl Engine {
    /// Which alternatives a node pulls, as things are; one that is not wanted pulls none.
    pub(super) fn choice(&self, node: &Node) -> Vec<NodeId> {
        let mut chosen = Vec::new();
        for need in node.edges.open().filter(|_| node.wanted) {
            let place = |good: &dyn Fn(&Node) -> bool| {
                need.iter().position(|id| self.node(*id).is_some_and(good))
            };
            let bound = node.edges.is_bound(need);
            let there = place(&|other| will_do(other, bound));
            let first = place(&|other| will_do(other, bound) || self.may_come(other, bound));
            let until = first.map_or(need.len(), |first| first.saturating_add(1));
            chosen.extend(need.iter().take(until));
            let stays = |id: &&NodeId| match there {
                Some(there) => need.get(there) == Some(*id),
                None => self.node(**id).is_some_and(|other| is_kept(node, other, bound)),
            };
            chosen.extend(need.iter().skip(until).filter(stays));
        }
        chosen
    }

    /// Keeps which alternatives a node pulls, and tells those.
    pub(super) fn refresh_choice(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| node.edges.open().next().is_some()) else {
            return;
        };
        let chosen = self.choice(node);
        if chosen == node.edges.chosen() {
            return;
        }
        let Some(node) = self.node_mut(id) else { return };
        let ties = node.edges.ties.get_or_insert_default();
        let before = std::mem::replace(&mut ties.chosen, chosen.clone());
        chosen.into_iter().for_each(|below| self.pull(below, true));
        before.into_iter().for_each(|below| self.pull(below, false));
    }

    /// One more, or one less, has a node brought up.
    pub(super) fn pull(&mut self, below: NodeId, up: bool) {
        if let Some(other) = self.node_mut(below) {
            let count = other.required;
            other.required = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
        self.touch(below);
    }

    /// Whether nobody who needs a node can have it up.
    pub(super) fn is_barred(&self, node: &Node) -> bool {
        !self.is_to_be_there(node, true)
    }

    /// Whether a node comes, or would if it were pulled. `bound`: a skipped one will not do.
    fn may_come(&self, node: &Node, bound: bool) -> bool {
        !self.is_barred(node)
            && match &node.state {
                State::Failed(_) | State::Awaiting { .. } => false,
                // Not wanted, it rests, and runs when it is wanted again.
                State::Down(DownWhy::Ended) => !node.wanted,
                State::Waiting { hope, .. } => !node.wanted || *hope != Hope::Stuck,
                State::Skipped(_) => !bound,
                State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
                | State::Listening
                | State::Backoff { .. }
                | State::Starting { .. }
                | State::Up { .. }
                | State::Stopping { .. }
                | State::Cleaning { .. }
                | State::Done(_) => true,
            }
    }

    /// The alternative that a person has in mind who asks for what stands on it: the one that
    /// comes anyway, else the first that nobody keeps down, else the first.
    pub(super) fn candidate(&self, node: &Node, need: &[NodeId]) -> Option<NodeId> {
        let bound = node.edges.is_bound(need);
        let first = |good: &dyn Fn(&Node) -> bool| {
            need.iter().find(|id| self.node(**id).is_some_and(good)).copied()
        };
        first(&|other| self.may_come(other, bound))
            .or_else(|| first(&|other| !self.is_barred(other) && !is_left_out(other)))
            .or_else(|| need.first().copied())
    }

    /// Alternatives that have failed, below any of these: whoever asks for them asks for these,
    /// too, in their turn.
    pub(super) fn failed_alternatives(&self, above: &[NodeId]) -> Vec<NodeId> {
        let nodes = above.iter().filter_map(|id| self.node(*id));
        let failed = |id: &&NodeId| {
            let other = self.node(**id);
            other.is_some_and(|n| matches!(n.state, State::Failed(_)) && !self.is_barred(n))
        };
        nodes.flat_map(|node| node.edges.open().flatten()).filter(failed).copied().collect()
    }

    /// What a node waits for, where several would do: each with its state.
    pub(super) fn alternatives_in_words(&self, node: &Node, on: NodeId) -> Option<String> {
        let unmet = |need: &&Vec<NodeId>| need.contains(&on) && !self.has_firm(node, need);
        let need = node.edges.open().find(unmet)?;
        let one = |id: &NodeId| {
            let other = self.node(*id)?;
            let held = match other.kept() {
                Some(Kept::Unwanted) => format!(" and held: finitctl unhold {}", other.name),
                Some(Kept::Wanted | Kept::Listening) | None => String::new(),
            };
            let word =
                if is_left_out(other) { "left out" } else { view::word(&other.state).word() };
            Some(format!("{} ({word}{}{held})", other.name, view::leaves(other)))
        };
        let each: Vec<String> = need.iter().filter_map(one).collect();
        Some(format!("waits for {}", each.join(" or ")))
    }

    /// Whether a node should be there, needs apart, where others pull it or do not.
    pub(super) fn is_to_be_there(&self, node: &Node, pulled: bool) -> bool {
        !self.phase.is_down()
            && match (node.kept(), node.asked) {
                (Some(Kept::Wanted | Kept::Listening), _) => true,
                (Some(Kept::Unwanted), _) => false,
                (None, _) if node.removed || node.displaced.is_some() => false,
                (None, Some(Asked::Up)) => true,
                (None, Some(Asked::Down)) => false,
                (None, Some(Asked::Released)) => pulled && !node.parted,
                (None, None) => (node.auto || pulled) && !node.parted,
            }
    }
}

/// Whether whoever needs a node may stand on it; `bound`: not if it is skipped.
pub(super) fn will_do(node: &Node, bound: bool) -> bool {
    node.firm && !(bound && matches!(node.state, State::Skipped(_)))
}

/// Whether an alternative of which none is there is not let go for a better one: it comes back for
/// one that stays up because of that, or it was called at its socket and was there a moment ago.
fn is_kept(node: &Node, other: &Node, bound: bool) -> bool {
    if node.state.is_active() && !bound {
        recovers(other)
    } else {
        other.wanted && matches!(other.state, State::Starting { .. })
    }
}

fn is_left_out(node: &Node) -> bool {
    matches!(node.body, Body::LeftOut(_))
}

/// Whether a need that is not up at this moment was up and recovers by itself.
pub(super) fn recovers(node: &Node) -> bool {
    node.wanted
        && !node.leaving
        && match &node.state {
            State::Backoff { .. }
            | State::Starting { .. }
            | State::Down(DownWhy::NeverWanted | DownWhy::Stopped) => true,
            State::Waiting { hope, .. } => *hope != Hope::Stuck,
            State::Stopping { then, .. } | State::Cleaning { then, .. } => {
                matches!(then, Then::AgainAt(..))
            }
            // What a step of the boot has done is done, however it goes when it is run again.
            State::Failed(_) => matches!(node.body, Body::Step(_)),
            State::Down(DownWhy::Ended)
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Up { .. }
            | State::Done(_) => false,
        }
}
