//! Times of a shutdown as people type them.

use std::time::Duration;

use super::connect::Failure;
use crate::os::time;

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After that much time.
    In(Duration),
    /// The next time that the clock on the wall says so.
    At {
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
    },
}

impl When {
    /// At once.
    pub const NOW: Self = Self::In(Duration::ZERO);

    /// Reads "now", "+5" (minutes, as shutdown(8) counts), "+30s", "+2h", "22:00".
    ///
    /// # Errors
    /// In words, with examples.
    pub fn parse(text: &str) -> Result<Self, String> {
        let time = match text {
            "now" | "0" => Some(Self::NOW),
            _ => match text.strip_prefix('+') {
                Some(wait) => wait_of(wait).map(Self::In),
                None => time_of_day(text),
            },
        };
        time.ok_or_else(|| format!("`{text}` is no time; write now, +5 (minutes), +2h or 22:00"))
    }

    /// Seconds from now: PID 1 is told no clock time, so that the two cannot disagree.
    ///
    /// # Errors
    /// This machine does not know its local time.
    pub fn seconds(self) -> Result<u64, Failure> {
        match self {
            Self::In(wait) => Ok(wait.as_secs()),
            Self::At { hour, minute } => time::until(hour, minute).ok_or_else(|| {
                Failure::Local("the local time is not known; say +5 instead".to_owned())
            }),
        }
    }
}

/// Digits alone, at least one: `parse` would take a sign too.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn wait_of(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at_checked(end)?;
    let seconds = match unit {
        "" | "m" | "min" => 60,
        "s" => 1,
        "h" => 3600,
        _ => return None,
    };
    number::<u64>(count)?.checked_mul(seconds).map(Duration::from_secs)
}

fn time_of_day(text: &str) -> Option<When> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (number(hour)?, (minute.len() == 2).then(|| number(minute))??);
    (hour < 24 && minute < 60).then_some(When::At { hour, minute })
}
