//! A template's table becomes one service for each of its instances.

use super::super::check::Draft;
use super::super::raw::{Node, Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::{Kind, TemplateSpec};
use super::super::values;
use super::found_instances::{Machine, found};
use super::service::{self, Subject};

/// What a table says.
#[derive(Default)]
pub(super) struct Made {
    /// The service, or each instance of the template; where the report has a mistake, at least
    /// one.
    pub drafts: Vec<Draft>,
    /// The template, where its instances are found.
    pub template: Option<TemplateSpec>,
    /// Why its instances cannot be found.
    pub lost: Option<String>,
}

/// A table with a name, over the defaults.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub table: &'a Table,
    pub at: Place,
}

impl Named<'_> {
    /// Itself, or as if it were an instance of that name.
    pub fn alone(&self, instance: Option<&str>, report: &mut Report<'_>) -> Draft {
        let Self { kind, name, table, at } = *self;
        let instance = instance.map(str::to_owned);
        let name = name.to_owned();
        service::service(Subject { kind, name, template: None, instance, table, at }, report)
    }

    /// One instance of it.
    pub fn instance(&self, instance: &str, report: &mut Report<'_>) -> Draft {
        let Self { kind, name, table, at } = *self;
        let subject = Subject {
            kind,
            name: format!("{name}@{instance}"),
            template: Some(name.to_owned()),
            instance: Some(instance.to_owned()),
            table,
            at,
        };
        service::service(subject, report)
    }
}

/// Reads a table, on a machine where that is known.
pub(super) fn instances(named: Named<'_>, machine: &Machine<'_>, report: &mut Report<'_>) -> Made {
    let before = report.errors();
    let Some(entry) = named.table.get("instances") else {
        return Made { drafts: vec![named.alone(None, report)], ..Made::default() };
    };
    if let Value::Table(table) = &entry.node.value {
        return found(named, table, entry.node.at, machine, report);
    }
    let Some(list) = instance_list(named.name, &entry.node, report) else {
        // The rest of it is looked at as if it had one.
        return Made { drafts: vec![named.alone(Some("x"), report)], ..Made::default() };
    };
    let mut drafts = Vec::new();
    for instance in list {
        drafts.push(named.instance(&instance, report));
        if report.errors() > before {
            // The others would say the same again.
            break;
        }
    }
    Made { drafts, ..Made::default() }
}

fn instance_list(name: &str, node: &Node, report: &mut Report<'_>) -> Option<Vec<String>> {
    let Value::Array(items) = &node.value else {
        let problem = Problem::new("`instances` must be a list of names, or a table").hint(
            "write instances = [\"one\", \"two\"], or have them found: finitctl explain glob",
        );
        report.error(node.at, problem);
        return None;
    };
    if items.is_empty() {
        let problem = Problem::new("`instances` names no instance")
            .hint("name one; with enabled = false nothing starts it");
        report.error(node.at, problem);
        return None;
    }
    let mut list: Vec<String> = Vec::new();
    for item in items {
        let Value::String(text) = &item.value else {
            let message = format!("an instance must be a string, not {}", item.value.words());
            report.error(item.at, Problem::new(message));
            continue;
        };
        match values::name(text) {
            Ok(instance) if list.contains(&instance) => {
                let problem = Problem::new(format!("the instance {} is there twice", quoted(text)));
                report.error(item.at, problem);
            }
            Ok(instance) if values::name(&format!("{name}@{instance}")).is_err() => {
                let problem = Problem::new(format!("the name {name}@{instance} is too long"));
                report.error(item.at, problem.hint("at most 128 bytes"));
            }
            Ok(instance) => list.push(instance),
            Err(problem) => report.error_in_text(item.at, text, problem),
        }
    }
    Some(list)
}
