//! Passing descriptors over a unix socket (unix(7), SCM_RIGHTS), and asking a pipe how much
//! is in it.
//!
//! Both directions never block and never raise SIGPIPE. A descriptor that arrives is owned at
//! once and is close-on-exec from its first moment.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// Sends one datagram with descriptors; the receiver gets copies. EAGAIN when it has no room.
pub fn send_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<usize, Errno> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[] } else { rights.as_slice() };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)
}

/// Receives one datagram and the descriptors in it. 0 bytes: the other side is gone. EAGAIN:
/// nothing is there. A datagram longer than `buffer` is EMSGSIZE, its descriptors closed.
pub fn receive_with_fds(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, Vec<OwnedFd>), Errno> {
    let datagram = super::socket::receive(socket, buffer)
        .map_err(|errno| Errno::from_raw(errno.0))?
        .ok_or(Errno::EAGAIN)?;
    if datagram.cut {
        return Err(Errno::EMSGSIZE);
    }
    Ok((datagram.length, datagram.fds))
}

/// Bytes that wait in a pipe or socket (FIONREAD).
pub fn unread(fd: BorrowedFd<'_>) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, and `count` is one. WHY: nix has no wrapper for it.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    Errno::result(answer)?;
    Ok(usize::try_from(count).unwrap_or(0))
}
