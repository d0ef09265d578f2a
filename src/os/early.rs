//! Descriptors 0 to 2 before `main`, and the console after /dev is there.
//!
//! std opens /dev/null for each of the three that is closed and aborts when it cannot. A kernel
//! without an initial console starts init with none of them, and before /dev is mounted there
//! is no /dev/null: PID 1 would end before its first line, which is a kernel panic.

use std::os::fd::AsRawFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::fds;
use crate::facts::Errno;

/// The C runtime calls this before std looks at the descriptors.
#[used]
// SAFETY: the section holds pointers to functions of this type, called once on the main thread
// before `main`; this one uses neither std's runtime nor anything else that is set up there.
#[unsafe(link_section = ".init_array")]
static FILL: extern "C" fn() = fill_in_pid_1;

/// Other programs can rely on /dev/null.
extern "C" fn fill_in_pid_1() {
    // SAFETY: asks for a number and cannot fail.
    if unsafe { libc::getpid() } == 1 {
        fill();
    }
}

/// Put an empty file of memory, which needs no /dev, on each closed standard descriptor.
pub(super) fn fill() {
    for wanted in 0..3 {
        if fds::is_open(wanted) {
            continue;
        }
        // SAFETY: the name is a constant string. The new descriptor is the lowest that is
        // free, and as those below are open it is `wanted`; it stays open for ever.
        unsafe { libc::memfd_create(c"no-console".as_ptr(), 0) };
    }
}

/// Make the console descriptors 0 to 2, or /dev/null where there is none. It does not become
/// our controlling terminal. It never makes us wait either: a console stopped with Ctrl-S
/// loses our lines instead of stopping the machine, and O_NONBLOCK is ours alone, as this is a
/// new open of the device. On an error the three are what they were.
pub fn open_console() -> Result<(), Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let open = |path: &str| nix::fcntl::open(Path::new(path), flags, Mode::empty());
    let console = open("/dev/console").or_else(|_| open("/dev/null"))?;
    for target in 0..3 {
        // SAFETY: both numbers are of this process, and 0 to 2 belong to no `OwnedFd`: this
        // replaces what they name and closes nothing that anyone owns.
        if unsafe { libc::dup3(console.as_raw_fd(), target, 0) } < 0
            && console.as_raw_fd() != target
        {
            return Err(nix::errno::Errno::last().into());
        }
    }
    if console.as_raw_fd() < 3 {
        // It was opened on one of the three, which were not all open: it has to stay.
        Box::leak(Box::new(console));
    }
    Ok(())
}
