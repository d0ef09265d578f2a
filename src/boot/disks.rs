//! The file systems of fstab(5) and the swap space: mount(8) and swapon(8) do the work.

use std::time::Duration;

use super::fstab::Entry;
use super::{Context, Done, MYSELF, Report, Tools};
use super::{crypt, devices, fsck, fstab, mount_point, mounts, notes, program};
use crate::facts::Exit;
use crate::os::mount::Mount;

/// Note of the targets without the network that are not mounted, for what lies on them.
const MISSING: &str = "missing";

/// Note of the targets that may be missing and were, for a second look.
const LATE: &str = "late";

/// How some file systems are mounted.
struct Way {
    /// For one of them.
    deadline: Duration,
    /// Most that are mounted side by side.
    at_once: usize,
}

/// Mounting may replay a long journal. One by one, as `mount -a` does: a line may need one before
/// it in a way that nobody but its author knows.
const LOCAL: Way = Way { deadline: Duration::from_secs(5 * 60), at_once: 1 };

/// A server that does not answer is not waited for much longer than a person would, and holds up
/// no other.
const NETWORK: Way = Way { deadline: Duration::from_secs(90), at_once: usize::MAX };

const REMOUNT: Duration = Duration::from_secs(60);
const SWAP: Duration = Duration::from_secs(60);

/// File systems that nobody can write to.
const NEVER_WRITABLE: [&str; 5] = ["squashfs", "erofs", "iso9660", "cramfs", "romfs"];

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

/// The lines of fstab(5) that [`mount_local`] is to mount, or has mounted.
pub(super) fn will_mount(context: &Context) -> Vec<Entry> {
    if context.boot.skips("mount-local") || !context.boot.fstab {
        Vec::new()
    } else {
        fstab::mounted(context).0
    }
}

/// Mounts what does not need the network.
pub(super) async fn mount_local(context: &Context, tools: &impl Tools) -> Report {
    let (local, _) = fstab::mounted(context);
    let is_none = local.is_empty();
    let mut troubles = remount(&local, context, tools).await;
    let outcome = mount_all(local, fsck::damaged(context), LOCAL, context, tools).await;
    troubles.extend(outcome.noted(context));
    match troubles.is_empty() {
        true if is_none => Ok(Done::Skipped("fstab names no local file systems")),
        true => Ok(Done::Worked),
        false => Err(troubles.join("; ")),
    }
}

/// Opens and mounts what needs the network, or lies on something that does; and what has come late.
pub(super) async fn mount_network(context: &Context, tools: &impl Tools) -> Report {
    let late = mount_late(context, tools).await;
    let (_, network) = fstab::mounted(context);
    let closed = crypt::closed(true, context);
    if late.is_none() && network.is_empty() && closed.is_empty() {
        return Ok(Done::Skipped("fstab names no network file systems"));
    }
    let mut troubles = late.unwrap_or_default();
    troubles.extend(devices::open_disks(closed, context, tools).await.err());
    let mut missing = fsck::damaged(context);
    missing.extend(notes::read(MISSING, context));
    troubles.extend(mount_all(network, missing, NETWORK, context, tools).await.troubles);
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Checks and mounts local disks that may be missing and have come since the others were mounted,
/// for which nobody was held up, and tells which have not. What went wrong, if one has come.
async fn mount_late(context: &Context, tools: &impl Tools) -> Option<Vec<String>> {
    let late = notes::read(LATE, context);
    let mut entries = fstab::mounted(context).0;
    entries.retain(|entry| late.contains(&entry.target));
    let mounts = mounts::now(context);
    entries.retain(|entry| mounts.iter().all(|mount| mount.target != entry.target.as_bytes()));
    for entry in entries.iter().filter(|entry| entry.is_absent(context)) {
        let node = entry.device_node().unwrap_or_default();
        let then = "once it is, finitctl start mount-network";
        let target = &entry.target;
        tools.say(&format!("mount-network: {target} is not mounted, {node} is not there; {then}"));
    }
    // With what lies on them, which has no device.
    let has_come = |entry: &Entry| entry.device_node().is_some() && !entry.is_absent(context);
    if !entries.iter().any(has_come) {
        return None;
    }
    let there: Vec<Entry> = entries.iter().filter(|entry| has_come(entry)).cloned().collect();
    let mut troubles = fsck::fsck_late(&there, context, tools).await;
    let mut missing = notes::read(MISSING, context);
    missing.retain(|target| entries.iter().all(|entry| entry.target != *target));
    missing.extend(fsck::damaged(context));
    let late: Vec<String> = entries.iter().map(|entry| entry.target.clone()).collect();
    let mut outcome = mount_all(entries, missing, LOCAL, context, tools).await;
    // What was tried in vain is tried again with this step, which has failed: nobody else does.
    outcome.late = late;
    outcome.late.retain(|target| outcome.missing.contains(target));
    troubles.extend(outcome.noted(context));
    Some(troubles)
}

/// What became of mounting.
#[derive(Debug, Default)]
struct Outcome {
    /// What went wrong.
    troubles: Vec<String>,
    /// All targets that are missing, those that were before among them.
    missing: Vec<String>,
    /// Those of them that are to have a second look: they may be missing, and were not tried.
    late: Vec<String>,
}

impl Outcome {
    /// Notes what is missing, for later steps; what went wrong.
    fn noted(self, context: &Context) -> Vec<String> {
        notes::write(MISSING, self.missing.iter().map(String::as_str), context);
        notes::write(LATE, self.late.iter().map(String::as_str), context);
        self.troubles
    }
}

/// Mounts them, each after what it lies on, whatever the order of the lines; what lies on something
/// that is not mounted stays away, since it would be hidden or filled from an empty folder.
async fn mount_all(
    mut wanted: Vec<Entry>,
    mut missing: Vec<String>,
    way: Way,
    context: &Context,
    tools: &impl Tools,
) -> Outcome {
    let mut late = Vec::new();
    let mounts = mounts::now(context);
    let is_there = |target: &str| mounts.iter().any(|mount| mount.target == target.as_bytes());
    missing.retain(|target| target != "/" && !is_there(target));
    wanted.retain(|entry| !is_there(&entry.target));
    let damaged = wanted.extract_if(.., |entry| missing.contains(&entry.target));
    let told = |entry: Entry| format!("{}: not mounted, errors are left", entry.target);
    let mut troubles: Vec<String> = damaged.map(told).collect();
    let (mut tries, mut busy) = (Vec::new(), Vec::new());
    loop {
        while busy.len() < way.at_once {
            let Some(entry) = fstab::take_next(&mut wanted, &busy) else { break };
            let may_fail = entry.has("nofail");
            let below = missing.iter().find(|target| entry.lies_on(target));
            if below.is_none() && !(may_fail && entry.is_absent(context)) {
                busy.push(entry.target.clone());
                tries.push(Box::pin(mount(entry, way.deadline, tools)));
                continue;
            }
            let told =
                |below| format!("{}: {below} is not mounted, on which it lies", entry.target);
            troubles.extend(below.filter(|_| !may_fail).map(told));
            late.extend(may_fail.then(|| entry.target.clone()));
            missing.push(entry.target);
        }
        let Some((target, result)) = program::any(&mut tries).await else { break };
        busy.retain(|other| *other != target);
        if let Err(why) = result {
            troubles.push(format!("{target}: {why}"));
            missing.push(target);
        }
    }
    Outcome { troubles, missing, late }
}

/// Mounts one, and makes its mount point; which one it was, and how that went.
async fn mount(
    entry: Entry,
    deadline: Duration,
    tools: &impl Tools,
) -> (String, Result<(), String>) {
    let Entry { target, written, .. } = entry;
    // A child, since the mount point may lie on a disk or a server that does not answer.
    let made = tools.run(&[MYSELF, mount_point::MAKE, &target], deadline).await;
    let result = match made {
        Ok(made) if made.exit == Exit::Code(mount_point::IN_USE) => Ok(()),
        Ok(made) if made.exit == Exit::SUCCESS => {
            let mounted = program::call(tools, &["mount", &written], deadline).await;
            mounted.map_err(|trouble| trouble.fatal("mount"))
        }
        Ok(made) => Err(program::Printable(made.output.trim()).to_string()),
        Err(error) => Err(error.to_string()),
    };
    (target, result)
}

/// Gives what is mounted already the options of its line, which mounting passes over: what an
/// initramfs has mounted for itself and read-only, as /usr, and the kernel's own file systems, as
/// those that are hardened by `hidepid=2` on /proc or `noexec` on /dev/shm.
async fn remount(entries: &[Entry], context: &Context, tools: &impl Tools) -> Vec<String> {
    let mounts = mounts::now(context);
    let mut troubles = Vec::new();
    for entry in entries {
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
