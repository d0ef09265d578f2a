//! A look-out: a child of finit that ends once there is something by a path. It sleeps in
//! between. What it watches is each folder on the way, through every link, down to the deepest
//! that is there, and the table of mounts; and it looks again after it began to watch, so that
//! nothing comes in between.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::paths;
use crate::os::folders::Folders;
use crate::os::mount;

/// How often it looks where nobody tells what comes.
const LOOK: u16 = 2_000;
/// How long it rests after something came that was not it: a busy folder wakes it no more often.
const REST: u8 = 20;
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

/// Ends well once there is something by that path, and otherwise when PID 1 lets go of the other
/// end of its stdin: it executes itself and has another one look out.
pub fn look_out(path: &str) -> u8 {
    let path = Path::new(path);
    let stdin = std::io::stdin();
    // A new one tells of changes from now on.
    let mounts = File::open("/proc/self/mountinfo").ok();
    loop {
        let folders = Folders::new().ok();
        let hears = folders.as_ref().is_some_and(|folders| watch(folders, path));
        if paths::is_there(path) {
            return 0;
        }
        let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        fds.extend(folders.as_ref().map(|folders| PollFd::new(folders.as_fd(), PollFlags::POLLIN)));
        fds.extend(mounts.as_ref().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLPRI)));
        let sure = hears && mounts.is_some();
        let patience = if sure { PollTimeout::NONE } else { PollTimeout::from(LOOK) };
        let is_alone = |fds: &[PollFd<'_>]| fds.first().is_some_and(|fd| fd.any() == Some(true));
        // A signal that interrupts is as good a reason to look again.
        let woken = poll(&mut fds, patience).is_ok();
        if woken && is_alone(&fds) {
            return 1;
        }
        let mut lifeline = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if !paths::is_there(path)
            && poll(&mut lifeline, PollTimeout::from(REST)).is_ok()
            && is_alone(&lifeline)
        {
            return 1;
        }
    }
}

/// Watches the way to a path; false if something may come there that nobody tells.
fn watch(folders: &Folders, path: &Path) -> bool {
    let mut here = PathBuf::from("/");
    let mut rest = parts(path);
    let mut links = 0u32;
    loop {
        let silent = mount::statfs_magic(&here).is_ok_and(|magic| SILENT.contains(&magic));
        if folders.add(&here).is_err() || silent {
            return false;
        }
        let Some(next) = rest.pop_front() else { return true };
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
