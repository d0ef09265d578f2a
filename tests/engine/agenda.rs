//! What is going to happen in the machine without a kernel, and the passing of its time.

use std::time::Duration;

use finit::engine::{Ended, Event, NodeId, RunId, Verdict, What};
use finit::facts::{Exit, Moment, SpawnError};

use crate::fates::{Fates, StepResult};
use crate::world::World;

/// Something that is going to happen.
#[derive(Debug, Clone)]
pub enum Fact {
    Executed(RunId),
    NotExecuted(RunId, SpawnError),
    Ends(RunId, Exit),
    Tells(RunId),
    /// It says this.
    Says(RunId, &'static str),
    StrayEnds(NodeId),
    StepEnds(RunId, StepResult),
    Looked(RunId, Result<Verdict, SpawnError>),
    Arrives(RunId),
    /// Who watches sees that a path is there.
    Sees(RunId),
    Knocks(NodeId),
    /// A group stands still, or goes on.
    Froze(RunId),
}

impl<F: Fates> World<F> {
    /// It happens so long from now.
    pub fn plan(&mut self, after: Duration, fact: Fact) {
        self.sequence += 1;
        self.agenda.insert((self.now.after(after), self.fates.tie(), self.sequence), fact);
    }

    fn happen(&mut self, fact: Fact) {
        let Some(fact) = self.put_off(fact) else { return };
        match fact {
            Fact::Froze(order) => self.turn(Event::Froze { order, result: Ok(()) }),
            Fact::Executed(run) => {
                let Some(process) = self.runs.get(&run) else { return };
                let tells = process.program.tells;
                if process.what == What::Main {
                    // It accepts what has waited.
                    self.backlog.remove(&run.node);
                    if let Some(after) = tells {
                        self.plan(after, Fact::Tells(run));
                    }
                }
                self.turn(Event::Executed { run });
            }
            Fact::NotExecuted(run, error) => self.end(run, Ended::NotExecuted(error)),
            Fact::Ends(run, exit) => self.end(run, Ended::Exit(exit)),
            Fact::Tells(run) => self.says_up(run),
            Fact::Says(run, words) => self.says(run, words),
            Fact::StrayEnds(node) => {
                let strays = self.strays.entry(node).or_default();
                *strays = strays.saturating_sub(1);
                self.review_group(node);
            }
            Fact::StepEnds(run, result) => {
                if self.steps.remove(&run) {
                    self.turn(Event::StepEnded { run, result });
                }
            }
            Fact::Looked(run, result) => self.looked(run, result),
            Fact::Arrives(run) => self.arrive(run),
            Fact::Sees(run) => self.sights(run, true, 1),
            Fact::Knocks(node) => self.knocks(node),
        }
    }

    /// When something happens next: a fact or a deadline.
    pub fn next(&mut self) -> Option<Moment> {
        let fact = self.agenda.keys().next().map(|key| key.0);
        [fact, self.engine.next_deadline()].into_iter().flatten().min()
    }

    /// The next thing that happens.
    pub fn step(&mut self) {
        let fact = self.agenda.keys().next().copied();
        let deadline = self.engine.next_deadline();
        let first = match (fact, deadline) {
            (Some(key), Some(deadline)) if key.0 == deadline => self.fates.tie().is_multiple_of(2),
            (Some(key), Some(deadline)) => key.0 < deadline,
            (fact, _) => fact.is_some(),
        };
        if let (true, Some(key)) = (first, fact) {
            self.now = self.now.max(key.0);
            if let Some(fact) = self.agenda.remove(&key) {
                self.happen(fact);
            }
        } else if let Some(deadline) = deadline {
            self.now = self.now.max(deadline);
            self.turn(Event::Elapsed);
        }
    }

    /// Lets everything happen until then; false if it never comes to an end.
    pub fn run_until(&mut self, end: Moment, most: usize) -> bool {
        for _ in 0..most {
            if self.fault().is_some() || self.next().is_none_or(|next| next > end) {
                self.now = self.now.max(end);
                return true;
            }
            self.step();
        }
        false
    }
}
