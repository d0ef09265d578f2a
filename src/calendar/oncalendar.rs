//! OnCalendar of systemd.time(7): `mon..fri 09:30`, `Sun *-*-1..7 01:00`, `*-*~1`.
//!
//! More than systemd takes: `*/5` for `0/5`, weekdays around the end of the week (`sat..mon`),
//! and a time of day behind `daily` and its like. Less: fractions of a second, `@TIMESTAMP`, and
//! what never comes.

use super::component::{self, Notation, Piece, Unit, pieces};
use super::mistake::Mistake;
use super::spec::{Among, CalendarSpec, Days, Years};
use super::words::Word;

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const WEEKDAY_FORM: &str = "write Mon, Tue, Wed, Thu, Fri, Sat or Sun";
const WORDS_FORM: &str =
    "write hourly, daily, weekly, monthly, yearly, every 15m, or weekdays like Mon..Fri";
const TIME_FORM: &str = "write a time like 09:30 or 09:30:15";
const PLACE_FORM: &str = "write a time like 09:30, and a time zone like Europe/Berlin or UTC";
const FORM: &str = "write it like `daily 03:00`, `mon..fri 09:30`, `Sun *-*-1..7 01:00`, \
                    `every 15m` or `cron: 0 3 * * 0`";

/// Reads an expression without its zone.
pub(super) fn parse(words: &[Word]) -> Result<CalendarSpec, Mistake> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Word::whole("").wrong("is no schedule", FORM));
    };
    let mut spec = CalendarSpec::midnight();
    let rest = match shorthand(first.text, &mut spec) {
        Some(false) => rest,
        Some(true) => {
            let Some(more) = rest.first() else { return Ok(spec) };
            let hint = "write minutes and seconds like `*:30` or `*:*:30`, without this word";
            return Err(more.wrong(&format!("cannot follow `{}`", first.text), hint));
        }
        None => words,
    };
    let is_shorthand = rest.len() < words.len();
    let takes_weekdays = !is_shorthand || first.is("weekly");
    let mut rest = rest.iter().copied().peekable();
    if let Some(word) = rest.next_if(|word| takes_weekdays && begins_with_letter(*word)) {
        spec.weekdays = weekdays(word, !is_shorthand)?;
    }
    if let Some(word) = rest.next_if(|word| !is_shorthand && !is_time(*word) && is_date(*word)) {
        date(word, &mut spec)?;
    }
    if let Some(word) = rest.next_if(|word| is_time(*word)) {
        time(word, &mut spec)?;
    }
    match rest.next() {
        None => Ok(spec),
        Some(word) if is_shorthand => {
            let hint = "write a time of day like 09:30, and other days without this word, like \
                        `*-*-15 09:30`";
            Err(word.wrong(&format!("cannot follow `{}`", first.text), hint))
        }
        Some(word) => Err(misplaced(word)),
    }
}

/// A word that stands where it cannot.
fn misplaced(word: Word) -> Mistake {
    if begins_with_letter(word) {
        return match weekdays(word, false) {
            Ok(_) => word.wrong("is in the wrong place", "write the weekdays first"),
            Err(_) => word.wrong("is neither a time of day nor a time zone", PLACE_FORM),
        };
    }
    if is_time(word) {
        return word.wrong("is one time too many", "write one time, with lists like `9,17:30`");
    }
    if is_date(word) {
        return word.wrong("is in the wrong place", "write weekdays, then a date, then a time");
    }
    let hint = "write a date like 12-24 or *-*-15, and a time like 09:30";
    word.wrong("is neither a date nor a time of day", hint)
}

fn begins_with_letter(word: Word) -> bool {
    word.text.starts_with(|c: char| c.is_alphabetic())
}

fn is_time(word: Word) -> bool {
    word.text.contains(':')
}

fn is_date(word: Word) -> bool {
    word.text.contains(['-', '~'])
}

/// Whether it is a word for a whole expression; true if no time of day can follow it.
fn shorthand(word: &str, spec: &mut CalendarSpec) -> Option<bool> {
    let mut on_the_first = |months: Among| {
        spec.months = months;
        spec.days = Days::Numbered(Among::steps(1, 1, 1));
        false
    };
    Some(match &*word.to_ascii_lowercase() {
        "minutely" | "hourly" => {
            spec.hours = Among::steps(0, 23, 1);
            if word.eq_ignore_ascii_case("minutely") {
                spec.minutes = Among::steps(0, 59, 1);
            }
            true
        }
        "daily" => false,
        "weekly" => {
            spec.weekdays = Among::steps(0, 0, 1);
            false
        }
        "monthly" => on_the_first(Among::steps(1, 12, 1)),
        "quarterly" => on_the_first(Among::steps(1, 12, 3)),
        "semiannually" | "semi-annually" | "biannually" | "bi-annually" => {
            on_the_first(Among::steps(1, 12, 6))
        }
        "yearly" | "annually" => on_the_first(Among::steps(1, 1, 1)),
        _ => return None,
    })
}

/// Whether a word is made of weekdays.
pub(super) fn is_weekdays(word: Word) -> bool {
    weekdays(word, false).is_ok()
}

/// `mon`, `Mon,Wed..Fri`. The first word of all may be meant for something else.
fn weekdays(word: Word, is_first: bool) -> Result<Among, Mistake> {
    let weekday = |part: Word| {
        let is_it =
            |name: &&str| part.is(name) || name.get(..3).is_some_and(|short| part.is(short));
        let number = WEEKDAYS.iter().position(is_it).and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| match is_first && part.text == word.text {
            true => part.wrong("is no word of a schedule", WORDS_FORM),
            false => part.wrong("is no weekday", WEEKDAY_FORM),
        })
    };
    let mut all = Among::default();
    for part in word.split(|c| c == ',') {
        let range = part.split_once("..").or_else(|| part.split_once("-"));
        let days = match range {
            None => Among::steps(weekday(part)?, weekday(part)?, 1),
            Some((first, last)) => match (weekday(first)?, weekday(last)?) {
                (first, last) if first <= last => Among::steps(first, last, 1),
                (first, last) => Among::steps(first, 6, 1).or(Among::steps(0, last, 1)),
            },
        };
        all = all.or(days);
    }
    Ok(all)
}

/// `[year-]month-day`, with `~` before a day that is counted from the end of the month.
fn date(word: Word, spec: &mut CalendarSpec) -> Result<(), Mistake> {
    const DATE_FORM: &str = "write month-day or year-month-day, and month~day for a day counted \
                             from the end of the month";
    let parts = word.split(|c| matches!(c, '-' | '~'));
    let marks = word.text.matches(['-', '~']).collect::<String>();
    let (year, month, day) = match (&*parts, &*marks) {
        ([month, day], "-" | "~") => (None, month, day),
        ([year, month, day], "--" | "-~") => (Some(year), month, day),
        _ => return Err(word.wrong("is no date", DATE_FORM)),
    };
    if let Some(year) = year {
        spec.years = years(*year)?;
    }
    spec.months = among(*month, &component::MONTH)?;
    // `~*` are the same days as `-*`, and only one of them can be meant.
    spec.days = if marks.ends_with('~') && day.text != "*" {
        Days::FromTheEnd(among(*day, &component::LAST_DAY)?)
    } else {
        Days::Numbered(among(*day, &component::DAY)?)
    };
    Ok(())
}

/// `hour:minute[:second]`.
fn time(word: Word, spec: &mut CalendarSpec) -> Result<(), Mistake> {
    let parts = word.split(|c| c == ':');
    let (hour, minute, second) = match &*parts {
        [hour, minute] => (hour, minute, None),
        [hour, minute, second] => (hour, minute, Some(second)),
        _ => return Err(word.wrong("is no time of day", TIME_FORM)),
    };
    spec.hours = among(*hour, &component::HOUR)?;
    spec.minutes = among(*minute, &component::MINUTE)?;
    if let Some(second) = second {
        if second.text.replace("..", "").contains('.') {
            return Err(second.wrong("is a fraction of a second", "write whole seconds"));
        }
        spec.seconds = among(*second, &component::SECOND)?;
    }
    Ok(())
}

fn years(list: Word) -> Result<Vec<Years>, Mistake> {
    let all = pieces(list, &component::YEAR, Notation::OnCalendar)?;
    let years = |piece: Piece| {
        let (first, last, step) = piece.bounds(&component::YEAR);
        Years { first, last, step }
    };
    let mut years: Vec<Years> = all.into_iter().map(years).collect();
    years.sort();
    years.dedup();
    Ok(years)
}

/// The numbers of a list.
fn among(list: Word, unit: &Unit) -> Result<Among, Mistake> {
    set(list, unit, Notation::OnCalendar)
}

/// The numbers of a list in either notation.
pub(super) fn set(list: Word, unit: &Unit, notation: Notation) -> Result<Among, Mistake> {
    let all = pieces(list, unit, notation)?.into_iter().map(|piece| {
        let (first, last, step) = piece.bounds(unit);
        Among::steps(first, last, step)
    });
    Ok(all.fold(Among::default(), Among::or))
}
