//! What should happen next, computed from what is: the worklist.
//!
//! A node is *wanted* when nobody asked for it to be down and a person, its target or a wanted
//! dependent asks for it, or a dependent alone where a person let it go (`gentle`); of one that is
//! held (`hold`) it is fixed whether it is. A wanted node that is down starts once
//! * each of its needs has an alternative that is *firm*: up, or skipped, and not about to go, and
//! * each node that it comes after, and that is wanted too, is *settled*: up, done, failed,
//!   waiting out a delay, or stuck waiting for something that will not come by itself.
//!
//! A node that is up is *leaving* when it is not wanted any more or when a need is lost to a stop
//! or a failure for good (a need that crashed and comes back is no reason). It stops, but not
//! before those that need it have stopped, nor, of those that merely come later, the ones that
//! are on their way down too. So order holds both ways and nothing is remembered that could be
//! forgotten.
//!
//! These flags are brought up to date everywhere before any node is looked at: whoever is looked
//! at first would otherwise start, or stop, before it is known of the others that they come, or
//! go, too.
//!
//! One that keeps down what it stands on itself, as two that exclude each other may, would come
//! and go without end. Who has lost a need for the second time since the last event *yields*: it
//! waits for the next one, and the others go on meanwhile.

use super::choice::{recovers, will_do};
use super::id::NodeId;
use super::node::Node;
use super::state::{DownWhy, Hope, State, Then};
use super::{Engine, Level};

/// Looks a node may take in one settling, on average; more is a bug in the rules above.
const LOOKS: u64 = 64;

impl Engine {
    /// Looks at touched nodes until nothing changes any more.
    pub(super) fn settle(&mut self) {
        let nodes = u64::try_from(self.nodes.len()).unwrap_or(u64::MAX);
        let most = self.looks.saturating_add(nodes.saturating_mul(LOOKS)).saturating_add(1_000);
        let event = self.cause.clone();
        self.went.clear();
        let yields = std::mem::take(&mut self.yields).into_keys();
        for id in yields.chain(std::mem::take(&mut self.cleared)) {
            self.touch(id);
        }
        while let Some(id) = self.next_look() {
            self.look(id);
            self.refresh_settled(id);
            // What one is going through is no cause for the next.
            self.cause = event.clone();
            if self.looks > most {
                let name = self.name(id).to_owned();
                self.tell(Level::Trouble, format!("BUG: no end of settling at {name}"));
                return;
            }
        }
    }

    /// The next node to look at, once the flags of all that was touched are up to date.
    fn next_look(&mut self) -> Option<NodeId> {
        while let Some(id) = self.fresh.pop_front() {
            self.looks = self.looks.saturating_add(1);
            if let Some(node) = self.node_mut(id) {
                node.fresh = false;
            }
            self.refresh_wanted(id);
            self.release_displaced(id);
            self.refresh_choice(id);
            self.refresh_leaving(id);
            self.refresh_firm(id);
            self.refresh_hope(id);
            self.clear_way(id);
            self.refresh_timetable(id);
            self.refresh_watching(id);
        }
        let id = self.work.pop_front()?;
        self.looks = self.looks.saturating_add(1);
        if let Some(node) = self.node_mut(id) {
            node.queued = false;
        }
        Some(id)
    }

    /// One look at one node.
    fn look(&mut self, id: NodeId) {
        if self.follow_sight(id) {
            return;
        }
        let Some(node) = self.node(id) else { return };
        let (wanted, leaving) = (node.wanted, node.leaving);
        match &node.state {
            // One that still runs would run twice if it came back.
            State::Down(_) | State::Failed(_)
                if node.removed && !node.is_held() && node.hung.is_none() =>
            {
                self.forget(id);
            }
            // Wanted again, it is to run again.
            State::Down(DownWhy::Ended) if !wanted => self.rest(id),
            State::Down(_) | State::Failed(_) if !wanted && node.bound => self.unbind(id),
            State::Down(DownWhy::NeverWanted | DownWhy::Stopped) if wanted => self.try_start(id),
            State::Waiting { .. } | State::Awaiting { .. } if !wanted => self.rest(id),
            State::Waiting { .. } => self.try_start(id),
            State::Skipped(_) if !wanted && !node.comes_again() => self.rest(id),
            State::Listening if node.stirred && !leaving => self.try_start(id),
            State::Listening
            | State::Up { .. }
            | State::Starting { .. }
            | State::Done(_)
            | State::Backoff { .. }
                if leaving =>
            {
                self.try_stop(id);
            }
            State::Down(_)
            | State::Awaiting { .. }
            | State::Failed(_)
            | State::Skipped(_)
            | State::Listening
            | State::Up { .. }
            | State::Starting { .. }
            | State::Done(_)
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. } => {}
        }
    }

    /// Computes whether a node is wanted, and hands a change of that down to what it stands on.
    pub(super) fn refresh_wanted(&mut self, id: NodeId) {
        let wanted = self.node(id).is_some_and(|node| self.is_wanted(node));
        if self.node(id).is_none_or(|node| node.wanted == wanted) {
            return;
        }
        let pulled = if wanted { self.pulled(id) } else { self.let_go(id) };
        let cause = pulled.unwrap_or_else(|| self.cause.clone());
        let Some(node) = self.node_mut(id) else { return };
        node.wanted = wanted;
        node.wish = cause;
        if wanted {
            self.replace_stops(id);
        } else {
            self.forget_monitored(id);
            self.change(id, |node| node.summoned = false);
            if self.node(id).is_some_and(|node| !node.state.is_active()) {
                self.unkeep(id);
            }
        }
        self.with_edges(id, |engine, edges| {
            for below in edges.pulls() {
                engine.pull(below, wanted);
            }
            let around = edges.needed_by.iter().chain(&edges.ordered_by).chain(&edges.after);
            for other in around.chain(edges.rivals()) {
                engine.touch(*other);
            }
        });
    }

    /// Whether it should be there, needs apart.
    pub(super) fn is_wanted(&self, node: &Node) -> bool {
        self.is_to_be_there(node, node.required > 0)
    }

    /// Whether a node rests and is not wanted, and will be in this same settling: its turn to find
    /// out comes only after that of those who have chosen it.
    fn is_about_to_be_wanted(&self, node: &Node) -> bool {
        !node.wanted && matches!(node.state, State::Down(_)) && self.is_wanted(node)
    }

    /// Keeps what others believe of a node, and tells them when that changes.
    fn refresh_leaving(&mut self, id: NodeId) {
        let leaving = self.node(id).is_some_and(|node| self.is_leaving(node));
        let Some(node) = self.node(id).filter(|node| node.leaving != leaving) else { return };
        let loss = if leaving { self.loss(node) } else { None };
        let Some(node) = self.node_mut(id) else { return };
        (node.leaving, node.loss) = (leaving, loss);
        if leaving {
            // Those that go before it may have to talk to it.
            self.end_freeze(id);
        }
        self.with_edges(id, |engine, edges| {
            for other in edges.needed_by.iter().chain(&edges.after) {
                engine.touch(*other);
            }
            if !leaving {
                // One that is held stays after all: what it needs waits for its end no more.
                for other in edges.needs.iter().flatten() {
                    engine.touch(*other);
                }
            }
        });
    }

    /// The same for whether others may stand on it.
    fn refresh_firm(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id).filter(|node| node.firm != is_firm(node)) else {
            return;
        };
        node.firm = !node.firm;
        self.with_edges(id, |engine, edges| {
            for other in &edges.needed_by {
                engine.touch(*other);
                // Another alternative may be held only because this one was not there.
                engine.with_edges(*other, |engine, edges| {
                    let shared = |need: &&Vec<NodeId>| need.len() > 1 && need.contains(&id);
                    for alternative in edges.needs.iter().filter(shared).flatten() {
                        engine.touch(*alternative);
                    }
                });
            }
        });
    }

    /// The same for what a waiting node may hope for: one that was stuck and can start now is on
    /// its way, and those that come later wait for it again. So is one that waited for a path and
    /// loses what it needs for a moment: its conditions are looked at again.
    fn refresh_hope(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| node.wanted) else { return };
        if matches!(node.state, State::Awaiting { .. }) {
            self.keep_awaiting(id);
        }
        let state = self.node(id).map(|node| &node.state);
        let Some(&State::Waiting { on, hope }) = state else { return };
        let (now_on, now_hope) = self.missing(id).unwrap_or((on, Hope::Coming));
        if now_hope != hope {
            self.set_state(id, State::Waiting { on: now_on, hope: now_hope });
        }
    }

    /// The same for whether those that come later have to wait for it.
    fn refresh_settled(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id).filter(|node| node.settled != is_settled(node)) else {
            return;
        };
        node.settled = !node.settled;
        let (settled, above) = (node.settled, node.edges.ordered_by.clone());
        self.unsettled = if settled {
            self.unsettled.saturating_sub(1)
        } else {
            self.unsettled.saturating_add(1)
        };
        for other in above {
            self.touch(other);
        }
    }

    /// Starts a wanted node, or has it wait for the first thing that is missing.
    pub(super) fn try_start(&mut self, id: NodeId) {
        let missing = self.missing(id);
        let Some(node) = self.node(id) else { return };
        let listening = matches!(node.state, State::Listening);
        let over = if missing.is_none() { self.wait_over(node) } else { None };
        self.cause = if matches!(node.state, State::Starting { .. }) {
            // Its sockets are bound: it goes on.
            node.cause.clone()
        } else {
            // One that listens does not come back: somebody knocks.
            let back = over.or_else(|| self.comes_back(node).filter(|_| !listening));
            back.unwrap_or_else(|| node.wish.clone())
        };
        match missing {
            Some((on, hope)) if !listening => self.set_state(id, State::Waiting { on, hope }),
            Some(_) => {}
            None => {
                let why = self.cause.clone();
                if let Some(node) = self.node_mut(id).filter(|_| !listening) {
                    // What it waited for is there: that is another story than when it was not.
                    node.cause = why;
                }
                self.start(id);
            }
        }
    }

    /// What a node still waits for.
    fn missing(&self, id: NodeId) -> Option<(NodeId, Hope)> {
        let node = self.node(id)?;
        if let Some(missing) = self.missing_need(node).or_else(|| self.rival(node)) {
            return Some(missing);
        }
        if let Some(need) = self.yields.get(&id) {
            return Some((*need, Hope::Stuck));
        }
        let in_way = |other: NodeId| self.node(other).is_some_and(is_in_way);
        // Most often it is the one of last time; with thousands of them that matters.
        let last = node.state.waits_for();
        let late = last.filter(|on| node.edges.after.binary_search(on).is_ok() && in_way(*on));
        let late = late.or_else(|| node.edges.after.iter().copied().find(|other| in_way(*other)));
        late.map(|other| (other, Hope::Coming))
    }

    /// A need that is not there.
    pub(super) fn missing_need(&self, node: &Node) -> Option<(NodeId, Hope)> {
        let need = node.edges.needs.iter().find(|need| !self.has_firm(node, need))?;
        let hope = |id: &NodeId| match self.node(*id) {
            Some(node) if self.is_about_to_be_wanted(node) => Hope::Coming,
            Some(node) => hope(node),
            None => Hope::Stuck,
        };
        // Of several that would do, the first of the most hopeful.
        let best = need.iter().rev().max_by_key(|id| hope(id))?;
        Some((*best, hope(best)))
    }

    /// Whether one of these alternatives is there to stay. Of none at all nothing is missing. What
    /// is skipped will do for all but those that are bound to it.
    pub(super) fn has_firm(&self, node: &Node, need: &[NodeId]) -> bool {
        let bound = node.edges.is_bound(need);
        let there = |id: &NodeId| self.node(*id).is_some_and(|other| will_do(other, bound));
        need.is_empty() || need.iter().any(there)
    }

    /// A need of an active node that is lost and does not come back by itself.
    pub(super) fn lost_need(&self, node: &Node) -> Option<NodeId> {
        let lost = |need: &&Vec<NodeId>| {
            let mut others = need.iter().filter_map(|other| self.node(*other));
            // One that is about to go has to wait for this node: no hoping for another then.
            !self.has_firm(node, need)
                && (node.edges.is_bound(need)
                    || others.clone().any(|n| n.leaving)
                    || !others.any(|n| self.is_about_to_be_wanted(n) || recovers(n)))
        };
        let need = node.edges.needs.iter().find(lost)?;
        // Of several, the one that goes, else the one that went last.
        let last = |id: &&NodeId| self.node(**id).map(|other| (other.leaving, other.since));
        need.iter().rev().max_by_key(last).copied()
    }

    /// Whether it is to be stopped, and is not yet.
    pub(super) fn is_leaving(&self, node: &Node) -> bool {
        match &node.state {
            State::Listening
            | State::Up { .. }
            | State::Starting { .. }
            | State::Done(_)
            | State::Backoff { .. } => {
                !node.wanted || node.restarting || !node.is_held() && self.lost_need(node).is_some()
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_) => false,
        }
    }

    /// Stops a node, unless others have to stop before it.
    fn try_stop(&mut self, id: NodeId) {
        if self.is_in_use(id) {
            return;
        }
        let Some(node) = self.node(id) else { return };
        let lost = if node.wanted && !node.restarting { self.lost_need(node) } else { None };
        self.cause = node.departure();
        if let Some(need) = lost
            && !self.went.insert(id)
        {
            self.yields.insert(id, need);
        }
        self.stop(id, Then::Down);
    }

    /// Whether others have to stop before this one; what is held stays, and is not waited for.
    fn is_in_use(&mut self, id: NodeId) -> bool {
        let Some(node) = self.node(id) else { return false };
        let user = self.user(id, node);
        let place = user.and_then(|user| u32::try_from(user).ok()).unwrap_or(0);
        if let Some(node) = self.node_mut(id) {
            node.user = place;
        }
        user.is_some()
    }

    /// The place of one that has to stop before this one, among all that stand on it and come after
    /// it. It is looked for from the one of last time on: those before it are gone, whether they go
    /// in the order in which they were told or against it, and many that stand on one are not passed
    /// over again at each end of one of them.
    fn user(&self, id: NodeId, node: &Node) -> Option<usize> {
        let stands_on = |above: &Node| {
            let lost = |need: &Vec<NodeId>| need.contains(&id) && !self.has_firm(above, need);
            above.state.is_active() && !above.stays() && above.edges.needs.iter().any(lost)
        };
        let above = node.edges.needed_by.iter().rev().map(|other| (*other, true));
        let later = node.edges.ordered_by.iter().rev().map(|other| (*other, false));
        let all = above.chain(later).enumerate();
        let last = usize::try_from(node.user).unwrap_or(0);
        let found = all.clone().skip(last).chain(all.take(last)).find(|(_, (other, needs))| {
            let is_user = |other| if *needs { stands_on(other) } else { is_going(other) };
            self.node(*other).is_some_and(is_user)
        });
        found.map(|(place, _)| place)
    }

    /// A node that nobody wants and that has nothing to stop.
    fn rest(&mut self, id: NodeId) {
        if let Some(node) = self.node(id) {
            self.cause = node.wish.clone();
        }
        self.unbind(id);
        self.set_state(id, State::Down(DownWhy::Stopped));
        self.take_pending(id);
    }
}

/// Up, and not about to go.
pub(super) fn is_firm(node: &Node) -> bool {
    node.state.is_up() && node.wanted && !node.leaving
}

/// Whether those that come later need not wait for it.
pub(super) fn is_settled(node: &Node) -> bool {
    !node.wanted
        || !node.leaving
            && match &node.state {
                State::Up { .. }
                | State::Done(_)
                | State::Listening
                | State::Failed(_)
                | State::Backoff { .. }
                | State::Down(DownWhy::Ended)
                | State::Awaiting { .. }
                | State::Skipped(_)
                | State::Waiting { hope: Hope::Stuck | Hope::Later, .. } => true,
                State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
                | State::Waiting { hope: Hope::Coming, .. }
                | State::Starting { .. }
                | State::Stopping { .. }
                | State::Cleaning { .. } => false,
            }
}

/// Whether one that comes later has to wait for it: it comes up, or it goes down.
pub(super) fn is_in_way(node: &Node) -> bool {
    node.state.goes_down() || node.leaving || !is_settled(node)
}

/// Whether it is on its way down to stay there for a while, so that what it comes after goes
/// later.
pub(super) fn is_going(node: &Node) -> bool {
    let stops = matches!(
        node.state,
        State::Stopping { then: Then::Down, .. } | State::Cleaning { then: Then::Down, .. }
    );
    node.leaving || stops || (!node.wanted && node.state.is_active())
}

/// Whether a need that is not up will be by itself.
fn hope(node: &Node) -> Hope {
    match &node.state {
        _ if !node.wanted => Hope::Stuck,
        _ if !is_settled(node) => Hope::Coming,
        State::Backoff { .. } => Hope::Later,
        State::Waiting { hope, .. } => *hope,
        State::Down(_)
        | State::Awaiting { .. }
        | State::Skipped(_)
        | State::Listening
        | State::Starting { .. }
        | State::Up { .. }
        | State::Stopping { .. }
        | State::Cleaning { .. }
        | State::Failed(_)
        | State::Done(_) => Hope::Stuck,
    }
}
