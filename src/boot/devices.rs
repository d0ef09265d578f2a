//! Device nodes with their names, owners and drivers: udev or mdev on top of what the kernel
//! puts into /dev by itself.

use std::time::Duration;

use super::fstab::Entry;
use super::{Context, Done, Report, Tools};
use super::{conf, crypt, fstab, nodes, notes, program, settings};
use crate::config::spec::Devices;

/// systemd's udevd first, then eudev's: its old name is a link to udevadm where both are.
const UDEVD: [&str; 6] = [
    "/usr/lib/systemd/systemd-udevd",
    "/lib/systemd/systemd-udevd",
    "/usr/sbin/udevd",
    "/sbin/udevd",
    "/usr/lib/udev/udevd",
    "/lib/udev/udevd",
];

/// Note that the daemon was started.
const STARTED: &str = "udevd";

/// Activates the complete volume groups.
const ACTIVATION: [&str; 4] = ["lvm", "vgchange", "-aay", "--sysinit"];

/// A slow machine reads the rules for a while, and without a daemon it has no network: giving up
/// early costs more than waiting.
const START: Duration = Duration::from_secs(90);
const TRIGGER: Duration = Duration::from_secs(60);

/// Longer than the two minutes that `udevadm settle` waits by itself: a controller with many disks
/// takes its time, and those of fstab(5) are among them.
const SETTLE: Duration = Duration::from_secs(150);

/// A disk on USB or behind a slow controller is not there when all events are dealt with: it has yet
/// to be found.
const DISKS: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// Looks between two tries to activate what lies on disks that have come meanwhile.
const ACTIVATE: u32 = 15;

/// Most are there soon after, and nobody has to know.
const NOTICE: Duration = Duration::from_secs(2);

/// Makes the devices that are there already known, and waits until that is done and the disks of
/// crypttab(5) and fstab(5) are there.
pub(super) async fn devices(context: &Context, tools: &impl Tools) -> Report {
    let made = match context.boot.devices {
        Devices::None => Ok(()),
        // Before udevd, which looks at them once, when it starts.
        Devices::Mdev | Devices::Udev => nodes::provide(context, tools).await,
    };
    let report = and(discover(context, tools).await, made);
    settings::sysctl_of_devices(context, tools).await;
    let opened = open_disks(crypt::closed(false, context), context, tools).await;
    if is_udev(context) && context.boot.fstab {
        let needed = fstab::read(context).iter().filter_map(Entry::needed_device).collect();
        await_disks(needed, "/etc/fstab", context, tools).await;
    }
    and(report, opened)
}

/// The report of a step of which a part went so.
fn and(report: Report, part: Result<(), String>) -> Report {
    match (report, part) {
        (report, Ok(())) => report,
        (Ok(_), Err(why)) => Err(why),
        (Err(first), Err(second)) => Err(format!("{first}; {second}")),
    }
}

/// Whether somebody looks for devices, so that more may be there after it.
pub(super) fn are_looked_for(context: &Context) -> bool {
    match context.boot.devices {
        Devices::None => false,
        Devices::Mdev => conf::has_program(context, "mdev"),
        Devices::Udev => is_udev(context),
    }
}

/// Whether the links to disks are made that are named by what is on them.
fn is_udev(context: &Context) -> bool {
    context.boot.devices == Devices::Udev && conf::first(context, &UDEVD).is_some()
}

async fn discover(context: &Context, tools: &impl Tools) -> Report {
    match context.boot.devices {
        Devices::None => Ok(Done::Skipped("boot.devices is none")),
        Devices::Mdev => match program::call(tools, &["mdev", "-s"], SETTLE).await {
            Ok(()) => Ok(Done::Worked),
            Err(trouble) => Err(trouble.fatal("mdev")),
        },
        Devices::Udev => match conf::first(context, &UDEVD) {
            Some(daemon) => udev(daemon, context, tools).await,
            // The nodes are there, devtmpfs has made them; owners and links are missing.
            None => Ok(Done::Skipped("no udevd is installed")),
        },
    }
}

/// Opens what is encrypted, and activates the volume groups that were hidden in it.
pub(super) async fn open_disks(
    closed: Vec<crypt::Line>,
    context: &Context,
    tools: &impl Tools,
) -> Result<(), String> {
    if closed.is_empty() {
        return Ok(());
    }
    let mut needed: Vec<String> = closed.iter().filter_map(crypt::Line::needed_device).collect();
    // For a link that nobody makes it would be waited in vain.
    needed.retain(|node| is_udev(context) || fstab::is_absent(node, context));
    await_disks(needed, "/etc/crypttab", context, tools).await;
    let opened = crypt::open(closed, context, tools).await;
    if conf::has_program(context, "lvm") {
        program::call(tools, &ACTIVATION, TRIGGER).await.ok();
    }
    opened
}

/// Starts the daemon, unless one of an earlier try is there and answers: a second one would take
/// its socket, and both would deal with each event. One that an initramfs has left behind knows the
/// rules of that alone.
async fn start(
    daemon: &str,
    context: &Context,
    tools: &impl Tools,
) -> Result<(), program::Trouble> {
    if !notes::read(STARTED, context).is_empty() && answers(tools).await {
        return Ok(());
    }
    program::call(tools, &[daemon, "--daemon"], START).await?;
    notes::write(STARTED, [daemon].into_iter(), context);
    Ok(())
}

/// Whether a daemon answers. That of eudev knows no ping, and to read its rules again does no harm.
async fn answers(tools: &impl Tools) -> bool {
    const PING: [&str; 4] = ["udevadm", "control", "--ping", "--timeout=5"];
    const RELOAD: [&str; 4] = ["udevadm", "control", "--reload", "--timeout=5"];
    program::call(tools, &PING, TRIGGER).await.is_ok()
        || program::call(tools, &RELOAD, TRIGGER).await.is_ok()
}

/// Starts the daemon and replays the discovery of everything that was there before it.
async fn udev(daemon: &str, context: &Context, tools: &impl Tools) -> Report {
    let mut recipe: Vec<(&[&str], Duration)> = vec![
        (&["udevadm", "trigger", "--type=subsystems", "--action=add"], TRIGGER),
        (&["udevadm", "trigger", "--type=devices", "--action=add"], TRIGGER),
        (&["udevadm", "settle"], SETTLE),
    ];
    if conf::has_program(context, "lvm") {
        // The rules of lvm2 leave it to systemd to activate a complete volume group; an initramfs
        // activates what the root lies on, and no /home.
        recipe.push((&ACTIVATION, TRIGGER));
        recipe.push((&["udevadm", "settle"], SETTLE));
    }
    // A part that fails does not make the others useless: a daemon that an initramfs left
    // behind answers the triggers too.
    let started = start(daemon, context, tools).await;
    let mut troubles: Vec<String> =
        started.err().map(|trouble| trouble.fatal(daemon)).into_iter().collect();
    for (program, deadline) in recipe {
        if let Err(trouble) = program::call(tools, program, deadline).await {
            let name = program.first().copied().unwrap_or_default();
            troubles.push(trouble.fatal(name));
        }
    }
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Waits for the disks that a table cannot do without, and says for which.
async fn await_disks(mut missing: Vec<String>, table: &str, context: &Context, tools: &impl Tools) {
    let mut waited = Duration::ZERO;
    for look in 0u32.. {
        missing.retain(|device| !context.path(device).exists());
        if missing.is_empty() || waited >= DISKS {
            return;
        }
        if waited == NOTICE {
            let (devices, most) = (missing.join(", "), DISKS.as_secs());
            tools.say(&format!("devices: waiting up to {most} s for {devices} of {table}"));
        }
        if look.checked_rem(ACTIVATE) == Some(1) && conf::has_program(context, "lvm") {
            // The group of a disk that came late is nobody else's business either.
            program::call(tools, &ACTIVATION, TRIGGER).await.ok();
        }
        tools.pause(LOOK).await;
        waited = waited.saturating_add(LOOK);
    }
}
