//! The check that is repeated while a service is up.

use std::time::Duration;

use super::super::address::address;
use super::super::report::{Problem, quoted};
use super::super::spec::{Address, Check, Health, Kind, SocketMode, SocketsSpec};
use super::commands::one_hook;
use super::section::Section;

/// Time between two checks.
const EVERY: Duration = Duration::from_secs(10);
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many in a row have to fail.
const FAILURES: u32 = 3;
/// What can be looked at, one of these.
pub(super) const CHECKS: [&str; 3] = ["command", "tcp", "http"];
/// Where a web server listens if nothing else is said.
const HTTP_PORT: u16 = 80;

/// Reads `health`.
pub(super) fn health(
    s: &mut Section<'_, '_, '_>,
    kind: Kind,
    sockets: Option<&SocketsSpec>,
) -> Option<Box<Health>> {
    let table = s.table("health")?;
    let at = s.place("health")?;
    let misfit = match (kind, sockets) {
        (Kind::Task, _) => Some(("`health` is for services", "a task is over once it ended")),
        (_, Some(sockets)) if sockets.mode == SocketMode::Inetd => {
            Some(("with `inetd` each connection has a process of its own", "leave `health` out"))
        }
        _ => None,
    };
    if let Some((message, hint)) = misfit {
        s.report.error(at, Problem::new(message).hint(hint));
    }
    let mut inner = s.inner(table, "service.health");
    let every = inner.duration("every").unwrap_or(EVERY);
    let timeout = inner.duration("timeout").unwrap_or(TIMEOUT);
    for (key, time) in [("every", every), ("timeout", timeout)] {
        if let (true, Some(place)) = (time.is_zero(), inner.place(key)) {
            let problem = Problem::new(format!("`{key}` of `health` cannot be nothing"));
            inner.report.error(place, problem.hint("write a duration, such as \"10s\""));
        }
    }
    let failures = inner.integer("failures", 1, i128::from(u32::MAX)).unwrap_or(FAILURES);
    let given: Vec<&str> = CHECKS.into_iter().filter(|key| inner.entry(key).is_some()).collect();
    match given.as_slice() {
        [_] => {}
        // A mistyped key is told already.
        [] if inner.is_mistyped(&CHECKS) => {}
        [] => {
            let problem = Problem::new("`health` says nothing to look at");
            inner.report.error(at, problem.hint("add `command`, `tcp` or `http`"));
        }
        [first, second, ..] => {
            let message = format!("`{first}` and `{second}` of `health` exclude each other");
            let place = inner.place(second).unwrap_or(at);
            let label = (inner.place(first).unwrap_or(at), "the other one".to_owned());
            inner.report.error_with(place, Problem::new(message).hint("remove one"), &[label]);
        }
    }
    let (command, tcp, http) =
        (command(&mut inner), inner.get("tcp", tcp), inner.get("http", http));
    let check = command.or(tcp).or(http)?;
    Some(Box::new(Health { check, every, timeout, failures }))
}

fn command(s: &mut Section<'_, '_, '_>) -> Option<Check> {
    let hook = one_hook(s, "command")?;
    if let (true, Some(place)) = (hook.may_fail, s.place("command")) {
        let problem = Problem::new("a check that may fail checks nothing");
        s.report.error(place, problem.hint("remove `may-fail`; `failures` says how often it may"));
    }
    Some(Check::Command(Box::new(hook)))
}

fn tcp(text: &str) -> Result<Check, Problem> {
    let bare = text.strip_prefix("tcp:").unwrap_or(text);
    let found = address(&format!("tcp:{bare}")).map_err(|_| {
        Problem::new(format!("{} is no address of TCP", quoted(text)))
            .hint("write a port, or an address in numbers and a port: \"127.0.0.1:80\"")
    })?;
    Ok(Check::Accepts(found))
}

/// `"http://127.0.0.1:8080/healthz"`, or without its beginning; a port alone is that of the
/// loopback. Hosts are numbers: a check that waits for a name service would fail with that.
fn http(text: &str) -> Result<Check, Problem> {
    let wrong = |message: &str| Problem::new(format!("{} {message}", quoted(text)));
    let rest = match text.split_once("://") {
        None => text,
        Some(("http", rest)) => rest,
        Some(("https", _)) => {
            let hint = "let a command ask: command = \"curl -fsS -o /dev/null https://…\"";
            return Err(wrong("is encrypted, which finit does not speak").hint(hint));
        }
        Some(_) => {
            return Err(wrong("is no http address").hint("begin it with \"http://\""));
        }
    };
    let (host, path) = match rest.find(['/', '?']) {
        Some(place) => rest.split_at_checked(place).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        let hint = "spaces and the like are written as \"%%20\"; nothing follows a \"#\"";
        return Err(wrong("cannot be asked for").hint(hint));
    }
    // An address without a port ends with a digit or a bracket; a bare port has no dot.
    let bare =
        host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[') && host.ends_with(']');
    let found =
        address(&if bare { format!("tcp:{host}:{HTTP_PORT}") } else { format!("tcp:{host}") });
    match found {
        Ok(found @ (Address::TcpPort(_) | Address::Tcp(_))) => Ok(Check::Answers(found, path)),
        _ => {
            let hint = "hosts are numbers, as in \"http://127.0.0.1:8080/healthz\"; \
                        \"8080/healthz\" is the same";
            Err(wrong("is no http address").hint(hint))
        }
    }
}
