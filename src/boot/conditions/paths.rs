//! Conditions about paths. Links are followed: a link to nothing is nothing.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::{Sight, glob};
use crate::facts::Errno;
use crate::os::mount;

const NOTHING: &str = "it does not exist";

fn seen(holds: bool, yes: &str, no: &str) -> Sight {
    Ok((holds, if holds { yes } else { no }.to_owned()))
}

/// What lies there, if anything does.
fn look(path: &Path) -> Result<Option<Metadata>, String> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG) => Ok(None),
            _ => Err(Errno::from(error).to_string()),
        },
    }
}

/// Whether there is something, as far as it can be seen.
pub fn is_there(path: &Path) -> bool {
    matches!(look(path), Ok(Some(_)))
}

pub fn exists(path: &Path) -> Sight {
    seen(look(path)?.is_some(), "it exists", NOTHING)
}

pub fn glob(pattern: &Path) -> Sight {
    match glob::first_match(pattern) {
        Ok(Some(path)) => Ok((true, format!("{} matches", path.display()))),
        Ok(None) => Ok((false, "no path matches".to_owned())),
        Err(errno) => Err(errno.to_string()),
    }
}

pub fn directory(path: &Path) -> Sight {
    match look(path)? {
        None => Ok((false, NOTHING.to_owned())),
        Some(found) => seen(found.is_dir(), "it is a folder", "it is no folder"),
    }
}

pub fn executable(path: &Path) -> Sight {
    let Some(found) = look(path)? else { return Ok((false, NOTHING.to_owned())) };
    let runs = found.is_file() && found.permissions().mode() & 0o111 != 0;
    seen(runs, "it may be executed", "it is no file that may be executed")
}

pub fn not_empty(path: &Path) -> Sight {
    let Some(found) = look(path)? else { return Ok((false, NOTHING.to_owned())) };
    if !found.is_dir() {
        return seen(found.is_file() && found.len() > 0, "it is not empty", "it is empty");
    }
    match std::fs::read_dir(path) {
        Ok(mut entries) => seen(entries.next().is_some(), "it is not empty", "it is empty"),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((false, NOTHING.to_owned())),
        Err(error) => Err(Errno::from(error).to_string()),
    }
}

pub fn writable(path: &Path) -> Sight {
    if look(path)?.is_none() {
        return Ok((false, NOTHING.to_owned()));
    }
    match statvfs(path) {
        Ok(found) => seen(
            !found.flags().contains(FsFlags::ST_RDONLY),
            "its file system can be written to",
            "its file system is read-only",
        ),
        Err(errno) => Err(Errno::from(errno).to_string()),
    }
}

pub fn mounted(path: &Path) -> Sight {
    if look(path)?.is_none() {
        return Ok((false, NOTHING.to_owned()));
    }
    match path.canonicalize() {
        Ok(path) => seen(
            mount::is_mount_point(&path),
            "something is mounted there",
            "nothing is mounted there",
        ),
        Err(error) => Err(Errno::from(error).to_string()),
    }
}
