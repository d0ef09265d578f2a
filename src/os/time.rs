//! The two clocks, clock_gettime(2), and what the one on the wall says here, localtime(3).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::facts::{Errno, Moment};

/// Microseconds on CLOCK_MONOTONIC: it does not jump, and stands still while suspended.
pub fn now() -> Moment {
    let time = read(libc::CLOCK_MONOTONIC);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0) / 1000;
    Moment(seconds.saturating_mul(1_000_000).saturating_add(rest))
}

/// As the beginnings of processes are counted, in hundredths of a second since the machine began,
/// suspended or not; proc_pid_stat(5), CLOCK_BOOTTIME.
pub fn ticks() -> u64 {
    let time = read(libc::CLOCK_BOOTTIME);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0) / 10_000_000;
    seconds.saturating_mul(100).saturating_add(rest)
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local struct. The clocks that are asked for always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
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

/// A moment of the wall clock in the time zone of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Such as 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 60.
    pub second: i32,
}

/// The local time of a moment in seconds since 1970; none for one that no calendar has.
pub fn local(seconds: i64) -> Option<LocalTime> {
    let tm = broken_down(seconds)?;
    Some(LocalTime {
        year: tm.tm_year.checked_add(1900)?,
        month: tm.tm_mon.checked_add(1)?,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    })
}

/// The moment of a local time in seconds since 1970; a day beyond its month is carried over.
/// Of two that a change from summer time makes, or none, mktime(3) takes one.
pub fn seconds(local: LocalTime) -> Option<i64> {
    let mut tm = broken_down(0)?;
    tm.tm_year = local.year.checked_sub(1900)?;
    tm.tm_mon = local.month.checked_sub(1)?;
    (tm.tm_mday, tm.tm_hour, tm.tm_min) = (local.day, local.hour, local.minute);
    (tm.tm_sec, tm.tm_isdst) = (local.second, -1);
    // SAFETY: the pointer is to a local struct.
    let seconds = unsafe { libc::mktime(&raw mut tm) };
    (seconds != -1).then_some(seconds)
}

/// Seconds until the local clock says that time of day the next time, a change to or from
/// summer time on the way included.
pub fn until(hour: u8, minute: u8) -> Option<u64> {
    let (now, _) = wall();
    let today = local(now)?;
    let at = |days: i32| {
        let day = today.day.checked_add(days)?;
        let at = LocalTime { day, hour: hour.into(), minute: minute.into(), second: 0, ..today };
        seconds(at)?.checked_sub(now).filter(|wait| *wait > 0)
    };
    at(0).or_else(|| at(1)).and_then(|wait| u64::try_from(wait).ok())
}

fn broken_down(seconds: i64) -> Option<libc::tm> {
    // SAFETY: a struct of numbers and a pointer, for which zero is a value.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to local values.
    let known = unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
    (!known.is_null()).then_some(tm)
}

/// A descriptor that can be read once somebody sets the clock on the wall, or the machine has
/// slept; timerfd_create(2), TFD_TIMER_CANCEL_ON_SET.
pub fn watch_wall() -> Result<OwnedFd, Errno> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no pointers.
    let made = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, flags) };
    let number = nix::errno::Errno::result(made)?;
    // SAFETY: the kernel gave us this descriptor just now.
    let watch = unsafe { OwnedFd::from_raw_fd(number) };
    watch_wall_again(watch.as_fd())?;
    Ok(watch)
}

/// The same descriptor watches on, after it has told.
pub fn watch_wall_again(watch: BorrowedFd<'_>) -> Result<(), Errno> {
    // It never rings by itself: the end of all time is far.
    let never = libc::timespec { tv_sec: libc::c_long::MAX, tv_nsec: 0 };
    let once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let value = libc::itimerspec { it_interval: once, it_value: never };
    let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    let none = std::ptr::null_mut();
    // SAFETY: the value lives as long as the call, and no old one is asked for.
    let set = unsafe { libc::timerfd_settime(watch.as_raw_fd(), flags, &raw const value, none) };
    Ok(nix::errno::Errno::result(set).map(drop)?)
}
