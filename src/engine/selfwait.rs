//! Orders that could only wait for themselves. Whoever waits for an order keeps the run that it
//! is a part of from ending: a hook does not end before the `finitctl` in it has. Where the order
//! can be done only after that run has ended, both would wait until one of them is killed, so the
//! order is refused before anything is changed.
//!
//! An order that stops the main process that gives it is none of these: the client goes with it,
//! and the order is carried out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Engine;
use super::id::{NodeId, RunId};
use super::jobs::Goal;
use super::node::{Aside, Node};
use super::settle::{is_going, is_in_way};
use super::state::{DownWhy, StartStep, State};
use crate::config::spec::Ready;
use crate::proto::{Code, Refusal, Request};

/// A run that a client is a part of, and what waits for its end.
#[derive(Debug, Clone, Copy)]
struct Holder {
    id: NodeId,
    /// What of its service it is.
    what: &'static str,
    /// Its service does not come up before it has ended.
    starts: bool,
    /// It is a command beside the main process.
    hook: bool,
}

/// What an order waits for.
#[derive(Debug, Default)]
struct Order {
    up: Vec<NodeId>,
    down: Vec<NodeId>,
    reloaded: Vec<NodeId>,
}

/// Who is held up, each by the next one, down to the holder.
type Chain = BTreeMap<NodeId, NodeId>;

impl Engine {
    /// Refuses what a client that is a part of this run would ask for and wait for in vain.
    pub(super) fn refuse_self_wait(&self, run: RunId, request: &Request) -> Option<Refusal> {
        let holder = self.holder(run)?;
        let order = self.order(request)?;
        self.circle(holder, &order)
    }

    /// The same for a client that follows a job.
    pub fn refuse_to_follow(&self, run: RunId, job: u64) -> Option<Refusal> {
        let holder = self.holder(run)?;
        let mut order = Order::default();
        for (id, goal) in self.goals(job) {
            match goal {
                Goal::Up if self.node(id).is_some_and(|node| node.restarting) => {
                    order.up.push(id);
                    order.down.push(id);
                }
                Goal::Up => order.up.push(id),
                Goal::Down => order.down.push(id),
                Goal::Reload | Goal::Reloaded => order.reloaded.push(id),
                // The kernel does that, whoever waits for it.
                Goal::Frozen | Goal::Thawed => {}
            }
        }
        self.circle(holder, &order)
    }

    /// What a run is to its service; none where nothing waits for its end.
    fn holder(&self, run: RunId) -> Option<Holder> {
        let node = self.node(run.node)?;
        let (what, starts, hook) = match (node.asides.get(&run.generation), &node.state) {
            (Some(beside), _) => match beside.aside {
                Aside::AfterStart(_) => ("after-start", false, true),
                Aside::Reload(_) => ("reload", false, true),
                Aside::Stop => ("stop.command", true, true),
                Aside::Probe => ("ready.command", true, true),
                Aside::Health => ("health.command", false, true),
            },
            (None, _) if !node.is_main(run) => return None,
            (None, State::Starting { step, .. }) => match step {
                StartStep::OnlyIf(_) => ("only-if-command", true, true),
                StartStep::Before(_) => ("before-start", true, true),
                StartStep::After(_) => ("after-start", true, true),
                StartStep::Main(_) if node.spec()?.ready.when == Ready::Exit => {
                    ("command", true, false)
                }
                StartStep::Check
                | StartStep::Bind
                | StartStep::Main(_)
                | StartStep::Read(_)
                | StartStep::Adopt => return None,
            },
            (None, State::Cleaning { .. }) => ("after-stop", true, true),
            (None, _) => return None,
        };
        Some(Holder { id: run.node, what, starts, hook })
    }

    /// What a request would have its client wait for.
    fn order(&self, request: &Request) -> Option<Order> {
        let mut order = Order::default();
        match request {
            Request::Start { names } => order.up = self.find_startable(names).ok()?,
            Request::Stop { names } => order.down = self.find_all(names).ok()?,
            Request::StopGently { names } => {
                order.down = self.unkept(&self.find_all(names).ok()?);
            }
            Request::Restart { names } => {
                order.up = self.find_all(names).ok()?;
                order.down.clone_from(&order.up);
            }
            Request::Target { name } => order.up = vec![self.find(name).ok()?],
            Request::Reload { names } => {
                order.reloaded = self.find_all(names).ok()?;
                order.reloaded.extend(self.reloaded_with(&order.reloaded));
            }
            Request::Hello
            | Request::Ping
            | Request::List
            | Request::Status { .. }
            | Request::Why { .. }
            | Request::Graph { .. }
            | Request::Plan
            | Request::Apply
            | Request::ApplyOnTrial { .. }
            | Request::Confirm
            | Request::Upgrade { .. }
            | Request::Signal { .. }
            | Request::Reset { .. }
            | Request::Hold { .. }
            | Request::Unhold { .. }
            | Request::Freeze { .. }
            | Request::Thaw { .. }
            | Request::Wait { .. }
            | Request::Power { .. }
            | Request::SchedulePower { .. }
            | Request::CancelPower { .. } => return None,
        }
        // What excludes them goes first.
        let below = self.missing_below(&order.up, false);
        for node in order.up.iter().chain(&below).filter_map(|id| self.node(*id)) {
            order.down.extend(node.edges.rivals());
        }
        Some(order)
    }

    /// The refusal of an order that waits for that run, which waits for it.
    fn circle(&self, holder: Holder, order: &Order) -> Option<Refusal> {
        let stops = self.those_that_stop_first(&order.down);
        if stops.contains_key(&holder.id) {
            // Its main process goes with it, and the client with that.
            return holder.hook.then(|| self.self_wait(holder, &stops, holder.id, true));
        }
        if holder.what == "reload" && order.reloaded.contains(&holder.id) {
            return Some(self.self_wait(holder, &Chain::new(), holder.id, false));
        }
        let held = self.those_that_are_held(holder, order);
        let first = order.up.iter().find(|id| held.contains_key(id))?;
        Some(self.self_wait(holder, &held, *first, false))
    }

    /// In words, with the links from there on.
    fn self_wait(&self, holder: Holder, chain: &Chain, first: NodeId, stops: bool) -> Refusal {
        let who = format!("{}'s {}", self.name(holder.id), holder.what);
        let mut links = Vec::new();
        let mut here = first;
        while let Some(next) = chain.get(&here).copied().filter(|next| *next != here) {
            let (one, other) = (self.name(here), self.name(next));
            links.push(match stops {
                // The holder comes first there, and what was asked for last.
                true => format!("{other} stops after {one}"),
                false => format!("{one} waits for {other}"),
            });
            here = next;
        }
        if stops {
            links.reverse();
        }
        let how = if links.is_empty() { String::new() } else { format!(": {}", links.join(", ")) };
        let message =
            format!("{who} waits for this order, and this order waits for it to end{how}");
        let hint = "with --no-wait the order is taken, and nobody waits for it";
        Refusal::new(Code::SelfWait, message).hint(hint)
    }

    /// Those that have to stop before these have stopped, and these, as far as there is anything
    /// to stop: each with the one that waits for it.
    fn those_that_stop_first(&self, down: &[NodeId]) -> Chain {
        let active = |id: &NodeId| self.node(*id).is_some_and(|node| node.state.is_active());
        let mut chain: Chain = down.iter().filter(|id| active(id)).map(|id| (*id, *id)).collect();
        let mut next: VecDeque<NodeId> = chain.keys().copied().collect();
        while let Some(below) = next.pop_front() {
            let Some(node) = self.node(below) else { continue };
            let going = |id: &NodeId| self.node(*id).is_some_and(is_going);
            let carried = |id: &NodeId| self.is_carried(*id, below, &chain);
            let needs = node.edges.needed_by.iter().filter(|id| carried(id));
            let later = node.edges.ordered_by.iter().filter(|id| going(id));
            let first = |id: &&NodeId| active(id) && !chain.contains_key(id);
            let above: Vec<NodeId> = needs.chain(later).filter(first).copied().collect();
            chain.extend(above.iter().map(|id| (*id, below)));
            next.extend(above);
        }
        chain
    }

    /// Whether a node loses that need of it when these stop.
    fn is_carried(&self, id: NodeId, below: NodeId, gone: &Chain) -> bool {
        let stays = |other: &NodeId| {
            !gone.contains_key(other) && self.node(*other).is_some_and(|node| node.firm)
        };
        let lost = |need: &Vec<NodeId>| need.contains(&below) && !need.iter().any(stays);
        self.node(id).is_some_and(|node| node.edges.needs.iter().any(lost))
    }

    /// Those that do not come up before that run has ended: each with the one it waits for.
    fn those_that_are_held(&self, holder: Holder, order: &Order) -> Chain {
        let mut held = Chain::new();
        if !holder.starts {
            return held;
        }
        let mut asked: BTreeSet<NodeId> = order.up.iter().copied().collect();
        asked.extend(self.missing_below(&order.up, true));
        held.insert(holder.id, holder.id);
        let mut next = VecDeque::from([holder.id]);
        while let Some(below) = next.pop_front() {
            let Some(node) = self.node(below) else { continue };
            let blocks = below == holder.id || asked.contains(&below) || is_in_way(node);
            for above in node.edges.needed_by.iter().chain(&node.edges.ordered_by) {
                let Some(other) = self.node(*above).filter(|_| !held.contains_key(above)) else {
                    continue;
                };
                let again = order.up.contains(above) && order.down.contains(above);
                let comes = again || is_to_start(other, asked.contains(above));
                let late = blocks && other.edges.after.contains(&below);
                if comes && (late || self.lacks(other, below, &held, &asked)) {
                    held.insert(*above, below);
                    next.push_back(*above);
                }
            }
        }
        held
    }

    /// Whether a need of a node has nobody but those that are held.
    fn lacks(&self, node: &Node, below: NodeId, held: &Chain, asked: &BTreeSet<NodeId>) -> bool {
        let may_come = |id: &NodeId| {
            let other = self.node(*id);
            !held.contains_key(id)
                && other.is_some_and(|node| node.firm || node.wanted || asked.contains(id))
        };
        let mut needs = node.edges.needs.iter().filter(|need| need.contains(&below));
        needs.any(|need| !need.iter().any(may_come))
    }
}

/// Whether a node has yet to start, by itself or since somebody asks for it.
fn is_to_start(node: &Node, asked: bool) -> bool {
    match &node.state {
        State::Down(DownWhy::Ended)
        | State::Failed(_)
        | State::Skipped(_)
        | State::Backoff { .. } => asked,
        State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
        | State::Waiting { .. }
        | State::Stopping { .. }
        | State::Cleaning { .. } => asked || node.wanted,
        State::Awaiting { .. }
        | State::Starting { .. }
        | State::Listening
        | State::Up { .. }
        | State::Done(_) => false,
    }
}
