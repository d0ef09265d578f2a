//! What is wrong with a configuration and where, in the shape that a compiler would show it.
//!
//! A diagnostic owns a copy of the line that it is about, so that it can be shown long after
//! the file changed. Columns count characters; the picture counts cells of a terminal, in which
//! a tab is four wide, a Chinese character two and a combining accent none.

use std::fmt;
use std::path::{Path, PathBuf};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration must not replace one that runs.
    Error,
    /// Probably not what was meant, but clear enough to go on.
    Warning,
}

/// One thing to tell about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters it is about; at least 1.
    pub width: usize,
    /// The line as it stands in the file, its end left out, a very long one shortened.
    pub source_line: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it; written behind the carets.
    pub hint: Option<String>,
    /// Other places that belong to it, such as an earlier definition.
    pub labels: Vec<Label>,
}

/// Another place that belongs to a diagnostic. Its numbers count as those of [`Diagnostic`] do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters it is about; at least 1.
    pub width: usize,
    /// The line as it stands in the file.
    pub source_line: String,
    /// What this place has to do with it.
    pub text: String,
}

/// Longest line that is shown whole, in characters.
pub(super) const LINE_MAX: usize = 400;

impl Diagnostic {
    /// One about a file as a whole, with no line to show.
    pub fn of_file(severity: Severity, path: &Path, message: impl Into<String>) -> Self {
        Self {
            severity,
            path: path.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            source_line: String::new(),
            message: message.into(),
            hint: None,
            labels: Vec::new(),
        }
    }

    /// Whether it forbids that this configuration replaces one that runs.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn excerpt(&self) -> Excerpt<'_> {
        Excerpt {
            arrow: "-->",
            path: &self.path,
            line: self.line,
            column: self.column,
            width: self.width,
            source_line: &self.source_line,
            mark: '^',
            text: self.hint.as_deref().unwrap_or_default(),
        }
    }
}

impl Label {
    fn excerpt(&self) -> Excerpt<'_> {
        Excerpt {
            arrow: ":::",
            path: &self.path,
            line: self.line,
            column: self.column,
            width: self.width,
            source_line: &self.source_line,
            mark: '-',
            text: &self.text,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}: {}", plain(&self.message))?;
        if self.line == 0 {
            write!(f, "\n  --> {}", plain(&self.path.to_string_lossy()))?;
            return self.hint.iter().try_for_each(|hint| write!(f, "\n  = {}", plain(hint)));
        }
        let last_line = self.labels.iter().map(|label| label.line).fold(self.line, usize::max);
        let gutter = last_line.to_string().len();
        self.excerpt().draw(f, gutter)?;
        self.labels.iter().try_for_each(|label| label.excerpt().draw(f, gutter))
    }
}

/// A line of a file with something under it.
struct Excerpt<'a> {
    arrow: &'static str,
    path: &'a Path,
    line: usize,
    column: usize,
    width: usize,
    source_line: &'a str,
    mark: char,
    text: &'a str,
}

impl Excerpt<'_> {
    fn draw(&self, f: &mut fmt::Formatter<'_>, gutter: usize) -> fmt::Result {
        let Self { arrow, line, column, mark, .. } = self;
        let path = self.path.to_string_lossy();
        write!(f, "\n{:gutter$}{arrow} {}:{line}:{column}", "", plain(&path))?;
        write!(f, "\n{:gutter$} |\n{line:gutter$} | {}", "", plain(self.source_line))?;

        let before = column.saturating_sub(1);
        let indent: usize = self.source_line.chars().take(before).map(cells).sum();
        let under: usize = self.source_line.chars().skip(before).take(self.width).map(cells).sum();
        let marks: String = std::iter::repeat_n(*mark, under.max(1)).collect();
        let under = format!("{:indent$}{marks} {}", "", plain(self.text));
        write!(f, "\n{:gutter$} | {}", "", under.trim_end())
    }
}

/// Text that a terminal shows as it is: tabs as four spaces, and no control character that
/// could move the cursor or change colours.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            c if c.is_control() || is_direction(c) => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that reorder the text after them: a file could show a different command from the
/// one that it holds.
pub(super) fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many cells of a terminal a character takes once it went through [`plain`]. The ranges
/// are the blocks of East Asian and emoji characters; a font may disagree on the rest.
fn cells(c: char) -> usize {
    match c {
        '\t' => 4,
        c if c.is_control() || is_direction(c) => 1,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}
