//! Whether and when a service comes back after its end: pure policy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Ended;
use super::random::Random;
use crate::config::spec::{Exits, OkExit, RestartSpec, RestartWhen, ServiceSpec};
use crate::facts::{Exit, Moment, SignalNumber};

/// What respawning remembers of a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct History {
    /// Restarts since the service last was up long enough.
    pub attempts: u32,
    /// Restarts ever.
    pub restarts: u32,
    /// Start and count of the running period of `burst`.
    pub burst: Option<(Moment, u32)>,
    /// Start and count of the running second, against a storm.
    pub storm: (Moment, u32),
}

impl History {
    /// Its restarts until now are no reason to wait for the next one, or to give up.
    pub fn forget(&mut self) {
        (self.attempts, self.burst) = (0, None);
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Start again at that time.
    Again(Moment),
    /// Too often.
    GiveUp(String),
    /// Not by policy.
    Stay,
}

/// Restarts a second of one service from which on even a delay of zero is no longer zero: a
/// program that dies at once must not take a whole CPU (OpenRC#264, systemd#3167).
const STORM: u32 = 100;
/// The delay then.
const STORM_DELAY: Duration = Duration::from_millis(100);

/// Whether that end of its main program counts as success. So does one that nobody saw, as with
/// systemd: there the end of a main process that is no child of it is noticed when the group is
/// empty, and is SERVICE_SUCCESS (src/core/service.c, main_pid_good and
/// service_notify_cgroup_empty_event).
pub fn is_success(spec: &ServiceSpec, ended: &Ended) -> bool {
    let exit = match ended {
        Ended::Exit(exit) => exit,
        Ended::Unseen => &Exit::SUCCESS,
        Ended::Early { .. }
        | Ended::NotExecuted(_)
        | Ended::TooSlow(_)
        | Ended::Silent(_)
        | Ended::GaveUp
        | Ended::Lingering(_)
        | Ended::Unhealthy { .. } => return false,
    };
    match (&*spec.ok_exit, exit) {
        (OkExit::Any, _) | (_, Exit::Code(0)) => true,
        (OkExit::Listed(listed), _) if listed.hold(exit) => true,
        (OkExit::Listed(_), Exit::Signal { number, .. }) => is_polite(*number),
        (OkExit::Listed(_), Exit::Code(_)) => false,
    }
}

/// Signals that ask a daemon to end, after which its end is no crash (systemd.service(5),
/// SuccessExitStatus).
fn is_polite(number: SignalNumber) -> bool {
    [SignalNumber::HUP, SignalNumber::INT, SignalNumber::TERM, SignalNumber::PIPE].contains(&number)
}

/// Decides after an end, which counts as a success or not; `up_for` is how long the service had
/// been up.
pub fn decide(
    spec: &ServiceSpec,
    history: &mut History,
    ended: &Ended,
    success: bool,
    up_for: Duration,
    now: Moment,
    random: &mut Random,
) -> Next {
    let policy = &spec.restart;
    let crash = match ended {
        Ended::Exit(Exit::Signal { .. }) => !success,
        Ended::Exit(Exit::Code(_))
        | Ended::Unseen
        | Ended::Early { .. }
        | Ended::NotExecuted(_) => false,
        Ended::TooSlow(_)
        | Ended::Silent(_)
        | Ended::GaveUp
        | Ended::Lingering(_)
        | Ended::Unhealthy { .. } => true,
    };
    // Nothing ran that its policy could have meant.
    let starved = matches!(ended, Ended::NotExecuted(error) if error.is_shortage());
    let again = match policy.when {
        RestartWhen::Always => true,
        RestartWhen::OnFailure => !success,
        RestartWhen::OnCrash => crash || starved,
        RestartWhen::OnSuccess => success || starved,
        RestartWhen::Never => false,
    };
    let named = |exits: &Exits| ended.exit().is_some_and(|exit| exits.hold(&exit));
    // RestartPreventExitStatus= outweighs RestartForceExitStatus=, systemd.service(5).
    if named(&policy.except) || !(again || named(&policy.also)) {
        return Next::Stay;
    }
    if up_for >= policy.reset {
        history.attempts = 0;
    }
    if !starved && let Some(reason) = exhausted(policy, history, now) {
        return Next::GiveUp(reason);
    }
    let delay = delay(policy, history.attempts, random).max(brake(history, now));
    history.attempts = history.attempts.saturating_add(1);
    history.restarts = history.restarts.saturating_add(1);
    Next::Again(now.after(delay))
}

/// Counts towards `burst`; the reason once it is spent.
fn exhausted(policy: &RestartSpec, history: &mut History, now: Moment) -> Option<String> {
    let burst = policy.burst?;
    let (since, count) = match history.burst {
        Some((since, count)) if now.since(since) < policy.within => (since, count),
        Some(_) | None => (now, 0),
    };
    history.burst = Some((since, count.saturating_add(1)));
    let many = if burst == 1 { "restart" } else { "restarts" };
    (count >= burst).then(|| format!("gave up after {burst} {many} in {:?}", policy.within))
}

/// The base delay doubled once for each attempt, up to the longest, and up to a quarter more, or
/// less where that would be longer than the longest, so that what fell together does not rise
/// together.
fn delay(policy: &RestartSpec, attempts: u32, random: &mut Random) -> Duration {
    let doubled = policy.delay.saturating_mul(1u32.checked_shl(attempts.min(20)).unwrap_or(1));
    let longest = policy.max_delay.max(policy.delay);
    let plain = doubled.min(longest);
    if attempts == 0 || plain.is_zero() {
        return plain;
    }
    let quarter = u64::try_from(plain.as_micros()).unwrap_or(u64::MAX).wrapping_div(4);
    let jitter = Duration::from_micros(random.below(quarter.saturating_add(1)));
    match plain.checked_add(jitter) {
        Some(longer) if longer <= longest => longer,
        _ => plain.saturating_sub(jitter),
    }
}

/// How long until sockets that could not be bound are tried again: never at once.
pub fn bind_delay(spec: &ServiceSpec, history: &mut History, random: &mut Random) -> Duration {
    let delay = delay(&spec.restart, history.attempts, random).max(STORM_DELAY);
    history.attempts = history.attempts.saturating_add(1);
    delay
}

/// Nothing, or the delay that breaks a storm.
pub fn brake(history: &mut History, now: Moment) -> Duration {
    let (since, count) = history.storm;
    let (since, count) =
        if now.since(since) < Duration::from_secs(1) { (since, count) } else { (now, 0) };
    history.storm = (since, count.saturating_add(1));
    if count >= STORM { STORM_DELAY } else { Duration::ZERO }
}
