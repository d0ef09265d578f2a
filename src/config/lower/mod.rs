//! From tables to typed values: parse, don't validate. Definitions are gathered from all files
//! first, laid over the defaults, and written out once for each instance.

mod commands;
mod conditions;
mod defaults;
mod gather;
mod health;
mod instances;
mod lifecycle;
mod machine;
mod ready;
mod schedule;
mod section;
mod service;
mod sockets;
mod watch;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::check::{self, Definitions, Draft};
use super::left_out::{Mistakes, UNREADABLE};
use super::raw::{Document, Owner};
use super::report::{Place, Report};
use super::spec::{Kind, SystemSpec};
use defaults::{check_defaults, over_defaults};
pub(super) use gather::NAMED;
use gather::{Definition, Gathered, gather, lay_over};
use instances::instances;
use section::check_keys;

/// Makes the machine of what the files say.
pub(super) fn lower(documents: Vec<Document>, report: &mut Report<'_>) -> SystemSpec {
    let mut gathered = Gathered::default();
    let mut definitions = Definitions::default();
    let mut broken: BTreeMap<Owner, Place> = BTreeMap::new();
    for document in documents {
        for entry in document.root.entries {
            gather(entry, &mut gathered, report);
        }
        broken.extend(document.broken);
    }
    definitions.has_broken = !broken.is_empty();
    check_definitions(&mut gathered, &broken, report);
    lay_over(&mut gathered, definitions.has_broken, report);
    let mut spec = settings(&gathered, report);
    let defaults = gathered.settings.remove("defaults").unwrap_or_default();
    check_defaults(&defaults, report);
    let mut drafts: Vec<Draft> = Vec::new();
    let mut mistakes = Mistakes::default();
    for Definition { kind, name, table, at, mistake } in gathered.definitions {
        definitions.places.insert(name.clone(), (kind, at));
        let before = report.errors();
        if kind == "target" {
            let (target, said) = machine::target(&name, &table, report);
            definitions.of_targets.extend(said);
            match mistake.or_else(|| report.since(before)) {
                None => spec.targets.push(Rc::new(target)),
                Some(mistake) => mistakes.add(&name, &mistake),
            }
            continue;
        }
        let kind = if kind == "task" { Kind::Task } else { Kind::Service };
        let whole = over_defaults(kind, &defaults, table);
        let made = instances(kind, &name, &whole, at, report);
        match mistake.or_else(|| report.since(before)) {
            None => {
                for mut draft in made {
                    if let Some(last) = drafts.last() {
                        draft.spec.share(&last.spec);
                    }
                    drafts.push(draft);
                }
            }
            Some(mistake) => mistakes.add(&name, &mistake),
        }
    }
    for ((kind, name), at) in broken {
        if let Some(kind) = NAMED.into_iter().find(|known| *known == kind) {
            mistakes.add(&name, UNREADABLE);
            definitions.places.entry(name).or_insert((kind, at));
        }
    }
    check::check(&definitions, drafts, mistakes, &mut spec, report);
    spec
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
