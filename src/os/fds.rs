//! Descriptors and small files: pipe(2), fcntl(2), open(2), read(2), write(2).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::NixPath;
use nix::fcntl::{FcntlArg, FdFlag, OFlag};
use nix::sys::memfd::MFdFlags;
use nix::sys::stat::{Mode, SFlag};

use super::mount;
use crate::facts::Errno;

/// Flags of every open here: nothing is inherited, no terminal becomes ours, and a FIFO or a
/// serial line does not make us wait.
const SAFE: OFlag = OFlag::O_CLOEXEC.union(OFlag::O_NOCTTY).union(OFlag::O_NONBLOCK);

/// How often another's lock is looked at, in milliseconds.
const LOCK_PAUSE_MS: u8 = 10;

/// A pipe as (reading end, writing end), close-on-exec. EMFILE, ENFILE. pipe(2)
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// The same, and neither end ever waits.
pub fn nonblocking_pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

/// Set or clear O_NONBLOCK, which all duplicates of the descriptor share, in other processes
/// too. fcntl(2)
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    let before = OFlag::from_bits_retain(nix::fcntl::fcntl(fd, FcntlArg::F_GETFL)?);
    let mut after = before;
    after.set(OFlag::O_NONBLOCK, on);
    if after != before {
        nix::fcntl::fcntl(fd, FcntlArg::F_SETFL(after))?;
    }
    Ok(())
}

/// Set or clear close-on-exec. Cleared only to hand a descriptor to the next finit. fcntl(2)
pub fn set_cloexec(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    let flags = if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    nix::fcntl::fcntl(fd, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

/// Another descriptor for the same file, above the standard three, close-on-exec. EMFILE.
pub fn dup(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    dup_above(fd, 3)
}

/// The same with a number of at least `lowest`. EINVAL above the limit. fcntl(2)
pub fn dup_above(fd: BorrowedFd<'_>, lowest: RawFd) -> Result<OwnedFd, Errno> {
    let number = nix::fcntl::fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the kernel gave us this descriptor just now.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Take over a descriptor that the finit before us left open across exec, and make it
/// close-on-exec again. None if that number is not open or is one of the standard three.
/// To be called once for a number, before anything else opens descriptors: whoever calls it
/// twice would close a file twice.
pub fn adopt(number: RawFd) -> Option<OwnedFd> {
    if number < 3 {
        return None;
    }
    // SAFETY: if the number is not open, the next call says so and nothing else is done.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    set_cloexec(fd, true).ok()?;
    // SAFETY: it is open, and by the rule above nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A file in memory, for state that outlives an exec. memfd_create(2)
pub fn memfd(name: &str) -> Result<OwnedFd, Errno> {
    let name = CString::new(name).map_err(|_| Errno(libc::EINVAL))?;
    Ok(nix::sys::memfd::memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?)
}

/// read(2), again when a signal interrupts it. EAGAIN where there is nothing yet.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether two descriptors are of one open file, as those that dup(2) and a passed message make.
/// kcmp(2); false where the kernel has none.
pub fn are_one(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    const KCMP_FILE: libc::c_long = 0;
    let own = nix::unistd::getpid().as_raw();
    // SAFETY: plain numbers; both descriptors are open.
    let order = unsafe {
        libc::syscall(libc::SYS_kcmp, own, own, KCMP_FILE, one.as_raw_fd(), other.as_raw_fd())
    };
    order == 0
}

/// Whether poll(2) of it is a matter of the kernel alone: a socket, a pipe without a name, or what
/// has no file, as eventfd(2) makes it. What has a name may be a device or a file of a program,
/// which need never answer, and a set of epoll(7) asks all that is in it.
pub fn asks_nobody(fd: BorrowedFd<'_>) -> bool {
    link(fd).is_some_and(|link| !link.starts_with("/") && link != "anon_inode:[eventpoll]")
}

/// Whether it is a file whose file system is a program, fuse(4), as far as is known: its mount is
/// of that kind, or in no list of ours. Each close(2) of such a one asks that program, and waits:
/// also that of a copy which a child of ours has, and which it closes by exec(2). Neither fstat(2)
/// nor fstatfs(2) can tell: they would ask too.
pub fn is_of_program(fd: BorrowedFd<'_>) -> bool {
    // No program can seal what it has: it is a file in memory.
    let in_memory = nix::fcntl::fcntl(fd, FcntlArg::F_GET_SEALS).is_ok();
    if in_memory || link(fd).is_some_and(|link| !link.starts_with("/")) {
        return false;
    }
    kind_of_mount(fd).is_none_or(|kind| kind.starts_with(b"fuse"))
}

/// What the link in /proc says of it, which is asked of nobody.
fn link(fd: BorrowedFd<'_>) -> Option<String> {
    let link = nix::fcntl::readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_str()).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// The type of the file system that it is on, by the list of mounts, proc(5).
fn kind_of_mount(fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
    const MOST: usize = 16 << 20;
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let about = String::from_utf8(read_small(Path::new(&path), MOST).ok()?).ok()?;
    let number = about.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mount = mount::mounts().ok()?.into_iter().find(|mount| mount.id == number.as_bytes())?;
    Some(mount.fstype)
}

/// write(2), again when a signal interrupts it; may write less than all.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    loop {
        match nix::unistd::write(fd, bytes) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// A whole small file of at most `max` bytes. EFBIG when it is longer, EINVAL when it is not a
/// regular file (files of /proc and /sys are), and what open(2) and read(2) say.
pub fn read_small(path: &Path, max: usize) -> Result<Vec<u8>, Errno> {
    whole(open(None, path, OFlag::O_RDONLY)?.as_fd(), max)
}

/// The same below a directory.
pub fn read_small_at(directory: BorrowedFd<'_>, name: &Path, max: usize) -> Result<Vec<u8>, Errno> {
    whole(open(Some(directory), name, OFlag::O_RDONLY)?.as_fd(), max)
}

/// What one read(2) of a file of the kernel below a directory gives.
pub fn read_at(directory: BorrowedFd<'_>, name: &Path, buffer: &mut [u8]) -> Result<usize, Errno> {
    read(open(Some(directory), name, OFlag::O_RDONLY)?.as_fd(), buffer)
}

/// The first `max` bytes of a file; the errors of [`read_small`] but EFBIG.
pub fn read_head(path: &Path, max: usize) -> Result<Vec<u8>, Errno> {
    head(open(None, path, OFlag::O_RDONLY)?.as_fd(), max)
}

/// Write to a file that exists, as those of /proc and /sys do, with one write(2), as they
/// need it. EIO when not all was taken.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Errno> {
    whole_write(open(None, path, OFlag::O_WRONLY | OFlag::O_TRUNC)?.as_fd(), bytes)
}

/// The same below a directory.
pub fn write_file_at(directory: BorrowedFd<'_>, name: &Path, bytes: &[u8]) -> Result<(), Errno> {
    whole_write(open(Some(directory), name, OFlag::O_WRONLY)?.as_fd(), bytes)
}

/// Make or replace a file so that readers see the old or the new one, never half: written
/// under a temporary name beside it, then renamed. For /run only, where nothing waits for a
/// disk. EIO when not all was written, and what open(2) and rename(2) say.
pub fn create_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Errno> {
    let mut temporary = PathBuf::from(path).into_os_string();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // A leftover of a crash, or a trap: either way not ours to follow.
    match nix::unistd::unlink(&temporary) {
        Ok(()) | Err(nix::errno::Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = SAFE | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let file = nix::fcntl::open(&temporary, flags, Mode::from_bits_truncate(mode))?;
    // The umask may have taken bits away.
    nix::sys::stat::fchmod(&file, Mode::from_bits_truncate(mode))?;
    whole_write(file.as_fd(), bytes)?;
    Ok(nix::fcntl::renameat(nix::fcntl::AT_FDCWD, &temporary, nix::fcntl::AT_FDCWD, path)?)
}

/// Have two paths change places in one step: nobody ever sees one of them without what is to be
/// there. ENOENT unless both are there, EINVAL where the file system cannot. rename(2),
/// RENAME_EXCHANGE
pub fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    let here = libc::AT_FDCWD;
    let answer = one.with_nix_path(|one| {
        other.with_nix_path(|other| {
            let (one, other) = (one.as_ptr(), other.as_ptr());
            // SAFETY: both are ended by a NUL and live over the call.
            unsafe { libc::renameat2(here, one, here, other, libc::RENAME_EXCHANGE) }
        })
    })??;
    nix::errno::Errno::result(answer)?;
    Ok(())
}

/// Locks the whole of a file until it is closed, and waits that long while somebody else has
/// locked it, which everyone may who can read it. EAGAIN, EACCES, ENOLCK. fcntl_locking(2)
pub fn lock(fd: BorrowedFd<'_>, patience: Duration) -> Result<(), Errno> {
    // SAFETY: integers only, for which zeros are values; as much as 0 means the whole.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    let end = Instant::now().checked_add(patience);
    loop {
        let answer = nix::fcntl::fcntl(fd, FcntlArg::F_SETLK(&lock));
        let is_held = matches!(answer, Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES));
        if !is_held || end.is_none_or(|end| Instant::now() >= end) {
            return Ok(answer.map(drop)?);
        }
        // A signal may end it early.
        let _early = nix::poll::poll(&mut [], LOCK_PAUSE_MS);
    }
}

fn open(directory: Option<BorrowedFd<'_>>, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | SAFE;
    Ok(match directory {
        Some(directory) => nix::fcntl::openat(directory, path, flags, Mode::empty())?,
        None => nix::fcntl::open(path, flags, Mode::empty())?,
    })
}

fn whole(file: BorrowedFd<'_>, max: usize) -> Result<Vec<u8>, Errno> {
    let bytes = head(file, max.saturating_add(1))?;
    if bytes.len() > max { Err(Errno(libc::EFBIG)) } else { Ok(bytes) }
}

/// Up to `max` bytes of a regular file; others might never end or not begin.
fn head(file: BorrowedFd<'_>, max: usize) -> Result<Vec<u8>, Errno> {
    let stat = nix::sys::stat::fstat(file)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Errno(libc::EINVAL));
    }
    let mut bytes = Vec::new();
    let mut block = [0u8; 4096];
    while bytes.len() < max {
        let room = max.saturating_sub(bytes.len()).min(block.len());
        let Some(space) = block.get_mut(..room) else { break };
        let count = read(file, space)?;
        let Some(fresh) = block.get(..count).filter(|fresh| !fresh.is_empty()) else { break };
        bytes.extend_from_slice(fresh);
    }
    Ok(bytes)
}

fn whole_write(file: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    if write(file, bytes)? == bytes.len() { Ok(()) } else { Err(Errno(libc::EIO)) }
}

/// A folder of our own, made if there is none. EEXIST if something else is there.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), Errno> {
    let mode = nix::sys::stat::Mode::from_bits_truncate(mode);
    match nix::unistd::mkdir(path, mode) {
        Err(nix::errno::Errno::EEXIST) if path.is_dir() => Ok(()),
        answer => Ok(answer?),
    }
}

/// A device node for its owner alone. EEXIST, EPERM. mknod(2)
pub fn make_device(path: &Path, is_block: bool, major: u32, minor: u32) -> Result<(), Errno> {
    let kind = if is_block { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
    let number = nix::sys::stat::makedev(u64::from(major), u64::from(minor));
    Ok(nix::sys::stat::mknod(path, kind, Mode::S_IRUSR | Mode::S_IWUSR, number)?)
}

/// Whether a descriptor number is open in this process.
pub(super) fn is_open(number: RawFd) -> bool {
    // SAFETY: F_GETFD takes any number and only answers.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}
