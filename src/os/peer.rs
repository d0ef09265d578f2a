//! Accepting connections and datagrams, and who sent them; accept(2), recvmsg(2), unix(7).

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::socket::{SockFlag, SockaddrLike, SockaddrStorage, getsockopt, setsockopt, sockopt};

use crate::facts::Errno;

/// Connections that are gone before they are accepted are skipped, but not for ever.
const ABORTED_MAX: usize = 32;
/// Room for the most that comes with one datagram: 253 descriptors and the credentials.
const CONTROL_WORDS: usize = 136;

/// Who is at the other end, as the kernel knows it: at the time it connected or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its process, for messages only: it may have ended and the number be another's. 0 if it
    /// is outside our namespace.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// The other end of a connected Unix socket. SO_PEERCRED
pub fn peer_credentials(fd: BorrowedFd<'_>) -> Result<Peer, Errno> {
    let found = getsockopt(&fd, sockopt::PeerCredentials)?;
    Ok(Peer { pid: found.pid(), uid: found.uid(), gid: found.gid() })
}

/// The supplementary groups of the other end; none if the kernel does not tell. SO_PEERGROUPS
pub fn peer_groups(fd: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups = vec![0u32; 1024];
    let mut length = libc::socklen_t::try_from(size_of_val(groups.as_slice())).unwrap_or(0);
    // SAFETY: the buffer is live and `length` bytes long; the kernel writes no more.
    let done = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let bytes = if done == 0 { usize::try_from(length).unwrap_or(0) } else { 0 };
    groups.truncate(bytes / 4);
    groups
}

/// The next connection of a non-blocking listener, itself non-blocking, with its address if it
/// comes over a network; none if nobody waits. EMFILE and ENFILE leave it waiting.
pub fn accept(fd: BorrowedFd<'_>) -> Result<Option<(OwnedFd, Option<SocketAddr>)>, Errno> {
    for _ in 0..ABORTED_MAX {
        // SAFETY: integers only, for which zeros are values.
        let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let mut length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or(0);
        let flags = (SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK).bits();
        let place = (&raw mut address).cast();
        // SAFETY: the address is live and `length` bytes long; the kernel writes no more.
        let got = unsafe { libc::accept4(fd.as_raw_fd(), place, &raw mut length, flags) };
        if got >= 0 {
            // SAFETY: the kernel gave us this descriptor just now.
            let socket = unsafe { OwnedFd::from_raw_fd(got) };
            return Ok(Some((socket, address_of(&address, length))));
        }
        match nix::errno::Errno::last() {
            nix::errno::Errno::EAGAIN => return Ok(None),
            // It was there and is gone: the next one. Errors of the network pass likewise.
            nix::errno::Errno::EINTR
            | nix::errno::Errno::ECONNABORTED
            | nix::errno::Errno::EPROTO
            | nix::errno::Errno::ENETDOWN
            | nix::errno::Errno::ENOPROTOOPT
            | nix::errno::Errno::EHOSTDOWN
            | nix::errno::Errno::EHOSTUNREACH
            | nix::errno::Errno::ENETUNREACH => {}
            errno => return Err(errno.into()),
        }
    }
    Ok(None)
}

fn address_of(address: &libc::sockaddr_storage, length: libc::socklen_t) -> Option<SocketAddr> {
    // SAFETY: the kernel filled in `length` bytes of a live sockaddr_storage.
    let address = unsafe { SockaddrStorage::from_raw((&raw const *address).cast(), Some(length)) }?;
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

/// Have the kernel say with each datagram who sent it. SO_PASSCRED
pub fn pass_credentials(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    Ok(setsockopt(&fd, sockopt::PassCred, &true)?)
}

/// What came with a datagram.
#[derive(Debug)]
pub struct Datagram {
    /// How much of the buffer it filled.
    pub length: usize,
    /// It was longer than the buffer, or we ran out of descriptors.
    pub cut: bool,
    /// Who sent it; only after [`pass_credentials`].
    pub sender: Option<Peer>,
    /// Descriptors that came with it, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

/// The next datagram of a non-blocking Unix socket; none if there is none.
///
/// The control data is taken apart here and not by nix, which refuses to when it is cut: when
/// we are out of descriptors, those that did come through would stay open for ever, and any
/// service could make that happen.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<Datagram>, Errno> {
    let mut control = [0u64; CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: integers and pointers, for which zeros are values.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let length = loop {
        // SAFETY: the header points at live buffers of the lengths it says.
        let got = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) };
        match nix::errno::Errno::result(got) {
            Ok(got) => break usize::try_from(got).unwrap_or(0),
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    };
    let cut = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    let mut datagram = Datagram { length, cut, sender: None, fds: Vec::new() };
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).collect();
    take_apart(bytes.get(..message.msg_controllen as usize).unwrap_or_default(), &mut datagram);
    Ok(Some(datagram))
}

/// Each part is its length with this header, a level and a type, then data, padded to words.
fn take_apart(mut rest: &[u8], datagram: &mut Datagram) {
    while let Some((head, data)) = rest.split_first_chunk::<16>() {
        let [a, b, c, d, e, f, g, h, level @ .., i, j, k, l] = *head;
        let length = usize::from_ne_bytes([a, b, c, d, e, f, g, h])
            .saturating_sub(head.len())
            .min(data.len());
        let kind = (i32::from_ne_bytes(level), i32::from_ne_bytes([i, j, k, l]));
        let mut numbers = data
            .get(..length)
            .unwrap_or(data)
            .chunks_exact(4)
            .filter_map(|word| word.first_chunk::<4>())
            .copied();
        if kind == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            let fds = numbers.map(i32::from_ne_bytes).filter(|fd| *fd >= 0);
            // SAFETY: the kernel made these descriptors for us just now.
            datagram.fds.extend(fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        } else if kind == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
            let mut next = || numbers.next();
            if let (Some(pid), Some(uid), Some(gid)) = (next(), next(), next()) {
                let (uid, gid) = (u32::from_ne_bytes(uid), u32::from_ne_bytes(gid));
                datagram.sender = Some(Peer { pid: i32::from_ne_bytes(pid), uid, gid });
            }
        }
        rest = data.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
}
