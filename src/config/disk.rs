//! The one file of this room that reads: what PID 1 and finitctl hand to [`super::load`].

use std::path::{Path, PathBuf};

use super::Reader;
use super::found::name_of;
use super::spec::Listing;
use crate::facts::Errno;
use crate::os::{fds, paths};

/// Most files that a folder may have.
const FILES: usize = 1024;

/// How often a file that changes is read again.
const READINGS: usize = 5;

/// What is wrong with a link whose file is gone.
pub const TO_NOTHING: &str = "it is a link to nothing";

/// The disk as the configuration sees it: small regular files, never a device that waits.
pub struct Disk;

impl Reader for Disk {
    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        match settled(path) {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => Err("it is being written: try again once that is done".to_owned()),
            Err(Errno(libc::ENOENT)) => missing(path),
            Err(Errno(libc::EFBIG)) => Err("it is longer than 1 MiB".to_owned()),
            // What a file that was opened cannot be read for: it is a folder, a pipe or a device.
            Err(Errno(libc::EINVAL)) => Err("it is no regular file".to_owned()),
            Err(errno) => Err(errno.to_string()),
        }
    }

    fn folder(&self, path: &Path) -> Result<Vec<PathBuf>, String> {
        let said = |error: std::io::Error| Errno::from(error).to_string();
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return missing(path),
            Err(error) => return Err(said(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            found.push(entry.map_err(said)?.path());
            if found.len() > FILES {
                return Err(format!("there are more than {FILES} files in it"));
            }
        }
        Ok(found)
    }
}

/// Instances by the paths that match a pattern, each of that name. It may wait for as long as a
/// file system likes.
///
/// # Errors
/// In words: a folder that cannot be read.
pub fn paths(pattern: &str, name: &str) -> Result<Listing, String> {
    let found = paths::matching(Path::new("/"), pattern);
    let found = found.map_err(|errno| format!("{pattern}: {errno}"))?;
    let named = |one: paths::Match| (name_of(name, &one.caught), one.path.display().to_string());
    Ok(Listing::of(found.into_iter().map(named)))
}

/// What is there where nothing can be opened: nothing, unless a link says that something should
/// be. What it led to is out of reach, and its services must not be stopped for that.
fn missing<T: Default>(path: &Path) -> Result<T, String> {
    if path.is_symlink() { Err(TO_NOTHING.to_owned()) } else { Ok(T::default()) }
}

/// What two readings in a row agree on; none if it changes all the time. Half an old file and half
/// a new one may be good TOML, and what is missing in it would be stopped.
fn settled(path: &Path) -> Result<Option<Vec<u8>>, Errno> {
    let mut before = fds::read_small(path, super::FILE_MAX)?;
    for _ in 0..READINGS {
        let now = fds::read_small(path, super::FILE_MAX)?;
        if now == before {
            return Ok(Some(now));
        }
        before = now;
    }
    Ok(None)
}
