//! Single values: text in, a typed value or what is wrong with it out. None of these knows the
//! file that the text is from.

use std::time::Duration;

use nix::sys::resource::Resource;

use super::keys;
use super::report::{Problem, quoted};
use crate::facts::{SignalNumber, SpanError, capability, time_span};

/// Longest name of a service, task, target or instance, in bytes.
const NAME_MAX: usize = 128;

/// `"250ms"`, `"10s"`, `"1h30m"`; never `"never"`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    match patience(text)? {
        Some(duration) => Ok(duration),
        None => Err(Problem::new("`never` is not possible here").hint("write a duration")),
    }
}

/// As [`duration`], or none for `"never"`.
pub(super) fn patience(text: &str) -> Result<Option<Duration>, Problem> {
    const FORM: &str = "write it like \"250ms\", \"10s\", \"1h30m\" or \"never\"";
    if text == "never" {
        return Ok(None);
    }
    let wrong = || Problem::new(format!("{} is no duration", quoted(text))).hint(FORM);
    time_span(text).map(Some).map_err(|error| match error {
        SpanError::Form => wrong(),
        SpanError::TooLong => wrong().hint("it is too long; \"never\" is for ever"),
        SpanError::NoUnit => Problem::new(format!("{} has no unit", quoted(text)))
            .hint(format!("write \"{text}s\" for seconds")),
    })
}

/// Bytes: `"4096"`, `"64K"`, `"512M"`, in powers of 1024.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    let wrong = || {
        Problem::new(format!("{} is no size", quoted(text)))
            .hint("write bytes, or a number and K, M, G or T")
    };
    let number = text.trim_end_matches(['K', 'M', 'G', 'T']);
    let shift = match text.strip_prefix(number) {
        Some("") => 0,
        Some("K") => 10,
        Some("M") => 20,
        Some("G") => 30,
        Some("T") => 40,
        _ => return Err(wrong()),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(|| wrong().hint("it is too large"))
}

/// Permissions: `"0750"`, three or four octal digits.
pub(super) fn mode(text: &str) -> Result<u32, Problem> {
    let is_octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|_| is_octal && matches!(text.len(), 3 | 4)).ok_or_else(|| {
        Problem::new(format!("{} is no mode", quoted(text)))
            .hint("write three or four octal digits, like \"0750\"")
    })
}

/// `"TERM"`, `"SIGTERM"`, `"RTMIN+3"`.
pub(super) fn signal(text: &str) -> Result<SignalNumber, Problem> {
    SignalNumber::parse(text).ok_or_else(|| {
        Problem::new(format!("{} is no signal", quoted(text)))
            .hint("write its name, like \"TERM\" or \"RTMIN+3\"")
    })
}

/// A name of a service, task, target, instance or milestone.
pub(super) fn name(text: &str) -> Result<String, Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:@-".contains(c);
    if text.is_empty() {
        return Err(Problem::new("a name cannot be empty"));
    }
    if text.len() > NAME_MAX {
        let hint = format!("at most {NAME_MAX} bytes");
        return Err(Problem::new(format!("the name {} is too long", quoted(text))).hint(hint));
    }
    match text.char_indices().find(|(_, c)| !fits(*c)) {
        None => Ok(text.to_owned()),
        Some((start, c)) => Err(Problem::new(format!(
            "{} cannot stand in the name {}",
            quoted(&c.to_string()),
            quoted(text)
        ))
        .hint("letters, digits and any of _ . : @ - can")
        .at(start..start.saturating_add(c.len_utf8()))),
    }
}

/// A user or group: a name as useradd(8) makes them, or a decimal number.
///
/// Anything else is refused here, long before it could be taken for root: other inits started
/// services as root whose user was `0day` or `0x0` (CVE-2017-1000082, CVE-2020-13776).
pub(super) fn user(text: &str) -> Result<String, Problem> {
    let wrong =
        |hint: &str| Problem::new(format!("{} is no user or group", quoted(text))).hint(hint);
    let first =
        text.bytes().next().ok_or_else(|| wrong("it is empty; write a name or a number"))?;
    if let Ok(number) = text.parse::<i128>()
        && number.to_string() == text
    {
        return match u32::try_from(number) {
            _ if [-1, i128::from(u32::MAX)].contains(&number) => {
                Err(wrong("it means \"no change\" to setuid(2), so that nobody has that number"))
            }
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err(wrong("a number is from 0 to 4294967294")),
        };
    }
    if first.is_ascii_digit() {
        return Err(wrong("a number is written in decimal digits, and no name begins with one"));
    }
    let body = text.strip_suffix('$').unwrap_or(text);
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_start = first.is_ascii_alphabetic() || first == b'_';
    if is_start && text.len() <= 32 && body.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(wrong("letters, digits and any of _ . - make a name, at most 32 of them"))
}

/// A capability: `"net-admin"`, `"CAP_NET_ADMIN"`; its name in `capability::NAMES`.
pub(super) fn capability(text: &str) -> Result<String, Problem> {
    let name = capability::plain(text);
    if capability::number(&name).is_some() {
        return Ok(name);
    }
    let problem = Problem::new(format!("{} is no capability", quoted(text)));
    Err(match keys::nearest(&name, capability::NAMES) {
        Some(near) => problem.hint(format!("did you mean \"{}\"?", near.replace('_', "-"))),
        None => problem.hint("capabilities(7) has their names: \"net-admin\""),
    })
}

/// A path from the root.
pub(super) fn absolute(text: &str) -> Result<String, Problem> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err(Problem::new(format!("{} is no absolute path", quoted(text))).hint("begin it with `/`"))
}

/// The same with a bound, in bytes.
pub(super) fn absolute_within(text: &str, most: usize) -> Result<String, Problem> {
    let path = absolute(text)?;
    if path.len() > most {
        let message = format!("a path of {} bytes is too long here", path.len());
        return Err(Problem::new(message).hint(format!("at most {most} bytes")));
    }
    Ok(path)
}

/// A terminal: a name under /dev.
pub(super) fn terminal(text: &str) -> Result<String, Problem> {
    let name = text.strip_prefix("/dev/").unwrap_or(text);
    let is_odd = |part: &str| matches!(part, "" | "." | "..");
    if name.split('/').any(is_odd) {
        return Err(Problem::new(format!("{} is no terminal", quoted(text)))
            .hint("write a name under /dev, like \"tty1\""));
    }
    Ok(name.to_owned())
}

/// The name of an environment variable.
pub(super) fn variable(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text.contains(['=', '\0']) {
        return Err(Problem::new(format!("{} is no name of a variable", quoted(text))));
    }
    Ok(text.to_owned())
}

/// `"20/10s"`: so many in that time.
pub(super) fn rate(text: &str) -> Result<(u32, Duration), Problem> {
    const FORM: &str = "write it like \"20/10s\", a number and the time that it is for";
    let wrong = || Problem::new(format!("{} is no rate", quoted(text))).hint(FORM);
    let (number, time) = text.split_once('/').ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let time = duration(time)?;
    if number == 0 || time.is_zero() {
        return Err(wrong());
    }
    Ok((number, time))
}

/// The resource limits of setrlimit(2): name, number, whether it counts bytes.
const LIMITS: [(&str, Resource, Unit); 16] = [
    ("as", Resource::RLIMIT_AS, Unit::Bytes),
    ("core", Resource::RLIMIT_CORE, Unit::Bytes),
    ("cpu", Resource::RLIMIT_CPU, Unit::Number),
    ("data", Resource::RLIMIT_DATA, Unit::Bytes),
    ("fsize", Resource::RLIMIT_FSIZE, Unit::Bytes),
    ("locks", Resource::RLIMIT_LOCKS, Unit::Number),
    ("memlock", Resource::RLIMIT_MEMLOCK, Unit::Bytes),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE, Unit::Bytes),
    ("nice", Resource::RLIMIT_NICE, Unit::Number),
    ("nofile", Resource::RLIMIT_NOFILE, Unit::Number),
    ("nproc", Resource::RLIMIT_NPROC, Unit::Number),
    ("rss", Resource::RLIMIT_RSS, Unit::Bytes),
    ("rtprio", Resource::RLIMIT_RTPRIO, Unit::Number),
    ("rttime", Resource::RLIMIT_RTTIME, Unit::Number),
    ("sigpending", Resource::RLIMIT_SIGPENDING, Unit::Number),
    ("stack", Resource::RLIMIT_STACK, Unit::Bytes),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Number,
}

/// The names of all limits.
pub(super) fn limit_names() -> impl Iterator<Item = &'static str> {
    LIMITS.iter().map(|(name, _, _)| *name)
}

/// The number of a limit for setrlimit(2).
pub(super) fn limit_number(name: &str) -> Option<u32> {
    LIMITS.iter().find(|(known, _, _)| *known == name).map(|(_, limit, _)| *limit as u32)
}

/// Whether a limit counts bytes.
fn counts_bytes(name: &str) -> bool {
    LIMITS.iter().any(|(known, _, unit)| *known == name && *unit == Unit::Bytes)
}

/// What a limit takes, in words that follow "must be".
pub(super) fn limit_kind(name: &str) -> &'static str {
    match name {
        "core" => "a size like \"64M\", \"never\", \"unlimited\" or \"soft:hard\"",
        _ if counts_bytes(name) => "a size like \"64M\", \"unlimited\" or \"soft:hard\"",
        _ => "a number, \"unlimited\" or \"soft:hard\"",
    }
}

/// The soft and hard value of a limit: `"unlimited"`, `"64M"`, `"100:200"`; for core dumps
/// alone also `"never"`.
pub(super) fn limit(name: &str, text: &str) -> Result<(u64, u64), Problem> {
    if (name, text) == ("core", "never") {
        return Ok((0, 0));
    }
    let one = |text: &str| {
        let read = match text {
            "unlimited" => Some(libc::RLIM_INFINITY),
            _ if counts_bytes(name) => size(text).ok(),
            _ => text.parse().ok(),
        };
        let wrong = || Problem::new(format!("{} is no value of `limits.{name}`", quoted(text)));
        read.ok_or_else(|| wrong().hint(format!("write {}", limit_kind(name))))
    };
    let (soft, hard) = match text.split_once(':') {
        Some((soft, hard)) => (one(soft)?, one(hard)?),
        None => (one(text)?, one(text)?),
    };
    if soft > hard {
        return Err(Problem::new("the soft limit is above the hard one")
            .hint("the first number is the soft one"));
    }
    Ok((soft, hard))
}
