//! The helper processes that unmount: `finit --unmount-gently` and `finit --unmount`, and before
//! them `finit --write-out`.
//!
//! umount(2) waits for servers that do not answer and disks that do not write, so that PID 1
//! never calls it; a call that hangs is left behind, and the helper goes on with the others. The
//! first word only unmounts what nobody uses, and is repeated while loop devices, mappings and
//! swap files are released in between; the second one ends it, whatever is left.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use self::crew::{Crew, Way};
use super::{conf, fstab};
use crate::facts::Errno;
use crate::os;
use crate::os::mount::Mount;

mod crew;

/// Word for [`unmount_gently`].
pub(super) const GENTLY: &str = "--unmount-gently";

/// Word for [`write_out`].
pub(super) const WRITE: &str = "--write-out";

/// Word for [`unmount_all`].
pub(super) const ALL: &str = "--unmount";

/// Exit status: everything is unmounted, and the root read-only.
pub(super) const CLEAN: u8 = 0;

/// Exit status: something is still in use.
pub(super) const BUSY: u8 = 1;

/// Where the kernel's own file systems stay until the end.
const KEPT: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/"];

/// Where mount(8) keeps the options that are its own.
const USER_TABLE: &str = "/run/mount/utab";

/// Types without a disk behind them.
const VIRTUAL: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.lxcfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "sysfs",
    "tmpfs",
];

/// Types that are virtual too, and only ever found below /sys.
const TRACING: [&str; 2] = ["tracefs", "selinuxfs"];

/// How long the last helper waits for what is slow, before it does without.
const LATE: Duration = Duration::from_secs(5);

/// Its end comes from who has started it.
const FOR_EVER: Duration = Duration::MAX;

/// Unmounts what nobody uses.
pub fn unmount_gently() -> u8 {
    let mut crew = Crew::default();
    loop {
        let left = rounds(unmount, |_| true, &mut crew);
        if !crew.is_late() {
            return if left == 0 { CLEAN } else { BUSY };
        }
        crew.wait(FOR_EVER);
    }
}

/// Has everything written to the disks. sync(2)
pub fn write_out() -> u8 {
    os::reboot::sync();
    CLEAN
}

/// Unmounts everything: what is still in use is made read-only and taken out of the tree. Then
/// the root becomes read-only and everything is written to disk.
pub fn unmount_all() -> u8 {
    let mut crew = Crew::default();
    // Servers had their chance when it was done gently: no more waiting for them.
    rounds(detach, is_served, &mut crew);
    let mut left = rounds(unmount, |_| true, &mut crew);
    if crew.is_late() {
        // The root at once, whatever becomes of those; it may be busy as long as they are.
        make_read_only(Path::new("/")).ok();
        crew.wait(LATE);
        left = rounds(unmount, |_| true, &mut crew);
    }
    // Read-only first, which ends its journal: once out of the tree it has no name.
    let found = removable(mounts(), &network());
    let busy = found.iter().filter(|mount| !crew.manages(make_read_only, path(mount))).count();
    rounds(detach, |_| true, &mut crew);
    let root_busy = make_read_only(Path::new("/")).is_err();
    if busy > 0 || root_busy {
        // A file is open for writing, by somebody who could not be killed, or it is the one
        // that this finit was started from and that an upgrade has replaced. The kernel can
        // make all disks read-only in spite of that.
        os::fds::write_file(Path::new("/proc/sysrq-trigger"), b"u").ok();
    }
    os::reboot::sync();
    crew.wait(FOR_EVER);
    if left == 0 && !root_busy { CLEAN } else { BUSY }
}

fn make_read_only(target: &Path) -> Result<(), Errno> {
    os::mount::remount_read_only(target)
}

/// Goes over the mounts again and again until a round brings nothing: a mount below or a loop
/// device may have kept one busy. How many are left.
fn rounds(way: Way, wanted: fn(&Mount) -> bool, crew: &mut Crew) -> usize {
    let network = network();
    loop {
        let mut found = removable(mounts(), &network);
        found.retain(wanted);
        let gone = found.iter().filter(|mount| crew.manages(way, path(mount))).count();
        if gone == 0 {
            return found.len();
        }
    }
}

fn unmount(target: &Path) -> Result<(), Errno> {
    os::mount::unmount(target, false)
}

fn detach(target: &Path) -> Result<(), Errno> {
    os::mount::unmount(target, true)
}

/// An unreadable table is an empty one: there is nothing better to go by.
fn mounts() -> Vec<Mount> {
    os::mount::mounts().unwrap_or_default()
}

/// Targets that are on the network by word alone: mount(8) keeps it to itself, and the kernel has
/// never heard of it.
fn network() -> Vec<String> {
    let mut targets = fstab::network_targets();
    let text = conf::read(Path::new(USER_TABLE)).unwrap_or_default();
    targets.extend(text.lines().filter_map(network_target));
    targets
}

/// `SRC=/dev/sda TARGET=/mnt ROOT=/ OPTS=_netdev,user`, for one that was mounted by hand.
fn network_target(line: &str) -> Option<String> {
    let value = |key: &str| {
        let mut fields = line.split_ascii_whitespace().filter_map(|field| field.split_once('='));
        fields.find_map(|(name, value)| (name == key).then(|| fstab::unescape(value)))
    };
    value("OPTS")?.split(',').any(|option| option == "_netdev").then(|| value("TARGET"))?
}

/// What has to go, in order: those that need the network first, while there may be one, the
/// deepest first, the latest first.
fn removable(mounts: Vec<Mount>, network: &[String]) -> Vec<Mount> {
    let is_remote = |mount: &Mount| {
        is_served(mount) || network.iter().any(|target| target.as_bytes() == mount.target)
    };
    let mut found: Vec<Mount> = mounts.into_iter().rev().filter(|mount| !is_kept(mount)).collect();
    found.sort_by_key(|mount| (!is_remote(mount), Reverse(depth(mount))));
    found
}

/// The root, and the kernel's own file systems at their usual places. A disk that somebody
/// mounted below /run is none of them.
fn is_kept(mount: &Mount) -> bool {
    let target = path(mount);
    let fstype = String::from_utf8_lossy(&mount.fstype);
    let usual = KEPT.iter().any(|kept| target.starts_with(kept) && *kept != "/");
    let is_virtual = VIRTUAL.iter().chain(&TRACING).any(|known| *known == fstype);
    target == Path::new("/") || usual && is_virtual
}

/// Whether a server or another program has to answer before it is unmounted.
fn is_served(mount: &Mount) -> bool {
    let fstype = String::from_utf8_lossy(&mount.fstype);
    // fuseblk is a disk, though a program of its own serves it.
    let by_program = fstype == "fuse" || fstype.starts_with("fuse.") || fstype == "9p";
    by_program || fstab::is_network(&fstype)
}

fn depth(mount: &Mount) -> usize {
    path(mount).components().count()
}

fn path(mount: &Mount) -> &Path {
    Path::new(OsStr::from_bytes(&mount.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_unmounting() {
        let table = b"\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /proc rw - proc proc rw
3 1 0:6 / /sys rw - sysfs sysfs rw
4 3 0:7 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
5 1 0:8 / /dev rw - devtmpfs dev rw
6 5 0:9 / /dev/shm rw - tmpfs shm rw
7 1 0:10 / /run rw - tmpfs run rw
8 7 0:11 / /run/user/1000 rw - tmpfs tmpfs rw
9 7 8:17 / /run/media/stick rw - vfat /dev/sdb1 rw
10 1 8:2 / /home rw - ext4 /dev/sda2 rw
11 10 8:3 / /home/a/b rw - ext4 /dev/sda3 rw
12 1 0:30 / /srv rw - nfs4 server:/srv rw
13 1 0:31 / /tmp rw - tmpfs tmpfs rw
14 1 0:32 / /mnt/with\\040space rw - fuse.sshfs host:/ rw
15 10 8:4 / /home rw - xfs /dev/sda4 rw
16 1 0:33 / /sys/kernel/tracing rw - tracefs t rw
17 1 0:34 / /runner rw - tmpfs t rw
18 1 8:9 / /mnt/i\\040scsi rw - ext4 /dev/sdc rw
";
        let table_of_mount = "SRC=/dev/sda2 TARGET=/home ROOT=/ OPTS=user,nofail\n\
                              SRC=/dev/sdc TARGET=/mnt/i\\040scsi ROOT=/ OPTS=x,_netdev\n";
        let network: Vec<String> = table_of_mount.lines().filter_map(network_target).collect();
        let order: Vec<String> = removable(os::mount::parse_mountinfo(table), &network)
            .iter()
            .map(|mount| format!("{} {}", path(mount).display(), mount.fstype.escape_ascii()))
            .collect();
        assert_eq!(
            order,
            [
                "/mnt/i scsi ext4",
                "/mnt/with space fuse.sshfs",
                "/srv nfs4",
                "/home/a/b ext4",
                "/run/media/stick vfat",
                "/runner tmpfs",
                "/home xfs",
                "/tmp tmpfs",
                "/home ext4",
            ]
        );
    }
}
