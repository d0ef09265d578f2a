//! Control groups, version 2; cgroups(7).
//!
//! Each service has a group of its own, so that no process of it is lost however often it
//! forks. The groups are directories below one of ours; a name of a service is escaped so that
//! it is one directory whatever it contains, and none of the kernel's own files.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::UnlinkatFlags;

use super::{fds, mount};
use crate::facts::{Errno, Pid, SignalNumber};

pub use super::watch::{Watch, WatchId};

/// The longest file of a group that is read.
const FILE_MAX: usize = 1 << 20;
/// The most processes and the most groups that are listed.
const LIST_MAX: usize = 65_536;
/// How deep and how many groups that a service made itself are cleared away.
const CLEAR_MAX: usize = 1024;
/// The rounds of signalling each process of a group, where cgroup.kill is not there.
const KILL_ROUNDS: usize = 16;

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC).union(OFlag::O_NOFOLLOW);

/// The group that we may make groups in, as a path: where cgroup2 is mounted, and our own place
/// in it. None if it is not mounted, or read-only as in many containers.
pub fn find() -> Option<PathBuf> {
    let known = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let top = known.iter().map(Path::new).find(|path| {
        mount::statfs_magic(path).is_ok_and(|magic| magic == libc::CGROUP2_SUPER_MAGIC)
    })?;
    let own = own_place().map(|place| top.join(place));
    // Without a namespace of its own a container sees a path that is not below its mount.
    let base = own.filter(|path| path.is_dir()).unwrap_or_else(|| top.to_path_buf());
    nix::unistd::access(&base, nix::unistd::AccessFlags::W_OK).ok()?;
    Some(base)
}

/// Whether nobody but the calling process is in its group and below; false where there is none, or
/// it cannot be told.
pub fn is_alone() -> bool {
    let own = std::process::id().to_string();
    let group = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().find_map(|top| {
        let group = Path::new(top).join(own_line()?);
        group.join("cgroup.procs").is_file().then_some(group)
    });
    let Some(group) = group else { return false };
    whole(&group).iter().all(|below| {
        let text = fds::read_head(&group.join(below).join("cgroup.procs"), FILE_MAX);
        let text = text.unwrap_or_else(|_| b"?".to_vec());
        String::from_utf8_lossy(&text).lines().all(|pid| pid == own)
    })
}

/// Whether that process is in another group than the calling one and below; false where that
/// cannot be told.
pub fn is_elsewhere(pid: Pid) -> bool {
    let (own, its) = (own_line(), line_of(&pid.to_string()));
    own.zip(its).is_some_and(|(own, its)| !its.starts_with(own))
}

/// Our place below the mount, or that of the tree that our leaf is in, as a finit that takes over
/// finds itself.
fn own_place() -> Option<PathBuf> {
    let place = own_line()?;
    let parent = place.ends_with("finit/init").then(|| place.parent()?.parent()).flatten();
    Some(parent.unwrap_or(&place).to_path_buf())
}

/// The group that we are in.
fn own_line() -> Option<PathBuf> {
    line_of("self")
}

/// The group of a process, from the line "0::/place".
fn line_of(process: &str) -> Option<PathBuf> {
    let text = fds::read_head(&Path::new("/proc").join(process).join("cgroup"), FILE_MAX).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// The directory that all our groups are in.
pub struct Tree {
    fd: OwnedFd,
    path: PathBuf,
}

impl Tree {
    /// Make, if need be, and open `base`/`name`. EACCES, EROFS, ENOSPC (too many groups).
    pub fn open(base: &Path, name: &str) -> Result<Self, Errno> {
        let path = base.join(escape(name));
        match nix::unistd::mkdir(&path, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let fd = nix::fcntl::open(&path, DIRECTORY | OFlag::O_RDONLY, Mode::empty())?;
        Ok(Self { fd, path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Move the calling process, PID 1, into a group of its own: one that has groups in it and
    /// hands controllers to them may hold no processes. Made anew, since what was killed in one
    /// that another PID 1 left in a container counts; see [`Tree::make_anew`].
    pub fn enter_leaf(&self, name: &str) -> Result<(), Errno> {
        self.make_anew(name)?.0.write("cgroup.procs", b"0")
    }

    /// Have the groups in it controlled, as by "memory" or "pids". On demand: each controller
    /// makes every new group dearer. The first error, though all are tried: ENOENT if the kernel
    /// has one not, EBUSY if processes are in the way.
    pub fn enable(&self, controllers: &[&str]) -> Result<(), Errno> {
        try_all(controllers, |controller| {
            let order = format!("+{controller}");
            if let Some(above) = self.path.parent() {
                fds::write_file(&above.join("cgroup.subtree_control"), order.as_bytes())?;
            }
            let file = Path::new("cgroup.subtree_control");
            fds::write_file_at(self.fd.as_fd(), file, order.as_bytes())
        })
    }

    /// A new group of that name, and whether it is new: one that is there already goes first,
    /// but for one that somebody lives in.
    ///
    /// A group that cgroup.kill was ever written to, of whoever, is as good as dead: what clone3
    /// makes in it is killed before its first instruction. The kernel compares the count of such
    /// kills of the group with that of the parent's own (kill_seq in cgroup_css_set_fork and
    /// cgroup_post_fork, kernel/cgroup/cgroup.c, since Linux 6.14 and in older ones kept up).
    /// Moving in is spared.
    pub fn make_anew(&self, name: &str) -> Result<(Group, bool), Errno> {
        let mode = Mode::from_bits_truncate(0o755);
        let is_new = match nix::sys::stat::mkdirat(&self.fd, escape(name).as_str(), mode) {
            Ok(()) => true,
            Err(nix::errno::Errno::EEXIST) => self.remove(name).is_ok(),
            Err(errno) => return Err(errno.into()),
        };
        Ok((self.make(name)?, is_new))
    }

    /// The group of that name, made if there is none.
    pub fn make(&self, name: &str) -> Result<Group, Errno> {
        let mode = Mode::from_bits_truncate(0o755);
        match nix::sys::stat::mkdirat(&self.fd, escape(name).as_str(), mode) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => self.open_group(name),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The group of that name. ENOENT.
    pub fn open_group(&self, name: &str) -> Result<Group, Errno> {
        let flags = DIRECTORY | OFlag::O_RDONLY;
        let fd = nix::fcntl::openat(&self.fd, escape(name).as_str(), flags, Mode::empty())?;
        Ok(Group { fd, name: name.to_owned() })
    }

    /// Remove the group of that name and those that the service made in it, from the bottom
    /// up. False if there was none. EBUSY while a process is in one of them.
    pub fn remove(&self, name: &str) -> Result<bool, Errno> {
        let remove = |path: &Path| {
            nix::unistd::unlinkat(&self.fd, path, UnlinkatFlags::RemoveDir).map_err(Errno::from)
        };
        let top = PathBuf::from(escape(name));
        match remove(&top) {
            Ok(()) => return Ok(true),
            Err(Errno(libc::ENOENT)) => return Ok(false),
            // EBUSY stands for groups below as well as for processes.
            Err(_) => {}
        }
        let all = whole(&self.path.join(&top));
        all.iter().rev().try_for_each(|path| remove(&top.join(path)))?;
        Ok(true)
    }
}

/// One group, by a descriptor of its folder. PID 1 keeps one for each service that has run.
pub struct Group {
    fd: OwnedFd,
    name: String,
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Group {
    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder in the tree, which is called by its name, escaped.
    pub fn folder(&self) -> String {
        escape(&self.name)
    }

    /// Whether a process is in it or below, in a tree of that name; false once it is reaped.
    pub fn holds(&self, tree: &str, pid: i32) -> bool {
        let path = Path::new("/proc").join(pid.to_string()).join("cgroup");
        let text = fds::read_head(&path, LIST_MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let Some(path) = text.lines().find_map(|line| line.strip_prefix("0::")) else {
            return false;
        };
        let part = format!("/{tree}/{}", escape(&self.name));
        let rest = path.rsplit_once(&part).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// SIGKILL to every process in it and below, at once, even to those that fork meanwhile:
    /// cgroup.kill of Linux 5.14. Before that each is signalled, again and again for a bounded
    /// number of rounds; EBUSY if that was not enough.
    pub fn kill(&self) -> Result<(), Errno> {
        match self.write("cgroup.kill", b"1") {
            Err(Errno(libc::ENOENT)) => {}
            other => return other,
        }
        for _ in 0..KILL_ROUNDS {
            if self.signal_all(SignalNumber::KILL)? == 0 {
                return Ok(());
            }
        }
        Err(Errno(libc::EBUSY))
    }

    /// Signal each process in it and in the groups that the service made in it; how many there
    /// were.
    pub fn signal_all(&self, signal: SignalNumber) -> Result<usize, Errno> {
        let mut pids = self.procs()?;
        // One that is gone meanwhile has nobody left.
        pids.extend(self.below().iter().flat_map(|group| self.procs_of(group).unwrap_or_default()));
        let mut count = 0usize;
        for pid in pids {
            // A process that ends between the two may not be hit; its number is not used again
            // so soon.
            if super::kill::kill(pid, signal)? {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// The processes in it and not in groups below, zombies not among them.
    pub fn procs(&self) -> Result<Vec<Pid>, Errno> {
        self.procs_of(Path::new(""))
    }

    /// The same of a group below it.
    fn procs_of(&self, group: &Path) -> Result<Vec<Pid>, Errno> {
        let text = fds::read_small_at(self.fd.as_fd(), &group.join("cgroup.procs"), FILE_MAX)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(|line| Pid::new(line.parse().ok()?)).take(LIST_MAX).collect())
    }

    /// The groups below it, as paths from here. Most have none, and that costs one call: kernfs
    /// counts the folders in a folder as links of it (fs/kernfs/inode.c, kernfs_refresh_inode).
    fn below(&self) -> Vec<PathBuf> {
        if nix::sys::stat::fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 2) {
            return Vec::new();
        }
        let top = PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()));
        whole(&top).split_off(1)
    }

    /// Whether a process is in it or below.
    pub fn populated(&self) -> Result<bool, Errno> {
        self.says(b"populated 1")
    }

    /// Whether every process in it and below stands still; an empty group may say so too.
    pub fn frozen(&self) -> Result<bool, Errno> {
        self.says(b"frozen 1")
    }

    fn says(&self, line: &[u8]) -> Result<bool, Errno> {
        // Two short lines, and each exit asks for them.
        let mut text = [0; 128];
        let count = fds::read_at(self.fd.as_fd(), Path::new("cgroup.events"), &mut text)?;
        Ok(text
            .get(..count)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
            .any(|known| known == line))
    }

    /// A file of it, such as "cpu.stat", at most `max` bytes. ENOENT without the controller.
    pub fn read(&self, file: &str, max: usize) -> Result<Vec<u8>, Errno> {
        fds::read_small_at(self.fd.as_fd(), Path::new(plain(file)?), max)
    }

    /// Write to a file of it, such as "memory.max".
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), Errno> {
        fds::write_file_at(self.fd.as_fd(), Path::new(plain(file)?), bytes)
    }

    /// Freeze or thaw every process in it and below, cgroup.freeze of Linux 5.2. Takes effect a
    /// little later, as [`Group::frozen`] says.
    pub fn freeze(&self, on: bool) -> Result<(), Errno> {
        self.write("cgroup.freeze", if on { b"1" } else { b"0" })
    }
}

/// A folder, as an empty path, and all below it as paths from there, each behind the one that it
/// is in. One that is gone meanwhile has nothing in it.
fn whole(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    let mut at = 0usize;
    while let Some(path) = found.get(at).filter(|_| found.len() < CLEAR_MAX).cloned() {
        let inner = folders(&top.join(&path)).unwrap_or_default();
        found.extend(inner.iter().map(|name| path.join(name)));
        at = at.saturating_add(1);
    }
    found
}

/// The names of the folders in a folder.
fn folders(path: &Path) -> Result<Vec<PathBuf>, Errno> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)?.take(LIST_MAX) {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(PathBuf::from(entry.file_name()));
        }
    }
    Ok(names)
}

/// A file name that stays in its directory.
fn plain(file: &str) -> Result<&str, Errno> {
    if file.contains('/') || file.starts_with('.') { Err(Errno(libc::EINVAL)) } else { Ok(file) }
}

/// A name as one directory: letters, digits, '-', '_', '@', ':' and '+' stand for themselves,
/// every other byte is %XX. With '.' among those, none is a file of the kernel.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'@' | b':' | b'+' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Tries that with each, whatever becomes of those before; the first error.
fn try_all<T>(all: &[T], mut attempt: impl FnMut(&T) -> Result<(), Errno>) -> Result<(), Errno> {
    all.iter().map(&mut attempt).fold(Ok(()), Result::and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_costs_no_other() {
        let mut tried = Vec::new();
        let first = try_all(&["cpu", "memory", "pids"], |controller| {
            tried.push(*controller);
            if *controller == "pids" { Ok(()) } else { Err(Errno(libc::ENOENT)) }
        });
        assert_eq!((tried, first), (vec!["cpu", "memory", "pids"], Err(Errno(libc::ENOENT))));
    }
}
