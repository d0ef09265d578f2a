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
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

pub(super) const YEAR: Unit = Unit { name: "year", first: FIRST_YEAR, last: LAST_YEAR, names: &[] };
pub(super) const MONTH: Unit = Unit { name: "month", first: 1, last: 12, names: &MONTHS };
pub(super) const DAY: Unit = Unit { name: "day of a month", first: 1, last: 31, names: &[] };
/// The shortest month has 28 days: a day further from the end would not be in each.
pub(super) const LAST_DAY: Unit =
    Unit { name: "day from the end of a month", first: 1, last: 28, names: &[] };
pub(super) const HOUR: Unit = Unit { name: "hour", first: 0, last: 23, names: &[] };
pub(super) const MINUTE: Unit = Unit { name: "minute", first: 0, last: 59, names: &[] };
pub(super) const SECOND: Unit = Unit { name: "second", first: 0, last: 59, names: &[] };

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
    pub(super) fn upward(self, unit: &Unit) -> (u16, u16, u16) {
        let open = if self.step.is_some() { unit.last } else { self.first };
        (self.first, self.last.unwrap_or(open), self.step.unwrap_or(1))
    }

    /// All numbers, counted from the end of a month: a step that runs on runs towards the end.
    pub(super) fn from_the_end(self, unit: &Unit) -> Vec<u16> {
        let step = usize::from(self.step.unwrap_or(1));
        match (self.last, self.step) {
            (None, Some(_)) => (unit.first..=self.first).rev().step_by(step).collect(),
            _ => (self.first..=self.last.unwrap_or(self.first)).step_by(step).collect(),
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
        Some((first, last)) => range(numbers, number(first, unit)?, number(last, unit)?, unit)?,
        None => (number(numbers, unit)?, None),
    };
    let step = match step {
        Some(_) if notation == Notation::Cron && last.is_none() => {
            let hint = format!("write `{first}-{}/…` to go on from {first}", unit.last);
            return Err(part.wrong("has a step without a range", hint));
        }
        Some(step) => Some(read_step(step, first, last.unwrap_or(unit.last), unit)?),
        None => None,
    };
    Ok(Piece { first, last, step })
}

fn range(
    numbers: Word,
    first: u16,
    last: u16,
    unit: &Unit,
) -> Result<(u16, Option<u16>), Mistake> {
    // cron's Sunday is 0 and 7, and friday to sunday means the later one.
    let is_sunday = unit.last == 7 && last == 0 && first > 0;
    let last = if is_sunday { 7 } else { last };
    if first <= last {
        return Ok((first, Some(last)));
    }
    let hint = "write the lower number first; around the end go two ranges, like `22..23,0..4`";
    Err(numbers.wrong("runs backwards", hint))
}

fn number(word: Word, unit: &Unit) -> Result<u16, Mistake> {
    let named = unit.names.iter().position(|name| word.is(name));
    if let Some(index) = named {
        return Ok(u16::try_from(index).unwrap_or(0).saturating_add(unit.first));
    }
    let is_number = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u16> = word.text.parse().ok().filter(|_| is_number);
    let number = number.map(|number| if unit.first == FIRST_YEAR { century(number) } else { number });
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

fn read_step(word: Word, first: u16, last: u16, unit: &Unit) -> Result<u16, Mistake> {
    let is_number = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let step: Option<u16> = word.text.parse().ok().filter(|step| is_number && *step > 0);
    let step = step.ok_or_else(|| word.wrong("is no step", "write a number from 1 on"))?;
    // Somebody who writes */90 for minutes means every hour and a half, and would not get it.
    if step > unit.last.saturating_sub(unit.first) || step > last.saturating_sub(first).max(1) {
        let message = format!("is a step that leaves one {} only", unit.name);
        return Err(word.wrong(&message, format!("write a smaller step, or `{first}` alone")));
    }
    Ok(step)
}
