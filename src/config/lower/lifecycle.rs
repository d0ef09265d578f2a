//! When a service comes back, and how it is stopped.

use std::time::Duration;

use super::super::raw::Value;
use super::super::report::{Problem, quoted};
use super::super::spec::{Exits, Kind, OkExit, RestartSpec, RestartWhen, StopScope, StopSpec};
use super::super::values;
use super::commands::one_hook;
use super::section::Section;
use crate::facts::SignalNumber;

/// How long a service has to stop.
const STOP: Duration = Duration::from_secs(10);

const WHEN: [(&str, RestartWhen); 5] = [
    ("always", RestartWhen::Always),
    ("on-failure", RestartWhen::OnFailure),
    ("on-crash", RestartWhen::OnCrash),
    ("on-success", RestartWhen::OnSuccess),
    ("never", RestartWhen::Never),
];

pub(super) fn restart(s: &mut Section<'_, '_, '_>, kind: Kind) -> RestartSpec {
    let by_default = if kind == Kind::Service { RestartWhen::Always } else { RestartWhen::Never };
    let mut spec = RestartSpec {
        when: by_default,
        delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(30),
        reset: Duration::from_secs(30),
        burst: None,
        within: Duration::from_secs(60),
        except: Exits::default(),
        also: Exits::default(),
    };
    let Some(entry) = s.entry("restart") else { return spec };
    let Value::Table(table) = &entry.node.value else {
        spec.when = s.word("restart", &WHEN).unwrap_or(by_default);
        return spec;
    };
    let mut inner = s.inner(table, "service.restart");
    spec.when = inner.word("when", &WHEN).unwrap_or(by_default);
    (spec.delay, spec.max_delay) = delays(&mut inner, (spec.delay, spec.max_delay));
    spec.reset = inner.duration("reset").unwrap_or(spec.reset);
    spec.burst = inner.integer("burst", 1, i128::from(u32::MAX));
    if let (Some(place), None) = (inner.place("within"), inner.entry("burst")) {
        inner.report.error(place, Problem::new("`within` needs `burst`"));
    }
    spec.within = inner.duration("within").unwrap_or(spec.within);
    if let (true, Some(place)) = (spec.within.is_zero(), inner.place("within")) {
        let problem = Problem::new("`within` of `restart` cannot be nothing");
        inner.report.error(place, problem.hint("no end comes within no time: write \"1m\""));
    }
    spec.except = exits(&mut inner, "except");
    spec.also = exits(&mut inner, "also");
    spec
}

/// The first delay and the longest. The one that is not said goes as far as the one that is.
fn delays(
    s: &mut Section<'_, '_, '_>,
    (delay, longest): (Duration, Duration),
) -> (Duration, Duration) {
    match (s.duration("delay"), s.duration("max-delay")) {
        (Some(delay), Some(longest)) => {
            if let (Some(first), Some(place), true) =
                (s.place("delay"), s.place("max-delay"), longest < delay)
            {
                let problem = Problem::new("`max-delay` is shorter than `delay`");
                let label = (first, "the first delay is longer".to_owned());
                let hint = "the delay doubles from the first one up to this";
                s.report.error_with(place, problem.hint(hint), &[label]);
            }
            (delay, longest)
        }
        (Some(delay), None) => (delay, longest.max(delay)),
        (None, Some(longest)) => (delay.min(longest), longest),
        (None, None) => (delay, longest),
    }
}

pub(super) fn ok_exit(s: &mut Section<'_, '_, '_>) -> OkExit {
    match s.entry("ok-exit").map(|entry| &entry.node.value) {
        Some(Value::String(text)) if text == "any" => OkExit::Any,
        _ => OkExit::Listed(exits(s, "ok-exit")),
    }
}

/// A code or signal, or a list of them.
fn exits(s: &mut Section<'_, '_, '_>, key: &str) -> Exits {
    let mut exits = Exits::default();
    let Some(entry) = s.entry(key) else { return exits };
    let items = match &entry.node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    for item in items {
        match &item.value {
            Value::Integer(code) => match u8::try_from(*code) {
                Ok(code) => exits.codes.push(code),
                Err(_) => s.report.error(item.at, Problem::new("an exit status is from 0 to 255")),
            },
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let problem = Problem::new(format!("{} is a code or a signal", quoted(text)))
                    .hint("write a code without quotes, and a signal by its name");
                s.report.error(item.at, problem);
            }
            _ => exits.signals.extend(s.read(key, item, values::signal)),
        }
    }
    exits
}

pub(super) fn stop(s: &mut Section<'_, '_, '_>) -> StopSpec {
    let mut spec = StopSpec {
        signal: SignalNumber::TERM,
        timeout: Some(STOP),
        scope: StopScope::Cgroup,
        command: None,
        kill: true,
        hup: false,
    };
    let Some(table) = s.table("stop") else { return spec };
    let mut inner = s.inner(table, "service.stop");
    spec.signal = inner.get("signal", values::signal).unwrap_or(spec.signal);
    spec.timeout = inner.patience("timeout").unwrap_or(spec.timeout);
    let scopes = [
        ("cgroup", StopScope::Cgroup),
        ("main", StopScope::Main),
        ("mixed", StopScope::Mixed),
        ("none", StopScope::None),
    ];
    spec.scope = inner.word("scope", &scopes).unwrap_or(spec.scope);
    spec.command = one_hook(&mut inner, "command");
    spec.kill = inner.flag("kill").unwrap_or(true);
    spec.hup = inner.flag("hup").unwrap_or(false);
    spec
}
