//! A template's table becomes one service for each of its instances.

use super::super::check::Draft;
use super::super::raw::{Node, Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::Kind;
use super::super::values;
use super::service::{self, Subject};

/// The service, or each instance of the template; where the report has a mistake, at least one.
pub(super) fn instances(
    kind: Kind,
    name: &str,
    table: &Table,
    at: Place,
    report: &mut Report<'_>,
) -> Vec<Draft> {
    let before = report.errors();
    let Some(entry) = table.get("instances") else {
        let subject =
            Subject { kind, name: name.to_owned(), template: None, instance: None, table, at };
        return vec![service::service(subject, report)];
    };
    let Some(list) = instance_list(name, &entry.node, report) else {
        // The rest of it is looked at as if it had one.
        let instance = Some("x".to_owned());
        let subject = Subject { kind, name: name.to_owned(), template: None, instance, table, at };
        return vec![service::service(subject, report)];
    };
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
        made.push(service::service(subject, report));
        if report.errors() > before {
            // The others would say the same again.
            break;
        }
    }
    made
}

fn instance_list(name: &str, node: &Node, report: &mut Report<'_>) -> Option<Vec<String>> {
    if matches!(&node.value, Value::Table(table) if !table.entries.is_empty()) {
        // Its keys are reported as what they are: unknown, or of a later version.
        return None;
    }
    let Value::Array(items) = &node.value else {
        let problem = Problem::new("`instances` must be a list of names in this version of finit")
            .hint("write instances = [\"one\", \"two\"]");
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
