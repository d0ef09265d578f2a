//! Checking file systems before they are written to, as fstab(5) asks for it.

use std::time::Duration;

use super::fstab::Entry;
use super::{Context, Done, Report, Tools, conf, fstab, program};
use crate::facts::Exit;
use crate::os;
use crate::os::mount::Mount;

/// Repairing a large disk takes hours, and stopping in the middle makes it worse: this only
/// keeps a disk that hangs from being waited for without end.
const DEADLINE: Duration = Duration::from_secs(8 * 60 * 60);

/// Checks that run side by side.
const AT_ONCE: usize = 8;

/// Longest mount table that is read.
const MOUNT_TABLE: usize = 8 << 20;

/// Checks the root, then all others side by side.
pub(super) async fn fsck(context: &Context, tools: &impl Tools) -> Report {
    let mode = context.value("fsck.mode").unwrap_or("auto");
    if mode == "skip" || context.has_word("fastboot") {
        return Ok(Done::Skipped("the kernel command line says so"));
    }
    let flags = flags(context, mode);
    let (root, others) = plan(context);
    if root.is_none() && others.is_empty() {
        return Ok(Done::Skipped("nothing is to be checked"));
    }
    let mut troubles = Vec::new();
    if let Some(root) = root {
        troubles.extend(check(&root, &flags, tools).await.err());
    }
    for some in others.chunks(AT_ONCE) {
        let results = program::together(some.iter().map(|entry| check(entry, &flags, tools))).await;
        troubles.extend(results.into_iter().filter_map(Result::err));
    }
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// `fsck.mode=` and `fsck.repair=` as systemd-fsck(8) has them, `forcefsck` as everybody had.
fn flags(context: &Context, mode: &str) -> Vec<&'static str> {
    let mut flags = match context.value("fsck.repair") {
        Some("yes") => vec!["-y"],
        Some("no") => vec!["-n"],
        _ => vec!["-a"],
    };
    if mode == "force" || context.has_word("forcefsck") {
        flags.push("-f");
    }
    flags
}

/// What is to be checked: the root, and the rest.
fn plan(context: &Context) -> (Option<Entry>, Vec<Entry>) {
    let table = context.path("/proc/self/mountinfo");
    let mounts = os::fds::read_small(&table, MOUNT_TABLE).unwrap_or_default();
    let mounts = os::mount::parse_mountinfo(&mounts);
    let checked = fstab::read(context).into_iter().filter(|entry| {
        entry.pass > 0 && !entry.has("noauto") && !entry.has("bind") && !entry.is_network()
    });
    let checked = checked.filter(|entry| has_checker(context, entry));
    let checked = checked.filter(|entry| !entry.has("nofail") || is_there(context, entry));
    let (roots, others): (Vec<Entry>, Vec<Entry>) = checked.partition(|entry| entry.target == "/");
    let root = roots.into_iter().next().filter(|_| may_check_root(&mounts));
    // A file system that is in use already, mounted by an initramfs or an early service, is
    // past checking.
    let is_mounted =
        |entry: &Entry| mounts.iter().any(|mount| mount.target == entry.target.as_bytes());
    (root, others.into_iter().filter(|entry| !is_mounted(entry)).collect())
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

fn is_there(context: &Context, entry: &Entry) -> bool {
    context.path(&entry.device()).exists()
}

/// Runs fsck(8) on one device. Its status is a sum: 1 errors corrected, 2 restart needed,
/// 4 errors left, 8 and above it could not work.
async fn check(entry: &Entry, flags: &[&str], tools: &impl Tools) -> Result<(), String> {
    let device = entry.source.as_str();
    let mut program = vec!["fsck", "-T"];
    program.extend(flags);
    program.push(device);
    let finished = match tools.run(&program, DEADLINE).await {
        Ok(finished) => finished,
        // As has_checker: a system without fsck has chosen so.
        Err(error) if program::is_missing(&error) => return Ok(()),
        Err(error) => return Err(format!("{device}: fsck: {error}")),
    };
    match finished.exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(1) => {
            tools.say(&format!("fsck: {device}: errors were found and corrected"));
            Ok(())
        }
        Exit::Code(code) if code & !0b11 == 0 => {
            let line = format!("{device}: corrected, but the machine has to be restarted now");
            tools.say(&format!("fsck: {line}"));
            Err(line)
        }
        Exit::Code(code) if code & 0b100 != 0 => {
            let line = format!("{device}: errors are left, run fsck {device} by hand");
            tools.say(&format!("fsck: {line}"));
            Err(line)
        }
        _ => Err(format!("{device}: {}", program::complaint(&program, &finished))),
    }
}
