//! Paths by a pattern; glob(7). The one of the C library asks the name service for `~`, which a
//! static program cannot, and does not say what each wildcard stands for.

use std::path::{Path, PathBuf};

use crate::facts::Errno;
use crate::facts::glob::{captures, is_meant, wildcards};

/// Folders and files that a pattern may lead to.
const PATHS: usize = 1 << 14;

/// A path that matches, and what each wildcard stands for in it.
pub struct Match {
    /// The path.
    pub path: PathBuf,
    /// The latter, in the order of the wildcards.
    pub caught: Vec<String>,
}

/// All paths that match a pattern, in their order; E2BIG where these are more than any list that a
/// person looks at.
pub fn matching(root: &Path, pattern: &str) -> Result<Vec<Match>, Errno> {
    let mut found = vec![Match { path: root.to_owned(), caught: Vec::new() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let letters: Vec<char> = part.chars().collect();
        // A backslash is no part of the name.
        let is_plain = wildcards(&letters) == 0 && !part.contains('\\');
        let mut next = Vec::new();
        for Match { path, caught } in found {
            if is_plain {
                next.push(Match { path: path.join(part), caught });
            } else {
                enter(&path, &letters, &caught, &mut next)?;
            }
        }
        if next.len() > PATHS {
            return Err(Errno(libc::E2BIG));
        }
        found = next;
    }
    found.retain(|one| std::fs::symlink_metadata(&one.path).is_ok());
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// What matches in a folder. One that is not there, or is none, has nothing in it.
fn enter(
    folder: &Path,
    pattern: &[char],
    caught: &[String],
    found: &mut Vec<Match>,
) -> Result<(), Errno> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP) => Ok(()),
                _ => Err(error.into()),
            };
        }
    };
    for entry in entries {
        let name = entry?.file_name();
        let letters: Vec<char> = name.to_string_lossy().chars().collect();
        if !is_meant(pattern, &letters) {
            continue;
        }
        if let Some(own) = captures(pattern, &letters) {
            let caught = caught.iter().cloned().chain(own).collect();
            found.push(Match { path: folder.join(&name), caught });
        }
        if found.len() > PATHS {
            return Err(Errno(libc::E2BIG));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn paths_that_match_are_found_in_order_with_what_their_wildcards_stand_for() {
        let root = std::env::temp_dir().join(format!("finit-paths-{}", std::process::id()));
        for path in ["pg/15/main/conf", "pg/9.6/old/conf", "pg/15/none", "pg/.x/main/conf", "pg/f"]
        {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let caught = |pattern: &str| {
            let found = matching(&root, pattern).unwrap();
            found.iter().map(|one| one.caught.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(caught("/pg/*/*/conf"), ["15 main", "9.6 old"]);
        assert_eq!(caught("/pg/?*/m[a-c]in/../conf"), [""; 0]);
        assert_eq!(caught("/pg/[0-9]*"), ["1 5", "9 .6"]);
        assert_eq!(caught("/pg/?"), ["f"]);
        assert_eq!(caught("/p\\g/f/*"), [""; 0]);
        assert_eq!(caught("/none/*"), [""; 0]);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
