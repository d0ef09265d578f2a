//! Giving memory back: a boot needs much that the years after it do not.

/// Returns idle stacks and free heap pages to the kernel, and forgets which pages of the program were used so
/// far: those that are needed again come back from the page cache, a boot's parsers and steps
/// do not. malloc_trim(3), madvise(2)
pub fn trim() {
    super::stack::trim();
    give_back();
    forget_text();
}

/// Others than glibc's malloc have nothing of the kind, and keep less.
#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: only free memory is given back.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

/// A private mapping of a file that nobody wrote to has nothing to lose.
fn forget_text() {
    unsafe extern "C" {
        // Made by the linker: where the program begins, and where its code and constants end.
        static __executable_start: u8;
        static etext: u8;
    }
    const PAGE: usize = 4096;
    let start = (&raw const __executable_start).addr().next_multiple_of(PAGE);
    let end = (&raw const etext).addr() & !(PAGE.wrapping_sub(1));
    let length = end.saturating_sub(start);
    let start = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the range is the read-only part of the program, a private mapping of its file:
    // the kernel drops its copies of the page table entries and reads the same bytes again.
    unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) };
}
