//! What a service reads from, and whether anybody is told of its terminal.

use std::path::PathBuf;

use super::super::raw::Value;
use super::super::report::{Problem, quoted};
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

/// What the records of its terminal go by, if there are to be any.
pub(super) fn utmp(
    s: &mut Section<'_, '_, '_>,
    tty: Option<&str>,
    sockets: Option<&SocketsSpec>,
) -> Option<String> {
    let node = &s.entry("utmp")?.node;
    let id = match node.value {
        Value::Boolean(false) => return None,
        Value::Boolean(true) => tty.map(id_of),
        Value::String(_) => s.read("utmp", node, id),
        _ => {
            s.wrong("utmp", node);
            None
        }
    };
    let problem = if sockets.is_some_and(|sockets| sockets.mode == SocketMode::Inetd) {
        Problem::new("`utmp` and `inetd` exclude each other").hint("a connection is no terminal")
    } else if matches!(node.value, Value::Boolean(true)) && s.entry("tty").is_none() {
        Problem::new("`utmp = true` needs `tty`").hint("say which terminal, or what it is called")
    } else {
        return id;
    };
    s.report.error(node.at, problem);
    None
}

/// Room for the name of a record; utmp(5).
const ID: usize = 4;

fn id(text: &str) -> Result<String, Problem> {
    let wrong = |why: &str| Problem::new(format!("{} {why}", quoted(text)));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("names no record").hint("write one to four characters"));
    }
    if text.len() > ID {
        return Err(wrong("is longer than four characters")
            .hint("write fewer, or `true` for one that is made of the terminal's name"));
    }
    Ok(text.to_owned())
}

/// As agetty(8) has it, which is then to find the record: the number of a virtual console, and of
/// others the end of their name.
fn id_of(tty: &str) -> String {
    let number =
        tty.strip_prefix("tty").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
    let name = number.filter(|number| (1..=ID).contains(&number.len())).unwrap_or(tty);
    let starts = name.char_indices().map(|(start, _)| start);
    let mut ends = starts.filter_map(|start| name.get(start..));
    ends.find(|end| end.len() <= ID).unwrap_or_default().to_owned()
}
