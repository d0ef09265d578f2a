//! Times of the calendar as they are meant, whichever way they were written.

use serde::{Deserialize, Serialize};

use super::civil::{Civil, DAY, date, days, days_of_month, weekday};

/// The first and the last year that can be named, those of systemd.time(7). A search ends with
/// the last one.
pub(super) const FIRST_YEAR: u16 = 1970;
pub(super) const LAST_YEAR: u16 = 2199;

/// A set of numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Among(u64);

impl Among {
    /// Every so many, from the first to the last number.
    pub(super) fn steps(first: u16, last: u16, step: u16) -> Self {
        (first..=last).step_by(usize::from(step.max(1))).collect()
    }

    pub(super) fn has(self, number: u32) -> bool {
        self.least(number) == Some(number)
    }

    /// The least of them that is not below `from`.
    fn least(self, from: u32) -> Option<u32> {
        let rest = u64::MAX.checked_shl(from).unwrap_or(0) & self.0;
        (rest != 0).then(|| rest.trailing_zeros())
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<u16> for Among {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let bit = |number: u16| 1u64.checked_shl(number.into()).unwrap_or(0);
        Self(numbers.into_iter().fold(0, |all, number| all | bit(number)))
    }
}

/// Every so many years, from the first to the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Years {
    pub first: u16,
    pub last: u16,
    pub step: u16,
}

impl Years {
    fn has(self, year: i64) -> bool {
        let (first, last) = (i64::from(self.first), i64::from(self.last));
        let since = year.saturating_sub(first).checked_rem(self.step.into());
        (first..=last).contains(&year) && since == Some(0)
    }
}

/// The days of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Days {
    /// From 1 on.
    Numbered(Among),
    /// Counted back from the last one, which is 1.
    FromTheEnd(Among),
}

/// Times that a calendar can name, as systemd.time(7) and crontab(5) do: weekdays, and each
/// component of a date and a time of day. A time is meant if each of them fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarSpec {
    /// 0 is Monday.
    pub(super) weekdays: Among,
    pub(super) years: Vec<Years>,
    pub(super) months: Among,
    pub(super) days: Days,
    pub(super) hours: Among,
    pub(super) minutes: Among,
    pub(super) seconds: Among,
}

impl CalendarSpec {
    /// Midnight, every day.
    pub(super) fn midnight() -> Self {
        Self {
            weekdays: Among::steps(0, 6, 1),
            years: vec![Years { first: FIRST_YEAR, last: LAST_YEAR, step: 1 }],
            months: Among::steps(1, 12, 1),
            days: Days::Numbered(Among::steps(1, 31, 1)),
            hours: Among::steps(0, 0, 1),
            minutes: Among::steps(0, 0, 1),
            seconds: Among::steps(0, 0, 1),
        }
    }

    /// Whether a clock that shows this shows a time that is meant.
    pub fn matches(&self, local: Civil) -> bool {
        let is_time = self.hours.has(local.hour)
            && self.minutes.has(local.minute)
            && self.seconds.has(local.second);
        is_time
            && self.years.iter().any(|years| years.has(local.year))
            && self.months.has(local.month)
            && self.is_day(local.year, local.month, local.day)
    }

    /// Whether it means every hour of its days. Such a schedule counts hours, and one that
    /// names hours means what the clock on the wall shows: they differ on the days on which
    /// that clock is changed.
    pub fn is_of_every_hour(&self) -> bool {
        self.hours == Among::steps(0, 23, 1)
    }

    /// Whether it means every minute of its hours: that hour is one that goes on, however often
    /// the clock on the wall shows it.
    pub fn is_of_every_minute(&self) -> bool {
        self.minutes == Among::steps(0, 59, 1)
    }

    /// The first time from `from` on that is meant, both as a clock on the wall shows them and
    /// in seconds. None if there is no more up to [`LAST_YEAR`]: some 85,000 days of months are
    /// looked at then, which takes less than a millisecond.
    pub(super) fn next_local(&self, from: i64) -> Option<i64> {
        let (today, second) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        let join = |day: i64, second: u32| day.saturating_mul(DAY).saturating_add(second.into());
        if self.next_day(today)? == today
            && let Some(second) = self.time_from(u32::try_from(second).unwrap_or(0))
        {
            return Some(join(today, second));
        }
        Some(join(self.next_day(today.saturating_add(1))?, self.time_from(0)?))
    }

    /// The first day from `from` on, both in days since 1970.
    fn next_day(&self, from: i64) -> Option<i64> {
        let (this_year, this_month, today) = date(from);
        let named = |year: &i64| self.years.iter().any(|years| years.has(*year));
        let years = this_year.max(FIRST_YEAR.into())..=LAST_YEAR.into();
        for year in years.filter(named) {
            for month in (1..=12).filter(|month| self.months.has(*month)) {
                let least = match (year, month).cmp(&(this_year, this_month)) {
                    std::cmp::Ordering::Less => continue,
                    std::cmp::Ordering::Equal => today,
                    std::cmp::Ordering::Greater => 1,
                };
                let mut rest = least..=days_of_month(year, month);
                if let Some(day) = rest.find(|day| self.is_day(year, month, *day)) {
                    return Some(days(year, month, day));
                }
            }
        }
        None
    }

    /// Whether the day and its weekday are meant; year and month are, already.
    fn is_day(&self, year: i64, month: u32, day: u32) -> bool {
        let is_named = match self.days {
            Days::Numbered(named) => named.has(day),
            Days::FromTheEnd(named) => {
                named.has(days_of_month(year, month).saturating_sub(day).saturating_add(1))
            }
        };
        is_named && self.weekdays.has(weekday(days(year, month, day)))
    }

    /// The first time of a day from `from` on, both in seconds since midnight.
    fn time_from(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        let in_hour = |from: u32, second: u32| {
            let in_minute = self.seconds.least(second).filter(|_| self.minutes.has(from));
            let next =
                || Some((self.minutes.least(from.saturating_add(1))?, self.seconds.least(0)?));
            in_minute.map(|second| (from, second)).or_else(next)
        };
        let now = in_hour(minute, second).filter(|_| self.hours.has(hour));
        let later = || Some((self.hours.least(hour.saturating_add(1))?, in_hour(0, 0)?));
        let (hour, (minute, second)) = now.map(|rest| (hour, rest)).or_else(later)?;
        let minutes = hour.saturating_mul(60).saturating_add(minute);
        Some(minutes.saturating_mul(60).saturating_add(second))
    }
}
