//! What says nothing beside the rest of a definition: told, and refused by nobody.

use super::super::raw::{Entry, Node, Table, Value};
use super::super::report::Problem;
use super::super::spec::Kind;
use super::section::Section;

/// Tables, the key of each that decides, and the keys that it can leave without any effect.
const KEYS: [(&str, &str, &[&str]); 2] = [
    ("restart", "when", &["delay", "max-delay", "reset", "burst", "within", "except", "also"]),
    ("stop", "scope", &["signal", "kill", "hup"]),
];

/// Says what does nothing.
pub(super) fn warn(s: &mut Section<'_, '_, '_>, kind: Kind) {
    let whole = s.whole();
    for (outer, _, keys) in KEYS {
        let Some(Value::Table(inner)) = whole.get(outer).map(|entry| &entry.node.value) else {
            continue;
        };
        for key in keys {
            if let (Some(entry), Some(Idle { why, hint })) =
                (inner.get(key), idle(kind, outer, key, whole))
            {
                let problem = Problem::new(format!("`{outer}.{key}` does nothing: {why}"));
                s.report.warning(entry.at, problem.hint(hint), &[]);
            }
        }
    }
    if let (Some(entry), None) = (s.entry("reload-with"), s.entry("reload")) {
        let problem = Problem::new("`reload-with` does nothing: there is no `reload`");
        s.report.warning(entry.at, problem.hint("say how: reload = \"HUP\""), &[]);
    }
}

/// Why a setting does nothing, and what to do about it.
struct Idle {
    why: &'static str,
    hint: &'static str,
}

fn idle(kind: Kind, outer: &str, key: &str, whole: &Table) -> Option<Idle> {
    let says = |why, hint| Some(Idle { why, hint });
    if outer == "stop" {
        let nobody = word(whole, "stop", "scope") == Some("none");
        return says("with `scope = \"none\"` nobody is sent a signal", TAKE_OUT)
            .filter(|_| nobody);
    }
    let said = word(whole, "restart", "when");
    let when = said.unwrap_or(if kind == Kind::Service { "always" } else { "never" });
    if key == "also" {
        return says("it comes back after every end", TAKE_OUT).filter(|_| when == "always");
    }
    // Sockets that cannot be bound are tried again in that time, whatever becomes of the process.
    let binds = ["listen", "inetd"].iter().any(|key| whole.get(key).is_some());
    let waits = binds && matches!(key, "delay" | "max-delay");
    if when != "never" || waits || within(whole, "restart", "also").is_some() {
        return None;
    }
    if said.is_none() {
        return says("a task does not come back by itself", "say when: `when = \"on-failure\"`");
    }
    says("with `when = \"never\"` it does not come back", TAKE_OUT)
}

const TAKE_OUT: &str = "take it out";

/// Takes out what does nothing and was said by what a definition was laid over: the defaults, where
/// it may well do something for others.
pub(super) fn leave_out(kind: Kind, whole: &mut Table, own: &Own) {
    for (outer, _, keys) in KEYS {
        leave_out_of(outer, keys, kind, whole, own);
    }
    if !own.says("", "reload-with") && whole.get("reload").is_none() {
        whole.remove("reload-with");
    }
}

/// The same of a definition that an override was laid over: what was of use there, until this one
/// decided otherwise, is no mistake.
pub(super) fn leave_out_overridden(kind: Kind, whole: &mut Table, own: &Own) {
    for (outer, decides, keys) in KEYS {
        if own.says(outer, decides) {
            leave_out_of(outer, keys, kind, whole, own);
        }
    }
}

fn leave_out_of(outer: &str, keys: &[&str], kind: Kind, whole: &mut Table, own: &Own) {
    for key in keys.iter().filter(|key| !own.says(outer, key)) {
        if idle(kind, outer, key, whole).is_some()
            && let Some(Value::Table(inner)) =
                whole.get_mut(outer).map(|entry| &mut entry.node.value)
        {
            inner.remove(key);
        }
    }
}

/// Which of these keys a table says.
pub(super) struct Own(Vec<(&'static str, &'static str)>);

impl Own {
    pub(super) fn of(table: &Table) -> Self {
        let mut said = Vec::new();
        for (outer, decides, keys) in KEYS {
            let is_said = |key: &&str| within(table, outer, key).is_some();
            said.extend(keys.iter().copied().filter(is_said).map(|key| (outer, key)));
            said.extend(word(table, outer, decides).map(|_| (outer, decides)));
        }
        // It says nothing without the other.
        if said.contains(&("restart", "within")) {
            said.push(("restart", "burst"));
        }
        said.extend(table.get("reload-with").map(|_| ("", "reload-with")));
        Self(said)
    }

    fn says(&self, outer: &str, key: &str) -> bool {
        self.0.contains(&(outer, key))
    }
}

/// For defaults, which are read alone: those whom they are for may decide otherwise.
pub(super) fn wake(defaults: &mut Table) {
    for (outer, decides, idle, other) in [
        ("restart", "when", &["always", "never"] as &[&str], "on-failure"),
        ("stop", "scope", &["none"], "cgroup"),
    ] {
        let node = defaults.get_mut(outer).map(|entry| &mut entry.node);
        let Some(Node { at, value: Value::Table(inner) }) = node else { continue };
        match inner.get_mut(decides).map(|entry| &mut entry.node.value) {
            None => {
                let node = Node { at: *at, value: Value::String(other.to_owned()) };
                inner.entries.push(Entry { key: decides.to_owned(), at: *at, node });
            }
            Some(Value::String(word)) if idle.contains(&word.as_str()) => {
                other.clone_into(word);
            }
            Some(_) => {}
        }
    }
}

fn within<'t>(table: &'t Table, outer: &str, key: &str) -> Option<&'t Value> {
    let Value::Table(inner) = &table.get(outer)?.node.value else { return None };
    Some(&inner.get(key)?.node.value)
}

/// The word of the key of an inner table that decides; of `restart` it may stand alone.
fn word<'t>(table: &'t Table, outer: &str, decides: &str) -> Option<&'t str> {
    let value = match &table.get(outer)?.node.value {
        Value::Table(_) => within(table, outer, decides)?,
        alone => alone,
    };
    let Value::String(text) = value else { return None };
    Some(text)
}
