//! Control groups of the machine without a kernel that stand still: what was to happen to their
//! processes waits for them.

use std::collections::{BTreeMap, BTreeSet};

use finit::engine::{Access, Event, NodeId, RunId};
use finit::facts::{Exit, SignalNumber};
use finit::proto::Request;

use crate::agenda::Fact;
use crate::fates::Fates;
use crate::oracle::all;
use crate::world::World;

/// Groups that stand still.
#[derive(Debug, Default)]
pub struct Freezer {
    frozen: BTreeSet<NodeId>,
    /// What is put off by that.
    put_off: BTreeMap<NodeId, Vec<Fact>>,
}

impl Freezer {
    pub fn holds(&self, node: NodeId) -> bool {
        self.frozen.contains(&node)
    }

    pub fn all(&self) -> impl Iterator<Item = NodeId> {
        self.frozen.iter().copied()
    }
}

impl<F: Fates> World<F> {
    /// A group is to stand still, or to go on.
    pub fn freeze(&mut self, order: RunId, on: bool) {
        let node = order.node;
        let name = self.engine.name(node).to_owned();
        let answer = self.fates.freezes(&name, on, self.now);
        if on && answer.is_ok() {
            self.freezer.frozen.insert(node);
        } else {
            self.freezer.frozen.remove(&node);
            for fact in self.freezer.put_off.remove(&node).unwrap_or_default() {
                self.plan(std::time::Duration::ZERO, fact);
            }
        }
        match answer {
            Ok(Some(after)) => self.plan(after, Fact::Froze(order)),
            // A process in it hangs in the kernel.
            Ok(None) => {}
            Err(why) => self.hand_over(Event::Froze { order, result: Err(why) }),
        }
    }

    /// Whoever froze something is done with it.
    pub fn thaw_all(&mut self) {
        let frozen = all(&self.engine).into_iter().filter(|node| node.frozen);
        let names: Vec<String> = frozen.map(|node| node.name).collect();
        if !names.is_empty() {
            self.ask(Access::Everything, Request::Thaw { names });
        }
    }

    /// Puts off what cannot happen to whom stands still; SIGKILL can.
    pub fn put_off(&mut self, fact: Fact) -> Option<Fact> {
        let node = match &fact {
            Fact::Ends(_, Exit::Signal { number: SignalNumber::KILL, .. }) => return Some(fact),
            Fact::Executed(run)
            | Fact::NotExecuted(run, _)
            | Fact::Ends(run, _)
            | Fact::Says(run, _)
            | Fact::Tells(run) => run.node,
            Fact::StrayEnds(node) => *node,
            Fact::StepEnds(..)
            | Fact::Looked(..)
            | Fact::Arrives(_)
            | Fact::Sees(_)
            | Fact::Knocks(_)
            | Fact::Froze(_) => return Some(fact),
        };
        if !self.freezer.holds(node) {
            return Some(fact);
        }
        self.freezer.put_off.entry(node).or_default().push(fact);
        None
    }
}
