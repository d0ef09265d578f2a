//! Jobs: what a person asked for and may wait for. A job changes nothing by itself; it only
//! looks on, so a client that dies cancels nothing. Its news are published as they happen; who
//! keeps them for those who come late is the driver.

use std::collections::BTreeMap;

use super::id::NodeId;
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
    goals: Vec<(NodeId, Goal)>,
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
        self.jobs.live.insert(job, Job { goals, said, outcome });
        job
    }

    /// Begins with a new job, once its number is told: reloads start, and goals may be reached
    /// already.
    pub(super) fn begin_job(&mut self, job: u64) {
        let goals = self.jobs.live.get(&job).map(|job| job.goals.clone()).unwrap_or_default();
        for (id, goal) in goals {
            match goal {
                Goal::Reloaded => self.reload_step(id, 0),
                Goal::Up | Goal::Down | Goal::Frozen | Goal::Thawed => self.tell_jobs(id),
            }
        }
    }

    /// A state has changed: news for the jobs that look on.
    pub(super) fn tell_jobs(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        for job in node.jobs.clone() {
            let goal = self.jobs.live.get(&job).and_then(|job| {
                job.goals.iter().find(|(node, _)| *node == id).map(|(_, goal)| *goal)
            });
            let Some(goal) = goal else { continue };
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
    pub(super) fn goals(&self, job: u64) -> &[(NodeId, Goal)] {
        self.jobs.live.get(&job).map_or(&[], |job| &job.goals)
    }

    fn has_goal(&self, job: u64, id: NodeId, goal: Goal) -> bool {
        self.jobs.live.get(&job).is_some_and(|job| job.goals.contains(&(id, goal)))
    }

    /// What there is to say of a node to someone with that goal, and whether that is the end.
    fn progress(&self, id: NodeId, goal: Goal) -> (Option<String>, Option<Outcome>) {
        let Some(node) = self.node(id) else { return (None, None) };
        let mut text = self.state_in_words(node);
        let outcome = match (goal, &node.state) {
            (Goal::Reloaded, State::Up { .. }) => return (None, None),
            // The end of its command ends it.
            (Goal::Reloaded, _) if node.runs_reload() => return (None, None),
            (Goal::Reloaded, _) => Some(Outcome::Failed),
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
            live.goals.retain(|(node, _)| *node != id);
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

    /// The end of a reload, told to those who wait for it.
    pub(super) fn finish_reload(&mut self, id: NodeId, result: Result<(), String>) {
        match result {
            Ok(()) => self.end_goal(id, Goal::Reloaded, "reloaded", Outcome::Done),
            Err(why) => self.end_goal(id, Goal::Reloaded, &why, Outcome::Failed),
        }
    }

    /// Jobs that can never end, as an audit sees them.
    ///
    /// # Errors
    /// The first one, in words.
    pub(super) fn audit_jobs(&self) -> Result<(), String> {
        for (job, Job { goals, .. }) in &self.jobs.live {
            let waits = |id: &NodeId| self.node(*id).is_some_and(|node| node.jobs.contains(job));
            if goals.is_empty() || !goals.iter().all(|(id, _)| waits(id)) {
                return Err(format!("job {job} is kept, and waits for nobody"));
            }
        }
        Ok(())
    }
}
