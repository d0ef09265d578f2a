//! Signals that wait until they are read, and interrupt nothing; signalfd(2).
//!
//! They are blocked all the time. So one that comes while finit executes itself anew waits for
//! the next finit, execve(2), and no handler runs between a child's end and its news.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use super::{fds, syscall};
use crate::facts::Errno;

/// Most that are read at once; as a signal of one number waits once, save real-time ones, these
/// are all.
const BATCH: usize = 16;

/// What the kernel tells of each; its first word is the number.
const TOLD: usize = size_of::<libc::signalfd_siginfo>();

/// Where signals are read.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for SignalFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl SignalFd {
    /// Has those wait that a bit says of (signal 1 is the lowest), and lets all others through,
    /// whatever was blocked before. Non-blocking. EMFILE, ENFILE, ENOMEM.
    pub fn new(signals: u64) -> Result<Self, Errno> {
        // Who has started us may have ignored it, and then the kernel reaps our children itself.
        // SAFETY: the default is a value for this signal, and installs no function.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        syscall::set_mask(signals);
        syscall::signalfd(signals, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
            .map(|fd| {
                // SAFETY: the kernel gave us this descriptor just now.
                Self(unsafe { OwnedFd::from_raw_fd(fd) })
            })
            .map_err(Errno)
    }

    /// Those that have come, a bit each, and whether that was all.
    pub fn read(&self) -> (u64, bool) {
        let mut told = [0; TOLD * BATCH];
        let count = fds::read(self.0.as_fd(), &mut told).unwrap_or(0);
        let told = told.get(..count).unwrap_or_default().chunks(TOLD);
        let numbers = told.filter_map(|one| one.first_chunk().copied().map(u32::from_ne_bytes));
        let came = numbers.fold(0, |bits, number| bits | bit(number.cast_signed()));
        (came, count < TOLD * BATCH)
    }
}

/// Has a signal come to this process, from itself; raise(3).
pub fn raise(signal: i32) {
    // SAFETY: a number only; of one that is no signal it is an error, and nothing more.
    unsafe { libc::raise(signal) };
}

/// The bit of a signal; signal(7).
pub const fn bit(signal: i32) -> u64 {
    1u64.rotate_left(signal.cast_unsigned().wrapping_sub(1))
}
