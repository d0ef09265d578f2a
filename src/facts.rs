//! Plain values that every floor may name: process ids, exits, signals, errnos, moments.
//!
//! Nothing here asks the kernel for anything; `os` makes these values, the engine reads them.

pub mod capability;
pub mod glob;
pub mod log;

use std::fmt;
use std::num::NonZeroI32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A process other than PID 1, never 0, 1 or -1: those mean "my group", "me" and "everyone"
/// to kill(2), and a pid file may say any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// The pid as a checked value, or none for numbers that kill(2) takes in another sense.
    pub fn new(raw: i32) -> Option<Self> {
        if raw <= 1 { None } else { NonZeroI32::new(raw).map(Self) }
    }

    /// The number for a system call.
    pub fn raw(self) -> i32 {
        self.0.get()
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error number of the kernel, errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = nix::errno::Errno::from_raw(self.0);
        let words = match errno {
            // In the words of strerror(3): "try again" is no reason.
            nix::errno::Errno::EAGAIN => "Resource temporarily unavailable",
            _ => errno.desc(),
        };
        write!(f, "{words} ({errno:?})")
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Self(errno as i32)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// A signal, 1 to 64, real-time ones included: nix and std know only the first 31, and a
/// status they cannot name would be lost (signal(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignalNumber(u8);

/// The first real-time signal that a program may use under glibc and musl (signal(7)).
const SIGRTMIN: u8 = 34;

/// Names of the classic signals by number, without SIG.
const SIGNAL_NAMES: [(u8, &str); 31] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
];

impl SignalNumber {
    /// SIGHUP.
    pub const HUP: Self = Self(1);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGABRT, which leaves a core dump.
    pub const ABRT: Self = Self(6);
    /// SIGPIPE.
    pub const PIPE: Self = Self(13);
    /// SIGKILL, which no process can refuse.
    pub const KILL: Self = Self(9);
    /// SIGTERM, the polite request.
    pub const TERM: Self = Self(15);
    /// SIGCONT, so that a stopped process can act on what it is sent.
    pub const CONT: Self = Self(18);

    /// The signal of that number, if it is one.
    pub fn new(raw: i32) -> Option<Self> {
        u8::try_from(raw).ok().filter(|n| (1..=64).contains(n)).map(Self)
    }

    /// The number for a system call.
    pub fn raw(self) -> i32 {
        i32::from(self.0)
    }

    /// "TERM", "SIGTERM", "15", "RTMIN+3", "SIGRTMAX-1".
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Ok(number) = name.parse::<i32>() {
            return Self::new(number);
        }
        if let Some(rest) = name.strip_prefix("RTMIN") {
            let offset = if rest.is_empty() { 0 } else { rest.strip_prefix('+')?.parse().ok()? };
            return Self::new(i32::from(SIGRTMIN).checked_add(offset)?);
        }
        if let Some(rest) = name.strip_prefix("RTMAX") {
            let offset: i32 =
                if rest.is_empty() { 0 } else { rest.strip_prefix('-')?.parse().ok()? };
            return Self::new(64i32.checked_sub(offset)?).filter(|s| s.0 >= SIGRTMIN);
        }
        let name = if name == "POLL" { "IO" } else { name };
        SIGNAL_NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number))
    }
}

impl SignalNumber {
    /// Its name without SIG, or its number where it has none, as systemd writes it.
    pub fn word(self) -> String {
        let name = self.to_string();
        let bare = name.strip_prefix("SIG").or_else(|| name.strip_prefix("signal "));
        bare.unwrap_or(&name).to_owned()
    }
}

impl fmt::Display for SignalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNAL_NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => write!(f, "SIG{name}"),
            None if self.0 >= SIGRTMIN => {
                write!(f, "SIGRTMIN+{}", self.0.saturating_sub(SIGRTMIN))
            }
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// How a process ended, as waitid(2) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It called exit with this status, 0 to 255.
    Code(u8),
    /// A signal ended it.
    Signal {
        /// Which one.
        number: SignalNumber,
        /// Whether the kernel wrote a core dump.
        core: bool,
    },
}

impl Exit {
    /// Status 0: what every program means by success.
    pub const SUCCESS: Self = Self::Code(0);
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal { number, core: false } => write!(f, "killed by {number}"),
            Self::Signal { number, core: true } => write!(f, "killed by {number}, core dumped"),
        }
    }
}

/// A point on CLOCK_MONOTONIC in microseconds since the machine started: it never jumps, and
/// it is a parameter of the engine, never asked for by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl Moment {
    /// That much later; far away rather than wrapped.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The earlier of two that there may be.
    pub fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, None) => one,
            (None, other) => other,
        }
    }

    /// How long since `earlier`; zero if that is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The step at which starting a program failed. The child reports it with an errno, so that
/// a person reads "chdir /srv: No such file or directory" and not "status 127".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Stage {
    /// Making the process: clone3(2), pipes, stacks.
    Clone,
    /// Making or entering its control group.
    Cgroup,
    /// setsid(2).
    Session,
    /// Opening and taking its terminal.
    Tty,
    /// setrlimit(2).
    Limits,
    /// setpriority(2).
    Nice,
    /// Writing oom_score_adj.
    OomScore,
    /// chroot(2).
    Root,
    /// Looking up its user or group.
    User,
    /// setgroups(2).
    Groups,
    /// setgid(2).
    SetGid,
    /// setuid(2).
    SetUid,
    /// Keeping capabilities without being root: capset(2), prctl(PR_CAP_AMBIENT).
    Capabilities,
    /// chdir(2).
    Chdir,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    NoNewPrivileges,
    /// Moving descriptors into place.
    Descriptors,
    /// Reading a file of environment variables.
    EnvFile,
    /// Binding its sockets.
    Socket,
    /// Opening the file that it reads from.
    Stdin,
    /// execve(2).
    Exec,
}

impl Stage {
    /// All stages, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::Clone,
        Self::Cgroup,
        Self::Session,
        Self::Tty,
        Self::Limits,
        Self::Nice,
        Self::OomScore,
        Self::Root,
        Self::User,
        Self::Groups,
        Self::SetGid,
        Self::SetUid,
        Self::Capabilities,
        Self::Chdir,
        Self::NoNewPrivileges,
        Self::Descriptors,
        Self::EnvFile,
        Self::Socket,
        Self::Stdin,
        Self::Exec,
    ];

    /// The stage of that number, as read from a status pipe.
    pub fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.get(usize::from(raw)).copied()
    }

    /// The word that people know the step by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Cgroup => "cgroup",
            Self::Session => "setsid",
            Self::Tty => "tty",
            Self::Limits => "setrlimit",
            Self::Nice => "nice",
            Self::OomScore => "oom-score",
            Self::Root => "chroot",
            Self::User => "user",
            Self::Groups => "setgroups",
            Self::SetGid => "setgid",
            Self::SetUid => "setuid",
            Self::Capabilities => "capabilities",
            Self::Chdir => "chdir",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Descriptors => "descriptors",
            Self::EnvFile => "env-file",
            Self::Socket => "socket",
            Self::Stdin => "stdin",
            Self::Exec => "exec",
        }
    }
}

/// Why a program did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnError {
    /// At which step.
    pub stage: Stage,
    /// What the kernel said.
    pub errno: Errno,
    /// The path, user or limit it was about; may be empty.
    pub subject: String,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stage.word())?;
        if !self.subject.is_empty() {
            write!(f, " {}", self.subject)?;
        }
        write!(f, ": {}", self.errno)
    }
}

impl std::error::Error for SpawnError {}

impl SpawnError {
    /// One that is about nothing that has a name.
    pub fn at(stage: Stage, errno: Errno) -> Self {
        Self { stage, errno, subject: String::new() }
    }

    /// Whether the machine was short of processes, memory or descriptors, which is no fault of the
    /// program and may be over by the next attempt; clone(2), execve(2).
    pub fn is_shortage(&self) -> bool {
        [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE].contains(&self.errno.0)
    }
}

/// The status with which whoever looks for the daemon that a program has left behind says that
/// nobody is left who could be it.
pub const NOBODY_LEFT: u8 = 3;

/// Longest span of time that can be written: a hundred years. Everything longer is a slip of the
/// keyboard, and adding it to any moment stays far from the end of the numbers.
const SPAN_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Why a text is no span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanError {
    /// It is a number alone.
    NoUnit,
    /// It is written in another form.
    Form,
    /// It is longer than a hundred years.
    TooLong,
}

/// Reads "250ms", "10s", "1h30m".
pub fn time_span(text: &str) -> Result<Duration, SpanError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SpanError::NoUnit);
    }
    let split = |text: &'_ str, fits: fn(&char) -> bool| {
        text.len().saturating_sub(text.trim_start_matches(|c: char| fits(&c)).len())
    };
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = split(rest, char::is_ascii_digit);
        let (number, tail) = rest.split_at_checked(digits).ok_or(SpanError::Form)?;
        let letters = split(tail, char::is_ascii_alphabetic);
        let (unit, tail) = tail.split_at_checked(letters).ok_or(SpanError::Form)?;
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            "w" => 604_800_000_000,
            _ => return Err(SpanError::Form),
        };
        let number: u64 = number.parse().map_err(|_| SpanError::Form)?;
        let part = number.checked_mul(micros).map(Duration::from_micros);
        let sum = part.and_then(|part| total.checked_add(part)).filter(|sum| *sum <= SPAN_MAX);
        total = sum.ok_or(SpanError::TooLong)?;
        rest = tail;
    }
    if text.is_empty() { Err(SpanError::Form) } else { Ok(total) }
}
