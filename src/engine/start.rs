//! The way up: sockets, `before-start` commands, the main command, readiness.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::conditions;
use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::{Aside, Beside, Body, Node};
use super::state::{Program, StartStep, State, Then};
use super::told::Ending;
use super::view::short;
use super::why::Why;
use super::{Aim, Cause, Effect, Engine, Group, Level, Spawn, What};
use crate::config::spec::{Hook, Ready, ServiceSpec};
use crate::config::steps::SPARED;
use crate::facts::{Exit, Moment, Pid, SignalNumber, SpawnError};
use crate::proto::Refusal;

impl Engine {
    /// Starts a node whose dependencies are there.
    pub(super) fn start(&mut self, id: NodeId) {
        self.take_pending(id);
        let Some(node) = self.node(id) else { return };
        match node.body.clone() {
            Body::Milestone | Body::Target | Body::Template => {
                self.set_state(id, State::Up { run: None });
            }
            Body::Step(step) => {
                let run = self.new_run(id);
                self.set_state(id, State::Starting { run, step: StartStep::Main(0), until: None });
                self.emit(Effect::RunStep { run, step });
            }
            Body::Service(spec) => {
                let Some(node) = self.node_mut(id) else { return };
                node.ending = Ending::default();
                node.slips = None;
                self.check(id, &spec);
            }
            Body::LeftOut(_) => {}
        }
    }

    /// The edited definition takes the place of the old one, once nothing stands for that any
    /// more: a failure and a finished task do.
    pub(super) fn take_pending(&mut self, id: NodeId) {
        let may = |node: &&Node| node.may_take_pending() && !node.waits_to_be_followed();
        let Some(node) = self.node(id).filter(may) else { return };
        let Some(spec) = node.pending.clone() else { return };
        let brought: Option<Vec<NodeId>> = node.behind.then(|| node.edges.brings().collect());
        if node.bound && !node.keeps_sockets(&spec) {
            // By the old one, which knows their files.
            self.unbind(id);
        }
        let Some(node) = self.node_mut(id) else { return };
        node.pending = None;
        (node.behind, node.unfollowed) = (false, false);
        node.body = Body::Service(spec);
        self.stop_awaiting(id);
        self.listen_anew(id);
        if let Some(brought) = brought {
            self.stand_anew(id, &brought);
        }
    }

    /// What that node stands on changes with its definition; it brings these no longer, maybe.
    fn stand_anew(&mut self, id: NodeId, brought: &[NodeId]) {
        for (other, why) in self.waits_over(id) {
            self.change(other, |node| node.wish = why);
        }
        self.free_names(&BTreeSet::new());
        self.connect();
        self.touch_all();
        if let Some(why) = self.node(id).map(|node| node.wish.clone()) {
            self.release_brought(id, brought, why);
        }
    }

    /// Those that wait for that node, and why they might need to no longer.
    fn waits_over(&self, id: NodeId) -> Vec<(NodeId, Why)> {
        let Some(edges) = self.node(id).map(|node| &node.edges) else { return Vec::new() };
        let waits = |other: &&Node| other.state.waits_for() == Some(id);
        let over = |other: &NodeId| {
            let why = self.node(*other).filter(waits).and_then(|node| self.wait_over(node))?;
            Some((*other, why))
        };
        edges.ordered_by.iter().chain(edges.rivals()).filter_map(over).collect()
    }

    /// What a node has brought by its older definition goes, unless others want it.
    fn release_brought(&mut self, id: NodeId, brought: &[NodeId], behind: Why) {
        let why = Why::behind(self.now, Cause::LetGo(self.name(id).to_owned()), behind);
        self.with_cause(why, |engine| {
            for below in brought {
                engine.refresh_wanted(*below);
            }
        });
    }

    /// Way is made for these by their newest definitions, which a mere look may have found: from
    /// now on they stand on what those say. That takes one new graph, however many they are, and
    /// where no way can be made all stays as it was.
    ///
    /// # Errors
    /// That of `make_way`.
    pub(super) fn by_the_newest(
        &mut self,
        ids: &[NodeId],
        make_way: impl FnOnce(&mut Self) -> Result<Vec<String>, Refusal>,
    ) -> Result<Vec<String>, Refusal> {
        let brings = |id: &NodeId| {
            let takes = |node: &&Node| node.behind && node.hung.is_none() && !node.is_held();
            let node = self.node(*id).filter(takes)?;
            Some((*id, node.edges.brings().collect::<Vec<_>>()))
        };
        let behind: Vec<_> = ids.iter().filter_map(brings).collect();
        if behind.is_empty() {
            return make_way(self);
        }
        let over: Vec<_> = behind.iter().flat_map(|(id, _)| self.waits_over(*id)).collect();
        let stand = |engine: &mut Self, by_older| {
            for (id, _) in &behind {
                engine.change(*id, |node| node.behind = by_older);
            }
            engine.connect();
        };
        stand(self, false);
        let made = make_way(self);
        if made.is_err() {
            stand(self, true);
            return made;
        }
        // Only now: a name that is given away never comes back.
        self.free_names(&BTreeSet::new());
        self.connect();
        for (other, why) in over {
            self.change(other, |node| node.wish = why);
        }
        for (id, brought) in &behind {
            self.release_brought(*id, brought, self.cause.clone());
        }
        self.touch_all();
        made
    }

    pub(super) fn start_service(&mut self, id: NodeId, spec: &Rc<ServiceSpec>) {
        // What the run before was still at would go on for this one.
        self.end_asides(id, |aside| matches!(aside, Aside::AfterStart(_) | Aside::Reload(_)));
        self.finish_reload(id, Err("reload: it was started anew".to_owned()));
        let Some(node) = self.node(id) else { return };
        if spec.sockets.is_some() && !node.bound {
            let run = self.new_run(id);
            self.set_state(id, State::Starting { run, step: StartStep::Bind, until: None });
            self.emit(Effect::Bind { node: id, spec: Rc::clone(spec) });
            return;
        }
        let inetd = spec.is_inetd();
        if inetd && spec.hooks.before_start.is_empty() {
            self.launch(id, spec, Program::Main(0));
            return;
        }
        if !inetd && node.on_demand() && !node.stirred && !node.summoned {
            self.listen(id);
            return;
        }
        self.unwatch(id);
        self.change(id, |node| (node.called, node.summoned) = (false, false));
        let first =
            if spec.hooks.before_start.is_empty() { Program::Main(0) } else { Program::Before(0) };
        self.begin_run(id);
        let now = self.now;
        if let Some(node) = self.node_mut(id) {
            node.ran = Some(now);
        }
        self.launch(id, spec, first);
    }

    /// When a start has taken too long as a whole.
    pub(super) fn start_deadline(&self, id: NodeId, spec: &ServiceSpec) -> Option<Moment> {
        let began = match self.node(id) {
            Some(node) if matches!(node.state, State::Starting { .. }) => {
                node.since.after(node.stood_still(self.now))
            }
            Some(_) | None => self.now,
        };
        spec.start_timeout.map(|timeout| began.after(timeout))
    }

    /// Starts the program of one step; where each connection gets a main one, it listens.
    pub(super) fn execute(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, program: Program) {
        let step = program.into();
        let mut until = self.start_deadline(id, spec);
        let mut told = self.node(id).and_then(|node| node.monitored.as_ref());
        let (what, command, user) = match program {
            Program::OnlyIf(_) | Program::Before(_) => {
                let Some(hook) = conditions::hook(spec, step) else { return };
                told = told.filter(|_| matches!(program, Program::Before(_)));
                let own = hook.timeout.map(|timeout| self.now.after(timeout));
                until = Moment::first(until, own);
                (What::Hook, hook.command.clone(), hook.user.clone())
            }
            Program::After(index) => {
                let Some(hook) = spec.hooks.after_start.get(index) else { return };
                let patience = hook.timeout.or(spec.start_timeout);
                until = patience.map(|patience| self.now.after(patience));
                told = None;
                (What::Hook, hook.command.clone(), hook.user.clone())
            }
            Program::Main(_) if spec.is_inetd() => {
                self.listen(id);
                return;
            }
            Program::Main(index) => {
                let Some(command) = spec.commands.get(index) else { return };
                (What::Main, command.clone(), None)
            }
        };
        let mut told = told.map(|monitored| monitored.variables()).unwrap_or_default();
        told.extend(self.trigger_of(id).map(|path| ("TRIGGER_PATH", path)));
        let run = self.new_run(id);
        self.set_state(id, State::Starting { run, step, until });
        let service = Rc::clone(spec);
        self.emit(Effect::Spawn(Box::new(Spawn { run, service, what, command, user, told })));
    }

    /// Starts a command beside the service; without a time of its own it gets `patience`.
    pub(super) fn launch_aside(
        &mut self,
        id: NodeId,
        aside: Aside,
        hook: &Hook,
        patience: Option<Duration>,
    ) {
        let Some(node) = self.node(id) else { return };
        let Some(service) = node.spec().map(Rc::clone) else { return };
        let mut told = if aside == Aside::Stop { node.ending.variables() } else { Vec::new() };
        told.extend(node.pid.map(|pid| ("MAINPID", pid.to_string())));
        let run = self.new_aside(id, aside, hook.timeout.or(patience));
        let (what, command, user) = (What::Hook, hook.command.clone(), hook.user.clone());
        self.emit(Effect::Spawn(Box::new(Spawn { run, service, what, command, user, told })));
    }

    /// A number for a new run beside the service, which may take that long.
    pub(super) fn new_aside(
        &mut self,
        id: NodeId,
        aside: Aside,
        patience: Option<Duration>,
    ) -> RunId {
        let run = self.new_run(id);
        let until = patience.map(|patience| self.now.after(patience));
        self.change(id, |node| node.asides.insert(run.generation, Beside { aside, until }));
        run
    }

    /// The process of a run is there, or it could not even be made.
    pub(super) fn on_spawned(&mut self, run: RunId, result: Result<Pid, SpawnError>) {
        let pid = match result {
            Ok(pid) => pid,
            Err(error) => {
                self.on_exited(run, Ended::NotExecuted(error), Group::Empty);
                return;
            }
        };
        let Some(node) = self.node_mut(run.node) else { return };
        if let Some(connection) = node.connections.get_mut(&run.generation) {
            connection.pid = Some(pid);
        } else if node.is_main(run)
            && matches!(node.state, State::Starting { step: StartStep::Main(_), .. })
        {
            node.pid = Some(pid);
        }
    }

    /// Runs the `after-start` command of that number, if there is one.
    pub(super) fn after_start(&mut self, id: NodeId, index: usize) {
        let Some(spec) = self.node(id).and_then(|node| node.spec()).map(Rc::clone) else { return };
        if let Some(hook) = spec.hooks.after_start.get(index) {
            self.launch_aside(id, Aside::AfterStart(index), hook, spec.start_timeout);
        }
    }

    /// The program of a step on the way up ended; `ended` is no surprise for those that should.
    pub(super) fn on_start_step_ended(
        &mut self,
        id: NodeId,
        step: StartStep,
        ended: Ended,
        group: Group,
    ) {
        let leaving = self.node(id).is_some_and(|node| node.leaving);
        let Some(spec) = self.node(id).and_then(|node| node.spec()).map(Rc::clone) else { return };
        match step {
            StartStep::Check | StartStep::Bind | StartStep::Read(_) => {}
            StartStep::OnlyIf(index) => self.on_command_ended(id, &spec, index, ended, group),
            // Until the daemon is known, nobody's end can be its.
            StartStep::Adopt if self.node(id).is_none_or(|node| node.pid.is_none()) => {}
            StartStep::Adopt => self.main_ended(id, ended, group),
            StartStep::Before(index) => {
                let hook = spec.hooks.before_start.get(index).filter(|hook| !hook.may_fail);
                if let (Some(hook), true) = (hook, ended != Ended::Exit(Exit::SUCCESS)) {
                    let what = match self.blame_time(id, hook, &ended) {
                        Some(late) => format!("before-start `{}` {late}", short(&hook.command)),
                        None => format!("before-start: {ended}"),
                    };
                    let then = self.take_end(id, &spec, ended, what);
                    self.end_with_group(id, &spec, then, group);
                    return;
                }
                if leaving {
                    self.end_with_group(id, &spec, Then::Down, group);
                    return;
                }
                let next = index.saturating_add(1);
                let more = next < spec.hooks.before_start.len();
                let program = if more { Program::Before(next) } else { Program::Main(0) };
                self.launch(id, &spec, program);
            }
            StartStep::Main(index) => self.on_command_over(id, &spec, index, ended, group),
            StartStep::After(index) => {
                let may_fail = spec.hooks.after_start.get(index).is_some_and(|hook| hook.may_fail);
                if ended != Ended::Exit(Exit::SUCCESS) && !may_fail {
                    self.tell_slip(id, format!("after-start: {ended}"));
                }
                self.after_task(id, &spec, index.saturating_add(1), group);
            }
        }
    }

    /// The main command, or a step of a task, ended before the service was up by it.
    fn on_command_over(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        index: usize,
        ended: Ended,
        group: Group,
    ) {
        let leaving = self.node(id).is_some_and(|node| node.leaving);
        let next = index.saturating_add(1);
        let good = super::respawn::is_success(spec, &ended);
        let more = next < spec.commands.len();
        if let (true, Some(run)) = (good, self.forks(id, spec)) {
            self.adopt(id, run, spec);
            return;
        }
        let is_done = good && spec.ready.when == Ready::Exit;
        match (good && more, leaving) {
            (true, false) => self.launch(id, spec, Program::Main(next)),
            (true, true) => self.end_with_group(id, spec, Then::Down, group),
            (false, false) if is_done && !spec.hooks.after_start.is_empty() => {
                if let Some(node) = self.node_mut(id) {
                    node.pid = None;
                    node.last_exit = Some(Box::new(ended));
                }
                self.after_task(id, spec, 0, group);
            }
            (false, _) => self.main_ended(id, ended, group),
        }
    }

    /// A task has done its work: its `after-start` command of that number, or after the last what
    /// follows from that work. Those who need it wait for them, as for ExecStartPost= of a oneshot
    /// in systemd.service(5); how they end changes nothing.
    fn after_task(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, index: usize, group: Group) {
        let Some(node) = self.node(id) else { return };
        if index < spec.hooks.after_start.len() && !node.leaving {
            self.execute(id, spec, Program::After(index));
            return;
        }
        let ended = node.last_exit.as_deref().cloned().unwrap_or(Ended::Unseen);
        self.main_ended(id, ended, group);
    }

    /// An `after-start` command of a task takes too long: it is killed, and not waited for.
    pub(super) fn on_after_task_late(
        &mut self,
        id: NodeId,
        spec: &Rc<ServiceSpec>,
        run: RunId,
        index: usize,
    ) {
        self.because_of_its_start(id, Cause::Timer("the end of the time for a command".into()));
        self.signal(id, Aim::Run(run), SignalNumber::KILL);
        if spec.hooks.after_start.get(index).is_some_and(|hook| !hook.may_fail) {
            self.tell_slip(id, "after-start: took too long, killed".to_owned());
        }
        self.after_task(id, spec, index.saturating_add(1), Group::Inhabited);
    }

    /// The run of a start that leaves a daemon behind.
    fn forks(&self, id: NodeId, spec: &ServiceSpec) -> Option<RunId> {
        spec.ready.when.pidfile().and(self.node(id)?.state.run())
    }

    /// A boot step came to its end.
    pub(super) fn on_step_ended(
        &mut self,
        run: RunId,
        result: Result<Option<&'static str>, String>,
    ) {
        let is_step = |node: &&Node| node.is_main(run) && matches!(node.body, Body::Step(_));
        let Some(node) = self.node(run.node).filter(is_step) else { return };
        let (name, took) = (node.name.clone(), self.now.since(node.since));
        let ms = took.as_millis();
        if run.generation == 1 {
            self.because(Cause::Boot);
        } else {
            // Somebody has had it tried again, whatever has let it go since.
            self.carry_on(run.node);
        }
        let spared = result == Ok(Some(SPARED));
        self.change(run.node, |node| node.spared = spared);
        match result {
            Ok(None) => {
                self.set_state(run.node, State::Done(Exit::SUCCESS));
                self.tell(Level::Progress, format!("{name} ({ms} ms)"));
            }
            Ok(Some(reason)) => {
                self.set_state(run.node, State::Done(Exit::SUCCESS));
                self.tell(Level::Detail, format!("{name}: nothing to do, {reason}"));
            }
            Err(why) => {
                self.set_state(run.node, State::Failed(why.clone()));
                self.tell(Level::Trouble, format!("{name} failed: {why} ({ms} ms)"));
            }
        }
        self.ask_times_after(run.node);
    }
}
