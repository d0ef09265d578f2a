//! The key `schedule`: everything that can make a task due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use super::spec::CalendarSpec;
use super::words::Word;
use super::zone::Zone;
use super::{cron, oncalendar};
use crate::facts::{SpanError, time_span};

/// When a task is due: whatever of it comes first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// At any of these times of the calendar.
    pub at: Vec<CalendarSpec>,
    /// That long after the last time.
    pub every: Option<Duration>,
    /// That long after the machine started, once.
    pub after_boot: Option<Duration>,
    /// That long after the task was enabled, once.
    pub after_enable: Option<Duration>,
    /// Up to that much later, so that not everything begins at once.
    pub jitter: Duration,
    /// Whether a time of the calendar that passed while the machine was off is made up for. It
    /// was missed if [`next_at`](Self::next_at) the last run is over.
    pub catch_up: bool,
    /// The zone that the times of the calendar are meant in, by its name under
    /// /usr/share/zoneinfo; that of the machine without.
    pub zone: Option<String>,
}

impl Schedule {
    /// Reads all that one text can say: `daily 03:00`, `weekly Sun 04:00`, `every 15m`,
    /// `mon..fri 09:30 Europe/Berlin`, `Sun *-*-1..7 01:00 UTC`, `cron: 0 3 * * 0`.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let whole = Word::whole(text);
        let mut schedule = Self::default();
        match whole.words().split_first() {
            Some((first, rest)) if first.is("every") => schedule.every = Some(every(*first, rest)?),
            Some(_) if is_reboot(whole) => schedule.after_boot = Some(Duration::ZERO),
            _ => schedule.add(text)?,
        }
        Ok(schedule)
    }

    /// Adds a time of the calendar, in any notation: one entry of the list `at`.
    pub fn add(&mut self, text: &str) -> Result<(), Mistake> {
        let whole = Word::whole(text);
        match whole.words().first() {
            Some(first) if first.is("every") => {
                return Err(first.wrong("is no time of the calendar", "use the key `every`"));
            }
            Some(first) if first.text.starts_with('@') => {
                let hint = "write `cron:` before a word of cron, or a date and a time of day";
                return Err(first.wrong("cannot begin a time", hint));
            }
            _ => {}
        }
        if is_reboot(whole) {
            return Err(whole.wrong("is no time of the calendar", "use the key `after-boot`"));
        }
        let (fields, is_cron) = match whole.strip_prefix("cron:") {
            Some(fields) => (fields, true),
            None => (whole, false),
        };
        let mut words = fields.words();
        // What cron's last field may hold, like `mon-fri/2`, looks like a zone.
        let has_room = match words.first() {
            Some(first) if is_cron && !first.text.starts_with('@') => words.len() > 5,
            _ => words.len() > 1,
        };
        if let Some(zone) = words.pop_if(|word| has_room && is_zone(word)) {
            self.name_zone(zone)?;
        }
        let specs = match is_cron {
            true => cron::parse(whole, &words)?,
            false => vec![oncalendar::parse(&words)?],
        };
        // What never comes was meant to be something else.
        if !specs.iter().any(|spec| spec.next_local(0).is_some()) {
            let hint = "no day up to the year 2199 is all of this; check month, day and weekday";
            return Err(whole.wrong("never comes", hint));
        }
        self.at.extend(specs);
        Ok(())
    }

    /// Says which zone the times are meant in: the key `zone`.
    pub fn set_zone(&mut self, name: &str) -> Result<(), Mistake> {
        self.name_zone(Word::whole(name))
    }

    fn name_zone(&mut self, zone: Word) -> Result<(), Mistake> {
        let name = zone_name(zone)?;
        match &self.zone {
            Some(other) if *other != name => {
                let hint = format!("write `{other}` everywhere, or make two tasks of it");
                Err(zone.wrong("is a second time zone", hint))
            }
            _ => {
                self.zone = Some(name);
                Ok(())
            }
        }
    }

    /// The first time of the calendar later than `after`, both in seconds since 1970; see
    /// [`CalendarSpec::next`].
    pub fn next_at(&self, after: i64, zone: &Zone) -> Option<i64> {
        self.at.iter().filter_map(|spec| spec.next(after, zone)).min()
    }
}

fn is_reboot(whole: Word) -> bool {
    let fields = whole.strip_prefix("cron:").map(Word::words);
    fields.is_some_and(|words| matches!(&*words, [word] if word.is("@reboot")))
}

/// `15m`, `1h 30m`.
fn every(first: Word, rest: &[Word]) -> Result<Duration, Mistake> {
    const FORM: &str = "write a duration like `every 15m` or `every 1h30m`";
    let (Some(begin), Some(end)) = (rest.first(), rest.last()) else {
        return Err(first.wrong("needs a duration", FORM));
    };
    let text: String = rest.iter().map(|word| word.text).collect();
    let wrong = |what: &str, hint: &str| {
        let end = end.start.saturating_add(end.text.len());
        let mistake = Word::whole(&text).wrong(what, hint);
        Err(Mistake { at: begin.start..end, ..mistake })
    };
    match time_span(&text) {
        Ok(span) if span.is_zero() => wrong("is no time to wait", "write a longer one, like 1s"),
        Ok(span) => Ok(span),
        Err(SpanError::TooLong) => wrong("is longer than a hundred years", FORM),
        Err(SpanError::NoUnit) => wrong("has no unit", &format!("write `{text}m` for minutes")),
        Err(SpanError::Form) => {
            let hint = "write a duration like `15m` behind `every`, or daily, weekly or monthly";
            wrong("is no duration", hint)
        }
    }
}

/// Whether the last word of an expression is meant as a time zone: `Europe/Berlin`, `CET`. The
/// few zones with names like `Japan` can be told from mistyped words by the key `zone` only.
fn is_zone(word: &Word) -> bool {
    let is_path = word.text.contains('/');
    let is_capital = !word.text.contains(|c: char| c.is_ascii_lowercase());
    let is_name = word.text.starts_with(|c: char| c.is_ascii_alphabetic());
    is_name && (word.is("utc") || is_path || is_capital) && !oncalendar::is_weekdays(*word)
}

/// The name of a zone, which becomes part of a path.
fn zone_name(word: Word) -> Result<String, Mistake> {
    if word.is("utc") {
        return Ok("UTC".to_owned());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+-".contains(c);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(fits);
    if word.text.split('/').all(is_part) {
        return Ok(word.text.to_owned());
    }
    Err(word.wrong("is no time zone", "write a name like `Europe/Berlin`, or `UTC`"))
}
