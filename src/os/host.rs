//! The host as a whole: its name, its loopback interface, its randomness.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, SockFlag, SockType};
use nix::sys::stat::Mode;

use super::fds;
use crate::facts::Errno;

/// Set the host's name, at most 64 bytes. EPERM, EINVAL. sethostname(2)
pub fn set_hostname(name: &str) -> Result<(), Errno> {
    Ok(nix::unistd::sethostname(name)?)
}

/// Bring the loopback interface up; the kernel gives it its addresses. ENODEV where there is
/// no network, EPERM. netdevice(7)
pub fn loopback_up() -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = nix::sys::socket::socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    // SAFETY: integers and unions of them, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = libc::c_char::from_ne_bytes([*byte]);
    }
    interface_call(&socket, libc::SIOCGIFFLAGS as libc::Ioctl, &mut request)?;
    // SAFETY: the kernel filled in this member just now.
    let before = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::c_short::try_from(libc::IFF_UP).unwrap_or(1);
    request.ifr_ifru.ifru_flags = before | up;
    interface_call(&socket, libc::SIOCSIFFLAGS as libc::Ioctl, &mut request)
}

fn interface_call(
    socket: &OwnedFd,
    number: libc::Ioctl,
    request: &mut libc::ifreq,
) -> Result<(), Errno> {
    // SAFETY: both requests read and write one ifreq, and this one is live.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), number, &raw mut *request) };
    Ok(nix::errno::Errno::result(done).map(drop)?)
}

/// Fill a buffer with random bytes without waiting for the kernel's pool. True if they are of
/// the ready pool; false if it is too early in the boot and they may be guessed.
pub fn random(buffer: &mut [u8]) -> bool {
    // SAFETY: the buffer is live and that long.
    let got = unsafe {
        libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len().min(256), libc::GRND_NONBLOCK)
    };
    if usize::try_from(got).is_ok_and(|got| got == buffer.len()) {
        return true;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    if let Ok(file) = nix::fcntl::open(Path::new("/dev/urandom"), flags, Mode::empty()) {
        // What is not filled keeps what it had; the caller is told either way.
        fds::read(file.as_fd(), buffer).ok();
    }
    false
}

/// Give the kernel a seed that the last run of this machine saved, and have it counted as
/// random: at most 512 bytes. It must be used once only. EPERM. random(4)
pub fn credit_seed(bytes: &[u8]) -> Result<(), Errno> {
    const RNDADDENTROPY: libc::Ioctl = 0x4008_5203_u32 as libc::Ioctl;
    #[repr(C)]
    struct Pool {
        bits: libc::c_int,
        size: libc::c_int,
        bytes: [u8; 512],
    }
    let mut pool = Pool { bits: 0, size: 0, bytes: [0; 512] };
    for (place, byte) in pool.bytes.iter_mut().zip(bytes) {
        *place = *byte;
    }
    pool.size = libc::c_int::try_from(bytes.len().min(512)).unwrap_or(0);
    pool.bits = pool.size.saturating_mul(8);
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = nix::fcntl::open(Path::new("/dev/urandom"), flags, Mode::empty())?;
    // SAFETY: the request reads a header and as many bytes as it says, all in the live struct.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), RNDADDENTROPY, &raw const pool) };
    Ok(nix::errno::Errno::result(done).map(drop)?)
}

/// What the processor says of the hypervisor under it, twelve letters such as "KVMKVMKVM\0\0\0";
/// none on bare metal, and where no such thing can be asked.
pub fn hypervisor() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        /// The leaf of features, and its bit that a hypervisor sets.
        const FEATURES: u32 = 1;
        const HYPERVISOR: u32 = 1 << 31;
        /// The leaf of the hypervisor's name.
        const NAME: u32 = 0x4000_0000;
        #[allow(unused_unsafe, reason = "newer compilers know that it is safe")]
        // SAFETY: every processor of this architecture has the instruction.
        let features = unsafe { __cpuid(FEATURES) };
        if features.ecx & HYPERVISOR == 0 {
            return None;
        }
        #[allow(unused_unsafe, reason = "newer compilers know that it is safe")]
        // SAFETY: as above; the leaf is there where the bit is set.
        let name = unsafe { __cpuid(NAME) };
        let bytes = [name.ebx, name.ecx, name.edx].map(u32::to_le_bytes).concat();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}
