//! What must hold before a service is started.

use std::rc::Rc;

use super::super::keys;
use super::super::raw::{Node, Value};
use super::super::report::{Problem, quoted};
use super::super::spec::{CONTAINERS, Condition, Conditions, MACHINES, Test, comparison};
use super::super::values;
use super::commands::hooks;
use super::section::Section;

/// All of it; none for most services.
pub(super) fn conditions(s: &mut Section<'_, '_, '_>) -> Option<Rc<Conditions>> {
    let conditions = Conditions {
        paths: s.list("needs-path", values::absolute).unwrap_or_default(),
        assert: tests(s, "assert"),
        only_if: tests(s, "only-if"),
        commands: hooks(s, "only-if-command"),
    };
    (conditions != Conditions::default()).then(|| Rc::new(conditions))
}

/// The conditions of one table, in the order of the file.
fn tests(s: &mut Section<'_, '_, '_>, key: &'static str) -> Vec<Condition> {
    let Some(table) = s.table(key) else { return Vec::new() };
    let mut inner = s.inner(table, "service.only-if");
    let mut found = Vec::new();
    for entry in &table.entries {
        // One that does not exist is told already.
        let Some((test, not, any)) = Test::of_key(&entry.key) else { continue };
        let nodes = match &entry.node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        if nodes.is_empty() {
            let problem = Problem::new(format!("`{}` says nothing to look at", entry.key));
            inner.report.error(entry.node.at, problem.hint("remove it, or write what must hold"));
        }
        let values = nodes.iter().filter_map(|node| value(&mut inner, &entry.key, test, node));
        found.extend(values.map(|value| Condition { test, value, not, any }));
    }
    found
}

/// What one condition is about.
fn value<'t>(s: &mut Section<'t, '_, '_>, key: &str, test: Test, node: &'t Node) -> Option<String> {
    match (test, &node.value) {
        (Test::AcPower | Test::FirstBoot, Value::Boolean(yes)) => {
            Some(if *yes { "yes" } else { "no" }.to_owned())
        }
        (Test::AcPower | Test::FirstBoot, other) => {
            let message = format!("`{key}` must be true or false, not {}", other.words());
            let quoted = matches!(other, Value::String(text) if text == "true" || text == "false");
            let problem = Problem::new(message);
            let problem = if quoted { problem.hint("leave out the quotes") } else { problem };
            s.report.error(node.at, problem);
            None
        }
        (Test::Cpus, Value::Integer(number)) => match cpus(&number.to_string()) {
            Ok(text) => Some(text),
            Err(problem) => {
                s.report.error(node.at, problem);
                None
            }
        },
        _ => s.read(key, node, |text| parse(test, text)),
    }
}

fn parse(test: Test, text: &str) -> Result<String, Problem> {
    match test {
        Test::Exists
        | Test::Glob
        | Test::Directory
        | Test::Executable
        | Test::NotEmpty
        | Test::Writable
        | Test::Mounted => values::absolute(text),
        Test::Virtualization => virtualization(text),
        Test::Capability => values::capability(text),
        Test::KernelArg => kernel_arg(text),
        Test::Cpus => cpus(text),
        Test::AcPower | Test::FirstBoot => Ok(text.to_owned()),
    }
}

/// The known word that is meant, or which words there are.
fn known(text: &str, what: &str, words: &[&str], hint: &str) -> Result<String, Problem> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let problem = Problem::new(format!("{} is no {what}", quoted(text)));
    Err(match keys::nearest(text, words.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(hint),
    })
}

fn virtualization(text: &str) -> Result<String, Problem> {
    let words = [&["yes", "no", "vm", "container"], &MACHINES[..], &CONTAINERS[..]].concat();
    let hint = "\"yes\", \"no\", \"vm\", \"container\", or a name as systemd-detect-virt(1) has it";
    known(text, "virtualization", &words, hint)
}

fn kernel_arg(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text.starts_with('=') || text.contains(char::is_whitespace) {
        return Err(Problem::new(format!("{} is no word of a kernel command line", quoted(text)))
            .hint("write \"word\" or \"word=value\""));
    }
    Ok(text.to_owned())
}

fn cpus(text: &str) -> Result<String, Problem> {
    match comparison(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Problem::new(format!("{} compares no number of processors", quoted(text)))
            .hint("write it like \">=2\", \"<8\", \"=1\" or \"4\"")),
    }
}
