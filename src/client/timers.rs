//! `finitctl list --timers`: what runs at its times, the next one first.

use super::output::Style;
use super::{Form, Session, table, text};
use crate::os::time::{self, LocalTime};
use crate::proto::{ServiceReport, TimerReport};

/// In milliseconds.
const DAY: u64 = 86_400_000;

const HEADINGS: [&str; 5] = ["NAME", "NEXT", "IN", "LAST", "RESULT"];

/// Shows those of these that have times.
pub fn show(session: &mut Session, listed: &[&ServiceReport]) {
    let timers = sorted(listed);
    match session.form {
        Form::Json => timers.iter().for_each(|(entry, _)| session.output.json(entry)),
        Form::Text if timers.is_empty() => session.output.warn("nothing to list"),
        Form::Text => {
            let page = render(&timers, time::wall(), session.style());
            session.output.text(&page);
        }
    }
}

/// Those with times, the next one first; then those without a time to come, by their names.
pub fn sorted<'a>(listed: &[&'a ServiceReport]) -> Vec<(&'a ServiceReport, &'a TimerReport)> {
    let timer = |entry: &&'a ServiceReport| Some((*entry, entry.timer.as_deref()?));
    let mut timers: Vec<_> = listed.iter().filter_map(timer).collect();
    timers.sort_by_key(|(entry, timer)| (timer.next_ms.unwrap_or(u64::MAX), &entry.name));
    timers
}

/// One a line. `now` is the clock on the wall, in seconds since 1970 and nanoseconds.
pub fn render(timers: &[(&ServiceReport, &TimerReport)], now: (i64, u32), style: Style) -> String {
    let rows = timers.iter().map(|(entry, timer)| cells(entry, timer, now)).collect();
    let lines = table::lines(HEADINGS, &[], rows, style);
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn cells(entry: &ServiceReport, timer: &TimerReport, now: (i64, u32)) -> [String; 5] {
    let at = timer.next_ms.and_then(|wait| Some(clock(time::local(later(now, wait))?, wait)));
    let result = timer.result.as_deref().map(text::clean);
    let result = match (&result, timer.last_ms) {
        // Most lines would be too wide with all of the words.
        (Some(result), _) => result.strip_prefix("exited with ").unwrap_or(result),
        (None, Some(_)) => "runs now",
        (None, None) => "",
    };
    let parts = [result, timer.never.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    [
        text::clean(&entry.name).into_owned(),
        at.unwrap_or_default(),
        timer.next_ms.map(text::age).unwrap_or_default(),
        timer.last_ms.map(|ago| format!("{} ago", text::age(ago))).unwrap_or_default(),
        text::clean(&parts.join("; ")).into_owned(),
    ]
}

/// That many milliseconds from now, to the nearest second: a task of 03:00 is not one of 02:59:59.
fn later((seconds, nanos): (i64, u32), wait: u64) -> i64 {
    let wait = i64::try_from(wait).unwrap_or(i64::MAX);
    let rest = wait.saturating_add(i64::from(nanos / 1_000_000)).saturating_add(500);
    seconds.saturating_add(rest / 1000)
}

/// "03:00:00", or from a day on "2026-11-27 03:00".
fn clock(at: LocalTime, wait: u64) -> String {
    let LocalTime { year, month, day, hour, minute, second } = at;
    match wait {
        ..DAY => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    }
}
