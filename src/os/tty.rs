//! Terminals, seen from outside. One becomes a program's own only in the child; see `Launch::tty`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::fds;
use crate::facts::Errno;

/// The number of the device that /dev/console is on now, as [`number`] has it; of a screen with
/// several terminals the one that is shown.
pub fn console() -> Option<u32> {
    number(open(Path::new("/dev/console")).ok()?.as_fd()).ok()
}

/// Whether the terminal of that name, as "tty1", is the console, which has this number.
pub fn is_console(name: &str, number: Option<u32>) -> bool {
    let same = |number: u32| {
        let stat = nix::sys::stat::stat(&Path::new("/dev").join(name));
        stat.is_ok_and(|stat| stat.st_rdev == u64::from(number))
    };
    name == "console" || number.is_some_and(same)
}

/// Open a terminal without making it ours and without waiting for a carrier. open(2)
pub fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty())?)
}

/// The number of the device behind it, which of /dev/console is the one that the console is on;
/// as in [`Process::terminal`](super::proc::Process). ENOTTY. ioctl_tty(2)
pub fn number(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the kernel writes one unsigned int into the local one.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGDEV, &raw mut number) };
    if done == 0 { Ok(number) } else { Err(nix::errno::Errno::last().into()) }
}

/// The devices that the kernel's console is on now, as "ttyS0"; from sysfs, at most 16.
pub fn active_consoles() -> Vec<String> {
    let text = fds::read_head(Path::new("/sys/class/tty/console/active"), 1024).unwrap_or_default();
    String::from_utf8_lossy(&text).split_ascii_whitespace().take(16).map(str::to_owned).collect()
}
