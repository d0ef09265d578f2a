//! The random seed: randomness that one boot leaves for the next.
//!
//! A seed is credited as randomness only if it is finit's own, readable by root alone, and gone
//! from the disk for good before it is used: one that is used twice, after a crash or on two
//! copies of a machine, would promise what it does not hold (RNDADDENTROPY, random(4)). Anything
//! else is stirred in without credit. The file lies on a disk and is synced, so all of this is
//! done by a helper process.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Context, Done, MYSELF, Report, Tools};
use crate::facts::{Errno, Exit};
use crate::os;

/// Word for the helper that uses the seed and leaves a new one.
pub(super) const RENEW: &str = "--renew-seed";

/// Word for the helper that only leaves a new one.
pub(super) const SAVE: &str = "--save-seed";

const FOLDER: &str = "var/lib/finitd";
const OWN: &str = "var/lib/finitd/random-seed";

/// Seeds of those who were here before: systemd, and the urandom script of sysvinit.
const FOREIGN: [&str; 3] =
    ["var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/misc/random-seed"];

/// Exit status of a helper: the kernel has no randomness to leave yet.
const TOO_EARLY: u8 = 2;

/// As much as the kernel's generator holds.
const SIZE: usize = 32;

/// Longest seed that is read.
const LARGEST: usize = 4096;

/// The disk may be slow; a boot does not wait for it longer than this.
const DEADLINE: Duration = Duration::from_secs(20);

/// Uses the seed of the last boot and leaves one for the next.
pub(super) async fn random_seed(context: &Context, tools: &impl Tools) -> Report {
    if !context.boot.random_seed {
        return Ok(Done::Skipped("boot.random-seed is false"));
    }
    leave(RENEW, DEADLINE, tools).await
}

/// Runs one of the helpers of this file.
pub(super) async fn leave(word: &str, deadline: Duration, tools: &impl Tools) -> Report {
    let why = match tools.run(&[MYSELF, word], deadline).await {
        Ok(finished) => match finished.exit {
            Exit::SUCCESS => return Ok(Done::Worked),
            // As on a first boot without a hardware generator; the shutdown leaves a seed.
            Exit::Code(TOO_EARLY) => return Ok(Done::Skipped("no randomness to keep yet")),
            exit => exit.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(format!("/{OWN} was not renewed: {why}"))
}

/// The helper: stirs the seed in and replaces it.
pub(super) fn renew() -> u8 {
    let root = Path::new("/");
    if let Some(seed) = take(root) {
        let credited = seed.credit == Credit::Given && os::host::credit_seed(&seed.bytes).is_ok();
        if !credited {
            os::fds::write_file(Path::new("/dev/urandom"), &seed.bytes).ok();
        }
    }
    save()
}

/// The helper: leaves a seed for the next boot.
pub(super) fn save() -> u8 {
    match save_in(Path::new("/")) {
        Ok(()) => 0,
        Err(Errno(libc::EAGAIN)) => TOO_EARLY,
        Err(_) => 1,
    }
}

/// A seed that was found.
struct Seed {
    bytes: Vec<u8>,
    credit: Credit,
}

/// Whether a seed counts as randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credit {
    Given,
    Refused,
}

/// Reads the seed; finit's own is taken from the disk.
fn take(root: &Path) -> Option<Seed> {
    let own = root.join(OWN);
    if let Ok(bytes) = os::fds::read_small(&own, LARGEST) {
        let private = std::fs::symlink_metadata(&own)
            .is_ok_and(|file| file.is_file() && file.uid() == 0 && file.mode() & 0o077 == 0);
        let gone = std::fs::remove_file(&own).is_ok() && sync(&root.join(FOLDER)).is_ok();
        let whole = bytes.len() == SIZE;
        let credit = if private && gone && whole { Credit::Given } else { Credit::Refused };
        return Some(Seed { bytes, credit });
    }
    let read = |place: &str| os::fds::read_small(&root.join(place), LARGEST).ok();
    let bytes = FOREIGN.into_iter().find_map(read)?;
    Some(Seed { bytes, credit: Credit::Refused })
}

/// Writes a new seed, if the kernel has randomness to give: one from an empty pool must not be
/// credited by the next boot.
fn save_in(root: &Path) -> Result<(), Errno> {
    let mut bytes = [0; SIZE];
    if !os::host::random(&mut bytes) {
        return Err(Errno(libc::EAGAIN));
    }
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let own: PathBuf = root.join(OWN);
    os::fds::create_file(&own, &bytes, 0o600)?;
    sync(&own)?;
    sync(&folder)
}

fn sync(path: &Path) -> Result<(), Errno> {
    Ok(File::open(path)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("finit-seed-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&root).ok();
        std::fs::create_dir_all(root.join("var/lib/systemd")).unwrap();
        root
    }

    #[test]
    fn own_seeds_are_used_once() {
        let root = scratch("own");
        save_in(&root).unwrap();
        let seed = take(&root).unwrap();
        // Only root's own file is credited, so that this depends on who runs the test.
        let mine = std::fs::metadata(&root).unwrap().uid() == 0;
        assert_eq!(seed.credit == Credit::Given, mine);
        assert_eq!(seed.bytes.len(), SIZE);
        assert!(take(&root).is_none());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn seeds_that_others_can_read_or_of_others_are_not_credited() {
        let root = scratch("others");
        std::fs::write(root.join("var/lib/systemd/random-seed"), "theirs").unwrap();
        assert_eq!(take(&root).unwrap().credit, Credit::Refused);
        save_in(&root).unwrap();
        std::fs::set_permissions(root.join(OWN), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(take(&root).unwrap().credit, Credit::Refused);
        assert_eq!(take(&root).unwrap().bytes, b"theirs");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_seed_that_is_too_long_is_left_alone() {
        let root = scratch("long");
        std::fs::create_dir_all(root.join(FOLDER)).unwrap();
        std::fs::write(root.join(OWN), vec![1; LARGEST + 1]).unwrap();
        assert!(take(&root).is_none());
        std::fs::remove_dir_all(root).unwrap();
    }
}
