//! Sockets of a service.

use super::super::address::address;
use super::super::raw::{Node, Value};
use super::super::report::{Place, Problem, quoted};
use super::super::spec::{Address, CommandLine, SocketMode, SocketSpec, SocketsSpec, UnixKind};
use super::super::values;
use super::section::Section;

/// Most connections at once without another word.
const CONNECTIONS: u32 = 64;

/// `inetd` or `listen`, and what belongs to it.
pub(super) fn sockets(s: &mut Section<'_, '_, '_>) -> Option<SocketsSpec> {
    let (key, mode) = match (s.entry("inetd"), s.entry("listen")) {
        (Some(inetd), Some(listen)) => {
            let problem = Problem::new("`inetd` and `listen` exclude each other")
                .hint("with `inetd` finit accepts, with `listen` the service does");
            let label = (listen.at, "the other one".to_owned());
            s.report.error_with(inetd.at, problem, &[label]);
            return None;
        }
        (Some(_), None) => ("inetd", SocketMode::Inetd),
        (None, Some(_)) => {
            need_inetd(s);
            ("listen", SocketMode::Listen)
        }
        (None, None) => {
            need_inetd(s);
            return None;
        }
    };
    if let (SocketMode::Inetd, Some(place)) = (mode, s.place("tty")) {
        let problem = Problem::new("`tty` and `inetd` exclude each other");
        s.report.error(place, problem.hint("a connection is stdin and stdout"));
    }
    let entry = s.entry(key)?;
    let nodes = match &entry.node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let mut found: Vec<(SocketSpec, Place)> = Vec::new();
    for node in nodes {
        let Some(socket) = socket(s, key, node, mode) else { continue };
        if let Some((_, first)) = found.iter().find(|(other, _)| other.excludes(&socket)) {
            let problem = Problem::new(format!("{} is taken", quoted(&socket.address.to_string())));
            let label = (*first, "this one listens there".to_owned());
            s.report.error_with(node.at, problem.hint("take one of them out"), &[label]);
        }
        found.push((socket, node.at));
    }
    if nodes.is_empty() {
        s.report.error(entry.node.at, Problem::new(format!("`{key}` names no address")));
    }
    let most = i128::from(u32::MAX);
    Some(SocketsSpec {
        mode,
        sockets: found.into_iter().map(|(socket, _)| socket).collect(),
        max: s.integer("inetd-max", 1, most).unwrap_or(CONNECTIONS),
        max_per_source: s.integer("inetd-max-per-source", 1, most),
        rate: s.get("inetd-rate", values::rate),
    })
}

/// Keys that are for services with `inetd` alone.
pub(super) const OF_INETD: [&str; 3] = ["inetd-max", "inetd-max-per-source", "inetd-rate"];

/// Keys that say nothing with `inetd`, as there is no one process that they could be about.
const IDLE_WITH_INETD: [&str; 2] = ["after-start", "ok-exit"];

/// What each connection is served by is one program, and of it finit waits for nothing.
pub(super) fn check_inetd(s: &mut Section<'_, '_, '_>, commands: Option<&[CommandLine]>) {
    if let (Some([_, _, ..]), Some(place)) = (commands, s.place("steps")) {
        let problem = Problem::new("each connection gets one program, and `steps` are several");
        s.report.error(place, problem.hint("use `command` or `script`"));
    }
    let stop = s.entry("stop").and_then(|entry| match &entry.node.value {
        Value::Table(table) => table.get("command").map(|entry| entry.at),
        _ => None,
    });
    let idle = IDLE_WITH_INETD.map(|key| (key, s.place(key)));
    for (key, place) in idle.into_iter().chain([("stop.command", stop)]) {
        if let Some(place) = place {
            let problem = Problem::new(format!("`{key}` does nothing with `inetd`"));
            let hint = "each connection has a process of its own: take it out";
            s.report.warning(place, problem.hint(hint), &[]);
        }
    }
}

/// Of a service that accepts by itself finit counts no connections.
fn need_inetd(s: &mut Section<'_, '_, '_>) {
    for key in OF_INETD {
        if let Some(place) = s.place(key) {
            s.report.error(place, Problem::new(format!("`{key}` needs `inetd`")));
        }
    }
}

fn socket<'t>(
    s: &mut Section<'t, '_, '_>,
    key: &'static str,
    node: &'t Node,
    mode: SocketMode,
) -> Option<SocketSpec> {
    let Value::Table(table) = &node.value else {
        let address = s.read(key, node, |text| fitting(text, mode))?;
        return Some(plain(address));
    };
    let mut inner = s.inner(table, "service.socket");
    let Some(address) = inner.get("on", |text| fitting(text, mode)) else {
        if inner.entry("on").is_none() {
            let problem = Problem::new(format!("`{key}` says no address")).hint("add `on`");
            inner.report.error(node.at, problem);
        }
        return None;
    };
    for entry in &table.entries {
        if let Some(what) = is_only_for(&entry.key, &address, mode) {
            let problem = Problem::new(format!("`{}` is only for {what}", entry.key));
            inner.report.warning(entry.at, problem.hint("it does nothing here: take it out"), &[]);
        }
    }
    let mut spec = plain(address);
    spec.name = inner.get("name", descriptor_name);
    spec.mode = inner.get("mode", values::mode);
    spec.user = inner.user("user");
    spec.group = inner.user("group");
    spec.backlog = inner.integer("backlog", 0, i128::from(i32::MAX));
    spec.unlink = inner.flag("unlink").unwrap_or(true);
    spec.v6only = inner.flag("v6only");
    spec.freebind = inner.flag("freebind").unwrap_or(false);
    spec.reuseport = inner.flag("reuseport").unwrap_or(false);
    spec.keepalive = inner.flag("keepalive").unwrap_or(false);
    spec.nodelay = inner.flag("nodelay").unwrap_or(false);
    spec.nonblocking = inner.flag("nonblocking").unwrap_or(false);
    spec.device = inner.text("device");
    Some(spec)
}

/// What an option of a socket is for, if that is not what this one is.
fn is_only_for(option: &str, address: &Address, mode: SocketMode) -> Option<&'static str> {
    let network = address.network();
    let (fits, what) = match option {
        "mode" | "user" | "group" | "unlink" => (address.file().is_some(), "sockets with a file"),
        "keepalive" | "nodelay" => (matches!(network, Some((true, _))), "TCP"),
        "freebind" | "reuseport" | "device" => (network.is_some(), "TCP and UDP"),
        "v6only" => (network.is_some_and(|(_, at)| at.is_ipv6()), "IPv6"),
        "backlog" => (has_connections(address), "sockets that take connections"),
        "name" | "nonblocking" => (mode == SocketMode::Listen, "`listen`"),
        _ => return None,
    };
    (!fits).then_some(what)
}

/// LISTEN_FDNAMES has a colon between names, sd_listen_fds(3).
fn descriptor_name(text: &str) -> Result<String, Problem> {
    match values::name(text) {
        Ok(name) if name.contains(':') => Err(Problem::new("a socket's name has no colon")),
        read => read,
    }
}

/// An address that can be used in that mode: only a stream has connections to accept.
fn fitting(text: &str, mode: SocketMode) -> Result<Address, Problem> {
    let address = address(text)?;
    if mode == SocketMode::Inetd && !has_connections(&address) {
        return Err(Problem::new("`inetd` needs connections, and these have none")
            .hint("use `listen`, which hands the socket itself to the service"));
    }
    Ok(address)
}

/// Whether somebody can connect there.
fn has_connections(address: &Address) -> bool {
    !matches!(
        address,
        Address::Udp(_)
            | Address::UdpPort(_)
            | Address::Unix(UnixKind::Datagram, _)
            | Address::Fifo(_)
    )
}

fn plain(address: Address) -> SocketSpec {
    SocketSpec {
        address,
        name: None,
        mode: None,
        user: None,
        group: None,
        backlog: None,
        unlink: true,
        v6only: None,
        freebind: false,
        reuseport: false,
        keepalive: false,
        nodelay: false,
        nonblocking: false,
        device: None,
    }
}
