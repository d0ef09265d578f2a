//! Sockets that are held for a service.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Sockets held for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketsSpec {
    /// Who accepts.
    pub mode: SocketMode,
    /// The sockets, in the order of their descriptors.
    pub sockets: Vec<SocketSpec>,
    /// Most connections at once (inetd).
    pub max: u32,
    /// Most connections at once from one address (inetd).
    pub max_per_source: Option<u32>,
    /// Most connections in a time (inetd): accepting pauses past it.
    pub rate: Option<(u32, Duration)>,
}

/// Who accepts the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketMode {
    /// finit, one process a connection, on its stdin and stdout.
    Inetd,
    /// The service, which is handed the sockets (LISTEN_FDS, sd_listen_fds(3)).
    Listen,
}

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSpec {
    /// Where.
    pub address: Address,
    /// Its name in LISTEN_FDNAMES.
    pub name: Option<String>,
    /// Mode of its file.
    pub mode: Option<u32>,
    /// Owner of its file.
    pub user: Option<String>,
    /// Group of its file.
    pub group: Option<String>,
    /// listen(2) backlog.
    pub backlog: Option<u32>,
    /// Remove its file when finit lets go of it.
    pub unlink: bool,
    /// IPV6_V6ONLY.
    pub v6only: Option<bool>,
    /// IP_FREEBIND: bind before the address exists.
    pub freebind: bool,
    /// SO_REUSEPORT.
    pub reuseport: bool,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// TCP_NODELAY.
    pub nodelay: bool,
    /// Hand the socket over non-blocking.
    pub nonblocking: bool,
    /// SO_BINDTODEVICE.
    pub device: Option<String>,
}

impl SocketSpec {
    /// Whether there can be only one of the two at a time: the second fails with EADDRINUSE, or
    /// takes the file of the first away.
    pub fn excludes(&self, other: &Self) -> bool {
        let both = self.address.network().zip(other.address.network());
        let Some(((kind, one), (other_kind, two))) = both else {
            return match (self.address.file(), other.address.file()) {
                (None, None) => self.address == other.address,
                (one, two) => one == two,
            };
        };
        let apart = self.device.as_ref().zip(other.device.as_ref()).is_some_and(|(a, b)| a != b);
        let shared = self.reuseport && other.reuseport;
        let is_one = one == two || self.covers(one, two) || other.covers(two, one);
        kind == other_kind && one.port() == two.port() && is_one && !apart && !shared
    }

    /// Whether another address is one of those that this one, its own, stands for.
    fn covers(&self, own: SocketAddr, other: SocketAddr) -> bool {
        let only = if own.is_ipv6() { self.v6only == Some(true) } else { true };
        own.ip().is_unspecified() && (own.is_ipv6() == other.is_ipv6() || !only)
    }
}

/// Where a socket is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// A TCP port on all addresses, IPv6 and IPv4.
    TcpPort(u16),
    /// One TCP address.
    Tcp(SocketAddr),
    /// A UDP port on all addresses.
    UdpPort(u16),
    /// One UDP address.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(UnixKind, UnixPath),
    /// A named pipe.
    Fifo(PathBuf),
}

/// Kind of a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnixKind {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    Seqpacket,
}

/// Name of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnixPath {
    /// In the file system.
    File(PathBuf),
    /// Abstract, without its leading NUL.
    Abstract(String),
}

impl Address {
    /// Where in the network, and whether it is TCP.
    pub fn network(&self) -> Option<(bool, SocketAddr)> {
        let all = |port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        match self {
            Self::TcpPort(port) => Some((true, all(*port))),
            Self::Tcp(address) => Some((true, *address)),
            Self::UdpPort(port) => Some((false, all(*port))),
            Self::Udp(address) => Some((false, *address)),
            Self::Unix(..) | Self::Fifo(_) => None,
        }
    }

    /// Its file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unix(_, UnixPath::File(path)) | Self::Fifo(path) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    /// As the file spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TcpPort(port) => write!(f, "tcp:{port}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::UdpPort(port) => write!(f, "udp:{port}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(kind, path) => {
                f.write_str(match kind {
                    UnixKind::Stream => "",
                    UnixKind::Datagram => "unix-dgram:",
                    UnixKind::Seqpacket => "unix-seqpacket:",
                })?;
                match path {
                    UnixPath::File(path) => write!(f, "{}", path.display()),
                    UnixPath::Abstract(name) => write!(f, "@{name}"),
                }
            }
            Self::Fifo(path) => write!(f, "fifo:{}", path.display()),
        }
    }
}
