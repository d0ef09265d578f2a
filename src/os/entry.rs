//! The start of a program that ends in a moment, without std's own start.
//!
//! std's start finds the bounds of the stack to name an overflow: glibc reads /proc/self/maps
//! for that, and a `finitctl status` spends a seventh of its time there. What is left out is
//! that name; the rest is done here.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{UnwindSafe, catch_unwind};

use nix::sys::signal::{SigHandler, Signal, signal};

use super::early;

/// What a panic ends with, as with std.
const PANICKED: u8 = 101;

/// Makes a function the start of a program that says `#![no_main]`: it is given the words that the
/// program was started with, its own name first, and returns the exit code.
#[macro_export]
macro_rules! short_program {
    ($main:path) => {
        /// The C runtime calls this.
        #[allow(unsafe_code, reason = "the one function of that name in this program")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            count: ::std::ffi::c_int,
            words: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: they are what the C runtime calls `main` with.
            unsafe { $crate::os::entry::run(count, words, $main) }
        }
    };
}

/// Runs it with what Rust programs rely on: descriptors 0 to 2 are open, so that none is given
/// to a socket that would then receive what is printed, and writing to a pipe that nobody reads
/// is an error instead of the end.
///
/// # Safety
/// `words` points to as many strings as `count` says.
pub unsafe fn run(
    count: c_int,
    words: *const *const c_char,
    main: impl FnOnce(Vec<OsString>) -> u8 + UnwindSafe,
) -> c_int {
    early::fill();
    // SAFETY: ignoring installs no function, and cannot fail for this signal.
    let _before = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    // SAFETY: as our caller promises.
    let words = unsafe { owned(count, words) };
    c_int::from(catch_unwind(|| main(words)).unwrap_or(PANICKED))
}

/// The words. Without std's own start, std knows them with glibc alone.
///
/// # Safety
/// `words` points to as many strings as `count` says.
unsafe fn owned(count: c_int, words: *const *const c_char) -> Vec<OsString> {
    let word = |index: usize| {
        // SAFETY: there is one at each index below the count.
        let word = unsafe { *words.wrapping_add(index) };
        // SAFETY: it is a string that lives as long as the program.
        let word = unsafe { CStr::from_ptr(word) };
        OsStr::from_bytes(word.to_bytes()).to_owned()
    };
    (0..usize::try_from(count).unwrap_or(0)).map(word).collect()
}
