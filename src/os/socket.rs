//! Making listening sockets and FIFOs; socket(7), ip(7), ipv6(7), unix(7), fifo(7).
//!
//! No name is looked up: addresses are numbers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, UnixAddr, getsockopt, setsockopt, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};

use super::{fault, fds};
use crate::facts::Errno;

pub use super::peer::{
    Datagram, Peer, accept, pass_credentials, peer_credentials, peer_groups, receive,
};

/// Where a network socket listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Internet {
    /// On every address, of IPv6 and IPv4; of IPv4 alone where there is no IPv6.
    Port(u16),
    /// On that address.
    Address(SocketAddr),
}

/// What is listened on. A path that begins with '@' is a name without a file (abstract).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Connections over a network.
    Tcp(Internet),
    /// Datagrams over a network.
    Udp(Internet),
    /// Connections on this machine.
    UnixStream(PathBuf),
    /// Datagrams on this machine.
    UnixDatagram(PathBuf),
    /// Connections that keep messages apart.
    UnixSeqpacket(PathBuf),
    /// A named pipe, open for both reading and writing so that it never ends.
    Fifo(PathBuf),
}

/// How. `Options::default()` is what a service usually wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many connections may wait; listen(2).
    pub backlog: i32,
    /// Permission bits of the file.
    pub mode: u32,
    /// Owner of the file.
    pub uid: Option<u32>,
    /// Group of the file.
    pub gid: Option<u32>,
    /// IPv6 only, or both; a bare port is both.
    pub v6only: Option<bool>,
    /// An address that this machine does not have yet will do.
    pub freebind: bool,
    /// Several sockets may listen there, and share.
    pub reuseport: bool,
    /// Look now and then whether peers are still there.
    pub keepalive: bool,
    /// Send small pieces at once.
    pub nodelay: bool,
    /// Only over that network interface.
    pub device: Option<String>,
    /// O_NONBLOCK, which PID 1 needs; a service that is handed the socket shares the flag.
    pub nonblocking: bool,
    /// Take a socket or FIFO that is in the way out of it.
    pub unlink: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backlog: 4096,
            mode: 0o666,
            uid: None,
            gid: None,
            v6only: None,
            freebind: false,
            reuseport: false,
            keepalive: false,
            nodelay: false,
            device: None,
            nonblocking: true,
            unlink: true,
        }
    }
}

/// Make, bind and listen. EADDRINUSE when something that is no socket of that kind is in the
/// way or a port is taken, EADDRNOTAVAIL, ENAMETOOLONG beyond 107 bytes of path, ENOENT without
/// its directory, EACCES.
pub fn bind(endpoint: &Endpoint, options: &Options) -> Result<OwnedFd, Errno> {
    match endpoint {
        Endpoint::Tcp(address) => internet(*address, SockType::Stream, options),
        Endpoint::Udp(address) => internet(*address, SockType::Datagram, options),
        Endpoint::UnixStream(path) => unix(path, SockType::Stream, options),
        Endpoint::UnixDatagram(path) => unix(path, SockType::Datagram, options),
        Endpoint::UnixSeqpacket(path) => unix(path, SockType::SeqPacket, options),
        Endpoint::Fifo(path) => fifo(path, options),
    }
}

/// Make the folders that the file of an endpoint is to be in, for all to enter, where they are
/// missing.
pub fn make_folder_of(endpoint: &Endpoint) -> Result<(), Errno> {
    let path = match endpoint {
        Endpoint::Tcp(_) | Endpoint::Udp(_) => return Ok(()),
        Endpoint::UnixStream(path)
        | Endpoint::UnixDatagram(path)
        | Endpoint::UnixSeqpacket(path)
        | Endpoint::Fifo(path) => path,
    };
    let Some(folder) = path.parent().filter(|folder| folder.is_absolute()) else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o755).create(folder);
    made.map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// Take the file of an endpoint away, if it has one and that is a socket or FIFO.
pub fn unlink(endpoint: &Endpoint) {
    match endpoint {
        Endpoint::Tcp(_) | Endpoint::Udp(_) => {}
        Endpoint::UnixStream(path)
        | Endpoint::UnixDatagram(path)
        | Endpoint::UnixSeqpacket(path) => {
            remove_node(path, libc::S_IFSOCK);
        }
        Endpoint::Fifo(path) => remove_node(path, libc::S_IFIFO),
    }
}

/// Take the file of a socket away, unless it is that other one by another path.
pub fn unlink_other(path: &Path, other: &Path) {
    let node = |path: &Path| nix::sys::stat::lstat(path).map(|stat| (stat.st_dev, stat.st_ino));
    if node(path) != node(other) {
        remove_node(path, libc::S_IFSOCK);
    }
}

fn internet(address: Internet, kind: SockType, options: &Options) -> Result<OwnedFd, Errno> {
    match address {
        Internet::Address(address) => inet(address, kind, options),
        Internet::Port(port) => {
            let any = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0));
            match inet(any, kind, options) {
                // No IPv6 in this kernel, or switched off by disable_ipv6.
                Err(Errno(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
                    if options.v6only != Some(true) =>
                {
                    let any = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
                    inet(any, kind, options)
                }
                other => other,
            }
        }
    }
}

fn inet(address: SocketAddr, kind: SockType, options: &Options) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let socket = nix::sys::socket::socket(family, kind, flags(options), None)?;
    if address.is_ipv6() {
        // The system-wide default differs between machines.
        setsockopt(&socket, sockopt::Ipv6V6Only, &options.v6only.unwrap_or(false))?;
    }
    if kind == SockType::Stream {
        // A restart must not wait for old connections to be forgotten. With datagrams it would
        // let two of us listen at once.
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        setsockopt(&socket, sockopt::KeepAlive, &options.keepalive)?;
        setsockopt(&socket, sockopt::TcpNoDelay, &options.nodelay)?;
    }
    if options.freebind {
        // This one is for both families.
        setsockopt(&socket, sockopt::IpFreebind, &true)?;
    }
    if options.reuseport {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    if let Some(device) = &options.device {
        setsockopt(&socket, sockopt::BindToDevice, &std::ffi::OsString::from(device))?;
    }
    nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, kind, options)?;
    Ok(socket)
}

fn flags(options: &Options) -> SockFlag {
    let mut flags = SockFlag::SOCK_CLOEXEC;
    flags.set(SockFlag::SOCK_NONBLOCK, options.nonblocking);
    flags
}

fn listen(socket: &OwnedFd, kind: SockType, options: &Options) -> Result<(), Errno> {
    if kind != SockType::Datagram {
        // More than net.core.somaxconn is cut to that, listen(2); what nix takes depends on the C
        // library.
        // SAFETY: plain numbers, of an open descriptor.
        let done = unsafe { libc::listen(socket.as_raw_fd(), options.backlog.max(1)) };
        nix::errno::Errno::result(done)?;
    }
    Ok(())
}

/// The address of a path; of a name without a file if it begins with '@'.
fn unix_address(path: &Path) -> Result<UnixAddr, Errno> {
    match path.as_os_str().as_bytes() {
        [] | [b'@'] => Err(Errno(libc::EINVAL)),
        [b'@', name @ ..] => Ok(UnixAddr::new_abstract(name)?),
        _ => Ok(UnixAddr::new(path)?),
    }
}

fn unix(path: &Path, kind: SockType, options: &Options) -> Result<OwnedFd, Errno> {
    let address = unix_address(path)?;
    let socket = nix::sys::socket::socket(AddressFamily::Unix, kind, flags(options), None)?;
    if options.unlink {
        remove_node(path, libc::S_IFSOCK);
    }
    bind_private(&socket, &address)?;
    set_owner(path, options)?;
    listen(&socket, kind, options)?;
    Ok(socket)
}

/// A socket for datagrams whose name, without a file, the kernel chooses: nobody can have taken it,
/// and it is reached from any root. unix(7), autobind
pub fn nameless_datagram() -> Result<OwnedFd, Errno> {
    let flags = flags(&Options::default());
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new_unnamed())?;
    Ok(socket)
}

/// What a socket of this machine is bound to, as [`Endpoint`] has it.
pub fn name(socket: BorrowedFd<'_>) -> Option<PathBuf> {
    let address: UnixAddr = nix::sys::socket::getsockname(socket.as_raw_fd()).ok()?;
    match address.as_abstract() {
        Some(name) => Some(std::ffi::OsStr::from_bytes(&[b"@", name].concat()).into()),
        None => address.path().map(Path::to_owned),
    }
}

/// Bind with permissions for nobody else: they are widened before listen(2), not narrowed
/// after. The umask belongs to the whole process, but we are its one thread.
fn bind_private(socket: &OwnedFd, address: &UnixAddr) -> Result<(), Errno> {
    let before = nix::sys::stat::umask(Mode::from_bits_truncate(0o177));
    let bound = nix::sys::socket::bind(socket.as_raw_fd(), address);
    nix::sys::stat::umask(before);
    Ok(bound?)
}

/// Gives the file of a socket its owner and mode. Who owns its folder may put something else in its
/// place between bind(2) and here, as a link to a file of root's: what is changed is what was looked
/// at, and a socket. EADDRINUSE if it is none.
fn set_owner(path: &Path, options: &Options) -> Result<(), Errno> {
    if path.as_os_str().as_bytes().starts_with(b"@") {
        return Ok(());
    }
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = nix::fcntl::open(path, flags, Mode::empty())?;
    if nix::sys::stat::fstat(&file)?.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(Errno(libc::EADDRINUSE));
    }
    own(&file, options)
}

/// Owner first: a change of owner clears some mode bits, and a wide mode must not be seen with
/// the wrong owner.
fn own(file: &OwnedFd, options: &Options) -> Result<(), Errno> {
    let owner = options.uid.map(Uid::from_raw);
    let group = options.gid.map(Gid::from_raw);
    if owner.is_some() || group.is_some() {
        nix::unistd::fchownat(file, "", owner, group, AtFlags::AT_EMPTY_PATH)?;
    }
    // fchmod(2) takes no descriptor of the kind O_PATH; its link in /proc is the way, open(2).
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = nix::sys::stat::FchmodatFlags::FollowSymlink;
    let mode = Mode::from_bits_truncate(options.mode);
    Ok(nix::sys::stat::fchmodat(AT_FDCWD, path.as_str(), mode, flags)?)
}

/// Take away what a predecessor left, and nothing of any other kind.
fn remove_node(path: &Path, kind: libc::mode_t) {
    let ours = nix::sys::stat::lstat(path).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == kind);
    if ours {
        // What cannot be removed will be reported by bind.
        nix::unistd::unlink(path).ok();
    }
}

fn fifo(path: &Path, options: &Options) -> Result<OwnedFd, Errno> {
    if options.unlink {
        remove_node(path, libc::S_IFIFO);
    }
    match nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)) {
        Ok(()) => {}
        // Without `unlink` an old one is used.
        Err(nix::errno::Errno::EEXIST) if !options.unlink => {}
        Err(errno) => return Err(errno.into()),
    }
    // Reading and writing: it never ends when a writer goes, and opening does not wait.
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let file = nix::fcntl::open(path, flags, Mode::empty())?;
    if nix::sys::stat::fstat(&file)?.st_mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(Errno(libc::EADDRINUSE));
    }
    own(&file, options)?;
    if !options.nonblocking {
        fds::set_nonblocking(file.as_fd(), false)?;
    }
    Ok(file)
}

/// The name that a control socket is bound under, in the folder of the one that it is given: it and
/// each connection to it are known by that for ever. unix(7)
const CONTROL: &str = ".finit";

/// The socket that finitctl speaks to: bound under another name, given its mode, listening,
/// and only then renamed to `path`, so that whoever finds it can use it, and an old one that
/// is served by nobody is replaced. EEXIST if `path` is there and no socket.
pub fn control_socket(path: &Path, mode: u32) -> Result<OwnedFd, Errno> {
    let taken = nix::sys::stat::lstat(path);
    if taken.is_ok_and(|stat| stat.st_mode & libc::S_IFMT != libc::S_IFSOCK) {
        return Err(Errno(libc::EEXIST));
    }
    let temporary = path.with_file_name(CONTROL);
    let options = Options { mode, backlog: 128, ..Options::default() };
    let socket = unix(&temporary, SockType::Stream, &options)?;
    nix::fcntl::renameat(AT_FDCWD, &temporary, AT_FDCWD, path)?;
    Ok(socket)
}

/// What this process has of control sockets, for whoever may have lost all memory of them: those
/// that listen, and connections to them. Both are copies.
pub fn find_control() -> (Vec<OwnedFd>, Vec<OwnedFd>) {
    let is_control = |number: &RawFd| {
        let name = nix::sys::socket::getsockname::<UnixAddr>(*number);
        name.is_ok_and(|name| name.path().is_some_and(|path| path.ends_with(CONTROL)))
    };
    let numbers: Vec<RawFd> = (3..fault::KEPT).filter(is_control).collect();
    let copy = |number| {
        // SAFETY: it was open just now, and this thread alone closes what this process has.
        fds::dup(unsafe { BorrowedFd::borrow_raw(number) }).ok()
    };
    let found = numbers.into_iter().filter_map(copy);
    found.partition(|socket| getsockopt(socket, sockopt::AcceptConn).unwrap_or(false))
}

/// Ends a connection for both sides, whoever else has copies of it, with these last words.
pub fn dismiss(fd: BorrowedFd<'_>, words: &[u8]) {
    // Who is gone hears nothing, nor does one who has not read what came before.
    let _unheard = fds::write(fd, words);
    let _gone = nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

/// Connect to a stream socket of this machine, waiting if it must. ECONNREFUSED, ENOENT.
pub fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &unix_address(path)?)?;
    Ok(socket)
}

/// Takes no more of what the other side sends: it is told so, shutdown(2).
pub fn hear_no_more(fd: BorrowedFd<'_>) {
    // One that is gone sends nothing.
    let _gone = nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Read);
}

/// Whether the other side is gone altogether, and not only says no more. poll(2)
pub fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    let ready = nix::poll::poll(&mut fds, PollTimeout::ZERO);
    let [polled] = fds;
    ready.is_ok() && polled.revents().is_some_and(|told| told.contains(PollFlags::POLLHUP))
}

/// Two connected sockets that keep each datagram whole and in order, non-blocking.
/// socketpair(2)
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(nix::sys::socket::socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Who owns the folder puts a link where the socket was, before its mode is set.
    #[test]
    fn a_link_in_the_place_of_a_socket_gives_nobody_rights_to_what_it_names() {
        let folder = std::env::temp_dir().join(format!("finit-link-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (secret, link) = (folder.join("secret"), folder.join("s"));
        std::fs::write(&secret, "").unwrap();
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        let options = Options { mode: 0o666, ..Options::default() };
        assert_eq!(set_owner(&link, &options), Err(Errno(libc::EADDRINUSE)));
        assert_eq!(set_owner(&secret, &options), Err(Errno(libc::EADDRINUSE)));
        let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(mode & 0o7777, 0o600);
    }

    /// Whoever waits for it connects as soon as it is there.
    #[test]
    fn a_socket_file_is_for_nobody_else_until_it_has_its_mode() {
        let path = std::env::temp_dir().join(format!("finit-private-{}", std::process::id()));
        let kind = SockType::Stream;
        let socket = nix::sys::socket::socket(AddressFamily::Unix, kind, SockFlag::empty(), None);
        bind_private(&socket.unwrap(), &unix_address(&path).unwrap()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o7777, 0o600);
    }
}
