//! From tables to typed values: parse, don't validate. Definitions are gathered from all files
//! first, laid over the defaults, and written out once for each instance.

mod commands;
mod conditions;
mod defaults;
mod found_instances;
mod gather;
mod health;
mod identity;
mod idle;
mod instances;
mod lifecycle;
mod machine;
mod output;
mod ready;
mod schedule;
mod section;
mod service;
mod sockets;
mod terminal;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::check::{self, Definitions, Draft};
use super::found::Found;
use super::left_out::{Mistakes, UNREADABLE};
use super::raw::{Document, Entry, Node, Owner, Table, Value};
use super::report::{Place, Report};
use super::spec::{Kind, SystemSpec};
use defaults::{check_defaults, over_defaults};
use found_instances::Machine;
pub(super) use gather::NAMED;
use gather::{Definition, Gathered, gather, lay_over};
use instances::{Made, Named, instances};
use section::{check_keys, is_mistyped};

/// Keys that say when a service is there, and so what it is there with.
const TIMING: [&str; 5] = ["start", "enabled", "stage", "targets", "wanted-by"];

/// Makes the machine of what the files say and of what was found.
pub(super) fn lower(
    documents: Vec<Document>,
    found: &Found,
    report: &mut Report<'_>,
) -> SystemSpec {
    let (mut gathered, broken) = gathered(documents, report);
    let mut definitions = Definitions { has_broken: !broken.is_empty(), ..Definitions::default() };
    let mut spec = settings(&gathered, report);
    let defaults = gathered.settings.remove("defaults").unwrap_or_default();
    check_defaults(&defaults, report);
    for Definition { kind, name, table, at, .. } in std::mem::take(&mut gathered.second) {
        read_second(kind, &name, at, table, &defaults, report);
    }
    let defined: BTreeSet<String> = match found.is_empty() {
        true => BTreeSet::new(),
        false => gathered.definitions.iter().map(|known| known.name.clone()).collect(),
    };
    let machine = Machine { found, defined: &defined };
    let mut drafts: Vec<Draft> = Vec::new();
    let mut mistakes = Mistakes::default();
    // Freed together, not one by one: what is made of the next would lie in the gaps.
    let mut read: Vec<Table> = Vec::with_capacity(gathered.definitions.len());
    for Definition { kind, name, table, at, mistake } in gathered.definitions {
        definitions.places.insert(name.clone(), (kind, at));
        let before = report.errors();
        if kind == "target" {
            let (target, said) = machine::target(&name, &table, report);
            let mistake = mistake.or_else(|| report.since(before));
            if !said.is_empty() || mistake.is_some() {
                definitions.naming_targets.insert(name.clone());
            }
            definitions.of_targets.extend(said);
            let target = Rc::new(target);
            match mistake {
                None => spec.targets.push(target),
                Some(mistake) => {
                    mistakes.add(&name, &mistake);
                    definitions.lost_targets.push(target);
                }
            }
            continue;
        }
        let is_broken = broken.contains_key(&(kind.to_owned(), name.clone()));
        let kind = if kind == "task" { Kind::Task } else { Kind::Service };
        let mut whole = over_defaults(kind, &name, &defaults, table);
        if is_broken {
            make_up_command(&mut whole);
        }
        let named = Named { kind, name: &name, table: &whole, at };
        let Made { drafts: made, template, lost } = instances(named, &machine, report);
        let mistake = mistake.or_else(|| report.since(before));
        if let Some(template) = template {
            definitions.found.insert(name.clone());
            spec.templates.push(template);
        }
        if let Some(lost) = lost {
            mistakes.add(&name, &lost);
        }
        let mut vague = false;
        if let Some(mistake) = &mistake {
            definitions.incomplete.insert(name.clone());
            mistakes.add(&name, mistake);
            vague = mistake == UNREADABLE || is_mistyped(&whole, "service", &TIMING);
        }
        for mut draft in made {
            draft.mistake.clone_from(&mistake);
            draft.vague |= vague;
            if let Some(last) = drafts.last() {
                draft.spec.share(&last.spec);
            }
            drafts.push(draft);
        }
        read.push(whole);
    }
    drop(read);
    for ((kind, name), at) in broken {
        if let Some(kind) = NAMED.into_iter().find(|known| *known == kind) {
            mistakes.add(&name, UNREADABLE);
            definitions.places.entry(name).or_insert((kind, at));
        }
    }
    for (kind, name, at, mistake) in gathered.misspelt {
        mistakes.add(&name, &mistake);
        definitions.incomplete.insert(name.clone());
        definitions.places.entry(name).or_insert((kind, at));
    }
    check::check(&definitions, drafts, mistakes, &mut spec, report);
    spec
}

/// What the files say, with what is laid over it, and the owners of what could not be read.
fn gathered(
    documents: Vec<Document>,
    report: &mut Report<'_>,
) -> (Gathered, BTreeMap<Owner, Place>) {
    let mut gathered = Gathered::default();
    let mut broken: BTreeMap<Owner, Place> = BTreeMap::new();
    for document in documents {
        for entry in document.root.entries {
            gather(entry, &mut gathered, report);
        }
        broken.extend(document.broken);
    }
    check_definitions(&mut gathered, &broken, report);
    lay_over(&mut gathered, !broken.is_empty(), report);
    (gathered, broken)
}

/// What a definition runs may stand in the part of it that cannot be read, which is told.
fn make_up_command(table: &mut Table) {
    if ["command", "script", "steps"].iter().all(|key| table.get(key).is_none()) {
        let at = Place::default();
        let node = Node { at, value: Value::String("/bin/true".to_owned()) };
        table.entries.push(Entry { key: "command".to_owned(), at, node });
    }
}

/// A definition of a name that is taken: what else is wrong with it is told at once, too.
fn read_second(
    kind: &str,
    name: &str,
    at: Place,
    table: Table,
    defaults: &Table,
    report: &mut Report<'_>,
) {
    if kind == "target" {
        let _told = machine::target(name, &table, report);
        return;
    }
    check_keys(&table, "service", &format_args!("[{kind}.{name}]"), report);
    let kind = if kind == "task" { Kind::Task } else { Kind::Service };
    let table = &over_defaults(kind, name, defaults, table);
    let machine = Machine { found: &Found::default(), defined: &BTreeSet::new() };
    let _told = instances(Named { kind, name, table, at }, &machine, report);
}

/// Looks at the keys of all definitions, and marks those that are not to be trusted: with a
/// mistake, or with a part that is no TOML.
fn check_definitions(
    gathered: &mut Gathered,
    broken: &BTreeMap<Owner, Place>,
    report: &mut Report<'_>,
) {
    // An override that cannot be read may be the one that takes a right away.
    let lost_override = broken.keys().any(|(kind, _)| kind == "override");
    for Definition { kind, name, table, mistake, .. } in &mut gathered.definitions {
        let before = report.errors();
        if *kind != "target" {
            check_keys(table, "service", &format_args!("[{kind}.{name}]"), report);
        }
        *mistake = report.since(before).or(lost_override.then(|| UNREADABLE.to_owned()));
    }
    for owner in broken.keys() {
        if let Some(Definition { mistake, .. }) = gathered.find(owner) {
            mistake.get_or_insert_with(|| UNREADABLE.to_owned());
        }
    }
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
