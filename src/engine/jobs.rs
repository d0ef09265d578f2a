//! Jobs: what a person asked for and may wait for. A job changes nothing by itself; it only
//! looks on, so a client that dies cancels nothing.

use std::collections::{BTreeMap, VecDeque};

use super::id::NodeId;
use super::state::{DownWhy, Hope, State};
use super::{Effect, Engine};
use crate::proto::{JobEvent, Outcome};

/// Ended jobs whose outcome is still known.
const REMEMBERED: usize = 256;
/// News kept for one who comes late.
const NEWS: usize = 64;

/// All jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    last: u64,
    live: BTreeMap<u64, Job>,
    ended: VecDeque<(u64, Vec<JobEvent>)>,
}

#[derive(Debug)]
struct Job {
    goals: Vec<(NodeId, Goal)>,
    outcome: Outcome,
    news: Vec<JobEvent>,
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
}

impl Engine {
    /// Makes a job for these goals. Goals that are reached already end at once, so the job may
    /// be over when its number is told; its outcome is remembered.
    pub(super) fn new_job(&mut self, goals: Vec<(NodeId, Goal)>) -> u64 {
        self.jobs.last = self.jobs.last.saturating_add(1);
        let job = self.jobs.last;
        for (id, _) in &goals {
            if let Some(node) = self.node_mut(*id) {
                node.jobs.push(job);
            }
        }
        let (outcome, news) = (Outcome::Done, Vec::new());
        self.jobs.live.insert(job, Job { goals, outcome, news });
        job
    }

    /// Begins with a new job, once its number is told: reloads start, and goals may be reached
    /// already.
    pub(super) fn begin_job(&mut self, job: u64) {
        let goals = self.jobs.live.get(&job).map(|job| job.goals.clone()).unwrap_or_default();
        for (id, goal) in goals {
            match goal {
                Goal::Reloaded => self.reload_step(id, 0),
                Goal::Up | Goal::Down => self.tell_jobs(id),
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
        let jobs = self.node(id).map(|node| node.jobs.clone()).unwrap_or_default();
        for job in jobs {
            if self.has_goal(job, id, Goal::Down) {
                self.news(job, id, "wanted again".to_owned(), Some(Outcome::Replaced));
            }
        }
    }

    fn has_goal(&self, job: u64, id: NodeId, goal: Goal) -> bool {
        self.jobs.live.get(&job).is_some_and(|job| job.goals.contains(&(id, goal)))
    }

    /// What there is to say of a node to someone with that goal, and whether that is the end.
    fn progress(&self, id: NodeId, goal: Goal) -> (Option<String>, Option<Outcome>) {
        let Some(node) = self.node(id) else { return (None, None) };
        let text = self.state_in_words(node);
        let outcome = match (goal, &node.state) {
            (Goal::Reloaded, state) if state.is_active() => return (None, None),
            (Goal::Reloaded, _) => Some(Outcome::Failed),
            (Goal::Up, state) if state.is_up() && !node.restarting => Some(Outcome::Done),
            (Goal::Up, State::Failed(_) | State::Backoff { .. }) => Some(Outcome::Failed),
            // One that nobody wants any more is on its way to rest.
            (Goal::Up, State::Waiting { .. }) if !node.wanted => None,
            (Goal::Up, State::Waiting { hope: Hope::Stuck | Hope::Later, .. }) => {
                Some(Outcome::Failed)
            }
            (Goal::Up, State::Down(DownWhy::Ended)) if !node.restarting => Some(Outcome::Done),
            (Goal::Up, State::Down(_)) if !node.wanted => Some(Outcome::Replaced),
            (Goal::Up, _) => None,
            (Goal::Down, State::Down(_)) => Some(Outcome::Done),
            (Goal::Down, State::Failed(_)) => Some(Outcome::Failed),
            (Goal::Down, _) => None,
        };
        (Some(text), outcome)
    }

    /// Adds a line to a job; with an outcome that goal is over, and with the last goal the job.
    pub(super) fn news(&mut self, job: u64, id: NodeId, message: String, outcome: Option<Outcome>) {
        let service = self.name(id).to_owned();
        let Some(live) = self.jobs.live.get_mut(&job) else { return };
        let last = live.news.iter().rev().find(|news| news.service == service);
        if outcome.is_none() && last.is_some_and(|news| news.message == message) {
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
            }
        }
        if live.news.len() < NEWS || event.outcome.is_some() {
            live.news.push(event.clone());
        }
        if event.outcome.is_some()
            && let Some(over) = self.jobs.live.remove(&job)
        {
            self.jobs.ended.push_back((job, over.news));
            while self.jobs.ended.len() > REMEMBERED {
                self.jobs.ended.pop_front();
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
        let (message, outcome) = match result {
            Ok(()) => ("reloaded".to_owned(), Outcome::Done),
            Err(why) => (why, Outcome::Failed),
        };
        let jobs = self.node(id).map(|node| node.jobs.clone()).unwrap_or_default();
        for job in jobs {
            if self.has_goal(job, id, Goal::Reloaded) {
                self.news(job, id, message.clone(), Some(outcome));
            }
        }
    }

    /// All the news of a job so far, or none if there is no such job.
    pub(super) fn job_news(&self, job: u64) -> Option<Vec<JobEvent>> {
        if let Some(live) = self.jobs.live.get(&job) {
            return Some(live.news.clone());
        }
        self.jobs.ended.iter().find(|(ended, _)| *ended == job).map(|(_, news)| news.clone())
    }
}
