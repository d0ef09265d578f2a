//! The last phase of a shutdown, after the engine has stopped the services: everybody else is
//! told to end, disks are let go of, and the kernel has the last word.
//!
//! Nothing here can keep the machine from going down: each wait has an end, and what can hang is
//! done by children. The whole has a deadline, of which a third is kept for the disks unless the
//! processes need it. Only disks go past it: what they have not taken when the power goes is lost, so
//! that they are waited for as long as they take some of it, and half a minute longer; unmounting has
//! its least time after that.

use std::time::Duration;

use super::{Context, MYSELF, Place, RunError, Tools};
use super::{conf, everyone, program, record, seed, storage, unmount};
use crate::config::spec::ShutdownSpec;
use crate::facts::{Errno, Exit, Moment};
use crate::os::reboot::How;

pub use super::everyone::{Kernel, Left, Real};

const UDEV: Duration = Duration::from_secs(5);
const SEED: Duration = Duration::from_secs(5);

/// For one helper that unmounts: a server that has not answered by then does not.
const UNMOUNT: Duration = Duration::from_secs(5);

/// For the helper that unmounts last and writes everything to disk; [`WRITING`] at the least.
const UNMOUNT_LAST: Duration = Duration::from_secs(20);

/// How long a disk may take nothing of what is to be written before nobody waits for it, even if all
/// the time is used up: by processes that waited for it too, for one.
const WRITING: Duration = Duration::from_secs(10);
/// So often that long without any progress, and a disk takes nothing any more.
const IN_VAIN: u8 = 3;

/// What the disks get even if all the time is used up.
const LEAST: Duration = Duration::from_secs(2);

/// How deep loop devices on file systems on loop devices may be nested.
const ROUNDS: u32 = 10;

/// What is forced upon the kernel is done by a worker of its own: a read-only root, powering off.
const FORCED: Duration = Duration::from_millis(500);

/// Takes the machine down within `left`, what is left of `shutdown.timeout`. Returns only
/// where reboot(2) is refused: in a container without the right to it, where PID 1 ends
/// itself instead.
pub async fn finish(
    how: How,
    spec: &ShutdownSpec,
    context: &Context,
    left: Duration,
    tools: &impl Tools,
    kernel: &impl Kernel,
) -> Errno {
    let start = kernel.now();
    let end = start.after(left);
    // A third is for the disks, if it is not what was kept for the processes.
    let most = left.saturating_sub(left.checked_div(3).unwrap_or_default());
    let end_of_killing = start.after(most.max(spec.kept_back().min(left)));
    if context.place == Place::Machine {
        // Not before the services are down: cryptsetup(8), dmsetup(8) and ifdown(8), which stop some
        // of them, wait for what it does. First here, before it loads a driver for something that is
        // being taken away.
        program::call(tools, &["udevadm", "control", "--exit"], UDEV.min(left)).await.ok();
        save_seed(context, tools, left).await;
        record::note(record::DOWN, context, left, tools).await;
    }
    everyone::leaves(spec, context.place, end_of_killing, tools, kernel).await;
    if context.place == Place::Machine {
        release_disks(context, end, tools, kernel).await;
    }
    reboot(how, context.place, tools, kernel).await
}

/// Leaves a random seed for the next boot.
async fn save_seed(context: &Context, tools: &impl Tools, left: Duration) {
    if context.boot.random_seed && !context.boot.skips("random-seed") {
        seed::leave(seed::SAVE, SEED.min(left), tools).await.ok();
    }
}

/// Unmounts, releases what was below, and again, until nothing more comes off; the rest by
/// force.
async fn release_disks(context: &Context, end: Moment, tools: &impl Tools, kernel: &impl Kernel) {
    // What is written last has its own part.
    let left = || end.since(kernel.now()).saturating_sub(WRITING).max(LEAST);
    write_out(context, tools).await;
    for round in 0..ROUNDS {
        let gently = tools.run(&[MYSELF, unmount::GENTLY], UNMOUNT.min(left())).await;
        let stuck = matches!(gently, Err(RunError::TooLate(_)));
        // Swap goes after the file systems in memory, whose contents would have to come back
        // from it, and before those that swap files lie on.
        let swapped = round == 0 && storage::swap_off(context, tools, left()).await;
        let released = storage::release(context, tools, left()).await;
        if stuck {
            tools.say("unmounting takes too long: going on without what does not answer");
            break;
        }
        if !swapped && !released {
            break;
        }
    }
    let last = UNMOUNT_LAST.min(end.since(kernel.now())).max(WRITING);
    match tools.run(&[MYSELF, unmount::ALL], last).await {
        Ok(finished) if finished.exit == Exit::Code(unmount::CLEAN) => {}
        Ok(_) => {
            tools.say("some file systems were still in use and are read-only now");
            tools.pause(FORCED).await;
        }
        Err(error) => tools.say(&format!("unmounting: {error}")),
    }
}

/// Has the disks take what was written to their files. What a slow one has not taken when the power
/// goes is lost, so that this goes on, past the end of all patience, for as long as it gets less; it
/// may not for a while, as one large write counts until all of it is there.
async fn write_out(context: &Context, tools: &impl Tools) {
    let mut least = unwritten(context);
    let mut in_vain: u8 = 0;
    while least > 0 && in_vain < IN_VAIN {
        let run = tools.run(&[MYSELF, unmount::WRITE], WRITING).await;
        if !matches!(run, Err(RunError::TooLate(_))) {
            return;
        }
        let now = unwritten(context);
        in_vain = if now < least { 0 } else { in_vain.saturating_add(1) };
        least = least.min(now);
        tools.say(&format!("writing to the disks: {} MB to go", now.div_ceil(1024)));
    }
}

/// KiB that wait for the disks, as proc_meminfo(5) has them; none where nobody can tell.
fn unwritten(context: &Context) -> u64 {
    let text = conf::read(&context.path("/proc/meminfo")).unwrap_or_default();
    let of = |line: &str| -> Option<u64> {
        let (name, size) = line.split_once(':')?;
        let counts = matches!(name, "Dirty" | "Writeback");
        size.trim().strip_suffix(" kB").filter(|_| counts)?.parse().ok()
    };
    text.lines().filter_map(of).fold(0, u64::saturating_add)
}

/// Tells the kernel; if it refuses, in other words: a machine that was to go down must not stay
/// up without services.
async fn reboot(how: How, place: Place, tools: &impl Tools, kernel: &impl Kernel) -> Errno {
    let refusal = kernel.reboot(how);
    if place == Place::Machine {
        tools.say(&format!("reboot(2): {refusal}"));
        if how == How::Kexec {
            // No kernel was loaded.
            kernel.reboot(How::Restart);
        }
        kernel.force(how);
        // The emergency keys work in the background.
        tools.pause(FORCED).await;
    }
    refusal
}
