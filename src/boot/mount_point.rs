//! The helper that makes a mount point. An fstab(5) that was written for systemd may name folders
//! that nobody has made, and not every mount(8) knows `X-mount.mkdir`.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::fstab::{self, Entry};
use crate::os;

/// Word for [`make`].
pub(super) const MAKE: &str = "--make-mount-point";

/// Exit status: something is mounted there already.
pub(super) const IN_USE: u8 = 3;

/// The helper: makes the target of a line of fstab(5) unless it is there.
pub(super) fn make(target: &str) -> u8 {
    let path = Path::new(target);
    // Where the kernel has it: of /var/run/x, where /var/run is a link, /proc tells as /run/x, and
    // a second tmpfs would hide the first.
    if path.canonicalize().is_ok_and(|path| os::mount::is_mount_point(&path)) {
        return IN_USE;
    }
    let Some(entry) = fstab::line(target).filter(|entry| !is_made_by_mount(entry)) else {
        return 0;
    };
    match provide(&entry) {
        Ok(()) => 0,
        Err(error) => {
            drop(writeln!(std::io::stdout(), "its mount point cannot be made: {error}"));
            1
        }
    }
}

/// mount(8) makes it by itself, with a mode maybe.
fn is_made_by_mount(entry: &Entry) -> bool {
    let words = entry.options.iter().filter_map(|option| option.split('=').next());
    words.into_iter().any(|word| word.eq_ignore_ascii_case("x-mount.mkdir"))
}

/// As systemd makes it: a file for a file, and the folder that a bind mount shows too.
fn provide(entry: &Entry) -> Result<()> {
    let (source, target) = (Path::new(&entry.source), Path::new(&entry.target));
    let is_file = entry.is_bind() && source.exists() && !source.is_dir();
    if entry.is_bind() && !is_file {
        make_folder(source)?;
    }
    if target.exists() {
        return Ok(());
    }
    if !is_file {
        return make_folder(target);
    }
    target.parent().map_or(Ok(()), make_folder)?;
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(target).map(drop)
}

/// With those above it; it may be there.
fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}
