//! What is executed, as whom, with which words, and what runs beside it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::output::{LogTarget, OwnLog};
use crate::facts::SignalNumber;
use crate::facts::capability::Capabilities;

/// A command line, split into words but with its variables still in it: they are filled in
/// from the environment that the service gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// At least one. Each start carries them to the driver, and none changes them.
    pub words: Arc<[Word]>,
}

/// One word of a command line.
pub type Word = Box<[Piece]>;

/// Part of a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// `${VAR}`: the value as part of one word.
    Whole(String),
    /// `$VAR`, alone in its word: the value split at white space, possibly into nothing.
    Split(String),
}

/// As whom a program runs, and what it finds around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Run as this user (name or number); root without.
    pub user: Option<String>,
    /// Run as a user and group that exist only while it runs, instead of one of passwd(5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dynamic_user: bool,
    /// Its group, instead of the user's own.
    pub group: Option<String>,
    /// Further groups, instead of the user's own.
    pub groups: Option<Vec<String>>,
    /// What it keeps though its user is not root; ambient capabilities, capabilities(7).
    #[serde(default, skip_serializing_if = "Capabilities::is_none")]
    pub capabilities: Capabilities,
    /// File mode creation mask.
    pub umask: u32,
    /// Working folder; `/` without.
    pub cwd: Option<String>,
    /// chroot(2) into this.
    pub root: Option<String>,
    /// Variables, in order.
    pub env: Vec<(String, String)>,
    /// Files of variables; the flag says whether it may be missing.
    pub env_files: Vec<(PathBuf, Missing)>,
    /// Variables of PID 1's own environment that are passed on.
    pub env_pass: Vec<String>,
    /// Variables taken out again.
    pub env_unset: Vec<String>,
    /// Resource limits as setrlimit(2) takes them: RLIMIT_ number, soft, hard.
    pub limits: Vec<(u32, u64, u64)>,
    /// -20 to 19.
    pub nice: Option<i32>,
    /// oom_score_adj, -1000 to 1000.
    pub oom_score: Option<i32>,
    /// Terminal that it gets as its controlling one, a name under /dev.
    pub tty: Option<String>,
    /// What it reads from.
    #[serde(default)]
    pub stdin: Stdin,
    /// What the records of its terminal in utmp(5) go by; none are written without.
    #[serde(default)]
    pub utmp: Option<String>,
    /// Where its output goes.
    pub log: LogTarget,
    /// What else it says of its lines; most say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_log: Option<Box<OwnLog>>,
    /// Whether execve(2) may never give it more rights; PR_SET_NO_NEW_PRIVS of prctl(2).
    pub no_new_privileges: bool,
}

/// Whether a file may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// A missing file is no error.
    Allowed,
    /// A missing file fails the start.
    Error,
}

/// What a program reads from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Stdin {
    /// Its terminal or its connection, and without one nothing: /dev/null.
    #[default]
    Usual,
    /// This file.
    File(PathBuf),
    /// The one socket that is held for it, which it writes to as well.
    Socket,
}

/// A command that runs beside the main one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What is run.
    pub command: CommandLine,
    /// Whether its failure is overlooked.
    pub may_fail: bool,
    /// As whom, instead of the service's own user.
    pub user: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// Commands around the main one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hooks {
    /// Before each start, in order; a failure is a failed start.
    pub before_start: Vec<Hook>,
    /// After it became ready.
    pub after_start: Vec<Hook>,
    /// After each end.
    pub after_stop: Vec<Hook>,
    /// How it re-reads its own configuration.
    pub reload: Vec<ReloadAction>,
}

/// One step of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReloadAction {
    /// Send this to the main process.
    Signal(SignalNumber),
    /// Run this.
    Run(Hook),
}
