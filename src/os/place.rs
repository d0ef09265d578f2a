//! A file by its path, where folders on the way belong to others: nobody but root, and whoever
//! asks, can lead it elsewhere. For helpers and clients: to name a path is to wait for its file
//! system.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno as Raw;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::UnlinkatFlags;

use crate::facts::Errno;

/// Links on one way, as many as the kernel follows; path_resolution(7).
const LINKS: usize = 40;

/// Not blocking, so that a FIFO without a reader is an error and no wait for ever; and no terminal
/// becomes ours.
const SAFE: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A folder that is looked into, and no more.
const FOLDER: OFlag =
    OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// What an errno says of a path here that it does not say elsewhere.
pub fn meaning(errno: Errno) -> Option<&'static str> {
    match errno.0 {
        libc::ELOOP => Some("a link on its way could be led elsewhere by others than root"),
        libc::EMLINK => Some("it has another name elsewhere, and its folder is not root's alone"),
        _ => None,
    }
}

/// A name in a folder. The folder stays the one that was found, whatever becomes of its path.
#[derive(Debug)]
pub struct Place {
    folder: Folder,
    name: OsString,
}

#[derive(Debug)]
struct Folder {
    fd: OwnedFd,
    /// Nobody else can put anything into it.
    guarded: bool,
}

impl Place {
    /// Goes to the folder of a file, part by part, and makes what is missing of it, for all to
    /// enter, if asked to. A link is followed only where it and its folder belong to root, and
    /// nobody else may write there, as with /var/run: ELOOP otherwise. EINVAL of a path without a
    /// name at its end.
    pub fn find(path: &Path, make: bool) -> Result<Self, Errno> {
        let name = path.file_name().ok_or(Errno(libc::EINVAL))?.to_owned();
        let parent = path.parent().ok_or(Errno(libc::EINVAL))?;
        let mut folder = Folder::top()?;
        let mut rest = parts(parent);
        let mut links = 0_usize;
        while let Some(part) = rest.pop() {
            match folder.enter(&part, make) {
                Ok(next) => folder = next,
                Err(Errno(libc::ENOTDIR | libc::ELOOP)) => {
                    let to = folder.link(&part)?;
                    links = links.saturating_add(1);
                    if links > LINKS {
                        return Err(Errno(libc::ELOOP));
                    }
                    if to.is_absolute() {
                        folder = Folder::top()?;
                    }
                    rest.extend(parts(&to));
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self { folder, name })
    }

    /// What the file is called in its folder.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Opens what has a name in the folder, and no link. EMLINK of what has another name too,
    /// where somebody else than root may have put it there: it may be anybody's.
    pub fn open(&self, name: &OsStr, flags: OFlag, mode: u32) -> Result<File, Errno> {
        let mode = Mode::from_bits_truncate(mode);
        let file = nix::fcntl::openat(&self.folder.fd, name, flags | SAFE, mode)?;
        if !self.folder.guarded && nix::sys::stat::fstat(&file)?.st_nlink > 1 {
            return Err(Errno(libc::EMLINK));
        }
        Ok(File::from(file))
    }

    /// Whether something has that name in the folder.
    pub fn has(&self, name: &OsStr) -> bool {
        nix::sys::stat::fstatat(&self.folder.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    /// Gives it another name in the folder, instead of what had that. ENOENT.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        Ok(nix::fcntl::renameat(&self.folder.fd, from, &self.folder.fd, to)?)
    }

    /// Takes it out of the folder. ENOENT.
    pub fn remove(&self, name: &OsStr) -> Result<(), Errno> {
        Ok(nix::unistd::unlinkat(&self.folder.fd, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

impl Folder {
    fn of(fd: OwnedFd) -> Result<Self, Errno> {
        let facts = nix::sys::stat::fstat(&fd)?;
        let guarded = is_trusted(&facts) && facts.st_mode & 0o022 == 0;
        Ok(Self { fd, guarded })
    }

    fn top() -> Result<Self, Errno> {
        Self::of(nix::fcntl::open("/", FOLDER, Mode::empty())?)
    }

    /// The folder in it of that name. ENOTDIR or ELOOP of a link.
    fn enter(&self, part: &OsStr, make: bool) -> Result<Self, Errno> {
        let open = || nix::fcntl::openat(&self.fd, part, FOLDER, Mode::empty());
        let fd = match open() {
            Err(Raw::ENOENT) if make => {
                let mode = Mode::from_bits_truncate(0o755);
                match nix::sys::stat::mkdirat(&self.fd, part, mode) {
                    // Another was faster.
                    Ok(()) | Err(Raw::EEXIST) => open(),
                    Err(errno) => Err(errno),
                }
            }
            outcome => outcome,
        };
        Self::of(fd?)
    }

    /// Where a link in it leads. ENOTDIR of what is none, ELOOP of one that is not root's.
    fn link(&self, part: &OsStr) -> Result<PathBuf, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let link = nix::fcntl::openat(&self.fd, part, flags, Mode::empty())?;
        let facts = nix::sys::stat::fstat(&link)?;
        if facts.st_mode & libc::S_IFMT != libc::S_IFLNK {
            return Err(Errno(libc::ENOTDIR));
        }
        if !self.guarded || !is_trusted(&facts) {
            return Err(Errno(libc::ELOOP));
        }
        Ok(PathBuf::from(nix::fcntl::readlinkat(&link, "")?))
    }
}

/// Whether it belongs to root, or to whoever asks.
fn is_trusted(facts: &FileStat) -> bool {
    facts.st_uid == 0 || facts.st_uid == nix::unistd::geteuid().as_raw()
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let is_part =
        |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    let parts = path.components().rev().filter(is_part);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_is_followed_where_nobody_else_could_have_made_it() {
        let top = std::env::temp_dir().join(format!("finit-place-{}", std::process::id()));
        std::fs::create_dir_all(top.join("real/inner")).unwrap();
        std::fs::set_permissions(&top, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(top.join("real/file"), "text").unwrap();
        symlink("real", top.join("relative")).unwrap();
        symlink(top.join("relative"), top.join("absolute")).unwrap();
        symlink("circle", top.join("circle")).unwrap();
        let find = |path: &str, make| {
            let place = Place::find(&top.join(path), make)?;
            place.open(place.name(), OFlag::O_RDONLY, 0).map(|_| ())
        };
        for path in ["real/file", "relative/file", "absolute/inner/../file", "real/./file"] {
            assert_eq!(find(path, false), Ok(()), "{path}");
        }
        let errno = |errno| Err(Errno(errno));
        assert_eq!(find("circle/file", false), errno(libc::ELOOP));
        assert_eq!(find("real/file/file", true), errno(libc::ENOTDIR));
        assert_eq!(find("real/new/file", false), errno(libc::ENOENT));
        assert!(!top.join("real/new").exists());
        assert_eq!(find("relative/new/newer/file", true), errno(libc::ENOENT));
        assert!(top.join("real/new/newer").is_dir());
        assert_eq!(find("..", false), errno(libc::EINVAL));
        // The last part is never followed.
        symlink("real/file", top.join("last")).unwrap();
        assert_eq!(find("last", false), errno(libc::ELOOP));
        std::fs::hard_link(top.join("real/file"), top.join("other")).unwrap();
        assert_eq!(find("other", false), Ok(()), "the folder is guarded");
        std::fs::set_permissions(&top, PermissionsExt::from_mode(0o775)).unwrap();
        assert_eq!(find("relative/file", false), errno(libc::ELOOP));
        assert_eq!(find("other", false), errno(libc::EMLINK));
        std::fs::remove_dir_all(&top).unwrap();
    }
}
