//! Files of variables, `env-file`. Reading one may hang as looking at a path may, so others read:
//! the driver has a child do it, keeps what it read for the programs of the service, and says
//! whether it worked. Each program of a start has them read anew, since the one before may have
//! written them; what runs beside a service gets what was read last.

use std::rc::Rc;

use super::conditions::PATIENCE;
use super::event::Ended;
use super::id::{NodeId, RunId};
use super::state::{Program, StartStep, State, Then};
use super::{Effect, Engine, Group};
use crate::config::spec::ServiceSpec;
use crate::facts::SpawnError;

impl Engine {
    /// Starts the program of one step; most services have nothing to be read before.
    pub(super) fn launch(&mut self, id: NodeId, spec: &Rc<ServiceSpec>, program: Program) {
        if spec.exec.env_files.is_empty() {
            self.execute(id, spec, program);
            return;
        }
        self.unwatch(id);
        let until = self.start_deadline(id, spec).or(Some(self.now.after(PATIENCE)));
        let run = self.new_run(id);
        if let Some(node) = self.node_mut(id) {
            // The command of a task before this one has ended.
            node.pid = None;
        }
        self.set_state(id, State::Starting { run, step: StartStep::Read(program), until });
        self.emit(Effect::ReadVariables { run, service: Rc::clone(spec) });
    }

    /// They were read, or why not.
    pub(super) fn on_read(&mut self, run: RunId, program: Program, error: Option<SpawnError>) {
        let id = run.node;
        self.carry_on(id);
        let Some(node) = self.node(id) else { return };
        let Some(spec) = node.spec().map(Rc::clone) else { return };
        let until = node.state.deadline();
        match (error, program) {
            (_, Program::OnlyIf(_)) if node.leaving => self.leave_start(id),
            (_, Program::Before(_) | Program::Main(_) | Program::After(_)) if node.leaving => {
                self.cause = node.departure();
                self.finish_stop(id, Then::Down);
            }
            (None, program) => self.execute(id, &spec, program),
            (Some(error), program) => {
                // As where the program cannot be executed, which is so.
                self.set_state(id, State::Starting { run, step: program.into(), until });
                self.on_exited(run, Ended::NotExecuted(error), Group::Empty);
            }
        }
    }
}
