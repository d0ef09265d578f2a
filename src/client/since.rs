//! Times of the past as people type them, for `finitctl logs --since`.

use super::text;
use crate::calendar::{Civil, DAY};
use crate::os::time::{self, LocalTime};

/// What the lines of a log from that time on are not less than, since each begins with its time
/// in UTC: reads "10min", "2 h ago", "14:00" (the last time that the clock here said so),
/// "yesterday", "2026-11-24", "2026-11-24 14:00", and what a line begins with.
///
/// # Errors
/// In words, with examples.
pub fn parse(text: &str) -> Result<String, String> {
    let (now, _) = time::wall();
    let stamp = |(at, fraction)| Civil::of(at).to_string().replace(' ', "T") + fraction;
    moment(text.trim(), now).map(stamp).ok_or_else(|| {
        format!(
            "`{text}` is no time; write 10min, 14:00, yesterday, 2026-11-24, \
             \"2026-11-24 14:00\" or what a line of a log begins with"
        )
    })
}

/// In seconds since 1970, and the part of a second as it was written.
fn moment(text: &str, now: i64) -> Option<(i64, &str)> {
    if text == "now" {
        return Some((now, ""));
    }
    if let Some(age) = age(text) {
        return Some((now.checked_sub(age)?, ""));
    }
    let (text, utc) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (Some(date), clock),
        None if text.contains(':') => (None, text),
        None => (Some(text), "0:00"),
    };
    let (clock, fraction) = clock.split_at_checked(clock.find('.').unwrap_or(clock.len()))?;
    let digits = fraction.strip_prefix('.').unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let today = if utc { Civil::of(now) } else { local(now)? };
    let at = set_clock(set_date(today, date.unwrap_or("today"))?, clock)?;
    // Such as 23:00, an hour after midnight.
    let yesterday = || seconds(Civil::of(at.seconds().saturating_sub(DAY)), utc);
    let found = seconds(at, utc)?;
    let found = if date.is_none() && found > now { yesterday()? } else { found };
    Some((found, fraction))
}

/// "10min", "10 min ago", "-10min", in seconds. A number alone may be anything.
fn age(text: &str) -> Option<i64> {
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    let text = text.strip_prefix('-').unwrap_or(text);
    let age = text.ends_with(char::is_alphabetic).then(|| text::parse_time(text))?;
    i64::try_from(age.ok()?.as_secs()).ok()
}

fn set_date(today: Civil, date: &str) -> Option<Civil> {
    let set = match date {
        "today" => today,
        "yesterday" => Civil::of(today.seconds().saturating_sub(DAY)),
        _ => {
            let [year, month, day] = numbers(date, '-')?[..] else { return None };
            Civil { year: year.into(), month, day, ..today }
        }
    };
    // There is no 30th of February.
    (Civil::of(set.seconds()) == set).then_some(set)
}

fn set_clock(date: Civil, clock: &str) -> Option<Civil> {
    let (hour, minute, second) = match numbers(clock, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(Civil { hour, minute, second, ..date })
}

/// Unsigned numbers of at most four digits, the years that a stamp has.
fn numbers(text: &str, between: char) -> Option<Vec<u32>> {
    let number = |part: &str| {
        let good = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| part.parse().ok()).flatten()
    };
    text.split(between).map(number).collect()
}

fn local(seconds: i64) -> Option<Civil> {
    let at = time::local(seconds)?;
    let field = |number: i32| u32::try_from(number).ok();
    Some(Civil {
        year: at.year.into(),
        month: field(at.month)?,
        day: field(at.day)?,
        hour: field(at.hour)?,
        minute: field(at.minute)?,
        second: field(at.second)?,
    })
}

fn seconds(at: Civil, utc: bool) -> Option<i64> {
    if utc {
        return Some(at.seconds());
    }
    let field = |number: u32| i32::try_from(number).ok();
    time::seconds(LocalTime {
        year: i32::try_from(at.year).ok()?,
        month: field(at.month)?,
        day: field(at.day)?,
        hour: field(at.hour)?,
        minute: field(at.minute)?,
        second: field(at.second)?,
    })
}
