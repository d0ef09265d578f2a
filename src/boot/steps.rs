//! The boot steps by name. What each waits for is in the graph; what each does is a recipe in
//! the file of its subject.

use super::{
    Context, Done, Place, Report, Tools, clock, console, devices, disks, fsck, modules, mounts,
    names, seed, settings, tmpfiles,
};
use crate::config::spec::FIND_INSTANCES;
use crate::os;

/// Steps for hardware and disks: the machine around a container has done them.
const HARDWARE: [&str; 10] = [
    "console",
    "modules",
    "devices",
    "fsck",
    "remount-root",
    "mount-local",
    "swap",
    "clock",
    "random-seed",
    "mount-network",
];

/// Steps that follow fstab(5).
const FSTAB: [&str; 4] = ["fsck", "mount-local", "swap", "mount-network"];

/// Runs the step of that name, one of `config::spec::STEPS`.
pub async fn run(name: &str, context: &Context, tools: &impl Tools) -> Report {
    if context.boot.skips(name) {
        return Ok(Done::Skipped("left out by boot.skip"));
    }
    if context.place == Place::Container && HARDWARE.contains(&name) {
        return Ok(Done::Skipped("in a container"));
    }
    if !context.boot.fstab && FSTAB.contains(&name) {
        return Ok(Done::Skipped("boot.fstab is false"));
    }
    match name {
        "mount-virtual" => mounts::mount_virtual(context),
        "cgroups" => mounts::cgroups(context),
        "console" => console::console(context, tools).await,
        "hostname" => names::hostname(context),
        "loopback" => loopback(context),
        "modules" => modules::modules(context, tools).await,
        "devices" => devices::devices(context, tools).await,
        "sysctl" => settings::sysctl(context, tools).await,
        "fsck" => fsck::fsck(context, tools).await,
        "remount-root" => disks::remount_root(context, tools).await,
        "mount-local" => disks::mount_local(context, tools).await,
        "swap" => disks::swap(context, tools).await,
        "clock" => clock::clock(context, tools).await,
        "random-seed" => seed::random_seed(context, tools).await,
        "machine-id" => names::machine_id(context, tools).await,
        "tmpfiles" => tmpfiles::tmpfiles(context, tools).await,
        "nologin" => tmpfiles::nologin(context, tools).await,
        "mount-network" => disks::mount_network(context, tools).await,
        // The loop itself has children look, for it has to take in what they find.
        FIND_INSTANCES => Ok(Done::Skipped("no template has any to be found")),
        _ => Err(format!("there is no step {name}")),
    }
}

/// Brings up `lo`, which half of all daemons talk to themselves over.
fn loopback(context: &Context) -> Report {
    match os::host::loopback_up() {
        Ok(()) => Ok(Done::Worked),
        // The network of a container belongs to whoever made it.
        Err(_) if context.place == Place::Container => Ok(Done::Skipped("in a container")),
        Err(errno) => Err(format!("lo: {errno}")),
    }
}
