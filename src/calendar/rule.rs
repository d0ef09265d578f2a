//! How clocks are changed year after year: the TZ of POSIX, with which a zone file ends.

use super::civil::{DAY, date, days, days_of_month, is_leap, weekday};
use super::zone::Change;

/// "CET-1CEST,M3.5.0,M10.5.0/3".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// How far local time is ahead of UTC, in seconds.
    standard: i32,
    summer: Option<Summer>,
}

/// Daylight saving time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i32,
    begins: YearlyTime,
    ends: YearlyTime,
}

/// A time in each year.
#[derive(Debug, Clone, PartialEq, Eq)]
struct YearlyTime {
    day: YearDay,
    /// Seconds from midnight; RFC 9636 has up to a week, before and after.
    time: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum YearDay {
    /// 1 to 365; the 29th of February is not counted.
    WithoutLeapDay(u16),
    /// 0 to 365.
    Counted(u16),
    /// The nth such weekday of a month, 5 for the last one; 0 is Sunday.
    Weekday { month: u32, nth: u32, weekday: u32 },
}

impl Rule {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        rest.name()?;
        let standard = rest.offset()?;
        if rest.0.is_empty() {
            return Some(Self { standard, summer: None });
        }
        rest.name()?;
        let is_usual = rest.0.starts_with(',');
        let offset = if is_usual { standard.checked_add(3600)? } else { rest.offset()? };
        let begins = rest.yearly_time()?;
        let ends = rest.yearly_time()?;
        let summer = Some(Summer { offset, begins, ends });
        rest.0.is_empty().then_some(Self { standard, summer })
    }

    /// Its offset outside of summer time.
    pub(super) fn standard(&self) -> i32 {
        self.standard
    }

    /// The changes of the years around a moment, ascending; none without summer time.
    pub(super) fn around(&self, at: i64) -> Vec<Change> {
        let Some(summer) = &self.summer else { return Vec::new() };
        let (year, _, _) = date(at.div_euclid(DAY));
        // A rule may name a time a week from its day, and so in another year.
        let years = (-2..=2).map(|more| year.saturating_add(more));
        let mut changes: Vec<Change> = years
            .flat_map(|year| {
                let begins = summer.begins.in_year(year).saturating_sub(self.standard.into());
                let ends = summer.ends.in_year(year).saturating_sub(summer.offset.into());
                [
                    Change { at: begins, offset: summer.offset },
                    Change { at: ends, offset: self.standard },
                ]
            })
            .collect();
        changes.sort_by_key(|change| change.at);
        // Summer time for ever is written as one that ends when the next one begins.
        let changes = changes.chunk_by(|a, b| a.at == b.at);
        changes.filter_map(|same| same.last().copied()).collect()
    }
}

impl YearlyTime {
    /// In seconds since 1970 of local time.
    fn in_year(&self, year: i64) -> i64 {
        let new_year = days(year, 1, 1);
        let day = match self.day {
            YearDay::Counted(day) => new_year.saturating_add(day.into()),
            YearDay::WithoutLeapDay(day) => {
                let is_after = is_leap(year) && day >= 60;
                let day = if is_after { day } else { day.saturating_sub(1) };
                new_year.saturating_add(day.into())
            }
            YearDay::Weekday { month, nth, weekday: sunday_first } => {
                let first = weekday(days(year, month, 1));
                let wanted = sunday_first.saturating_add(6);
                let wait = wanted.saturating_add(7).saturating_sub(first) % 7;
                let mut day = nth.saturating_sub(1).saturating_mul(7).saturating_add(wait);
                if day >= days_of_month(year, month) {
                    day = day.saturating_sub(7);
                }
                days(year, month, 1).saturating_add(day.into())
            }
        };
        day.saturating_mul(DAY).saturating_add(self.time.into())
    }
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn skip(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(())
    }

    /// A name of local time, "CEST" or "<+0330>".
    fn name(&mut self) -> Option<()> {
        if let Some(quoted) = self.0.strip_prefix('<') {
            (_, self.0) = quoted.split_once('>')?;
            return Some(());
        }
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let is_name = rest.len() < self.0.len();
        self.0 = rest;
        is_name.then_some(())
    }

    fn number(&mut self, largest: u16) -> Option<u16> {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = self.0.strip_suffix(rest)?.parse().ok()?;
        self.0 = rest;
        (number <= largest).then_some(number)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn time(&mut self, largest: u16) -> Option<i32> {
        let sign = if self.skip('-').is_some() { -1 } else { 1 };
        if sign == 1 {
            self.skip('+');
        }
        let hours = self.number(largest)?;
        let minutes = if self.skip(':').is_some() { self.number(59)? } else { 0 };
        let seconds = if self.skip(':').is_some() { self.number(59)? } else { 0 };
        let minutes = i32::from(hours).checked_mul(60)?.checked_add(minutes.into())?;
        minutes.checked_mul(60)?.checked_add(seconds.into())?.checked_mul(sign)
    }

    /// The other way round than everywhere else: what is east of Greenwich is below zero here.
    fn offset(&mut self) -> Option<i32> {
        self.time(24)?.checked_neg()
    }

    fn yearly_time(&mut self) -> Option<YearlyTime> {
        self.skip(',')?;
        let day = if self.skip('M').is_some() {
            let month = self.number(12)?.into();
            self.skip('.')?;
            let nth = self.number(5)?.into();
            self.skip('.')?;
            let weekday = self.number(6)?.into();
            (month > 0 && nth > 0).then_some(YearDay::Weekday { month, nth, weekday })?
        } else if self.skip('J').is_some() {
            let day = self.number(365)?;
            (day > 0).then_some(YearDay::WithoutLeapDay(day))?
        } else {
            YearDay::Counted(self.number(365)?)
        };
        let time = if self.skip('/').is_some() { self.time(167)? } else { 7200 };
        Some(YearlyTime { day, time })
    }
}
