//! The helper processes that unmount: `finit --unmount-gently` and `finit --unmount`, and before
//! them `finit --write-out`.
//!
//! umount(2) waits for servers that do not answer and disks that do not write, so that PID 1
//! never calls it; if a helper hangs, it is left behind and the next one goes on. The first
//! word only unmounts what nobody uses, and is repeated while loop devices, mappings and swap
//! files are released in between; the second one ends it, whatever is left.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::fstab;
use crate::facts::Errno;
use crate::os;
use crate::os::mount::Mount;

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

/// How one mount is taken away.
type Way = fn(&Path) -> Result<(), Errno>;

/// Unmounts what nobody uses.
pub fn unmount_gently() -> u8 {
    if rounds(unmount, |_| true) == 0 { CLEAN } else { BUSY }
}

/// Has everything written to the disks. sync(2)
pub fn write_out() -> u8 {
    os::reboot::sync();
    CLEAN
}

/// Unmounts everything: what is still in use is made read-only and taken out of the tree. Then
/// the root becomes read-only and everything is written to disk.
pub fn unmount_all() -> u8 {
    // Servers had their chance when it was done gently: no more waiting for them.
    rounds(detach, is_remote);
    let left = rounds(unmount, |_| true);
    // Read-only first, which ends its journal: once out of the tree it has no name.
    let busy = removable(mounts()).iter().filter(|mount| !makes_read_only(path(mount))).count();
    rounds(detach, |_| true);
    let root_busy = !makes_read_only(Path::new("/"));
    if busy > 0 || root_busy {
        // A file is open for writing, by somebody who could not be killed, or it is the one
        // that this finit was started from and that an upgrade has replaced. The kernel can
        // make all disks read-only in spite of that.
        os::fds::write_file(Path::new("/proc/sysrq-trigger"), b"u").ok();
    }
    os::reboot::sync();
    if left == 0 && !root_busy { CLEAN } else { BUSY }
}

fn makes_read_only(target: &Path) -> bool {
    os::mount::remount_read_only(target).is_ok()
}

/// Goes over the mounts again and again until a round brings nothing: a mount below or a loop
/// device may have kept one busy. How many are left.
fn rounds(way: Way, wanted: fn(&Mount) -> bool) -> usize {
    loop {
        let found: Vec<Mount> = removable(mounts()).into_iter().filter(wanted).collect();
        let gone = found.iter().filter(|mount| way(path(mount)).is_ok()).count();
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

/// What has to go, in order: those that need the network first, while there may be one, the
/// deepest first, the latest first.
fn removable(mounts: Vec<Mount>) -> Vec<Mount> {
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
fn is_remote(mount: &Mount) -> bool {
    let fstype = String::from_utf8_lossy(&mount.fstype);
    let options = mount.options.split(|byte| *byte == b',');
    // fuseblk is a disk, though a program of its own serves it.
    let by_program = fstype == "fuse" || fstype.starts_with("fuse.") || fstype == "9p";
    by_program || fstab::is_network(&fstype) || options.clone().any(|word| word == b"_netdev")
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
";
        let order: Vec<String> = removable(os::mount::parse_mountinfo(table))
            .iter()
            .map(|mount| format!("{} {}", path(mount).display(), mount.fstype.escape_ascii()))
            .collect();
        assert_eq!(
            order,
            [
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
