//! The boot steps in the graph: what each one waits for, and which milestones they reach.
//!
//! All of it is order, never need: a failed step is told, and the boot goes on.

use super::spec::{FIND_INSTANCES, STEPS};

/// What a step waits for: other steps, or milestones.
pub fn after(step: &str) -> &'static [&'static str] {
    match step {
        "cgroups" | "hostname" | "loopback" | "modules" => &["mount-virtual"],
        "devices" => &["mount-virtual", "modules"],
        "console" | "clock" | "fsck" => &["devices"],
        "sysctl" => &["modules"],
        "remount-root" => &["fsck"],
        // The root is long writable when a person mends a disk and has both run again.
        "mount-local" => &["fsck", "remount-root"],
        "swap" | "random-seed" | "machine-id" | FIND_INSTANCES => &["mount-local"],
        "tmpfiles" => &["mount-local", "machine-id"],
        "nologin" => &["tmpfiles"],
        "mount-network" => &["mount-local", "network", "network-online"],
        _ => &[],
    }
}

/// What a milestone waits for, beside those who provide it.
pub fn reached_by(milestone: &str) -> &'static [&'static str] {
    match milestone {
        "sysinit" => {
            // All but the network's file systems and what may be slow to find, which hold up
            // nobody else.
            let [local @ .., _find_instances, _mount_network] = &STEPS;
            local
        }
        "local-fs" => &["mount-local"],
        "remote-fs" => &["mount-network"],
        "user-sessions" => &["nologin"],
        _ => &[],
    }
}

/// Steps that see for themselves what is left to be done, so that a person may have them run again
/// though they are done: a disk that may be missing comes an hour later.
pub const REPEATABLE: [&str; 4] = ["fsck", "mount-local", "swap", "mount-network"];

/// The target in which the boot does the least.
pub const EMERGENCY: &str = "emergency";

/// The steps that it takes there: nothing in them could be the reason for the emergency.
pub const IN_EMERGENCY: [&str; 3] = ["mount-virtual", "cgroups", "console"];

/// What is said of the others: they are run when a person asks for them, or for another target.
pub const SPARED: &str = "left out in an emergency";

/// What a service of the stage `early` waits for.
pub const EARLY: [&str; 2] = ["mount-virtual", "cgroups"];

/// What every other service waits for.
pub const MAIN: &str = "sysinit";
