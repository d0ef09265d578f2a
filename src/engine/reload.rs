//! Reloads: a service reads its own files again, by a signal or by commands, step by step.

use std::rc::Rc;

use super::id::NodeId;
use super::jobs::Goal;
use super::node::Aside;
use super::state::State;
use super::{Aim, Engine};
use crate::config::spec::ReloadAction;
use crate::proto::{Code, Refusal, Reply};

impl Engine {
    pub(super) fn reload_named(&mut self, names: &[String]) -> Result<Reply, Refusal> {
        let with = self.reloaded_with(&self.find_all(names)?);
        // The umbrella itself has nothing to reload.
        let mut ids = self.find_instances(names)?;
        for id in &ids {
            self.may_reload(*id)?;
        }
        ids.extend(with.iter().filter(|id| self.may_reload(**id).is_ok()));
        let mut notes = Vec::new();
        for id in &ids {
            if self.end_freeze(*id) {
                notes.push(format!("{} was frozen, and goes on for this", self.name(*id)));
            }
        }
        let goals = ids.into_iter().map(|id| (id, Goal::Reload)).collect();
        self.job(goals, Vec::new(), notes)
    }

    fn may_reload(&self, id: NodeId) -> Result<(), Refusal> {
        let name = self.name(id);
        let spec = self.node(id).and_then(|node| node.spec());
        let (Some(node), Some(spec)) = (self.node(id), spec) else {
            let message = format!("{name} is no service: there is nothing to reload");
            return Err(Refusal::new(Code::NotSupported, message));
        };
        if spec.hooks.reload.is_empty() {
            let hint = if spec.is_inetd() {
                "each connection starts it anew, so there is nothing to reload".to_owned()
            } else {
                format!("give it `reload = \"HUP\"` or a command, or: finitctl restart {name}")
            };
            let message = format!("{name} has no `reload`");
            return Err(Refusal::new(Code::NotSupported, message).hint(hint));
        }
        if !matches!(node.state, State::Up { .. }) || node.leaving {
            let message = format!("{name} is {}", self.state_in_words(node));
            return Err(Refusal::new(Code::NotRunning, message));
        }
        Ok(())
    }

    /// The steps of a reload from that one on.
    pub(super) fn reload_step(&mut self, id: NodeId, index: usize) {
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let run = node.state.run();
        match spec.hooks.reload.get(index) {
            None => self.reload_ordered(id, &spec),
            Some(ReloadAction::Signal(signal)) => {
                if let Some(run) = run {
                    self.signal(id, Aim::Run(run), *signal);
                }
                self.reload_step(id, index.saturating_add(1));
            }
            Some(ReloadAction::Run(hook)) => {
                self.launch_aside(id, Aside::Reload(index), hook, spec.start_timeout);
            }
        }
    }
}
