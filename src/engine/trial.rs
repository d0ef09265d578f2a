//! A file on trial: the machine goes back by itself to what ran before, unless somebody says in
//! time that the new one is to stay. Whoever locks himself out with an edit is let in again.
//!
//! Only one at a time: of two, nobody could say any more which one is gone back to.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::schedule::span;
use super::why::Why;
use super::{Effect, Engine, Extent, Level};
use crate::config::spec::SystemSpec;
use crate::facts::Moment;
use crate::proto::{Code, Refusal, Reply};

/// What is on trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// When the machine goes back.
    until: Moment,
    /// Who applied it.
    by: Why,
    /// What was to be known of the file before: with that one it comes back.
    warnings: Vec<String>,
}

impl Trial {
    /// What makes the machine go back, with whoever applied the file behind it.
    pub fn over(&self, why: &Why) -> Why {
        Why::behind(why.at(), why.cause().clone(), self.by.clone())
    }
}

impl Engine {
    /// Whether a file may be followed now; asked before it is read.
    ///
    /// # Errors
    /// Another one is on trial, or the machine goes down.
    pub fn may_apply(&self, now: Moment) -> Result<(), Refusal> {
        if self.phase.is_down() {
            let message = format!("the machine is {}", self.phase);
            return Err(Refusal::new(Code::ShuttingDown, message));
        }
        let Some(trial) = &self.trial else { return Ok(()) };
        let left = span(trial.until.since(now));
        // One sentence: at the console, where SIGHUP is answered, there is no hint.
        let message = format!(
            "the file of {} is on trial: finitctl confirm keeps it, or wait {left} until the \
             machine has gone back; then apply again",
            trial.by
        );
        Err(Refusal::new(Code::Busy, message))
    }

    /// Whether the machine would be another one with these definitions.
    pub fn differs(&self, spec: &Rc<SystemSpec>) -> bool {
        self.spec != *spec || !self.plan(Rc::clone(spec)).is_empty()
    }

    /// What a file that is followed changes of all this: `summary` says the rest.
    pub(super) fn review_trial(&mut self, extent: Extent, summary: &mut String) {
        // They are about what ran before.
        let warnings = match extent {
            Extent::Definitions => return,
            Extent::Everything | Extent::Trial(_) | Extent::Back => {
                std::mem::take(&mut self.warnings)
            }
        };
        let ended = self.trial.take();
        match (extent, ended) {
            (Extent::Trial(time), _) => {
                let (until, by) = (self.now.after(time), self.cause.clone());
                self.trial = Some(Trial { until, by, warnings });
                summary.push_str(&format!(
                    "; on trial for {}: finitctl confirm keeps it, or the machine goes back by \
                     itself",
                    span(time)
                ));
            }
            (Extent::Back, Some(trial)) => {
                let warning = format!(
                    "the file of {} was not confirmed: the machine went back to what ran before; \
                     the file on the disk is left as it is, and the next finitctl apply reads it \
                     again",
                    trial.by
                );
                self.warnings = trial.warnings;
                self.warnings.push(warning.clone());
                self.tell(Level::Trouble, warning);
            }
            (Extent::Everything | Extent::Definitions | Extent::Back, _) => {}
        }
    }

    /// What is on trial stays.
    pub(super) fn confirm(&mut self) -> Result<Reply, Refusal> {
        let Some(trial) = self.trial.take() else {
            let message = "no file is on trial: there is nothing to confirm";
            return Err(Refusal::new(Code::NothingOnTrial, message)
                .hint("finitctl status tells whether the machine went back"));
        };
        self.emit(Effect::Keep);
        let text = format!("the file of {} stays, confirmed by {}", trial.by, self.cause);
        self.tell(Level::Progress, text);
        Ok(Reply::Done { message: format!("the file of {} stays", trial.by) })
    }

    /// When the machine goes back; one that goes down needs not go back any more.
    pub(super) fn trial_deadline(&self) -> Option<Moment> {
        self.trial.as_ref().filter(|_| !self.phase.is_down()).map(|trial| trial.until)
    }

    /// Has the driver fetch what ran before when the time of a trial is over.
    pub(super) fn on_trial(&mut self) {
        if self.trial_deadline().is_some_and(|until| until <= self.now) {
            self.emit(Effect::GoBack);
        }
    }

    /// For a status: an older client shows it too, since it is a warning.
    pub(super) fn trial_warning(&self, known: bool) -> Option<String> {
        let trial = self.trial.as_ref().filter(|_| !self.phase.is_down())?;
        let left = span(trial.until.since(self.now));
        let by = trial.by.who(known);
        Some(format!("the file of {by} is on trial: {left} left; finitctl confirm keeps it"))
    }
}
