//! One descriptor that tells of changes in many control groups; inotify(7).
//!
//! The kernel reports a change of cgroup.events as a modified file. A descriptor for each
//! group would do as well, but a thousand services would be a thousand of them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::cgroup::Group;
use super::fds;
use crate::facts::Errno;

/// Which group a change was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(i32);

/// The watched groups.
pub struct Watch(OwnedFd);

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Watch {
    /// Watch nothing yet; non-blocking, readable when something has changed. EMFILE (also for
    /// too many of them per user).
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: flags only.
        let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        let fd = nix::errno::Errno::result(fd)?;
        // SAFETY: the kernel gave us this descriptor just now.
        Ok(Self(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }))
    }

    /// Watch a group as well, through its descriptor: /proc must be mounted. ENOSPC at the
    /// limit of watches.
    pub fn add(&self, group: &Group) -> Result<WatchId, Errno> {
        let path = format!("/proc/self/fd/{}/cgroup.events", group.as_fd().as_raw_fd());
        let path = std::ffi::CString::new(path).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: an open descriptor and a NUL-terminated string.
        let id =
            unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) };
        Ok(WatchId(nix::errno::Errno::result(id)?))
    }

    /// Watch a group no longer. The removal of a group ends its watch by itself.
    pub fn remove(&self, id: WatchId) {
        // SAFETY: numbers only; an id that has ended is an error and nothing else.
        unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), id.0) };
    }

    /// The groups that changed since the last call, each once, at most some two hundred; more
    /// leave the descriptor readable. Look into all of them when [`Watch::add`]ed ones seem to
    /// be missing: the kernel's queue is bounded, and an overflow is reported as `None`.
    pub fn changed(&self) -> Vec<Option<WatchId>> {
        let mut buffer = [0u8; 4096];
        let mut found = Vec::new();
        let count = fds::read(self.0.as_fd(), &mut buffer).unwrap_or(0);
        let mut rest = buffer.get(..count).unwrap_or_default();
        // Watch, mask, cookie, length of a name: four words, and no name as files have none.
        while let Some((head, after)) = rest.split_first_chunk::<16>() {
            let [a, b, c, d, e, f, g, h, _, _, _, _, length @ ..] = *head;
            let mask = u32::from_ne_bytes([e, f, g, h]);
            let id = WatchId(i32::from_ne_bytes([a, b, c, d]));
            let event = if mask & libc::IN_Q_OVERFLOW != 0 { None } else { Some(id) };
            if mask & (libc::IN_MODIFY | libc::IN_Q_OVERFLOW) != 0 && !found.contains(&event) {
                found.push(event);
            }
            let name = usize::try_from(u32::from_ne_bytes(length)).unwrap_or(usize::MAX);
            rest = after.get(name..).unwrap_or_default();
        }
        found
    }
}
