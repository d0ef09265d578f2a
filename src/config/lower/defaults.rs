//! `[defaults]`: what every service says unless it says otherwise.

use super::super::raw::{Entry, Node, Table, Value};
use super::super::report::{Place, Report};
use super::super::spec::Kind;
use super::gather::lay;
use super::identity::fit;
use super::idle;
use super::output;
use super::ready;
use super::section::check_keys;
use super::service::{self, Subject};
use super::sockets::OF_INETD;

/// Keys of `[defaults]` that are for services alone, a task having its own default.
const OF_SERVICES: [&str; 7] =
    ["restart", "ready", "pidfile", "notify-from", "watchdog", "health", "start-timeout"];

/// Keys of `[defaults]` that are for tasks alone.
const OF_TASKS: [&str; 3] = ["steps", "remain", "schedule"];

/// Keys of `[defaults]` that no service with `inetd` can have, as it is up while finit listens, or
/// that say nothing of it.
const NOT_OF_INETD: [&str; 9] = [
    "ready",
    "pidfile",
    "notify-from",
    "watchdog",
    "health",
    "watch",
    "stdin",
    "after-start",
    "ok-exit",
];

/// Keys of `[defaults]` that are for services with a terminal alone.
const OF_TERMINALS: [&str; 1] = ["utmp"];

/// Keys of `[defaults]` that speak of others; who is one of them does not speak of itself.
const OF_OTHERS: [&str; 10] = [
    "needs",
    "wants",
    "after",
    "before",
    "bound-to",
    "part-of",
    "conflicts",
    "on-failure",
    "reload-with",
    "wanted-by",
];

/// What a service is made up to say.
type Said<'a> = &'a [(&'a str, &'a str)];

/// A service for keys of `[defaults]` that are looked at alone: what is said about its readiness
/// is about something.
const TELLING: [(&str, &str); 3] =
    [("command", "/bin/true"), ("ready", "forked"), ("watchdog", "1m")];

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
    if has(&["reload-with"]) && !has(&["reload"]) {
        // It is about those that say how.
        made_up.push(("reload", "HUP"));
    }
    // No service has both these and `inetd`, but different ones may: they are looked at alone.
    let mut table = defaults.clone();
    idle::wake(&mut table);
    let telling = TELLING.into_iter().filter(|(key, _)| match *key {
        "ready" => has(&["pidfile"]) && !has(&["ready"]),
        "watchdog" => has(&["notify-from"]) && !has(&["watchdog"]),
        _ => true,
    });
    let telling: Vec<(&str, &str)> = telling.collect();
    let plain = [("command", "/bin/true")];
    let alone: [(Kind, &[&str], Said<'_>); 4] = [
        (Kind::Service, &NOT_OF_INETD, &telling),
        (Kind::Service, &OF_TERMINALS, &ON_TERMINAL),
        (Kind::Service, &["stop"], &plain),
        (Kind::Task, &["schedule"], &plain),
    ];
    let accepts = has(&["inetd"]) || has(&OF_INETD);
    for (kind, keys, made_up) in alone {
        if keys == ["schedule"] && !accepts {
            continue;
        }
        let entries: Vec<Entry> = keys.iter().filter_map(|key| table.get(key).cloned()).collect();
        if !entries.is_empty() {
            check_as(kind, Table { entries }, made_up, report);
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
    // It is about those that have connections, or are started by something.
    if !has(&["inetd", "listen"]) && (accepts || has(&["start"])) {
        made_up.push((if accepts { "inetd" } else { "listen" }, "22"));
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
pub(super) fn over_defaults(kind: Kind, name: &str, defaults: &Table, table: Table) -> Table {
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
    if is_inetd {
        whole.remove("schedule");
        leave_out_stop_command(&mut whole);
    }
    let says_capabilities = table.get("capabilities").is_some();
    // What has a terminal reads from that.
    let without: &[&str] = if table.get("tty").is_some() { &["stdin"] } else { &OF_TERMINALS };
    without.iter().for_each(|key| whole.remove(key));
    leave_out(name, &table, &mut whole);
    let keys = output::KEYS.into_iter().chain(ready::OF_ONE_WAY);
    let own = idle::Own::of(&table);
    let inherited: Vec<&str> = keys.filter(|key| table.get(key).is_none()).collect();
    lay(&mut whole, table);
    fit(&mut whole, says_capabilities);
    for key in inherited {
        if output::is_idle(key, &whole).is_some() || ready::is_idle(key, &whole) {
            whole.remove(key);
        }
    }
    idle::leave_out(kind, &mut whole, &own);
    whole
}

/// Takes out the command that stops a process, which says nothing of one for each connection.
fn leave_out_stop_command(defaults: &mut Table) {
    for entry in defaults.entries.iter_mut().filter(|entry| &*entry.key == "stop") {
        if let Value::Table(stop) = &mut entry.node.value {
            stop.remove("command");
        }
    }
}

/// Takes a name, those of its instances, and what it is called besides, out of what defaults say of
/// others.
fn leave_out(name: &str, own: &Table, defaults: &mut Table) {
    let takes = ["alias", "provides"].into_iter().filter_map(|key| own.get(key));
    let takes: Vec<&str> = takes.flat_map(|entry| texts(&entry.node)).map(str::trim).collect();
    let is_own = |one: &str| {
        let rest = one.trim().strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            || takes.contains(&one.trim())
    };
    let speaks = |node: &Node| match &node.value {
        Value::String(text) => text.split('|').any(is_own),
        _ => false,
    };
    defaults.entries.retain_mut(|entry| {
        if !OF_OTHERS.contains(&&*entry.key) {
            return true;
        }
        if let Value::Array(items) = &mut entry.node.value {
            items.retain(|item| !speaks(item));
        }
        !speaks(&entry.node)
    });
}

/// A string, or those of a list.
fn texts(node: &Node) -> Vec<&str> {
    let nodes = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut texts = Vec::new();
    for node in nodes {
        if let Value::String(text) = &node.value {
            texts.push(text.as_str());
        }
    }
    texts
}
