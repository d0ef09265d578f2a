//! A machine without a kernel: virtual time, processes that are small programs, sockets, groups
//! and boot steps. It carries out what the engine orders as the driver does, effect by effect,
//! and shows everything to the oracle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::{Ready, ServiceSpec, SystemSpec};
use finit::engine::{
    Access, After, Aim, ConnectionId, Effect, Ended, Engine, Event, Group, Level, NodeId, Peer,
    RunId, Spawn, Ticket, What,
};
use finit::facts::{Exit, Moment, Pid, SignalNumber};
use finit::proto::{JobEvent, Power, Refusal, Reply, Request};

use crate::agenda::Fact;
use crate::build::millis;
use crate::diary::Diary;
use crate::fates::{Fates, Program};
use crate::freezer::Freezer;
use crate::oracle::Oracle;
use crate::sights::Watcher;
use crate::trials::Before;
use crate::variables::Variables;

#[derive(Debug)]
pub struct Process {
    pub program: Program,
    pub what: What,
    /// When its service counts as up.
    pub ready: Ready,
    /// It should end by itself.
    pub ends: bool,
    /// The signal that it ignores so far.
    pub asked: Option<SignalNumber>,
    /// It said that it reads its configuration, and nothing since.
    pub reads: bool,
}

/// The machine.
pub struct World<F> {
    pub engine: Engine,
    pub now: Moment,
    pub fates: F,
    pub oracle: Option<Oracle>,
    pub diary: Diary,
    /// What was said at the console.
    pub said: Vec<(Level, String)>,
    /// What everybody was told.
    pub announced: Vec<String>,
    /// Whose lines go elsewhere.
    pub redirected: Vec<String>,
    /// Whether nobody but root can log in.
    pub closed: bool,
    /// What somebody is told who wants to log in.
    pub notice: Option<String>,
    pub replies: BTreeMap<u64, Result<Reply, Refusal>>,
    pub news: Vec<JobEvent>,
    pub finished: Vec<Power>,
    /// What ran before the file on trial.
    pub before: Option<Before>,
    /// What was started: name, first word, and which of its programs.
    pub started: Vec<(String, String, What)>,
    /// Signals by the name of whom they were for.
    pub signals: Vec<(String, Aim, SignalNumber)>,
    pub dropped: Vec<ConnectionId>,
    /// What was accepted, and is neither served nor dropped.
    pub accepted: BTreeSet<ConnectionId>,
    /// Whose descriptors were let go.
    pub unkept: Vec<String>,
    /// Whose own user is nobody's now.
    pub dismissed: Vec<String>,
    pub agenda: BTreeMap<(Moment, u64, u64), Fact>,
    pub orders: VecDeque<Effect>,
    pub runs: BTreeMap<RunId, Process>,
    pub ended_runs: Vec<RunId>,
    pub strays: BTreeMap<NodeId, u32>,
    pub emptying: BTreeSet<NodeId>,
    pub bound: BTreeMap<NodeId, Rc<ServiceSpec>>,
    pub watched: BTreeSet<NodeId>,
    pub backlog: BTreeMap<NodeId, Vec<Option<String>>>,
    pub steps: BTreeSet<RunId>,
    /// When the wall clock of this world showed 1970.
    pub epoch: Moment,
    /// How far it was set forward since then.
    pub ahead: Duration,
    /// How long until times of the calendar come, task by task, and how many of them there are.
    pub calendars: BTreeMap<String, (Duration, u32)>,
    pub asked: Vec<(String, After)>,
    pub variables: Variables,
    /// Looks that are under way, and look-outs with the path that they are for.
    pub looks: BTreeSet<RunId>,
    pub awaited: BTreeMap<RunId, String>,
    /// Groups that stand still.
    pub freezer: Freezer,
    /// Who watches paths.
    pub watchers: BTreeMap<RunId, Watcher>,
    pub sequence: u64,
    pub last_pid: i32,
    pub last_connection: u64,
    pub last_ticket: u64,
}

impl<F: Fates> World<F> {
    pub fn new(spec: SystemSpec, target: &str, seed: u64, fates: F) -> Self {
        let now = Moment(1_000_000);
        Self {
            engine: Engine::new(Rc::new(spec), target, Vec::new(), seed, now),
            now,
            fates,
            oracle: Some(Oracle::default()),
            diary: Diary::default(),
            said: Vec::new(),
            announced: Vec::new(),
            closed: false,
            notice: None,
            replies: BTreeMap::new(),
            news: Vec::new(),
            finished: Vec::new(),
            before: None,
            started: Vec::new(),
            signals: Vec::new(),
            dropped: Vec::new(),
            accepted: BTreeSet::new(),
            unkept: Vec::new(),
            dismissed: Vec::new(),
            agenda: BTreeMap::new(),
            orders: VecDeque::new(),
            runs: BTreeMap::new(),
            ended_runs: Vec::new(),
            strays: BTreeMap::new(),
            emptying: BTreeSet::new(),
            bound: BTreeMap::new(),
            watched: BTreeSet::new(),
            backlog: BTreeMap::new(),
            redirected: Vec::new(),
            steps: BTreeSet::new(),
            epoch: Moment(0),
            ahead: Duration::ZERO,
            calendars: BTreeMap::new(),
            asked: Vec::new(),
            variables: Variables::default(),
            looks: BTreeSet::new(),
            awaited: BTreeMap::new(),
            freezer: Freezer::default(),
            watchers: BTreeMap::new(),
            sequence: 0,
            last_pid: 100,
            last_connection: 0,
            last_ticket: 0,
        }
    }

    /// One event and all that follows from it at once.
    pub fn turn(&mut self, event: Event) {
        self.hand_over(event);
        self.carry_all_out();
    }

    /// What was ordered is done.
    pub fn carry_all_out(&mut self) {
        while let Some(effect) = self.orders.pop_front() {
            self.carry_out(effect);
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.after_turn(&self.engine, &self.watched, &self.bound);
            oracle.stands_still(&self.engine, &self.freezer);
            oracle.looks(&self.engine, self.looks.iter().chain(self.awaited.keys()));
        }
        if self.oracle.is_some() {
            self.review_accepted();
        }
    }

    /// The first thing that is wrong, if the oracle saw one.
    pub fn fault(&self) -> Option<&str> {
        self.oracle.as_ref().and_then(|oracle| oracle.fault.as_deref())
    }

    pub fn hand_over(&mut self, event: Event) {
        self.diary.event(&self.engine, self.now, &event);
        if let Some(oracle) = &mut self.oracle {
            oracle.before(&self.engine, &event, self.now);
        }
        self.engine.handle(self.now, event);
        while let Some(effect) = self.engine.next_effect() {
            self.diary.effect(&self.engine, &effect);
            if let Some(oracle) = &mut self.oracle {
                oracle.effect(&self.engine, &effect);
            }
            self.orders.push_back(effect);
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.after(&self.engine);
        }
    }

    pub fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(order) => self.spawn(&order),
            Effect::RunStep { run, step } => {
                self.steps.insert(run);
                if let Some((after, result)) = self.fates.step(step, self.now) {
                    self.plan(after, Fact::StepEnds(run, result));
                }
            }
            Effect::Check { run, conditions } => self.look(run, &conditions),
            Effect::ReadVariables { run, service } => self.read(run, service),
            Effect::Await { run, path } => self.look_out(run, path),
            Effect::WatchPaths { run, paths, marks } => self.watch_paths(run, paths, marks),
            Effect::LookAtPaths { run } => self.look_at_paths(run),
            Effect::Dismiss { run } => self.dismiss(run),
            Effect::Signal { node, aim, signal } => self.signal(node, aim, signal),
            Effect::Freeze { order, on } => self.freeze(order, on),
            Effect::WatchEmpty { node } => {
                self.emptying.insert(node);
                self.review_group(node);
            }
            Effect::Bind { node, spec } => {
                let result = self.fates.bind(&spec.name, self.now);
                if result.is_ok() {
                    self.bound.insert(node, spec);
                }
                self.hand_over(Event::Bound { node, result });
            }
            Effect::Unbind { node, .. } => {
                self.bound.remove(&node);
                self.backlog.remove(&node);
                self.watched.remove(&node);
            }
            Effect::Watch { node } => {
                self.watched.insert(node);
                if self.backlog.get(&node).is_some_and(|waiting| !waiting.is_empty()) {
                    self.plan(Duration::ZERO, Fact::Knocks(node));
                }
            }
            Effect::Unwatch { node } => {
                self.watched.remove(&node);
            }
            Effect::Drop { connection } => self.drop_connection(connection),
            Effect::AskCalendar { node, after, .. } => self.answer_calendar(node, after),
            Effect::DismissUser { node } => {
                self.dismissed.push(self.engine.name(node).to_owned());
            }
            Effect::Unkeep { node } => self.unkept.push(self.engine.name(node).to_owned()),
            Effect::Redirect { node, .. } => {
                self.redirected.push(self.engine.name(node).to_owned());
            }
            Effect::Forget { .. } => {}
            Effect::Reply { ticket, result } => {
                self.replies.insert(ticket.0, result);
            }
            Effect::Publish(event) => self.news.push(event),
            Effect::Tell { level, text } => self.said.push((level, text)),
            Effect::Announce(text) => self.announced.push(text),
            Effect::Logins(why) => {
                self.closed = why.is_some();
                self.notice = why;
            }
            Effect::Keep => self.before = None,
            Effect::GoBack => self.go_back(),
            Effect::Finish(how) => self.finished.push(how),
        }
    }

    fn spawn(&mut self, order: &Spawn) {
        let name = order.service.name.clone();
        let words = order.command.words.iter().map(|word| format!("{word:?}"));
        let text = words.collect::<String>().replace("[Text(\"", "").replace("\")]", " ");
        self.started.push((name, text.trim_end().to_owned(), order.what));
        let (run, what) = (order.run, order.what);
        self.begins_to_serve(what);
        if self.freezer.holds(run.node) && what != What::Hook {
            self.complain(format!("{} is started where all stand still", order.service.name));
        }
        if let Some(mistake) = self.variables.mistake(order) {
            self.complain(mistake);
        }
        let ready = order.service.ready.when.clone();
        let ends = what != What::Main || ready == Ready::Exit || ready.pidfile().is_some();
        let program = match self.fates.program(order, self.now) {
            Ok(program) => program,
            Err(error) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.ended(run);
                }
                self.hand_over(Event::Spawned { run, result: Err(error) });
                return;
            }
        };
        self.last_pid += 1;
        let pid = Pid::new(self.last_pid).expect("more than one");
        if let (Some(after), None) = (program.executes, &program.fails) {
            self.plan(after, Fact::Executed(run));
        }
        if let (Some(after), Some(error)) = (program.executes, &program.fails) {
            self.plan(after, Fact::NotExecuted(run, error.clone()));
        }
        if let Some((after, exit)) = program.ends {
            if let Some(words) = program.says {
                self.plan(after.saturating_sub(millis(1)), Fact::Says(run, words));
            }
            self.plan(after, Fact::Ends(run, exit));
        }
        self.runs.insert(run, Process { program, what, ready, ends, asked: None, reads: false });
        if let Some(oracle) = &mut self.oracle {
            oracle.lives(run);
        }
        self.hand_over(Event::Spawned { run, result: Ok(pid) });
    }

    pub fn signal(&mut self, node: NodeId, aim: Aim, signal: SignalNumber) {
        self.signals.push((self.engine.name(node).to_owned(), aim, signal));
        let hit: Vec<RunId> = match aim {
            Aim::Run(run) => vec![run],
            Aim::Group => self.of(node).map(|(run, _)| *run).collect(),
        };
        for run in hit {
            self.signal_run(run, signal);
        }
        if aim == Aim::Group && [SignalNumber::TERM, SignalNumber::KILL].contains(&signal) {
            for _ in 0..self.strays.get(&node).copied().unwrap_or(0) {
                self.plan(Duration::ZERO, Fact::StrayEnds(node));
            }
        }
    }

    fn signal_run(&mut self, run: RunId, number: SignalNumber) {
        let Some(process) = self.runs.get_mut(&run) else { return };
        if number != SignalNumber::CONT && number != SignalNumber::HUP {
            process.asked = Some(number);
        }
        let just_ended = process.program.ends.filter(|_| process.program.late);
        let after = match number {
            SignalNumber::KILL => Some(process.program.dies),
            SignalNumber::TERM | SignalNumber::INT | SignalNumber::ABRT => process.program.obeys,
            _ => None,
        };
        let killed = Exit::Signal { number, core: false };
        let exit = just_ended.map_or(killed, |(_, exit)| exit);
        if let Some(after) = after {
            self.plan(after, Fact::Ends(run, exit));
        }
        if number == SignalNumber::HUP {
            self.reloads(run);
        }
    }

    /// A process ends now.
    pub fn end(&mut self, run: RunId, ended: Ended) {
        let Some(process) = self.runs.remove(&run) else { return };
        self.ended_runs.push(run);
        *self.strays.entry(run.node).or_default() += process.program.leaves;
        if let Some(oracle) = &mut self.oracle {
            oracle.ended(run);
        }
        let well = ended == Ended::Exit(Exit::SUCCESS);
        match process.what {
            // What a program leaves behind that is to do so, and was not told to end.
            What::Main
                if well
                    && process.ends
                    && process.asked.is_none()
                    && process.ready.pidfile().is_some() =>
            {
                *self.strays.entry(run.node).or_default() += 1;
                if let Some(oracle) = &mut self.oracle {
                    oracle.unknown.insert(run);
                }
            }
            What::Probe | What::Hook if well => self.found(run.node, &process.ready),
            What::Main | What::Probe | What::Health | What::Hook | What::Connection(_) => {}
        }
        let serves = matches!(process.what, What::Connection(_));
        let left = serves || !self.is_empty(run.node);
        let group = if left { Group::Inhabited } else { Group::Empty };
        self.turn(Event::Exited { run, ended, group });
        self.review_group(run.node);
    }

    pub fn is_empty(&self, node: NodeId) -> bool {
        self.strays.get(&node).is_none_or(|strays| *strays == 0) && self.of(node).next().is_none()
    }

    /// What lives of a node.
    fn of(&self, node: NodeId) -> impl Iterator<Item = (&RunId, &Process)> {
        let run = |generation| RunId { node, generation };
        self.runs.range(run(0)..=run(u32::MAX))
    }

    pub fn review_group(&mut self, node: NodeId) {
        if self.emptying.contains(&node) && self.is_empty(node) {
            self.emptying.remove(&node);
            self.turn_or_nest(Event::Emptied { node });
        }
    }

    /// Inside a turn an answer joins it; outside it is one of its own.
    fn turn_or_nest(&mut self, event: Event) {
        if self.orders.is_empty() { self.turn(event) } else { self.hand_over(event) }
    }

    /// Asks for something; the answer is in `replies` under this number.
    pub fn ask(&mut self, access: Access, request: Request) -> u64 {
        self.ask_within(None, access, request)
    }

    /// The same from within a run, which waits for it.
    pub fn ask_within(&mut self, waits: Option<RunId>, access: Access, request: Request) -> u64 {
        self.hand_over_request(waits, access, request);
        self.carry_all_out();
        self.last_ticket
    }

    pub fn hand_over_request(&mut self, waits: Option<RunId>, access: Access, request: Request) {
        self.last_ticket += 1;
        let uid = if access == Access::Look { 1000 } else { 0 };
        let peer = Peer { uid, pid: 77, command: "finitctl".to_owned(), access };
        let ticket = Ticket(self.last_ticket);
        self.hand_over(Event::Requested { ticket, peer, request, waits });
    }

    /// The main process of a node, while it lives.
    pub fn main_run(&self, name: &str) -> Option<RunId> {
        let node = self.engine.number(name)?;
        self.of(node).find(|(_, process)| process.what == What::Main).map(|(run, _)| *run)
    }

    /// Everything of a kind that lives.
    pub fn living(&self, kind: impl Fn(&What) -> bool) -> Vec<RunId> {
        self.runs.iter().filter(|(_, p)| kind(&p.what)).map(|(run, _)| *run).collect()
    }

    /// Runs that are over, for those who tell of them again.
    pub fn over(&self) -> &[RunId] {
        &self.ended_runs
    }
}
