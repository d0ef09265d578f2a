//! Paths by a pattern; glob(7). The one of the C library asks the name service for `~`, which a
//! static program cannot.

use std::path::{Component, Path, PathBuf};

use crate::facts::Errno;
use crate::facts::glob::is_meant;

/// A path that matches the pattern, if one does; any of many.
pub fn first_match(pattern: &Path) -> Result<Option<PathBuf>, Errno> {
    first_match_by(pattern, &mut |_, _| {})
}

/// Who is told of each folder before it is looked into, and of the name that is looked for there,
/// unless it is any that matches.
pub type Visit<'a> = &'a mut dyn FnMut(&Path, Option<&str>);

/// The same, and each folder on the way to it is visited.
pub fn first_match_by(pattern: &Path, visit: Visit<'_>) -> Result<Option<PathBuf>, Errno> {
    let parts: Vec<String> = pattern
        .components()
        .filter(|part| *part != Component::RootDir)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    find(PathBuf::from("/"), &parts, visit)
}

/// The same below a folder, for the rest of a pattern.
fn find(here: PathBuf, parts: &[String], visit: Visit<'_>) -> Result<Option<PathBuf>, Errno> {
    let Some((part, rest)) = parts.split_first() else {
        return Ok(std::fs::symlink_metadata(&here).is_ok().then_some(here));
    };
    if !part.contains(['*', '?', '[', '\\']) {
        visit(&here, Some(part));
        return find(here.join(part), rest, visit);
    }
    visit(&here, None);
    let entries = match std::fs::read_dir(&here) {
        Ok(entries) => entries,
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP) => Ok(None),
                _ => Err(error.into()),
            };
        }
    };
    let pattern: Vec<char> = part.chars().collect();
    for entry in entries {
        let name = entry?.file_name();
        let letters: Vec<char> = name.to_string_lossy().chars().collect();
        if is_meant(&pattern, &letters) {
            let found = find(here.join(&name), rest, visit)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}
