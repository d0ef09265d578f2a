//! What becomes of PID 1 when its own code faults or aborts. By default the kernel ends it, and
//! with it the machine. Instead it executes itself as its own lifeboat: nothing that is in its
//! memory can be trusted any more, but its children live on, and its descriptors stay open, so
//! that no service loses the pipe it writes to. signal(7), sigaction(2), signal-safety(7)

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The word that has finit be the lifeboat; what follows it is the name of the signal.
pub const WORD: &CStr = c"--lifeboat";

/// What code that goes wrong brings upon itself.
const FAULTS: [Signal; 6] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
    Signal::SIGSYS,
];

/// Descriptors beyond are not kept open: PID 1 of a large machine has some thousands.
pub(super) const KEPT: c_int = 1 << 16;

/// Has PID 1 outlive its faults. A program that it starts has the default again, execve(2).
pub fn catch() {
    // One at a time: the stack has no room for the registers of two, and the kernel ends who has
    // no room left.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::SigAction(on_fault), flags, SigSet::from_iter(FAULTS));
    for fault in FAULTS {
        // SAFETY: the handler calls only what signal-safety(7) lists.
        // The kernel lets each of these be caught.
        let _before = unsafe { sigaction(fault, &action) };
    }
}

/// Runs on the alternative stack that std gave the main thread. It allocates nothing and returns
/// only if it was somebody else who sent the signal.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    if !is_own(info) {
        return;
    }
    // SAFETY: asks for a number and cannot fail.
    if unsafe { libc::getpid() } != 1 {
        // A child before its program, which has this memory too: its fault is its own.
        // SAFETY: the default is a value for each signal; the fault then comes again.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    for number in 3..KEPT {
        // SAFETY: of a number that is not open it is an error, and nothing more.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
    }
    unblock();
    let argv: [*const c_char; 4] =
        [c"finit".as_ptr(), WORD.as_ptr(), name(signal).as_ptr(), null()];
    let env: [*const c_char; 1] = [null()];
    for program in [c"/proc/self/exe", c"/sbin/init"] {
        // SAFETY: strings and lists that end with a null pointer. It returns only if it fails.
        unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    }
    // A machine that does nothing but reap is more than none.
    loop {
        // SAFETY: waits for any child, and asks for nothing that would have to be written.
        if unsafe { libc::waitpid(-1, null_mut(), 0) } < 0 {
            // SAFETY: sleeps until a signal comes, and changes nothing.
            unsafe { libc::poll(null_mut(), 0, 500) };
        }
    }
}

/// execve(2) hands on what is blocked, and a fault that is blocked ends the process at once. What
/// others have sent meanwhile comes now: for the first process the default is to ignore that.
fn unblock() {
    let mut faults = SigSet::empty();
    for fault in FAULTS {
        faults.add(fault);
        // SAFETY: the default is a value for each signal.
        unsafe { libc::signal(fault as c_int, libc::SIG_DFL) };
    }
    // It fails for unknown words alone.
    let _done = faults.thread_unblock();
}

/// Whether the kernel says that this code did it, or it was abort(3): everybody who may send
/// signals to PID 1 can send these too.
fn is_own(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the kernel hands a pointer to one that it has filled in.
    let Some(info) = (unsafe { info.as_ref() }) else { return false };
    // SAFETY: si_pid is there for every signal that a process has sent.
    let sender = || unsafe { info.si_pid() };
    // SAFETY: asks for a number and cannot fail.
    info.si_code > 0 || info.si_code == libc::SI_TKILL && sender() == unsafe { libc::getpid() }
}

/// What a person is told. `Signal::as_str` of nix has no zero at its end.
fn name(signal: c_int) -> &'static CStr {
    match signal {
        libc::SIGSEGV => c"SIGSEGV",
        libc::SIGBUS => c"SIGBUS",
        libc::SIGILL => c"SIGILL",
        libc::SIGFPE => c"SIGFPE",
        libc::SIGABRT => c"SIGABRT",
        _ => c"SIGSYS",
    }
}
