//! When a service counts as up, and what it may tell of itself.

use std::path::PathBuf;
use std::time::Duration;

use super::super::address::address;
use super::super::raw::{Table, Value};
use super::super::report::{Problem, quoted};
use super::super::spec::{
    Address, Kind, NotifyFrom, Probe, Readiness, Ready, SocketMode, SocketsSpec,
};
use super::super::values;
use super::commands::one_hook;
use super::health::health;
use super::section::Section;

/// How long until a command that found the service not up yet is run again.
const EVERY: Duration = Duration::from_secs(1);
/// Descriptors that a service can be given for its word that it is up.
const DESCRIPTORS: std::ops::RangeInclusive<u8> = 3..=255;
const WORDS: &str = "\"exec\", \"notify\", \"fd:3\", \"forked\", \"dbus:NAME\", \"tcp:PORT\", \
                     \"unix:PATH\", \"file:PATH\" or { command = … }";

/// Reads `ready` and what belongs to it.
pub(super) fn readiness(
    s: &mut Section<'_, '_, '_>,
    kind: Kind,
    sockets: Option<&SocketsSpec>,
) -> Readiness {
    let by_default = if kind == Kind::Task { Ready::Exit } else { Ready::Exec };
    let pidfile = s.get("pidfile", values::absolute).map(PathBuf::from);
    let when = ready(s, pidfile.as_ref());
    // One that reads from its socket is handed none.
    let reads = s.entry("stdin").map(|entry| &entry.node.value);
    let reads = matches!(reads, Some(Value::String(text)) if text == "socket");
    let handed = sockets.filter(|sockets| sockets.mode == SocketMode::Inetd || !reads);
    if let Some(problem) = when.as_ref().and_then(|when| misfit(when, kind, handed)) {
        let place = s.place("ready");
        place.into_iter().for_each(|place| s.report.error(place, problem.clone()));
    }
    let when = when.unwrap_or(by_default);
    if let (None, Some(place)) = (when.pidfile(), s.place("pidfile")) {
        let problem = Problem::new("`pidfile` is read with `ready = \"forked\"` alone");
        s.report.error(place, problem.hint("add that, or remove this"));
    }
    let from = [("main", NotifyFrom::Main), ("any", NotifyFrom::Any)];
    if let (Ready::Exit, Kind::Task, Some(place)) = (&when, kind, s.place("watchdog")) {
        let problem = Problem::new("`watchdog` is for what stays up");
        let hint = "bound the task by `start-timeout`, or say ready = \"exec\"";
        s.report.error(place, problem.hint(hint));
    }
    let readiness = Readiness {
        when,
        notify_from: s.word("notify-from", &from).unwrap_or(NotifyFrom::Main),
        watchdog: s.patience("watchdog").flatten().filter(|time| !time.is_zero()),
        health: health(s, kind, sockets),
    };
    if let (false, Some(place)) = (readiness.listens(), s.place("notify-from")) {
        let problem = Problem::new("`notify-from` needs `ready = \"notify\"` or `watchdog`");
        s.report.error(place, problem);
    }
    readiness
}

/// Whether that key says nothing in a table, as nothing there is up in the way that it is about.
pub(super) fn is_idle(key: &str, table: &Table) -> bool {
    let is_text = |key: &str, is_it: &dyn Fn(&str) -> bool| {
        let said = table.get(key).map(|entry| &entry.node.value);
        matches!(said, Some(Value::String(text)) if is_it(text))
    };
    let is_never =
        |text: &str| values::patience(text).is_ok_and(|time| time.is_none_or(|t| t.is_zero()));
    match key {
        "pidfile" => !is_text("ready", &|text| text == "forked"),
        "notify-from" => {
            let is_watched = table.get("watchdog").is_some() && !is_text("watchdog", &is_never);
            !is_watched && !is_text("ready", &|text| text == "notify")
        }
        _ => false,
    }
}

/// Keys that are about one way to be up, which another one leaves nothing of.
pub(super) const OF_ONE_WAY: [&str; 2] = ["pidfile", "notify-from"];

/// Takes out of a table what says nothing any more with what is laid over it.
pub(super) fn make_way(below: &mut Table, above: &Table) {
    let mut whole = below.clone();
    whole.entries.retain(|entry| matches!(&*entry.key, "ready" | "watchdog"));
    whole.overlay(above.clone());
    let says = |key: &str| above.get(key).is_some();
    for key in OF_ONE_WAY.into_iter().filter(|key| !says(key)) {
        if (says("ready") || says("watchdog")) && is_idle(key, &whole) {
            below.remove(key);
        }
    }
}

fn ready(s: &mut Section<'_, '_, '_>, pidfile: Option<&PathBuf>) -> Option<Ready> {
    let entry = s.entry("ready")?;
    if let Value::Table(table) = &entry.node.value {
        let mut inner = s.inner(table, "service.ready");
        let hook = one_hook(&mut inner, "command");
        let every = inner.duration("every").unwrap_or(EVERY);
        if let (true, Some(place)) = (every.is_zero(), inner.place("every")) {
            let problem = Problem::new("`every` of `ready` cannot be nothing");
            inner.report.error(place, problem.hint("write a duration, such as \"1s\""));
        }
        if inner.entry("command").is_none() {
            let problem = Problem::new("`ready` says nothing to run").hint("add `command`");
            s.report.error(entry.node.at, problem);
        }
        return hook.map(|hook| Ready::Found(Probe::Command(Box::new(hook), every)));
    }
    s.get("ready", |text| word(text, pidfile))
}

fn word(text: &str, pidfile: Option<&PathBuf>) -> Result<Ready, Problem> {
    let wrong = || Problem::new(format!("{} is no readiness", quoted(text)));
    let (word, rest) = text.split_once(':').map_or((text, None), |(w, rest)| (w, Some(rest)));
    match (word, rest) {
        ("exec", None) => Ok(Ready::Exec),
        ("exit", None) => Ok(Ready::Exit),
        ("notify", None) => Ok(Ready::Notify),
        ("forked", None) => match pidfile {
            Some(path) => Ok(Ready::Found(Probe::Forked(path.clone()))),
            None => Err(Problem::new("`ready = \"forked\"` needs `pidfile`").hint(
                "write the file in which the daemon leaves its number; or keep the program \
                       in the foreground and leave out both",
            )),
        },
        ("fd", Some(number)) => {
            let number = number.parse().ok().filter(|number| DESCRIPTORS.contains(number));
            number
                .map(Ready::Descriptor)
                .ok_or_else(|| wrong().hint("write a number from 3 to 255"))
        }
        ("dbus", Some(name)) => Ok(Ready::Found(Probe::Bus(bus_name(name)?))),
        ("file", Some(path)) => {
            Ok(Ready::Found(Probe::File(PathBuf::from(values::absolute(path)?))))
        }
        ("tcp" | "unix", Some(_)) => match address(text)? {
            found @ (Address::TcpPort(_) | Address::Tcp(_) | Address::Unix(..)) => {
                Ok(Ready::Found(Probe::Accepts(found)))
            }
            _ => Err(wrong().hint(format!("write {WORDS}"))),
        },
        _ => Err(wrong().hint(format!("write {WORDS}"))),
    }
}

/// A well-known name, as the D-Bus specification has them.
fn bus_name(text: &str) -> Result<String, Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_part = |part: &str| {
        !part.is_empty()
            && part.chars().all(fits)
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    if text.contains('.') && text.len() <= 255 && text.split('.').all(is_part) {
        return Ok(text.to_owned());
    }
    Err(Problem::new(format!("{} is no name on the bus", quoted(text)))
        .hint("write it like \"dbus:org.freedesktop.Avahi\""))
}

/// Why a service of that kind cannot be ready in that way.
fn misfit(when: &Ready, kind: Kind, sockets: Option<&SocketsSpec>) -> Option<Problem> {
    match (when, kind, sockets) {
        (Ready::Exit, Kind::Service, _) => {
            let problem = Problem::new("a service that is up once it ended is a task");
            Some(problem.hint("make it a [task]"))
        }
        (Ready::Exec | Ready::Exit, ..) => None,
        (_, Kind::Task, _) => {
            let problem = Problem::new("a task is up once it ended, or once it runs");
            Some(problem.hint("leave this out, or make it a [service]"))
        }
        (_, _, Some(sockets)) if sockets.mode == SocketMode::Inetd => {
            let problem = Problem::new("with `inetd` finit itself listens");
            Some(problem.hint("leave `ready` out"))
        }
        (Ready::Descriptor(number), _, Some(sockets)) => {
            let free = sockets.sockets.len().saturating_add(3);
            let problem = Problem::new("its sockets have that descriptor");
            (usize::from(*number) < free)
                .then(|| problem.hint(format!("\"fd:{free}\" is the first that is free")))
        }
        _ => None,
    }
}
