//! The accounts, done again from scratch: counters, flags and indexes that are kept up to date
//! by small steps have to say what a look at everything says. Tests ask after every event.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::hold::Kept;
use super::id::{NodeId, RunId};
use super::node::Node;
use super::ready::Doing;
use super::settle;
use super::state::{DownWhy, StartStep, State};
use crate::facts::Moment;

impl Engine {
    /// How many looks at nodes were taken so far: the work that settling costs.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// How often a node was visited so far for whatever reason: what looks and all else cost. Builds
    /// without checks do not count it.
    pub fn visits(&self) -> u64 {
        self.nodes.visits()
    }

    /// Compares all that is kept with all that is.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn audit(&self) -> Result<(), String> {
        if !self.fresh.is_empty() || !self.work.is_empty() {
            return Err("the worklist is not empty".to_owned());
        }
        self.audit_counts()?;
        self.audit_deadlines()?;
        self.audit_backlogs()?;
        self.audit_jobs()?;
        for id in self.ids() {
            let Some(node) = self.node(id) else { continue };
            let fault = self.fault(id, node);
            if let Some(fault) = fault {
                return Err(format!("{} ({id:?}, {:?}): {fault}", node.name, node.state));
            }
        }
        Ok(())
    }

    fn audit_counts(&self) -> Result<(), String> {
        let unsettled = self.nodes.iter().filter(|node| !node.settled).count();
        if unsettled != self.unsettled {
            return Err(format!("{unsettled} nodes are unsettled, not {}", self.unsettled));
        }
        let active = self.nodes.iter().filter(|node| node.state.is_active()).count();
        if active != self.active {
            return Err(format!("{active} nodes are active, not {}", self.active));
        }
        let mut required: BTreeMap<NodeId, u32> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| node.wanted) {
            for below in node.edges.brings() {
                let count = required.entry(below).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (id, node) in self.ids().zip(&self.nodes) {
            let count = required.get(&id).copied().unwrap_or_default();
            if count != node.required {
                return Err(format!("{} is required {count} times: {}", node.name, node.required));
            }
        }
        Ok(())
    }

    fn audit_deadlines(&self) -> Result<(), String> {
        let all = self.ids().zip(&self.nodes);
        let due: BTreeSet<_> = all.filter_map(|(id, node)| Some((node.deadline()?, id))).collect();
        match due == self.deadlines {
            true => Ok(()),
            false => Err(format!("deadlines {due:?} are kept as {:?}", self.deadlines)),
        }
    }

    /// What is wrong with one node.
    fn fault(&self, id: NodeId, node: &Node) -> Option<&'static str> {
        let listening = matches!(node.state, State::Listening);
        let checks = [
            (node.queued || node.fresh, "stands in no worklist"),
            (node.wanted != self.is_wanted(node), "wanted is out of date"),
            (node.leaving != self.is_leaving(node), "leaving is out of date"),
            (node.edges.chosen() != self.choice(node), "what it chose is out of date"),
            (node.firm != settle::is_firm(node), "firm is out of date"),
            (node.settled != settle::is_settled(node), "settled is out of date"),
            (node.watched && !(node.bound && listening), "watched, but not listening"),
            (node.pid.is_some() && node.state.run().is_none(), "a pid without a run"),
            (node.restarting && !node.state.is_active(), "restarts what does not run"),
            (node.hung.is_some() && !matches!(node.state, State::Failed(_)), "hangs unnoticed"),
            (!node.is_checked_well(), "is checked twice, for nothing or not at all"),
            (!self.is_watched_well(node), "what was seen is not followed"),
            (!self.is_displaced_well(id, node), "makes way for nobody"),
            (self.waits_for_nobody(id, node), "waits for what would make way"),
            (node.bound && self.is_over(node), "holds sockets that nobody wants"),
            (
                !node.name.is_empty()
                    && (node.removed && node.hung.is_none())
                    && (!node.is_held() && self.is_over(node)),
                "not forgotten",
            ),
            (node.is_held() && self.phase.is_down(), "held against the shutdown"),
            (!node.is_frozen_well(), "frozen, and its run is over or has to go"),
            (node.watched && node.kept() == Some(Kept::Listening), "held, and watched"),
            (
                self.names.get(&*node.name).is_some_and(|named| {
                    *named != id && self.node(*named).is_some_and(|n| !n.removed) && !node.removed
                }),
                "two of that name",
            ),
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, what)| what)
    }

    /// Down, and not wanted.
    fn is_over(&self, node: &Node) -> bool {
        !node.wanted && matches!(node.state, State::Down(_) | State::Failed(_))
    }
}

/// What of a node an onlooker may see: for tests, and for whoever asks why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peek {
    /// Its name; empty once it is forgotten.
    pub name: String,
    /// Its state in a word, finer than the one for people.
    pub label: &'static str,
    /// Since when.
    pub since: Moment,
    /// When that ends by itself.
    pub until: Option<Moment>,
    /// The process that the state is about, or that hangs.
    pub run: Option<RunId>,
    /// What it waits for.
    pub waits_for: Option<NodeId>,
    /// Whether it should be there.
    pub wanted: bool,
    /// Whether it would not be, whoever needs it.
    pub barred: bool,
    /// Whether it is to be stopped and is not yet.
    pub leaving: bool,
    /// What a hold keeps of it.
    pub kept: Option<Kept>,
    /// Whether it is there for others alone.
    pub lent: bool,
    /// Whether its processes stand still, or are to.
    pub frozen: bool,
    /// Whether those who need it may start.
    pub up: bool,
    /// Whether there is something to stop.
    pub active: bool,
    /// Whether it says that it goes by itself.
    pub goes_itself: bool,
    /// Whether accepting pauses because of a rate.
    pub throttled: bool,
    /// Whether a connection waits for it.
    pub stirred: bool,
    /// Processes that serve a connection.
    pub connections: usize,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// What it stands on.
    pub needs: Vec<Vec<NodeId>>,
    /// What it comes after.
    pub after: Vec<NodeId>,
    /// Needs that it cannot outlive.
    pub bound: Vec<Vec<NodeId>>,
    /// What cannot be there at the same time.
    pub rivals: Vec<NodeId>,
}

impl Engine {
    /// The state of a node.
    pub fn state_of(&self, id: NodeId) -> Option<&State> {
        self.node(id).map(|node| &node.state)
    }

    /// A look at the node of that number, while there is one.
    pub fn peek(&self, number: u32) -> Option<Peek> {
        let mut peek = Peek::default();
        self.peek_again(number, &mut peek).then_some(peek)
    }

    /// The same in the place of an earlier look, whose room is used again; false if there is no
    /// such node.
    pub fn peek_again(&self, number: u32, into: &mut Peek) -> bool {
        let Some(node) = self.node(NodeId::from_number(number)) else { return false };
        let mut old = std::mem::take(into);
        (*node.name).clone_into(&mut old.name);
        for (known, needs) in
            [(&mut old.needs, node.edges.needs.as_slice()), (&mut old.bound, node.edges.bound())]
        {
            known.resize_with(needs.len(), Vec::new);
            for (known, need) in known.iter_mut().zip(needs) {
                self.fill_known(known, need);
            }
        }
        self.fill_known(&mut old.after, &node.edges.after);
        self.fill_known(&mut old.rivals, node.edges.rivals());
        *into = Peek {
            label: label(&node.state),
            since: node.since,
            until: node.state.deadline(),
            run: node
                .state
                .run()
                .or(node.state.look())
                .or_else(|| node.hung.as_ref().and_then(|hung| hung.run)),
            waits_for: node.state.waits_for(),
            wanted: node.wanted,
            barred: self.is_barred(node),
            leaving: node.leaving,
            kept: node.kept(),
            lent: node.is_lent(),
            frozen: node.freeze.is_some(),
            up: node.state.is_up(),
            active: node.state.is_active(),
            goes_itself: node.doing() == Doing::Stopping,
            throttled: node.throttled.is_some(),
            stirred: node.stirred,
            connections: node.connections.len(),
            restarts: node.history.restarts,
            ..old
        };
        true
    }

    /// Whether a run is a command beside a service whose end still matters.
    pub fn is_beside(&self, run: RunId) -> bool {
        self.node(run.node).is_some_and(|node| node.asides.contains_key(&run.generation))
    }

    /// Those of these that have a name: what is forgotten has none to be found by again, and only
    /// what goes itself knows it.
    fn fill_known(&self, into: &mut Vec<NodeId>, ids: &[NodeId]) {
        let known = |id: &&NodeId| self.node(**id).is_some_and(|node| !node.name.is_empty());
        into.clear();
        into.extend(ids.iter().filter(known));
    }
}

fn label(state: &State) -> &'static str {
    match state {
        State::Down(DownWhy::Ended) => "ended",
        State::Down(DownWhy::NeverWanted | DownWhy::Stopped) => "down",
        State::Waiting { .. } | State::Awaiting { .. } => "waiting",
        State::Skipped(_) => "skipped",
        State::Listening => "listening",
        State::Backoff { .. } => "backoff",
        State::Starting { step: StartStep::Bind, .. } => "binding",
        State::Starting { .. } => "starting",
        State::Up { .. } => "up",
        State::Stopping { .. } => "stopping",
        State::Cleaning { .. } => "cleaning",
        State::Failed(_) => "failed",
        State::Done(_) => "done",
    }
}
