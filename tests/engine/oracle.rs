//! What must hold after every step, whatever happened. The oracle sees events and effects from
//! outside and compares them with what the engine says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::passage::is_really_up;
use crate::reloads::Reloads;
use crate::status::Words;
use crate::stories::Stories;
use crate::storms::Restarts;
use finit::config::spec::{Check, ServiceSpec, SocketMode, Start, StopScope};
use finit::config::steps::REPEATABLE;
use finit::engine::{Aim, Cause, Effect, Engine, Event, Kept, NodeId, Peek, RunId, What};
use finit::facts::{Moment, SignalNumber};
use finit::proto::{Outcome, Reply, Request};

/// The onlooker.
#[derive(Debug, Default)]
pub struct Oracle {
    /// The first thing that was wrong.
    pub fault: Option<String>,
    pub now: Moment,
    /// What everything looked like after the last event.
    pub last: Vec<Peek>,
    /// Room for the next look.
    room: Vec<Peek>,
    /// What the running event is about, for what it excuses.
    pub exited: BTreeSet<NodeId>,
    /// Runs that look whether their service is healthy.
    checks: BTreeSet<RunId>,
    /// Those of them that were killed, and may take their time to end.
    killed: BTreeSet<RunId>,
    pub elapsed: bool,
    /// The file was read.
    loaded: bool,
    /// Somebody asks for a gentle stop.
    pub gentle: bool,
    stands: u32,
    /// Runs ordered, and those of them that live.
    pub main_runs: BTreeSet<RunId>,
    connection_runs: BTreeSet<RunId>,
    ordered: BTreeSet<RunId>,
    /// Runs that are known to be up.
    pub ready: BTreeSet<RunId>,
    pub living: BTreeSet<RunId>,
    /// Runs that have left a daemon behind that is not known yet.
    pub unknown: BTreeSet<RunId>,
    /// For whom a change was seen since they ran.
    pub sighted: BTreeSet<NodeId>,
    tickets: BTreeSet<u64>,
    pub jobs: BTreeSet<u64>,
    pub bound: BTreeMap<NodeId, Rc<ServiceSpec>>,
    pub power: Option<Moment>,
    scheduled: Option<Moment>,
    pub finished: bool,
    pub booted: u32,
    pub reloads: Reloads,
    pub restarts: Restarts,
    pub stories: Stories,
    pub words: Words,
}

impl Oracle {
    pub fn check(&mut self, good: bool, what: impl FnOnce() -> String) {
        if !good && self.fault.is_none() {
            self.fault = Some(what());
        }
    }

    /// An event comes.
    pub fn before(&mut self, engine: &Engine, event: &Event, now: Moment) {
        self.now = now;
        if self.last.is_empty() {
            self.last = all(engine);
            self.ties_of_last(engine);
        }
        self.reloads_before(engine, event);
        self.stories_before(engine, event);
        self.words_before(engine, event);
        self.loaded = matches!(event, Event::Loaded { .. });
        self.exited = match event {
            Event::Exited { run, .. } | Event::Spawned { run, result: Err(_) } => {
                BTreeSet::from([run.node])
            }
            _ => BTreeSet::new(),
        };
        self.elapsed = matches!(event, Event::Elapsed);
        self.gentle = matches!(event, Event::Requested { request: Request::StopGently { .. }, .. });
        match event {
            Event::Requested { ticket, .. } => {
                self.tickets.insert(ticket.0);
            }
            Event::Bound { node, result: Err(_) } => {
                self.bound.remove(node);
            }
            Event::Loaded { ticket: Some(ticket), .. } => {
                self.tickets.insert(ticket.0);
            }
            _ => {}
        }
        self.schedule(event);
        if is_power(event) && self.power.is_none() {
            self.power = Some(now);
        }
    }

    /// Another engine goes on; those who waited for a job ask again.
    pub fn anew(&mut self) {
        self.jobs.clear();
        self.forget_reloads();
        // Whoever did that is gone too.
        self.finished = false;
    }

    /// Of whom the definition now says that nobody stops them are let go, as it would be of those
    /// that start by it.
    pub fn let_go(&mut self, engine: &Engine) {
        self.main_runs.retain(|run| !edited(engine, run.node));
    }

    /// The other one has to see everything as it was.
    pub fn same(&mut self, before: &[Peek], after: &[Peek]) {
        let change = before.iter().zip(after).find(|(before, after)| before != after);
        let same = change.is_none() && before.len() == after.len();
        self.check(same, || format!("executed anew, {change:?}, {} nodes", after.len()));
    }

    /// A shutdown that is to come.
    fn schedule(&mut self, event: &Event) {
        if self.scheduled.is_some_and(|at| at <= self.now) {
            self.power = self.power.or(self.scheduled);
        }
        let Event::Requested { peer, request, .. } = event else { return };
        if self.power.is_some() || peer.access < finit::engine::Access::Power {
            return;
        }
        match request {
            Request::SchedulePower { seconds: 0, .. } => self.power = Some(self.now),
            Request::SchedulePower { seconds, .. } => {
                self.scheduled = Some(self.now.after(Duration::from_secs(*seconds)));
            }
            Request::CancelPower { .. } => self.scheduled = None,
            _ => {}
        }
    }

    /// One order of the engine.
    pub fn effect(&mut self, engine: &Engine, effect: &Effect) {
        self.tidied_late(engine, effect);
        self.restart_told(effect);
        match effect {
            Effect::Spawn(order) => self.spawn(engine, order),
            Effect::RunStep { run, step } => {
                let wanted = peek(engine, run.node).wanted;
                self.check(wanted, || format!("step {step} runs, and nobody wants it"));
                let again = REPEATABLE.contains(step) || engine.spared().any(|one| one == *step);
                let done = at(&self.last, run.node).label == "done" && !again;
                self.check(!done, || format!("step {step} is done, and done again"));
            }
            Effect::Check { run, .. }
            | Effect::ReadVariables { run, .. }
            | Effect::Await { run, .. } => {
                let node = peek(engine, run.node);
                // finit executed itself while it had to go and others had to go first; or a better
                // alternative has turned up in the same moment (seed 3939).
                let for_somebody = node.wanted || node.leaving || node.run != Some(*run);
                self.check(for_somebody, || format!("{} is looked at for nobody", node.name));
            }
            Effect::Reply { ticket, result } => {
                let known = self.tickets.remove(&ticket.0);
                self.check(known, || format!("ticket {} is answered twice", ticket.0));
                if let Ok(Reply::Job { job, .. }) = result {
                    self.jobs.insert(*job);
                }
                if let Ok(reply) = result {
                    self.reload_asked(reply);
                }
                if let Ok(Reply::Graph(graph)) = result {
                    self.graph(engine, graph);
                }
            }
            Effect::Publish(event) => {
                // Not over, and its number was told before: whoever keeps the news relies on both.
                self.reload_news(engine, event);
                let lives = self.jobs.contains(&event.job);
                self.check(lives, || format!("news of job {}, which is no job", event.job));
                if let Some(Outcome::Done | Outcome::Failed | Outcome::Replaced) = event.outcome {
                    self.jobs.remove(&event.job);
                }
            }
            Effect::Tell { text, .. } => {
                self.check(!text.contains("BUG"), || text.clone());
                if text.starts_with("boot finished") {
                    self.booted += 1;
                    let once = self.booted == 1;
                    self.check(once, || "the boot finishes twice".to_owned());
                }
            }
            Effect::Bind { node, spec } => {
                let twice = self.bound.insert(*node, Rc::clone(spec)).is_some();
                self.check(!twice, || format!("{} is bound twice", spec.name));
            }
            Effect::Signal { aim, signal, .. } if self.stories.is_by_hand() => {
                self.signalled(*aim, *signal);
            }
            // It hangs, which is as good as a crash.
            Effect::Signal { node, signal: SignalNumber::ABRT, .. } => {
                self.hangs_frozen(*node);
                self.exited.insert(*node);
            }
            // A check that hangs is as good as one that failed.
            Effect::Signal { node, aim: Aim::Run(run), signal: SignalNumber::KILL }
                if self.checks.contains(run) =>
            {
                self.killed.insert(*run);
                self.exited.insert(*node);
            }
            Effect::Unbind { node, .. } => self.unbind(engine, *node),
            Effect::Finish(_) => self.finish(engine),
            _ => {}
        }
    }

    fn spawn(&mut self, engine: &Engine, order: &finit::engine::Spawn) {
        let (name, node) = (&order.service.name, peek(engine, order.run.node));
        self.restarts(&node, order);
        self.tidies(&node, order);
        let twice = !self.ordered.insert(order.run);
        self.check(!twice, || format!("{name}: run {} is used twice", order.run));
        match order.what {
            What::Main => {
                let here = |run: &RunId| run.node == order.run.node;
                let two = self.main_runs.iter().any(|run| here(run) && self.living.contains(run));
                self.check(!two, || format!("{name} has two main processes"));
                self.sighted.remove(&order.run.node);
                // What nobody stops is let go, and lives on beside the next one.
                if order.service.stop.scope != StopScope::None {
                    self.main_runs.insert(order.run);
                }
                // It may make way in the very turn in which it starts (seed 34785).
                let last = engine.links(order.run.node).first().map(|(_, cause)| *cause);
                let makes_way = matches!(last, Some(Cause::Rival(_)));
                let good = node.wanted || node.label == "stopping" && makes_way;
                self.check(good, || format!("{name} starts, and nobody wants it"));
            }
            What::Connection(_) => {
                self.connection_runs.insert(order.run);
                let max = order.service.sockets.as_ref().map_or(0, |sockets| sockets.max);
                let count = node.connections;
                self.check(count <= usize::try_from(max).unwrap(), || {
                    format!("{name} serves {count} connections of {max}")
                });
                // It serves those that stand on it until the last of them has gone.
                self.check(node.wanted || node.leaving, || format!("{name} serves for nobody"));
            }
            // It looks until those that stand on its service have gone.
            What::Probe => {
                self.check(node.wanted || node.leaving, || {
                    format!("{name} is looked at for nobody")
                });
            }
            What::Health => self.check_health(engine, order.run),
            What::Hook if is_check(order) => self.check_health(engine, order.run),
            What::Hook => {
                let last = ["stopping", "cleaning"].contains(&node.label);
                // It is killed in the moment that it begins (seed 29260).
                let stop = &order.service.stop;
                let stops = stop.command.as_ref().is_some_and(|hook| hook.command == order.command);
                let at_once = self.elapsed && stops && stop.timeout == Some(Duration::ZERO);
                self.check(node.wanted || last || at_once, || {
                    format!("a hook of {name} runs in state {}", node.label)
                });
            }
        }
    }

    /// Only what is up is checked, and never twice at a time.
    fn check_health(&mut self, engine: &Engine, run: RunId) {
        let node = peek(engine, run.node);
        let good = node.label == "up" && node.wanted && !node.leaving && !node.frozen;
        self.check(good, || format!("the health of {} is checked for nobody", node.name));
        let mut others = self.checks.iter().filter(|other| other.node == run.node);
        let other =
            others.find(|other| self.living.contains(other) && !self.killed.contains(other));
        let other = other.copied();
        self.check(other.is_none(), || format!("the health of {} is checked twice", node.name));
        self.checks.insert(run);
    }

    fn unbind(&mut self, engine: &Engine, node: NodeId) {
        let old = self.bound.remove(&node);
        let name = engine.name(node).to_owned();
        self.check(old.is_some(), || format!("{name} is unbound, and was not bound"));
        let spec = engine.definition(node);
        let same = old.zip(spec).is_some_and(|(old, new)| old.sockets == new.sockets);
        // Nor does one answer that must not start.
        let asserts = spec.and_then(|spec| spec.conditions.as_ref());
        let refused = asserts.is_some_and(|conditions| !conditions.assert.is_empty());
        // Nor one that does not come back and that no connection starts.
        let stays = refused || spec.is_some_and(|spec| spec.start != Start::Demand);
        let (before, now) = (at(&self.last, node), peek(engine, node));
        let looks = spec.is_some_and(|spec| spec.conditions.is_some());
        let wanted = match now.label {
            "skipped" => false,
            "failed" | "done" | "ended" if stays => false,
            // Skipped, and looked at once more for what was seen meanwhile (seed 49609).
            "starting" if looks && before.label == "starting" && before.run != now.run => false,
            _ => now.wanted,
        };
        // That it is the turn of one of several may be known only once a better one was looked at.
        let needs = all(engine).into_iter().flat_map(|other| other.needs);
        let mut chosen = needs.filter(|need| need.len() > 1 && need.contains(&node));
        let lost = same && wanted && chosen.next().is_none();
        self.check(!lost, || format!("{name} loses sockets that are wanted"));
    }

    fn finish(&mut self, engine: &Engine) {
        let twice = std::mem::replace(&mut self.finished, true);
        self.check(!twice, || "the machine finishes twice".to_owned());
        let (now, power) = (self.now, self.power);
        self.check(power.is_some(), || "the machine finishes by itself".to_owned());
        let shutdown = engine.shutdown_settings();
        let rest = (shutdown.term_wait + shutdown.kill_wait).min(shutdown.timeout / 2);
        let due = power.unwrap_or_default().after(shutdown.timeout.saturating_sub(rest));
        let active = all(engine).into_iter().find(|node| node.active);
        self.check(active.is_none() || now >= due, || {
            format!("the machine finishes early: {:?}", active.map(|node| node.name))
        });
    }

    /// What everything looks like after an event.
    pub fn after(&mut self, engine: &Engine) {
        let audit = engine.audit();
        self.check(audit.is_ok(), || audit.unwrap_err());
        let (now, next) = (self.now, engine.next_deadline());
        // A stop.timeout of nothing may be over in the moment that it begins, but not for ever.
        let stands = self.elapsed && next.is_some_and(|next| next <= now);
        self.stands = if stands { self.stands + 1 } else { 0 };
        let moves = self.stands < 10;
        self.check(moves, || format!("time stands still at {next:?}"));
        let mut after = std::mem::take(&mut self.room);
        look(engine, &mut after);
        let before = std::mem::take(&mut self.last);
        let bound = |node: &&Peek| node.active && !node.leaving && node.kept.is_none();
        for node in after.iter().filter(bound) {
            let lost = !node.bound.iter().all(|need| is_met(&after, need));
            let goes = ["stopping", "cleaning"].contains(&node.label);
            self.check(!lost || goes, || format!("{} outlives what it is bound to", node.name));
        }
        let same = |(new, old): (&Peek, &Peek)| {
            (&new.needs, &new.after, &new.rivals) == (&old.needs, &old.after, &old.rivals)
        };
        if self.loaded || !after.iter().zip(&before).all(same) {
            self.tie(engine, &after);
        }
        for ((number, node), old) in (0..).zip(&after).zip(&before) {
            let id = NodeId::from_number(number);
            self.brought_down(old, node);
            self.ended_frozen(&after, old, node);
            self.restarts_again(old, node);
            if node.label != old.label {
                self.stop_is_over(id, old);
                self.story(engine, id, &node.name);
                self.ended_by_hand(engine, id, old, node);
                self.up_early(engine, id, old, node);
                self.left_behind(engine, id, old, node);
                self.tried_again(engine, id, old, node);
                self.transition((&before, &after), id, old, node);
            }
            if node.label != old.label || node.waits_for != old.waits_for {
                let chapters = engine.chapters(id, true);
                self.why(engine, id, node, &chapters);
                self.line(&after, old, node, &chapters);
            }
        }
        self.slips(engine, &after);
        (self.last, self.room) = (after, before);
    }

    /// What the first file says.
    fn ties_of_last(&mut self, engine: &Engine) {
        let all = std::mem::take(&mut self.last);
        self.tie(engine, &all);
        self.last = all;
    }

    /// What must hold when nothing is under way between engine and world.
    pub fn after_turn(
        &mut self,
        engine: &Engine,
        watched: &BTreeSet<NodeId>,
        bound: &BTreeMap<NodeId, Rc<ServiceSpec>>,
    ) {
        for node in bound.keys() {
            let (name, state) = (engine.name(*node).to_owned(), at(&self.last, *node).clone());
            let same = engine.is_watched(*node) == watched.contains(node);
            self.check(same, || format!("{name}: who watches its socket?"));
            let over = ["ended", "done"].contains(&state.label);
            self.check(!over, || format!("{name} is over, and nobody answers at its socket"));
            let spec = engine.definition(*node);
            let Some(sockets) = spec.and_then(|spec| spec.sockets.as_ref()) else { continue };
            let max = usize::try_from(sockets.max).unwrap();
            let full = sockets.mode == SocketMode::Inetd && state.connections >= max;
            let hears = state.kept != Some(Kept::Listening);
            let open =
                state.label == "listening" && hears && !full && !state.throttled && !state.stirred;
            self.check(!open || watched.contains(node), || format!("{name} is deaf"));
        }
        self.bound.retain(|node, _| bound.contains_key(node));
        let binding = self.last.iter().find(|node| node.label == "binding").cloned();
        self.check(binding.is_none(), || format!("{binding:?} waits for no answer"));
        let open = self.tickets.first().copied();
        self.check(open.is_none(), || format!("ticket {open:?} is not answered"));
    }

    /// It was said, or found, that a run is up.
    pub fn is_ready(&mut self, run: RunId) {
        self.ready.insert(run);
    }

    pub fn lives(&mut self, run: RunId) {
        self.living.insert(run);
    }

    pub fn ended(&mut self, run: RunId) {
        self.living.remove(&run);
    }

    /// Longer than any patience in the tests.
    pub const LONG: Duration = Duration::from_secs(7200);
}

/// Whether it is the command that looks after the health of its service.
fn is_check(order: &finit::engine::Spawn) -> bool {
    let health = order.service.ready.health.as_ref().map(|health| &health.check);
    matches!(health, Some(Check::Command(hook)) if hook.command == order.command)
}

fn is_power(event: &Event) -> bool {
    match event {
        Event::PowerAsked { .. } => true,
        Event::Requested { peer, request: Request::Power { .. }, .. } => {
            peer.access >= finit::engine::Access::Power
        }
        _ => false,
    }
}

/// Whether a definition says that processes are let go: those of before may be, too.
pub fn edited(engine: &Engine, node: NodeId) -> bool {
    engine.definition(node).is_some_and(|spec| spec.stop.scope == StopScope::None)
}

/// Every node.
pub fn all(engine: &Engine) -> Vec<Peek> {
    (0..).map_while(|number| engine.peek(number)).collect()
}

/// The same in the room of an earlier look.
fn look(engine: &Engine, into: &mut Vec<Peek>) {
    let mut number = 0;
    loop {
        let place = usize::try_from(number).unwrap();
        if place == into.len() {
            into.push(Peek::default());
        }
        if !engine.peek_again(number, &mut into[place]) {
            return into.truncate(place);
        }
        number += 1;
    }
}

/// Every node that is in the file: what is on its way out loses its names one by one.
pub fn living(engine: &Engine) -> Vec<Peek> {
    all(engine).into_iter().filter(|node| node.wanted || !node.active).collect()
}

pub fn peek(engine: &Engine, node: NodeId) -> Peek {
    engine.peek(node.number()).expect("a node")
}

/// Whether one of these is up; a name that nobody stands for is no obstacle.
pub fn is_met(all: &[Peek], need: &[NodeId]) -> bool {
    need.is_empty() || need.iter().any(|id| is_really_up(at(all, *id)))
}

pub fn at(all: &[Peek], id: NodeId) -> &Peek {
    &all[usize::try_from(id.number()).unwrap()]
}
