//! What a service reads from.

use std::path::PathBuf;

use super::super::report::Problem;
use super::super::spec::{SocketMode, SocketsSpec, Stdin};
use super::super::values;
use super::section::{Section, one_of};

/// A word or a file.
enum Said {
    Null,
    Tty,
    Socket,
    File(PathBuf),
}

/// What it reads from, where nothing else that it says stands against that.
pub(super) fn stdin(s: &mut Section<'_, '_, '_>, sockets: Option<&SocketsSpec>) -> Stdin {
    let said = s.get("stdin", said);
    let (Some(said), Some(place)) = (said, s.place("stdin")) else { return Stdin::Usual };
    let has_tty = s.entry("tty").is_some();
    let is_inetd = sockets.is_some_and(|sockets| sockets.mode == SocketMode::Inetd);
    let problem = match &said {
        _ if is_inetd => Problem::new("`stdin` and `inetd` exclude each other")
            .hint("a connection is stdin and stdout"),
        Said::Tty if has_tty => return Stdin::Usual,
        Said::Tty => Problem::new("`stdin = \"tty\"` needs `tty`").hint("say which terminal"),
        _ if has_tty => Problem::new("`stdin` and `tty` exclude each other")
            .hint("what has a terminal reads from that: take out one of them"),
        Said::Null => return Stdin::Usual,
        Said::File(path) => return Stdin::File(path.clone()),
        Said::Socket if s.entry("listen").is_none() => {
            Problem::new("`stdin = \"socket\"` needs `listen`").hint("say on which address")
        }
        Said::Socket => match sockets.map_or(1, |sockets| sockets.sockets.len()) {
            0 | 1 => return Stdin::Socket,
            count => Problem::new(format!("stdin can be one socket, and `listen` names {count}"))
                .hint("take out all but one, or `stdin`"),
        },
    };
    s.report.error(place, problem);
    Stdin::Usual
}

fn said(text: &str) -> Result<Said, Problem> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(Said::File(PathBuf::from(values::absolute(path)?)));
    }
    let words: [(&str, usize); 3] = [("null", 0), ("tty", 1), ("socket", 2)];
    Ok(match one_of("stdin", text, &words)? {
        0 => Said::Null,
        1 => Said::Tty,
        _ => Said::Socket,
    })
}
