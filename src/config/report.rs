//! Collecting what is wrong: places in the sources become lines and columns here.
//!
//! A report is bounded. A file of a megabyte can hold a hundred thousand mistakes, and PID 1
//! keeps what it is told; past [`MOST`] mistakes are counted only.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::diagnose::{Diagnostic, LINE_MAX, Label, Severity, is_direction};

/// Most diagnostics kept.
pub(super) const MOST: usize = 200;

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, for messages.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Source {
    /// A source of that name and text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// A stretch of a source, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    /// Which source, by its number.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Place {
    pub(super) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

/// A mistake in a value, found by somebody who knows the value but not the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Which bytes of the value it is about; all of it without.
    pub at: Option<Range<usize>>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, at: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }
}

/// A source and where its lines begin.
pub(super) struct Indexed<'a> {
    source: &'a Source,
    line_starts: Vec<usize>,
}

impl<'a> Indexed<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        let newlines = source.text.match_indices('\n');
        let after = newlines.map(|(offset, _)| offset.saturating_add(1));
        Self { source, line_starts: std::iter::once(0).chain(after).collect() }
    }

    /// The line of that byte, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn label(&self, place: Place, text: String) -> Label {
        let line = self.line(place.start);
        let line_start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let rest = self.source.text.get(line_start..).unwrap_or_default();
        let whole = rest.lines().next().unwrap_or_default();
        // Past the end of the line there is nothing to underline; a caret after the last
        // character says "here is something missing".
        let start = place.start.saturating_sub(line_start);
        let end = place.end.saturating_sub(line_start).min(whole.len());
        let column = characters(whole, 0..start).saturating_add(1);
        Label {
            path: self.source.path.clone(),
            line,
            column: column.min(LINE_MAX),
            width: characters(whole, start..end).clamp(1, LINE_MAX),
            source_line: whole.chars().take(LINE_MAX).collect(),
            text,
        }
    }
}

/// How many characters begin within these bytes of the text.
fn characters(text: &str, within: Range<usize>) -> usize {
    text.char_indices().filter(|(offset, _)| within.contains(offset)).count()
}

/// What was found to be wrong so far.
pub(super) struct Report<'a> {
    sources: &'a [Indexed<'a>],
    diagnostics: Vec<Diagnostic>,
    said: BTreeSet<(Place, String)>,
    errors: usize,
    last: String,
    dropped: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a [Indexed<'a>]) -> Self {
        Self {
            sources,
            diagnostics: Vec::new(),
            said: BTreeSet::new(),
            errors: 0,
            last: String::new(),
            dropped: 0,
        }
    }

    /// Whether nothing but the number of errors and the last one counts.
    pub(super) fn is_silent(&self) -> bool {
        self.sources.is_empty()
    }

    /// How many errors there were; comparing two answers tells whether something is broken.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// The last error since there were so many, in its own words.
    pub(super) fn since(&self, errors: usize) -> Option<String> {
        (self.errors > errors).then(|| self.last.clone())
    }

    pub(super) fn error(&mut self, place: Place, problem: Problem) {
        self.say(Severity::Error, place, problem, &[]);
    }

    /// An error of which only the number is kept.
    pub(super) fn count_only(&mut self) {
        self.errors = self.errors.saturating_add(1);
        self.dropped = self.dropped.saturating_add(1);
    }

    /// An error with further places, each with what it has to do with it.
    pub(super) fn error_with(&mut self, place: Place, problem: Problem, more: &[(Place, String)]) {
        self.say(Severity::Error, place, problem, more);
    }

    /// What is probably not meant, but does no harm to anything else, with further places.
    pub(super) fn warning(&mut self, place: Place, problem: Problem, more: &[(Place, String)]) {
        self.say(Severity::Warning, place, problem, more);
    }

    fn say(
        &mut self,
        severity: Severity,
        place: Place,
        problem: Problem,
        more: &[(Place, String)],
    ) {
        if severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
            self.last.clone_from(&problem.message);
        }
        // The defaults are read once for each service, and say the same each time.
        if !self.said.insert((place, problem.message.clone())) {
            return;
        }
        if self.diagnostics.len() >= MOST {
            // Those that are not shown make the file a broken one.
            self.dropped = self.dropped.saturating_add(usize::from(severity == Severity::Error));
            return;
        }
        let label = |(place, text): &(Place, String)| {
            Some(self.sources.get(place.source)?.label(*place, text.clone()))
        };
        let Some(source) = self.sources.get(place.source) else {
            return;
        };
        let Label { path, line, column, width, source_line, text: message } =
            source.label(place, problem.message);
        let labels = more.iter().filter_map(label).collect();
        let hint = problem.hint;
        self.diagnostics.push(Diagnostic {
            severity,
            path,
            line,
            column,
            width,
            source_line,
            message,
            hint,
            labels,
        });
    }

    /// A mistake within the text of a string. Where the string stands in the file as it is, the
    /// place is exact; with escapes in it, it is the string as a whole.
    pub(super) fn error_in_text(&mut self, place: Place, text: &str, problem: Problem) {
        let exact = problem.at.clone().and_then(|at| self.within(place, text, at));
        self.error(exact.unwrap_or(place), problem);
    }

    fn within(&self, place: Place, text: &str, at: Range<usize>) -> Option<Place> {
        let source = &self.sources.get(place.source)?.source.text;
        let raw = source.get(place.start..place.end)?;
        let first = raw.find(text)?.checked_add(place.start)?;
        let start = first.checked_add(at.start)?;
        Some(Place { source: place.source, start, end: first.checked_add(at.end)? })
    }

    /// The text of a place.
    pub(super) fn text(&self, place: Place) -> &'a str {
        let source = self.sources.get(place.source);
        source.and_then(|s| s.source.text.get(place.start..place.end)).unwrap_or_default()
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, place: Place) -> usize {
        self.sources.get(place.source).map_or(0, |source| source.line(place.start))
    }

    /// Everything that was said, in the order of the files.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        let sources = self.sources;
        let number = |d: &Diagnostic| sources.iter().position(|s| s.source.path == d.path);
        self.diagnostics.sort_by_key(|d| (number(d), d.line, d.column));
        if let (Some(last), true) = (self.diagnostics.last(), self.dropped > 0) {
            let more = format!("{} more mistakes are not shown", self.dropped);
            let path = last.path.clone();
            self.diagnostics.push(Diagnostic::of_file(Severity::Error, &path, more));
        }
        self.diagnostics
    }
}

/// A piece of a file between backticks for a message, shortened where it is long. Names of files
/// are among them, which anybody may have made: nothing in them is obeyed by a terminal.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    let shown = shown.replace('\n', "\\n");
    let is_obeyed = |c: char| c.is_control() || is_direction(c);
    format!("`{}`", shown.replace(is_obeyed, "\u{fffd}"))
}
