//! From tables to typed values: parse, don't validate. Definitions are gathered from all files
//! first, laid over the defaults, and written out once for each instance.

mod commands;
mod machine;
mod section;
mod service;
mod sockets;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::check;
use super::keys;
use super::raw::{Document, Entry, Node, Owner, Table, Value};
use super::report::{Place, Problem, Report, quoted};
use super::spec::{Kind, ServiceSpec, SystemSpec};
use super::values;
use service::Subject;

/// A named table of a file.
pub(super) struct Definition {
    pub table: Table,
    /// Its name in its header.
    pub at: Place,
}

/// Everything that the files say, by kind and name.
#[derive(Default)]
struct Gathered {
    named: BTreeMap<Owner, Definition>,
    /// In the order of the files.
    order: Vec<Owner>,
    settings: BTreeMap<String, Table>,
    overrides: Vec<(Owner, Table, Place)>,
}

const NAMED: [&str; 3] = ["service", "task", "target"];

/// Makes the machine of what the files say.
pub(super) fn lower(documents: &[Document], report: &mut Report<'_>) -> SystemSpec {
    let mut gathered = Gathered::default();
    for document in documents {
        for entry in &document.root.entries {
            gather(entry, &mut gathered, report);
        }
    }
    lay_over(&mut gathered, report);
    let mut broken: BTreeMap<Owner, Place> = BTreeMap::new();
    for document in documents {
        broken.extend(document.broken.iter().map(|(owner, at)| (owner.clone(), *at)));
    }
    let mut spec = settings(&gathered, report);
    let mut places = BTreeMap::new();
    let mut wanted_by = Vec::new();
    let defaults = gathered.settings.get("defaults").cloned().unwrap_or_default();
    for owner in &gathered.order {
        let Some(definition) = gathered.named.get(owner) else { continue };
        let (kind, name) = owner;
        places.insert(name.clone(), definition.at);
        match kind.as_str() {
            "target" => {
                spec.targets.push(Rc::new(machine::target(name, &definition.table, report)))
            }
            kind => {
                let kind = if kind == "task" { Kind::Task } else { Kind::Service };
                let whole = over_defaults(&defaults, &definition.table);
                let made = instances(kind, name, &whole, definition.at, report);
                if let (Some(entry), false) = (whole.get("wanted-by"), made.is_empty()) {
                    wanted_by.push((name.clone(), entry.node.clone()));
                }
                // One that another file says too, or could not say, is not to be trusted.
                if !broken.contains_key(owner) {
                    spec.services.extend(made.into_iter().map(Rc::new));
                }
            }
        }
    }
    check::check(&mut spec, &places, &broken, wanted_by, report);
    spec
}

/// A table at the top of a file.
fn gather(entry: &Entry, gathered: &mut Gathered, report: &mut Report<'_>) {
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
            let Value::Table(inner) = &kind.node.value else { continue };
            for named in &inner.entries {
                if let Some(table) = named_table(&kind.key, named, report) {
                    let owner = (kind.key.clone(), named.key.clone());
                    gathered.overrides.push((owner, table.clone(), named.at));
                }
            }
        }
    } else if keys::TABLES.contains(&kind) {
        gathered.settings.entry(kind.to_owned()).or_default().overlay(table);
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

fn named_table<'t>(kind: &str, named: &'t Entry, report: &mut Report<'_>) -> Option<&'t Table> {
    let Value::Table(table) = &named.node.value else {
        let message = format!("{} stands in no [{kind}.NAME]", quoted(&named.key));
        let hint = format!("write [{kind}.{}], or give the table above a name", named.key);
        report.error(named.at, Problem::new(message).hint(hint));
        return None;
    };
    if let Err(problem) = values::name(&named.key) {
        report.error(named.at, problem);
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
    gathered.named.insert(owner, Definition { table: table.clone(), at: named.at });
}

/// Lays the overrides over what they override.
fn lay_over(gathered: &mut Gathered, report: &mut Report<'_>) {
    for (owner, table, at) in std::mem::take(&mut gathered.overrides) {
        match gathered.named.get_mut(&owner) {
            Some(definition) => definition.table.overlay(&table),
            None => {
                let message = format!("there is no {} {} to override", owner.0, quoted(&owner.1));
                let names = gathered.order.iter().filter(|(kind, _)| *kind == owner.0);
                let near = keys::nearest(&owner.1, names.map(|(_, name)| name.as_str()));
                let problem = Problem::new(message);
                report.error(
                    at,
                    match near {
                        Some(near) => problem.hint(format!("did you mean `{near}`?")),
                        None => problem,
                    },
                );
            }
        }
    }
}

/// A definition over the defaults. What excludes each other is one thing said in two ways: the
/// definition's own way counts.
fn over_defaults(defaults: &Table, table: &Table) -> Table {
    const ALTERNATIVES: [&[&str]; 2] = [&["command", "script", "steps"], &["inetd", "listen"]];
    let mut whole = defaults.clone();
    for group in ALTERNATIVES {
        if group.iter().any(|key| table.get(key).is_some()) {
            group.iter().for_each(|key| whole.remove(key));
        }
    }
    whole.overlay(table);
    whole
}

/// The service, or each instance of the template.
fn instances(
    kind: Kind,
    name: &str,
    table: &Table,
    at: Place,
    report: &mut Report<'_>,
) -> Vec<ServiceSpec> {
    let before = report.errors();
    let Some(entry) = table.get("instances") else {
        let subject =
            Subject { kind, name: name.to_owned(), template: None, instance: None, table, at };
        let made = service::service(subject, report);
        return made.filter(|_| report.errors() == before).into_iter().collect();
    };
    let Some(list) = instance_list(&entry.node, report) else { return Vec::new() };
    let mut made = Vec::new();
    for instance in list {
        let subject = Subject {
            kind,
            name: format!("{name}@{instance}"),
            template: Some(name.to_owned()),
            instance: Some(instance),
            table,
            at,
        };
        made.extend(service::service(subject, report));
    }
    if report.errors() == before { made } else { Vec::new() }
}

fn instance_list(node: &Node, report: &mut Report<'_>) -> Option<Vec<String>> {
    let Value::Array(items) = &node.value else {
        let problem = Problem::new("`instances` must be a list of names in this version of finit")
            .hint("write instances = [\"one\", \"two\"]");
        report.error(node.at, problem);
        return None;
    };
    let mut list: Vec<String> = Vec::new();
    for item in items {
        let Value::String(text) = &item.value else {
            let message = format!("an instance must be a string, not {}", item.value.words());
            report.error(item.at, Problem::new(message));
            continue;
        };
        match values::name(text) {
            Ok(name) if list.contains(&name) => {
                let problem = Problem::new(format!("the instance {} is there twice", quoted(text)));
                report.error(item.at, problem);
            }
            Ok(name) => list.push(name),
            Err(problem) => report.error_in_text(item.at, text, problem),
        }
    }
    Some(list)
}

/// The tables without names.
fn settings(gathered: &Gathered, report: &mut Report<'_>) -> SystemSpec {
    let table = |name: &str| gathered.settings.get(name);
    let mut spec = SystemSpec::default();
    if let Some(table) = table("boot") {
        spec.boot = machine::boot(table, report);
    }
    if let Some(table) = table("shutdown") {
        spec.shutdown = machine::shutdown(table, report);
    }
    if let Some(table) = table("control") {
        spec.control = machine::control(table, report);
    }
    if let Some(table) = table("log") {
        spec.log = machine::log(table, report);
    }
    spec
}
