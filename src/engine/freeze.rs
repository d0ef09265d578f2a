//! Freezes: all processes of a service stand still where they are, and nothing of them is lost.
//! The kernel does it, for the whole control group at a time, and tells when it has.
//!
//! What is frozen counts as what it was: one that was up is up, and those that need it stay. Its
//! own clocks stand still with it: its start-timeout and the time of its commands go on where
//! they were once it is thawed, and its watchdog and the checks of its health begin anew, so that
//! nothing is ended for having been frozen.
//!
//! A freeze is of one run. It ends with `thaw`, with the end of that run, and before whatever
//! needs the service awake: a stop, a restart, a reload and the shutdown.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{NodeId, RunId};
use super::jobs::Goal;
use super::node::Node;
use super::schedule::span;
use super::state::{StartStep, State};
use super::why::Why;
use super::{Effect, Engine, Level};
use crate::facts::Moment;
use crate::proto::report::FrozenReport;
use crate::proto::{Code, Outcome, Refusal, Reply};

/// How long the kernel may take: it needs no time but for what hangs in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A freeze of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Freeze {
    /// Whose main run it is about.
    of: RunId,
    /// The last order, for the answer to it.
    order: RunId,
    course: Course,
    /// Since when its clocks stand still.
    since: Moment,
    /// When patience ends.
    until: Option<Moment>,
    /// Who asked for it.
    by: Why,
}

/// How far a freeze is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Course {
    /// Some may still run.
    Freezing,
    /// All stand still.
    Frozen,
    /// Some may still stand.
    Thawing,
}

impl Freeze {
    /// When something happens by itself.
    pub fn deadline(&self) -> Option<Moment> {
        self.until
    }

    /// Whether it goes on in that state.
    pub fn goes_on_in(&self, state: &State) -> bool {
        let runs = match state {
            // Its program is gone, and who it left behind is looked for.
            State::Starting { step, .. } => *step != StartStep::Adopt,
            State::Up { .. } => true,
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => false,
        };
        runs && state.run() == Some(self.of)
    }
}

impl Node {
    /// The main run of a service that runs: what can be frozen.
    fn freezable(&self) -> Option<RunId> {
        match self.state {
            State::Up { run } if !self.leaving => run,
            State::Starting { run, step: StartStep::Main(_), .. } if !self.leaving => {
                self.pid.map(|_| run)
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Skipped(_)
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => None,
        }
    }

    fn course(&self) -> Option<Course> {
        self.freeze.as_ref().map(|freeze| freeze.course)
    }

    /// Whether a freeze of it is of the run that there is, and nothing has to wake it.
    pub fn is_frozen_well(&self) -> bool {
        self.freeze.as_ref().is_none_or(|freeze| !self.leaving && freeze.goes_on_in(&self.state))
    }

    /// For how long it stands still by now.
    pub fn stood_still(&self, now: Moment) -> Duration {
        self.freeze.as_ref().map_or(Duration::ZERO, |freeze| now.since(freeze.since))
    }

    /// Whether all of it stands still.
    pub fn is_frozen(&self) -> bool {
        self.course() == Some(Course::Frozen)
    }

    /// Since when it is frozen, and by whom where that may be `known`, as a phrase.
    pub fn frozen_words(&self, now: Moment, known: bool) -> Option<String> {
        let Freeze { course, by, .. } = self.freeze.as_deref()?;
        let who = if known { format!(" by {by}") } else { String::new() };
        Some(match course {
            Course::Freezing => format!("being frozen{who}"),
            Course::Frozen => format!("frozen since {}{who}", span(now.since(by.at()))),
            Course::Thawing => "being thawed".to_owned(),
        })
    }

    /// The same for programs.
    pub fn frozen_report(&self, now: Moment, known: bool) -> Option<FrozenReport> {
        let by = &self.freeze.as_ref()?.by;
        let since_ms = super::view::millis(now.since(by.at()));
        Some(FrozenReport { since_ms, by: known.then(|| by.to_string()) })
    }
}

impl Engine {
    /// Has all processes of these stand still.
    pub(super) fn freeze_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let ids = self.find_instances(names)?;
        for id in &ids {
            self.may_freeze(*id)?;
        }
        let course = |id: &NodeId| self.node(*id).and_then(Node::course);
        if let (Some(first), true) =
            (ids.first(), ids.iter().all(|id| course(id) == Some(Course::Frozen)))
        {
            let words = self.node(*first).and_then(|node| node.frozen_words(self.now, true));
            let message = format!("{} is {} already", self.name(*first), words.unwrap_or_default());
            return Ok(Reply::Done { message });
        }
        for id in &ids {
            match self.node(*id).and_then(Node::course) {
                Some(Course::Freezing | Course::Frozen) => {}
                Some(Course::Thawing) => {
                    self.end_goal(*id, Goal::Thawed, "frozen again", Outcome::Replaced);
                    self.order_freeze(*id);
                }
                None => self.order_freeze(*id),
            }
        }
        let goals = ids.into_iter().map(|id| (id, Goal::Frozen)).collect();
        self.job(goals, Vec::new(), Vec::new())
    }

    /// Has them go on where they were.
    pub(super) fn thaw_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let mut ids = self.find_instances(names)?;
        ids.retain(|id| self.node(*id).is_some_and(|node| node.freeze.is_some()));
        if ids.is_empty() {
            let are = if names.len() == 1 { "is" } else { "are" };
            return Ok(Reply::Done { message: format!("{} {are} not frozen", names.join(", ")) });
        }
        for id in &ids {
            if self.node(*id).and_then(Node::course) == Some(Course::Freezing) {
                self.end_goal(*id, Goal::Frozen, "thawed again", Outcome::Replaced);
            }
            self.order_thaw(*id);
        }
        let goals = ids.into_iter().map(|id| (id, Goal::Thawed)).collect();
        self.job(goals, Vec::new(), Vec::new())
    }

    fn may_freeze(&self, id: NodeId) -> Result<(), Refusal> {
        let Some(node) = self.node(id) else { return Ok(()) };
        if node.spec().is_none() {
            let message = format!("{} is no service: nothing of it runs", node.name);
            return Err(Refusal::new(Code::NotSupported, message));
        }
        if node.freezable().is_some() {
            return Ok(());
        }
        let state = self.state_in_words(node);
        let going = if node.leaving { " and about to go" } else { "" };
        let message = format!("{} is {state}{going}", node.name);
        let hint = "only what has a main process that runs can be frozen";
        Err(Refusal::new(Code::NotRunning, message).hint(hint))
    }

    fn order_freeze(&mut self, id: NodeId) {
        let (now, by) = (self.now, self.cause.clone());
        let Some(of) = self.node(id).and_then(Node::freezable) else { return };
        // It could not answer, and would be blamed for that.
        self.put_off_check(id);
        let order = self.new_run(id);
        self.change(id, |node| {
            let since = node.freeze.as_ref().map_or(now, |freeze| freeze.since);
            let (course, until) = (Course::Freezing, Some(now.after(PATIENCE)));
            node.freeze = Some(Box::new(Freeze { of, order, course, since, until, by }));
        });
        self.emit(Effect::Freeze { order, on: true });
    }

    fn order_thaw(&mut self, id: NodeId) {
        let order = self.new_run(id);
        let until = Some(self.now.after(PATIENCE));
        self.change(id, |node| {
            if let Some(freeze) = &mut node.freeze {
                (freeze.order, freeze.course, freeze.until) = (order, Course::Thawing, until);
            }
        });
        self.emit(Effect::Freeze { order, on: false });
    }

    /// The kernel has carried out an order, or could not.
    pub(super) fn on_froze(&mut self, order: RunId, result: Result<(), String>) {
        let id = order.node;
        let freeze = self.node(id).and_then(|node| node.freeze.as_ref());
        let Some(course) = freeze.filter(|freeze| freeze.order == order).map(|f| f.course) else {
            return;
        };
        match (course, result) {
            (Course::Freezing, Ok(())) => {
                self.change(id, |node| {
                    if let Some(freeze) = &mut node.freeze {
                        (freeze.course, freeze.until) = (Course::Frozen, None);
                    }
                });
                self.tell_jobs(id);
            }
            (Course::Thawing, Ok(())) => self.lift(id),
            (Course::Freezing, Err(why)) => self.fail_to_freeze(id, &why),
            (Course::Thawing, Err(why)) => self.fail_to_thaw(id, &why),
            (Course::Frozen, _) => {}
        }
    }

    /// The kernel took too long.
    pub(super) fn on_freeze_late(&mut self, id: NodeId) {
        let why =
            format!("not within {} s: a process of it hangs in the kernel", PATIENCE.as_secs());
        match self.node(id).and_then(Node::course) {
            Some(Course::Thawing) => self.fail_to_thaw(id, &why),
            Some(Course::Freezing | Course::Frozen) | None => self.fail_to_freeze(id, &why),
        }
    }

    /// All or nothing: those that stand still already go on.
    fn fail_to_freeze(&mut self, id: NodeId, why: &str) {
        let text = format!("not frozen, {why}");
        self.tell(Level::Trouble, format!("{}: {text}", self.name(id)));
        self.end_goal(id, Goal::Frozen, &text, Outcome::Failed);
        self.end_freeze(id);
    }

    /// It may still come, and counts then.
    fn fail_to_thaw(&mut self, id: NodeId, why: &str) {
        let text = format!("not thawed, {why}");
        self.tell(Level::Trouble, format!("{}: {text}", self.name(id)));
        self.change(id, |node| node.freeze.as_mut().map(|freeze| freeze.until.take()));
        self.end_goal(id, Goal::Thawed, &text, Outcome::Failed);
    }

    /// It has to be awake for what comes, and nobody waits for that: what the kernel wakes sees
    /// all that it was sent meanwhile.
    pub(super) fn end_freeze(&mut self, id: NodeId) -> bool {
        let is_frozen = self.node(id).is_some_and(|node| node.freeze.is_some());
        if is_frozen {
            let order = self.new_run(id);
            self.emit(Effect::Freeze { order, on: false });
            self.lift(id);
        }
        is_frozen
    }

    /// Its clocks go on.
    fn lift(&mut self, id: NodeId) {
        let Some(freeze) = self.change(id, |node| node.freeze.take()).flatten() else { return };
        let stood = self.now.since(freeze.since);
        let later = |until: Option<Moment>| until.map(|until| until.after(stood));
        self.change(id, |node| {
            for beside in node.asides.values_mut() {
                beside.until = later(beside.until);
            }
            if let Some(tidings) = &mut node.tidings {
                tidings.probe_at = later(tidings.probe_at);
                tidings.over_at = later(tidings.over_at);
            }
        });
        self.feed(id);
        self.put_off_check(id);
        if let Some(State::Starting { run, step, until }) =
            self.node(id).map(|node| node.state.clone())
        {
            if let Some(node) = self.node_mut(id) {
                // What follows counts from the same moment.
                node.since = node.since.after(stood);
            }
            // The next step has its time already.
            let until = if run == freeze.of { later(until) } else { until };
            self.set_state(id, State::Starting { run, step, until });
        }
        self.tell_jobs(id);
    }

    /// The kernel is asked again, by another finit.
    pub(super) fn freeze_again(&mut self, id: NodeId) {
        let freeze = self.node(id).and_then(|node| node.freeze.as_ref());
        let Some((order, course)) = freeze.map(|freeze| (freeze.order, freeze.course)) else {
            return;
        };
        match course {
            Course::Freezing => self.emit(Effect::Freeze { order, on: true }),
            Course::Thawing => self.emit(Effect::Freeze { order, on: false }),
            Course::Frozen => {}
        }
    }
}
