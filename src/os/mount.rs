//! Mounting and looking at what is mounted; mount(2), umount2(2), proc_pid_mountinfo(5).
//!
//! Only what cannot hang is mounted by PID 1 itself: /proc, /sys, /dev, /run and the like.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags};

use super::fds;
use crate::facts::Errno;

/// The longest mountinfo that is read; a line is about 100 bytes.
const MOUNTINFO_MAX: usize = 4 << 20;

/// Option words that are flags; the others go to the file system as data.
const WORDS: [(&str, MsFlags); 17] = [
    ("ro", MsFlags::MS_RDONLY),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("sync", MsFlags::MS_SYNCHRONOUS),
    ("remount", MsFlags::MS_REMOUNT),
    ("noatime", MsFlags::MS_NOATIME),
    ("nodiratime", MsFlags::MS_NODIRATIME),
    ("relatime", MsFlags::MS_RELATIME),
    ("strictatime", MsFlags::MS_STRICTATIME),
    ("bind", MsFlags::MS_BIND),
    ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC)),
    ("move", MsFlags::MS_MOVE),
    ("private", MsFlags::MS_PRIVATE),
    ("rprivate", MsFlags::MS_PRIVATE.union(MsFlags::MS_REC)),
    ("shared", MsFlags::MS_SHARED),
    ("rshared", MsFlags::MS_SHARED.union(MsFlags::MS_REC)),
];
/// Option words of fstab that mean what is so anyway.
const NOTHING: [&str; 8] = ["", "defaults", "rw", "suid", "dev", "exec", "auto", "async"];

/// One line of mountinfo: bytes, as file names are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number, as in /proc/PID/fdinfo.
    pub id: Vec<u8>,
    /// Where it is mounted.
    pub target: Vec<u8>,
    /// Its type, as "ext4".
    pub fstype: Vec<u8>,
    /// What is mounted: a device or any word.
    pub source: Vec<u8>,
    /// The options of the mount and of the file system, joined by commas.
    pub options: Vec<u8>,
}

/// Mount `source` at `target` with comma-separated options such as "nosuid,mode=0755". EBUSY
/// when it is mounted there already, ENOENT, EPERM, ENODEV for a type the kernel lacks.
pub fn mount(source: &str, target: &Path, fstype: &str, options: &str) -> Result<(), Errno> {
    let mut flags = MsFlags::empty();
    let mut data: Vec<&str> = Vec::new();
    for word in options.split(',').filter(|word| !NOTHING.contains(word)) {
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, flag)) => flags |= *flag,
            None => data.push(word),
        }
    }
    let data = data.join(",");
    let data = (!data.is_empty()).then_some(data.as_str());
    Ok(nix::mount::mount(Some(source), target, Some(fstype), flags, data)?)
}

/// Whether something is mounted exactly there; false as well if there is nothing by that name.
/// statx(2), which does not wait for a network server here; st_dev for old kernels.
pub fn is_mount_point(path: &Path) -> bool {
    let Ok(name) = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()) else {
        return false;
    };
    // SAFETY: integers only, for which zeros are values.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let flags = libc::AT_NO_AUTOMOUNT | libc::AT_SYMLINK_NOFOLLOW | libc::AT_STATX_DONT_SYNC;
    // SAFETY: a NUL-terminated path and a live struct to fill in.
    let done = unsafe {
        libc::statx(libc::AT_FDCWD, name.as_ptr(), flags, libc::STATX_TYPE, &raw mut found)
    };
    let root = libc::STATX_ATTR_MOUNT_ROOT as u64;
    if done == 0 && found.stx_attributes_mask & root != 0 {
        return found.stx_attributes & root != 0;
    }
    let device = |path: &Path| nix::sys::stat::lstat(path).map(|stat| (stat.st_dev, stat.st_ino));
    match (device(path), device(&path.join(".."))) {
        (Ok(here), Ok(above)) => here.0 != above.0 || here == above,
        _ => false,
    }
}

/// The magic number of the file system there; statfs(2) lists them.
pub fn statfs_magic(path: &Path) -> Result<i64, Errno> {
    // The type of the field differs between architectures.
    #[allow(clippy::unnecessary_cast, reason = "it is not i64 everywhere")]
    Ok(nix::sys::statfs::statfs(path)?.filesystem_type().0 as i64)
}

/// Unmount, or with `detach` take it out of the tree now and let the kernel finish when nobody
/// uses it. Does not follow a link. EBUSY, EINVAL when nothing is mounted there.
pub fn unmount(target: &Path, detach: bool) -> Result<(), Errno> {
    let mut flags = MntFlags::UMOUNT_NOFOLLOW;
    flags.set(MntFlags::MNT_DETACH, detach);
    Ok(nix::mount::umount2(target, flags)?)
}

/// Make the file system read-only, which writes what is to be written. EBUSY while files are
/// open for writing. May wait for the disk: for a helper process.
pub fn remount_read_only(target: &Path) -> Result<(), Errno> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    Ok(nix::mount::mount(None::<&str>, target, None::<&str>, flags, None::<&str>)?)
}

/// What is mounted, in order of mounting: the reverse is an order to unmount in.
pub fn mounts() -> Result<Vec<Mount>, Errno> {
    Ok(parse_mountinfo(&fds::read_head(Path::new("/proc/self/mountinfo"), MOUNTINFO_MAX)?))
}

/// The lines of a mountinfo that make sense.
pub fn parse_mountinfo(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

/// "36 35 98:0 /root /target options [tags] - type source options".
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let id = words.next()?.to_vec();
    let target = unescape(words.nth(3)?);
    let mut options = words.next()?.to_vec();
    words.find(|word| *word == b"-")?;
    let fstype = words.next()?.to_vec();
    let source = unescape(words.next()?);
    let special = words.next().unwrap_or_default();
    if !special.is_empty() {
        options.push(b',');
        options.extend_from_slice(special);
    }
    target.starts_with(b"/").then_some(Mount { id, target, fstype, source, options })
}

/// Spaces and the like are written as a backslash and three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        let (byte, next) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                ((a & 3) << 6 | (b & 7) << 3 | (c & 7), after)
            }
            _ => (*first, after),
        };
        plain.push(byte);
        rest = next;
    }
    plain
}
