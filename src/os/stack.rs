//! Stacks for children that share PID 1's memory until they exec.
//!
//! Each is a mapping of its own with a guard page below, so a child that runs too deep faults
//! alone instead of writing into its neighbour. They are used again as soon as the kernel says
//! that the child has left this memory, and most are mapped before there is any child: a fresh
//! mapping costs three system calls, a page fault, an interrupt of the other processors, and
//! a wait for children that are just having a page fault of their own.

use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;

use super::lanes;
use super::plan::Script;
use crate::facts::Errno;

/// What the child's code may use. It needs about 2 KiB; the rest is for unoptimised builds.
const USABLE: usize = 64 << 10;
/// The largest page size of the supported machines (aarch64 with 64 KiB pages).
const GUARD: usize = 64 << 10;
/// How many stacks are mapped at first and kept when idle: as many as children are usually on
/// their way when a whole machine starts. Beyond, each goes back to the kernel after its use.
const KEPT: usize = 32;
/// How many idle ones keep the memory behind them when that is over.
const KEPT_IN_PEACE: usize = 2;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { idle: Vec::new(), lent: Vec::new() }) };
}

/// All stacks of a thread.
struct Pool {
    idle: Vec<Stack>,
    /// Those of children that were not yet seen to be gone, with the script that says so.
    lent: Vec<(Arc<Script>, Stack)>,
}

/// Lend a stack to the child that is to follow this script: its lowest address and its length.
/// It comes back by itself when the child has left. ENOMEM when there is none. mmap(2)
pub(super) fn lend(script: &Arc<Script>) -> Result<(*mut u8, usize), Errno> {
    POOL.with_borrow_mut(|pool| {
        if pool.idle.is_empty() {
            pool.fill();
        }
        let stack = pool.idle.pop().map_or_else(Stack::map, Ok)?;
        let low = stack.low();
        pool.lent.push((Arc::clone(script), stack));
        Ok((low, USABLE))
    })
}

/// Take back what the child of this script used, if it has left. What its parent would have to
/// remember is then freed at once and not only when the next child needs a stack.
pub(super) fn take_back(script: &Arc<Script>) {
    // At the end of a thread the pool may be gone, and has done this itself.
    POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let place = pool.lent.iter().position(|(lent, _)| Arc::ptr_eq(lent, script));
        if let Some(place) = place.filter(|_| is_over(script)) {
            let (script, stack) = pool.lent.swap_remove(place);
            pool.recycle(&script, stack);
        }
    })
    .ok();
}

/// Give the memory of idle stacks back to the kernel but for a few: those that were used last,
/// and will be used next.
pub(super) fn trim() {
    lanes::settle();
    POOL.with_borrow_mut(|pool| {
        pool.collect();
        let rest = pool.idle.len().saturating_sub(KEPT_IN_PEACE);
        pool.idle.iter().take(rest).for_each(Stack::empty);
    });
}

/// Whether no child uses the script, nor the stack lent for it.
fn is_over(script: &Script) -> bool {
    script.busy.load(Acquire) == 0
}

impl Pool {
    /// Get idle stacks: all at the very first, then those of children that have left.
    fn fill(&mut self) {
        if self.lent.is_empty() {
            // What cannot be had now may be had when it is needed.
            self.idle.extend(std::iter::from_fn(|| Stack::map().ok()).take(KEPT));
        } else {
            self.collect();
        }
    }

    /// Take back what all children that have left used.
    fn collect(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        for (script, stack) in lent {
            if is_over(&script) {
                self.recycle(&script, stack);
            } else {
                self.lent.push((script, stack));
            }
        }
    }

    fn recycle(&mut self, script: &Script, stack: Stack) {
        if !script.has_arrived() {
            lanes::settle();
        }
        if self.idle.len() < KEPT {
            self.idle.push(stack);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The thread ends and cannot look again: what is in use is given up for good.
        for lent in self.lent.drain(..).filter(|(script, _)| !is_over(script)) {
            Box::leak(Box::new(lent));
        }
    }
}

/// One mapping: guard below, stack above.
struct Stack {
    base: NonNull<libc::c_void>,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Stack {}
// SAFETY: shared use only reads the address.
unsafe impl Sync for Stack {}

impl Stack {
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

    /// Its lowest usable address. Address and length are multiples of 16, so that the top is
    /// aligned as a call needs it.
    fn low(&self) -> *mut u8 {
        self.base.as_ptr().cast::<u8>().wrapping_add(GUARD)
    }

    /// Give back the memory behind it, which nobody uses; the next use gets it anew.
    fn empty(&self) {
        // SAFETY: the range is the usable part of a mapping of ours on which nobody runs, and
        // nothing that is on it is read again.
        unsafe { libc::madvise(self.low().cast(), USABLE, libc::MADV_DONTNEED) };
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: nobody runs on it: the pool keeps a stack until the kernel has said that its
        // child left this memory.
        unsafe { libc::munmap(self.base.as_ptr(), GUARD.wrapping_add(USABLE)) };
    }
}
