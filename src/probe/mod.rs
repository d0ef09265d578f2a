//! Finds out when a service is up, or whether it is healthy, in a process of its own: it may wait
//! for a connection, a file system or a bus for as long as they like, and PID 1 waits for none of
//! them. It ends well once it has found it; what it says on the way goes into the log of the
//! service.

mod bus;
mod http;

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::poll::PollTimeout;

use crate::config::spec::{Address, Check, Health, Probe, Ready, UnixPath};
use crate::facts::{NOBODY_LEFT, Pid};
use crate::os::{cgroup, fds, proc};

/// The word before the readiness, as JSON.
pub const WORD: &str = "--await";
/// The word before a check of the health of a service, as JSON.
pub const CHECK: &str = "--check-health";
/// Time between two looks: it begins short, since most services are up at once.
const FIRST: Duration = Duration::from_millis(2);
const LAST: Duration = Duration::from_millis(250);
/// How long one connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Waits until the service is up; the exit status is 0 then, 1 where there is nothing to look for,
/// and [`NOBODY_LEFT`] where that is a daemon of whose service nobody lives.
pub fn run(readiness: &str) -> u8 {
    let Ok(Ready::Found(probe)) = serde_json::from_str(readiness) else { return 1 };
    let mut pause = FIRST;
    let mut told = String::new();
    loop {
        let found = match &probe {
            Probe::Forked(path) => introduce(path),
            _ => look(&probe).map(|()| None),
        };
        let why = match found {
            // The file is older than the daemon, and the number has gone to a stranger.
            Ok(Some(pid)) if cgroup::is_elsewhere(pid) => {
                rest(LAST);
                return if cgroup::is_alone() { NOBODY_LEFT } else { 0 };
            }
            Ok(_) => return 0,
            Err(why) => why,
        };
        if why != told && pause > FIRST {
            say(&format!("not ready yet: {why}"));
            told = why;
        }
        // A while after its parent, which has waited for it or has not.
        if pause >= LAST && matches!(probe, Probe::Forked(_)) && cgroup::is_alone() {
            return NOBODY_LEFT;
        }
        rest(pause);
        pause = pause.saturating_mul(2).min(LAST);
    }
}

/// Waits; that a signal cuts it short does no harm.
fn rest(pause: Duration) {
    let pause_ms = u16::try_from(pause.as_millis()).unwrap_or(u16::MAX);
    let _woken = nix::poll::poll(&mut [], PollTimeout::from(pause_ms));
}

/// Looks once whether a service is healthy; the exit status is 0 then, and 1 if not. What the time
/// for it does not allow, PID 1 ends.
pub fn check(health: &str) -> u8 {
    let Ok(Health { check, timeout, .. }) = serde_json::from_str(health) else { return 1 };
    let found = match &check {
        Check::Accepts(address) => {
            connect(address, timeout).map(drop).map_err(|error| error.to_string())
        }
        Check::Answers(address, path) => connect(address, timeout)
            .map_err(|error| error.to_string())
            .and_then(|stream| http::answers_well(stream, address, path, timeout)),
        Check::Command(_) => Err("PID 1 itself runs the command".to_owned()),
    };
    match found {
        Ok(()) => 0,
        Err(why) => {
            say(&format!("not healthy: {check}: {why}"));
            1
        }
    }
}

fn look(probe: &Probe) -> Result<(), String> {
    match probe {
        Probe::Forked(path) => introduce(path).map(drop),
        Probe::Accepts(address) => accepts(address),
        Probe::File(path) => match path.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("there is no {}", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        },
        Probe::Bus(name) => bus::has_owner(name),
        Probe::Command(..) => Err("PID 1 itself runs the command".to_owned()),
    }
}

/// Whether somebody accepts connections there.
fn accepts(address: &Address) -> Result<(), String> {
    let connected = match address {
        Address::TcpPort(_) | Address::Tcp(_) => connect(address, CONNECT).map(drop),
        Address::Unix(_, UnixPath::File(path)) => UnixStream::connect(path).map(drop),
        Address::Unix(_, UnixPath::Abstract(name)) => UnixAddress::from_abstract_name(name)
            .and_then(|address| UnixStream::connect_addr(&address))
            .map(drop),
        Address::UdpPort(_) | Address::Udp(_) | Address::Fifo(_) => Ok(()),
    };
    connected.map_err(|error| format!("{address}: {error}"))
}

/// A connection over TCP; a port alone is one of this machine.
fn connect(address: &Address, timeout: Duration) -> io::Result<TcpStream> {
    let tcp = |address: SocketAddr| TcpStream::connect_timeout(&address, timeout);
    match address {
        Address::TcpPort(port) => tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
            .or_else(|error| tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, *port))).or(Err(error))),
        Address::Tcp(address) => tcp(reachable(*address)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Whoever listens on every address is reached on the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// Tells PID 1 which process the daemon is; whether it belongs to the service, PID 1 checks.
fn introduce(path: &Path) -> Result<Option<Pid>, String> {
    let fail = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let bytes = fds::read_head(path, 64).map_err(|errno| fail(&errno))?;
    let text = String::from_utf8_lossy(&bytes);
    // Some pad it, and some write more lines; but a number among others is none.
    let number = text.lines().next().and_then(|line| line.trim().parse().ok());
    let pid = number.and_then(Pid::new).ok_or_else(|| fail(&"it holds no process number"))?;
    if proc::process(pid.raw()).is_none_or(|process| process.ended) {
        return Err(fail(&format!("there is no process {pid}")));
    }
    let socket = std::env::vars_os().find(|(name, _)| name == "NOTIFY_SOCKET");
    let (_, socket) = socket.ok_or("there is no NOTIFY_SOCKET")?;
    let sent = notify_address(&socket).and_then(|address| {
        UnixDatagram::unbound()?.send_to_addr(format!("MAINPID={pid}").as_bytes(), &address)
    });
    sent.map(|_| Some(pid)).map_err(|error| format!("{}: {error}", Path::new(&socket).display()))
}

/// What NOTIFY_SOCKET names, as in sd_notify(3): a file, or after an `@` what has none, as a service
/// with a root of its own is given.
fn notify_address(name: &OsStr) -> io::Result<UnixAddress> {
    match name.as_bytes() {
        [b'@', name @ ..] => UnixAddress::from_abstract_name(name),
        _ => UnixAddress::from_pathname(name),
    }
}

fn say(line: &str) {
    // The log of the service is the only place for it.
    let _lost =
        fds::write(std::os::fd::AsFd::as_fd(&std::io::stderr()), format!("{line}\n").as_bytes());
}
