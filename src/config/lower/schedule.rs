//! Times at which a task runs.

use std::rc::Rc;

use super::super::raw::Value;
use super::super::report::Problem;
use super::super::spec::{Kind, SocketMode, SocketsSpec};
use super::section::Section;
use crate::calendar::{Mistake, Schedule};

impl From<Mistake> for Problem {
    fn from(mistake: Mistake) -> Self {
        Self { message: mistake.message, hint: Some(mistake.hint), at: Some(mistake.at) }
    }
}

/// Reads `schedule`: a time, a list of times, or a table.
pub(super) fn schedule(
    s: &mut Section<'_, '_, '_>,
    kind: Kind,
    sockets: Option<&SocketsSpec>,
) -> Option<Rc<Schedule>> {
    let entry = s.entry("schedule")?;
    let before = s.report.errors();
    // A mistyped key is told already.
    let mut unknown = false;
    if kind == Kind::Service {
        let problem = Problem::new("`schedule` is for tasks");
        s.report.error(entry.at, problem.hint("make it a [task]; a service runs all the time"));
    } else if sockets.is_some_and(|sockets| sockets.mode == SocketMode::Inetd) {
        let problem = Problem::new("`schedule` and `inetd` exclude each other");
        s.report
            .error(entry.at, problem.hint("each connection starts it: use `listen`, or two tasks"));
    }
    let schedule = match &entry.node.value {
        Value::Table(table) => {
            let mut inner = s.inner(table, "service.schedule");
            unknown = inner.is_mistyped(&["at", "every", "after-boot", "after-enable"]);
            let mut zoned = Schedule::default();
            if let Some(name) = inner.text("zone")
                && let (Err(mistake), Some(place)) = (zoned.set_zone(&name), inner.place("zone"))
            {
                inner.report.error(place, Problem { at: None, ..mistake.into() });
            }
            let mut schedule = times(&mut inner, "at", zoned);
            schedule.every = inner.duration("every");
            schedule.after_boot = inner.duration("after-boot");
            schedule.after_enable = inner.duration("after-enable");
            schedule.jitter = inner.duration("jitter").unwrap_or_default();
            schedule.catch_up = inner.flag("catch-up").unwrap_or(false);
            if let (true, Some(place)) =
                (schedule.every.is_some_and(|t| t.is_zero()), inner.place("every"))
            {
                inner.report.error(place, Problem::new("`every` is no time to wait"));
            }
            schedule
        }
        Value::Array(_) => times(s, "schedule", Schedule::default()),
        _ => s.get("schedule", |text| Ok(Schedule::parse(text)?)).unwrap_or_default(),
    };
    let once = [schedule.every, schedule.after_boot, schedule.after_enable];
    let holds = !schedule.at.is_empty() || once.iter().any(Option::is_some);
    if !holds && !unknown && s.report.errors() == before {
        let problem = Problem::new("`schedule` holds no time");
        s.report.error(entry.at, problem.hint("add `at`, `every`, `after-boot` or `after-enable`"));
    }
    Some(Rc::new(schedule))
}

/// The times of the calendar in that key. Unless the key `zone` has said it for all of them, each
/// says its zone or none does: whose times they are is one thing.
fn times(s: &mut Section<'_, '_, '_>, key: &str, mut schedule: Schedule) -> Schedule {
    let Some(nodes) = s.entry(key).and_then(|_| s.nodes(key)) else { return schedule };
    let is_said = schedule.zone.is_some();
    for node in nodes {
        let more = s.read(key, node, |text| {
            let mut alone = Schedule::default();
            alone.add(text)?;
            let is_like = schedule.at.is_empty() || alone.zone.is_some() == schedule.zone.is_some();
            if let (false, false, Some(zone)) =
                (is_said, is_like, alone.zone.as_ref().or(schedule.zone.as_ref()))
            {
                let hint = format!("say it for all: {{ at = [...], zone = \"{zone}\" }}");
                return Err(
                    Problem::new("some of the times have a zone and some have not").hint(hint)
                );
            }
            let mut more = schedule.clone();
            more.add(text)?;
            Ok(more)
        });
        schedule = more.unwrap_or(schedule);
    }
    schedule
}
