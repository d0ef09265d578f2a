//! The calendar: what texts mean, when that is due, and what is said about bad ones.
//!
//! * `golden`: the same answers as systemd-analyze(1) and croniter give, and where the clocks
//!   are changed, where ours are others and why.
//! * `words`: notations that only finit has, and every mistake with what is said about it.
//! * `zones`: files of zones, whole, cut off and damaged.
//! * `dice`, `chance`: random expressions and windows against a search minute by minute.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]

mod chance;
#[path = "../engine/dice.rs"]
#[allow(dead_code, reason = "the engine's tests throw more of them")]
mod dice;
mod golden;
mod words;
mod zones;

use finit::calendar::{Civil, Schedule, Zone};

/// Files as tzdata 2025b ships them.
pub const BERLIN: &[u8] = include_bytes!("zones/Europe-Berlin.tzif");
/// With another day of change than Berlin.
pub const NEW_YORK: &[u8] = include_bytes!("zones/America-New_York.tzif");
/// Half an hour of daylight saving time, on the southern half.
pub const LORD_HOWE: &[u8] = include_bytes!("zones/Australia-Lord_Howe.tzif");
/// Changed at midnight, up to 2019.
pub const SAO_PAULO: &[u8] = include_bytes!("zones/America-Sao_Paulo.tzif");

/// The zone that a schedule names; UTC without.
pub fn zone_of(schedule: &Schedule) -> Zone {
    let file = match schedule.zone.as_deref() {
        None | Some("UTC") => return Zone::utc(),
        Some("Europe/Berlin") => BERLIN,
        Some("America/New_York") => NEW_YORK,
        Some("Australia/Lord_Howe") => LORD_HOWE,
        Some("America/Sao_Paulo") => SAO_PAULO,
        Some(other) => panic!("no file of {other}"),
    };
    Zone::parse(file).unwrap()
}

/// A text that is right.
pub fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"))
}

/// "2025-03-30 02:30:00" in seconds since 1970.
pub fn seconds(text: &str) -> i64 {
    let numbers: Vec<u32> = text.split(['-', ' ', ':']).map(|part| part.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{text}") };
    Civil { year: year.into(), month, day, hour, minute, second }.seconds()
}

/// The first times of a schedule after one, in UTC.
pub fn first_times(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let zone = zone_of(schedule);
    let next = |at: &i64| schedule.next_at(*at, &zone);
    let times = std::iter::successors(schedule.next_at(seconds(after), &zone), next);
    times.take(count).map(|at| Civil::of(at).to_string()).collect()
}
