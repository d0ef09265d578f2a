//! One table being read: typed values out of it, and a word about everything that is wrong. A
//! value that is wrong is as good as missing for what follows; the error is in the report, so
//! the service does not get through, but the rest of it is looked at too.

use std::fmt::Display;
use std::time::Duration;

use super::super::keys;
use super::super::percent::Percent;
use super::super::raw::{Entry, Node, Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::values;

/// A table, what kind of table it is, and where its mistakes go.
pub(super) struct Section<'t, 'r, 'a> {
    table: &'t Table,
    /// As in the table of keys.
    kind: &'static str,
    percent: &'t Percent,
    pub report: &'r mut Report<'a>,
}

impl<'t, 'r, 'a> Section<'t, 'r, 'a> {
    /// Begins to read a table whose keys are checked already.
    pub fn open(
        table: &'t Table,
        kind: &'static str,
        percent: &'t Percent,
        report: &'r mut Report<'a>,
    ) -> Self {
        Self { table, kind, percent, report }
    }

    /// A table within this one.
    pub fn inner(&mut self, table: &'t Table, kind: &'static str) -> Section<'t, '_, 'a> {
        Section::open(table, kind, self.percent, self.report)
    }

    /// Whether one of these keys was probably meant by one that does not exist.
    pub fn is_mistyped(&self, names: &[&str]) -> bool {
        is_mistyped(self.table, self.kind, names)
    }

    /// All of it, as it stands in the file.
    pub fn whole(&self) -> &'t Table {
        self.table
    }

    pub fn entry(&self, key: &str) -> Option<&'t Entry> {
        self.table.get(key)
    }

    pub fn place(&self, key: &str) -> Option<Place> {
        self.entry(key).map(|entry| entry.node.at)
    }

    /// Says that a value is not of the kind that its key takes.
    pub fn wrong(&mut self, key: &str, node: &Node) {
        let kind = keys::find(self.kind, key).map_or("something else", |key| key.kind);
        self.must_be(key, kind, node);
    }

    /// The same of one that a table has for a name of somebody else's.
    pub fn must_be(&mut self, key: &str, kind: &str, node: &Node) {
        let message = format!("`{key}` must be {kind}, not {}", node.value.words());
        let text = self.report.text(node.at);
        let hint = match (&node.value, kind) {
            (Value::Integer(_) | Value::Float, "a duration") => {
                Some(format!("write \"{text}s\" for seconds"))
            }
            (Value::Integer(_), "a mode in quotes") => {
                let mode = format!("{:0>3}", text.strip_prefix("0o").unwrap_or(text));
                match values::mode(&mode) {
                    Ok(_) => Some(format!("put it in quotes: {key} = \"{mode}\"")),
                    Err(problem) => problem.hint,
                }
            }
            // The words that it takes are said already, and these are none of them.
            (_, kind) if kind.contains('"') => None,
            (Value::Integer(_) | Value::Float | Value::Boolean(_), _) => {
                Some(format!("put it in quotes: \"{text}\""))
            }
            _ => None,
        };
        self.report.error(node.at, Problem { hint, ..Problem::new(message) });
    }

    /// A string as it stands in the file.
    pub fn raw(&mut self, key: &str, node: &'t Node) -> Option<&'t str> {
        let Value::String(text) = &node.value else {
            self.wrong(key, node);
            return None;
        };
        if text.contains('\0') {
            // execve(2), paths and variables end there: half of it would count.
            self.report.error(node.at, Problem::new("no string can hold the character \\u0000"));
            return None;
        }
        Some(text)
    }

    /// A string as it is meant: its percent signs are filled in.
    pub fn string(&mut self, key: &str, node: &'t Node) -> Option<String> {
        let text = self.raw(key, node)?;
        match self.percent.fill(text) {
            Ok(filled) => Some(filled),
            Err(problem) => {
                self.report.error_in_text(node.at, text, problem);
                None
            }
        }
    }

    /// A string that something else can be read from.
    pub fn read<T>(
        &mut self,
        key: &str,
        node: &'t Node,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let text = self.string(key, node)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.report.error_in_text(node.at, &text, problem);
                None
            }
        }
    }

    /// The same by its key; none if it is not there.
    pub fn get<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        let node = &self.entry(key)?.node;
        self.read(key, node, parse)
    }

    /// A script as it is meant; see [`Percent::fill_script`].
    pub fn fill_script(&self, text: &str) -> String {
        self.percent.fill_script(text)
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        self.get(key, |text| Ok(text.to_owned()))
    }

    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.get(key, values::duration)
    }

    /// A duration or `"never"`: none if it is not there, some none for never.
    pub fn patience(&mut self, key: &str) -> Option<Option<Duration>> {
        self.get(key, values::patience)
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        let node = &self.entry(key)?.node;
        if let Value::Boolean(flag) = node.value {
            return Some(flag);
        }
        let text = self.report.text(node.at).trim_matches(['"', '\'']);
        let message = format!("`{key}` must be true or false, not {}", node.value.words());
        let hint =
            matches!(text, "true" | "false").then(|| format!("leave out the quotes: {text}"));
        self.report.error(node.at, Problem { message, hint, at: None });
        None
    }

    /// An integer within bounds.
    pub fn integer<T: TryFrom<i128>>(&mut self, key: &str, least: i128, most: i128) -> Option<T> {
        let node = &self.entry(key)?.node;
        let Value::Integer(number) = node.value else {
            let message = format!("`{key}` must be an integer, not {}", node.value.words());
            self.report.error(node.at, Problem::new(message));
            return None;
        };
        let fits = (least..=most).contains(&number);
        let value = fits.then(|| T::try_from(number).ok()).flatten();
        if value.is_none() {
            let message = format!("`{key}` must be from {least} to {most}");
            self.report.error(node.at, Problem::new(message));
        }
        value
    }

    /// A string or a list of strings, as nodes.
    pub fn nodes(&mut self, key: &str) -> Option<&'t [Node]> {
        let node = &self.entry(key)?.node;
        match &node.value {
            Value::Array(items) => Some(items),
            Value::String(_) => Some(std::slice::from_ref(node)),
            _ => {
                self.wrong(key, node);
                None
            }
        }
    }

    /// A string or a list of them, each read.
    pub fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        let nodes = self.nodes(key)?;
        Some(nodes.iter().filter_map(|node| self.read(key, node, &parse)).collect())
    }

    /// The same, each with its place.
    pub fn said<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<Vec<(T, Place)>> {
        let nodes = self.nodes(key)?;
        let read = |node| self.read(key, node, &parse).map(|value| (value, node.at));
        Some(nodes.iter().filter_map(read).collect())
    }

    /// A user or group, by name or as a number.
    pub fn user(&mut self, key: &str) -> Option<String> {
        let node = &self.entry(key)?.node;
        let Value::Integer(number) = node.value else {
            return self.read(key, node, values::user);
        };
        match values::user(&number.to_string()) {
            Ok(user) => Some(user),
            Err(problem) => {
                self.report.error(node.at, problem);
                None
            }
        }
    }

    /// One of these words.
    pub fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.get(key, |text| one_of(key, text, words))
    }

    pub fn table(&mut self, key: &str) -> Option<&'t Table> {
        let node = &self.entry(key)?.node;
        if let Value::Table(table) = &node.value {
            return Some(table);
        }
        self.wrong(key, node);
        None
    }
}

/// Whether one of these keys was probably meant by one of the table that does not exist.
pub(super) fn is_mistyped(table: &Table, kind: &str, names: &[&str]) -> bool {
    let is_unknown = |entry: &&Entry| keys::find(kind, &entry.key).is_none();
    table.entries.iter().filter(is_unknown).any(|entry| keys::is_meant(&entry.key, names))
}

/// The meaning of a word of a fixed choice.
pub(super) fn one_of<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, Problem> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let names: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let problem = Problem::new(format!("{} is no value of `{key}`", quoted(text)));
    Err(match keys::nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(format!("one of {}", names.join(", "))),
    })
}

/// Checks the keys of a table and of the tables within it; `label` names it in messages. A key
/// that does not exist is an error: a mistyped one would otherwise turn off what it was to turn
/// on. So is one that this version does not carry out.
pub(super) fn check_keys(
    table: &Table,
    kind: &'static str,
    label: &dyn Display,
    report: &mut Report<'_>,
) {
    for entry in &table.entries {
        match keys::find(kind, &entry.key) {
            Some(key) if key.is_supported() => {
                if let Some(inner) = keys::inner(kind, key.name) {
                    check_inner(&entry.node, inner, label, report);
                }
            }
            Some(key) => {
                let message = format!(
                    "{} is not supported by this version of finit yet",
                    quoted(&key.path())
                );
                let hint = format!("remove it; it is to mean: {}", key.help);
                report.error(entry.at, Problem::new(message).hint(hint));
            }
            None => report.error(entry.at, unknown(entry, kind, label)),
        }
    }
}

/// Tables may stand alone or in a list.
fn check_inner(node: &Node, kind: &'static str, label: &dyn Display, report: &mut Report<'_>) {
    match &node.value {
        Value::Table(table) => check_keys(table, kind, label, report),
        Value::Array(items) => {
            items.iter().for_each(|item| check_inner(item, kind, label, report));
        }
        _ => {}
    }
}

fn unknown(entry: &Entry, kind: &str, label: &dyn Display) -> Problem {
    let inner = kind
        .strip_prefix("service.")
        .filter(|inner| matches!(*inner, "stop" | "restart" | "health" | "watch"));
    let path = inner.map_or(entry.key.clone(), |inner| format!("{inner}.{}", entry.key));
    let problem = Problem::new(format!("unknown key {} in {label}", quoted(&path)));
    if let Some(near) = keys::suggest(kind, &entry.key) {
        return problem.hint(format!("did you mean `{near}`?"));
    }
    // `signal` where `stop.signal` is meant.
    let elsewhere = keys::all().find(|key| key.name == entry.key);
    match elsewhere {
        Some(key) if kind == "service" && key.table.starts_with("service.") => {
            problem.hint(format!("did you mean `{}`?", key.path()))
        }
        _ => problem,
    }
}
