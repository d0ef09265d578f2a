//! The end of the machine, and what the keyboard may say about it; reboot(2).

use std::os::fd::AsRawFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::reboot::RebootMode;
use nix::sys::stat::Mode;

use crate::facts::Errno;

/// What becomes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Power off.
    Poweroff,
    /// Start again through the firmware.
    Restart,
    /// Stop, power on.
    Halt,
    /// Start the kernel that kexec(8) has loaded.
    Kexec,
}

/// Do it. Nothing is written to disk first: see [`sync`]. Returns only when the kernel
/// refuses: EPERM, or EINVAL for kexec with nothing loaded. In a PID namespace the kernel ends
/// the namespace instead.
pub fn reboot(how: How) -> Errno {
    match nix::sys::reboot::reboot(mode(how)) {
        Err(errno) => errno.into(),
        Ok(never) => match never {},
    }
}

fn mode(how: How) -> RebootMode {
    match how {
        How::Poweroff => RebootMode::RB_POWER_OFF,
        How::Restart => RebootMode::RB_AUTOBOOT,
        How::Halt => RebootMode::RB_HALT_SYSTEM,
        How::Kexec => RebootMode::RB_KEXEC,
    }
}

/// Ctrl-Alt-Del sends SIGINT to PID 1 from now on instead of restarting at once. EPERM in a
/// container, EINVAL in a PID namespace.
pub fn catch_ctrl_alt_del() -> Result<(), Errno> {
    Ok(nix::sys::reboot::set_cad_enabled(false)?)
}

/// Ctrl-Alt-Del restarts the machine at once: the way out when all else hangs.
pub fn release_ctrl_alt_del() -> Result<(), Errno> {
    Ok(nix::sys::reboot::set_cad_enabled(true)?)
}

/// The keyboard's "kbrequest", Alt-Up in most keymaps, sends SIGWINCH to PID 1. Nothing where there is no
/// virtual console. ioctl_console(2)
pub fn catch_kbrequest() {
    const KDSIGACCEPT: libc::Ioctl = 0x4b4e;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    if let Ok(tty) = nix::fcntl::open(Path::new("/dev/tty0"), flags, Mode::empty()) {
        // SAFETY: the argument of this request is a number, and the tty is open.
        unsafe { libc::ioctl(tty.as_raw_fd(), KDSIGACCEPT, libc::SIGWINCH) };
    }
}

/// Write everything to disk and wait for it, which may take for ever on a dying disk: for a
/// helper process, not for PID 1. sync(2)
pub fn sync() {
    nix::unistd::sync();
}

/// End PID 1 of a container that may not call reboot(2): with it the kernel ends the container.
/// On a machine this would be a kernel panic, so there it is refused. _exit(2)
pub fn leave() {
    if !super::proc::pid_namespace_is_initial() {
        // SAFETY: ends this process at once, without destructors; nothing is left to do.
        unsafe { libc::_exit(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a namespace, where other tests are, to halt and to power off are the same.
    #[test]
    fn the_words_of_the_kernel() {
        for (how, word) in [
            (How::Poweroff, 0x4321_fedc),
            (How::Restart, 0x0123_4567),
            (How::Halt, 0xcdef_0123_u32.cast_signed()),
            (How::Kexec, 0x4558_4543),
        ] {
            assert_eq!(mode(how) as i32, word, "{how:?}");
        }
    }
}
