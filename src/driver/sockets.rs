//! Sockets of services: bound by PID 1 and kept over every restart; knocked at, or accepted
//! from, as the engine says.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use super::Driver;
use super::Fact;
use super::launch::{accounts, unknown};
use super::watch::Token;
use crate::config::spec::{Address, ServiceSpec, SocketMode, SocketSpec, UnixKind, UnixPath};
use crate::engine::{ConnectionId, Event, Level, NodeId};
use crate::facts::{SpawnError, Stage};
use crate::os::socket::{self, Endpoint, Internet, Options};

/// Most connections accepted in one turn.
const BATCH: usize = 16;
/// How long accepting rests when descriptors or memory are spent: the listener stays readable,
/// and without a rest PID 1 would spin (tokio#3529).
const REST: Duration = Duration::from_millis(100);

impl Driver {
    /// Binds all sockets of a service, or none.
    pub(super) fn bind(&mut self, node: NodeId, spec: &ServiceSpec) -> Result<(), SpawnError> {
        let Some(sockets) = &spec.sockets else { return Ok(()) };
        let mut bound = Vec::with_capacity(sockets.sockets.len());
        for one in &sockets.sockets {
            let fail = |errno| SpawnError {
                stage: Stage::Socket,
                errno,
                subject: one.address.to_string(),
            };
            let options = options(one, sockets.mode)?;
            let endpoint = endpoint(&one.address);
            socket::make_folder_of(&endpoint).map_err(fail)?;
            bound.push(socket::bind(&endpoint, &options).map_err(fail)?);
        }
        if let Some(site) = self.sites.of(node) {
            site.sockets = bound;
        }
        Ok(())
    }

    /// Lets go of the sockets of a node. Those that nobody but finit accepts from take no
    /// connection from now on, though a child that has yet to execute its program has copies.
    pub(super) fn unbind(&mut self, node: NodeId, files: &[Address]) {
        let is_ours_alone = self.engine.socket_mode(node) == Some(SocketMode::Inetd);
        let Some(site) = self.sites.of(node) else { return };
        site.watched = false;
        for socket in site.sockets.drain(..).filter(|_| is_ours_alone) {
            socket::hear_no_more(socket.as_fd());
        }
        for address in files {
            socket::unlink(&endpoint(address));
        }
    }

    /// Tells of connections, or no longer.
    pub(super) fn watch_sockets(&mut self, node: NodeId, watched: bool) {
        let Some(site) = self.sites.of(node) else { return };
        site.watched = watched;
        for (index, socket) in (0..).zip(&site.sockets) {
            if !watched {
                self.watch.forget(socket);
            } else if let Err(errno) = self.watch.readable(socket, Token::Socket(node, index)) {
                let name = self.engine.name(node);
                self.console.tell(Level::Trouble, &format!("{name}: watching its socket: {errno}"));
            }
        }
    }

    /// A watched socket is ready.
    pub(super) fn on_socket(&mut self, node: NodeId, index: u32) {
        let inetd = self.engine.socket_mode(node) == Some(SocketMode::Inetd);
        if !inetd {
            self.turn(Event::Stirred { node });
            return;
        }
        for _ in 0..BATCH {
            if !self.accept_one(node, index) {
                break;
            }
        }
        self.rearm(node, index);
    }

    /// Whether there may be another connection.
    fn accept_one(&mut self, node: NodeId, index: u32) -> bool {
        let Some(site) = self.sites.get(node).filter(|site| site.watched) else { return false };
        let Some(socket) = usize::try_from(index).ok().and_then(|i| site.sockets.get(i)) else {
            return false;
        };
        match socket::accept(socket.as_fd()) {
            Ok(Some((connection, address))) => {
                self.last_connection = self.last_connection.wrapping_add(1);
                let id = ConnectionId(self.last_connection);
                self.connections.insert(id, connection);
                let source = address.map(|address| address.ip().to_canonical().to_string());
                self.turn(Event::Connected { node, connection: id, source });
                true
            }
            Ok(None) => false,
            Err(errno) => {
                let name = self.engine.name(node);
                self.console.tell(Level::Trouble, &format!("{name}: accept: {errno}"));
                if let Some(site) = self.sites.of(node) {
                    site.watched = false;
                }
                self.later(REST, Fact::Rested(node));
                false
            }
        }
    }

    /// Watches a socket again after a turn with it, if the engine has not changed its mind.
    fn rearm(&mut self, node: NodeId, index: u32) {
        let Some(site) = self.sites.get(node).filter(|site| site.watched) else { return };
        if let Some(socket) = usize::try_from(index).ok().and_then(|i| site.sockets.get(i)) {
            // It was watched a moment ago; the kernel has its place for it.
            let _same = self.watch.readable(socket, Token::Socket(node, index));
        }
    }
}

fn endpoint(address: &Address) -> Endpoint {
    match address {
        Address::TcpPort(port) => Endpoint::Tcp(Internet::Port(*port)),
        Address::Tcp(address) => Endpoint::Tcp(Internet::Address(*address)),
        Address::UdpPort(port) => Endpoint::Udp(Internet::Port(*port)),
        Address::Udp(address) => Endpoint::Udp(Internet::Address(*address)),
        Address::Unix(kind, path) => {
            let path = match path {
                UnixPath::File(path) => path.clone(),
                UnixPath::Abstract(name) => PathBuf::from(format!("@{name}")),
            };
            match kind {
                UnixKind::Stream => Endpoint::UnixStream(path),
                UnixKind::Datagram => Endpoint::UnixDatagram(path),
                UnixKind::Seqpacket => Endpoint::UnixSeqpacket(path),
            }
        }
        Address::Fifo(path) => Endpoint::Fifo(path.clone()),
    }
}

/// The options of a socket; an unknown owner is an error, never root.
fn options(socket: &SocketSpec, mode: SocketMode) -> Result<Options, SpawnError> {
    let defaults = Options::default();
    let mut options = Options {
        v6only: socket.v6only,
        freebind: socket.freebind,
        reuseport: socket.reuseport,
        keepalive: socket.keepalive,
        nodelay: socket.nodelay,
        device: socket.device.clone(),
        // The flag is of the socket and not of the descriptor: where PID 1 accepts it must not
        // wait, and a service that is handed its socket expects one that does (systemd.socket(5)).
        nonblocking: mode == SocketMode::Inetd || socket.nonblocking,
        mode: socket.mode.unwrap_or(defaults.mode),
        backlog: socket
            .backlog
            .and_then(|backlog| i32::try_from(backlog).ok())
            .unwrap_or(defaults.backlog),
        // A fifo can be used again; a socket that nobody is bound to leads nowhere.
        unlink: socket.unlink || !matches!(socket.address, Address::Fifo(_)),
        ..defaults
    };
    if socket.user.is_some() || socket.group.is_some() {
        let accounts = accounts()?;
        if let Some(name) = &socket.user {
            let user = accounts.user(name).ok_or_else(|| unknown(name))?;
            options.uid = Some(user.uid);
            options.gid = Some(user.gid);
        }
        if let Some(name) = &socket.group {
            options.gid = Some(accounts.group(name).ok_or_else(|| unknown(name))?.gid);
        }
    }
    Ok(options)
}
