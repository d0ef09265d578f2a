//! Stacks for children that share PID 1's memory until they exec.
//!
//! Each is a mapping of its own with a guard page below, so a child that runs too deep faults
//! alone instead of writing into its neighbour. They are kept and used again: a fresh mapping
//! costs two system calls and two page faults for every spawn.

use std::cell::RefCell;
use std::ptr::NonNull;

use crate::facts::Errno;

/// What the child's code may use. It needs about 2 KiB; the rest is for unoptimised builds.
const USABLE: usize = 64 << 10;
/// The largest page size of the supported machines (aarch64 with 64 KiB pages).
const GUARD: usize = 64 << 10;
/// How many idle stacks are kept; more go back to the kernel.
const KEPT: usize = 16;

thread_local! {
    static IDLE: RefCell<Vec<Stack>> = const { RefCell::new(Vec::new()) };
}

/// One mapping: guard below, stack above.
pub(super) struct Stack {
    base: NonNull<libc::c_void>,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Stack {}
// SAFETY: shared use only reads the address.
unsafe impl Sync for Stack {}

impl Stack {
    /// An idle stack or a new one; ENOMEM when there is none. mmap(2)
    pub(super) fn take() -> Result<Self, Errno> {
        match IDLE.with_borrow_mut(Vec::pop) {
            Some(stack) => Ok(stack),
            None => Self::map(),
        }
    }

    fn map() -> Result<Self, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        let size = GUARD.wrapping_add(USABLE);
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(nix::errno::Errno::last().into());
        }
        let stack = Self { base: NonNull::new(base).ok_or(Errno(libc::ENOMEM))? };
        // SAFETY: the range is the upper part of the mapping made just now.
        let done = unsafe {
            libc::mprotect(stack.low().cast(), USABLE, libc::PROT_READ | libc::PROT_WRITE)
        };
        // On failure `stack` unmaps itself.
        if done == 0 { Ok(stack) } else { Err(nix::errno::Errno::last().into()) }
    }

    /// Its lowest usable address, for clone3(2).
    pub(super) fn low(&self) -> *mut u8 {
        self.base.as_ptr().cast::<u8>().wrapping_add(GUARD)
    }

    /// Its length in bytes; a multiple of 16, so that the top is aligned as a call needs it.
    pub(super) fn size(&self) -> usize {
        USABLE
    }

    /// Put it back for the next child.
    pub(super) fn recycle(self) {
        // At the end of a thread the list may be gone; then the stack is dropped instead.
        IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            if idle.len() < KEPT {
                idle.push(self);
            }
        })
        .ok();
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: nobody runs on it: `spawn` keeps a stack until the kernel has said that its
        // child left this memory.
        unsafe { libc::munmap(self.base.as_ptr(), GUARD.wrapping_add(USABLE)) };
    }
}
