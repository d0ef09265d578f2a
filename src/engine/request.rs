//! What clients may ask for, and what follows from it.

use std::time::Duration;

use super::id::{NodeId, RunId, Ticket};
use super::jobs::Goal;
use super::node::{Asked, Body, Node};
use super::schedule::Audience;
use super::state::{DownWhy, State};
use super::why::Signalled;
use super::{Access, Aim, Cause, Effect, Engine, Peer};
use crate::config::steps::{self, EMERGENCY};
use crate::facts::SignalNumber;
use crate::proto::{Code, PROTOCOL, Refusal, Reply, Request};

fn audience(quiet: bool) -> Audience {
    if quiet { Audience::Console } else { Audience::Everybody }
}

/// What a client must be allowed to do for this: the one table of it.
pub fn needed(request: &Request) -> Access {
    match request {
        Request::Hello
        | Request::Ping
        | Request::List
        | Request::Status { .. }
        | Request::Why { .. } => Access::Look,
        // Whoever may bring the machine down may have it upgraded; root alone says to what.
        Request::Power { .. }
        | Request::SchedulePower { .. }
        | Request::CancelPower { .. }
        | Request::Upgrade { program: None } => Access::Power,
        Request::Start { .. }
        | Request::Stop { .. }
        | Request::StopGently { .. }
        | Request::Restart { .. }
        | Request::Reload { .. }
        | Request::Graph { .. }
        | Request::Plan
        | Request::Apply
        | Request::ApplyOnTrial { .. }
        | Request::Confirm
        | Request::Upgrade { program: Some(_) }
        | Request::Signal { .. }
        | Request::Reset { .. }
        // The news of a job say in full what `status` says in full to root alone.
        | Request::Wait { .. }
        | Request::Hold { .. }
        | Request::Unhold { .. }
        | Request::Freeze { .. }
        | Request::Thaw { .. }
        | Request::Target { .. } => Access::Everything,
    }
}

impl Engine {
    /// Answers a request, exactly once.
    pub(super) fn on_request(
        &mut self,
        ticket: Ticket,
        peer: &Peer,
        request: Request,
        waits: Option<RunId>,
    ) {
        self.because(Cause::person(peer, request.spoken()));
        let in_vain = || self.refuse_self_wait(waits?, &request);
        let result = match self.refuse(peer, &request).or_else(in_vain) {
            Some(refusal) => Err(refusal),
            None => self.carry_out(peer, request),
        };
        let job = match &result {
            Ok(Reply::Job { job, .. }) => Some(*job),
            Ok(_) | Err(_) => None,
        };
        self.emit(Effect::Reply { ticket, result });
        if let Some(job) = job {
            self.settle();
            self.begin_job(job);
        }
    }

    /// Decides by who asks, before it matters what exactly.
    fn refuse(&self, peer: &Peer, request: &Request) -> Option<Refusal> {
        let needed = needed(request);
        if peer.access < needed {
            let message = format!("user {} may not do that", peer.uid);
            return Some(Refusal::new(Code::Denied, message).hint("ask as root: sudo finitctl …"));
        }
        if self.phase.is_down() && needed == Access::Everything {
            let message = format!("the machine is {}", self.phase);
            return Some(Refusal::new(Code::ShuttingDown, message));
        }
        None
    }

    fn carry_out(&mut self, peer: &Peer, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Hello => Ok(Reply::Hello {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                features: Vec::new(),
                // The driver knows.
                config: None,
            }),
            Request::Ping => Ok(Reply::Pong),
            Request::List => {
                let known = peer.access == Access::Everything;
                Ok(Reply::Machine(Box::new(self.machine_report(known))))
            }
            Request::Status { name } => self.status(&name, peer.access == Access::Everything),
            Request::Why { name } => self.why(&name, peer.access == Access::Everything),
            Request::Graph { name } => self.graph(name.as_deref()),
            Request::Start { names } => self.start_named(&names),
            Request::Stop { names } => self.stop_named(&names),
            Request::StopGently { names } => self.stop_gently(&names),
            Request::Restart { names } => self.restart_named(&names),
            Request::Reload { names } => self.reload_named(&names),
            // The driver reads the file and comes back with `Event::Loaded`, keeps the news of jobs
            // for those who follow one, and executes programs: none of them gets here.
            Request::Plan
            | Request::Apply
            | Request::ApplyOnTrial { .. }
            | Request::Wait { .. }
            | Request::Upgrade { .. } => {
                Err(Refusal::new(Code::NotSupported, "this is for the driver"))
            }
            Request::Confirm => self.confirm(),
            Request::Signal { name, signal } => self.signal_named(&name, &signal),
            Request::Reset { name } => self.reset_named(&name),
            Request::Hold { name } => self.hold(&name),
            Request::Unhold { name } => self.unhold(&name),
            Request::Freeze { names } => self.freeze_named(&names),
            Request::Thaw { names } => self.thaw_named(&names),
            Request::Power { how } => {
                self.may_go_down()?;
                self.power(how);
                Ok(Reply::Done { message: format!("the machine goes down: {how}") })
            }
            Request::SchedulePower { how, seconds, message, quiet } => {
                self.schedule(how, Duration::from_secs(seconds), &message, audience(quiet))
            }
            Request::CancelPower { message, quiet } => self.cancel(&message, audience(quiet)),
            Request::Target { name } => self.change_target(&name),
        }
    }

    pub(super) fn job(
        &mut self,
        mut goals: Vec<(NodeId, Goal)>,
        also: Vec<String>,
        notes: Vec<String>,
    ) -> Result<Reply, Refusal> {
        // Its instances are named as well, and an umbrella may be open over those that failed.
        if goals.iter().any(|(id, _)| !self.stands_for_others(*id)) {
            goals.retain(|(id, _)| !self.stands_for_others(*id));
        }
        let job = self.new_job(goals);
        Ok(Reply::Job { job, also, notes })
    }

    fn start_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let ids = self.find_startable(names)?;
        self.heed_holds(&ids, Some(Goal::Up))?;
        let mut also = Vec::new();
        let notes = self.by_the_newest(&self.that_begin(&ids), |engine| {
            also = engine.brought_up_with(&ids);
            engine.make_way(&ids)
        })?;
        for id in &ids {
            let why = self.cause.clone();
            if self.node(*id).is_some_and(|node| matches!(node.state, State::Down(_))) {
                self.forget_monitored(*id);
            }
            if let Some(node) = self.node_mut(*id) {
                node.asked = Some(Asked::Up);
                node.wish = why;
            }
            let is_done =
                |node: &Node| matches!((&node.body, &node.state), (Body::Step(_), State::Done(_)));
            if self.node(*id).is_some_and(is_done) {
                self.set_state(*id, State::Down(DownWhy::Stopped));
            }
            self.summon(*id);
            self.touch(*id);
        }
        self.job(ids.into_iter().map(|id| (id, Goal::Up)).collect(), also, notes)
    }

    /// Who asks for a node asks for what it needs and wants: what was stopped or has failed below
    /// it gets another chance, as with every other init, and what excludes it or its needs goes.
    /// The answer is a sentence for each of those.
    pub(super) fn make_way(&mut self, ids: &[NodeId]) -> Result<Vec<String>, Refusal> {
        let needs = self.missing_below(ids, false);
        let away = self.displace(ids, &needs)?;
        let missing = self.missing_below(ids, true);
        self.rejoin(&[ids, &missing].concat());
        self.rejoin_parts(ids);
        let all = [ids, &missing].concat();
        let others = self.failed_alternatives(&all);
        for id in ids {
            self.clear_undone(*id);
        }
        self.bring(ids, &missing, &others);
        Ok(away)
    }

    /// Those below these that are missing, and alternatives of them that have failed, get another
    /// chance.
    pub(super) fn bring(&mut self, ids: &[NodeId], missing: &[NodeId], others: &[NodeId]) {
        let below = [missing, others].concat();
        for (id, why) in below.iter().zip(self.brought_up(ids, &below)) {
            let off = |node: &&mut Node| node.asked == Some(Asked::Down) && missing.contains(id);
            if let Some(node) = self.node_mut(*id).filter(off) {
                node.asked = None;
            }
            self.with_cause(why, |engine| {
                // A whole that comes because of these brings its parts.
                engine.rejoin_parts(&[*id]);
                engine.clear_undone(*id);
                engine.refresh_wanted(*id);
            });
            self.touch(*id);
        }
    }

    /// Those of these that begin anew if they are asked for.
    fn that_begin(&self, ids: &[NodeId]) -> Vec<NodeId> {
        let begins = |node: &Node| {
            let pauses = matches!(node.state, State::Backoff { .. });
            !node.state.is_active() || node.state.goes_down() || pauses
        };
        ids.iter().copied().filter(|id| self.node(*id).is_some_and(begins)).collect()
    }

    /// Services that are down and come up with these, by name.
    fn brought_up_with(&self, ids: &[NodeId]) -> Vec<String> {
        let rests = |node: &&Node| {
            let down = matches!(node.state, State::Down(_) | State::Failed(_));
            down && matches!(node.body, Body::Service(_))
        };
        let below = self.missing_below(ids, true);
        let below = below.iter().filter_map(|id| self.node(*id)).filter(rests);
        below.map(|node| node.name.to_string()).collect()
    }

    /// What these need, or want as well, and what that does, as far as nothing that will do is
    /// there. What is held is left alone.
    pub(super) fn missing_below(&self, ids: &[NodeId], wants: bool) -> Vec<NodeId> {
        // What is skipped is looked at again.
        let is_there = |node: &Node| node.firm && !matches!(node.state, State::Skipped(_));
        let there = |id: &NodeId| self.node(*id).is_some_and(is_there);
        let found = self.reach(ids, |_, above| {
            let needs = above.edges.needs.iter().filter(|need| !need.iter().any(there));
            let needs = needs.filter_map(|need| self.candidate(above, need));
            let wants = above.edges.wants.iter().filter(|want| wants && !there(want)).copied();
            let free = |id: &NodeId| !self.node(*id).is_some_and(Node::is_held);
            needs.chain(wants).filter(free).collect::<Vec<_>>()
        });
        found.into_iter().skip(ids.len()).collect()
    }

    fn stop_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let ids = self.find_all(names)?;
        self.heed_holds(&ids, Some(Goal::Down))?;
        for id in &ids {
            self.keep_down(*id);
            if let Some(node) = self.node_mut(*id) {
                node.asked = Some(Asked::Down);
            }
            self.touch(*id);
            let failed = |n: &Node| matches!(n.state, State::Failed(_)) && !n.is_held();
            if self.node(*id).is_some_and(failed) {
                self.clear(*id);
            }
        }
        let parts = self.parts_of(&ids);
        self.part(&parts);
        let (also, notes) = self.dependents(&ids, &parts);
        let goals = ids.iter().map(|id| (*id, Goal::Down)).collect();
        self.job(goals, also, notes)
    }

    fn restart_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let ids = self.find_all(names)?;
        self.heed_holds(&ids, None)?;
        let mut notes = self.by_the_newest(&ids, |engine| engine.make_way(&ids))?;
        let parts = self.parts_of(&ids);
        let (also, held) = self.dependents(&ids, &parts);
        notes.extend(held);
        self.restart_parts(&parts);
        for id in &ids {
            let cause = self.cause.clone();
            self.forget_monitored(*id);
            // What is done is done again, and what is done in a moment is, too.
            self.clear(*id);
            if let Some(node) = self.node_mut(*id) {
                // What the target wants stays a matter of the target.
                if !node.wanted {
                    node.asked = Some(Asked::Up);
                }
                node.restarting = node.state.is_active();
                node.summoned = true;
                node.wish = cause;
            }
            self.touch(*id);
        }
        self.job(ids.into_iter().map(|id| (id, Goal::Up)).collect(), also, notes)
    }

    /// Active parts of these, active nodes that need one of them, and those that need those, by
    /// name; and a sentence for each that would, and is held.
    fn dependents(&self, ids: &[NodeId], parts: &[NodeId]) -> (Vec<String>, Vec<String>) {
        let mut found = self.going_with(ids, parts);
        let notes = self.held_above(&found);
        let also = found.split_off(ids.len());
        (also.into_iter().map(|id| self.name(id).to_owned()).collect(), notes)
    }

    /// These, those of their parts that are active, and all active nodes that lose a need with them.
    pub(super) fn going_with(&self, ids: &[NodeId], parts: &[NodeId]) -> Vec<NodeId> {
        let goes = |id: &NodeId| {
            self.node(*id).is_some_and(|node| node.state.is_active() && !node.stays())
        };
        // What stands on another alternative stays.
        let carried = |other: &NodeId, found: &[NodeId]| {
            let stays = |need: &&NodeId| {
                !found.contains(need) && self.node(**need).is_some_and(|node| node.firm)
            };
            let lost = |need: &Vec<NodeId>| {
                need.iter().any(|id| found.contains(id)) && !need.iter().any(|id| stays(&id))
            };
            self.node(*other).is_some_and(|node| node.edges.needs.iter().any(lost))
        };
        let mut found: Vec<NodeId> = ids.to_vec();
        found.extend(parts.iter().copied().filter(goes));
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next = next.saturating_add(1);
            let above = self.node(id).map(|node| node.edges.needed_by.clone()).unwrap_or_default();
            for other in above {
                if goes(&other) && !found.contains(&other) && carried(&other, &found) {
                    found.push(other);
                }
            }
        }
        found
    }

    fn signal_named(&mut self, name: &str, signal: &str) -> Result<Reply, Refusal> {
        let id = self.find(name)?;
        let signal = SignalNumber::parse(signal).ok_or_else(|| {
            Refusal::new(Code::BadRequest, format!("`{signal}` is no signal"))
                .hint("TERM, HUP, USR1, RTMIN+1, or a number from 1 to 64")
        })?;
        let node = self.node(id);
        let running = node.filter(|node| node.pid.is_some()).and_then(|node| node.state.run());
        let sleeps = node.is_some_and(Node::is_frozen) && signal != SignalNumber::KILL;
        let later = if sleeps { ", which is frozen and gets it once it is thawed" } else { "" };
        let run = running.ok_or_else(|| {
            let state = node.map(|node| self.state_in_words(node)).unwrap_or_default();
            Refusal::new(Code::NotRunning, format!("{name} has no main process: {state}"))
        })?;
        let by = self.cause.clone();
        if let Some(node) = self.node_mut(id) {
            node.signalled = Some(Box::new(Signalled { run, number: signal, by }));
        }
        self.emit(Effect::Signal { node: id, aim: Aim::Run(run), signal });
        Ok(Reply::Done { message: format!("{signal} sent to {name}{later}") })
    }

    fn change_target(&mut self, name: &str) -> Result<Reply, Refusal> {
        let id = self.find(name)?;
        if !self.node(id).is_some_and(|node| matches!(node.body, Body::Target)) {
            let message = format!("`{name}` is no target");
            return Err(Refusal::new(Code::NotSupported, message));
        }
        name.clone_into(&mut self.target);
        self.forget_missed_target();
        if matches!(name, "rescue" | "emergency") {
            self.release();
        }
        if name != EMERGENCY {
            self.make_up_boot();
        }
        let why = self.cause.clone();
        if let Some(node) = self.node_mut(id).filter(|node| node.asked.is_some()) {
            // It was stopped by hand, and is asked for now.
            node.asked = None;
            node.wish = why;
        }
        self.refresh_auto();
        // Which of those that provide a name comes anyway is another question now.
        self.connect();
        if name != EMERGENCY {
            self.clear_failed_of(id);
        }
        self.touch_all();
        self.job(vec![(id, Goal::Up)], Vec::new(), Vec::new())
    }

    /// The steps that were left out in an emergency are run, and what comes after the milestones
    /// that they reach waits for them as at every boot.
    fn make_up_boot(&mut self) {
        if self.spared().next().is_none() {
            return;
        }
        for id in self.ids() {
            let Some(node) = self.node(id) else { continue };
            let again = match &node.body {
                Body::Step(_) => node.spared && matches!(node.state, State::Done(_)),
                Body::Milestone => node.state.is_up() && !steps::reached_by(&node.name).is_empty(),
                Body::Service(_) | Body::Target | Body::Template | Body::LeftOut(_) => false,
            };
            if again {
                let why = self.cause.clone();
                self.change(id, |node| node.wish = why);
                self.set_state(id, State::Down(DownWhy::Stopped));
            }
        }
    }

    /// What persons, times, paths and failures have started is theirs no more: who repairs the
    /// machine wants nothing to run but what that takes.
    fn release(&mut self) {
        for node in &mut self.nodes {
            node.asked = node.asked.filter(|asked| *asked != Asked::Up);
        }
    }
}
