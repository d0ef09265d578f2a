//! What to do about a failure: the half sentence that a tired person would have to look up.

use crate::config::spec::{self, Remedy};
use crate::proto::{ServiceReport, StateWord};

/// Next steps by what a reason begins with; `{}` is the name of the service.
const STEPS: &[(&str, &str)] = &[
    ("exec ", "fix the command in /etc/finit.toml and run: finitctl start {}"),
    ("chdir ", "make the folder or fix `cwd` in /etc/finit.toml, and run: finitctl start {}"),
    ("chroot ", "make the folder or fix `root` in /etc/finit.toml, and run: finitctl start {}"),
    (
        "user of its own ",
        "stop another that has one, or take `dynamic-user` out of /etc/finit.toml, and run: \
         finitctl start {}",
    ),
    ("user ", "make the user or fix `user` in /etc/finit.toml, and run: finitctl start {}"),
    ("env-file ", "make the file or fix `env-file` in /etc/finit.toml, and run: finitctl start {}"),
    (
        "capabilities ",
        "have whoever started finit give it that, or take it out of `capabilities` in \
         /etc/finit.toml, and run: finitctl start {}",
    ),
    ("setrlimit ", "fix `limits` in /etc/finit.toml and run: finitctl start {}"),
    ("stdin ", "make the file or fix `stdin` in /etc/finit.toml, and run: finitctl start {}"),
    ("tty ", "fix `tty` in /etc/finit.toml and run: finitctl start {}"),
    ("assert.", "see to that, or fix `assert` in /etc/finit.toml, and run: finitctl start {}"),
    ("socket ", "fix its address in /etc/finit.toml and run: finitctl start {}"),
];

/// For an address that another has.
const FREE_THE_ADDRESS: &str = "see who holds it (ss -lptn), then run: finitctl start {}";

/// For a step of the boot, which has no log.
const MEND_A_STEP: &str = "see to that and run: finitctl start {}";

/// What to do about a service; empty if nothing is wrong with it, or if its reason says so.
pub fn for_service(service: &ServiceReport) -> String {
    for_state(&service.name, service.state, &service.reason)
}

/// What to do about news of a job, which begin with a state: "failed: exec /x: …".
pub fn for_message(name: &str, message: &str) -> String {
    let bad = [StateWord::Failed, StateWord::Restarting, StateWord::Waiting];
    let found =
        bad.into_iter().find_map(|state| Some((state, message.strip_prefix(state.word())?)));
    found.map_or_else(String::new, |(state, rest)| for_state(name, state, rest))
}

/// What the end of a job in a wait means, in full; none if it does not end in one.
pub fn for_wait(name: &str, message: &str) -> Option<String> {
    let on = message.strip_prefix(StateWord::Waiting.word())?.strip_prefix(": waits for ")?;
    // "db, which is stopped", "a (failed) or b (stopped)", "/run/db"; and then what else there is.
    let on = on.split([',', ';']).next()?;
    let there = match (on.starts_with('/'), on.contains(" or ")) {
        (true, _) => "it is there",
        (false, true) => "one of them is up",
        (false, false) => "it is up",
    };
    Some(format!("{name} waits for {on} and comes by itself once {there}"))
}

fn for_state(name: &str, state: StateWord, reason: &str) -> String {
    let reason = bare(state, reason);
    if reason.contains("finitctl ") {
        return String::new();
    }
    // "waits for db, which is failed": the way leads there.
    let waits_for = reason.strip_prefix("waits for ").and_then(|rest| rest.split(',').next());
    // "waits for a (failed) or b (stopped)": several ways lead there.
    if state == StateWord::Waiting && reason.contains(&format!(" ({})", StateWord::Failed.word())) {
        return format!("see why: finitctl why {name}");
    }
    let left_out = reason.strip_prefix("left out: ");
    let needed = reason.split_once("which was left out: ").map(|(_, mistake)| mistake);
    let needed = needed.filter(|_| state == StateWord::Waiting && waits_for.is_none());
    if let Some(mistake) = left_out.or(needed) {
        return mend(mistake).to_owned();
    }
    // A path is waited for too, and nothing is to be done but to make it.
    let waits_for = waits_for.filter(|name| !name.starts_with('/'));
    let step = STEPS.iter().find(|(start, _)| reason.starts_with(start)).map(|(_, step)| *step);
    let is_taken = reason.starts_with("socket ") && reason.contains("(EADDRINUSE)");
    let step = if is_taken { Some(FREE_THE_ADDRESS) } else { step };
    let step = if spec::STEPS.contains(&name) { Some(MEND_A_STEP) } else { step };
    match (state, waits_for) {
        (StateWord::Waiting, Some(other)) if reason.ends_with(StateWord::Failed.word()) => {
            format!("see why: finitctl status {other}")
        }
        (StateWord::Failed | StateWord::Restarting, _) => {
            step.unwrap_or("see why: finitctl logs {}").replace("{}", name)
        }
        _ => String::new(),
    }
}

/// For what is left out, and for who needs it.
fn mend(mistake: &str) -> &'static str {
    match Remedy::of(mistake) {
        Remedy::File => "mend the file, which finitctl check shows, and run: finitctl apply",
        Remedy::Look => {
            "see to that, or fix `instances` in /etc/finit.toml, and run: finitctl apply"
        }
        Remedy::Instance => {
            "make one where `instances` in /etc/finit.toml looks, and run: finitctl apply"
        }
    }
}

/// A reason without the word of the state, which it often repeats.
pub fn bare(state: StateWord, reason: &str) -> &str {
    reason.strip_prefix(state.word()).unwrap_or(reason).trim_start_matches([':', ' '])
}
