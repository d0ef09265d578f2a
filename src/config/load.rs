//! The files of a configuration: the main one, then the drop-ins in the order of their bytes.
//! Reading is the caller's: PID 1 reads bounded and without waiting, a test from memory.

use std::path::{Path, PathBuf};

use super::diagnose::{Diagnostic, LINE_MAX, Severity};
use super::found::{self, Found};
use super::report::Source;
use super::{Loaded, parse};

/// Bytes of one file that are read.
pub const FILE_MAX: usize = 1 << 20;

/// Whoever can read files and list folders.
pub trait Reader {
    /// The bytes of a file, an error in words, or none if there is no such file.
    ///
    /// # Errors
    /// In words: not readable, too long.
    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String>;

    /// The paths in a folder; none if there is no such folder.
    ///
    /// # Errors
    /// In words: not readable, too many. What is in it counts as unknown then, and not as gone.
    fn folder(&self, path: &Path) -> Result<Vec<PathBuf>, String>;
}

/// Reads the file of that name and its drop-ins, `NAME.d/*.toml`, and everything that is wrong
/// with them.
pub fn load(path: &Path, reader: &impl Reader) -> Loaded {
    load_with(path, reader, |_| Found::default())
}

/// The same, with what was found on the machine for the templates of these files.
pub fn load_with(
    path: &Path,
    reader: &impl Reader,
    found: impl FnOnce(&[Source]) -> Found,
) -> Loaded {
    let mut troubles = Vec::new();
    let mut sources = Vec::new();
    match reader.file(path) {
        // As one that is lost: followed, it would stop all that runs.
        Ok(Some(bytes)) if bytes.trim_ascii().is_empty() => troubles.push(empty(path)),
        Ok(Some(bytes)) => sources.extend(text(path, bytes, &mut troubles)),
        Ok(None) => {
            troubles.push(Diagnostic::of_file(Severity::Error, path, "there is no such file"));
        }
        Err(why) => troubles.push(Diagnostic::of_file(Severity::Error, path, why)),
    }
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let mut paths = reader.folder(Path::new(&folder)).unwrap_or_else(|why| {
        troubles.push(Diagnostic::of_file(Severity::Error, Path::new(&folder), why));
        Vec::new()
    });
    // What editors leave behind begins with a dot.
    let is_hidden = |path: &Path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml") && !is_hidden(path));
    paths.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    for path in paths {
        match reader.file(&path) {
            Ok(Some(bytes)) => sources.extend(text(&path, bytes, &mut troubles)),
            Ok(None) => {}
            Err(why) => troubles.push(Diagnostic::of_file(Severity::Error, &path, why)),
        }
    }
    // Of a machine whose file cannot be read nothing is known.
    if !sources.is_empty() {
        found::put(&found(&sources), &mut sources);
    }
    let mut loaded = parse(&sources);
    loaded.diagnostics.splice(0..0, troubles);
    loaded.sources = sources;
    loaded
}

/// What a crash in the middle of writing leaves of a file is nobody's wish.
fn empty(path: &Path) -> Diagnostic {
    let hint = "write it again, or a comment if a machine without services is meant";
    let hint = Some(hint.to_owned());
    Diagnostic { hint, ..Diagnostic::of_file(Severity::Error, path, "this file is empty") }
}

/// A file as text. One that is none is left out: with a byte replaced it would say something
/// that nobody wrote.
fn text(path: &Path, bytes: Vec<u8>, troubles: &mut Vec<Diagnostic>) -> Option<Source> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(Source::new(path, text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            troubles.push(no_text(path, error.as_bytes(), good));
            None
        }
    }
}

/// Shows the line of the first byte that is no UTF-8.
fn no_text(path: &Path, bytes: &[u8], good: usize) -> Diagnostic {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let before = bytes.get(..good).unwrap_or_default();
    let in_line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let line_start = good.saturating_sub(in_line.len());
    let line = bytes.get(line_start..).unwrap_or_default();
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    Diagnostic {
        line: newlines.saturating_add(1),
        column: lossy(in_line).chars().count().saturating_add(1).min(LINE_MAX),
        width: 1,
        source_line: lossy(line).chars().take(LINE_MAX).collect(),
        hint: Some("save the file as UTF-8".to_owned()),
        ..Diagnostic::of_file(Severity::Error, path, "this is not UTF-8")
    }
}
