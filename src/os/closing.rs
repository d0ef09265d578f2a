//! Closing what others gave us. The last close(2) of a file may wait for as long as somebody else
//! likes: that of a connection with SO_LINGER until its other side has read everything, socket(7),
//! that of a file of a user's own file system until that answers. PID 1 never waits, so a child
//! does it that shares the table of descriptors with us and nothing else; it is reaped like any
//! other that nobody knows. Those that have not ended are counted: whoever takes descriptors from
//! strangers takes none while they are many, or any user could have all of ours and all processes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};

use crate::facts::Pid;

use super::{calls, syscall};

/// So many children that close are many.
const MANY: usize = 16;

thread_local! {
    /// Those that have not ended.
    static CLOSERS: RefCell<BTreeSet<isize>> = const { RefCell::new(BTreeSet::new()) };
}

/// How many children still close.
pub fn count() -> usize {
    CLOSERS.with_borrow(BTreeSet::len)
}

/// Whether no more is to be taken that may have to be closed.
pub fn are_many() -> bool {
    count() >= MANY
}

/// A child has ended that nobody knows: it may be one of these.
pub fn ended(pid: Pid) {
    CLOSERS
        .with_borrow_mut(|closers| isize::try_from(pid.raw()).map(|pid| closers.remove(&pid)).ok());
}

/// Closes these, and waits for none. Where no child can be made, they are closed here.
pub fn aside(fds: Vec<OwnedFd>) {
    // A pipe waits for nobody, and most that come are one: the barriers of sd_notify(3).
    let is_pipe = |fd: &OwnedFd| fcntl(fd, FcntlArg::F_GETPIPE_SZ).is_ok();
    let others: Vec<OwnedFd> = fds.into_iter().filter(|fd| !is_pipe(fd)).collect();
    if others.is_empty() {
        return;
    }
    let answer = have_child(libc::CLONE_FILES, || {
        for fd in &others {
            // Most that would linger are spared it, and the child with them.
            calls::linger_not(fd.as_raw_fd()).ok();
            calls::close(fd.as_raw_fd()).ok();
        }
    });
    if answer > 0 {
        CLOSERS.with_borrow_mut(|closers| closers.insert(answer));
        // They are the child's to close, and their numbers are taken until it has.
        for fd in others {
            let _number = fd.into_raw_fd();
        }
    }
}

/// Has a child do a few system calls and end: its number, or less than 1 where none can be made.
/// It is reaped like any other that nobody knows.
pub(super) fn have_child(shares: libc::c_int, work: impl FnOnce()) -> isize {
    // No handler of ours runs in the child: it would write into our pipes.
    let mask = syscall::set_mask(u64::MAX);
    let flags = usize::try_from(shares | libc::SIGCHLD).unwrap_or(0);
    // SAFETY: without CLONE_VM and a stack this is a fork(2): the child goes on here with copies of
    // all memory, and what it does until its end is a few system calls. WHY: nix's fork copies the
    // table of descriptors, and what is closed in a copy stays open in ours.
    let answer = unsafe { syscall::call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]) };
    if answer == 0 {
        work();
        calls::exit(0);
    }
    syscall::set_mask(mask);
    answer
}
