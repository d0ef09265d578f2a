//! When a service counts as up, when it comes back, how it is stopped.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::exec::Hook;
use super::health::Health;
use super::sockets::Address;
use crate::facts::{Exit, SignalNumber};

/// When a service counts as up, and what it may tell of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// When.
    pub when: Ready,
    /// Who of it may tell, sd_notify(3).
    pub notify_from: NotifyFrom,
    /// The longest time between two of its signs of life, once it is up; sd_watchdog_enabled(3).
    pub watchdog: Option<Duration>,
    /// The check that is repeated while it is up; most have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Box<Health>>,
}

impl Readiness {
    /// Whether it is given a socket to tell of itself.
    pub fn listens(&self) -> bool {
        self.when == Ready::Notify || self.watchdog.is_some() || self.when.pidfile().is_some()
    }
}

/// When a service counts as up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// Its program is executed.
    Exec,
    /// It ended with success (tasks).
    Exit,
    /// It says so, sd_notify(3).
    Notify,
    /// It writes a line to this descriptor, as services of s6 do.
    Descriptor(u8),
    /// Somebody else finds that it is.
    Found(Probe),
}

/// How somebody else finds that a service is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// The started program has ended with success, and this file names the process that it left
    /// behind: from then on that is the main one, daemon(7).
    Forked(PathBuf),
    /// Somebody accepts connections there.
    Accepts(Address),
    /// There is such a file.
    File(PathBuf),
    /// Somebody has this name on the system bus.
    Bus(String),
    /// This command ends with success; it is run again and again, with so much time in between.
    Command(Box<Hook>, Duration),
}

impl Ready {
    /// The file that names the main process.
    pub fn pidfile(&self) -> Option<&Path> {
        match self {
            Self::Found(Probe::Forked(path)) => Some(path),
            Self::Found(_) | Self::Exec | Self::Exit | Self::Notify | Self::Descriptor(_) => None,
        }
    }
}

impl fmt::Display for Ready {
    /// As the file spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec => f.write_str("exec"),
            Self::Exit => f.write_str("exit"),
            Self::Notify => f.write_str("notify"),
            Self::Descriptor(number) => write!(f, "fd:{number}"),
            Self::Found(Probe::Forked(path)) => write!(f, "forked, {}", path.display()),
            Self::Found(Probe::Accepts(address)) => address.fmt(f),
            Self::Found(Probe::File(path)) => write!(f, "file:{}", path.display()),
            Self::Found(Probe::Bus(name)) => write!(f, "dbus:{name}"),
            Self::Found(Probe::Command(..)) => f.write_str("command"),
        }
    }
}

/// Whose words count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotifyFrom {
    /// Those of its main process and of the commands around it.
    Main,
    /// Those of each of its processes.
    Any,
}

/// When a service comes back after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartSpec {
    /// After which ends.
    pub when: RestartWhen,
    /// First delay.
    pub delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
    /// Up for this long, the delay starts small again.
    pub reset: Duration,
    /// Give up after this many restarts …
    pub burst: Option<u32>,
    /// … within this time.
    pub within: Duration,
    /// Ends after which it does not come back, whatever else is said.
    pub except: Exits,
    /// Further ends after which it does.
    pub also: Exits,
}

/// Ends of a process, by status or signal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exits {
    /// Exit statuses.
    pub codes: Vec<u8>,
    /// Signals that ended it.
    pub signals: Vec<SignalNumber>,
}

impl Exits {
    /// Whether that end is one of them.
    pub fn hold(&self, exit: &Exit) -> bool {
        match exit {
            Exit::Code(code) => self.codes.contains(code),
            Exit::Signal { number, .. } => self.signals.contains(number),
        }
    }
}

/// After which ends a service comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartWhen {
    /// Every end.
    Always,
    /// Ends that are no success.
    OnFailure,
    /// Signals and timeouts only.
    OnCrash,
    /// Success only.
    OnSuccess,
    /// Never.
    Never,
}

/// Exits that count as success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OkExit {
    /// Status 0, the stop signal, and these.
    Listed(Exits),
    /// All.
    Any,
}

/// How a service is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// First signal.
    pub signal: SignalNumber,
    /// How long until SIGKILL; none for never.
    pub timeout: Option<Duration>,
    /// Who gets the signals.
    pub scope: StopScope,
    /// Run instead of the first signal.
    pub command: Option<Hook>,
    /// Whether SIGKILL follows the timeout.
    pub kill: bool,
    /// Whether SIGHUP follows the first signal at once (shells).
    pub hup: bool,
}

/// Who gets the stop signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopScope {
    /// Everything in its control group; its process group where there is none.
    Cgroup,
    /// The main process alone; the rest lives on (sshd, container engines).
    Main,
    /// The main process first, at the timeout everything.
    Mixed,
    /// Nobody.
    None,
}
