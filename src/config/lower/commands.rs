//! What is run: commands, scripts, hooks.

use super::super::command::{exact, split};
use super::super::raw::{Node, Value};
use super::super::report::Problem;
use super::super::spec::{CommandLine, Hook, Piece, ReloadAction};
use super::super::values;
use super::section::Section;
use crate::facts::SignalNumber;

/// A command: a string that is split, or a list of exact words.
pub(super) fn command<'t>(
    s: &mut Section<'t, '_, '_>,
    key: &str,
    node: &'t Node,
) -> Option<CommandLine> {
    let line = match &node.value {
        Value::String(_) => s.read(key, node, split)?,
        Value::Array(items) if !items.is_empty() => {
            let words: Vec<_> = items.iter().map(|item| s.string(key, item)).collect();
            exact(words.into_iter().collect::<Option<Vec<_>>>()?)
        }
        Value::Array(_) => {
            s.report.error(node.at, Problem::new("a command cannot be empty"));
            return None;
        }
        _ => {
            s.wrong(key, node);
            return None;
        }
    };
    let program = line.words.first().and_then(|word| word.first());
    if matches!(program, Some(Piece::Text(text)) if text.is_empty()) {
        s.report.error(node.at, Problem::new("the program of a command has no name"));
        return None;
    }
    let wrong = matches!(program, Some(Piece::Text(t)) if t.contains('/') && !t.starts_with('/'));
    if wrong {
        let problem = Problem::new("the program of a command cannot be a relative path")
            .hint("write its whole path, or its bare name to have it looked for in PATH");
        s.report.error(node.at, problem);
        return None;
    }
    Some(line)
}

/// A script for `/bin/sh -eu`. To a shell the other half of a line's end, as some editors write
/// it, is a part of the last word.
pub(super) fn script(text: &str) -> CommandLine {
    let text = text.replace("\r\n", "\n");
    exact(vec!["/bin/sh".to_owned(), "-eu".to_owned(), "-c".to_owned(), text])
}

/// Hooks of a key: a string, a list of them, a table, or a list of tables.
pub(super) fn hooks(s: &mut Section<'_, '_, '_>, key: &'static str) -> Vec<Hook> {
    let Some(entry) = s.entry(key) else { return Vec::new() };
    match &entry.node.value {
        Value::Array(items) => {
            items.iter().flat_map(|item| hook(s, key, item, List::Many)).collect()
        }
        _ => hook(s, key, &entry.node, List::Many),
    }
}

/// What a list in `run` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    /// The words of one command.
    One,
    /// Commands.
    Many,
}

/// One hook, or the hooks of one table.
fn hook<'t>(
    s: &mut Section<'t, '_, '_>,
    key: &'static str,
    node: &'t Node,
    list: List,
) -> Vec<Hook> {
    let Value::Table(table) = &node.value else {
        let plain = |command| Hook { command, may_fail: false, user: None, timeout: None };
        return command(s, key, node).map(plain).into_iter().collect();
    };
    let mut inner = s.inner(table, "service.hook");
    let may_fail = inner.flag("may-fail").unwrap_or(false);
    let user = inner.user("user");
    let timeout = inner.duration("timeout");
    let Some(run) = inner.entry("run") else {
        inner
            .report
            .error(node.at, Problem::new(format!("`{key}` says nothing to run")).hint("add `run`"));
        return Vec::new();
    };
    let nodes = match &run.node.value {
        Value::Array(items) if list == List::Many => items.as_slice(),
        _ => std::slice::from_ref(&run.node),
    };
    nodes
        .iter()
        .filter_map(|node| command(&mut inner, "run", node))
        .map(|command| Hook { command, may_fail, user: user.clone(), timeout })
        .collect()
}

/// The steps of `reload`: a word that is a signal is one, anything else is a command.
pub(super) fn reload(s: &mut Section<'_, '_, '_>) -> Vec<ReloadAction> {
    let Some(entry) = s.entry("reload") else { return Vec::new() };
    let nodes = match &entry.node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let mut actions = Vec::new();
    for node in nodes {
        match &node.value {
            Value::String(text) if SignalNumber::parse(text).is_some() => {
                actions.extend(SignalNumber::parse(text).map(ReloadAction::Signal));
            }
            // No program is called so.
            Value::String(text) if text.starts_with("SIG") && !text.contains([' ', '/']) => {
                let _told = s.read("reload", node, values::signal);
            }
            _ => actions
                .extend(hook(s, "reload", node, List::Many).into_iter().map(ReloadAction::Run)),
        }
    }
    actions
}

/// The hook of `stop.command`.
pub(super) fn one_hook<'t>(s: &mut Section<'t, '_, '_>, key: &'static str) -> Option<Hook> {
    let node = &s.entry(key)?.node;
    match &node.value {
        // A list here is the words of one command.
        Value::Array(_) => {
            let command = command(s, key, node)?;
            Some(Hook { command, may_fail: false, user: None, timeout: None })
        }
        _ => hook(s, key, node, List::One).into_iter().next(),
    }
}
