//! The device nodes of modules that the kernel loads when somebody opens one, as /dev/fuse or
//! /dev/loop-control. The kernel itself makes a node once its module is there, and who needs one
//! loads none: mount(8) opens /dev/loop-control, and is told that it does not exist.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path};
use std::time::Duration;

use super::{Context, MYSELF, Tools, conf, program};
use crate::facts::{Errno, Exit};
use crate::os;

/// Word for [`make`].
pub(super) const MAKE: &str = "--make-device-nodes";

/// The modules may lie on a slow disk.
const DEADLINE: Duration = Duration::from_secs(30);

/// Has them made by a helper: modules may lie on another disk than PID 1.
pub(super) async fn provide(context: &Context, tools: &impl Tools) -> Result<(), String> {
    let root = context.root.to_string_lossy();
    match tools.run(&[MYSELF, MAKE, &root], DEADLINE).await {
        Ok(made) if made.exit == Exit::SUCCESS => Ok(()),
        Ok(made) => Err(program::complaint(&["device nodes"], &made)),
        Err(error) => Err(format!("device nodes: {error}")),
    }
}

/// The helper: makes those that are missing, for root alone as kmod(8) has them made; udevd gives
/// them their owners and modes when it starts.
pub(super) fn make(root: &str) -> u8 {
    let root = Path::new(root);
    let release = conf::read(&root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
    let table = root.join("lib/modules").join(release.trim()).join("modules.devname");
    // A kernel without modules has no table, and its nodes are there.
    let table = conf::read(&table).unwrap_or_default();
    let mut status = 0;
    for node in conf::lines(&table).filter_map(Node::of) {
        if let Err(errno) = node.provide(&root.join("dev")) {
            drop(writeln!(std::io::stdout(), "/dev/{}: {errno}", node.name));
            status = 1;
        }
    }
    status
}

/// A line of the table, which depmod(8) has made.
struct Node<'a> {
    /// Its place below /dev.
    name: &'a str,
    is_block: bool,
    major: u32,
    minor: u32,
}

impl<'a> Node<'a> {
    /// As in `tun net/tun c10:200`: module, name, kind and number.
    fn of(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        let (name, device) = (words.next()?, words.next()?);
        let is_block = device.starts_with('b');
        let (major, minor) = device.strip_prefix(['b', 'c'])?.split_once(':')?;
        let is_below = |part| matches!(part, Component::Normal(_));
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        let node = Self { name, is_block, major, minor };
        Path::new(name).components().all(is_below).then_some(node)
    }

    fn provide(&self, folder: &Path) -> Result<(), Errno> {
        let path = folder.join(self.name);
        if let Some(above) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(above)?;
        }
        match os::fds::make_device(&path, self.is_block, self.major, self.minor) {
            // The kernel's own, or that of an earlier try.
            Err(Errno(libc::EEXIST)) => Ok(()),
            made => made,
        }
    }
}
