//! What comes and goes in folders; inotify(7). For helpers: to name a path is to wait for its
//! file system.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::facts::Errno;

/// What a path may come by, and what may happen to a folder on the way to it.
const EVENTS: u32 = libc::IN_CREATE
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR;

/// The watched folders.
pub struct Folders(OwnedFd);

impl AsFd for Folders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Folders {
    /// Watch nothing yet; non-blocking, readable when something has come. EMFILE (also for too
    /// many of them per user), ENOSYS.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: flags only.
        let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        let fd = nix::errno::Errno::result(fd)?;
        // SAFETY: the kernel gave us this descriptor just now.
        Ok(Self(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }))
    }

    /// Watch a folder as well. ENOTDIR, ENOENT, EACCES, ENOSPC at the limit of watches.
    pub fn add(&self, folder: &Path) -> Result<(), Errno> {
        let path = CString::new(folder.as_os_str().as_encoded_bytes());
        let path = path.map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: an open descriptor and a NUL-terminated string.
        let id = unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), EVENTS) };
        Ok(nix::errno::Errno::result(id).map(drop)?)
    }
}
