//! Processes that are another's children; pidfd_open(2).
//!
//! The number of such a process says little: its parent may have reaped it, and the number be
//! somebody else's, before we ever hear of it. A descriptor names one process for ever, and can
//! be read once that has ended.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::wait;
use crate::facts::{Errno, Pid, SignalNumber};

/// The process that has this number now, as a descriptor that is close-on-exec. ESRCH; EINVAL
/// or ENOENT for a thread that is no process; ENOSYS before Linux 5.3, EPERM where a container
/// forbids it; EMFILE, ENFILE, ENOMEM.
pub fn open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: numbers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.raw(), 0) };
    let fd = i32::try_from(fd).map_err(|_| Errno(libc::EIO))?;
    if fd < 0 {
        return Err(nix::errno::Errno::last().into());
    }
    // SAFETY: the kernel gave us this descriptor just now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether it has ended, all of its threads, reaped or not.
pub fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(process, PollFlags::POLLIN)];
    nix::poll::poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Whether it has ended, is a child of ours and not reaped: the one waiter will be told how.
/// Linux 5.3 does not say, which counts as no.
pub fn is_ours_to_reap(process: BorrowedFd<'_>) -> bool {
    wait::peek_at(process).is_some()
}

/// Whether nobody has reaped it yet.
pub fn is_there(process: BorrowedFd<'_>) -> bool {
    send(process, 0) != Err(Errno(libc::ESRCH))
}

/// Signal it; false if it was reaped. EPERM. pidfd_send_signal(2)
pub fn signal(process: BorrowedFd<'_>, signal: SignalNumber) -> Result<bool, Errno> {
    match send(process, signal.raw()) {
        Ok(()) => Ok(true),
        Err(Errno(libc::ESRCH)) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn send(process: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: numbers, and no pointer where one may be left out.
    let done = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, nothing, 0)
    };
    if done == 0 { Ok(()) } else { Err(nix::errno::Errno::last().into()) }
}
