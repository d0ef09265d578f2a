//! TOML text to a tree whose every key and value knows its place, in the order of the file.
//!
//! The parser of the `toml` crate reads on after a mistake but can lose what follows it (a key
//! without a value ends its reading). So a file with mistakes is read block by block, a block
//! being a table header and what follows up to the next one: blocks that cannot be read are
//! blanked out, space for byte, and the rest is read again as one file whose places are still
//! right. That is how one bad service costs a boot that service and no other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::keys;
use super::report::{MOST, Place, Problem, Report, quoted};

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub at: Place,
    pub value: Value,
}

/// What TOML can say.
#[derive(Debug, Clone)]
pub(super) enum Value {
    String(String),
    /// One that is too large for the type is as large as the type can say: too large for any
    /// key anyway.
    Integer(i128),
    Float,
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What it is, with its article, for "must be a string, not …".
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a number with a point",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys and values in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub entries: Vec<Entry>,
}

/// One key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub at: Place,
    pub node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// Lays another table over this one: a table goes over a table key by key, and anything
    /// else takes the place of what was there.
    pub(super) fn overlay(&mut self, over: Self) {
        for entry in over.entries {
            let Some(mine) = self.entries.iter_mut().find(|mine| mine.key == entry.key) else {
                self.entries.push(entry);
                continue;
            };
            match (&mut mine.node.value, entry) {
                (
                    Value::Table(below),
                    Entry { node: Node { value: Value::Table(above), .. }, .. },
                ) => below.overlay(above),
                (_, entry) => *mine = entry,
            }
        }
    }
}

/// The owner of a block: the first two parts of its header, such as `service` and `sshd`.
pub(super) type Owner = (String, String);

/// What a source says.
pub(super) struct Document {
    /// Its root table.
    pub root: Table,
    /// Owners of blocks that could not be read, each with the place of the first such header.
    pub broken: BTreeMap<Owner, Place>,
}

/// What some editors put at the beginning of a file to say that it is UTF-8, which TOML allows.
pub(super) const MARK: char = '\u{feff}';

/// Reads one source. Mistakes in its TOML are reported here.
pub(super) fn read(number: usize, text: &str, report: &mut Report<'_>) -> Document {
    // Blanked out, it hides no header, and all places are still right.
    let blanked =
        text.strip_prefix(MARK).map(|rest| [&*" ".repeat(MARK.len_utf8()), rest].concat());
    let text = blanked.as_deref().unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let root = convert_table(number, table.get_ref());
        return Document { root, broken: BTreeMap::new() };
    }
    let blocks = whole_blocks(text, &blocks(text));
    let mut broken = BTreeMap::new();
    let mut masked = text.as_bytes().to_vec();
    for block in &blocks {
        let block_text = text.get(block.span.clone()).unwrap_or_default();
        let (_, errors) = DeTable::parse_recoverable(block_text);
        if errors.is_empty() {
            continue;
        }
        explain_all(number, text, block, &errors, report);
        if let Some(owner) = &block.owner {
            broken.entry(owner.clone()).or_insert(Place::new(number, block.header.clone()));
        }
        let bytes = masked.get_mut(block.span.clone()).unwrap_or_default();
        bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    let masked = String::from_utf8(masked).unwrap_or_default();
    let (table, errors) = DeTable::parse_recoverable(&masked);
    for (count, error) in errors.iter().enumerate() {
        // What is left are quarrels between blocks: one table defined by two headers.
        let start = error.span().map_or(0, |span| span.start);
        let after = blocks.partition_point(|block| block.span.start <= start);
        let Some(block) = after.checked_sub(1).and_then(|at| blocks.get(at)) else {
            continue;
        };
        if count < MOST {
            explain(number, text, block, error, 0, report);
        } else {
            report.count_only();
        }
        if let Some(owner) = &block.owner {
            broken.entry(owner.clone()).or_insert(Place::new(number, block.header.clone()));
        }
    }
    Document { root: convert_table(number, table.get_ref()), broken }
}

/// A header and what follows it; the first block of a file has no header.
struct Block {
    span: Range<usize>,
    header: Range<usize>,
    owner: Option<Owner>,
}

/// So many headers within one multi-line string are looked through for its end.
const PIECES: usize = 32;

/// The same blocks, those put together again that one multi-line string goes through: a script
/// may hold lines that look like headers.
fn whole_blocks(text: &str, pieces: &[Block]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = pieces;
    while let Some((first, others)) = rest.split_first() {
        let count = belonging(text, first, others);
        let last = count.checked_sub(1).and_then(|last| others.get(last)).unwrap_or(first);
        let span = first.span.start..last.span.end;
        blocks.push(Block { span, header: first.header.clone(), owner: first.owner.clone() });
        rest = others.get(count..).unwrap_or_default();
    }
    blocks
}

/// How many of the blocks that follow belong to the first one: with them its string has an end,
/// and with less it has none. One that is really never closed would end where another is opened, if
/// at all.
fn belonging(text: &str, first: &Block, others: &[Block]) -> usize {
    let mut open = None;
    for (count, last) in std::iter::once(first).chain(others).take(PIECES).enumerate() {
        let end = text.get(last.span.clone()).unwrap_or_default();
        if open.is_some_and(|quotes| !end.contains(quotes)) {
            continue;
        }
        let piece = text.get(first.span.start..last.span.end).unwrap_or_default();
        let (_, errors) = DeTable::parse_recoverable(piece);
        if errors.is_empty() {
            return count;
        }
        if open.is_some_and(|quotes| opens_another(end, quotes)) {
            break;
        }
        let unclosed = errors.iter().find(|error| is_unclosed(error.message()));
        let Some(unclosed) = unclosed else { return count };
        open = Some(quotes_of(unclosed.message()));
    }
    0
}

/// Whether the first of these quotes in a text stand where a value begins.
fn opens_another(text: &str, quotes: &str) -> bool {
    let before = text.split(quotes).next().and_then(|before| before.lines().next_back());
    before.is_some_and(|line| line.trim_end().ends_with(['=', '[', ',', '{']))
}

/// Splits a text at the lines that look like headers of finit's own tables.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block { span: 0..text.len(), header: 0..0, owner: None }];
    let mut offset = 0usize;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(line.len());
        let Some(owner) = header_owner(line) else {
            continue;
        };
        if let Some(last) = blocks.last_mut() {
            last.span.end = start;
        }
        let header = start..start.saturating_add(line.trim_end().len());
        blocks.push(Block { span: start..text.len(), header, owner: Some(owner) });
    }
    blocks
}

/// The first two parts of a table header, if the line is one that finit knows.
fn header_owner(line: &str) -> Option<Owner> {
    let inner = line.trim_start().strip_prefix('[')?.trim_start_matches('[');
    let inner = inner.split([']', '#', '\n']).next().unwrap_or_default();
    let mut parts = inner.splitn(2, '.').map(str::trim);
    let kind = parts.next()?;
    if !keys::TABLES.contains(&kind) {
        return None;
    }
    let rest = parts.next().unwrap_or_default();
    let name = match rest.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'']).next(),
        None => rest.split('.').next().map(str::trim),
    };
    Some((kind.to_owned(), name.unwrap_or_default().to_owned()))
}

/// Says what is wrong within a block. Each explanation may cost a walk through the text, so
/// there are not more of them than a report keeps.
fn explain_all(
    number: usize,
    text: &str,
    block: &Block,
    errors: &[Error],
    report: &mut Report<'_>,
) {
    let (told, counted) = errors.split_at(errors.len().min(MOST));
    for error in told {
        explain(number, text, block, error, block.span.start, report);
    }
    counted.iter().for_each(|_| report.count_only());
}

/// Says what is wrong with the TOML itself.
fn explain(
    number: usize,
    text: &str,
    block: &Block,
    error: &Error,
    base: usize,
    report: &mut Report<'_>,
) {
    let span = error.span().unwrap_or(0..0);
    let span = span.start.saturating_add(base)..span.end.saturating_add(base);
    let message = error.message();
    if message == "duplicate key" {
        let name = text.get(span.clone()).unwrap_or_default();
        let first = first_definition(text, block, &span);
        let problem = Problem::new(format!("{} is defined twice", quoted(name)));
        let label = first.map(|at| (Place::new(number, at), "first defined here".to_owned()));
        return report.error_with(Place::new(number, span), problem, label.as_slice());
    }
    let (problem, span) = if let Some(opening) = opening_quotes(text, block, message, &span) {
        let problem = Problem::new("a multi-line string is never closed");
        (problem.hint("no closing quotes before the next table"), opening)
    } else if message.starts_with("string values must be quoted") {
        (Problem::new("a string must stand in quotes").hint("put it in double quotes"), span)
    } else if message.starts_with("unexpected leading zero") {
        // What people write who mean a mode.
        let number = text.get(span.start..).unwrap_or_default();
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let hint =
            format!("a mode stands in quotes: \"{}\"", number.get(..end).unwrap_or_default());
        (Problem::new("a number cannot begin with 0").hint(hint), span)
    } else {
        (Problem::new(message), span)
    };
    report.error(Place::new(number, span), problem);
}

/// Whether the end of a multi-line string is missing.
fn is_unclosed(message: &str) -> bool {
    message.starts_with("invalid multi-line")
}

/// The quotes of the string that such a message is about.
fn quotes_of(message: &str) -> &'static str {
    if message.contains("basic") { "\"\"\"" } else { "'''" }
}

/// The quotes that open the multi-line string whose end is missing.
fn opening_quotes(
    text: &str,
    block: &Block,
    message: &str,
    span: &Range<usize>,
) -> Option<Range<usize>> {
    if !is_unclosed(message) {
        return None;
    }
    let quotes = quotes_of(message);
    let before = text.get(block.span.start..span.start)?;
    let start = before.rfind(quotes)?.checked_add(block.span.start)?;
    Some(start..start.checked_add(quotes.len())?)
}

/// Where a key or table that is defined a second time at `again` was defined first. The parser
/// forgets that, so the text is asked: an equal header before, or the nearest line before that
/// begins with the same key.
fn first_definition(text: &str, block: &Block, again: &Range<usize>) -> Option<Range<usize>> {
    let name = text.get(again.clone())?;
    let is_header = block.header.contains(&again.start);
    let wanted = if is_header { text.get(block.header.clone())?.trim() } else { name };
    let mut offset = 0usize;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(line.len());
        if offset > again.start {
            break;
        }
        let indent = line.len().saturating_sub(line.trim_start().len());
        let Some(rest) = line.trim_start().strip_prefix(wanted) else {
            continue;
        };
        let at = start.saturating_add(indent);
        if is_header && found.is_none() {
            let within = wanted.rfind(name).unwrap_or(0);
            let at = at.saturating_add(within);
            found = Some(at..at.saturating_add(name.len()));
        } else if !is_header && rest.trim_start().starts_with(['=', '.']) {
            found = Some(at..at.saturating_add(name.len()));
        }
    }
    found
}

/// The parser's tree stays until this one is whole. Freed at once, it leaves room in one piece for
/// what is made of this one and stays for years; freed piece by piece it leaves gaps, and pages
/// that are never full. Of a heap for 1,000 services that is a fifth.
fn convert_table(source: usize, table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
        at: Place::new(source, key.span()),
        key: key.get_ref().as_ref().to_owned(),
        node: convert(source, value),
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.at);
    Table { entries }
}

/// As deep as the parser goes, which has a limit of its own (80).
fn convert(source: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let at = Place::new(source, value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.as_ref().to_owned()),
        DeValue::Integer(integer) => {
            let parsed = i128::from_str_radix(integer.as_str(), integer.radix());
            Value::Integer(parsed.unwrap_or(i128::MAX))
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| convert(source, item)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(source, table)),
    };
    Node { at, value }
}
