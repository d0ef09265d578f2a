//! What an engine knows that its definitions do not say, for the finit that takes its place in
//! the same process: nothing is stopped or started for it, and nothing is forgotten but who waits
//! for an answer.
//!
//! Numbers stay what they are, since processes, log pipes and late news are known by them.
//! What is added here later needs a default: an older finit has not written it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::{Body, Node};
use super::power::Phase;
use super::random::Random;
use super::schedule::Scheduled;
use super::settings::Settings;
use super::state::{StartStep, State};
use super::storm::Storm;
use super::trial::Trial;
use super::{Effect, Engine, Extent};
use crate::config::spec::{STEPS, ServiceSpec, SystemSpec};
use crate::config::steps;
use crate::facts::Moment;

/// All of it. Moments are of CLOCK_MONOTONIC, which goes on through execve(2).
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    target: String,
    began: Moment,
    /// How long the boot took.
    boot: Duration,
    /// One that does not say is running.
    #[serde(default)]
    phase: Option<Phase>,
    warnings: Vec<String>,
    scheduled: Option<Scheduled>,
    #[serde(default)]
    trial: Option<Trial>,
    /// The settings that count, where what was read last says others.
    #[serde(default)]
    settings: Option<Box<Settings>>,
    last_job: u64,
    random: Random,
    #[serde(default)]
    storm: Storm,
    nodes: Vec<Remembered>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    kind: Kind,
    /// A newer definition that waits for its next start.
    pending: Option<Definition>,
    node: Node,
}

/// What a node is, without what the file says of it.
#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Service(Definition),
    Step,
    Milestone,
    Target,
    Template,
    LeftOut(String),
}

/// A definition of a service.
#[derive(Debug, Serialize, Deserialize)]
enum Definition {
    /// What was read last says it.
    Read,
    /// It is an older one, or was taken out.
    Own(Box<ServiceSpec>),
}

impl Definition {
    fn of(spec: &Rc<ServiceSpec>, specs: &Specs<'_>) -> Self {
        match specs.get(spec.name.as_str()) {
            Some(read) if *read == spec => Self::Read,
            _ => Self::Own(Box::new(ServiceSpec::clone(spec))),
        }
    }

    fn spec(self, name: &str, specs: &Specs<'_>) -> Option<Rc<ServiceSpec>> {
        match self {
            Self::Read => specs.get(name).map(|spec| Rc::clone(spec)),
            Self::Own(spec) => Some(Rc::new(*spec)),
        }
    }
}

type Specs<'a> = BTreeMap<&'a str, &'a Rc<ServiceSpec>>;

fn by_name(spec: &SystemSpec) -> Specs<'_> {
    spec.services.iter().map(|service| (service.name.as_str(), service)).collect()
}

impl Kind {
    fn of(node: &Node, specs: &Specs<'_>) -> Self {
        match &node.body {
            Body::Service(spec) => Self::Service(Definition::of(spec, specs)),
            Body::Step(_) => Self::Step,
            Body::Milestone => Self::Milestone,
            Body::Target => Self::Target,
            Body::Template => Self::Template,
            Body::LeftOut(mistake) => Self::LeftOut(mistake.clone()),
        }
    }

    /// A step or a service that this finit does not know is a mere name.
    fn body(self, name: &str, specs: &Specs<'_>) -> Body {
        match self {
            Self::Service(definition) => match definition.spec(name, specs) {
                Some(spec) => Body::Service(spec),
                None => Body::LeftOut("it is not known any more what it is".to_owned()),
            },
            Self::Step => match STEPS.into_iter().find(|step| *step == name) {
                Some(step) => Body::Step(step),
                None => Body::Milestone,
            },
            Self::Milestone => Body::Milestone,
            Self::Target => Body::Target,
            Self::Template => Body::Template,
            Self::LeftOut(mistake) => Body::LeftOut(mistake),
        }
    }
}

impl Engine {
    /// What is to be handed on.
    ///
    /// # Errors
    /// In words, why this is no time for it.
    pub fn memory(&self) -> Result<Memory, String> {
        let sysinit = self.names.get(steps::MAIN).and_then(|id| self.node(*id));
        // A task that the boot waits for is no reason, as long as it may take.
        if self.phase.is_down() || !sysinit.is_some_and(|sysinit| sysinit.state.is_up()) {
            return Err(format!("it is {}", self.phase));
        }
        let runs = |node: &&Node| {
            matches!((&node.body, &node.state), (Body::Step(_), State::Starting { .. }))
        };
        if let Some(step) = self.nodes.iter().find(runs) {
            return Err(format!("the step {} is running", step.name));
        }
        Ok(self.memory_at_once())
    }

    /// The same whatever time it is: after a bug there is no better one. Whoever takes it up has
    /// to say that the steps that run have ended.
    pub fn memory_at_once(&self) -> Memory {
        let specs = by_name(&self.spec);
        let remember = |node: &Node| Remembered {
            kind: Kind::of(node, &specs),
            pending: node.pending.as_ref().map(|spec| Definition::of(spec, &specs)),
            node: node.clone(),
        };
        Memory {
            target: self.target.clone(),
            began: self.began,
            boot: self.phase.boot(),
            phase: Some(self.phase),
            warnings: self.warnings.clone(),
            scheduled: self.scheduled.clone(),
            trial: self.trial.clone(),
            settings: self.behind.clone(),
            last_job: self.jobs.last,
            random: self.random.clone(),
            storm: self.storm.clone(),
            nodes: self.nodes.iter().map(remember).collect(),
        }
    }

    /// The runs that it waits for the end of: those that have a process, and steps of the boot.
    pub fn runs(&self) -> Vec<RunId> {
        let mut runs = Vec::new();
        for (id, node) in self.ids().zip(&self.nodes) {
            // A look is taken again, and a daemon that is looked for is not known yet.
            // What is bound is in the kernel, and no process.
            let unseen = matches!(
                node.state,
                State::Starting { step: StartStep::Adopt | StartStep::Bind, .. }
            );
            let absent = unseen || node.state.look().is_some();
            runs.extend(node.state.run().filter(|_| !absent));
            runs.extend(node.hung.as_ref().and_then(|hung| hung.run));
            let beside = node.connections.keys().chain(node.asides.keys());
            runs.extend(beside.map(|&generation| RunId { node: id, generation }));
        }
        runs
    }

    /// An engine that goes on where another one left off; `spec` is what that one had read last, and
    /// followed, or not. Its first orders are what the driver has to watch again.
    pub fn recall(spec: Rc<SystemSpec>, followed: bool, memory: Memory, now: Moment) -> Self {
        let mut engine = Self::empty(&memory.target, memory.warnings, memory.random, memory.began);
        engine.now = now;
        engine.phase = memory.phase.unwrap_or(Phase::Running(memory.boot)).taken_up();
        engine.scheduled = memory.scheduled;
        engine.trial = memory.trial;
        engine.behind = memory.settings;
        engine.spec = Rc::clone(&spec);
        engine.jobs.last = memory.last_job;
        engine.storm = memory.storm;
        let specs = by_name(&spec);
        for Remembered { kind, pending, mut node } in memory.nodes {
            node.body = kind.body(&node.name, &specs);
            node.pending = pending.and_then(|definition| definition.spec(&node.name, &specs));
            engine.remember(node);
        }
        let first = engine.nodes.len();
        engine.load(spec, Extent::Definitions);
        if followed {
            engine.follow_new(first);
        }
        engine.watch_again();
        engine
    }

    /// A node in the place that it had.
    fn remember(&mut self, mut node: Node) {
        // As an older finit has it.
        if let Some(ended @ Ended::Silent(Duration::ZERO)) = node.last_exit.as_deref_mut() {
            *ended = Ended::GaveUp;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        if !node.name.is_empty() {
            // Of two with one name, the newer one has it.
            self.names.insert(node.name.clone(), id);
        }
        self.active = self.active.saturating_add(usize::from(node.state.is_active()));
        self.unsettled = self.unsettled.saturating_add(usize::from(!node.settled));
        self.rearm(id, None, node.deadline());
        // An older finit asked for a target that wants its paths each time.
        node.timed |= node.watching.is_some();
        self.nodes.push(node);
    }

    fn watch_again(&mut self) {
        for id in self.ids() {
            let Some(node) = self.node(id) else { continue };
            let hangs = node.hung.as_ref().is_some_and(|hung| hung.run.is_none());
            let empties = hangs || matches!(node.state, State::Stopping { run: None, .. });
            let looks = node.state.look().is_some();
            let binds = matches!(node.state, State::Starting { step: StartStep::Bind, .. });
            let spec = node.spec().filter(|_| binds).map(Rc::clone);
            if node.watched {
                self.emit(Effect::Watch { node: id });
            }
            if empties {
                self.emit(Effect::WatchEmpty { node: id });
            }
            if looks {
                self.look_again(id);
            }
            if let Some(spec) = spec {
                self.emit(Effect::Bind { node: id, spec });
            }
            self.watch_paths_again(id);
            self.ask_times_again(id);
            self.freeze_again(id);
        }
    }
}
