//! `[defaults]`: what every service says unless it says otherwise.

use super::super::raw::{Entry, Node, Table, Value};
use super::super::report::{Place, Report};
use super::super::spec::Kind;
use super::gather::lay;
use super::identity::fit;
use super::output;
use super::section::check_keys;
use super::service::{self, Subject};

/// Keys of `[defaults]` that are for services alone, a task having its own default.
const OF_SERVICES: [&str; 6] = ["restart", "ready", "pidfile", "notify-from", "watchdog", "health"];

/// Keys of `[defaults]` that are for tasks alone.
const OF_TASKS: [&str; 3] = ["steps", "remain", "schedule"];

/// Keys of `[defaults]` that no service with `inetd` can have: it is up while finit listens.
const NOT_OF_INETD: [&str; 7] =
    ["ready", "pidfile", "notify-from", "watchdog", "health", "watch", "stdin"];

/// Keys of `[defaults]` that are for services with `inetd` alone.
const OF_INETD: [&str; 3] = ["inetd-max", "inetd-max-per-source", "inetd-rate"];

/// Keys of `[defaults]` that are for services with a terminal alone.
const OF_TERMINALS: [&str; 1] = ["utmp"];

/// What a service is made up to say.
type Said<'a> = &'a [(&'a str, &'a str)];

/// A service that says nothing else, for keys of `[defaults]` that are looked at alone.
const PLAIN: [(&str, &str); 1] = [("command", "/bin/true")];

/// The same on a terminal.
const ON_TERMINAL: [(&str, &str); 2] = [("command", "/bin/true"), ("tty", "tty1")];

/// Reads the defaults alone, so that a mistake in them is found once and without any service.
/// What they say nothing without is made up.
pub(super) fn check_defaults(defaults: &Table, report: &mut Report<'_>) {
    check_keys(defaults, "service", &"[defaults]", report);
    if defaults.entries.is_empty() {
        return;
    }
    let has = |names: &[&str]| names.iter().any(|name| defaults.get(name).is_some());
    let mut made_up = Vec::new();
    if !has(&["command", "script", "steps"]) {
        made_up.push(("command", "/bin/true"));
    }
    if has(&["capabilities"]) && !has(&["user", "dynamic-user"]) {
        // It is about those that have one.
        made_up.push(("user", "nobody"));
    }
    // No service has both these and `inetd`, but different ones may: they are looked at alone.
    let mut table = defaults.clone();
    let alone: [(&[&str], Said<'_>); 2] = [(&NOT_OF_INETD, &PLAIN), (&OF_TERMINALS, &ON_TERMINAL)];
    for (keys, made_up) in alone {
        let entries: Vec<Entry> =
            keys.iter().filter_map(|key| defaults.get(key).cloned()).collect();
        if !entries.is_empty() {
            check_as(Kind::Service, Table { entries }, made_up, report);
            keys.iter().for_each(|key| table.remove(key));
        }
    }
    // What they say of lines is for those whose lines it is about.
    let entries: Vec<Entry> =
        output::KEYS.iter().filter_map(|key| defaults.get(key).cloned()).collect();
    if !entries.is_empty() {
        let made_up = [("command", "/bin/true"), ("log", "file:/x")];
        check_as(Kind::Service, Table { entries }, &made_up, report);
        output::KEYS.iter().for_each(|key| table.remove(key));
    }
    if !has(&["inetd", "listen"]) {
        made_up.push(("inetd", "22"));
    }
    let kind = if has(&OF_TASKS) { Kind::Task } else { Kind::Service };
    check_as(kind, table, &made_up, report);
}

/// Reads a table as if it were a service or task that says this, too.
fn check_as(kind: Kind, mut table: Table, made_up: Said<'_>, report: &mut Report<'_>) {
    for (key, text) in made_up {
        let at = Place::default();
        let node = Node { at, value: Value::String((*text).to_owned()) };
        table.entries.push(Entry { key: (*key).to_owned(), at, node });
    }
    let subject = Subject {
        kind,
        name: "defaults@x".to_owned(),
        template: Some("defaults".to_owned()),
        // `%i` in a default is good for templates, so it stands for something here.
        instance: Some("x".to_owned()),
        table: &table,
        at: Place::default(),
    };
    service::service(subject, report);
}

/// A definition over those defaults that say something about it.
pub(super) fn over_defaults(kind: Kind, defaults: &Table, table: Table) -> Table {
    if defaults.entries.is_empty() {
        return table;
    }
    let mut whole = defaults.clone();
    let others: &[&str] = if kind == Kind::Service { &OF_TASKS } else { &OF_SERVICES };
    // A `listen` of its own takes the place of an `inetd` for all.
    let listens = table.get("listen").is_some();
    let is_inetd = table.get("inetd").is_some() || (!listens && defaults.get("inetd").is_some());
    let misfits: &[&str] = if is_inetd { &NOT_OF_INETD } else { &OF_INETD };
    others.iter().chain(misfits).for_each(|key| whole.remove(key));
    let says_capabilities = table.get("capabilities").is_some();
    // What has a terminal reads from that.
    let without: &[&str] = if table.get("tty").is_some() { &["stdin"] } else { &OF_TERMINALS };
    without.iter().for_each(|key| whole.remove(key));
    let own: Vec<&str> = output::KEYS.into_iter().filter(|key| table.get(key).is_some()).collect();
    lay(&mut whole, table);
    fit(&mut whole, says_capabilities);
    for key in output::KEYS {
        if !own.contains(&key) && output::is_idle(key, &whole).is_some() {
            whole.remove(key);
        }
    }
    whole
}
