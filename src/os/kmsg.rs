//! The kernel's log as a place for our own lines; kmsg(4), syslog(2).

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::fds;
use crate::facts::Errno;

/// The longest record the kernel takes is 976 bytes, prefix and all.
const RECORD_MAX: usize = 900;

/// An open /dev/kmsg.
pub struct Kmsg(OwnedFd);

impl Kmsg {
    /// ENOENT before /dev is there, EPERM in a container.
    pub fn open() -> Result<Self, Errno> {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        Ok(Self(nix::fcntl::open(Path::new("/dev/kmsg"), flags, Mode::empty())?))
    }

    /// Write a text at a level of 0 (emergency) to 7 (debug), as facility "daemon". Each line
    /// of it becomes a record, a long one several, and control characters become '?'. The
    /// kernel may drop some: it limits how many a process may write.
    pub fn line(&self, level: u8, text: &[u8]) -> Result<(), Errno> {
        const DAEMON: u8 = 3 << 3;
        let priority = DAEMON | level.min(7);
        for piece in text.split(|byte| *byte == b'\n').flat_map(|line| line.chunks(RECORD_MAX)) {
            let mut record = format!("<{priority}>finit[{}]: ", std::process::id()).into_bytes();
            record.extend(piece.iter().map(|&byte| match byte {
                b'\t' | b' '..=0x7e | 0x80.. => byte,
                _ => b'?',
            }));
            // Without it the kernel waits for more, and shows the record with the next one.
            record.push(b'\n');
            fds::write(self.0.as_fd(), &record)?;
        }
        Ok(())
    }
}
