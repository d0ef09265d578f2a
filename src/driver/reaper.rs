//! The one waiter of the house. SIGCHLD only wakes it: signals coalesce, so it never counts
//! them but asks the kernel until nothing is left, and hands each status to whoever owns the
//! process. An unknown pid is an orphan that the kernel gave us; reaping it is all it needs.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use tokio::sync::oneshot;

use crate::engine::{Ended, NodeId, RunId};
use crate::facts::{Errno, Exit, Pid};
use crate::os::{closing, fds, spawn, wait};

/// Most exits in one turn: clients and timers have a turn in between.
const BATCH: usize = 64;

/// Who is told of an exit.
#[derive(Debug)]
pub enum Owner {
    /// A run of the engine.
    Run(RunId),
    /// A look at conditions for a run of the engine.
    Look(RunId),
    /// Whoever writes records of a node of the engine.
    Records(NodeId),
    /// Whoever watches paths for a node of the engine.
    Watcher(RunId),
    /// A future that waits for it.
    Future(oneshot::Sender<Ended>),
    /// The log writer.
    LogWriter,
}

/// A process of ours.
struct Child {
    owner: Owner,
    /// Until its program runs. In a box: a machine has many that run, and few that start.
    starting: Option<Box<Starting>>,
}

/// What is kept of a process between clone and exec.
struct Starting {
    /// Tells when its program was executed, or why not.
    status: OwnedFd,
    memory: spawn::ChildMemory,
    /// What was read from the status pipe before the exit.
    said: Vec<u8>,
}

/// A reaped process of ours.
#[derive(Debug)]
pub struct Reaped {
    /// Which it was.
    pub pid: Pid,
    /// Who is told.
    pub owner: Owner,
    /// How it ended.
    pub ended: Ended,
    /// Whether it came to its first instruction.
    pub was_born: bool,
}

/// All processes that PID 1 started and has not reaped.
#[derive(Default)]
pub struct Reaper {
    children: BTreeMap<Pid, Child>,
}

impl Reaper {
    /// Takes a new process in. Nothing may wait between the spawn and this.
    pub fn adopt(&mut self, spawned: spawn::Spawned, owner: Owner) {
        let starting =
            Starting { status: spawned.status, memory: spawned.memory, said: Vec::new() };
        self.children.insert(spawned.pid, Child { owner, starting: Some(Box::new(starting)) });
    }

    /// Takes in a process whose program runs already.
    pub fn adopt_running(&mut self, pid: Pid, owner: Owner) {
        self.children.insert(pid, Child { owner, starting: None });
    }

    /// A process is no longer that of a run: its end tells nobody anything. Where it was
    /// another's child, its number may be that of a child of ours by now.
    pub fn release(&mut self, pid: Pid, run: RunId) {
        let known = self.children.get(&pid).and_then(|child| child.owner.run());
        if known == Some(run) {
            self.children.remove(&pid);
        }
    }

    /// Whether somebody is told of the end of that process.
    pub fn holds(&self, pid: Pid) -> bool {
        self.children.contains_key(&pid)
    }

    /// The processes of the engine's runs.
    pub fn runs(&self) -> impl Iterator<Item = (Pid, RunId)> {
        self.children.iter().filter_map(|(pid, child)| Some((*pid, child.owner.run()?)))
    }

    /// The run of the engine that this is the process of.
    pub fn run(&self, pid: i32) -> Option<RunId> {
        self.children.get(&Pid::new(pid)?)?.owner.run()
    }

    /// The runs whose processes are between clone and exec. Of others only the end is told.
    pub fn starting(&self) -> impl Iterator<Item = (Pid, RunId)> {
        self.runs().filter(|(pid, _)| self.status(*pid).is_some())
    }

    /// The status pipe of a process that is being started.
    pub fn status(&self, pid: Pid) -> Option<&OwnedFd> {
        Some(&self.children.get(&pid)?.starting.as_ref()?.status)
    }

    /// Reads a status pipe that has something to say: whether the program was executed. False:
    /// it was not, and the exit that follows says why.
    pub fn executed(&mut self, pid: Pid) -> bool {
        let Some(child) = self.children.get_mut(&pid) else { return false };
        let Some(starting) = &mut child.starting else { return false };
        let Ok(said) = read_status(&starting.status) else { return false };
        starting.said.extend_from_slice(&said);
        let memory = &starting.memory;
        if !said.is_empty() || memory.failure(&starting.said).is_some() || !memory.was_born() {
            return false;
        }
        // End of file: the pipe was closed by exec, or by a death that its exit will tell.
        child.starting = None;
        true
    }

    /// Reaps what has ended, up to a bound; true in the second place if there may be more.
    pub fn sweep(&mut self) -> (Vec<Reaped>, bool) {
        let mut reaped = Vec::new();
        for _ in 0..BATCH {
            let Some(dead) = wait::next() else { return (reaped, false) };
            let Some(child) = self.children.remove(&dead.pid) else {
                closing::ended(dead.pid);
                continue;
            };
            let ended = ending(&child, dead.exit);
            let was_born = child.starting.as_ref().is_none_or(|s| s.memory.was_born());
            reaped.push(Reaped { pid: dead.pid, owner: child.owner, ended, was_born });
        }
        (reaped, true)
    }
}

impl Owner {
    fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run) => Some(*run),
            Self::Look(_)
            | Self::Records(_)
            | Self::Watcher(_)
            | Self::Future(_)
            | Self::LogWriter => None,
        }
    }
}

/// One fact of two: how the process ended, and whether it had ever been what it should be.
fn ending(child: &Child, exit: Exit) -> Ended {
    let Some(starting) = &child.starting else { return Ended::Exit(exit) };
    let late = || read_status(&starting.status).unwrap_or_default();
    let late = if starting.said.is_empty() { late() } else { Vec::new() };
    match starting.memory.failure(if late.is_empty() { &starting.said } else { &late }) {
        Some(error) => Ended::NotExecuted(error),
        None => Ended::Exit(exit),
    }
}

/// What a status pipe says; nothing at its end.
fn read_status(status: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut bytes = [0; spawn::STATUS_SIZE];
    let count = fds::read(status.as_fd(), &mut bytes)?;
    Ok(bytes.get(..count).unwrap_or_default().to_vec())
}
