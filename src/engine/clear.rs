//! What is forgotten of an end so that it can start again, and when.

use super::Engine;
use super::id::NodeId;
use super::node::{Body, Node};
use super::state::{DownWhy, State, Then};

impl Engine {
    /// Forgets that it has failed, is about to, waits out a delay or was skipped, as a person says.
    /// What ended well is no failure and does not start again.
    pub(super) fn forget_failure(&mut self, id: NodeId) {
        self.change(id, |node| node.history.forget());
        let failed = self.node(id).is_some_and(|node| match &node.state {
            State::Failed(_) | State::Skipped(_) | State::Backoff { .. } => true,
            State::Stopping { then, .. } | State::Cleaning { then, .. } => match then {
                Then::Fail(_) | Then::AgainAt(..) => true,
                Then::Down | Then::Done(_) | Then::Ended | Then::Left(_) => false,
            },
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Listening
            | State::Starting { .. }
            | State::Up { .. }
            | State::Done(_) => false,
        });
        if failed {
            self.clear(id);
        }
    }

    /// Forgets a failure, a condition that did not hold or a finished task, so that it can start
    /// again. What hangs in the kernel cannot be forgotten, nor a mistake of the file.
    pub(super) fn clear(&mut self, id: NodeId) {
        let again = Then::AgainAt(self.now, "asked for again".to_owned());
        let wish = self.cause.clone();
        let Some(node) = self.node_mut(id) else { return };
        node.history.forget();
        match node.state.clone() {
            State::Stopping { then: Then::Down, .. } | State::Cleaning { then: Then::Down, .. } => {
            }
            State::Stopping { run, rung, until, .. } => {
                node.wish = wish;
                self.set_state(id, State::Stopping { run, rung, until, then: again });
            }
            State::Cleaning { run, index, until, .. } => {
                node.wish = wish;
                self.set_state(id, State::Cleaning { run, index, until, then: again });
            }
            // It has ended, and whoever asks for it need not connect.
            State::Listening if node.called => self.stir(id),
            State::Failed(_) if node.hung.is_some() => {}
            State::Failed(_) if matches!(node.body, Body::LeftOut(_)) => {}
            State::Failed(_)
            | State::Skipped(_)
            | State::Backoff { .. }
            | State::Down(DownWhy::Ended) => {
                node.restarting = false;
                node.wish = wish;
                self.set_state(id, State::Down(DownWhy::Stopped));
                self.take_pending(id);
            }
            State::Down(_)
            | State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Listening
            | State::Starting { .. }
            | State::Up { .. }
            | State::Done(_) => {}
        }
    }

    /// What is done in a moment is there then: it is not done again for who asks for it.
    pub(super) fn clear_undone(&mut self, id: NodeId) {
        let is_done = |node: &Node| {
            matches!(
                node.state,
                State::Stopping { then: Then::Done(_), .. }
                    | State::Cleaning { then: Then::Done(_), .. }
            )
        };
        if !self.node(id).is_some_and(is_done) {
            self.clear(id);
        }
    }

    /// Who asks for a target asks for all that it brings up: what has failed of that gets another
    /// chance, as after `start` of the target.
    pub(super) fn clear_failed_of(&mut self, target: NodeId) {
        let comes = |id: &NodeId| *id == target || self.node(*id).is_some_and(|node| node.auto);
        let members: Vec<NodeId> = self.ids().filter(comes).collect();
        let all = [&members[..], &self.missing_below(&members, true)].concat();
        let others = self.failed_alternatives(&all);
        for id in all.into_iter().chain(others) {
            let failed = |node: &Node| matches!(node.state, State::Failed(_)) && !node.is_held();
            if self.node(id).is_some_and(failed) {
                self.clear(id);
            }
        }
    }
}
