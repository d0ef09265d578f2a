//! Keys that the contract promises and this version does not carry out.

use super::{Key, later};

const IN: &str = "service";

pub(super) const KEYS: [Key; 17] = [
    later(IN, "directories", "Folders made for it before it starts."),
    later(IN, "resources", "Limits of its control group."),
    later(IN, "slice", "The control group that its own one is part of."),
    later(IN, "delegate", "Leaves its control group to the service."),
    later(IN, "oom-policy", "What happens when one of its processes runs out of memory."),
    later(IN, "io-priority", "Its priority for disks."),
    later(IN, "cpu-scheduler", "Its scheduling policy."),
    later(IN, "cpus", "The processors that it may use."),
    later(IN, "idle-stop", "Stops it after a time without a connection."),
    later(IN, "sandbox", "What it may not see or do."),
    later("boot", "mounts", "File systems mounted beside those of fstab(5)."),
    later("shutdown", "power-button", "What the power button does."),
    later("control", "group", "A group whose members may operate the services that list it."),
    later("log", "level", "Least important messages of finit itself that are written."),
    later("log", "console", "Which messages of finit itself appear on the console."),
    later("target", "after", "What a target comes later than."),
    later("target", "description", "One line for people."),
];
