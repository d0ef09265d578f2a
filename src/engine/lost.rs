//! Orders that a panic took away. What they were to begin has not begun: it is ordered again, so
//! that nothing counts as over that never ran.

use serde::{Deserialize, Serialize};

use super::id::{NodeId, RunId};
use super::node::Aside;
use super::state::State;
use super::{Aim, Effect, Engine, What};
use crate::config::spec::ServiceSpec;
use crate::facts::SignalNumber;

/// What was ordered, and nobody has carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Programs to be started.
    pub starts: Vec<RunId>,
    /// Signals to be sent.
    pub signals: Vec<(NodeId, Aim, SignalNumber)>,
    /// Orders to stand still or to go on: of one that is let go, nothing else knows.
    #[serde(default)]
    pub freezes: Vec<(RunId, bool)>,
}

impl Lost {
    /// What would be lost with these. A connection is lost with whoever was to serve it.
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a Effect>) -> Self {
        let mut lost = Self::default();
        for order in orders {
            if let Effect::Signal { node, aim, signal } = order {
                lost.signals.push((*node, *aim, *signal));
            }
            if let Effect::Freeze { order, on } = order {
                lost.freezes.push((*order, *on));
            }
            if let Effect::Spawn(order) = order
                && !matches!(order.what, What::Connection(_))
            {
                lost.starts.push(order.run);
            }
        }
        lost
    }
}

impl Engine {
    /// What is lost if nobody carries out any more what stands to be.
    pub fn lost(&self) -> Lost {
        Lost::of(&self.out)
    }

    /// The program of a run was never started.
    pub(super) fn on_lost(&mut self, run: RunId) {
        let id = run.node;
        self.carry_on(id);
        let Some(spec) = self.node(id).and_then(|node| node.spec()).map(std::rc::Rc::clone) else {
            return;
        };
        let beside = self.change(id, |node| node.asides.remove(&run.generation)).flatten();
        if let Some(beside) = beside {
            self.run_beside_again(id, &spec, beside.aside);
            return;
        }
        let state = self.node(id).filter(|node| node.is_main(run)).map(|node| node.state.clone());
        if let Some(State::Starting { step, .. }) = &state
            && let Some(program) = step.program()
        {
            self.launch(id, &spec, program);
        }
        if let Some(State::Cleaning { index, then, .. }) = state {
            self.clean(id, index, then);
        }
    }

    fn run_beside_again(&mut self, id: NodeId, spec: &ServiceSpec, aside: Aside) {
        match aside {
            Aside::AfterStart(index) => self.after_start(id, index),
            Aside::Reload(index) => self.reload_step(id, index),
            Aside::Stop => {
                if let Some(hook) = &spec.stop.command {
                    self.launch_aside(id, aside, hook, spec.stop.timeout);
                }
            }
            Aside::Probe => self.probe(id),
            Aside::Health => self.on_health_due(id),
        }
    }
}
