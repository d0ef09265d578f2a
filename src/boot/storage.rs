//! What stands between a file system and its disk, and is released before the end: swap space,
//! loop devices, mappings, arrays. Each tool releases what nobody uses and leaves the rest.

use std::time::Duration;

use super::{Context, Tools, conf, program};

/// Reading everything back from swap takes its time; what is not in memory by then is lost
/// with the machine anyway.
const SWAPOFF: Duration = Duration::from_secs(20);

const RELEASE: Duration = Duration::from_secs(5);

/// Kinds of block devices by the beginning of their names, and who releases them. udev is gone
/// at that point: dmsetup is not to wait for it.
const KINDS: [(&str, &[&str]); 3] = [
    ("loop", &["losetup", "-D"]),
    ("dm-", &["dmsetup", "remove_all", "--noudevsync"]),
    ("md", &["mdadm", "--stop", "--scan"]),
];

/// Stops using swap space; whether there was any to stop. Failing is allowed: there may be more
/// in it than memory takes.
pub(super) async fn swap_off(context: &Context, tools: &impl Tools, left: Duration) -> bool {
    // The first line is a heading.
    let swaps = conf::read(&context.path("/proc/swaps")).unwrap_or_default();
    let in_use = swaps.lines().count() > 1;
    if in_use {
        program::call(tools, &["swapoff", "-a"], SWAPOFF.min(left)).await.ok();
    }
    in_use
}

/// Releases what nobody uses; whether anything was.
pub(super) async fn release(context: &Context, tools: &impl Tools, left: Duration) -> bool {
    let before = in_use(context);
    for (kind, program) in KINDS {
        if before.iter().any(|name| name.starts_with(kind)) {
            program::call(tools, program, RELEASE.min(left)).await.ok();
        }
    }
    !before.is_empty() && in_use(context).len() < before.len()
}

/// Names of the devices of these kinds that have something behind them.
fn in_use(context: &Context) -> Vec<String> {
    let folder = context.path("/sys/block");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| KINDS.iter().any(|(kind, _)| name.starts_with(kind)))
        // The kernel keeps empty loop devices in stock.
        .filter(|name| !name.starts_with("loop") || folder.join(name).join("loop").exists())
        .collect()
}
