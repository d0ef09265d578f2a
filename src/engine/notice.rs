//! What a service tells of itself, sd_notify(3): lines of NAME=VALUE in one datagram. Anyone of
//! the service may send anything, so every byte of it is data: what is not understood counts as
//! not said.

use std::time::Duration;

use crate::facts::Pid;

/// Longest text of a status that is kept, in characters.
const STATUS_MAX: usize = 256;
/// Longest name of a descriptor, as systemd has it.
const NAME_MAX: usize = 255;

/// One datagram, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// It is up, or has read its configuration again.
    pub ready: bool,
    /// It begins to read its configuration again.
    pub reloading: bool,
    /// It begins to go down.
    pub stopping: bool,
    /// What it does, for people; no control character is left in it.
    pub status: Option<String>,
    /// Its main process is another one.
    pub main_pid: Option<Pid>,
    /// A sign of life, or the opposite.
    pub watchdog: Option<Watchdog>,
    /// From now on the time between two signs of life is this.
    pub watchdog_time: Option<Duration>,
    /// It needs at least so long from now on for what it is doing.
    pub extend: Option<Duration>,
    /// What is to be done with the descriptors that came with it.
    pub descriptors: Descriptors,
}

/// What a sign says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watchdog {
    /// All is well.
    Alive,
    /// It is to be treated as if it had been silent for too long.
    Trigger,
}

/// What descriptors come for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Descriptors {
    /// Nothing: they are closed.
    #[default]
    Unwanted,
    /// They are kept for its next start.
    Keep {
        /// Under this name.
        name: String,
        /// Until their other side is gone or they fail.
        polled: bool,
    },
    /// Those of this name are kept no longer.
    Drop(String),
    /// Closing the one that came says that all before it was read.
    Barrier,
}

impl Notice {
    /// Reads a datagram.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut notice = Self::default();
        let (mut name, mut keep, mut drop) = ("stored".to_owned(), false, false);
        let mut polled = true;
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let Some((key, value)) = line.split_once('=') else { continue };
            let micros = || value.parse().ok().map(Duration::from_micros);
            match (key, value) {
                ("READY", "1") => notice.ready = true,
                ("RELOADING", "1") => notice.reloading = true,
                ("STOPPING", "1") => notice.stopping = true,
                ("STATUS", text) => notice.status = Some(plain(text)),
                ("MAINPID", number) => notice.main_pid = number.parse().ok().and_then(Pid::new),
                ("WATCHDOG", "1") => notice.watchdog = Some(Watchdog::Alive),
                ("WATCHDOG", "trigger") => notice.watchdog = Some(Watchdog::Trigger),
                ("WATCHDOG_USEC", _) => notice.watchdog_time = micros(),
                ("EXTEND_TIMEOUT_USEC", _) => notice.extend = micros(),
                ("FDSTORE", "1") => keep = true,
                ("FDSTOREREMOVE", "1") => drop = true,
                ("FDPOLL", "0") => polled = false,
                ("FDNAME", text) if is_name(text) => text.clone_into(&mut name),
                ("BARRIER", "1") => notice.descriptors = Descriptors::Barrier,
                _ => {}
            }
        }
        match (keep, drop) {
            (_, true) => notice.descriptors = Descriptors::Drop(name),
            (true, false) => notice.descriptors = Descriptors::Keep { name, polled },
            (false, false) => {}
        }
        notice
    }
}

/// What a terminal shows as it stands.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(STATUS_MAX).collect()
}

/// Names stand between colons in LISTEN_FDNAMES; sd_pid_notify_with_fds(3).
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(|b| fits(b) && b != b':')
}
