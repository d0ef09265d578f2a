//! The records of who was here when: utmp(5) and wtmp(5) say when the machine came up and when it
//! went down, which ends the sessions of all who were logged in (who(1), last(1)).
//!
//! The files lie on disks, so that a helper process writes; a file that is not there is nobody's
//! wish and is not made.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::{Context, MYSELF, Place, Tools};
use crate::os;

/// Word for the helper that notes that the machine came up.
pub(super) const UP: &str = "--note-boot";

/// Word for the helper that notes that it goes down.
pub(super) const DOWN: &str = "--note-shutdown";

/// Who is logged in now; empty at boot.
const NOW: &str = "/run/utmp";

/// Who was.
const EVER: &str = "/var/log/wtmp";

/// Neither a login nor the end waits longer for a disk.
const DEADLINE: Duration = Duration::from_secs(3);

/// Types of records in utmp(5): RUN_LVL and BOOT_TIME.
const RUN_LEVEL: i16 = 1;
const BOOT_TIME: i16 = 2;

/// Whether fields of time have their natural width, or that of 32-bit programs of the same
/// machine.
const IS_WIDE: bool = cfg!(any(target_arch = "aarch64", target_arch = "s390x"));

/// Size of a record.
const SIZE: usize = if IS_WIDE { 400 } else { 384 };

/// Runs one of the helpers of this file. That it fails is no reason to say anything: what is lost
/// is one line of last(1).
pub(super) async fn note(word: &str, context: &Context, left: Duration, tools: &impl Tools) {
    if context.place == Place::Machine {
        tools.run(&[MYSELF, word], DEADLINE.min(left)).await.ok();
    }
}

/// The helper: the machine is up.
pub(super) fn up() -> u8 {
    let record = record(BOOT_TIME, "reboot", &release(), os::time::wall());
    let now = append(Path::new(NOW), &record);
    let ever = append(Path::new(EVER), &record);
    u8::from(now.is_err() || ever.is_err())
}

/// The helper: the machine goes down.
pub(super) fn down() -> u8 {
    let record = record(RUN_LEVEL, "shutdown", &release(), os::time::wall());
    u8::from(append(Path::new(EVER), &record).is_err())
}

/// In one write, so that it stays whole beside those of others.
fn append(path: &Path, record: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(record)
}

/// What the kernel calls itself, which is where such a record came from.
fn release() -> String {
    let text = os::fds::read_small(Path::new("/proc/sys/kernel/osrelease"), 256);
    String::from_utf8_lossy(&text.unwrap_or_default()).trim().to_owned()
}

/// A record as utmp(5) has it, byte by byte: no field of it is in need of a C library.
fn record(kind: i16, user: &str, host: &str, (seconds, nanoseconds): (i64, u32)) -> Vec<u8> {
    let micros = nanoseconds.wrapping_div(1000);
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(0i32.to_ne_bytes()); // pid
    text(&mut bytes, "~", 32); // line
    text(&mut bytes, "~~", 4); // id
    text(&mut bytes, user, 32);
    text(&mut bytes, host, 256);
    bytes.extend([0; 4]); // exit
    if IS_WIDE {
        bytes.extend([0; 8]); // session
        bytes.extend(seconds.to_ne_bytes());
        bytes.extend(i64::from(micros).to_ne_bytes());
    } else {
        bytes.extend([0; 4]);
        // Unsigned, it lasts until 2106; who reads it as signed has to know.
        bytes.extend(u32::try_from(seconds).unwrap_or_default().to_ne_bytes());
        bytes.extend(micros.to_ne_bytes());
    }
    // Address, and what is not used.
    bytes.resize(SIZE, 0);
    bytes
}

/// A field of text: cut to its width, filled with zeros.
fn text(bytes: &mut Vec<u8>, text: &str, width: usize) {
    let end = bytes.len().saturating_add(width);
    bytes.extend(text.bytes().take(width));
    bytes.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_the_c_library_says() {
        let record = record(BOOT_TIME, "reboot", &"6.1".repeat(200), (1_700_000_000, 250_000_999));
        assert_eq!(record.len(), SIZE);
        assert_eq!(record.len(), std::mem::size_of::<libc::utmpx>());
        let at = |offset: usize, text: &str| record[offset..].starts_with(text.as_bytes());
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_line), "~\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_id), "~~\0\0reboot\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_user), "reboot\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_host), "6.16.16"));
        assert_eq!(record[..2], 2i16.to_ne_bytes());
        assert_eq!(record[std::mem::offset_of!(libc::utmpx, ut_exit)..][..4], [0; 4]);
        let time = std::mem::offset_of!(libc::utmpx, ut_tv);
        assert_eq!(record[time..][..4], 1_700_000_000u32.to_ne_bytes());
        let micros = time.saturating_add(if IS_WIDE { 8 } else { 4 });
        assert_eq!(record[micros..][..4], 250_000u32.to_ne_bytes());
    }

    #[test]
    fn a_file_that_is_not_there_is_not_made() {
        let path = std::env::temp_dir().join(format!("finit-wtmp-{}", std::process::id()));
        assert!(append(&path, b"x").is_err() && !path.exists());
        std::fs::write(&path, "").unwrap();
        append(&path, b"x").unwrap();
        append(&path, b"y").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"xy");
        std::fs::remove_file(&path).unwrap();
    }
}
