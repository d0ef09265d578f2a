//! Addresses of sockets. They are numbers and paths: a name would have to be resolved, and a
//! name service is nothing that PID 1 waits for.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::report::{Problem, quoted};
use super::spec::{Address, UnixKind, UnixPath};

/// Longest path in a socket address, without its closing NUL (unix(7)).
const UNIX_MAX: usize = 107;

/// `"22"`, `"127.0.0.1:80"`, `"[::1]:80"`, `"udp:53"`, `"/run/x.sock"`, `"@abstract"`,
/// `"unix-dgram:/dev/log"`, `"fifo:/run/x"`.
pub(super) fn address(text: &str) -> Result<Address, Problem> {
    if let Some(rest) = text.strip_prefix("tcp:") {
        return Ok(inet(text, rest)?.map_or_else(Address::TcpPort, Address::Tcp));
    }
    if let Some(rest) = text.strip_prefix("udp:") {
        return Ok(inet(text, rest)?.map_or_else(Address::UdpPort, Address::Udp));
    }
    if let Some(path) = text.strip_prefix("fifo:") {
        return Ok(Address::Fifo(PathBuf::from(super::values::absolute(path)?)));
    }
    let kinds = [
        ("unix:", UnixKind::Stream),
        ("unix-stream:", UnixKind::Stream),
        ("unix-dgram:", UnixKind::Datagram),
        ("unix-seqpacket:", UnixKind::Seqpacket),
    ];
    for (prefix, kind) in kinds {
        if let Some(path) = text.strip_prefix(prefix) {
            return unix(kind, path);
        }
    }
    if text.starts_with("netlink:") {
        return Err(Problem::new("netlink sockets are not supported by this version of finit yet")
            .hint("let the service open it"));
    }
    if text.starts_with(['/', '@']) {
        return unix(UnixKind::Stream, text);
    }
    Ok(inet(text, text)?.map_or_else(Address::TcpPort, Address::Tcp))
}

/// A port on all addresses (the error side of the inner result), or one address and a port.
fn inet(whole: &str, text: &str) -> Result<Result<SocketAddr, u16>, Problem> {
    let wrong = || Problem::new(format!("{} is no address", quoted(whole)));
    let bare = text.strip_prefix("*:").or(text.strip_prefix(':')).unwrap_or(text);
    if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = bare.parse().ok().filter(|port| *port != 0);
        return port.map(Err).ok_or_else(|| wrong().hint("a port is a number from 1 to 65535"));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        if address.port() == 0 {
            return Err(wrong().hint("a port is a number from 1 to 65535"));
        }
        return Ok(Ok(address));
    }
    let kind = whole.strip_suffix(text).unwrap_or_default();
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    Err(wrong().hint(match text.rsplit_once(':') {
        _ if is_address(text) && !text.contains(':') || inside != text && is_address(inside) => {
            format!("its port is missing: \"{kind}{text}:80\"")
        }
        Some(_) if text.contains('%') => {
            "the name of an interface is the `device` of a table whose `on` is the address".into()
        }
        // Without brackets a port looks like the last part of the address.
        Some((host, port)) if host.contains(':') => {
            let (host, port) = if is_address(host) { (host, port) } else { (text, "80") };
            let shown = if is_address(host) { host } else { "::1" };
            format!("an IPv6 address stands in brackets: \"{kind}[{shown}]:{port}\"")
        }
        Some(_) => "addresses are numbers, not host names: \"127.0.0.1:80\"".into(),
        None => "write a port, an address with a port, a path, or \"@name\"".into(),
    }))
}

fn unix(kind: UnixKind, text: &str) -> Result<Address, Problem> {
    if text.len() > UNIX_MAX {
        let hint = format!("a socket address has room for {UNIX_MAX} bytes");
        return Err(Problem::new(format!("the path {} is too long", quoted(text))).hint(hint));
    }
    match text.strip_prefix('@') {
        Some("") => Err(Problem::new("an abstract socket needs a name").hint("write \"@name\"")),
        Some(name) => Ok(Address::Unix(kind, UnixPath::Abstract(name.to_owned()))),
        None => {
            let path = super::values::absolute(text)?;
            Ok(Address::Unix(kind, UnixPath::File(PathBuf::from(path))))
        }
    }
}
