//! The one table of keys. Everything that finit knows about a key beside its meaning is here:
//! where it may stand, what it takes, what it is without, and what it is for. From it come the
//! errors about unknown keys and wrong types, `finitctl explain`, and the refusal of keys that
//! the contract has but this version does not carry out: they are known, so that they are
//! never silently ignored.

mod conditions;
mod health;
mod identity;
mod inner;
mod instances;
mod later;
mod machine;
mod output;
mod service;
mod suggest;
mod terminal;

pub(crate) use suggest::nearest;

/// A key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The table that it stands in. `service` stands for services, tasks and the defaults;
    /// what follows a dot is a table within such a one, such as `service.stop`.
    pub table: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it takes, in words that follow "must be".
    pub kind: &'static str,
    /// What it is when left out, in the words of the file; empty for nothing.
    pub default: &'static str,
    /// A value that it takes, as it would stand in the file.
    pub example: &'static str,
    /// What it is for, in one paragraph.
    pub help: &'static str,
    /// Since when it is carried out.
    pub since: Since,
}

/// Since when a key is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This version of finit and later ones.
    Version(&'static str),
    /// Promised, but not by this version: using it is an error.
    Later,
}

/// The tables at the top of a file.
pub const TABLES: [&str; 9] =
    ["service", "task", "target", "boot", "shutdown", "control", "defaults", "log", "override"];

/// The table of conditions: `only-if` and `assert` have the same keys.
const CONDITIONS: &str = "service.only-if";

/// A key of this version.
const fn key(
    table: &'static str,
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    help: &'static str,
) -> Key {
    Key { table, name, kind, default, example, help, since: Since::Version("0.1") }
}

/// A key that the contract promises and this version does not carry out.
const fn later(table: &'static str, name: &'static str, help: &'static str) -> Key {
    Key { table, name, kind: "", default: "", example: "", help, since: Since::Later }
}

/// Every key, in the order in which a reference shows them.
pub fn all() -> impl Iterator<Item = &'static Key> {
    let services = service::KEYS.iter().chain(&identity::KEYS).chain(&output::KEYS);
    let services = services.chain(&conditions::KEYS).chain(&inner::KEYS);
    let services = services.chain(&health::KEYS).chain(&terminal::KEYS).chain(&instances::KEYS);
    services.chain(&machine::KEYS).chain(&later::KEYS)
}

/// The key of that name in that table.
pub fn find(table: &str, name: &str) -> Option<&'static Key> {
    let name = if table == CONDITIONS { conditions::plain(name)? } else { name };
    // Names differ sooner than tables do, most of them in their length.
    all().find(|key| key.name == name && key.table == table)
}

/// The kind of the table that a key of another one takes.
pub fn inner(table: &str, name: &str) -> Option<&'static str> {
    match (table, name) {
        ("service", "stop") => Some("service.stop"),
        ("service", "restart") => Some("service.restart"),
        ("service", "ready") => Some("service.ready"),
        ("service", "health") => Some("service.health"),
        ("service", "schedule") => Some("service.schedule"),
        ("service", "watch") => Some("service.watch"),
        ("service", "instances") => Some("service.instances"),
        ("service", "listen" | "inetd") => Some("service.socket"),
        ("service", "only-if" | "assert") => Some("service.only-if"),
        (
            "service",
            "before-start" | "after-start" | "after-stop" | "reload" | "only-if-command",
        )
        | ("service.stop" | "service.ready" | "service.health", "command") => Some("service.hook"),
        _ => None,
    }
}

/// The key of that table that was probably meant by a name that is none.
pub fn suggest(table: &str, name: &str) -> Option<&'static str> {
    if table == CONDITIONS {
        let turned = name.strip_prefix("not-any-").map(|test| format!("any-not-{test}"));
        return nearest(&turned.unwrap_or_else(|| name.to_owned()), conditions::FORMS);
    }
    let names = || all().filter(|key| key.table == table).map(|key| key.name);
    let foreign = suggest::FOREIGN.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    let translated = foreign.map(|(_, ours)| *ours).filter(|ours| names().any(|n| n == *ours));
    translated.or_else(|| nearest(name, names()))
}

/// Whether one of these keys was probably meant by a name.
pub fn is_meant(name: &str, keys: &[&str]) -> bool {
    let foreign = suggest::FOREIGN.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    let meant = foreign.map(|(_, ours)| *ours);
    meant.or_else(|| nearest(name, keys.iter().copied())).is_some_and(|meant| keys.contains(&meant))
}

impl Key {
    /// Whether this version carries it out.
    pub fn is_supported(&self) -> bool {
        self.since != Since::Later
    }

    /// How a person writes it: `stop.signal`, `boot.hostname`, `user`.
    pub fn path(&self) -> String {
        match self.table {
            "service" => self.name.to_owned(),
            "service.socket" => format!("listen.{}", self.name),
            "service.hook" => format!("before-start.{}", self.name),
            table => {
                let table = table.strip_prefix("service.").unwrap_or(table);
                format!("{table}.{}", self.name)
            }
        }
    }

    /// Where it may stand, in words.
    fn place(&self) -> String {
        match self.table {
            "service" => "[service.NAME], [task.NAME] and [defaults]".to_owned(),
            "service.socket" => "a table of `listen` or `inetd`".to_owned(),
            "service.hook" => {
                "a table of a hook, of `reload`, or of `command` in `stop`, `ready` or `health`"
                    .into()
            }
            CONDITIONS => "`only-if` and `assert` of a service or task".to_owned(),
            "target" => "[target.NAME]".to_owned(),
            table => match table.strip_prefix("service.") {
                Some(inner) => format!("`{inner}` of a service or task"),
                None => format!("[{table}]"),
            },
        }
    }
}

/// What a person should know about a key, by its path in the file (`stop.signal`,
/// `boot.hostname`, `service.sshd.user`), or by its last part alone, which may name several keys.
/// None for a key that does not exist.
pub fn explain(name: &str) -> Option<String> {
    if let Some((title, key)) = by_path(&name.split('.').collect::<Vec<_>>()) {
        return Some(page(&title, key));
    }
    let found = all().filter(|key| key.name == name);
    let pages: Vec<String> = found.map(|key| page(&key.path(), key)).collect();
    (!pages.is_empty()).then(|| pages.join("\n\n"))
}

/// The key that a path leads to, and the path without the name of the service that it stands in.
fn by_path(parts: &[&str]) -> Option<(String, &'static Key)> {
    let top = parts.first()?;
    let (table, starts): (&str, &[usize]) = match *top {
        "service" | "task" => ("service", &[1, 2]),
        "defaults" => ("service", &[1]),
        "override" => ("service", &[3]),
        "target" => (top, &[1, 2]),
        _ if TABLES.contains(top) => (top, &[1]),
        _ => ("service", &[]),
    };
    let below = starts.iter().map(|start| (table, *start)).chain([("service", 0)]);
    let mut found = below.filter_map(|(table, start)| {
        let rest = parts.get(start..)?;
        let key = walk(table, rest)?;
        let is_whole = key.table == CONDITIONS || rest.last() == Some(&key.name);
        let title = match table {
            _ if !is_whole => key.path(),
            "service" => rest.join("."),
            _ => format!("{table}.{}", rest.join(".")),
        };
        Some((title, key))
    });
    found.next()
}

/// The key at the end of a way through tables.
fn walk(table: &str, parts: &[&str]) -> Option<&'static Key> {
    let (name, rest) = parts.split_first()?;
    let key = find(table, name)?;
    match inner(table, key.name) {
        _ if rest.is_empty() => Some(key),
        Some(inner) => walk(inner, rest),
        // The names in it are those of limits, variables or settings.
        None => key.kind.starts_with("a table of").then_some(key),
    }
}

fn page(title: &str, key: &Key) -> String {
    let mut page = title.to_owned();
    if !key.is_supported() {
        page.push_str("\n  not supported by this version of finit yet");
    } else if key.default.is_empty() {
        page.push_str(&format!("\n  takes {}", key.kind));
    } else {
        page.push_str(&format!("\n  takes {}; without it {}", key.kind, key.default));
    }
    page.push_str(&format!("\n  stands in {}", key.place()));
    if !key.example.is_empty() {
        page.push_str(&format!("\n  for example {} = {}", key.name, key.example));
    }
    page.push_str(&format!("\n\n{}", key.help));
    page
}
