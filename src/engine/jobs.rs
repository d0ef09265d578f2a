//! Jobs: what a person asked for and may wait for. A job changes nothing by itself; it only
//! looks on, so a client that dies cancels nothing. Its news are published as they happen; who
//! keeps them for those who come late is the driver.

use std::collections::BTreeMap;

use super::id::NodeId;
use super::node::Node;
use super::state::{DownWhy, Hope, State};
use super::{Effect, Engine};
use crate::proto::{JobEvent, NOT_IN_FILE, Outcome};

/// All jobs that are not over.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Number of the newest.
    pub last: u64,
    live: BTreeMap<u64, Job>,
}

#[derive(Debug)]
struct Job {
    goals: BTreeMap<NodeId, Goal>,
    /// What was said last of each node, so that nothing is said twice.
    said: BTreeMap<NodeId, String>,
    outcome: Outcome,
}

/// What a job wants of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// It is up.
    Up,
    /// It is down.
    Down,
    /// Its reload begins: one that was asked for before it is not over.
    Reload,
    /// Its reload is over.
    Reloaded,
    /// Its processes stand still.
    Frozen,
    /// They go on.
    Thawed,
}

impl Engine {
    /// Makes a job for these goals.
    pub(super) fn new_job(&mut self, goals: Vec<(NodeId, Goal)>) -> u64 {
        self.jobs.last = self.jobs.last.saturating_add(1);
        let job = self.jobs.last;
        for (id, _) in &goals {
            if let Some(node) = self.node_mut(*id) {
                node.jobs.push(job);
            }
        }
        let (outcome, said) = (Outcome::Done, BTreeMap::new());
        let goals = goals.into_iter().collect();
        self.jobs.live.insert(job, Job { goals, said, outcome });
        job
    }

    /// Begins with a new job, once its number is told: reloads start, and goals may be reached
    /// already.
    pub(super) fn begin_job(&mut self, job: u64) {
        let goals = self.jobs.live.get(&job).map(|job| job.goals.clone()).unwrap_or_default();
        for (id, goal) in goals {
            match goal {
                Goal::Reload if !self.is_awaited(id, Goal::Reloaded) => self.next_reload(id),
                Goal::Up
                | Goal::Down
                | Goal::Reload
                | Goal::Reloaded
                | Goal::Frozen
                | Goal::Thawed => self.tell_jobs(id),
            }
        }
    }

    /// A state has changed: news for the jobs that look on.
    pub(super) fn tell_jobs(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        for job in node.jobs.clone() {
            let Some(goal) = self.jobs.live.get(&job).and_then(|job| job.goals.get(&id).copied())
            else {
                continue;
            };
            let (message, outcome) = self.progress(id, goal);
            if let Some(message) = message {
                self.news(job, id, message, outcome);
            }
        }
    }

    /// It is wanted again: whoever waits for its stop waits for nothing.
    pub(super) fn replace_stops(&mut self, id: NodeId) {
        self.end_goal(id, Goal::Down, "wanted again", Outcome::Replaced);
    }

    /// Those who wait for that of a node have waited long enough.
    pub(super) fn end_goal(&mut self, id: NodeId, goal: Goal, message: &str, outcome: Outcome) {
        let jobs = self.node(id).map(|node| node.jobs.clone()).unwrap_or_default();
        for job in jobs {
            if self.has_goal(job, id, goal) {
                self.news(job, id, message.to_owned(), Some(outcome));
            }
        }
    }

    /// What a job still waits for.
    pub(super) fn goals(&self, job: u64) -> impl Iterator<Item = (NodeId, Goal)> {
        let live = self.jobs.live.get(&job).into_iter();
        live.flat_map(|job| &job.goals).map(|(id, goal)| (*id, *goal))
    }

    fn has_goal(&self, job: u64, id: NodeId, goal: Goal) -> bool {
        self.jobs.live.get(&job).is_some_and(|job| job.goals.get(&id) == Some(&goal))
    }

    /// What there is to say of a node to someone with that goal, and whether that is the end.
    fn progress(&self, id: NodeId, goal: Goal) -> (Option<String>, Option<Outcome>) {
        let Some(node) = self.node(id) else { return (None, None) };
        let mut text = self.state_in_words(node);
        let outcome = match (goal, &node.state) {
            (Goal::Reload | Goal::Reloaded, State::Up { .. }) => return (None, None),
            // The end of its command ends it.
            (Goal::Reload | Goal::Reloaded, _) if node.runs_reload() => return (None, None),
            (Goal::Reload | Goal::Reloaded, _) => Some(Outcome::Failed),
            (Goal::Frozen, _) if node.is_frozen() => Some(Outcome::Done),
            (Goal::Frozen, _) => node.freeze.is_none().then_some(Outcome::Failed),
            (Goal::Thawed, _) => node.freeze.is_none().then_some(Outcome::Done),
            (Goal::Up, state) if state.is_up() && !node.restarting => Some(Outcome::Done),
            (Goal::Up, State::Failed(_) | State::Backoff { .. }) => Some(Outcome::Failed),
            // One that nobody wants any more is on its way to rest.
            (Goal::Up, State::Waiting { .. } | State::Awaiting { .. }) if !node.wanted => None,
            (
                Goal::Up,
                State::Awaiting { .. } | State::Waiting { hope: Hope::Stuck | Hope::Later, .. },
            ) => Some(Outcome::Failed),
            (Goal::Up, State::Down(DownWhy::Ended)) if !node.restarting => Some(Outcome::Done),
            (Goal::Up, State::Down(_)) if !node.wanted => Some(Outcome::Replaced),
            (Goal::Up, _) => None,
            (Goal::Down, State::Down(_)) => Some(Outcome::Done),
            // One that had failed already and was tidied up after is as down as was asked for.
            (Goal::Down, State::Failed(_)) if node.hung.is_none() => Some(Outcome::Done),
            (Goal::Down, State::Failed(_)) => Some(Outcome::Failed),
            (Goal::Down, _) => None,
        };
        if node.removed && outcome == Some(Outcome::Replaced) {
            NOT_IN_FILE.clone_into(&mut text);
        }
        (Some(text), outcome)
    }

    /// Adds a line to a job; with an outcome that goal is over, and with the last goal the job.
    pub(super) fn news(&mut self, job: u64, id: NodeId, message: String, outcome: Option<Outcome>) {
        let service = self.name(id).to_owned();
        let Some(live) = self.jobs.live.get_mut(&job) else { return };
        let again = live.said.insert(id, message.clone()).is_some_and(|last| last == message);
        if again && outcome.is_none() {
            return;
        }
        let mut event = JobEvent { job, service, message, outcome: None };
        if let Some(outcome) = outcome {
            live.goals.remove(&id);
            if live.outcome == Outcome::Done {
                live.outcome = outcome;
            }
            if live.goals.is_empty() {
                event.outcome = Some(live.outcome);
                self.jobs.live.remove(&job);
            }
        }
        if outcome.is_some()
            && let Some(node) = self.node_mut(id)
        {
            node.jobs.retain(|other| *other != job);
        }
        self.emit(Effect::Publish(event));
    }

    /// Whether a job waits for that of a node.
    fn is_awaited(&self, id: NodeId, goal: Goal) -> bool {
        let mut jobs = self.node(id).into_iter().flat_map(|node| &node.jobs);
        jobs.any(|job| self.has_goal(*job, id, goal))
    }

    /// The reload that those wait for who asked while another one went on: what they changed
    /// before they asked may have been too late for that one.
    fn next_reload(&mut self, id: NodeId) {
        let mut waits = false;
        for job in self.node(id).map(|node| node.jobs.clone()).unwrap_or_default() {
            let goal = self.jobs.live.get_mut(&job).and_then(|live| live.goals.get_mut(&id));
            if let Some(goal @ Goal::Reload) = goal {
                *goal = Goal::Reloaded;
                waits = true;
            }
        }
        let is_up = |node: &Node| matches!(node.state, State::Up { .. }) && !node.leaving;
        match waits.then(|| self.node(id).is_some_and(is_up)) {
            Some(true) => self.reload_step(id, 0),
            Some(false) => self.finish_reload(id, Err("reload: it is not up any more".to_owned())),
            None => {}
        }
    }

    /// The end of a reload, told to those who wait for it.
    pub(super) fn finish_reload(&mut self, id: NodeId, result: Result<(), String>) {
        match result {
            Ok(()) => self.end_goal(id, Goal::Reloaded, "reloaded", Outcome::Done),
            Err(why) => self.end_goal(id, Goal::Reloaded, &why, Outcome::Failed),
        }
        self.next_reload(id);
    }

    /// Jobs that can never end, as an audit sees them.
    ///
    /// # Errors
    /// The first one, in words.
    pub(super) fn audit_jobs(&self) -> Result<(), String> {
        for (job, Job { goals, .. }) in &self.jobs.live {
            let waits = |id: &NodeId| self.node(*id).is_some_and(|node| node.jobs.contains(job));
            if goals.is_empty() || !goals.keys().all(waits) {
                return Err(format!("job {job} is kept, and waits for nobody"));
            }
        }
        Ok(())
    }
}
