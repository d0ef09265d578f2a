//! The engine: pure. It knows no file, no clock, no process and no tokio; it is a function from
//! (state, now, [`Event`]) to [`Effect`]s, so that the whole life of a machine can be played in
//! a test with a seed.
//!
//! How to use it: [`Engine::handle`] one event, then carry out [`Engine::next_effect`] until
//! there is none, answering `Spawn` and `Bind` at once with `Spawned` and `Bound`, and `Check`,
//! `ReadVariables` and `Await` whenever there is an answer; then sleep until something happens or [`Engine::next_deadline`] has come.
//!
//! How it decides: what should run is computed from state, not from a queue of jobs. A
//! transition touches the nodes around it; touched nodes stand in a worklist and are looked at
//! (`settle`) until nothing changes any more.

// A state, an end or a request that is new is one that each of its readers has to think of.
#![deny(clippy::wildcard_enum_match_arm)]

mod ask;
mod audit;
mod auto;
mod backlog;
mod brought;
mod choice;
mod clear;
mod conditions;
mod displace;
mod doing;
mod edit;
mod effect;
mod event;
mod exit;
mod find;
mod freeze;

mod gentle;
mod graph;
mod health;
mod hold;
mod id;
mod jobs;
mod left_out;
mod load;
mod lost;
mod memory;
mod names;
mod node;
mod nodes;
mod notice;
mod plan;
mod power;
mod random;
mod ready;
mod relation;
mod reload;
mod request;
mod respawn;
mod schedule;
mod selfwait;
mod settings;
mod settle;
mod socket;
mod start;
mod state;
mod stop;
mod storm;
mod timetable;
mod told;
mod touch;
mod trial;
mod umbrella;
mod variables;
mod view;
mod walk;
mod watching;
mod why;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

pub use audit::Peek;
pub use conditions::Verdict;
pub use effect::{Aim, Effect, Level, Spawn, What};
pub use event::{Access, Cause, Ended, Event, Extent, Group, Peer};
pub use graph::is_member;
pub use hold::Kept;
pub use id::{ConnectionId, NodeId, RunId, Ticket};
pub use lost::Lost;
pub use memory::Memory;
pub use notice::{Descriptors, Notice, Watchdog};
pub use request::needed;
pub use state::{DownWhy, Hope, Program, Rung, StartStep, State, Then};
pub use timetable::After;
pub use told::Variable;

use crate::config::spec::SystemSpec;
use crate::facts::Moment;
use jobs::Jobs;
use node::{Body, Node};
use nodes::Nodes;
use power::Phase;
use random::Random;
use schedule::Scheduled;
use settings::Settings;
use storm::Storm;
use trial::Trial;
use why::Why;

/// Deadlines that one node may have at one time, one after the other; more is a bug.
const DEADLINES: usize = 16;
/// Orders for which there is room even when there is none.
const ROOM: usize = 256;

/// The machine's mind.
#[derive(Debug)]
pub struct Engine {
    now: Moment,
    spec: Rc<SystemSpec>,
    /// The settings that count, where what was read last says others and is not followed.
    behind: Option<Box<Settings>>,
    nodes: Nodes,
    names: BTreeMap<Rc<str>, NodeId>,
    /// Touched nodes whose flags are to be brought up to date.
    fresh: VecDeque<NodeId>,
    /// Touched nodes that are to be looked at.
    work: VecDeque<NodeId>,
    /// Looks taken so far.
    looks: u64,
    /// Those that lost a need, and went, since the last event.
    went: BTreeSet<NodeId>,
    /// Those that did so twice, with the need: they wait for the next event.
    yields: BTreeMap<NodeId, NodeId>,
    /// Those whose rivals have made way since the last event: once is enough.
    cleared: BTreeSet<NodeId>,
    /// Those whose run, which a time or a path has asked for, cannot begin now: they are looked at
    /// again at the next change, wherever that is.
    delayed: BTreeSet<NodeId>,
    out: VecDeque<Effect>,
    deadlines: BTreeSet<(Moment, NodeId)>,
    phase: Phase,
    /// A shutdown that is to come.
    scheduled: Option<Scheduled>,
    /// A file that nobody has confirmed yet.
    trial: Option<Trial>,
    target: String,
    began: Moment,
    warnings: Vec<String>,
    jobs: Jobs,
    random: Random,
    storm: Storm,
    /// Wanted nodes that are not settled yet: the boot is over when there are none.
    unsettled: usize,
    /// Nodes with something to stop: the services are down when there are none.
    active: usize,
    /// What made the event that is being handled happen.
    cause: Why,
}

impl Engine {
    /// An engine for this machine. `warnings` are shown with every status; `seed` is for jitter.
    pub fn new(
        spec: Rc<SystemSpec>,
        target: &str,
        warnings: Vec<String>,
        seed: u64,
        now: Moment,
    ) -> Self {
        let mut engine = Self::empty(target, warnings, Random::new(seed), now);
        engine.load(spec, Extent::Everything);
        engine.check_target();
        engine
    }

    /// One that has no nodes yet.
    fn empty(target: &str, warnings: Vec<String>, random: Random, now: Moment) -> Self {
        Self {
            now,
            spec: Rc::new(SystemSpec::default()),
            behind: None,
            nodes: Nodes::default(),
            names: BTreeMap::new(),
            fresh: VecDeque::new(),
            work: VecDeque::new(),
            looks: 0,
            went: BTreeSet::new(),
            yields: BTreeMap::new(),
            cleared: BTreeSet::new(),
            delayed: BTreeSet::new(),
            out: VecDeque::new(),
            deadlines: BTreeSet::new(),
            phase: Phase::Boot,
            scheduled: None,
            trial: None,
            target: target.to_owned(),
            began: now,
            warnings,
            jobs: Jobs::default(),
            random,
            storm: Storm::default(),
            unsettled: 0,
            active: 0,
            cause: Why::first(now, Cause::Boot),
        }
    }

    /// A target that is misspelt on the kernel command line, or gone from the file, must not cost
    /// the machine.
    fn check_target(&mut self) {
        let known = self.names.get(&*self.target).and_then(|id| self.node(*id));
        if !known.is_some_and(|node| matches!(node.body, Body::Target) && !node.removed) {
            self.warnings.push(format!("there is no target `{}`: this is `default`", self.target));
            let target = std::mem::replace(&mut self.target, "default".to_owned());
            self.miss_target(target);
            self.refresh_auto();
            self.connect();
        }
    }

    /// Takes in a fact. Total: it never fails, and it ends within a bounded number of steps.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.now = now.max(self.now);
        match event {
            Event::Began => {
                self.because(Cause::Boot);
                self.touch_all();
            }
            Event::Spawned { run, result } => self.on_spawned(run, result),
            Event::Executed { run } => self.on_executed(run),
            Event::Wrote { run } => self.on_wrote(run),
            Event::Notified { node, run, notice } => self.on_notified(node, run, notice),
            Event::Exited { run, ended, group } => self.on_exited(run, ended, group),
            Event::Lost { run } => self.on_lost(run),
            Event::Emptied { node } => self.on_emptied(node),
            Event::Froze { order, result } => self.on_froze(order, result),
            Event::Checked { run, result } => self.on_checked(run, result),
            Event::Arrived { run } => self.on_arrived(run),
            Event::Sighted { run, marks, sights } => self.on_sighted(run, marks, sights),
            Event::Blinded { run } => self.on_blinded(run),
            Event::StepEnded { run, result } => self.on_step_ended(run, result),
            Event::Bound { node, result } => self.on_bound(node, result),
            Event::Stirred { node } => self.on_stirred(node),
            Event::Connected { node, connection, source } => {
                self.on_connected(node, connection, source);
            }
            Event::Calendar { node, base, at } => self.on_calendar(node, base, at),
            Event::ClockSet => self.on_clock_set(),
            Event::Elapsed => self.on_elapsed(),
            Event::Requested { ticket, peer, request, waits } => {
                self.on_request(ticket, &peer, request, waits);
            }
            Event::Loaded { spec, extent, cause, ticket } => {
                self.on_loaded(spec, extent, cause, ticket);
            }
            Event::PowerAsked { how, cause } => {
                self.because(cause);
                self.power(how);
            }
        }
        self.settle();
        self.after_settling();
    }

    /// The next order, until there is none.
    pub fn next_effect(&mut self) -> Option<Effect> {
        let next = self.out.pop_front();
        if next.is_none() && self.out.capacity() > ROOM {
            // What the start of a thousand services needed, nobody else does.
            self.out = VecDeque::new();
        }
        next
    }

    /// When to come back with [`Event::Elapsed`], if nothing happens before.
    pub fn next_deadline(&self) -> Option<Moment> {
        let node = self.deadlines.first().map(|(moment, _)| *moment);
        let scheduled = self.scheduled.as_ref().map(Scheduled::deadline);
        let rest = [self.phase.deadline(), scheduled, self.trial_deadline(), self.storm.deadline()];
        rest.into_iter().fold(node, Moment::first)
    }

    /// Adds something that a person must know to every status from now on.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.index())
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.nodes.visited(self.nodes.len());
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// The only writer of a state: it keeps the index of deadlines, wakes those around, and
    /// tells the jobs.
    fn set_state(&mut self, id: NodeId, state: State) {
        let (now, cause) = (self.now, self.cause.clone());
        let Some(node) = self.node_mut(id) else { return };
        if node.state == state {
            return;
        }
        let before = node.deadline();
        let (was_active, is_active) = (node.state.is_active(), state.is_active());
        if !node.state.goes_on_as(&state) {
            node.cause = cause;
        }
        // Waiting for something else is still the same waiting; so is the next step of a start.
        let same = std::mem::discriminant(&node.state) == std::mem::discriminant(&state);
        if !same {
            node.since = now;
        }
        let look = node.state.look().filter(|look| state.look() != Some(*look));
        let wakes = node.freeze.as_ref().is_some_and(|freeze| !freeze.goes_on_in(&state));
        node.state = state;
        node.review_tidings();
        let after = node.deadline();
        self.rearm(id, before, after);
        if let Some(run) = look {
            self.emit(Effect::Dismiss { run });
        }
        match (was_active, is_active) {
            (false, true) => self.active = self.active.saturating_add(1),
            (true, false) => {
                self.active = self.active.saturating_sub(1);
                self.dismiss_user(id);
            }
            (true, true) | (false, false) => {}
        }
        if wakes {
            self.end_freeze(id);
        }
        self.touch_around(id);
        self.tell_jobs(id);
    }

    /// What has ended needs the user no longer that it had for itself.
    fn dismiss_user(&mut self, id: NodeId) {
        let spec = self.node(id).and_then(|node| node.spec());
        if spec.is_some_and(|spec| spec.exec.dynamic_user) {
            self.emit(Effect::DismissUser { node: id });
        }
    }

    /// Changes what else a deadline hangs on: a pause of accepting, a command beside a service.
    fn change<T>(&mut self, id: NodeId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.node_mut(id)?;
        let before = node.deadline();
        let answer = change(node);
        let after = node.deadline();
        self.rearm(id, before, after);
        Some(answer)
    }

    fn rearm(&mut self, id: NodeId, before: Option<Moment>, after: Option<Moment>) {
        if before == after {
            return;
        }
        if let Some(moment) = before {
            self.deadlines.remove(&(moment, id));
        }
        if let Some(moment) = after {
            self.deadlines.insert((moment, id));
        }
    }

    /// A number for a new run of a node.
    fn new_run(&mut self, id: NodeId) -> RunId {
        let generation = self.node_mut(id).map_or(0, |node| {
            node.generation = node.generation.wrapping_add(1);
            node.generation
        });
        RunId { node: id, generation }
    }

    fn emit(&mut self, effect: Effect) {
        self.out.push_back(effect);
    }

    fn tell(&mut self, level: Level, text: String) {
        self.emit(Effect::Tell { level, text });
    }

    /// Everything whose time has come.
    fn on_elapsed(&mut self) {
        let mut budget = self.deadlines.len().saturating_mul(DEADLINES).saturating_add(DEADLINES);
        while let Some((moment, id)) = self.deadlines.first().copied() {
            if moment > self.now {
                break;
            }
            let Some(node) = self.node(id) else { break };
            let is_over = |until: Option<Moment>| until.is_some_and(|until| until <= self.now);
            let frozen = node.freeze.is_some();
            if is_over(node.freeze.as_ref().and_then(|freeze| freeze.deadline())) {
                self.on_freeze_late(id);
            } else if !frozen && is_over(node.state.deadline()) {
                self.on_deadline(id);
            } else if is_over(node.throttled) {
                self.on_throttle_over(id);
            } else if !frozen && is_over(node.tidings.as_ref().and_then(|t| t.deadline())) {
                self.on_tidings_due(id);
            } else if is_over(node.timetable.as_ref().and_then(|table| table.due)) {
                self.on_due(id);
            } else if is_over(node.watching.as_ref().and_then(|watching| watching.until)) {
                self.on_pause_over(id);
            } else if !frozen {
                self.on_aside_late(id);
            }
            // Whoever handles a deadline takes it away; should it not, this keeps time from
            // standing still.
            budget = budget.saturating_sub(1);
            if budget == 0 {
                self.deadlines.remove(&(moment, id));
                let name = self.name(id).to_owned();
                self.tell(Level::Trouble, format!("BUG: a deadline of {name} stands still"));
                break;
            }
        }
        self.tell_left_out();
        self.on_scheduled();
        self.on_trial();
        self.on_phase_deadline();
    }
}
