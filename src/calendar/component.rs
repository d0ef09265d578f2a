//! Lists of numbers, ranges and steps, which both notations are made of.

use super::mistake::Mistake;
use super::spec::{FIRST_YEAR, LAST_YEAR};
use super::words::Word;

/// Most pieces of a list: a list of every second has 60.
const PIECES: usize = 100;

/// What a component counts.
pub(super) struct Unit {
    pub name: &'static str,
    pub first: u16,
    pub last: u16,
    /// Names of the numbers, from `first` on.
    pub names: &'static [&'static str],
    /// Whether a step that runs on runs down to `first`.
    pub is_downward: bool,
}

pub(super) const YEAR: Unit = unit("year", FIRST_YEAR, LAST_YEAR);
pub(super) const MONTH: Unit = unit("month", 1, 12);
pub(super) const DAY: Unit = unit("day of a month", 1, 31);
/// The shortest month has 28 days: a day further from the end would not be in each.
pub(super) const LAST_DAY: Unit =
    Unit { is_downward: true, ..unit("day from the end of a month", 1, 28) };
pub(super) const HOUR: Unit = unit("hour", 0, 23);
pub(super) const MINUTE: Unit = unit("minute", 0, 59);
pub(super) const SECOND: Unit = unit("second", 0, 59);

/// A unit without names, counted upward.
pub(super) const fn unit(name: &'static str, first: u16, last: u16) -> Unit {
    Unit { name, first, last, names: &[], is_downward: false }
}

/// How ranges are written, and what a step may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// `1..5`; `2/5` runs on from 2.
    OnCalendar,
    /// `1-5`; a step follows a range or `*` only.
    Cron,
}

impl Notation {
    fn range(self) -> &'static str {
        match self {
            Self::OnCalendar => "..",
            Self::Cron => "-",
        }
    }
}

/// One piece of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub first: u16,
    /// None for a number alone, and for one with a step.
    pub last: Option<u16>,
    pub step: Option<u16>,
}

impl Piece {
    /// First and last number, and the step between two.
    pub(super) fn bounds(self, unit: &Unit) -> (u16, u16, u16) {
        let step = self.step.unwrap_or(1);
        match (self.last, self.step) {
            (Some(last), _) => (self.first, last, step),
            (None, None) => (self.first, self.first, step),
            (None, Some(_)) if !unit.is_downward => (self.first, unit.last, step),
            // The same numbers, from the lowest.
            (None, Some(_)) => {
                let rest = self.first.saturating_sub(unit.first).checked_rem(step).unwrap_or(0);
                (unit.first.saturating_add(rest), self.first, step)
            }
        }
    }
}

/// Reads a list.
pub(super) fn pieces(list: Word, unit: &Unit, notation: Notation) -> Result<Vec<Piece>, Mistake> {
    let parts = list.split(|c| c == ',');
    if parts.len() > PIECES {
        return Err(list.wrong("is too long", format!("write at most {PIECES} numbers")));
    }
    parts.into_iter().map(|part| piece(part, unit, notation)).collect()
}

fn piece(part: Word, unit: &Unit, notation: Notation) -> Result<Piece, Mistake> {
    let (numbers, step) = match part.split_once("/") {
        Some((numbers, step)) => (numbers, Some(step)),
        None => (part, None),
    };
    let (first, last) = match numbers.split_once(notation.range()) {
        _ if numbers.text == "*" => (unit.first, Some(unit.last)),
        Some((first, last)) => {
            let (first, last) = (number(first, unit)?, number(last, unit)?);
            (first, Some(range_end(numbers, first, last, unit, notation)?))
        }
        None => (number(numbers, unit)?, None),
    };
    let step = match step {
        Some(_) if notation == Notation::Cron && last.is_none() => {
            let hint = format!("write `{first}-{}/…` to go on from {first}", unit.last);
            return Err(part.wrong("has a step without a range", hint));
        }
        Some(step) => {
            let room = match last {
                // Who writes both ends sees how little there is in between.
                Some(_) if numbers.text != "*" => u16::MAX,
                None if unit.is_downward => first.saturating_sub(unit.first),
                _ => unit.last.saturating_sub(first),
            };
            Some(read_step(step, first, room, unit)?)
        }
        None => None,
    };
    Ok(Piece { first, last, step })
}

fn range_end(
    numbers: Word,
    first: u16,
    last: u16,
    unit: &Unit,
    notation: Notation,
) -> Result<u16, Mistake> {
    // cron's Sunday is 0 and 7, and friday to sunday means the later one; sunday to sunday is one.
    let is_sunday = unit.last == 7 && last == 0 && first > 0;
    let last = if is_sunday { 7 } else { last };
    if first <= last {
        return Ok(last);
    }
    let (mark, lowest, highest) = (notation.range(), unit.first, unit.last);
    let around = format!("{first}{mark}{highest},{lowest}{mark}{last}");
    let hint = format!("write the lower number first, or `{around}` to go on from the start");
    Err(numbers.wrong("runs backwards", hint))
}

fn number(word: Word, unit: &Unit) -> Result<u16, Mistake> {
    let named = unit.names.iter().position(|name| word.is(name));
    if let Some(index) = named {
        return Ok(u16::try_from(index).unwrap_or(0).saturating_add(unit.first));
    }
    let is_number = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u16> = word.text.parse().ok().filter(|_| is_number);
    let number =
        number.map(|number| if unit.first == FIRST_YEAR { century(number) } else { number });
    number.filter(|number| (unit.first..=unit.last).contains(number)).ok_or_else(|| {
        let names = if unit.names.is_empty() { "" } else { ", or its name in three letters" };
        let hint = format!("write `*` or a number from {} to {}{names}", unit.first, unit.last);
        word.wrong(&format!("is no {}", unit.name), hint)
    })
}

/// 25 is 2025, and 89 is 1989, as systemd.time(7) has it.
fn century(year: u16) -> u16 {
    match year {
        0..70 => year.saturating_add(2000),
        70..100 => year.saturating_add(1900),
        _ => year,
    }
}

fn read_step(word: Word, first: u16, room: u16, unit: &Unit) -> Result<u16, Mistake> {
    let is_number = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let step: Option<u16> = word.text.parse().ok().filter(|step| is_number && *step > 0);
    let step = step.ok_or_else(|| word.wrong("is no step", "write a number from 1 on"))?;
    // Somebody who writes */90 for minutes means every hour and a half, and would not get it.
    if step > room.max(1) {
        let message = format!("is a step that leaves one {} only", unit.name);
        return Err(word.wrong(&message, format!("write a smaller step, or `{first}` alone")));
    }
    Ok(step)
}
