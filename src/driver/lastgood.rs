//! The last good copy: the file that a machine came up with, kept for the boot after the edit
//! that breaks it. Writing it is the work of a child, for a disk may be slow.

use std::path::{Path, PathBuf};

use crate::config::{self, Disk};
use crate::os::fds;

/// The word that makes finit such a child; its second word is the file.
pub const WORD: &str = "--keep-config";
/// Where the copy is.
pub const LAST_GOOD: &str = "/var/lib/finitd/last-good/finit.toml";

/// Copies the file and its drop-ins, if they are good; the exit status.
pub fn keep(path: &Path) -> u8 {
    let loaded = config::load(path, &Disk);
    if loaded.is_broken() {
        return 1;
    }
    let copy = PathBuf::from(LAST_GOOD);
    let drop_ins = PathBuf::from(format!("{LAST_GOOD}.d"));
    // Drop-ins that are gone from the original must not live on in the copy.
    let _none = std::fs::remove_dir_all(&drop_ins);
    if std::fs::create_dir_all(&drop_ins).is_err() {
        return 1;
    }
    for source in &loaded.sources {
        let name = source.path.file_name().unwrap_or_default();
        let target = if source.path == path { copy.clone() } else { drop_ins.join(name) };
        if fds::create_file(&target, source.text.as_bytes(), 0o600).is_err() {
            return 1;
        }
    }
    0
}
