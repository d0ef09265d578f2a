//! What a running service says that it is about, and how long it may be: reloading as long as a
//! start, stopping as long as a stop. Nothing that it says is waited for without end, and who
//! stops is not asked for signs of life and health any more, as in a stop by finit.

use std::rc::Rc;
use std::time::Duration;

use super::event::Ended;
use super::id::NodeId;
use super::node::{Aside, Node};
use super::notice::Notice;
use super::ready::Doing;
use super::state::State;
use super::{Cause, Engine, Level};
use crate::config::spec::{Ready, ReloadAction, ServiceSpec};
use crate::facts::Moment;

/// How long a service that tells of itself may take to say that it has begun to read its
/// configuration again after it got the signal for that. One that says nothing meanwhile is one
/// that never does.
const GRACE: Duration = Duration::from_secs(1);

impl Node {
    /// What it says it is about.
    pub fn doing(&self) -> Doing {
        self.tidings.as_ref().map_or(Doing::Work, |tidings| tidings.doing)
    }

    /// Whether a command of its reload still runs.
    pub fn runs_reload(&self) -> bool {
        self.asides.values().any(|beside| matches!(beside.aside, Aside::Reload(_)))
    }
}

impl Engine {
    /// It says what it is about.
    pub(super) fn take_doing(&mut self, id: NodeId, notice: &Notice) {
        let doing = match notice {
            Notice { stopping: true, .. } => Doing::Stopping,
            Notice { reloading: true, .. } => Doing::Reloading,
            Notice { ready: true, .. } => Doing::Work,
            _ => return,
        };
        let Some(node) = self.node(id) else { return };
        let (before, waits) = (node.doing(), !node.runs_reload());
        if before == doing {
            return;
        }
        self.set_doing(id, doing);
        match doing {
            Doing::Work if waits => self.finish_reload(id, Ok(())),
            Doing::Stopping => {
                self.finish_reload(id, Err("reload: it says that it is stopping".to_owned()));
            }
            Doing::Work | Doing::Asked | Doing::Reloading | Doing::Late => {}
        }
    }

    fn set_doing(&mut self, id: NodeId, doing: Doing) {
        let stopped = self.node(id).map(Node::doing) == Some(Doing::Stopping);
        self.change(id, |node| {
            let tidings = node.tidings.get_or_insert_default();
            (tidings.doing, tidings.over_at) = (doing, None);
        });
        self.bound_doing(id);
        if doing == Doing::Stopping {
            self.end_asides(id, |aside| aside == Aside::Health);
            self.change(id, |node| {
                let tidings = node.tidings.get_or_insert_default();
                (tidings.silent_at, tidings.health) = (None, None);
            });
        } else if stopped {
            self.feed(id);
            self.begin_health(id);
        }
    }

    /// Has what an up service is about end in time. What one does before it is up, its start
    /// bounds.
    pub(super) fn bound_doing(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let (State::Up { .. }, Some(spec)) = (&node.state, node.spec()) else { return };
        let time = match node.doing() {
            Doing::Work | Doing::Late => return,
            Doing::Asked => Some(GRACE),
            Doing::Reloading => spec.start_timeout,
            Doing::Stopping => spec.stop.timeout,
        };
        let over_at = time.map(|time| self.now.after(time));
        self.change(id, |node| {
            if let Some(tidings) = &mut node.tidings {
                tidings.over_at = over_at;
            }
        });
    }

    /// All steps of a reload are done. One that says itself when it has read its configuration is
    /// waited for.
    pub(super) fn reload_ordered(&mut self, id: NodeId, spec: &ServiceSpec) {
        let by_signal = matches!(spec.hooks.reload.last(), Some(ReloadAction::Signal(_)));
        match self.node(id).map(Node::doing) {
            Some(Doing::Reloading | Doing::Asked) => {}
            Some(Doing::Work | Doing::Late) if by_signal && spec.ready.when == Ready::Notify => {
                self.set_doing(id, Doing::Asked);
            }
            Some(Doing::Work | Doing::Late | Doing::Stopping) | None => {
                self.finish_reload(id, Ok(()));
            }
        }
    }

    /// It needs more time for what it is about.
    pub(super) fn extend_doing(&mut self, id: NodeId, at: Moment) {
        self.change(id, |node| {
            if let Some(tidings) = &mut node.tidings {
                tidings.over_at = tidings.over_at.map(|over_at| over_at.max(at));
            }
        });
    }

    /// What it is about has taken too long. A reload that does not end has failed, and the service
    /// is what it was; one that does not go by itself is stopped.
    pub(super) fn on_doing_late(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let (name, doing, run) = (node.name.clone(), node.doing(), node.state.run());
        match doing {
            Doing::Asked => {
                self.set_doing(id, Doing::Work);
                self.finish_reload(id, Ok(()));
            }
            Doing::Reloading => {
                let limit = spec.start_timeout.unwrap_or_default();
                let why = format!("reload: not done after {limit:?} (start-timeout)");
                self.set_doing(id, Doing::Late);
                self.tell(Level::Trouble, format!("{name}: {why}"));
                self.finish_reload(id, Err(why));
            }
            Doing::Stopping => {
                let ended = Ended::Lingering(spec.stop.timeout.unwrap_or_default());
                self.because_of_its_past(id, Cause::Timer("the end of its stop.timeout".into()));
                let how = ended.to_string();
                let then = self.take_end(id, &spec, ended, how);
                self.begin_stop(id, &spec, run, then);
            }
            Doing::Work | Doing::Late => {
                self.change(id, |node| node.tidings.as_mut().map(|tidings| tidings.over_at.take()));
            }
        }
    }
}
