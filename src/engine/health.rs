//! Checks of a service that is up, one after the other: so many in a row that fail end it.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::event::Ended;
use super::id::{NodeId, RunId};
use super::node::{Aside, Node};
use super::ready::Doing;
use super::state::State;
use super::{Cause, Engine, Level, What};
use crate::config::spec::{Check, Health, ServiceSpec};
use crate::facts::{Exit, Moment};

/// What the checks of a run have found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// When the next check begins; none while one is under way.
    pub check_at: Option<Moment>,
    /// How many in a row have failed.
    pub failed: u32,
    /// The same for people, with the reason of the last; empty while all is well.
    pub words: String,
}

impl Node {
    /// Whether it is to be checked: while it is up and does not say that it stops.
    fn is_to_be_checked(&self) -> bool {
        matches!(self.state, State::Up { .. }) && self.doing() != Doing::Stopping
    }

    /// Whether its checks are as they should be: while it is to be checked, one is under way or is
    /// to come, and never is there another.
    pub fn is_checked_well(&self) -> bool {
        let due = self.tidings.as_ref().and_then(|tidings| tidings.health.as_ref()?.check_at);
        let now = self.asides.values().filter(|beside| beside.aside == Aside::Health).count();
        let has_health = self.spec().is_some_and(|spec| spec.ready.health.is_some());
        let checked = self.is_to_be_checked() && has_health;
        now.saturating_add(usize::from(due.is_some())) == usize::from(checked)
    }
}

impl Engine {
    /// It is up: the checks of its health begin, and with them the count.
    pub(super) fn begin_health(&mut self, id: NodeId) {
        let is_checked = self.node(id).is_some_and(Node::is_to_be_checked);
        let Some((_, health)) = self.health(id).filter(|_| is_checked) else { return };
        let check_at = Some(self.now.after(health.every));
        let vitals = Vitals { check_at, ..Vitals::default() };
        self.change(id, |node| node.tidings.get_or_insert_default().health = Some(vitals));
    }

    /// No check now: the next one comes after its whole time.
    pub(super) fn put_off_check(&mut self, id: NodeId) {
        let is_checked = self.node(id).is_some_and(Node::is_to_be_checked);
        let Some((_, health)) = self.health(id).filter(|_| is_checked) else { return };
        self.end_probe(id);
        let next = Some(self.now.after(health.every));
        self.note(id, |vitals| vitals.check_at = next);
    }

    /// The check of a service, with its definition.
    fn health(&self, id: NodeId) -> Option<(Rc<ServiceSpec>, Health)> {
        let spec = self.node(id).and_then(|node| node.spec())?;
        let health = spec.ready.health.as_deref()?.clone();
        Some((Rc::clone(spec), health))
    }

    /// The time of the next check has come.
    pub(super) fn on_health_due(&mut self, id: NodeId) {
        let (Some(node), Some((spec, health))) = (self.node(id), self.health(id)) else {
            self.change(id, |node| node.tidings.as_mut().map(|tidings| tidings.health.take()));
            return;
        };
        // It goes as soon as those that stand on it have gone; or it stays after all.
        let next = node.leaving.then(|| self.now.after(health.every));
        self.note(id, |vitals| vitals.check_at = next);
        if next.is_some() {
            return;
        }
        match &health.check {
            Check::Command(hook) => {
                self.launch_aside(id, Aside::Health, hook, Some(health.patience()));
            }
            Check::Accepts(_) | Check::Answers(..) => {
                let run = self.new_aside(id, Aside::Health, Some(health.patience()));
                self.send_out(run, spec, What::Health);
            }
        }
    }

    /// A check came to its end.
    pub(super) fn on_health_ended(&mut self, id: NodeId, ended: &Ended) {
        let Some((_, health)) = self.health(id) else { return };
        let failure = match (ended, &health.check) {
            (Ended::Exit(Exit::Code(0)), _) => None,
            (Ended::Exit(Exit::Code(_)), Check::Accepts(_) | Check::Answers(..)) => {
                Some(format!("{} gives no good answer, as its log says", health.check))
            }
            _ => Some(ended.to_string()),
        };
        self.take_finding(id, failure);
    }

    /// A check took too long, and is being killed: no answer is as good as a bad one.
    pub(super) fn on_health_late(&mut self, id: NodeId, run: RunId) {
        self.change(id, |node| node.asides.remove(&run.generation));
        let patience = self.health(id).map(|(_, health)| health.patience()).unwrap_or_default();
        self.take_finding(id, Some(format!("no answer within {patience:?}")));
    }

    /// Counts what a check has found.
    fn take_finding(&mut self, id: NodeId, failure: Option<String>) {
        let (Some(node), Some((spec, health))) = (self.node(id), self.health(id)) else { return };
        let State::Up { run: Some(run) } = node.state else { return };
        let (leaving, next) = (node.leaving, Some(self.now.after(health.every)));
        let Some(why) = failure else {
            self.note(id, |vitals| *vitals = Vitals { check_at: next, ..Vitals::default() });
            return;
        };
        let most = health.failures;
        let failed = self.note(id, |vitals| {
            vitals.check_at = next;
            // What it stands for goes anyway; one more failure is no reason to hurry that.
            if !leaving {
                vitals.failed = vitals.failed.saturating_add(1);
                vitals.words = format!("{} of {most} health checks failed: {why}", vitals.failed);
            }
            vitals.failed
        });
        if !leaving && failed.is_some_and(|failed| failed >= most) {
            self.on_unhealthy(id, &spec, run, Ended::Unhealthy { failures: most, why });
        }
    }

    /// It is ended as any other that is stopped, and what follows is as after a crash.
    fn on_unhealthy(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, run: RunId, ended: Ended) {
        self.because_of_its_start(id, Cause::Timer("the checks of its health".into()));
        self.tell(Level::Trouble, format!("{} is ended: {ended}", self.name(id)));
        let said = self.last_words(id).unwrap_or_default();
        let how = format!("{ended}{said}");
        let then = self.take_end(id, spec, ended, how);
        self.begin_stop(id, spec, Some(run), then);
    }

    /// Changes what is known of its health.
    fn note<T>(&mut self, id: NodeId, change: impl FnOnce(&mut Vitals) -> T) -> Option<T> {
        self.change(id, |node| {
            let vitals = node.tidings.get_or_insert_default().health.get_or_insert_default();
            change(vitals)
        })
    }
}
