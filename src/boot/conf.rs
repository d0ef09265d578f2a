//! The small text files of the platform: read whole and capped, line by line, and the folders
//! of drop-ins that distribution, administrator and runtime share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Context;
use crate::os;

/// Longest file that is taken seriously.
const LARGEST: usize = 1 << 20;

/// Most drop-ins of one kind.
const MOST_FILES: usize = 1024;

/// Where drop-ins live; a file hides those of the same name further down, and so does a link
/// to /dev/null (sysctl.d(5), modules-load.d(5)).
const PLACES: [&str; 5] = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];

/// Where programs live that only root needs, besides those for everybody.
const PROGRAMS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The text of a regular file; none if there is no such file or it is too long to be meant.
/// Bytes that are not UTF-8 become replacement characters and match nothing.
pub(super) fn read(path: &Path) -> Option<String> {
    let bytes = os::fds::read_small(path, LARGEST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lines with something on them, without surrounding space and comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

/// The files of a folder such as `sysctl.d`, in the order of their names.
pub(super) fn drop_ins(context: &Context, folder: &str) -> Vec<PathBuf> {
    let mut files = BTreeMap::new();
    for place in PLACES {
        let Ok(entries) = std::fs::read_dir(context.path(place).join(folder)) else { continue };
        for entry in entries.flatten().take(MOST_FILES) {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "conf") {
                files.entry(entry.file_name()).or_insert(path);
            }
        }
    }
    files.into_values().collect()
}

/// The first of these files that is there, by its name under `/`.
pub(super) fn first<'a>(context: &Context, places: &[&'a str]) -> Option<&'a str> {
    places.iter().copied().find(|place| context.path(place).exists())
}

/// Whether a program of that name is installed where programs are.
pub(super) fn has_program(context: &Context, name: &str) -> bool {
    PROGRAMS.iter().any(|folder| context.path(folder).join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_space_are_no_lines() {
        let text = "# one\n\n  loop  \n; two\nfuse\r\n\t# three";
        assert_eq!(lines(text).collect::<Vec<_>>(), ["loop", "fuse"]);
    }
}
