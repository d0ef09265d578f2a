//! How services of the machine without a kernel come to be up: what they say, and what others
//! find.

use finit::config::spec::Ready;
use std::time::Duration;

use finit::engine::{After, Event, NodeId, Notice, RunId, What};
use finit::facts::Pid;

use crate::fates::{Fates, Program};
use crate::world::{Process, World};

impl<F: Fates> World<F> {
    /// Somebody has found that a service is up; and which process is its main one.
    pub fn found(&mut self, node: NodeId, ready: &Ready) {
        let (Some(run), Ready::Found(_)) = (self.engine.main_run(node), ready) else { return };
        if ready.pidfile().is_some() && !self.runs.contains_key(&run) {
            let Some(left) = self.strays.get_mut(&node).filter(|strays| **strays > 0) else {
                return;
            };
            *left -= 1;
            let program = Program::daemon();
            let process = Process {
                program,
                what: What::Main,
                ready: ready.clone(),
                ends: false,
                asked: None,
                reads: false,
            };
            self.runs.insert(run, process);
            self.ended_runs.retain(|over| *over != run);
            if let Some(oracle) = &mut self.oracle {
                oracle.lives(run);
                oracle.unknown.remove(&run);
            }
            self.last_pid += 1;
            let notice = Notice { main_pid: Pid::new(self.last_pid), ..Notice::default() };
            self.turn(Event::Notified { node, run: None, notice });
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.is_ready(run);
        }
    }

    /// A process tells something of its service.
    pub fn tells(&mut self, node: NodeId, notice: Notice) {
        let run = self.engine.main_run(node);
        if let Some(process) = run.and_then(|run| self.runs.get_mut(&run)) {
            let over = notice.ready || notice.stopping;
            process.reads = !over && (process.reads || notice.reloading);
        }
        let run = run.filter(|_| notice.ready);
        let notifies = |run: &RunId| self.runs.get(run).is_some_and(|p| p.ready == Ready::Notify);
        if let (Some(run), Some(oracle)) = (run.filter(notifies), &mut self.oracle) {
            oracle.is_ready(run);
        }
        self.turn(Event::Notified { node, run: None, notice });
    }

    /// It says that it is up, in the way that is expected of it.
    pub fn says_up(&mut self, run: RunId) {
        let Some(process) = self.runs.get(&run) else { return };
        match process.ready {
            Ready::Notify => {
                self.tells(run.node, Notice { ready: true, ..Notice::default() });
            }
            Ready::Descriptor(_) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.is_ready(run);
                }
                self.turn(Event::Wrote { run });
            }
            Ready::Exec | Ready::Exit | Ready::Found(_) => {}
        }
    }

    /// The next time of a calendar: always so long after the one before, as often as there are.
    pub fn answer_calendar(&mut self, node: NodeId, after: After) {
        let name = self.engine.name(node).to_owned();
        let now = i64::try_from((self.now.since(self.epoch) + self.ahead).as_secs()).unwrap();
        let base = match after {
            After::Arming | After::Run => now,
            After::Base(base) => base,
        };
        self.asked.push((name.clone(), after));
        let (wait, left) = self.calendars.entry(name).or_insert((Duration::from_secs(7), 3));
        let at = (*left > 0).then(|| {
            let at = base.min(now) + i64::try_from(wait.as_secs()).unwrap();
            let wall = Duration::from_secs(u64::try_from(at).unwrap());
            self.epoch.after(wall.saturating_sub(self.ahead)).max(self.now)
        });
        *left -= u32::from(after == After::Run && *left > 0);
        let at = at.ok_or_else(|| "no time left".to_owned());
        self.hand_over(Event::Calendar { node, base, at });
    }
}
