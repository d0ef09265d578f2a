//! The files of a configuration: the main one, then the drop-ins in the order of their bytes.
//! Reading is the caller's: PID 1 reads bounded and without waiting, a test from memory.

use std::path::{Path, PathBuf};

use super::diagnose::{Diagnostic, Severity};
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
    fn folder(&self, path: &Path) -> Vec<PathBuf>;
}

/// Reads the file of that name and its drop-ins, `NAME.d/*.toml`, and everything that is wrong
/// with them.
pub fn load(path: &Path, reader: &impl Reader) -> Loaded {
    let mut troubles = Vec::new();
    let mut sources = Vec::new();
    match reader.file(path) {
        Ok(Some(bytes)) => sources.extend(text(path, bytes, &mut troubles)),
        Ok(None) => {
            troubles.push(Diagnostic::of_file(Severity::Error, path, "there is no such file"));
        }
        Err(why) => troubles.push(Diagnostic::of_file(Severity::Error, path, why)),
    }
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let mut paths = reader.folder(Path::new(&folder));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    for path in paths {
        match reader.file(&path) {
            Ok(Some(bytes)) => sources.extend(text(&path, bytes, &mut troubles)),
            Ok(None) => {}
            Err(why) => troubles.push(Diagnostic::of_file(Severity::Error, &path, why)),
        }
    }
    let mut loaded = parse(&sources);
    loaded.diagnostics.splice(0..0, troubles);
    loaded.sources = sources;
    loaded
}

/// A file as text; one that is none is told with the line of its first bad byte.
fn text(path: &Path, bytes: Vec<u8>, troubles: &mut Vec<Diagnostic>) -> Option<Source> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(Source::new(path, text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
            let message = format!("line {line} is not UTF-8");
            troubles.push(Diagnostic::of_file(Severity::Error, path, message));
            None
        }
    }
}
