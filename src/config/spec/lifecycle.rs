//! When a service counts as up, when it comes back, how it is stopped.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::exec::Hook;
use crate::facts::SignalNumber;

/// When a service counts as up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// Its program is executed.
    Exec,
    /// It ended with success (tasks).
    Exit,
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
    /// Status 0, the stop signal, and these codes and signals.
    Listed {
        /// Further codes.
        codes: Vec<u8>,
        /// Further signals.
        signals: Vec<SignalNumber>,
    },
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
