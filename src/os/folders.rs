//! What comes and goes in folders, and what happens to files; inotify(7). On a disk for helpers
//! alone: to name a path is to wait for its file system.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::fds;
use crate::facts::Errno;

/// What a path may come by, and what may happen to a folder on the way to it.
pub const COMES: u32 = libc::IN_CREATE
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR;

/// The watched folders and files.
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

    /// Watch a folder or file as well, or for more; the answer is its number, one for each inode.
    /// ENOENT, ENOTDIR for IN_ONLYDIR, EACCES, ENOSPC at the limit of watches.
    pub fn add(&self, path: &Path, events: u32) -> Result<i32, Errno> {
        let path = CString::new(path.as_os_str().as_encoded_bytes());
        let path = path.map_err(|_| Errno(libc::EINVAL))?;
        let events = events | libc::IN_MASK_ADD;
        // SAFETY: an open descriptor and a NUL-terminated string.
        let id = unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), events) };
        Ok(nix::errno::Errno::result(id)?)
    }

    /// Watch that one no longer. One that is gone is no error.
    pub fn remove(&self, id: i32) {
        // SAFETY: numbers only; an id that has ended is an error and nothing else.
        unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), id) };
    }

    /// What has happened since the last call, in order, as far as it fits into one read; more
    /// leaves the descriptor readable.
    pub fn read(&self) -> Vec<Happening> {
        let mut buffer = [0u8; 4096];
        let mut found = Vec::new();
        let count = fds::read(self.0.as_fd(), &mut buffer).unwrap_or(0);
        let mut rest = buffer.get(..count).unwrap_or_default();
        // Number, events, cookie, length of the name: four words, and the name, padded with NULs.
        while let Some((head, after)) = rest.split_first_chunk::<16>() {
            let [a, b, c, d, e, f, g, h, _, _, _, _, length @ ..] = *head;
            let length = usize::try_from(u32::from_ne_bytes(length)).unwrap_or(usize::MAX);
            let name = after.get(..length).unwrap_or_default();
            let name: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
            found.push(Happening {
                id: i32::from_ne_bytes([a, b, c, d]),
                events: u32::from_ne_bytes([e, f, g, h]),
                name: (!name.is_empty()).then(|| OsString::from_vec(name)),
            });
            rest = after.get(length..).unwrap_or_default();
        }
        found
    }
}

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// To which; -1 when more has happened than the kernel keeps.
    pub id: i32,
    /// What: one of the IN_ bits, and IN_ISDIR.
    pub events: u32,
    /// To which of its entries, if it was one.
    pub name: Option<OsString>,
}
