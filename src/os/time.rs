//! The two clocks; clock_gettime(2).

use std::time::{SystemTime, UNIX_EPOCH};

use crate::facts::Moment;

/// Microseconds on CLOCK_MONOTONIC: it does not jump, and stands still while suspended.
pub fn now() -> Moment {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local struct. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0) / 1000;
    Moment(seconds.saturating_mul(1_000_000).saturating_add(rest))
}

/// Seconds since 1970 and nanoseconds, on the wall clock: for people and calendars only, since
/// it jumps.
pub fn wall() -> (i64, u32) {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        // A clock before 1970 is one that nobody has set.
        Err(_) => (0, 0),
    }
}
