//! The five fields of crontab(5): minute, hour, day of the month, month and weekday.

use super::component::{self, Notation, Unit, unit};
use super::mistake::Mistake;
use super::oncalendar::set;
use super::spec::{Among, CalendarSpec, Days};
use super::words::Word;

const MONTH: Unit = Unit {
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ..component::MONTH
};
const WEEKDAY: Unit =
    Unit { names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"], ..unit("weekday", 0, 7) };

const FORM: &str = "write minute, hour, day of the month, month and weekday, like `0 3 * * 0`";

/// What cron's words stand for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Reads the words after `cron:`, without a zone.
pub(super) fn parse(whole: Word, words: &[Word]) -> Result<Vec<CalendarSpec>, Mistake> {
    let [minute, hour, day, month, weekday] = match words {
        [name] if name.text.starts_with('@') => return nickname(*name),
        [minute, hour, day, month, weekday] => [*minute, *hour, *day, *month, *weekday],
        [_, _, _, _, _, extra, ..] => {
            return Err(extra.wrong("is one field too many for cron", FORM));
        }
        _ => return Err(whole.wrong(&format!("has {} of cron's five fields", words.len()), FORM)),
    };
    let days = set(day, &component::DAY, Notation::Cron)?;
    let spec = CalendarSpec {
        minutes: set(minute, &component::MINUTE, Notation::Cron)?,
        hours: set(hour, &component::HOUR, Notation::Cron)?,
        months: set(month, &MONTH, Notation::Cron)?,
        ..CalendarSpec::midnight()
    };
    let by_day = CalendarSpec { days: Days::Numbered(days), ..spec.clone() };
    let weekdays = from_monday(set(weekday, &WEEKDAY, Notation::Cron)?);
    // Of two restricted fields, either is enough (crontab(5), "Note"). One that begins with a
    // star does not count as restricted, even with a step behind it.
    if day.text.starts_with('*') || weekday.text.starts_with('*') {
        return Ok(vec![CalendarSpec { weekdays, ..by_day }]);
    }
    Ok(vec![by_day, CalendarSpec { weekdays, ..spec }])
}

fn nickname(name: Word) -> Result<Vec<CalendarSpec>, Mistake> {
    match NICKNAMES.iter().find(|(known, _)| name.is(known)) {
        Some((_, fields)) => parse(name, &Word::whole(fields).words()),
        None => {
            let hint = "write @hourly, @daily, @weekly, @monthly, @yearly or @reboot";
            Err(name.wrong("is no word of cron", hint))
        }
    }
}

/// Cron counts from Sunday, and knows it as 7 also.
fn from_monday(from_sunday: Among) -> Among {
    let numbers = (0..=7u16).filter(|number| from_sunday.has(u32::from(*number)));
    numbers.map(|number| number.saturating_add(6) % 7).collect()
}
