//! Carrying out what the engine orders. Nothing is decided here.

use std::os::fd::AsFd;
use std::time::Duration;

use super::{Driver, Fact};
use crate::boot;
use crate::config::spec::{FIND_INSTANCES, STEPS};
use crate::config::steps::{EMERGENCY, IN_EMERGENCY, SPARED};
use crate::engine::{Aim, Effect, Ended, Event, Group, Level, NodeId, RunId};
use crate::facts::{Exit, Pid, SignalNumber};
use crate::os::{kill, pidfd, time};
use crate::proto::frame::{self, Answer};
use crate::proto::{Refusal, Reply, ServiceReport};

use super::groups::{End, Way};
use super::orders::NOBODY;
use super::searches::Wish;
use super::watch::Token;
use super::{control, foreign, groups};

/// Programs started before those that began or ended meanwhile are looked at: it bounds how many
/// are between clone and exec at a time, and with them the memory they use, and how many dead
/// ones keep their numbers from those to come.
const STARTS: u32 = 32;
/// Batches of dead processes reaped then: orphans may die faster than programs are started.
const SWEEPS: u32 = 32;

/// How long a console that said it has room, and took nothing, is left alone.
const CONSOLE_REST: Duration = Duration::from_secs(1);

/// How long until it is asked for the first time whether an order is carried out of which nobody
/// tells, and most between two times.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Why a service without a control group cannot be frozen.
const NO_GROUP: &str = "there is no cgroup2 to do it, and SIGSTOP would miss who forks meanwhile: \
                        have cgroup2 mounted on /sys/fs/cgroup, and restart it";

impl Driver {
    /// Tells the engine of an event and carries out what follows.
    pub(super) fn turn(&mut self, event: Event) {
        self.engine.handle(time::now(), event);
        self.work();
    }

    /// Carries out all that the engine has ordered.
    pub(super) fn work(&mut self) {
        let mut starts = 0u32;
        let mut words = Vec::new();
        while let Some(effect) = self.engine.next_effect() {
            // Deeds before words: a slow console must not delay a restart.
            if let Effect::Tell { level, text } = effect {
                words.push((level, text));
                continue;
            }
            if matches!(effect, Effect::Spawn(_)) {
                starts = starts.saturating_add(1);
                if starts.checked_rem(STARTS) == Some(0) {
                    self.collect();
                }
            }
            self.carry_out(effect);
        }
        self.flush_logs();
        for (level, text) in words {
            self.console.tell(level, &text);
        }
        self.tell_way_back();
    }

    /// Takes note of programs that were executed or ended meanwhile; other news keep for later.
    fn collect(&mut self) {
        self.flush_logs();
        for _ in 0..SWEEPS {
            self.reap();
            if !self.more_children {
                break;
            }
        }
        for token in self.watch.take() {
            match token {
                Token::Status(run) => {
                    if self.was_executed(run) {
                        self.engine.handle(time::now(), Event::Executed { run });
                    }
                }
                Token::Socket(..)
                | Token::Notify(_)
                | Token::Line(_)
                | Token::Foreign(_)
                | Token::Kept(..)
                | Token::Paths(_)
                | Token::Wall
                | Token::Groups
                | Token::Logs
                | Token::Console => self.tokens.push(token),
            }
        }
    }

    /// Whether a run whose status pipe speaks was executed.
    pub(super) fn was_executed(&mut self, run: RunId) -> bool {
        let pid = self.sites.get(run.node).and_then(|s| s.runs.get(&run.generation)).copied();
        pid.is_some_and(|pid| self.reaper.executed(pid))
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(order) => {
                self.begun = Some(order.run);
                let result = self.launch(&order);
                self.engine.handle(time::now(), Event::Spawned { run: order.run, result });
                self.begun = None;
            }
            Effect::RunStep { run, step } => self.run_step(run, step),
            Effect::Check { run, conditions } => self.check_conditions(run, &conditions),
            Effect::ReadVariables { run, service } => {
                self.read_variables(run, &service.exec.env_files);
            }
            Effect::Await { run, path } => self.await_path(run, &path),
            Effect::WatchPaths { run, paths, marks } => self.watch_paths(run, &paths, marks),
            Effect::LookAtPaths { run } => self.look_at_paths(run),
            Effect::Dismiss { run } => self.dismiss(run),
            Effect::Signal { node, aim, signal } => self.signal(node, aim, signal),
            Effect::Freeze { order, on } => self.freeze(order, on),
            Effect::WatchEmpty { node } => {
                if self.is_empty(node) {
                    self.engine.handle(time::now(), Event::Emptied { node });
                }
            }
            Effect::Bind { node, spec } => {
                let result = self.bind(node, &spec);
                self.engine.handle(time::now(), Event::Bound { node, result });
            }
            Effect::Unbind { node, files } => self.unbind(node, &files),
            Effect::Watch { node } => self.watch_sockets(node, true),
            Effect::Unwatch { node } => self.watch_sockets(node, false),
            Effect::Drop { connection } => drop(self.connections.remove(&connection)),
            Effect::AskCalendar { node, schedule, after } => {
                self.ask_calendar(node, schedule, after);
            }
            Effect::Unkeep { node } => self.unkeep(node),
            Effect::DismissUser { node } => self.dismiss_user(node),
            Effect::Redirect { node, service } => self.redirect(node, &service),
            Effect::Forget { node } => self.forget(node),
            Effect::Reply { ticket, result } => self.reply(ticket.0, result),
            Effect::Publish(event) => self.board.publish(event),
            Effect::Tell { level, text } => self.console.tell(level, &text),
            Effect::Announce(text) => self.announce(text),
            Effect::Logins(why) => self.close_logins(why),
            Effect::Keep => self.configuration.keep(),
            Effect::GoBack => self.go_back(),
            Effect::Finish(how) => self.finish(how),
        }
    }

    /// A boot step is a future of its own; its end comes back as a fact.
    fn run_step(&mut self, run: RunId, step: &'static str) {
        let (mut context, hand) = (self.context.clone(), self.hand.clone());
        let facts = self.facts.clone();
        let is_taken = |step: &&'static str| IN_EMERGENCY.contains(step);
        // Only a person has one run again.
        let is_spared = self.engine.target() == EMERGENCY && run.generation == 1;
        if is_spared {
            // One that is taken leaves nothing to those that are not.
            let rest = STEPS.iter().filter(|step| !is_taken(step));
            context.boot.skip.extend(rest.map(|step| (*step).to_owned()));
        }
        if step == FIND_INSTANCES && !context.boot.skips(step) {
            return self.search_for(Wish::Boot(run));
        }
        let is_spared = is_spared && !is_taken(&step) && !self.context.boot.skips(step);
        self.beside(async move {
            let report = match is_spared {
                true => Ok(boot::Done::Skipped(SPARED)),
                false => boot::steps::run(step, &context, &hand).await,
            };
            // The loop never ends before its facts do.
            let _end = facts.send(Fact::StepEnded { run, step, report }).await;
        });
    }

    pub(super) fn signal(&mut self, node: NodeId, aim: Aim, signal: SignalNumber) {
        let Some(site) = self.sites.get(node) else { return };
        let answer = match (aim, &site.group) {
            (Aim::Run(run), _) => {
                let foreign = site.rare().foreign.get(&run.generation);
                match (foreign, site.runs.get(&run.generation)) {
                    (Some(process), _) => pidfd::signal(process.as_fd(), signal).map(|_| ()),
                    // Not reaped, so the number is still its own.
                    (None, Some(pid)) => kill::kill(*pid, signal).map(|_| ()),
                    (None, None) => Ok(()),
                }
            }
            (Aim::Group, Some(group)) => groups::signal(group, signal),
            (Aim::Group, None) => {
                let sessions = &site.rare().sessions;
                let leaders: Vec<Pid> = site.runs.values().chain(sessions).copied().collect();
                leaders.iter().try_for_each(|pid| kill::kill_group(*pid, signal).map(|_| ()))
            }
        };
        if let Err(errno) = answer {
            let text = format!("{}: sending {signal}: {errno}", self.engine.name(node));
            self.console.tell(crate::engine::Level::Trouble, &text);
        }
        if (aim, signal) == (Aim::Group, SignalNumber::KILL) {
            self.on_group_killed(node);
        }
    }

    /// Everybody in a group was killed at once: the next start is not born in it.
    fn on_group_killed(&mut self, node: NodeId) {
        let Some(site) = self.sites.of(node).filter(|site| site.group.is_some()) else { return };
        if site.way == Way::Born {
            site.way = Way::Unsure;
            return;
        }
        // Whoever is on its way into the group was not hit.
        for pid in site.runs.values().filter(|pid| self.reaper.status(**pid).is_some()) {
            // Not reaped, so it is there.
            let _sent = kill::kill(*pid, SignalNumber::KILL);
        }
    }

    /// How the next process gets into the group, after one that ended by SIGKILL, whoever sent it.
    fn review_way(&mut self, node: NodeId, was_born: bool, group: Group) {
        let Some(site) = self.sites.of(node) else { return };
        match (site.way, was_born, group) {
            (Way::Born, false, _) => site.way = Way::Moves,
            (Way::Born, true, Group::Empty) => site.way = Way::Unsure,
            (Way::Born, true, Group::Inhabited) | (Way::Unsure | Way::Moves, _, _) => {}
        }
    }

    /// What is left of a service after this process of it has ended.
    pub(super) fn group_after(&mut self, node: NodeId, pid: Pid) -> Group {
        let Some(site) = self.sites.of(node) else { return Group::Empty };
        let inhabited = match &site.group {
            Some(group) => group.populated().unwrap_or(false),
            None => {
                if kill::group_exists(pid) {
                    site.make_rare().sessions.push(pid);
                }
                // Its parent may live on, in a session that was another's before.
                site.review_sessions(kill::group_exists);
                !site.rare().sessions.is_empty()
            }
        };
        if inhabited { Group::Inhabited } else { Group::Empty }
    }

    /// Whether nobody of a node lives; if somebody does, the end of that is told.
    fn is_empty(&mut self, node: NodeId) -> bool {
        let Some(site) = self.sites.of(node) else { return true };
        if let Some(group) = &site.group {
            let end = self.groups.watch(node, group);
            self.await_end(node, end == End::Untold);
            return end == End::Here;
        }
        site.review_sessions(kill::group_exists);
        let empty = site.runs.is_empty() && site.rare().sessions.is_empty();
        self.await_end(node, !empty);
        empty
    }

    /// Whether a node is among those whose emptiness nobody tells.
    fn await_end(&mut self, node: NodeId, is_awaited: bool) {
        if is_awaited {
            self.unwatched.insert(node);
        } else {
            self.unwatched.remove(&node);
        }
    }

    /// Has all processes of a node stand still, or go on.
    pub(super) fn freeze(&mut self, order: RunId, on: bool) {
        let group = self.sites.get(order.node).and_then(|site| site.group.as_ref());
        let answer = match group.map(|group| self.groups.freeze(order, group, on)) {
            Some(Ok(End::Here)) => Ok(()),
            // The kernel tells when it has.
            Some(Ok(End::Told)) => return,
            Some(Ok(End::Untold)) => return self.ask_untold(order, FIRST_LOOK),
            Some(Err(errno)) => Err(format!("its cgroup.freeze: {errno}")),
            None => Err(NO_GROUP.to_owned()),
        };
        self.engine.handle(time::now(), Event::Froze { order, result: answer });
    }

    /// Asks after a while whether an order is carried out of which nobody tells.
    fn ask_untold(&self, order: RunId, wait: Duration) {
        self.later(wait, Fact::Untold(order, wait));
    }

    /// An order of which nobody tells may be carried out by now; after that wait it was not.
    pub(super) fn on_untold(&mut self, order: RunId, waited: Duration) {
        let group = self.sites.get(order.node).and_then(|site| site.group.as_ref());
        let Some(group) = group.filter(|_| self.groups.is_untold(order)) else { return };
        if self.groups.carried_out(order.node, group).is_some() {
            self.turn(Event::Froze { order, result: Ok(()) });
        } else {
            self.ask_untold(order, waited.saturating_mul(2).min(LAST_LOOK));
        }
    }

    /// Something has changed in the group of a node.
    fn on_group_changed(&mut self, node: NodeId) {
        let group = self.sites.get(node).and_then(|site| site.group.as_ref());
        if let Some(order) = group.and_then(|group| self.groups.carried_out(node, group)) {
            self.turn(Event::Froze { order, result: Ok(()) });
        }
        if self.groups.waits_for_end(node) && self.is_empty(node) {
            self.turn(Event::Emptied { node });
        }
    }

    /// Nodes without a control group, or whose group nobody watches, and whose emptiness is awaited:
    /// asked again after each reaping, since the last member is, or becomes, a child of ours.
    pub(super) fn review_sessions(&mut self) {
        for node in self.unwatched.clone() {
            if self.is_empty(node) {
                self.turn(Event::Emptied { node });
            }
        }
    }

    /// A node is gone for good.
    fn forget(&mut self, node: NodeId) {
        self.unbind(node, &[]);
        self.close_notify(node);
        self.close_output(node);
        self.forget_own_user(node);
        let Some(site) = self.sites.of(node) else { return };
        if let Some(group) = site.group.take() {
            let name = group.name().to_owned();
            self.groups.remove(node, &name);
        }
    }

    fn reply(&mut self, ticket: u64, result: Result<Reply, Refusal>) {
        if let (NOBODY, Err(Refusal { message, .. })) = (ticket, &result) {
            self.console.tell(Level::Trouble, message);
        }
        let Some((spelling, answers, notes)) = self.tickets.remove(&ticket) else { return };
        let answer = match result {
            Ok(reply) => Answer::Reply(self.complete(reply, notes)),
            Err(refusal) => Answer::Refused(refusal),
        };
        control::answer(&answers, frame::encode_answer(&spelling, &answer));
    }

    /// Adds to a reply what only the driver knows.
    pub(super) fn complete(&mut self, reply: Reply, extra: Vec<String>) -> Reply {
        match reply {
            Reply::Job { job, also, mut notes } => {
                self.board.open(job);
                notes.extend(extra);
                Reply::Job { job, also, notes }
            }
            Reply::Service(mut report) => {
                self.complete_service(&mut report);
                Reply::Service(report)
            }
            Reply::Services(mut reports) => {
                reports.iter_mut().for_each(|report| self.complete_service(report));
                Reply::Services(reports)
            }
            Reply::Machine(mut machine) => {
                machine.services.iter_mut().for_each(|report| self.complete_service(report));
                Reply::Machine(machine)
            }
            Reply::Hello { protocol, version, features, config: _ } => {
                let config = Some(self.configuration.path().display().to_string());
                Reply::Hello { protocol, version, features, config }
            }
            Reply::Done { message } => {
                let all: Vec<String> = std::iter::once(message).chain(extra).collect();
                Reply::Done { message: all.join("; ") }
            }
            other => other,
        }
    }

    fn complete_service(&self, report: &mut ServiceReport) {
        let Some(node) = self.engine.number(&report.name) else { return };
        let group = self.sites.get(node).and_then(|site| site.group.as_ref());
        let folder = group.and_then(|group| self.groups.folder(group));
        report.cgroup = folder.map(|folder| folder.display().to_string());
        report.own_user = self.own_user_of(node);
    }

    /// What a process that has ended was, told to its owner; what follows is not carried out yet.
    pub(super) fn on_run_ended(&mut self, run: RunId, pid: Pid, ended: Ended, was_born: bool) {
        // What it said before it ended counts: another process may be the main one now.
        self.hear_last(run.node);
        let of_run = self.sites.get(run.node).and_then(|site| site.runs.get(&run.generation));
        if of_run != Some(&pid) {
            return;
        }
        let serves = self.engine.is_connection(run);
        let group = if serves { Group::Inhabited } else { self.group_after(run.node, pid) };
        if let Some(site) = self.sites.of(run.node) {
            site.runs.remove(&run.generation);
        }
        if matches!(ended, Ended::Exit(Exit::Signal { number: SignalNumber::KILL, .. })) {
            self.review_way(run.node, was_born, group);
        }
        if self.has_line(run) {
            self.engine.handle(time::now(), Event::Wrote { run });
        }
        self.note_end(run, pid, &ended);
        self.forget_foreign(run);
        self.flush_line(run.node);
        self.engine.handle(time::now(), Event::Exited { run, ended, group });
    }

    /// A hint that a descriptor of the set may be read.
    pub(super) fn on_token(&mut self, token: Token) {
        match token {
            Token::Status(run) => {
                if self.was_executed(run) {
                    self.turn(Event::Executed { run });
                }
            }
            Token::Socket(node, index) => self.on_socket(node, index),
            Token::Notify(node) => self.on_notify(node),
            Token::Line(run) => self.on_line(run),
            Token::Foreign(run) => self.on_foreign(run, foreign::LOOKS),
            Token::Kept(node, number) => self.on_hung_up(node, number),
            Token::Paths(run) => self.on_paths(run),
            Token::Wall => self.on_wall(),
            Token::Groups => {
                for node in self.groups.changed(&self.watch) {
                    self.on_group_changed(node);
                }
            }
            Token::Logs => self.on_log_room(),
            Token::Console => {
                if !self.console.go_on() {
                    self.later(CONSOLE_REST, Fact::ConsoleRested);
                }
            }
        }
    }
}
