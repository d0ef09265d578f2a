//! How children end; waitid(2).
//!
//! Raw, because nix knows no real-time signals: it would collect a child that one of them
//! killed and then report an error, and that exit would be lost.

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::facts::{Exit, Pid, SignalNumber};

/// A child that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dead {
    /// Its number; free for another process once it is reaped.
    pub pid: Pid,
    /// How it ended.
    pub exit: Exit,
}

/// A child that has ended and is not reaped yet: /proc/PID is there still, and neither its
/// number nor that of its group can belong to anyone else. None if there is none now.
pub fn peek() -> Option<Dead> {
    waitid(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// The same for this process alone; none too if it is no child. Linux 5.4.
pub fn peek_at(process: BorrowedFd<'_>) -> Option<Dead> {
    let number = process.as_raw_fd().unsigned_abs();
    waitid(libc::P_PIDFD, number, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// Reap this child; none if it has not ended or is no child.
pub fn reap(pid: Pid) -> Option<Dead> {
    waitid(libc::P_PID, pid.raw().unsigned_abs(), libc::WEXITED | libc::WNOHANG)
}

/// Reap any child that has ended; none if there is none now.
pub fn next() -> Option<Dead> {
    waitid(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG)
}

/// Whether there is any child, living or dead.
pub fn has_children() -> bool {
    // SAFETY: integers and pointers, for which zeros are values.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel fills in the local struct.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0 }
}

fn waitid(kind: libc::idtype_t, id: libc::id_t, options: libc::c_int) -> Option<Dead> {
    // SAFETY: integers and pointers, for which zeros are values.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: the kernel fills in the local struct.
        let done = unsafe { libc::waitid(kind, id, &raw mut info, options) };
        if done == 0 {
            break;
        }
        // ECHILD: no children at all. EINVAL cannot be.
        if nix::errno::Errno::last() != nix::errno::Errno::EINTR {
            return None;
        }
    }
    // SAFETY: waitid fills in these fields, or leaves the zeros when nobody has ended.
    let raw = unsafe { info.si_pid() };
    let pid = Pid::new(raw)?;
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Some(Dead { pid, exit: exit(info.si_code, status) })
}

fn exit(code: libc::c_int, status: libc::c_int) -> Exit {
    let core = code == libc::CLD_DUMPED;
    match SignalNumber::new(status) {
        Some(number) if core || code == libc::CLD_KILLED => Exit::Signal { number, core },
        _ => Exit::Code(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
    }
}
