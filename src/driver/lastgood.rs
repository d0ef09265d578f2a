//! The last good copy: the file that a machine came up with, kept for the boot after the edit
//! that breaks it. Writing it is the work of a child, for a disk may be slow; what it writes it is
//! handed, for on the disk may be another file by now, which never ran.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::configuration::FILE;
use crate::config::Source;
use crate::os::fds;

/// The word that makes finit such a child; its second word is where it finds what it is handed.
pub const WORD: &str = "--keep-config";
/// The folder of the copy of the file that a machine boots with.
const FOLDER: &str = "/var/lib/finitd/last-good";
/// The same for any other, below the path of that file: one boot with another file leaves the
/// copy of this one as it is.
const OF_OTHERS: &str = "/var/lib/finitd/last-good-of";

/// A file that is good, and its drop-ins, as they ran.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Where the file is; all others are drop-ins.
    pub main: PathBuf,
    /// All of it.
    pub sources: Vec<Source>,
}

impl Good {
    /// A file in memory for the child.
    ///
    /// # Errors
    /// No memory, no descriptors.
    pub fn hand_on(&self) -> std::io::Result<OwnedFd> {
        let file = fds::memfd("finit-last-good");
        let file = file.map_err(|errno| std::io::Error::from_raw_os_error(errno.0))?;
        let mut file = std::fs::File::from(file);
        file.write_all(&serde_json::to_vec(self)?)?;
        Ok(file.into())
    }

    fn taken(handed: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(handed)?)?)
    }
}

/// Where the copy of that file is.
pub fn copy_of(main: &Path) -> PathBuf {
    folder_of(main).join("finit.toml")
}

fn folder_of(main: &Path) -> PathBuf {
    if main == Path::new(FILE) {
        return PathBuf::from(FOLDER);
    }
    let names = main.components().filter(|part| matches!(part, Component::Normal(_)));
    Path::new(OF_OTHERS).join(names.collect::<PathBuf>()).join("last-good")
}

/// Copies what is handed on in that file; the exit status.
pub fn keep(handed: &Path) -> u8 {
    let good = Good::taken(handed);
    let copied = good.and_then(|good| replace(&folder_of(&good.main), &good.main, &good.sources));
    u8::from(copied.is_err())
}

/// Puts a whole copy into the place of the one before: a disk that is full leaves that as it is,
/// and so does one that loses its power.
fn replace(folder: &Path, main: &Path, sources: &[Source]) -> std::io::Result<()> {
    let new = folder.with_extension("new");
    let drop_ins = new.join("finit.toml.d");
    // Of a copy that came to nothing.
    let _none = std::fs::remove_dir_all(&new);
    std::fs::create_dir_all(&drop_ins)?;
    for source in sources {
        let name = source.path.file_name().unwrap_or_default();
        let target = if source.path == main { new.join("finit.toml") } else { drop_ins.join(name) };
        fds::create_file(&target, source.text.as_bytes(), 0o600)
            .map_err(|errno| std::io::Error::from_raw_os_error(errno.0))?;
        std::fs::File::open(&target)?.sync_all()?;
    }
    if fds::exchange(&new, folder).is_ok() {
        let _old = std::fs::remove_dir_all(&new);
        return Ok(());
    }
    // There was none, or it is on a file system that does not exchange.
    let _old = std::fs::remove_dir_all(folder);
    std::fs::rename(&new, folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::config::{self, Disk};

    fn read(folder: &Path) -> Vec<(String, String)> {
        let loaded = config::load(&folder.join("finit.toml"), &Disk);
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        loaded.sources.iter().map(|one| (name(&one.path), one.text.clone())).collect()
    }

    #[test]
    fn the_child_gets_what_it_is_handed() {
        let main = PathBuf::from("/etc/finit.toml");
        let good = Good { sources: vec![Source::new(&main, "# one")], main };
        let handed = good.hand_on().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", handed.as_raw_fd()));
        assert_eq!(Good::taken(&path).unwrap(), good);
    }

    #[test]
    fn each_file_has_a_copy_of_its_own() {
        let copy = |main: &str| copy_of(Path::new(main)).display().to_string();
        assert_eq!(copy(FILE), "/var/lib/finitd/last-good/finit.toml");
        let others = "/var/lib/finitd/last-good-of";
        assert_eq!(copy("/etc/lean.toml"), format!("{others}/etc/lean.toml/last-good/finit.toml"));
        assert_eq!(copy("/../a/../b"), format!("{others}/a/b/last-good/finit.toml"));
    }

    #[test]
    fn a_copy_is_whole_or_the_one_before_stays() {
        let top = std::env::temp_dir().join(format!("finit-last-good-{}", std::process::id()));
        let (folder, main) = (top.join("last-good"), Path::new("/etc/finit.toml"));
        let drop_in =
            |name: &str, text: &str| Source::new(Path::new("/etc/finit.toml.d").join(name), text);
        let first = [Source::new(main, "# one"), drop_in("a.toml", "# a"), drop_in("b.toml", "#")];
        replace(&folder, main, &first).unwrap();
        let kept = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let before = [kept("finit.toml", "# one"), kept("a.toml", "# a"), kept("b.toml", "#")];
        assert_eq!(read(&folder), before);
        // The last of it cannot be written.
        let long = "x".repeat(300) + ".toml";
        let second = [Source::new(main, "# two"), drop_in(&long, "# cannot be")];
        assert!(replace(&folder, main, &second).is_err());
        assert_eq!(read(&folder), before);
        // And another time it can.
        replace(&folder, main, &second[..1]).unwrap();
        assert_eq!(read(&folder), [kept("finit.toml", "# two")]);
        assert_eq!(std::fs::read_dir(&top).unwrap().count(), 1);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
