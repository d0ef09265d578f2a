//! A file on trial: the machine goes back by itself to what ran before, unless somebody says in
//! time that the new one is to stay. Whoever locks himself out with an edit is let in again.
//!
//! Only one at a time: of two, nobody could say any more which one is gone back to.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::node::{Asked, Node};
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
    /// The target that the file has not, and that comes back with the other one.
    #[serde(default)]
    target: Option<String>,
    /// What people had asked for of services that are not in the file.
    #[serde(default)]
    gone: BTreeMap<String, Wishes>,
    /// Those that went down with a whole that they are no parts of in the file.
    #[serde(default)]
    parted: Vec<String>,
}

/// What people want of a service, whatever the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wishes {
    asked: Option<Asked>,
    hold: Option<Box<Hold>>,
    wish: Why,
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

    /// Whether a file is on trial, and the machine may go back.
    pub fn is_on_trial(&self) -> bool {
        self.trial.is_some() && !self.phase.is_down()
    }

    /// Whether the machine would be another one with these definitions.
    pub fn differs(&self, spec: &Rc<SystemSpec>) -> bool {
        self.spec != *spec || !self.plan(Rc::clone(spec)).is_empty()
    }

    /// What a file that is followed changes of all this: `summary` says the rest, and nodes from the
    /// first so many on are new with it.
    pub(super) fn review_trial(&mut self, extent: Extent, first: usize, summary: &mut String) {
        // They are about what ran before.
        let warnings = match extent {
            Extent::Definitions => return,
            Extent::Everything | Extent::Trial(_) | Extent::Back => {
                std::mem::take(&mut self.warnings)
            }
        };
        let ended = self.trial.take();
        let parted = self.rejoin_orphans();
        match (extent, ended) {
            (Extent::Trial(time), _) => {
                let (until, by) = (self.now.after(time), self.cause.clone());
                let (target, gone) = (None, self.wishes_of_gone());
                let parted = parted.iter().map(|id| self.name(*id).to_owned()).collect();
                self.trial = Some(Trial { until, by, warnings, target, gone, parted });
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
                self.take_back(trial.gone, first);
                self.part_again(&trial.parted);
                self.warnings = trial.warnings;
                self.warnings.push(warning.clone());
                self.tell(Level::Trouble, warning);
            }
            (Extent::Everything | Extent::Definitions | Extent::Back, _) => {}
        }
    }

    /// What people had asked for of those that this file has not.
    fn wishes_of_gone(&self) -> BTreeMap<String, Wishes> {
        let gone = self.nodes.iter().filter(|node| node.removed && !node.name.is_empty());
        let asked = gone.filter(|node| node.asked.is_some() || node.hold.is_some());
        let wishes = |node: &Node| Wishes {
            asked: node.asked,
            hold: node.hold.clone(),
            wish: node.wish.clone(),
        };
        asked.map(|node| (node.name.to_string(), wishes(node))).collect()
    }

    /// Somebody has let go of one that is not in the file: should it come back, it is not held.
    pub(super) fn forget_hold(&mut self, name: &str) {
        if let Some(wishes) = self.trial.as_mut().and_then(|trial| trial.gone.get_mut(name)) {
            wishes.hold = None;
        }
    }

    /// They are there again, and so is what people had asked for. Those older than the first so
    /// many have never been away: what people want of them by now counts.
    fn take_back(&mut self, gone: BTreeMap<String, Wishes>, first: usize) {
        for (name, Wishes { asked, hold, wish }) in gone {
            let id = self.names.get(name.as_str()).copied().filter(|id| id.index() >= first);
            let Some(id) = id else { continue };
            if let Some(node) = self.node_mut(id) {
                (node.asked, node.hold, node.wish) = (asked, hold, wish);
            }
        }
    }

    /// They are parts again of a whole that is stopped.
    fn part_again(&mut self, names: &[String]) {
        for name in names {
            let Some(id) = self.names.get(name.as_str()).copied() else { continue };
            self.change(id, |node| node.parted = true);
            self.touch(id);
        }
    }

    /// The file on trial has not the target that the machine was in.
    pub(super) fn miss_target(&mut self, target: String) {
        if let Some(trial) = &mut self.trial {
            trial.target = Some(target);
        }
    }

    /// A person wants another target: the one of before does not come back.
    pub(super) fn forget_missed_target(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.target = None;
        }
    }

    /// The target that comes back with what ran before.
    pub(super) fn find_target(&mut self) {
        if let Some(target) = self.trial.as_mut().and_then(|trial| trial.target.take()) {
            self.target = target;
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
