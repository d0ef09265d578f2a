//! Edited files in a world: what following one does is what its plan says.

use std::rc::Rc;

use finit::config::spec::SystemSpec;
use finit::engine::{Cause, Event, Extent, Peek, Ticket};
use finit::proto::{Change, Reply, Verb};

use crate::fates::Fates;
use crate::oracle;
use crate::world::World;

impl<F: Fates> World<F> {
    /// The boot has found instances, and what runs is not what was read last.
    pub fn find(&mut self, spec: SystemSpec) {
        let (spec, extent) = (Rc::new(spec), Extent::Definitions);
        self.hand_over(Event::Loaded { spec, extent, cause: Cause::Boot, ticket: None });
        self.carry_all_out();
    }

    /// The file was read again.
    pub fn load(&mut self, spec: SystemSpec, extent: Extent) -> u64 {
        self.last_ticket += 1;
        let (spec, ticket) = (Rc::new(spec), Some(Ticket(self.last_ticket)));
        let down = self.oracle.as_ref().is_none_or(|oracle| oracle.power.is_some());
        let planned = (extent.is_followed() && !down)
            .then(|| (self.engine.plan(Rc::clone(&spec)), oracle::all(&self.engine)));
        self.hand_over(Event::Loaded { spec, extent, cause: Cause::Config, ticket });
        let idle = planned.as_ref().map(|(plan, _)| plan.is_empty());
        if let Some((plan, before)) = planned {
            let after = oracle::all(&self.engine);
            for (old, new) in before.iter().zip(&after) {
                // Another one may have its name by now, be it gone or hanging still.
                let others = after.iter().filter(|other| other.name == old.name).count();
                let gone = old.name != new.name || others > 1;
                let said = plan.iter().find(|change| change.name == old.name);
                let said = said.filter(|said| !gone || said.verb != Verb::Start);
                if let Some(fault) = contradiction(said, old, new) {
                    let said = said.map(|change| change.verb.word());
                    self.complain(format!("{} {fault}, planned was {said:?}", old.name));
                }
            }
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.let_go(&self.engine);
        }
        self.carry_all_out();
        if let (Some(true), Some(Ok(Reply::Done { message }))) =
            (idle, self.replies.get(&self.last_ticket))
            && !message.starts_with("nothing changed")
        {
            let fault = format!("nothing was planned, and {message}");
            self.complain(fault);
        }
        self.last_ticket
    }
}

/// Whether a node goes though it was not on its way down.
pub fn goes(old: &Peek, new: &Peek) -> bool {
    let other = old.label != new.label || old.run != new.run;
    old.active && !is_going(old) && (is_going(new) || other)
}

fn is_going(node: &Peek) -> bool {
    node.leaving || ["stopping", "cleaning"].contains(&node.label)
}

/// What was not said of a node and happened to it, or the other way round.
fn contradiction(said: Option<&Change>, old: &Peek, new: &Peek) -> Option<&'static str> {
    let (verb, goes) = (said.map(|change| change.verb), goes(old, new));
    // What has no process, an umbrella for one, is no line of a plan.
    let ends = goes && old.run.is_some();
    match verb {
        Some(Verb::Restart | Verb::Stop) => {
            (!goes && new.active && !is_going(new)).then_some("goes on")
        }
        Some(Verb::Remove) => None,
        _ if ends => Some("goes"),
        Some(Verb::Update) if old.connections > new.connections => Some("loses connections"),
        Some(Verb::Start) => {
            let same = old.wanted == new.wanted && old.label == new.label && old.run == new.run;
            same.then_some("does not start")
        }
        Some(Verb::Add | Verb::Update | Verb::Change | Verb::Keep) | None => None,
    }
}
