//! One descriptor that tells of changes in many control groups; inotify(7).
//!
//! The kernel reports a change of cgroup.events as a modified file. A descriptor for each
//! group would do as well, but a thousand services would be a thousand of them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use super::cgroup::Group;
use super::folders::Folders;
use crate::facts::Errno;

/// Which group a change was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(i32);

/// The watched groups.
pub struct Watch(Folders);

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Watch {
    /// Watch nothing yet; non-blocking, readable when something has changed. EMFILE (also for
    /// too many of them per user).
    pub fn new() -> Result<Self, Errno> {
        Folders::new().map(Self)
    }

    /// Watch a group as well, through its descriptor: /proc must be mounted. ENOSPC at the
    /// limit of watches.
    pub fn add(&self, group: &Group) -> Result<WatchId, Errno> {
        let path = format!("/proc/self/fd/{}/cgroup.events", group.as_fd().as_raw_fd());
        self.0.add(Path::new(&path), libc::IN_MODIFY).map(WatchId)
    }

    /// Watch a group no longer. The removal of a group ends its watch by itself.
    pub fn remove(&self, id: WatchId) {
        self.0.remove(id.0);
    }

    /// The groups that changed since the last call, each once, at most some two hundred; more
    /// leave the descriptor readable. Look into all of them when [`Watch::add`]ed ones seem to
    /// be missing: the kernel's queue is bounded, and an overflow is reported as `None`.
    pub fn changed(&self) -> Vec<Option<WatchId>> {
        let mut found = Vec::new();
        for happening in self.0.read() {
            let is_overflow = happening.events & libc::IN_Q_OVERFLOW != 0;
            let group = (!is_overflow).then_some(WatchId(happening.id));
            let is_change = happening.events & libc::IN_MODIFY != 0;
            if (is_overflow || is_change) && !found.contains(&group) {
                found.push(group);
            }
        }
        found
    }
}
