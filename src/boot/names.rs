//! What the machine is called: its host name for people, its machine id for programs.

use std::time::Duration;

use super::{Context, Done, Place, Report, Tools, conditions, conf};
use crate::facts::Errno;
use crate::os;

/// Longest name that the kernel takes, sethostname(2).
const LONGEST: usize = 64;

const MACHINE_ID: &str = "/etc/machine-id";

/// Where the id of this boot is kept if /etc cannot be written to.
const TRANSIENT_ID: &str = "/run/machine-id";

/// An older place of the same id, which D-Bus made before there was the other.
const DBUS_ID: &str = "/var/lib/dbus/machine-id";

/// What an image says in the place of an id that is yet to be made (machine-id(5)).
const UNINITIALIZED: &str = "uninitialized";

/// How often and how long the kernel is given to gather randomness for an id.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Sets the host name: `boot.hostname`, or the first line of /etc/hostname.
pub(super) fn hostname(context: &Context) -> Report {
    let configured = context.boot.hostname.clone();
    let own = configured.is_some();
    let file = || conf::read(&context.path("/etc/hostname"));
    let name = configured.or_else(|| conf::lines(&file()?).next().map(str::to_owned));
    let Some(name) = name else {
        return Ok(Done::Skipped("no host name is set"));
    };
    if !is_hostname(&name) {
        return Err(format!("{name:?} is no host name"));
    }
    match os::host::set_hostname(&name) {
        Ok(()) => Ok(Done::Worked),
        // Whoever made the container has named it.
        Err(_) if context.place == Place::Container && !own => Ok(Done::Skipped("in a container")),
        Err(errno) => Err(format!("{name}: {errno}")),
    }
}

/// Makes an id where there is none, for good if /etc can be written to, else for this boot.
pub(super) async fn machine_id(context: &Context, tools: &impl Tools) -> Report {
    let path = context.path(MACHINE_ID);
    if conf::read(&path).is_some_and(|text| is_machine_id(&text)) {
        return Ok(Done::Skipped("there is one"));
    }
    let older = conf::read(&context.path(DBUS_ID)).filter(|text| is_machine_id(text));
    let new = conf::read(&path).is_none_or(|text| text.trim_end() == UNINITIALIZED);
    if older.is_none() && new {
        let mark = context.path(conditions::FIRST_BOOT);
        let folder = mark.parent().map(std::fs::create_dir_all);
        // Without the mark nothing is done that was to be done once: the next boot is not the
        // first, but a machine without a /run has greater worries.
        let _lost = folder.map(|_| os::fds::create_file(&mark, b"", 0o444));
    }
    let id = match older {
        Some(id) => id,
        None => new_id(tools).await,
    };
    match os::fds::create_file(&path, id.as_bytes(), 0o444) {
        Ok(()) => Ok(Done::Worked),
        Err(errno) => transient_id(context, &id)
            .map_err(|second| format!("{MACHINE_ID}: {errno}; {TRANSIENT_ID}: {second}")),
    }
}

/// Puts the id into /run, and over the file in /etc: an empty one is enough (machine-id(5)).
fn transient_id(context: &Context, id: &str) -> Result<Done, Errno> {
    let transient = context.path(TRANSIENT_ID);
    os::fds::create_file(&transient, id.as_bytes(), 0o444)?;
    let source = transient.to_string_lossy();
    os::mount::mount(&source, &context.path(MACHINE_ID), "", "bind")?;
    Ok(Done::Worked)
}

/// Thirty-two hexadecimal digits: a random UUID of version 4, as everybody makes them.
async fn new_id(tools: &impl Tools) -> String {
    let mut bytes = [0; 16];
    for _ in 0..TRIES {
        if os::host::random(&mut bytes) {
            break;
        }
        // Two fresh copies of one image would get the same id: worth waiting for. After that,
        // what the kernel has is better than no id at all.
        tools.pause(PAUSE).await;
    }
    let id = u128::from_be_bytes(bytes);
    let id = id & !(0xf << 76) | 4 << 76;
    let id = id & !(0b11 << 62) | 0b10 << 62;
    format!("{id:032x}\n")
}

fn is_machine_id(text: &str) -> bool {
    let id = text.trim_end_matches('\n');
    id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && id.bytes().any(|byte| byte != b'0')
}

/// Looser than RFC 1123: names with an underscore exist. Nothing that would break a prompt, a
/// log line or a path.
fn is_hostname(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(plain) && !name.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for (name, expected) in [
            ("box", true),
            ("db-1.example.org", true),
            ("my_box", true),
            ("", false),
            ("two words", false),
            ("-x", false),
            ("a\u{1b}[2J", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(is_hostname(name), expected, "{name}");
        }
    }

    #[test]
    fn machine_ids() {
        for (text, expected) in [
            ("0123456789abcdef0123456789abcdef\n", true),
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789ABCDEF0123456789ABCDEF\n", false),
            ("00000000000000000000000000000000\n", false),
            ("uninitialized\n", false),
            ("", false),
            ("0123456789abcdef0123456789abcde\n", false),
        ] {
            assert_eq!(is_machine_id(text), expected, "{text:?}");
        }
    }
}
