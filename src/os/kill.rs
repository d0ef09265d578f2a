//! Signals to processes; kill(2).
//!
//! [`Pid`] keeps out the numbers that mean more than one process. A number is safe to signal
//! as long as its process is our child and not reaped: until then nobody else can get it.

use crate::facts::{Errno, Pid, SignalNumber};

/// Signal one process; false if there is none. EPERM.
pub fn kill(pid: Pid, signal: SignalNumber) -> Result<bool, Errno> {
    send(pid.raw(), signal.raw())
}

/// Signal the process group that this process was born to lead; false if nobody is left in
/// it. Only for children that were spawned with a session of their own. EPERM.
pub fn kill_group(leader: Pid, signal: SignalNumber) -> Result<bool, Errno> {
    send(leader.raw().saturating_neg(), signal.raw())
}

/// Signal every process but PID 1 and kernel threads, for the end of a shutdown; false if
/// there is none. EPERM when we are not PID 1: it would hit the whole machine of whoever runs
/// a test.
pub fn kill_everything(signal: SignalNumber) -> Result<bool, Errno> {
    if std::process::id() != 1 {
        return Err(Errno(libc::EPERM));
    }
    send(-1, signal.raw())
}

/// Whether there is such a process, a zombie included.
pub fn exists(pid: Pid) -> bool {
    // EPERM would mean that there is one.
    send(pid.raw(), 0).unwrap_or(true)
}

/// Whether anybody is left in the process group that this process was born to lead, a zombie
/// included. The number of a group stays taken while it has a member.
pub fn group_exists(leader: Pid) -> bool {
    send(leader.raw().saturating_neg(), 0).unwrap_or(true)
}

fn send(target: i32, signal: i32) -> Result<bool, Errno> {
    // SAFETY: numbers only; who is hit is decided above.
    if unsafe { libc::kill(target, signal) } == 0 {
        return Ok(true);
    }
    match nix::errno::Errno::last() {
        nix::errno::Errno::ESRCH => Ok(false),
        errno => Err(errno.into()),
    }
}
