//! finit executes itself, in a world without a kernel.

use std::rc::Rc;

use finit::engine::{Access, Effect, Engine, Event, Lost, Memory, RunId};
use finit::proto::Request;

use crate::fates::Fates;
use crate::oracle::{self, Oracle};
use crate::world::World;

impl<F: Fates> World<F> {
    /// finit executes itself: another engine goes on from what this one hands over, and has to
    /// see everything as it was.
    pub fn anew(&mut self) {
        if let Ok(memory) = self.engine.memory() {
            self.take_over(&memory, &[]);
        }
    }

    /// The same at any time, after a bug that came upon what was ordered for this: what was a part
    /// of finit has ended with it, what has not begun begins, and of all else that it counts on,
    /// all is there.
    pub fn anew_after_a_bug(&mut self, request: Request) {
        self.hand_over_request(None, Access::Everything, request);
        let lost = self.lose_orders();
        self.take_over(&self.engine.memory_at_once(), &lost.freezes);
        for (node, aim, signal) in lost.signals {
            self.signal(node, aim, signal);
        }
        for run in self.engine.runs() {
            if self.steps.remove(&run) || self.engine.is_step(run.node) {
                self.turn(Event::StepEnded { run, result: Err("interrupted".to_owned()) });
            } else if lost.starts.contains(&run) {
                self.turn(Event::Lost { run });
            } else if !self.runs.contains_key(&run) {
                self.complain(format!("{run:?} is counted on and is not there"));
            }
        }
    }

    /// What another finit does not order by itself is lost for it.
    fn lose_orders(&mut self) -> Lost {
        let orders = std::mem::take(&mut self.orders);
        let lost = Lost::of(&orders);
        for order in orders {
            if let Some(oracle) = &mut self.oracle {
                oracle.is_lost(&order);
            }
            match order {
                Effect::Spawn(order) => self.begins_to_serve(order.what),
                Effect::Signal { .. }
                | Effect::RunStep { .. }
                | Effect::Check { .. }
                | Effect::ReadVariables { .. }
                | Effect::Await { .. }
                | Effect::WatchPaths { .. }
                | Effect::LookAtPaths { .. }
                | Effect::Freeze { .. }
                | Effect::WatchEmpty { .. }
                | Effect::Bind { .. }
                | Effect::Watch { .. }
                | Effect::AskCalendar { .. } => {}
                other => self.carry_out(other),
            }
        }
        lost
    }

    fn take_over(&mut self, memory: &Memory, freezes: &[(RunId, bool)]) {
        let text = serde_json::to_string(memory).expect("a memory is written");
        let memory = serde_json::from_str(&text).expect("what was written is read");
        let before = oracle::all(&self.engine);
        self.engine = Engine::recall(Rc::clone(self.engine.spec()), false, memory, self.now);
        // Whoever waits for an answer is gone, and the kernel is asked anew to tell.
        self.watched.clear();
        self.emptying.clear();
        self.forget_looks();
        if let Some(oracle) = &mut self.oracle {
            oracle.anew();
        }
        for (order, on) in freezes {
            self.freeze(*order, *on);
        }
        self.hand_over(Event::Began);
        let after = oracle::all(&self.engine);
        if let Some(oracle) = &mut self.oracle {
            oracle.same(&before, &after);
        }
        // What comes of its orders is news, such as a group that cannot be frozen any more.
        self.carry_all_out();
    }
}

impl Oracle {
    /// Nobody carries that out, and it is ordered again.
    fn is_lost(&mut self, order: &Effect) {
        if let Effect::Bind { node, .. } = order {
            self.bound.remove(node);
        }
        if let Effect::Spawn(order) = order {
            self.tidies_again(order);
        }
    }
}
