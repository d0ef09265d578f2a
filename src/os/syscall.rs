//! System calls without libc, for the child between clone and exec.
//!
//! The child shares PID 1's memory. A libc wrapper writes `errno`, which lives in the thread's
//! local storage, and the child has no storage of its own: it would write PID 1's errno while
//! PID 1 is running. Wrappers may also take locks or note in caches that PID 1 believes in
//! (setuid of glibc speaks to all threads). So the child uses the instruction itself; the
//! answer comes back in a register, negative for an error.

use core::arch::asm;
use core::ffi::{c_int, c_long};

/// One system call with up to six arguments; the answer is -errno on failure, syscall(2).
///
/// # Safety
/// The arguments must be right for that call: pointers live and long enough, and nothing that
/// the rest of the program relies on (a descriptor, a mapping) taken away.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) unsafe fn call(number: c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the instruction reads only these registers and changes rax, rcx and r11, all
    // named; memory is assumed changed, as nothing says otherwise. It uses no user stack, so
    // the red zone is untouched. That the call itself is right is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    answer
}

/// One system call with up to six arguments; the answer is -errno on failure, syscall(2).
///
/// # Safety
/// As for the other architecture.
#[cfg(target_arch = "aarch64")]
#[inline]
pub(super) unsafe fn call(number: c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the kernel keeps every register but x0; no user stack is used. That the call
    // itself is right is the caller's promise.
    unsafe {
        asm!(
            "svc 0",
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f, in("x8") number,
            options(nostack)
        );
    }
    answer
}

/// A clone call whose child begins at `entry(argument)` on the stack named in `arguments`.
/// The parent gets the answer as from [`call`]; the child never comes back.
///
/// One asm block covers both sides because the child wakes up in the next instruction with
/// another stack: compiled code there would look for its variables on a stack that is not its.
///
/// # Safety
/// `number` is clone or clone3, and `arguments` name a stack whose top is 16-byte aligned (the
/// ABI wants that at a call) and which nobody else uses until the child has gone from this
/// memory. `argument` must live as long. All signals must be blocked.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn begin<T>(
    number: c_long,
    arguments: [usize; 5],
    entry: extern "C" fn(*const T) -> !,
    argument: *const T,
) -> isize {
    let [a, b, c, d, e] = arguments;
    let answer: isize;
    // SAFETY: in the parent this is a plain system call (registers as in `call`). The child
    // starts with the parent's registers but rax 0 and its own rsp, so r12 and r13 hold what
    // was put there; its pushes go to its own stack, never to the parent's red zone. What it
    // overwrites is its own set of registers, so no clobber concerns the parent. rbp 0 ends a
    // backtrace. `entry` cannot return.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            in("r12") argument, in("r13") entry,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    answer
}

/// A clone call whose child begins at `entry(argument)` on the stack named in `arguments`.
///
/// # Safety
/// As for the other architecture.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn begin<T>(
    number: c_long,
    arguments: [usize; 5],
    entry: extern "C" fn(*const T) -> !,
    argument: *const T,
) -> isize {
    let [a, b, c, d, e] = arguments;
    let answer: isize;
    // SAFETY: in the parent this is a plain system call. The child has the parent's registers
    // but x0 = 0 and its own sp, so x20 and x21 hold what was put there. x29 0 ends a
    // backtrace. `entry` cannot return.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x8") number,
            in("x20") argument, in("x21") entry,
            lateout("x30") _,
        );
    }
    answer
}

/// The signal mask of this thread, all 64 signals: libc's own calls silently leave out the two
/// that glibc keeps for itself. Returns the mask there was. sigprocmask(2)
pub(super) fn set_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    let arguments = [
        libc::SIG_SETMASK as usize,
        (&raw const mask).addr(),
        (&raw mut before).addr(),
        size_of::<u64>(),
        0,
        0,
    ];
    // SAFETY: both pointers are to local words of the size that is passed.
    unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
    before
}

/// The signals that have come and are blocked, a bit each. sigpending(2)
pub(super) fn pending() -> u64 {
    let mut signals = 0u64;
    let arguments = [(&raw mut signals).addr(), size_of::<u64>(), 0, 0, 0, 0];
    // SAFETY: the pointer is to a local word of the size that is passed.
    unsafe { call(libc::SYS_rt_sigpending, arguments) };
    signals
}

/// A descriptor to read signals from, all 64 of them as with [`set_mask`]; signalfd(2).
pub(super) fn signalfd(mask: u64, flags: c_int) -> Result<c_int, c_int> {
    let new = usize::MAX;
    let flags = usize::try_from(flags).unwrap_or(0);
    let arguments = [new, (&raw const mask).addr(), size_of::<u64>(), flags, 0, 0];
    // SAFETY: the pointer is to a local word of the size that is passed.
    let answer = unsafe { call(libc::SYS_signalfd4, arguments) };
    outcome(answer).map(|fd| c_int::try_from(fd).unwrap_or(-1))
}

/// The answer of a system call as a plain number or an errno.
pub(super) fn outcome(answer: isize) -> Result<usize, c_int> {
    usize::try_from(answer).map_err(|_| c_int::try_from(answer.wrapping_neg()).unwrap_or(libc::EIO))
}
