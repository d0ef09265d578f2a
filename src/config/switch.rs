//! Where a file says whether a service is enabled, and how that is changed: a stretch of bytes
//! is replaced, and all else stays as its author wrote it.

use super::lower::NAMED;
use super::raw::{self, Document, Entry, Table, Value};
use super::report::{Indexed, Place, Report, Source};

/// A source with one stretch of it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// Which source, by its number.
    pub source: usize,
    /// What it says now.
    pub text: String,
}

/// Has the files say of a service or task, by its name in its header, whether it is enabled.
/// Whether they mean it then is for the caller to see: what is written here may be no TOML where
/// the file says it in a way that is not expected.
///
/// # Errors
/// In words: no such definition, or one without a place for it.
pub fn switch(sources: &[Source], name: &str, on: bool) -> Result<Switched, String> {
    let files = Files::read(sources);
    let definition = files.definition(name)?;
    let said = files.tables(name).filter_map(|table| table.get("enabled")).last();
    match said {
        Some(entry) => files.replace(entry.node.at, &on.to_string()),
        None => files.add(definition.at, &format!("enabled = {on}")),
    }
}

/// Puts an instance into the list of its template, or takes it out.
///
/// # Errors
/// In words: no such template, one without a list, or nothing left in it.
pub fn switch_instance(
    sources: &[Source],
    template: &str,
    instance: &str,
    on: bool,
) -> Result<Switched, String> {
    let files = Files::read(sources);
    files.definition(template)?;
    let list = files.tables(template).filter_map(|table| table.get("instances")).last();
    let Some(Value::Array(items)) = list.map(|entry| &entry.node.value) else {
        return Err(format!("{template} has no list of `instances`"));
    };
    let is_it = |item: &raw::Node| matches!(&item.value, Value::String(text) if text == instance);
    let found = items.iter().position(is_it);
    let place = |number: usize| items.get(number).map(|item| item.at);
    match (on, found) {
        (true, None) => {
            let Some(last) = items.last().map(|item| item.at) else {
                return Err(format!("the `instances` of {template} are empty"));
            };
            let end = Place { start: last.end, ..last };
            files.replace(end, &format!(", \"{instance}\""))
        }
        (false, Some(_)) if items.len() == 1 => {
            Err(format!("it is the last one of {template}: finitctl disable {template}"))
        }
        (false, Some(number)) => {
            let at = place(number).unwrap_or_default();
            let before = number.checked_sub(1).and_then(place);
            let is_last = number.saturating_add(1) == items.len();
            let stretch = stretch(files.text(at)?, at, before.filter(|_| is_last));
            files.replace(stretch.unwrap_or(at), "")
        }
        (true, Some(_)) | (false, None) => files.replace(Place::default(), ""),
    }
}

/// Sources with what they say.
struct Files<'a> {
    sources: &'a [Source],
    documents: Vec<Document>,
}

impl<'a> Files<'a> {
    fn read(sources: &'a [Source]) -> Self {
        let indexed: Vec<Indexed<'_>> = sources.iter().map(Indexed::new).collect();
        let mut report = Report::new(&indexed);
        let read =
            |(number, source): (usize, &Source)| raw::read(number, &source.text, &mut report);
        Self { sources, documents: sources.iter().enumerate().map(read).collect() }
    }

    /// The name in the header of a definition.
    fn definition(&self, name: &str) -> Result<&Entry, String> {
        let mut roots = self.documents.iter().map(|document| &document.root);
        let found = roots.find_map(|root| {
            NAMED.into_iter().find_map(|kind| Some((kind, inner(root, kind)?.get(name)?)))
        });
        match found {
            Some(("target", _)) => {
                Err(format!("{name} is a target: `enabled` is a key of services and tasks"))
            }
            Some((_, entry)) => Ok(entry),
            None => Err(format!("no file defines {name}")),
        }
    }

    /// The tables of a definition, and of what is laid over it after that: the last word counts.
    fn tables<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Table> {
        let roots = || self.documents.iter().map(|document| &document.root);
        let of = move |root: &'b Table| {
            NAMED.into_iter().filter_map(move |kind| inner(inner(root, kind)?, name))
        };
        let over = roots().filter_map(|root| inner(root, "override"));
        roots().flat_map(of).chain(over.flat_map(of))
    }

    fn replace(&self, at: Place, with: &str) -> Result<Switched, String> {
        let text = self.text(at)?;
        let around = text.get(..at.start).zip(text.get(at.end..));
        let (before, behind) = around.ok_or("the file has no such place")?;
        Ok(Switched { source: at.source, text: [before, with, behind].concat() })
    }

    /// A key and its value for the table whose name stands there.
    fn add(&self, name: Place, said: &str) -> Result<Switched, String> {
        let text = self.text(name)?;
        let (before, behind) = (text.get(..name.start), text.get(name.end..));
        let (Some(before), Some(behind)) = (before, behind) else {
            return Err("the file has no such place".to_owned());
        };
        // An editor's mark at the beginning of a file is no part of its first line.
        let mark = if text.starts_with(raw::MARK) { raw::MARK.len_utf8() } else { 0 };
        let start = before.rfind('\n').map_or(mark, |end| end.saturating_add(1));
        let rest = behind.trim_start_matches(['"', '\'']);
        let quote = behind.len().saturating_sub(rest.len());
        let path = text.get(start..name.end.saturating_add(quote)).unwrap_or_default();
        let end_of_line = behind.find('\n').map(|end| name.end.saturating_add(end));
        let newline =
            if before.ends_with("\r\n") || behind.contains("\r\n") { "\r\n" } else { "\n" };
        let at = |place: usize| Place { start: place, end: place, ..name };
        let next = rest.trim_start_matches([' ', '\t']);
        if path.trim_start().starts_with('[') && next.starts_with(']') {
            // The line below its header.
            return match end_of_line {
                Some(end) => self.replace(at(end.saturating_add(1)), &format!("{said}{newline}")),
                None => self.replace(at(text.len()), &format!("{newline}{said}{newline}")),
            };
        }
        let inline = next.strip_prefix('=').map(|next| next.trim_start_matches([' ', '\t']));
        if let Some(inside) = inline.and_then(|inline| inline.strip_prefix('{')) {
            let brace = text.len().saturating_sub(inside.len());
            return self.replace(at(brace), &format!(" {said},"));
        }
        if !path.trim_start().starts_with('[') && next.starts_with('.') {
            return self.replace(at(start), &format!("{path}.{said}{newline}"));
        }
        Err(format!(
            "its table begins in a way that only a person understands: write {said} into it"
        ))
    }

    fn text(&self, at: Place) -> Result<&'a str, String> {
        let source = self.sources.get(at.source).map(|source| source.text.as_str());
        source.ok_or_else(|| "there is no such file".to_owned())
    }
}

/// What goes with an item that goes from a list: the line that it has to itself, or one comma. A
/// comment above it or behind another one is not about it, and stays. `before_last` is the one
/// before it, if it is the last one.
fn stretch(text: &str, item: Place, before_last: Option<Place>) -> Option<Place> {
    let (before, behind) = (text.get(..item.start)?, text.get(item.end..)?);
    let indent = before.rsplit('\n').next()?;
    let line = behind.split_inclusive('\n').next()?;
    let rest = line.trim_start();
    let comma = rest.strip_prefix(',');
    let comment = comma.unwrap_or(rest).trim_start();
    if indent.trim().is_empty()
        && (comment.is_empty() || comment.starts_with('#'))
        && (comma.is_some() || before_last.is_some())
    {
        let start = item.start.saturating_sub(indent.len());
        return Some(Place { start, end: item.end.saturating_add(line.len()), ..item });
    }
    let gap = |one: &Place| text.get(one.end..item.start);
    if let Some(one) = before_last.filter(|one| gap(one).is_some_and(|gap| !gap.contains('\n'))) {
        return Some(Place { start: one.end, ..item });
    }
    let rest = behind.trim_start().strip_prefix(',')?.trim_start_matches([' ', '\t']);
    Some(Place { end: text.len().saturating_sub(rest.len()), ..item })
}

/// The table of that name in another.
fn inner<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    match &table.get(key)?.node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}
