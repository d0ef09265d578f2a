//! Main processes that are another's children: one that a service named by MAINPID= or a pid file
//! and whose parent lives on. That parent reaps it, and nothing of its end comes to PID 1 but by
//! a descriptor for the process; how it ended, its parent alone is told.
//!
//! Should the parent go first, PID 1 is the parent from then on and its reaper is told all. So
//! where the reaper still can tell, it does, and nobody else.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::watch::Token;
use super::{Driver, Fact};
use crate::engine::{Ended, Level, RunId};
use crate::facts::{Errno, Pid};
use crate::os::{kill, pidfd, proc};

/// How often and in which time the parent of a process that has ended is given to ask how: it may
/// be about to end too, as when both were killed at once, and then it is ours to ask.
pub const LOOKS: u8 = 50;
const LOOK: Duration = Duration::from_millis(10);

impl Driver {
    /// Has the end of a main process told, where it is another's child.
    pub(super) fn watch_foreign(&mut self, run: RunId, pid: Pid, process: Result<OwnedFd, Errno>) {
        let watched = process.and_then(|process| {
            self.watch.readable(&process, Token::Foreign(run))?;
            Ok(process)
        });
        match (watched, self.sites.of(run.node)) {
            (Ok(process), Some(site)) => {
                _ = site.make_rare().foreign.insert(run.generation, process);
            }
            (Ok(_), None) => {}
            (Err(errno), _) => self.miss_foreign(run, pid, errno),
        }
    }

    /// Says that an end will not be noticed; once, where the kernel is the reason.
    fn miss_foreign(&mut self, run: RunId, pid: Pid, errno: Errno) {
        let lacks = matches!(errno, Errno(libc::ENOSYS | libc::EPERM));
        if lacks && std::mem::replace(&mut self.blind, true) {
            return;
        }
        let name = self.engine.name(run.node);
        let mut text = format!(
            "{name}: its main process {pid} is the child of another, and its end will not be \
             noticed: pidfd_open: {errno}"
        );
        if lacks {
            text.push_str("; Linux 5.3 and later have that. Others like it are not told of");
        }
        self.console.tell(Level::Trouble, &text);
    }

    /// It has ended, is another one, or ours.
    pub(super) fn forget_foreign(&mut self, run: RunId) {
        if let Some(process) = self.take_foreign(run) {
            self.watch.forget(&process);
        }
    }

    fn take_foreign(&mut self, run: RunId) -> Option<OwnedFd> {
        self.sites.of(run.node)?.rare_mut()?.foreign.remove(&run.generation)
    }

    /// The main process of a run has ended, as it seems. So many looks more are taken while nobody
    /// has asked how.
    pub(super) fn on_foreign(&mut self, run: RunId, looks: u8) {
        let Some(site) = self.sites.get(run.node) else { return };
        let foreign = &site.rare().foreign;
        let Some(process) = foreign.get(&run.generation).map(AsFd::as_fd) else { return };
        let Some(pid) = site.runs.get(&run.generation).copied() else { return };
        // What was told may have been of the process that was the main one before.
        if !pidfd::has_ended(process) {
            return;
        }
        if pidfd::is_ours_to_reap(process) {
            return self.sweep();
        }
        if let (Some(looks), true) = (looks.checked_sub(1), pidfd::is_there(process)) {
            self.later(LOOK, Fact::Outlived(run, looks));
            return;
        }
        self.lose_foreign(run, pid);
        self.work();
        self.review_sessions();
    }

    /// It has ended, and nobody will tell how; what follows is not carried out yet.
    fn lose_foreign(&mut self, run: RunId, pid: Pid) {
        self.reaper.release(pid, run);
        self.on_run_ended(run, pid, Ended::Unseen, true);
    }

    /// Whether a process that the finit before knew is another's child: it is watched again. One
    /// that is gone, or whose number is a stranger's, has ended meanwhile and was no child of ours:
    /// that would wait to be reaped.
    pub(super) fn find_foreign(&mut self, run: RunId, pid: Pid) {
        if let Some(process) = self.take_foreign(run) {
            // What has ended since is told at once.
            return self.watch_foreign(run, pid, Ok(process));
        }
        // A finit that watched none, or could not, has left no descriptor.
        let handle = pidfd::open(pid);
        let (process, site) = (proc::process(pid.raw()), self.sites.get(run.node));
        let is_ours = process.as_ref().is_some_and(|process| process.ppid == 1);
        let is_other = process.zip(site).is_some_and(|(process, site)| !self.is_of(site, &process));
        if !kill::exists(pid) || is_other && !is_ours {
            self.lose_foreign(run, pid);
        } else if !is_ours {
            self.watch_foreign(run, pid, handle);
        }
    }
}
