//! Terminals, seen from outside. One becomes a program's own only in the child; see `Launch::tty`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::fds;
use crate::facts::Errno;

const CONSOLE: &str = "/dev/console";

/// Serial lines and the like, the likeliest first.
const LINES: [&str; 3] = ["ttyS0", "ttyAMA0", "hvc0"];

/// The number of the device that /dev/console is on now, as [`number`] has it; of a screen with
/// several terminals the one that is shown.
pub fn console() -> Option<u32> {
    number(open(Path::new(CONSOLE)).ok()?.as_fd()).ok()
}

/// Where a person may sit at a machine whose console does not open, as the kernel was told of a
/// device for it that is not there: names under /dev, what the screen shows first. None where it
/// does open. Not for a container, which may have the terminals of its host.
pub fn instead_of_console() -> Vec<String> {
    if open(Path::new(CONSOLE)).is_ok() {
        return Vec::new();
    }
    let shown = fds::read_head(Path::new("/sys/class/tty/tty0/active"), 64).unwrap_or_default();
    let shown = String::from_utf8_lossy(&shown).trim().to_owned();
    let mut names = vec![shown];
    names.extend(["tty1"].into_iter().chain(LINES).map(str::to_owned));
    names.retain(|name| exists(name) && has_port(name));
    names
}

/// Whether /dev has a character device of that name.
fn exists(name: &str) -> bool {
    let stat = nix::sys::stat::stat(&Path::new("/dev").join(name));
    stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFCHR)
}

/// The kernel makes nodes for serial lines that no machine has; of such a one it says type 0.
fn has_port(name: &str) -> bool {
    let kind = Path::new("/sys/class/tty").join(name).join("type");
    fds::read_head(&kind, 16).map_or(true, |kind| kind.trim_ascii() != b"0")
}

/// The number of the device of that name under /dev, as [`number`] has it.
pub fn device(name: &str) -> Option<u32> {
    u32::try_from(nix::sys::stat::stat(&Path::new("/dev").join(name)).ok()?.st_rdev).ok()
}

/// Whether the terminal of that name, as "tty1", is the console, which has this number.
pub fn is_console(name: &str, number: Option<u32>) -> bool {
    name == "console" || number.is_some() && device(name) == number
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
