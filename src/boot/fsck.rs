//! Checking file systems before they are written to, as fstab(5) asks for it.

use std::time::Duration;

use super::fstab::Entry;
use super::{Context, Done, MYSELF, Report, Tools, conf, fstab, mounts, notes, program};
use crate::facts::Exit;
use crate::os::mount::Mount;

/// Repairing a large disk takes hours, and stopping in the middle makes it worse: this only
/// keeps a disk that hangs from being waited for without end.
const DEADLINE: Duration = Duration::from_secs(8 * 60 * 60);

/// Checks that run side by side.
const AT_ONCE: usize = 8;

/// Note of the targets whose file systems still have errors, for the steps that mount.
const DAMAGED: &str = "damaged";

/// The initramfs of Debian has checked the root itself, and says so.
const ROOT_IS_CHECKED: &str = "/run/initramfs/fsck-root";

/// What a person has run again who has mended a disk.
const STEPS: &str = "fsck mount-local";

/// For an order to PID 1.
const ORDER: Duration = Duration::from_secs(30);

/// A check that did not end well.
struct Trouble {
    why: String,
    then: Then,
}

/// What it means for the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is mounted all the same: nobody knows of a mistake in it.
    Mount,
    /// It has mistakes that writing would make worse.
    Keep,
    /// It was mended under the eyes of the kernel, which has read it as it was.
    Restart,
}

/// Checks the root, then all others side by side. What has errors left is noted, so that nothing
/// writes to it: it is not mounted, and the root stays read-only. The others are, and the boot goes
/// on, since a machine that can be reached is easier to mend than one that waits at its console.
pub(super) async fn fsck(context: &Context, tools: &impl Tools) -> Report {
    let Some(flags) = flags(context) else {
        return Ok(Done::Skipped("the kernel command line says so"));
    };
    let (root, others) = plan(context);
    if root.is_none() && others.is_empty() {
        // What had errors may have been mended and mounted by hand.
        note_damaged(Vec::new(), &[], context);
        return Ok(Done::Skipped("nothing is to be checked"));
    }
    let mut troubles: Vec<(&Entry, Trouble)> = Vec::new();
    if let Some(root) = &root {
        let checked = check(root, &flags, STEPS, tools).await;
        troubles.extend(checked.err().map(|trouble| (root, trouble)));
    }
    let restart = troubles.iter().any(|(_, trouble)| trouble.then == Then::Restart);
    if restart {
        // As systemd and the scripts of Debian: what the kernel has in its memory is wrong.
        if let Err(trouble) = program::call(tools, &[MYSELF, "reboot"], ORDER).await {
            tools.say(&format!("{}; restart this machine by hand", trouble.fatal("reboot")));
        }
    }
    let others = if restart { Vec::new() } else { others };
    troubles.extend(check_all(&others, &flags, STEPS, tools).await);
    note_damaged(Vec::new(), &troubles, context);
    let troubles: Vec<String> = troubles.into_iter().map(|(_, trouble)| trouble.why).collect();
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Checks these, which were not there when the others were checked. What went wrong; what has errors
/// left is noted with the rest, and what was noted of these before is over.
pub(super) async fn fsck_late(
    entries: &[Entry],
    context: &Context,
    tools: &impl Tools,
) -> Vec<String> {
    // Whoever leaves the step out wants none checked, whenever it comes.
    let Some(flags) = flags(context).filter(|_| !context.boot.skips("fsck")) else {
        return Vec::new();
    };
    let mut checked = entries.to_vec();
    checked.retain(|entry| is_checked(context, entry));
    let troubles = check_all(&checked, &flags, "mount-network", tools).await;
    let mut others = damaged(context);
    others.retain(|target| entries.iter().all(|entry| entry.target != *target));
    note_damaged(others, &troubles, context);
    troubles.into_iter().map(|(_, trouble)| trouble.why).collect()
}

/// Checks them, some side by side; those with which something went wrong.
async fn check_all<'e>(
    entries: &'e [Entry],
    flags: &[&str],
    steps: &str,
    tools: &impl Tools,
) -> Vec<(&'e Entry, Trouble)> {
    let mut troubles = Vec::new();
    for some in entries.chunks(AT_ONCE) {
        let checks = some.iter().map(|entry| check(entry, flags, steps, tools));
        let results = program::together(checks).await;
        let failed = some.iter().zip(results);
        troubles.extend(failed.filter_map(|(entry, result)| Some((entry, result.err()?))));
    }
    troubles
}

/// For the steps after this one, beside those that it is known of; a later check of all takes the
/// note back.
fn note_damaged(mut damaged: Vec<String>, troubles: &[(&Entry, Trouble)], context: &Context) {
    let more = troubles.iter().filter(|(_, trouble)| trouble.then != Then::Mount);
    damaged.extend(more.map(|(entry, _)| entry.target.clone()));
    notes::write(DAMAGED, damaged.iter().map(String::as_str), context);
}

/// Targets of file systems that the last check has left with errors.
pub(super) fn damaged(context: &Context) -> Vec<String> {
    notes::read(DAMAGED, context)
}

/// `fsck.mode=` and `fsck.repair=` as systemd-fsck(8) has them, `forcefsck` as everybody had.
/// None: nothing is to be checked.
fn flags(context: &Context) -> Option<Vec<&'static str>> {
    let mode = context.value("fsck.mode").unwrap_or("auto");
    if mode == "skip" || context.has_word("fastboot") {
        return None;
    }
    let mut flags = match context.value("fsck.repair") {
        Some("yes") => vec!["-y"],
        Some("no") => vec!["-n"],
        _ => vec!["-a"],
    };
    if mode == "force" || context.has_word("forcefsck") {
        flags.push("-f");
    }
    Some(flags)
}

/// What is to be checked: the root, and the rest.
fn plan(context: &Context) -> (Option<Entry>, Vec<Entry>) {
    let mounts = mounts::now(context);
    let mut checked = fstab::read(context);
    checked.retain(|entry| is_checked(context, entry));
    let (roots, others): (Vec<Entry>, Vec<Entry>) =
        checked.into_iter().partition(|entry| entry.target == "/");
    let is_checked = context.path(ROOT_IS_CHECKED).exists();
    let root = roots.into_iter().next().filter(|_| !is_checked && may_check_root(&mounts));
    // A file system that is in use already, mounted by an initramfs or an early service, is
    // past checking.
    let is_mounted =
        |entry: &Entry| mounts.iter().any(|mount| mount.target == entry.target.as_bytes());
    (root, others.into_iter().filter(|entry| !is_mounted(entry)).collect())
}

/// Whether its line asks for it, and it can be.
fn is_checked(context: &Context, entry: &Entry) -> bool {
    let is_wanted = entry.pass > 0 && !entry.has("noauto");
    // An image lies on what is mounted later; as systemd has it, only devices are checked.
    let is_there = |device: String| !entry.has("nofail") || context.path(&device).exists();
    is_wanted
        && !entry.is_bind()
        && !entry.is_network()
        && has_checker(context, entry)
        && entry.device_node().is_some_and(is_there)
}

/// The root can be checked where it is on a block device and nothing writes to it yet.
fn may_check_root(mounts: &[Mount]) -> bool {
    mounts.iter().rfind(|mount| mount.target == b"/").is_some_and(|root| {
        let read_only = root.options.split(|byte| *byte == b',').any(|word| word == b"ro");
        read_only && root.source.starts_with(b"/dev/")
    })
}

/// Without a checker for its type there is nothing to check: tmpfs, or a minimal system.
fn has_checker(context: &Context, entry: &Entry) -> bool {
    entry.fstype == "auto" || conf::has_program(context, &format!("fsck.{}", entry.fstype))
}

/// Runs fsck(8) on one device. Its status is a sum: 1 errors corrected, 2 restart needed,
/// 4 errors left, 8 and above it could not work. These steps check it again and mount it.
async fn check(
    entry: &Entry,
    flags: &[&str],
    steps: &str,
    tools: &impl Tools,
) -> Result<(), Trouble> {
    let device = entry.source.as_str();
    let mut program = vec!["fsck", "-T"];
    program.extend(flags);
    program.push(device);
    let finished = match tools.run(&program, DEADLINE).await {
        Ok(finished) => finished,
        // As has_checker: a system without fsck has chosen so.
        Err(error) if program::is_missing(&error) => return Ok(()),
        Err(error) => {
            return Err(Trouble { why: format!("{device}: fsck: {error}"), then: Then::Mount });
        }
    };
    match finished.exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(1) => {
            tools.say(&format!("fsck: {device}: errors were found and corrected"));
            Ok(())
        }
        Exit::Code(code) if code & !0b11 == 0 => {
            if entry.target != "/" {
                // Nothing was mounted: the next reader finds it mended.
                tools.say(&format!("fsck: {device}: errors were found and corrected"));
                return Ok(());
            }
            let why = format!("{device}: corrected, and the machine has to be restarted for it");
            tools.say(&format!("fsck: {why}: restarting"));
            Err(Trouble { why, then: Then::Restart })
        }
        Exit::Code(code) if code & 0b100 != 0 => {
            let why = format!("{device}: errors are left, run fsck {device} by hand");
            let (becomes, then) = match entry.target.as_str() {
                "/" => ("/ stays read-only", "reboot".to_owned()),
                _ => ("it is not mounted", format!("finitctl start {steps}")),
            };
            tools.say(&format!("fsck: {why}, then {then}; until then {becomes}"));
            Err(Trouble { why, then: Then::Keep })
        }
        _ => {
            let why = format!("{device}: {}", program::complaint(&program, &finished));
            Err(Trouble { why, then: Then::Mount })
        }
    }
}
