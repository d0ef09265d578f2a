//! Local time of one place, from the bytes of its file: tzfile(5), RFC 9636.

use std::fmt;

use super::civil::Civil;
use super::rule::Rule;

/// Largest file: those of the real zones have less than a tenth of it.
const FILE: usize = 65_536;
/// Farthest that local time can be from UTC, in seconds: 26 hours, as RFC 9636 advises. The
/// search of `next` relies on it.
const OFFSET: i32 = 26 * 3600;

/// When the clocks of a place were and will be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The offset before all changes.
    first: i32,
    /// Ascending.
    changes: Vec<Change>,
    /// What comes after them.
    rule: Option<Rule>,
}

/// From a moment on, clocks show so many seconds more than UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub at: i64,
    pub offset: i32,
}

/// A stretch of time between two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its first moment.
    pub start: i64,
    /// The first moment after it.
    pub end: i64,
    /// How far local time is ahead of UTC in it.
    pub offset: i64,
    /// The same just before it.
    pub before: i64,
}

/// The moments at which the clocks of a zone show a time, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// One, as on most days.
    Once(i64),
    /// Two: the clocks were put back in between.
    Twice(i64, i64),
    /// None; this is when the clocks skipped it.
    Skipped(i64),
}

impl Moments {
    /// The first of them, or when the time was skipped.
    pub fn first(self) -> i64 {
        match self {
            Self::Once(at) | Self::Twice(at, _) | Self::Skipped(at) => at,
        }
    }
}

/// Why bytes are no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadZone(&'static str);

impl fmt::Display for BadZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a time zone file: {}", self.0)
    }
}

impl std::error::Error for BadZone {}

impl Zone {
    /// Universal time, which is never changed.
    pub fn utc() -> Self {
        Self { first: 0, changes: Vec::new(), rule: None }
    }

    /// Reads what a file of /usr/share/zoneinfo or /etc/localtime holds.
    pub fn parse(file: &[u8]) -> Result<Self, BadZone> {
        if file.len() > FILE {
            return Err(BadZone("it is larger than 64 KiB"));
        }
        let mut rest = Bytes(file);
        let old = Header::read(&mut rest)?;
        if old.version == 0 {
            return Self::read(&mut rest, &old, 4);
        }
        // The old block has times of 32 bits; everybody reads the one behind it.
        rest.take(old.length(4))?;
        let header = Header::read(&mut rest)?;
        let zone = Self::read(&mut rest, &header, 8)?;
        let footer = rest.0.strip_prefix(b"\n").and_then(|rest| rest.split_last());
        let (_, text) = footer
            .filter(|(last, _)| **last == b'\n')
            .ok_or(BadZone("its last line is cut off"))?;
        let text = str::from_utf8(text).map_err(|_| BadZone("its last line is no text"))?;
        let rule = match text {
            "" => None,
            _ => Some(Rule::parse(text).ok_or(BadZone("its last line is no rule"))?),
        };
        // Without a table, the rule is for all times (RFC 9636, section 3.3).
        let fixed = rule.as_ref().filter(|_| zone.changes.is_empty()).map(Rule::standard);
        Ok(Self { rule, first: fixed.unwrap_or(zone.first), ..zone })
    }

    fn read(rest: &mut Bytes, header: &Header, width: usize) -> Result<Self, BadZone> {
        if header.leaps > 0 {
            return Err(BadZone("it counts leap seconds, which the clock of the kernel does not"));
        }
        let times = rest.take(header.times.saturating_mul(width))?;
        let indices = rest.take(header.times)?;
        let types = rest.take(header.types.saturating_mul(6))?;
        rest.take(header.rest())?;
        let offset = |index: usize| {
            let entry =
                types.chunks(6).nth(index).ok_or(BadZone("it names an offset it has not"))?;
            let offset = i32::try_from(big_endian(entry, 4)).ok();
            let is_near = |offset: &i32| (-OFFSET..=OFFSET).contains(offset);
            offset.filter(is_near).ok_or(BadZone("it is more than 26 hours from UTC"))
        };
        let mut zone = Self { first: offset(0)?, ..Self::utc() };
        for (time, index) in times.chunks(width).zip(indices) {
            let change =
                Change { at: big_endian(time, width), offset: offset(usize::from(*index))? };
            if zone.changes.last().is_some_and(|last| last.at >= change.at) {
                return Err(BadZone("its changes are not in order"));
            }
            zone.changes.push(change);
        }
        Ok(zone)
    }

    /// What the clocks show at a moment.
    pub fn local(&self, at: i64) -> Civil {
        Civil::of(at.saturating_add(self.stretch(at).offset))
    }

    /// When the clocks show that.
    pub fn moments(&self, local: Civil) -> Moments {
        let local = local.seconds();
        let far = i64::from(OFFSET).saturating_mul(2);
        let (mut at, end) = (local.saturating_sub(far), local.saturating_add(far));
        let (mut found, mut skipped) = (None, local);
        loop {
            let stretch = self.stretch(at);
            let moment = local.saturating_sub(stretch.offset);
            if (stretch.start..stretch.end).contains(&moment) {
                match found {
                    Some(first) => return Moments::Twice(first, moment),
                    None => found = Some(moment),
                }
            }
            let is_after = |offset: i64| stretch.start.saturating_add(offset) > local;
            if is_after(stretch.offset) && !is_after(stretch.before) {
                skipped = stretch.start;
            }
            if stretch.end >= end {
                return found.map_or(Moments::Skipped(skipped), Moments::Once);
            }
            at = stretch.end;
        }
    }

    /// The stretch that a moment lies in.
    pub(super) fn stretch(&self, at: i64) -> Stretch {
        let count = self.changes.partition_point(|change| change.at <= at);
        let first = Change { at: i64::MIN, offset: self.first };
        let mut current = count.checked_sub(1).and_then(|index| self.changes.get(index)).copied();
        let mut before = count.checked_sub(2).and_then(|index| self.changes.get(index)).copied();
        let mut next = self.changes.get(count).copied();
        if let (Some(rule), None) = (&self.rule, next) {
            let since = current.map_or(i64::MIN, |change| change.at);
            for change in rule.around(at).into_iter().filter(|change| change.at > since) {
                if change.at > at {
                    next = Some(change);
                    break;
                }
                (before, current) = (current, Some(change));
            }
        }
        let current = current.unwrap_or(first);
        Stretch {
            start: current.at,
            end: next.map_or(i64::MAX, |next| next.at),
            offset: current.offset.into(),
            before: before.unwrap_or(first).offset.into(),
        }
    }
}

/// The numbers at the head of a block.
struct Header {
    version: u8,
    leaps: usize,
    times: usize,
    types: usize,
    characters: usize,
    flags: usize,
}

impl Header {
    fn read(rest: &mut Bytes) -> Result<Self, BadZone> {
        if rest.take(4)? != b"TZif" {
            return Err(BadZone("it does not begin with TZif"));
        }
        let version = rest.take(16)?.first().copied().unwrap_or(0);
        let mut count = || Ok(usize::try_from(big_endian(rest.take(4)?, 4)).unwrap_or(FILE));
        let (utc, standard) = (count()?, count()?);
        let (leaps, times, types, characters) = (count()?, count()?, count()?, count()?);
        let flags = utc.saturating_add(standard);
        Ok(Self { version, leaps, times, types, characters, flags })
    }

    /// Bytes of the block, with times of that width.
    fn length(&self, width: usize) -> usize {
        let leaps = width.saturating_add(4).saturating_mul(self.leaps);
        let times = width.saturating_add(1).saturating_mul(self.times);
        let types = self.types.saturating_mul(6);
        leaps.saturating_add(times).saturating_add(types).saturating_add(self.rest())
    }

    /// Bytes of the names and flags, which nobody here needs.
    fn rest(&self) -> usize {
        self.characters.saturating_add(self.flags)
    }
}

/// What is not read yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadZone> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadZone("it is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The signed number of the first bytes.
fn big_endian(bytes: &[u8], width: usize) -> i64 {
    let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let start = if negative { -1 } else { 0 };
    bytes.iter().take(width).fold(start, |number: i64, byte| (number << 8) | i64::from(*byte))
}
