//! The way to a path: each folder that a name of it is looked up in, through every link, down to
//! the deepest that is there. For helpers: to name a path is to wait for its file system.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::os::mount;

/// Links that one path may lead through; path_resolution(7).
const LINKS: u32 = 40;

/// File systems whose files come without a word to inotify(7): those of the kernel, and of
/// other machines. statfs(2) has the numbers.
const SILENT: [i64; 9] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6969,      // nfs
    0x517b,      // smb
    0xff53_4d42, // cifs
    0xfe53_4d42, // smb2
    0x6573_5546, // fuse
    0x0102_1997, // 9p
    0x00c3_6400, // ceph
];

/// Whether what comes there, comes without a word.
pub fn is_silent(folder: &Path) -> bool {
    mount::statfs_magic(folder).is_ok_and(|magic| SILENT.contains(&magic))
}

/// Visits the folders on the way to a path, each before anything is looked up in it, with the
/// name that will be; without one it is what the path names. False if something may come there
/// that nobody tells, or if a visit ends it.
pub fn follow(path: &Path, mut visit: impl FnMut(&Path, Option<&OsStr>) -> bool) -> bool {
    let mut here = PathBuf::from("/");
    let mut rest = parts(path);
    let mut links = 0u32;
    loop {
        let next = rest.pop_front();
        if !visit(&here, next.as_deref()) || is_silent(&here) {
            return false;
        }
        let Some(next) = next else { return true };
        if next == ".." {
            here.pop();
            continue;
        }
        let there = here.join(&next);
        if let Ok(target) = std::fs::read_link(&there) {
            links = links.saturating_add(1);
            if links > LINKS {
                return false;
            }
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
        } else if there.is_dir() {
            here = there;
        } else {
            return true;
        }
    }
}

/// The names that a path is made of.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
