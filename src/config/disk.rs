//! The one file of this room that reads: what PID 1 and finitctl hand to [`super::load`].

use std::path::{Path, PathBuf};

use super::Reader;
use crate::facts::Errno;
use crate::os::fds;

/// Most files of a folder that are looked at.
const FILES: usize = 1024;

/// The disk as the configuration sees it: small regular files, never a device that waits.
pub struct Disk;

impl Reader for Disk {
    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        match fds::read_small(path, super::FILE_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Errno(libc::ENOENT)) => Ok(None),
            Err(Errno(libc::EFBIG)) => Err("it is longer than 1 MiB".to_owned()),
            Err(errno) => Err(errno.to_string()),
        }
    }

    fn folder(&self, path: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).take(FILES).collect()
    }
}
