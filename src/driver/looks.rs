//! Looks at what must hold before a service starts: each is a child of finit itself, since to
//! look at a path may be to wait for ever, and PID 1 never does. So is who reads files of
//! variables, and a look-out for a path; it sleeps until the path is there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::reaper::Owner;
use super::tools::{said, wrote};
use super::{Driver, Fact};
use crate::boot::{self, conditions, variables};
use crate::config::spec::{Conditions, Missing};
use crate::engine::{Ended, Event, NodeId, RunId, Verdict};
use crate::facts::{Errno, Exit, Pid, SignalNumber, SpawnError, Stage};
use crate::os::spawn::{self, Launch, Plan, Spawned};
use crate::os::{fds, kill, time};

/// Most looks of one node that may hang at a time.
pub(super) const HANGING: usize = 4;
/// Bytes of JSON that files of variables may make; more than execve(2) takes.
const VARIABLES_MAX: usize = 4 << 20;
/// How long until a look-out that came to nothing is followed by another.
const AGAIN: Duration = Duration::from_secs(5);

/// What is being looked at.
#[derive(Default)]
pub struct Looks {
    children: BTreeMap<RunId, Look>,
    /// Those that were killed and have not ended, with their nodes: one that hangs in a file
    /// system ends when that answers.
    killed: BTreeMap<Pid, NodeId>,
    /// A pipe that nobody writes to: its end tells the children that PID 1 has executed itself
    /// and has forgotten them.
    lifeline: Option<(OwnedFd, OwnedFd)>,
}

/// One child.
struct Look {
    pid: Pid,
    kind: Kind,
    /// What it says.
    output: OwnedFd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check,
    Read,
    Await,
}

impl Driver {
    /// Has a child look at conditions.
    pub(super) fn check_conditions(&mut self, run: RunId, conditions: &Conditions) {
        let started = match serde_json::to_string(conditions) {
            Ok(json) => self.start_look(run, Kind::Check, &json),
            Err(_) => Err(failed(Errno(libc::EINVAL))),
        };
        if let Err(error) = started {
            self.engine.handle(time::now(), Event::Checked { run, result: Err(error) });
        }
    }

    /// Has a child read files of variables.
    pub(super) fn read_variables(&mut self, run: RunId, files: &[(PathBuf, Missing)]) {
        let started = match serde_json::to_string(files) {
            Ok(json) => self.start_look(run, Kind::Read, &json),
            Err(error) => Err(variables::failed(Errno(libc::EINVAL), error.to_string())),
        };
        if let Err(error) = started {
            self.engine.handle(time::now(), Event::Checked { run, result: Err(error) });
        }
    }

    /// Has a child look out for a path.
    pub(super) fn await_path(&mut self, run: RunId, path: &str) {
        if self.start_look(run, Kind::Await, path).is_err() {
            self.later(AGAIN, Fact::Arrived(run));
        }
    }

    fn start_look(&mut self, run: RunId, kind: Kind, about: &str) -> Result<(), SpawnError> {
        let hanging = self.hanging_looks(run.node);
        if hanging >= HANGING {
            let subject = format!("{hanging} looks hang already");
            return Err(SpawnError { subject, ..failed(Errno(libc::EAGAIN)) });
        }
        let output = fds::memfd("finit-look").map_err(failed)?;
        if self.looks.lifeline.is_none() {
            self.looks.lifeline = Some(fds::pipe().map_err(failed)?);
        }
        let word = match kind {
            Kind::Check => conditions::CHECK,
            Kind::Read => variables::READ,
            Kind::Await => conditions::AWAIT,
        };
        let stdin = self.looks.lifeline.as_ref().map(|(end, _)| end.as_fd());
        let spawned = self.spawn_myself([word, about], stdin, Some(output.as_fd()))?;
        let pid = spawned.pid;
        self.reaper.adopt(spawned, Owner::Look(run));
        self.looks.children.insert(run, Look { pid, kind, output });
        Ok(())
    }

    /// Starts finit itself as a child of PID 1, outside of any service, by its words.
    pub(super) fn spawn_myself(
        &self,
        [word, about]: [&str; 2],
        stdin: Option<BorrowedFd<'_>>,
        stdout: Option<BorrowedFd<'_>>,
    ) -> Result<Spawned, SpawnError> {
        let argv = [boot::MYSELF, word, about].map(|word| word.as_bytes().to_vec());
        let limits = self.limits(&[]);
        let launch = Launch { argv: &argv, stdin, stdout, limits: &limits, ..Launch::default() };
        spawn::spawn(Plan::new(&launch)?)
    }

    /// Nobody wants to know any more.
    pub(super) fn dismiss(&mut self, run: RunId) {
        if let Some(look) = self.looks.children.remove(&run) {
            self.kill_look(look.pid, run.node);
        }
        self.unwatch_paths(run);
    }

    /// Ends a child that looks at paths for a node, once its file system answers.
    pub(super) fn kill_look(&mut self, pid: Pid, node: NodeId) {
        self.looks.killed.insert(pid, node);
        // It leads a session and so a group of its own, and is not reaped yet.
        let _gone = kill::kill_group(pid, SignalNumber::KILL);
    }

    /// How many of these have not ended.
    pub(super) fn hanging_looks(&self, node: NodeId) -> usize {
        self.looks.killed.values().filter(|killed| **killed == node).count()
    }

    /// One of them has.
    pub(super) fn forget_look(&mut self, pid: Pid) {
        self.looks.killed.remove(&pid);
    }

    /// A child has looked; what follows is not carried out yet.
    pub(super) fn on_look_ended(&mut self, run: RunId, pid: Pid, ended: Ended) {
        self.forget_look(pid);
        if self.looks.children.get(&run).is_none_or(|look| look.pid != pid) {
            return;
        }
        let Some(look) = self.looks.children.remove(&run) else { return };
        match (look.kind, ended) {
            (Kind::Check, ended) => {
                let result = verdict(ended, &look.output);
                self.engine.handle(time::now(), Event::Checked { run, result });
            }
            (Kind::Read, ended) => {
                let read = variables_in(ended, &look.output);
                let result = read.map(|read| {
                    if let Some(site) = self.sites.of(run.node) {
                        site.make_rare().variables = read;
                    }
                    Verdict::Holds
                });
                self.engine.handle(time::now(), Event::Checked { run, result });
            }
            (Kind::Await, Ended::Exit(Exit::SUCCESS)) => {
                self.engine.handle(time::now(), Event::Arrived { run });
            }
            // It was killed, or could not even start.
            (Kind::Await, _) => drop(self.later(AGAIN, Fact::Arrived(run))),
        }
    }
}

/// What a child means.
fn verdict(ended: Ended, output: &OwnedFd) -> Result<Verdict, SpawnError> {
    let line = || said(output);
    Ok(match ended {
        Ended::Exit(Exit::Code(conditions::HOLDS)) => Verdict::Holds,
        Ended::Exit(Exit::Code(conditions::SKIPS)) => Verdict::Skips(line()),
        Ended::Exit(Exit::Code(conditions::FAILS | conditions::UNKNOWN)) => Verdict::Fails(line()),
        Ended::Exit(Exit::Code(conditions::MISSING)) => Verdict::Missing(line()),
        Ended::NotExecuted(error) => return Err(error),
        // It has seen nothing, whatever has ended it: too little memory, in most cases.
        Ended::Exit(_)
        | Ended::Unseen
        | Ended::Early { .. }
        | Ended::TooSlow(_)
        | Ended::Silent(_)
        | Ended::GaveUp
        | Ended::Lingering(_)
        | Ended::Unhealthy { .. } => {
            let subject = format!("a look at conditions (it {ended})");
            return Err(SpawnError { subject, ..failed(Errno(libc::EAGAIN)) });
        }
    })
}

/// What a child has read.
fn variables_in(ended: Ended, output: &OwnedFd) -> variables::Answer {
    match ended {
        Ended::Exit(Exit::SUCCESS) => serde_json::from_slice(&wrote(output, VARIABLES_MAX))
            .unwrap_or_else(|_| Err(variables::failed(Errno(libc::EFBIG), String::new()))),
        Ended::NotExecuted(error) => Err(error),
        ended => Err(variables::failed(Errno(libc::EIO), format!("(who reads it {ended})"))),
    }
}

fn failed(errno: Errno) -> SpawnError {
    SpawnError { stage: Stage::Clone, errno, subject: "a look at conditions".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_was_killed_says_nothing_of_what_must_hold() {
        let (output, _writer) = fds::pipe().unwrap();
        let kill = Exit::Signal { number: SignalNumber::KILL, core: false };
        let error = verdict(Ended::Exit(kill), &output).unwrap_err();
        assert!(error.is_shortage(), "{error}");
        let holds = verdict(Ended::Exit(Exit::Code(conditions::HOLDS)), &output);
        assert_eq!(holds, Ok(Verdict::Holds));
    }
}
