//! Who is defined where: the tables of all files side by side, overrides laid over what they
//! override. One name means one thing, and each setting is said once; whatever is said twice is
//! an error that shows both places.

use std::collections::BTreeMap;

use super::super::keys;
use super::super::raw::{Entry, Owner, Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::values;
use super::section::check_keys;

/// A named table of a file, what is laid over it included.
pub(super) struct Definition {
    pub table: Table,
    /// Its name in its header.
    pub at: Place,
    /// What is wrong with a part of it already.
    pub mistake: Option<String>,
}

/// Everything that the files say, by kind and name.
#[derive(Default)]
pub(super) struct Gathered {
    pub named: BTreeMap<Owner, Definition>,
    /// In the order of the files.
    pub order: Vec<Owner>,
    pub settings: BTreeMap<String, Table>,
    overrides: Vec<(Owner, Table, Place)>,
}

/// Tables of tables with names.
pub(in super::super) const NAMED: [&str; 3] = ["service", "task", "target"];

/// Keys of which one takes the place of the others: said in two tables that are laid over each
/// other, they are one thing said in two ways, and the upper one counts.
const ALTERNATIVES: [&[&str]; 2] = [&["command", "script", "steps"], &["inetd", "listen"]];
/// The same within `health`.
const CHECKS: [&[&str]; 1] = [&super::health::CHECKS];

/// A table at the top of a file.
pub(super) fn gather(entry: &Entry, gathered: &mut Gathered, report: &mut Report<'_>) {
    let Value::Table(table) = &entry.node.value else {
        let problem = Problem::new(format!("{} stands in no table", quoted(&entry.key)));
        let hint = "a key belongs below a header such as [service.NAME] or [boot]";
        report.error(entry.at, problem.hint(hint));
        return;
    };
    let kind = entry.key.as_str();
    if NAMED.contains(&kind) {
        for named in &table.entries {
            if let Some(table) = named_table(kind, named, report) {
                define(kind, named, table, gathered, report);
            }
        }
    } else if kind == "override" {
        for kind in &table.entries {
            let Some(inner) = overridable(kind, report) else { continue };
            for named in &inner.entries {
                if let Some(table) = named_table(&kind.key, named, report) {
                    let owner = (kind.key.clone(), named.key.clone());
                    gathered.overrides.push((owner, table.clone(), named.at));
                }
            }
        }
    } else if keys::TABLES.contains(&kind) {
        merge(kind, gathered.settings.entry(kind.to_owned()).or_default(), table, report);
    } else {
        let problem = Problem::new(format!("unknown table [{}]", entry.key));
        report.error(
            entry.at,
            match keys::nearest(kind, keys::TABLES) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("one of {}", keys::TABLES.join(", "))),
            },
        );
    }
}

/// The tables of an override; anything but services and tasks has none.
fn overridable<'t>(kind: &'t Entry, report: &mut Report<'_>) -> Option<&'t Table> {
    if let ("service" | "task", Value::Table(table)) = (kind.key.as_str(), &kind.node.value) {
        return Some(table);
    }
    let message = format!("{} cannot be overridden", quoted(&kind.key));
    let hint = "only [override.service.NAME] and [override.task.NAME] can";
    report.error(kind.at, Problem::new(message).hint(hint));
    None
}

/// Adds a table without a name from another file: each key may be said once.
fn merge(top: &str, into: &mut Table, from: &Table, report: &mut Report<'_>) {
    for entry in &from.entries {
        match into.entries.iter_mut().find(|known| known.key == entry.key) {
            None => into.entries.push(entry.clone()),
            Some(known) => match (&mut known.node.value, &entry.node.value) {
                (Value::Table(known), Value::Table(table)) => merge(top, known, table, report),
                _ => {
                    let message = format!("{} in [{top}] is said twice", quoted(&entry.key));
                    let label = (known.at, "first said here".to_owned());
                    report.error_with(entry.at, Problem::new(message), &[label]);
                }
            },
        }
    }
}

fn named_table<'t>(kind: &str, named: &'t Entry, report: &mut Report<'_>) -> Option<&'t Table> {
    let Value::Table(table) = &named.node.value else {
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
    Some(table)
}

/// A name is defined once in all files, whatever it is the name of.
fn define(
    kind: &str,
    named: &Entry,
    table: &Table,
    gathered: &mut Gathered,
    report: &mut Report<'_>,
) {
    let first = NAMED.iter().find_map(|other| {
        gathered.named.get(&((*other).to_owned(), named.key.clone())).map(|first| first.at)
    });
    if let Some(first) = first {
        let problem = Problem::new(format!("{} is defined twice", quoted(&named.key)));
        let hint =
            format!("to change a definition of another file write [override.{kind}.{}]", named.key);
        let label = (first, "first defined here".to_owned());
        report.error_with(named.at, problem.hint(hint), &[label]);
        return;
    }
    let owner = (kind.to_owned(), named.key.clone());
    gathered.order.push(owner.clone());
    gathered.named.insert(owner, Definition { table: table.clone(), at: named.at, mistake: None });
}

/// Lays the overrides over what they override. Where a part of a file could not be read, what
/// is not defined may be defined there.
pub(super) fn lay_over(gathered: &mut Gathered, has_broken: bool, report: &mut Report<'_>) {
    for (owner, table, at) in std::mem::take(&mut gathered.overrides) {
        let (kind, name) = &owner;
        let before = report.errors();
        check_keys(&table, "service", &format!("[override.{kind}.{name}]"), report);
        if let Some(definition) = gathered.named.get_mut(&owner) {
            lay(&mut definition.table, &table);
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
        let names = gathered.order.iter().filter(|(of, _)| of == kind);
        let hint = if gathered.named.contains_key(&(other.to_owned(), name.clone())) {
            Some(format!("it is a {other}: write [override.{other}.{name}]"))
        } else {
            let near = keys::nearest(name, names.map(|(_, name)| name.as_str()));
            near.map(|near| format!("did you mean `{near}`?"))
        };
        report.error(at, Problem { hint, ..problem });
    }
}

/// Lays a table over another one, without what it takes the place of.
pub(super) fn lay(below: &mut Table, above: &Table) {
    make_way(below, above, &ALTERNATIVES);
    let health = below.entries.iter_mut().find(|entry| entry.key == "health");
    let over = above.get("health").map(|entry| &entry.node.value);
    if let (Some(Value::Table(below)), Some(Value::Table(above))) =
        (health.map(|entry| &mut entry.node.value), over)
    {
        make_way(below, above, &CHECKS);
    }
    below.overlay(above);
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
