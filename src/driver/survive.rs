//! A panic is a bug in finit. It costs what finit was just about, and not the machine: finit
//! executes itself with all that it knows, as for an upgrade. What the bug made it forget is found
//! then by what should be there and is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinError;

use super::handover::Unfinished;
use super::reaper::{Owner, Reaped};
use super::{Driver, Fact, lifeboat};
use crate::engine::{Ended, Event, Group, Level, Lost, RunId};
use crate::facts::{Errno, Pid, SignalNumber, SpawnError, Stage};
use crate::os::{kill, proc, time};

/// So many in this time, and it would go on for ever.
const MOST: usize = 3;
const WITHIN: Duration = Duration::from_secs(60);
/// How often programs between clone and exec are looked at, in milliseconds, and how often.
const LOOK: u8 = 10;
const LOOKS: u32 = 300;

impl Driver {
    /// Has a part of finit carried out beside the loop. A panic in that is one of the loop: tokio
    /// would keep it to itself, and who waits for what comes of that part would wait for ever.
    pub(super) fn beside(&self, part: impl Future<Output = ()> + Send + 'static) {
        let (part, facts) = (tokio::spawn(part), self.facts.clone());
        tokio::spawn(async move {
            if let Err(Ok(panic)) = part.await.map_err(JoinError::try_into_panic) {
                // The loop never ends before its facts do.
                let _end = facts.send(Fact::Panicked(panic)).await;
            }
        });
    }

    /// The loop, and after a panic in it the next finit. If that one cannot be had, the lifeboat:
    /// nothing of what is held is let go.
    pub(super) fn outlive(mut self, runtime: &Runtime) -> ! {
        // What is left half done is not looked at again but to be written down.
        let Err(_told) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.live())));
        let failed = catch_unwind(AssertUnwindSafe(|| self.go_on_anew()));
        lifeboat(&failed.unwrap_or_else(|_| "a panic on top of a panic".to_owned()))
    }

    /// Returns only if that fails, and why.
    fn go_on_anew(&mut self) -> String {
        let now = time::now();
        self.panics.retain(|panic| now.since(*panic) < WITHIN);
        self.panics.push(now);
        if self.panics.len() > MOST {
            return format!("{} panics in a minute, which are bugs", self.panics.len());
        }
        let text = "this is a bug of finit; it is executed anew, and goes on";
        self.console.tell(Level::Trouble, text);
        let (executed, ended) = (self.wait_for_starts(), self.untold());
        let (lost, begun) = (self.engine.lost(), self.begun);
        let unfinished = Unfinished { executed, ended, lost, begun };
        let why = self.make_way(&proc::this_program(), Some(unfinished));
        format!("a panic, which is a bug, and it cannot go on from there: {why}")
    }

    /// What is between clone and exec uses this memory, and its news come through descriptors
    /// that are not handed on. Those that do not get on are ended: the next finit hears of that, and
    /// starts them again if it should.
    fn wait_for_starts(&mut self) -> Vec<RunId> {
        let mut executed = Vec::new();
        for _ in 0..LOOKS {
            let starting: Vec<(Pid, RunId)> = self.reaper.starting().collect();
            if starting.is_empty() {
                break;
            }
            for (pid, run) in starting {
                if self.reaper.executed(pid) {
                    executed.push(run);
                }
            }
            // A signal may end it early.
            let _early = nix::poll::poll(&mut [], LOOK);
        }
        for (pid, _) in self.reaper.starting() {
            kill::kill(pid, SignalNumber::KILL).ok();
        }
        executed
    }

    /// The ends that were reaped and not told.
    fn untold(&self) -> Vec<(Pid, RunId, Ended)> {
        let of_run = |dead: &Reaped| match dead.owner {
            Owner::Run(run) => Some((dead.pid, run, dead.ended.clone())),
            Owner::Look(_)
            | Owner::Records(_)
            | Owner::Watcher(_)
            | Owner::Future(_)
            | Owner::LogWriter => None,
        };
        self.reaped.iter().filter_map(of_run).collect()
    }

    /// Tells the engine what the finit before had heard and not told, what it had not yet begun,
    /// and the end of each run that the engine counts on and that nothing is left of: what that one
    /// was about when it panicked, and the steps of the boot, which were a part of it.
    pub(super) fn make_up(&mut self, unfinished: Unfinished) {
        let Lost { starts, signals, freezes } = unfinished.lost;
        let begun = unfinished.begun.and_then(|run| Some((run, self.pid_of(run)?)));
        if let Some((run, pid)) = begun {
            self.engine.handle(time::now(), Event::Spawned { run, result: Ok(pid) });
        }
        for (node, aim, signal) in signals {
            self.signal(node, aim, signal);
        }
        for (order, on) in freezes {
            self.freeze(order, on);
        }
        for run in unfinished.executed {
            self.engine.handle(time::now(), Event::Executed { run });
        }
        for (pid, run, ended) in unfinished.ended {
            if let Some(site) = self.sites.of(run.node) {
                site.runs.insert(run.generation, pid);
            }
            self.on_run_ended(run, pid, ended, true);
        }
        self.engine.warn(
            "finit met a bug of its own and was executed anew: the kernel's log says where"
                .to_owned(),
        );
        for run in self.engine.runs() {
            if self.pid_of(run).is_some() {
                continue;
            }
            let event = if self.engine.is_step(run.node) {
                let why = "a bug of finit interrupted it".to_owned();
                Event::StepEnded { run, result: Err(why) }
            } else if starts.contains(&run) {
                Event::Lost { run }
            } else if unfinished.begun == Some(run) {
                // Begun again, it would come upon the same bug.
                let (stage, errno) = (Stage::Clone, Errno(libc::ECANCELED));
                let error = SpawnError { stage, errno, subject: "a bug of finit".to_owned() };
                Event::Exited { run, ended: Ended::NotExecuted(error), group: Group::Inhabited }
            } else {
                // Whether it has left anybody is looked at when the engine asks.
                Event::Exited { run, ended: Ended::Unseen, group: Group::Inhabited }
            };
            self.engine.handle(time::now(), event);
        }
    }

    /// The process of a run, where one is known.
    fn pid_of(&self, run: RunId) -> Option<Pid> {
        self.sites.get(run.node)?.runs.get(&run.generation).copied()
    }
}
