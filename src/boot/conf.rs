//! The small text files of the platform: read whole and capped, line by line, and the folders
//! of drop-ins that distribution, administrator and runtime share.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Context, mounts};
use crate::os;
use crate::os::mount::Mount;

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

/// Of these, what the machine's owner has added.
const LOCAL: &str = "/usr/local";

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
    for place in near(&PLACES, context) {
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
    near(&PROGRAMS, context).any(|folder| context.path(folder).join(name).exists())
}

/// Those of the folders that lie on the platform's own file system. What the machine's owner adds
/// may come from another disk or a server: at boot that is not mounted when we look, and later, when
/// a step is run again, nobody here waits for it.
fn near<'a>(folders: &'a [&'a str], context: &Context) -> impl Iterator<Item = &'a str> {
    let mounts = mounts::now(context);
    folders.iter().copied().filter(move |folder| {
        let is_below = |mount: &Mount| {
            let target = Path::new(OsStr::from_bytes(&mount.target));
            target.starts_with(LOCAL) && Path::new(folder).starts_with(target)
        };
        !folder.starts_with(LOCAL) || !mounts.iter().any(is_below)
    })
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
