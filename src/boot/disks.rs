//! The file systems of fstab(5) and the swap space: mount(8) and swapon(8) do the work.

use std::path::Path;
use std::time::Duration;

use super::fstab::Entry;
use super::{Context, Done, Report, Tools, fsck, fstab, mounts, program};
use crate::os;
use crate::os::mount::Mount;

/// Mounting may replay a long journal.
const LOCAL: Duration = Duration::from_secs(5 * 60);

/// A server that does not answer is not waited for much longer than a person would.
const NETWORK: Duration = Duration::from_secs(90);

const REMOUNT: Duration = Duration::from_secs(60);
const SWAP: Duration = Duration::from_secs(60);

/// File systems that nobody can write to.
const NEVER_WRITABLE: [&str; 5] = ["squashfs", "erofs", "iso9660", "cramfs", "romfs"];

/// fstab(5) without what is not to be mounted.
const REST: &str = "/run/finitd/fstab";

/// Makes the root writable, with the options of its line in fstab(5).
pub(super) async fn remount_root(context: &Context, tools: &impl Tools) -> Report {
    let entries = if context.boot.fstab { fstab::read(context) } else { Vec::new() };
    let entry = entries.iter().find(|entry| entry.target == "/" && entry.fstype != "swap");
    if entry.is_some_and(|entry| entry.has("ro")) {
        return Ok(Done::Skipped("fstab says ro"));
    }
    if fsck::damaged(context).iter().any(|target| target == "/") {
        return Err("/ stays read-only, since errors are left on it".to_owned());
    }
    let options = options(PLAIN, entry);
    let mounts = mounts::now(context);
    if let Some(root) = mounts.iter().rfind(|mount| mount.target == b"/") {
        if NEVER_WRITABLE.iter().any(|fstype| root.fstype == fstype.as_bytes()) {
            return Ok(Done::Skipped("its file system cannot be written to"));
        }
        if !is_read_only(root) && options == PLAIN {
            return Ok(Done::Skipped("the root is writable already"));
        }
    }
    match program::call(tools, &["mount", "-o", &options, "/"], REMOUNT).await {
        Ok(()) => Ok(Done::Worked),
        Err(trouble) => Err(trouble.fatal("mount")),
    }
}

/// Mounts what does not need the network.
pub(super) async fn mount_local(context: &Context, tools: &impl Tools) -> Report {
    if !fstab::read(context).iter().any(Entry::is_mounted_locally) {
        return Ok(Done::Skipped("fstab names no local file systems"));
    }
    let mut troubles = remount(context, tools).await;
    let types = format!("no{}", fstab::network_types());
    let mut program: Vec<&str> = vec!["mount", "-a", "-t", &types, "-O", "no_netdev"];
    let mut damaged = fsck::damaged(context);
    damaged.retain(|target| target != "/");
    if !damaged.is_empty() {
        let text = fstab::without(context, &damaged);
        os::fds::create_file(&context.path(REST), text.as_bytes(), 0o644)
            .map_err(|errno| format!("{REST}: {errno}"))?;
        program.extend(["-T", REST]);
        let told = damaged.iter().map(|target| format!("{target}: not mounted, errors are left"));
        troubles.extend(told);
    }
    let mounted = program::call(tools, &program, LOCAL).await;
    troubles.extend(mounted.err().map(|trouble| trouble.fatal("mount")));
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Gives what is mounted already the options of its line, which `mount -a` passes over: what an
/// initramfs has mounted for itself and read-only, as /usr, and the kernel's own file systems, as
/// those that are hardened by `hidepid=2` on /proc or `noexec` on /dev/shm.
async fn remount(context: &Context, tools: &impl Tools) -> Vec<String> {
    let mounts = mounts::now(context);
    let mut entries = fstab::read(context);
    entries.retain(Entry::is_mounted_locally);
    let mut troubles = Vec::new();
    for entry in &entries {
        let Some(options) = options_to_change(entry, &mounts) else { continue };
        let program: [&str; 4] = ["mount", "-o", &options, &entry.target];
        let remounted = program::call(tools, &program, REMOUNT).await;
        troubles.extend(remounted.err().map(|trouble| trouble.fatal("mount")));
    }
    troubles
}

/// Options for the remount of what is mounted already, if it is to have others.
fn options_to_change(entry: &Entry, mounts: &[Mount]) -> Option<String> {
    let mount = mounts.iter().rfind(|mount| mount.target == entry.target.as_bytes())?;
    if let Some((fstype, own)) = mounts::own_options(&entry.target) {
        let usual = format!("remount,{own}");
        let options = options(&usual, Some(entry));
        return (mount.fstype == fstype.as_bytes() && options != usual).then_some(options);
    }
    if entry.target != "/usr" && !entry.has("x-initrd.mount") {
        return None;
    }
    let options = options(if entry.has("ro") { "remount" } else { PLAIN }, Some(entry));
    (options != PLAIN || is_read_only(mount)).then_some(options)
}

fn is_read_only(mount: &Mount) -> bool {
    mount.options.split(|byte| *byte == b',').any(|word| word == b"ro")
}

/// Mounts what needs the network: by its type, or because its line says `_netdev`. Side by side,
/// so that a server that does not answer holds up no other; what lies below another waits for it.
pub(super) async fn mount_network(context: &Context, tools: &impl Tools) -> Report {
    let mut wanted = fstab::read(context);
    wanted.retain(Entry::is_mounted_remotely);
    if wanted.is_empty() {
        return Ok(Done::Skipped("fstab names no network file systems"));
    }
    // What is there already, when this is tried again, mount(8) would refuse.
    let there = mounts::now(context);
    wanted.retain(|entry| !there.iter().any(|mount| mount.target == entry.target.as_bytes()));
    let mut missing: Vec<String> = Vec::new();
    let mut troubles = Vec::new();
    while !wanted.is_empty() {
        let waiting: Vec<String> = wanted.iter().map(|entry| entry.target.clone()).collect();
        let is_below = |entry: &Entry| {
            let others =
                waiting.iter().filter(|above| Path::new(above) != Path::new(&entry.target));
            entry.is_below(others)
        };
        let (later, next): (Vec<Entry>, Vec<Entry>) = wanted.into_iter().partition(is_below);
        let (lost, next): (Vec<Entry>, Vec<Entry>) =
            next.into_iter().partition(|entry| entry.is_below(&missing));
        let told = |entry: &Entry| format!("{}: what is above it is not there", entry.target);
        troubles.extend(lost.iter().map(told));
        let results = program::together(next.iter().map(|entry| mount_remote(entry, tools))).await;
        for (entry, result) in next.iter().zip(results) {
            if let Err(why) = result {
                missing.push(entry.target.clone());
                troubles.push(why);
            }
        }
        wanted = later;
    }
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

async fn mount_remote(entry: &Entry, tools: &impl Tools) -> Result<(), String> {
    match program::call(tools, &["mount", &entry.target], NETWORK).await {
        Ok(()) => Ok(()),
        Err(trouble) => Err(format!("{}: {}", entry.target, trouble.fatal("mount"))),
    }
}

/// Uses the swap space.
pub(super) async fn swap(context: &Context, tools: &impl Tools) -> Report {
    if !fstab::read(context).iter().any(Entry::is_swap) {
        return Ok(Done::Skipped("fstab names no swap space"));
    }
    match program::call(tools, &["swapon", "-a"], SWAP).await {
        Ok(()) => Ok(Done::Worked),
        Err(trouble) => Err(trouble.fatal("swapon")),
    }
}

const PLAIN: &str = "remount,rw";

/// Options for a remount, the usual ones and those of the line; words for fstab(5)'s other readers
/// would reach the kernel through a simple mount(8) and be refused.
fn options(usual: &str, entry: Option<&Entry>) -> String {
    let mut options = vec![usual];
    for option in entry.iter().flat_map(|entry| &entry.options) {
        let for_others = ["defaults", "rw", "auto", "noauto", "nofail", "user", "users", "_netdev"]
            .contains(&option.as_str());
        if !option.is_empty() && !for_others && !option.starts_with("x-") {
            options.push(option);
        }
    }
    options.join(",")
}
