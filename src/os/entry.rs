//! The start of a program that ends in a moment, without std's own start.
//!
//! std's start finds the bounds of the stack to name an overflow: glibc reads /proc/self/maps
//! for that, and a `finitctl status` spends a seventh of its time there. What is left out is
//! that name; the rest is done here.

use std::panic::{UnwindSafe, catch_unwind};

use nix::sys::signal::{SigHandler, Signal, signal};

use super::early;

/// What a panic ends with, as with std.
const PANICKED: u8 = 101;

/// Makes a function without arguments that returns a `u8` the start of a program that says
/// `#![no_main]`.
#[macro_export]
macro_rules! short_program {
    ($main:path) => {
        /// The C runtime calls this.
        #[allow(unsafe_code, reason = "the one function of that name in this program")]
        #[unsafe(no_mangle)]
        pub extern "C" fn main() -> i32 {
            $crate::os::entry::run($main)
        }
    };
}

/// Runs it with what Rust programs rely on: descriptors 0 to 2 are open, so that none is given
/// to a socket that would then receive what is printed, and writing to a pipe that nobody reads
/// is an error instead of the end.
pub fn run(main: impl FnOnce() -> u8 + UnwindSafe) -> i32 {
    early::fill();
    // SAFETY: ignoring installs no function, and cannot fail for this signal.
    let _before = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    i32::from(catch_unwind(main).unwrap_or(PANICKED))
}
