//! The system calls of the child, each a line over [`syscall::call`]: no errno, no allocation.
//!
//! Only `child` uses them, in a process that is about to exec. Its descriptor table, session,
//! ids, limits and signal actions are its own; its memory is PID 1's.

use core::ffi::{c_int, c_long, c_uint};

use super::plan::Text;
use super::syscall::{call, outcome};

type Answer = Result<usize, c_int>;

/// A call whose arguments are numbers.
fn numbers(number: c_long, arguments: [usize; 3]) -> Answer {
    let [a, b, c] = arguments;
    // SAFETY: the callers below pass no pointers, and each changes only the child's own
    // descriptors, session, ids or actions.
    outcome(unsafe { call(number, [a, b, c, 0, 0, 0]) })
}

/// A call whose first argument is a path, the others numbers.
fn path(number: c_long, text: Text, second: usize, third: usize) -> Answer {
    // SAFETY: a `Text` is NUL-terminated and lives as long as the script.
    outcome(unsafe { call(number, [text.pointer().addr(), second, third, 0, 0, 0]) })
}

/// Numbers as registers carry them: sign-extended, so that -1 is -1.
fn register(number: c_int) -> usize {
    number as isize as usize
}

pub(super) fn setsid() -> Answer {
    numbers(libc::SYS_setsid, [0; 3])
}

pub(super) fn getpid() -> u32 {
    numbers(libc::SYS_getpid, [0; 3]).map_or(0, |pid| u32::try_from(pid).unwrap_or(0))
}

pub(super) fn hang_up(fd: c_int) -> Answer {
    const TIOCVHANGUP: usize = 0x5437;
    numbers(libc::SYS_ioctl, [register(fd), TIOCVHANGUP, 0])
}

pub(super) fn take_terminal(fd: c_int) -> Answer {
    // The argument 1 takes it from a session that has it.
    numbers(libc::SYS_ioctl, [register(fd), libc::TIOCSCTTY as usize, 1])
}

pub(super) fn fcntl(fd: c_int, command: c_int, argument: c_int) -> Answer {
    numbers(libc::SYS_fcntl, [register(fd), register(command), register(argument)])
}

pub(super) fn dup3(from: c_int, to: c_int) -> Answer {
    numbers(libc::SYS_dup3, [register(from), register(to), 0])
}

pub(super) fn close(fd: c_int) -> Answer {
    numbers(libc::SYS_close, [register(fd), 0, 0])
}

/// The last close of a socket is not to wait until all is sent. ENOTSOCK.
pub(super) fn linger_not(fd: c_int) -> Answer {
    let off = libc::linger { l_onoff: 0, l_linger: 0 };
    let (level, name) = (register(libc::SOL_SOCKET), register(libc::SO_LINGER));
    let arguments =
        [register(fd), level, name, (&raw const off).addr(), size_of::<libc::linger>(), 0];
    // SAFETY: the struct is live and as long as is said.
    outcome(unsafe { call(libc::SYS_setsockopt, arguments) })
}

pub(super) fn close_range(first: c_uint, flags: c_uint) -> Answer {
    numbers(libc::SYS_close_range, [first as usize, c_uint::MAX as usize, flags as usize])
}

pub(super) fn set_nice(nice: c_int) -> Answer {
    numbers(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, register(nice)])
}

pub(super) fn umask(mask: u32) -> Answer {
    numbers(libc::SYS_umask, [mask as usize, 0, 0])
}

pub(super) fn set_gid(gid: u32) -> Answer {
    numbers(libc::SYS_setresgid, [gid as usize; 3])
}

pub(super) fn set_uid(uid: u32) -> Answer {
    numbers(libc::SYS_setresuid, [uid as usize; 3])
}

pub(super) fn no_new_privileges() -> Answer {
    // The two last arguments must be 0, and `numbers` passes 0 for what it is not given.
    numbers(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0])
}

pub(super) fn exit(status: c_int) -> ! {
    loop {
        // exit_group does not come back; the loop is for the compiler.
        numbers(libc::SYS_exit_group, [register(status), 0, 0]).ok();
    }
}

/// Waits so many nanoseconds, less than a second.
pub(super) fn pause(nanoseconds: i64) {
    let time: [i64; 2] = [0, nanoseconds];
    let arguments = [(&raw const time).addr(), 0, 0, 0, 0, 0];
    // SAFETY: the kernel reads a struct of this shape, 64 bits each, and is asked for no rest.
    outcome(unsafe { call(libc::SYS_nanosleep, arguments) }).ok();
}

pub(super) fn chdir(text: Text) -> Answer {
    path(libc::SYS_chdir, text, 0, 0)
}

pub(super) fn chroot(text: Text) -> Answer {
    path(libc::SYS_chroot, text, 0, 0)
}

pub(super) fn open(directory: c_int, text: Text, flags: c_int) -> Result<c_int, c_int> {
    let flags = register(flags | libc::O_CLOEXEC | libc::O_NOCTTY);
    let arguments = [register(directory), text.pointer().addr(), flags, 0, 0, 0];
    // SAFETY: a `Text` is NUL-terminated and lives as long as the script.
    let fd = outcome(unsafe { call(libc::SYS_openat, arguments) })?;
    c_int::try_from(fd).map_err(|_| libc::EBADF)
}

pub(super) fn write(fd: c_int, bytes: &[u8]) -> Answer {
    let arguments = [register(fd), bytes.as_ptr().addr(), bytes.len(), 0, 0, 0];
    // SAFETY: the slice is live and that long.
    outcome(unsafe { call(libc::SYS_write, arguments) })
}

pub(super) fn receive(fd: c_int, message: &mut libc::msghdr) -> Answer {
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let arguments = [register(fd), (&raw mut *message).addr(), register(flags), 0, 0, 0];
    // SAFETY: the header is live, and `child` points it at buffers of the lengths it says.
    outcome(unsafe { call(libc::SYS_recvmsg, arguments) })
}

pub(super) fn set_groups(groups: &[u32]) -> Answer {
    let arguments = [groups.len(), groups.as_ptr().addr(), 0, 0, 0, 0];
    // SAFETY: the slice is live and that long; gid_t is u32 on both architectures.
    outcome(unsafe { call(libc::SYS_setgroups, arguments) })
}

pub(super) fn set_limit(resource: u32, limit: &libc::rlimit64) -> Answer {
    let arguments = [0, resource as usize, (&raw const *limit).addr(), 0, 0, 0];
    // SAFETY: the kernel reads the live struct, and writes nothing as the last pointer is null.
    outcome(unsafe { call(libc::SYS_prlimit64, arguments) })
}

/// The kernel's own sigaction, sigaction(2): not the one of libc.
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

pub(super) fn set_action(signal: c_int, handler: libc::sighandler_t) -> Answer {
    let action = Action { handler, flags: 0, restorer: 0, mask: 0 };
    let arguments = [register(signal), (&raw const action).addr(), 0, size_of::<u64>(), 0, 0];
    // SAFETY: the struct has the kernel's shape on both architectures, and the table of actions
    // is the child's own: CLONE_SIGHAND is never used.
    outcome(unsafe { call(libc::SYS_rt_sigaction, arguments) })
}

/// Comes back only with the reason why not.
pub(super) fn execve(program: Text, argv: &[*const u8], envp: &[*const u8]) -> c_int {
    let arguments = [program.pointer().addr(), argv.as_ptr().addr(), envp.as_ptr().addr(), 0, 0, 0];
    // SAFETY: both arrays end with a null and hold pointers to texts of the script.
    outcome(unsafe { call(libc::SYS_execve, arguments) }).err().unwrap_or(libc::EIO)
}
