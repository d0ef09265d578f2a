//! What PID 1 keeps for the writer, so that the death of a writer at any instruction costs no
//! line and doubles none.
//!
//! * The staging pipe. The writer looks at a service's pipe with tee(2), which takes nothing,
//!   makes lines of the bytes, and notes in the spool where and with which time they go. It
//!   moves the bytes into the staging pipe with splice(2), writes the lines, keeps the
//!   beginning of a last line in the spool, and empties the staging pipe. A writer that starts
//!   and finds bytes staged makes lines of them again as noted, which gives the same text, and
//!   writes what of it is missing in the file.
//! * The spool, a memfd: that note, the beginnings of lines, and lines that wait for a disk.
//!
//! What a kill can double: the last words of a service without a newline, and lines for the
//! kernel's ring, the console or syslog, which cannot be asked what they have. What it can
//! lose: how many lines have been dropped so far.
//!
//! Neither is mapped, so neither counts as memory of a process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::pipe2;

use super::message::Message;

/// Descriptors that PID 1 keeps open, also across exec, and passes to each writer it starts.
#[derive(Debug)]
pub struct Kept {
    /// Read end of the staging pipe.
    pub staging_out: OwnedFd,
    /// Write end of the staging pipe.
    pub staging_in: OwnedFd,
    /// The spool.
    pub spool: OwnedFd,
}

impl Kept {
    /// Makes them, empty.
    pub fn make() -> Result<Self, Errno> {
        let (staging_out, staging_in) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let spool = memfd_create("finit-spool", MFdFlags::MFD_CLOEXEC)?;
        Ok(Self { staging_out, staging_in, spool })
    }

    /// The messages that hand them to a new writer, before anything else.
    pub fn messages(&self) -> [(Message, Option<BorrowedFd<'_>>); 3] {
        [
            (Message::StagingOut, Some(self.staging_out.as_fd())),
            (Message::StagingIn, Some(self.staging_in.as_fd())),
            (Message::Spool, Some(self.spool.as_fd())),
        ]
    }

    /// Waits until no other writer works with them: when PID 1 executes itself, the old writer
    /// may still be busy with its last lines. The lock ends with its process.
    pub(super) fn lock(&self) -> Result<(), Errno> {
        let lock = libc::flock {
            l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
            l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        loop {
            match fcntl(&self.spool, FcntlArg::F_SETLKW(&lock)) {
                Err(Errno::EINTR) => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }
}
