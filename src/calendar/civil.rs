//! Dates and times of day as numbers, without a zone: the Gregorian calendar.

use std::fmt;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A date and a time of day, as a clock on the wall shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
}

impl Civil {
    /// What a clock shows that many seconds after the first of January 1970, 00:00:00.
    pub fn of(seconds: i64) -> Self {
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let second = u32::try_from(seconds.rem_euclid(DAY)).unwrap_or(0);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Self { year, month, day, hour, minute, second }
    }

    /// The seconds again.
    pub fn seconds(self) -> i64 {
        let minutes = self.hour.saturating_mul(60).saturating_add(self.minute);
        let second = minutes.saturating_mul(60).saturating_add(self.second);
        days(self.year, self.month, self.day).saturating_mul(DAY).saturating_add(second.into())
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> u32 {
        weekday(days(self.year, self.month, self.day))
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_of_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the first of January.
fn days_before(year: i64) -> i64 {
    let last = year.saturating_sub(1);
    // The leap years up to the last one; 477 of them were over before 1970.
    let leaps = last.div_euclid(4).saturating_sub(last.div_euclid(100));
    let leaps = leaps.saturating_add(last.div_euclid(400)).saturating_sub(477);
    year.saturating_sub(1970).saturating_mul(365).saturating_add(leaps)
}

/// Days from 1970 to a date.
pub(super) fn days(year: i64, month: u32, day: u32) -> i64 {
    let months: u32 = (1..month).map(|month| days_of_month(year, month)).sum();
    days_before(year).saturating_add(months.into()).saturating_add(day.into()).saturating_sub(1)
}

/// The year, month and day that are so many days after the first of January 1970.
pub(super) fn date(days: i64) -> (i64, u32, u32) {
    // 400 years have 146,097 days, wherever they begin; the guess is off by one at most.
    let guess = days.saturating_mul(400).div_euclid(146_097).saturating_add(1970);
    let later = guess.saturating_add(1);
    let year = match days {
        _ if days < days_before(guess) => guess.saturating_sub(1),
        _ if days >= days_before(later) => later,
        _ => guess,
    };
    let mut rest = u32::try_from(days.saturating_sub(days_before(year))).unwrap_or(0);
    for month in 1..12 {
        let length = days_of_month(year, month);
        match rest.checked_sub(length) {
            Some(less) => rest = less,
            None => return (year, month, rest.saturating_add(1)),
        }
    }
    (year, 12, rest.saturating_add(1))
}

/// 0 for Monday to 6 for Sunday; 1970 began on a Thursday.
pub(super) fn weekday(days: i64) -> u32 {
    u32::try_from(days.saturating_add(3).rem_euclid(7)).unwrap_or(0)
}
