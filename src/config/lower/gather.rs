//! Who is defined where: the tables of all files side by side, overrides laid over what they
//! override. One name means one thing, and each setting is said once; whatever is said twice is
//! an error that shows both places.

use std::collections::BTreeMap;

use super::super::keys;
use super::super::raw::{Entry, Owner, Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::Kind;
use super::super::values;
use super::section::check_keys;
use super::{identity, idle, ready, sockets};

/// A named table of a file, what is laid over it included.
pub(super) struct Definition {
    /// One of [`NAMED`].
    pub kind: &'static str,
    pub name: String,
    pub table: Table,
    /// Its name in its header.
    pub at: Place,
    /// What is wrong with a part of it already.
    pub mistake: Option<String>,
}

/// Everything that the files say.
#[derive(Default)]
pub(super) struct Gathered {
    /// In the order of the files.
    pub definitions: Vec<Definition>,
    /// Their numbers by their names.
    numbers: BTreeMap<String, usize>,
    /// Those of a name that is taken, which are read for their mistakes alone.
    pub second: Vec<Definition>,
    pub settings: BTreeMap<String, Table>,
    overrides: Vec<(Owner, Table, Place)>,
    /// Names below a kind that is misspelt, as what they were meant to be, each with the mistake:
    /// who speaks of them speaks of no stranger.
    pub misspelt: Vec<(&'static str, String, Place, String)>,
}

impl Gathered {
    /// What is called so, whatever it is.
    fn named(&mut self, name: &str) -> Option<&mut Definition> {
        self.numbers.get(name).and_then(|number| self.definitions.get_mut(*number))
    }

    /// The definition of that kind and name.
    pub fn find(&mut self, (kind, name): &Owner) -> Option<&mut Definition> {
        self.named(name).filter(|definition| definition.kind == kind)
    }
}

/// Tables of tables with names.
pub(in super::super) const NAMED: [&str; 3] = ["service", "task", "target"];

/// Keys of which one takes the place of the others: said in two tables that are laid over each
/// other, they are one thing said in two ways, and the upper one counts.
const ALTERNATIVES: [&[&str]; 2] = [&["command", "script", "steps"], &["inetd", "listen"]];
/// The same within tables of theirs. The name of an instance is one of a path.
const WITHIN: [(&str, &[&[&str]]); 2] = [
    ("health", &[&super::health::CHECKS]),
    ("instances", &[&["glob", "command"], &["name", "command"]]),
];

/// Keys whose word stands for one key of their table.
const WORDS: [(&str, &str); 1] = [("restart", "when")];

/// A table at the top of a file.
pub(super) fn gather(entry: Entry, gathered: &mut Gathered, report: &mut Report<'_>) {
    let Value::Table(table) = entry.node.value else {
        let problem = Problem::new(format!("{} stands in no table", quoted(&entry.key)));
        let hint = "a key belongs below a header such as [service.NAME] or [boot]";
        report.error(entry.at, problem.hint(hint));
        return;
    };
    let kind = entry.key.as_str();
    if let Some(kind) = NAMED.into_iter().find(|known| *known == kind) {
        for named in table.entries {
            if let Some(definition) = definition(kind, named, report) {
                define(definition, gathered, report);
            }
        }
    } else if kind == "override" {
        for entry in table.entries {
            let Some((kind, inner)) = overridable(entry, report) else { continue };
            for named in inner.entries {
                if let Some(Definition { name, table, at, .. }) = definition(kind, named, report) {
                    gathered.overrides.push(((kind.to_owned(), name), table, at));
                }
            }
        }
    } else if keys::TABLES.contains(&kind) {
        merge(kind, gathered.settings.entry(kind.to_owned()).or_default(), table, report);
    } else {
        let mistake = format!("unknown table [{}]", entry.key);
        let near = keys::nearest(kind, keys::TABLES);
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", keys::TABLES.join(", ")),
        };
        report.error(entry.at, Problem::new(mistake.clone()).hint(hint));
        if let Some(meant) = NAMED.into_iter().find(|known| near == Some(*known)) {
            let named = table.entries.into_iter();
            let named = named.filter(|named| matches!(named.node.value, Value::Table(_)));
            gathered.misspelt.extend(named.map(|one| (meant, one.key, one.at, mistake.clone())));
        }
    }
}

/// The tables of an override; anything but services and tasks has none.
fn overridable(entry: Entry, report: &mut Report<'_>) -> Option<(&'static str, Table)> {
    let kind = ["service", "task"].into_iter().find(|kind| *kind == entry.key);
    if let (Some(kind), Value::Table(table)) = (kind, entry.node.value) {
        return Some((kind, table));
    }
    let message = format!("{} cannot be overridden", quoted(&entry.key));
    let hint = "only [override.service.NAME] and [override.task.NAME] can";
    report.error(entry.at, Problem::new(message).hint(hint));
    None
}

/// Adds a table without a name from another file: each key may be said once.
fn merge(top: &str, into: &mut Table, from: Table, report: &mut Report<'_>) {
    for entry in from.entries {
        let Some(known) = into.entries.iter_mut().find(|known| known.key == entry.key) else {
            into.entries.push(entry);
            continue;
        };
        match (&mut known.node.value, entry.node.value) {
            (Value::Table(known), Value::Table(table)) => merge(top, known, table, report),
            _ => {
                let message = format!("{} in [{top}] is said twice", quoted(&entry.key));
                let label = (known.at, "first said here".to_owned());
                report.error_with(entry.at, Problem::new(message), &[label]);
            }
        }
    }
}

/// A table with a name, if it is a table and that is a name.
fn definition(kind: &'static str, named: Entry, report: &mut Report<'_>) -> Option<Definition> {
    let Value::Table(table) = named.node.value else {
        let message = format!("{} stands in no [{kind}.NAME]", quoted(&named.key));
        let hint = if keys::find("service", &named.key).is_some() {
            format!("give the table above a name: [{kind}.NAME]")
        } else {
            format!("write [{kind}.{}] and its keys below", named.key)
        };
        report.error(named.at, Problem::new(message).hint(hint));
        return None;
    };
    if let Err(problem) = values::name(&named.key) {
        report.error_in_text(named.at, &named.key, problem);
        return None;
    }
    Some(Definition { kind, name: named.key, table, at: named.at, mistake: None })
}

/// A name is defined once in all files, whatever it is the name of.
fn define(new: Definition, gathered: &mut Gathered, report: &mut Report<'_>) {
    let Definition { kind, name, at, .. } = &new;
    if let Some(first) = gathered.named(name) {
        let problem = Problem::new(format!("{} is defined twice", quoted(name)));
        let hint = format!("to change a definition of another file write [override.{kind}.{name}]");
        let label = (first.at, "first defined here".to_owned());
        report.error_with(*at, problem.hint(hint), &[label]);
        gathered.second.push(new);
        return;
    }
    gathered.numbers.insert(name.clone(), gathered.definitions.len());
    gathered.definitions.push(new);
}

/// Lays the overrides over what they override. Where a part of a file could not be read, what
/// is not defined may be defined there.
pub(super) fn lay_over(gathered: &mut Gathered, has_broken: bool, report: &mut Report<'_>) {
    for (owner, table, at) in std::mem::take(&mut gathered.overrides) {
        let (kind, name) = &owner;
        let before = report.errors();
        check_keys(&table, "service", &format_args!("[override.{kind}.{name}]"), report);
        if let Some(definition) = gathered.find(&owner) {
            let own = idle::Own::of(&table);
            lay(&mut definition.table, table);
            let word = if kind == "service" { Kind::Service } else { Kind::Task };
            idle::leave_out_overridden(word, &mut definition.table, &own);
            if definition.mistake.is_none() {
                definition.mistake = report.since(before);
            }
            continue;
        }
        if has_broken {
            continue;
        }
        let problem = Problem::new(format!("there is no {kind} {} to override", quoted(name)));
        let other = if kind == "task" { "service" } else { "task" };
        let hint = if gathered.find(&(other.to_owned(), name.clone())).is_some() {
            Some(format!("it is a {other}: write [override.{other}.{name}]"))
        } else {
            let alike = gathered.definitions.iter().filter(|definition| definition.kind == kind);
            let near = keys::nearest(name, alike.map(|definition| definition.name.as_str()));
            near.map(|near| format!("did you mean `{near}`?"))
        };
        report.error(at, Problem { hint, ..problem });
    }
}

/// Lays a table over another one, without what it takes the place of.
pub(super) fn lay(below: &mut Table, mut above: Table) {
    WORDS.into_iter().for_each(|(key, word)| spell_out(key, word, below, &mut above));
    make_way(below, &above, &ALTERNATIVES);
    identity::make_way(below, &above);
    ready::make_way(below, &above);
    if above.get("listen").is_some() {
        sockets::OF_INETD.iter().for_each(|key| below.remove(key));
    }
    for (key, alternatives) in WITHIN {
        let inner = below.get_mut(key);
        let over = above.get(key).map(|entry| &entry.node.value);
        if let (Some(Value::Table(below)), Some(Value::Table(above))) =
            (inner.map(|entry| &mut entry.node.value), over)
        {
            make_way(below, above, alternatives);
        }
    }
    below.overlay(above);
}

/// Makes a table of a word that meets a table: each says a part, and neither loses what the other
/// says nothing of.
fn spell_out(key: &str, word: &str, below: &mut Table, above: &mut Table) {
    let [below, above] = [below, above].map(|table| table.get_mut(key));
    let (Some(below), Some(above)) = (below, above) else { return };
    let node = match (&below.node.value, &above.node.value) {
        (Value::String(_), Value::Table(_)) => &mut below.node,
        (Value::Table(_), Value::String(_)) => &mut above.node,
        _ => return,
    };
    let inner = Entry { key: word.to_owned(), at: node.at, node: node.clone() };
    node.value = Value::Table(Table { entries: vec![inner] });
}

/// Takes away what something else takes the place of.
fn make_way(below: &mut Table, above: &Table, alternatives: &[&[&str]]) {
    for group in alternatives {
        if group.iter().any(|key| above.get(key).is_some()) {
            let others = group.iter().filter(|key| above.get(key).is_none());
            others.for_each(|key| below.remove(key));
        }
    }
}
