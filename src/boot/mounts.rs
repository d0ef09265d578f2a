//! The file systems that the kernel makes up: where it tells what it knows, and where
//! everything volatile lives. Only system calls that cannot hang, and no child: nothing works
//! before this.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::{Context, Done, Place, Report, conf, disks};
use crate::facts::Errno;
use crate::os;
use crate::os::mount::Mount;

/// A file system without a disk.
struct Virtual {
    fstype: &'static str,
    target: &'static str,
    options: &'static str,
    /// A file in it that shows that the place is usable as it is.
    witness: &'static str,
}

const VIRTUAL: [Virtual; 7] = [
    Virtual { fstype: "proc", target: "/proc", options: "nosuid,noexec,nodev", witness: "self" },
    Virtual { fstype: "sysfs", target: "/sys", options: "nosuid,noexec,nodev", witness: "kernel" },
    Virtual { fstype: "tmpfs", target: "/run", options: "mode=0755,nosuid,nodev", witness: "." },
    // Anybody may lock a serial line, say, and so it must be small: pid files are beside it.
    Virtual {
        fstype: "tmpfs",
        target: LOCKS,
        options: "mode=1777,nosuid,nodev,noexec,size=5m",
        witness: ".",
    },
    Virtual { fstype: "devtmpfs", target: "/dev", options: "mode=0755,nosuid", witness: "null" },
    Virtual {
        fstype: "devpts",
        target: "/dev/pts",
        options: "mode=0620,gid=5,nosuid,noexec",
        witness: "ptmx",
    },
    Virtual {
        fstype: "tmpfs",
        target: "/dev/shm",
        options: "mode=1777,nosuid,nodev",
        witness: ".",
    },
];

/// Where programs lock what there is but one of. No tmpfiles.d(5) of Debian makes it, since its other
/// inits mount it themselves.
const LOCKS: &str = "/run/lock";

/// What else daemons and tools expect and systemd mounts, with its options: type, place, options.
/// Only where the kernel knows the type.
const TOOLS: [(&str, &str, &str); 9] = [
    ("securityfs", "/sys/kernel/security", "nosuid,noexec,nodev"),
    (EFI_VARIABLES, EFI_FOLDER, "nosuid,noexec,nodev"),
    ("debugfs", "/sys/kernel/debug", "nosuid,noexec,nodev"),
    ("tracefs", "/sys/kernel/tracing", "nosuid,noexec,nodev"),
    ("configfs", "/sys/kernel/config", "nosuid,noexec,nodev"),
    ("pstore", "/sys/fs/pstore", "nosuid,noexec,nodev"),
    ("bpf", "/sys/fs/bpf", "mode=0700,nosuid,noexec,nodev"),
    ("mqueue", "/dev/mqueue", "nosuid,noexec,nodev"),
    ("hugetlbfs", "/dev/hugepages", "nosuid,nodev"),
];

const EFI_VARIABLES: &str = "efivarfs";

/// The kernel makes it where it was started by such a firmware.
const EFI_FOLDER: &str = "/sys/firmware/efi/efivars";

/// Names that programs and shells expect beside what the kernel puts into /dev.
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// Longest mount table that is read.
const MOUNT_TABLE: usize = 8 << 20;

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// What services can be measured and limited by.
const CONTROLLERS: [&str; 4] = ["memory", "cpu", "io", "pids"];

/// Mounts what is not there yet, with the links that belong to it.
pub(super) fn mount_virtual(context: &Context) -> Report {
    let mut troubles = Vec::new();
    for filesystem in &VIRTUAL {
        if let Err(errno) = provide(filesystem, context.place) {
            troubles.push(format!("{}: {errno}", filesystem.target));
        }
    }
    for (link, target) in LINKS {
        match std::os::unix::fs::symlink(target, link) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // Some containers keep /dev read-only and complete.
            Err(_) if context.place == Place::Container => {}
            Err(error) => troubles.push(format!("{link}: {error}")),
        }
    }
    if !os::mount::is_mount_point(Path::new(LOCKS)) {
        // A container may mount nothing. Where it keeps this too, it knows why.
        std::fs::set_permissions(LOCKS, Permissions::from_mode(0o1777)).ok();
    }
    if context.place == Place::Machine {
        mount_for_tools(context);
        // Containers expect the machine's mounts to reach them, and their own to stay theirs.
        os::mount::mount("none", Path::new("/"), "", "rshared").ok();
    }
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Mounts what the kernel knows of the rest, but for what fstab(5) has a line for: not all of them
/// take its options once they are mounted, and some say nothing of it. No failure is told: the boot
/// needs none of it, and `debugfs=off` on the kernel command line is a wish.
pub(super) fn mount_for_tools(context: &Context) {
    let known = known(context);
    let others = disks::will_mount(context);
    let is_ours = |place: &str| !others.iter().any(|entry| entry.target == place);
    for (fstype, place, options) in TOOLS.into_iter().filter(|(_, place, _)| is_ours(place)) {
        let target = context.path(place);
        if known.iter().any(|known| known == fstype) && !os::mount::is_mount_point(&target) {
            // In /dev; what is missing in /sys is not there to be made.
            make_folder(&target, 0o755);
            os::mount::mount(fstype, &target, fstype, options).ok();
        }
    }
}

/// The type of the one that Debian's kernel has as a module that nothing else asks for.
pub(super) fn missing_module(context: &Context) -> Option<&'static str> {
    let is_missing = !known(context).iter().any(|known| known == EFI_VARIABLES);
    (is_missing && context.path(EFI_FOLDER).exists()).then_some(EFI_VARIABLES)
}

/// The types of file systems that the kernel knows. proc_filesystems(5)
fn known(context: &Context) -> Vec<String> {
    let table = conf::read(&context.path("/proc/filesystems")).unwrap_or_default();
    table.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

/// Mounts control groups, version 2, unless something is there: a tree of version 1 belongs to
/// whoever mounted it, and a container has what it was given.
pub(super) fn cgroups(context: &Context) -> Report {
    let root = Path::new(CGROUP_ROOT);
    if !os::mount::is_mount_point(root) {
        if context.place == Place::Container {
            return Ok(Done::Skipped("in a container"));
        }
        match os::mount::mount("cgroup2", root, "cgroup2", "nosuid,noexec,nodev,nsdelegate") {
            Ok(()) => {}
            Err(Errno(libc::ENODEV)) => return Ok(Done::Skipped("the kernel has no cgroup2")),
            Err(errno) => return Err(format!("{CGROUP_ROOT}: {errno}")),
        }
    }
    let control = root.join("cgroup.subtree_control");
    if !control.exists() {
        return Ok(Done::Skipped("control groups of version 1 are left alone"));
    }
    for controller in CONTROLLERS {
        // One at a time and without a verdict: each may be missing from the kernel, taken by
        // version 1, or out of reach in a container.
        os::fds::write_file(&control, format!("+{controller}").as_bytes()).ok();
    }
    Ok(Done::Worked)
}

/// What is mounted.
pub(super) fn now(context: &Context) -> Vec<Mount> {
    let table = os::fds::read_small(&context.path("/proc/self/mountinfo"), MOUNT_TABLE);
    os::mount::parse_mountinfo(&table.unwrap_or_default())
}

/// The type and options that one of the kernel's file systems was mounted with here.
pub(super) fn own_options(target: &str) -> Option<(&'static str, &'static str)> {
    let own = VIRTUAL.iter().map(|own| (own.fstype, own.target, own.options)).chain(TOOLS);
    let mut own = own.filter(|(_, place, _)| *place == target);
    own.next().map(|(fstype, _, options)| (fstype, options))
}

fn provide(filesystem: &Virtual, place: Place) -> Result<(), Errno> {
    let target = Path::new(filesystem.target);
    if os::mount::is_mount_point(target) {
        return Ok(());
    }
    make_folder(target, 0o755);
    let mounted =
        os::mount::mount(filesystem.fstype, target, filesystem.fstype, filesystem.options);
    let usable = place == Place::Container && target.join(filesystem.witness).exists();
    if usable { Ok(()) } else { mounted }
}

/// Makes a folder where the root is writable. A failure needs no words of its own: whoever
/// uses the folder says what is missing.
fn make_folder(path: &Path, mode: u32) {
    std::fs::DirBuilder::new().mode(mode).create(path).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mounts_are_the_promised_ones_in_order() {
        let all: Vec<String> =
            VIRTUAL.iter().map(|v| format!("{} {} {}", v.fstype, v.target, v.options)).collect();
        assert_eq!(
            all,
            [
                "proc /proc nosuid,noexec,nodev",
                "sysfs /sys nosuid,noexec,nodev",
                "tmpfs /run mode=0755,nosuid,nodev",
                "tmpfs /run/lock mode=1777,nosuid,nodev,noexec,size=5m",
                "devtmpfs /dev mode=0755,nosuid",
                "devpts /dev/pts mode=0620,gid=5,nosuid,noexec",
                "tmpfs /dev/shm mode=1777,nosuid,nodev",
            ]
        );
        let tools =
            TOOLS.iter().map(|(fstype, target, options)| format!("{fstype} {target} {options}"));
        assert_eq!(
            tools.collect::<Vec<_>>(),
            [
                "securityfs /sys/kernel/security nosuid,noexec,nodev",
                "efivarfs /sys/firmware/efi/efivars nosuid,noexec,nodev",
                "debugfs /sys/kernel/debug nosuid,noexec,nodev",
                "tracefs /sys/kernel/tracing nosuid,noexec,nodev",
                "configfs /sys/kernel/config nosuid,noexec,nodev",
                "pstore /sys/fs/pstore nosuid,noexec,nodev",
                "bpf /sys/fs/bpf mode=0700,nosuid,noexec,nodev",
                "mqueue /dev/mqueue nosuid,noexec,nodev",
                "hugetlbfs /dev/hugepages nosuid,nodev",
            ]
        );
    }
}
