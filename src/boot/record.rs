//! The records of who was here when: utmp(5) and wtmp(5) say when the machine came up and when it
//! went down, which ends the sessions of all who were logged in (who(1), last(1)). Those of single
//! terminals are in `session`.
//!
//! The files lie on disks, so that a helper process writes; a file that is not there is nobody's
//! wish and is not made.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::{Context, MYSELF, Place, Tools};
use crate::facts::Errno;
use crate::os;

/// Word for the helper that notes that the machine came up.
pub(super) const UP: &str = "--note-boot";

/// Word for the helper that notes that it goes down.
pub(super) const DOWN: &str = "--note-shutdown";

/// Who is logged in now; empty at boot.
pub(super) const NOW: &str = "/run/utmp";

/// Who was.
pub(super) const EVER: &str = "/var/log/wtmp";

/// Neither a login nor the end waits longer for a disk.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long another's lock is waited for, where it need not be.
const COURTESY: Duration = Duration::from_millis(500);

/// Types of records in utmp(5): RUN_LVL and BOOT_TIME.
const RUN_LEVEL: i16 = 1;
const BOOT_TIME: i16 = 2;

/// Whether fields of time have their natural width, or that of 32-bit programs of the same
/// machine.
const IS_WIDE: bool = cfg!(any(target_arch = "aarch64", target_arch = "s390x"));

/// Size of a record.
pub(super) const SIZE: usize = if IS_WIDE { 400 } else { 384 };

/// Runs one of the helpers of this file. That it fails is no reason to say anything: what is lost
/// is one line of last(1).
pub(super) async fn note(word: &str, context: &Context, left: Duration, tools: &impl Tools) {
    if context.place == Place::Machine {
        tools.run(&[MYSELF, word], DEADLINE.min(left)).await.ok();
    }
}

/// The helper: the machine is up.
pub(super) fn up() -> u8 {
    let record = of_machine(BOOT_TIME, "reboot");
    let now = append(Path::new(NOW), &record);
    let ever = append(Path::new(EVER), &record);
    u8::from(now.is_err() || ever.is_err())
}

/// The helper: the machine goes down.
pub(super) fn down() -> u8 {
    u8::from(append(Path::new(EVER), &of_machine(RUN_LEVEL, "shutdown")).is_err())
}

/// Such a record comes from what the kernel calls itself.
fn of_machine(kind: i16, user: &str) -> Vec<u8> {
    let host = release();
    let at = os::time::wall();
    Record { kind, line: b"~", id: b"~~", user, host: &host, at, ..Record::default() }.bytes()
}

/// At the end, in one write, so that it stays whole beside those of others. The C library's own
/// look for the end first, under a lock; that is waited for a moment, as a courtesy: whoever may
/// read the file can keep it locked.
pub(super) fn append(path: &Path, records: &[u8]) -> Result<(), Errno> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    os::fds::lock(file.as_fd(), COURTESY).ok();
    Ok(file.write_all(records)?)
}

/// What the kernel calls itself, which is where such a record came from.
fn release() -> String {
    let text = os::fds::read_small(Path::new("/proc/sys/kernel/osrelease"), 256);
    String::from_utf8_lossy(&text.unwrap_or_default()).trim().to_owned()
}

/// What a record says; what it leaves out is empty or 0.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) kind: i16,
    pub(super) pid: i32,
    pub(super) line: &'a [u8],
    pub(super) id: &'a [u8],
    pub(super) user: &'a str,
    pub(super) host: &'a str,
    /// The signal that ended a process, and its status.
    pub(super) exit: (i16, i16),
    pub(super) session: i32,
    /// Seconds since 1970, and nanoseconds.
    pub(super) at: (i64, u32),
}

impl Record<'_> {
    /// As utmp(5) has it, byte by byte: no field of it is in need of a C library.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (seconds, nanoseconds) = self.at;
        let micros = nanoseconds.wrapping_div(1000);
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(self.pid.to_ne_bytes());
        text(&mut bytes, self.line, 32);
        text(&mut bytes, self.id, 4);
        text(&mut bytes, self.user.as_bytes(), 32);
        text(&mut bytes, self.host.as_bytes(), 256);
        bytes.extend(self.exit.0.to_ne_bytes());
        bytes.extend(self.exit.1.to_ne_bytes());
        if IS_WIDE {
            bytes.extend(i64::from(self.session).to_ne_bytes());
            bytes.extend(seconds.to_ne_bytes());
            bytes.extend(i64::from(micros).to_ne_bytes());
        } else {
            bytes.extend(self.session.to_ne_bytes());
            // Unsigned, it lasts until 2106; who reads it as signed has to know.
            bytes.extend(u32::try_from(seconds).unwrap_or_default().to_ne_bytes());
            bytes.extend(micros.to_ne_bytes());
        }
        // Address, and what is not used.
        bytes.resize(SIZE, 0);
        bytes
    }
}

/// A field of text: cut to its width, filled with zeros.
fn text(bytes: &mut Vec<u8>, text: &[u8], width: usize) {
    let end = bytes.len().saturating_add(width);
    bytes.extend(text.iter().take(width));
    bytes.resize(end, 0);
}

/// What somebody else's record says, of what is asked for here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: i16,
    pub(super) pid: i32,
    pub(super) line: Vec<u8>,
    pub(super) id: Vec<u8>,
}

impl Entry {
    /// None for what is shorter than a record.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(i32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let text = |at: usize, width: usize| {
            let field = bytes.get(at..)?.get(..width)?;
            Some(field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
        };
        Some(Self {
            kind: i16::from_ne_bytes(*bytes.first_chunk()?),
            pid: number(4)?,
            line: text(8, 32)?,
            id: text(40, 4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_the_c_library_says() {
        let record = Record {
            kind: BOOT_TIME,
            pid: 70_000,
            line: b"~",
            id: b"~~",
            user: "reboot",
            host: &"6.1".repeat(200),
            exit: (15, 3),
            session: 70_001,
            at: (1_700_000_000, 250_000_999),
        };
        let record = record.bytes();
        assert_eq!(record.len(), SIZE);
        assert_eq!(record.len(), std::mem::size_of::<libc::utmpx>());
        let at = |offset: usize, text: &str| record[offset..].starts_with(text.as_bytes());
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_line), "~\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_id), "~~\0\0reboot\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_user), "reboot\0"));
        assert!(at(std::mem::offset_of!(libc::utmpx, ut_host), "6.16.16"));
        assert_eq!(record[..2], 2i16.to_ne_bytes());
        assert_eq!(
            record[std::mem::offset_of!(libc::utmpx, ut_pid)..][..4],
            70_000i32.to_ne_bytes()
        );
        let exit = std::mem::offset_of!(libc::utmpx, ut_exit);
        assert_eq!(record[exit..][..4], [15i16.to_ne_bytes(), 3i16.to_ne_bytes()].concat());
        let session = std::mem::offset_of!(libc::utmpx, ut_session);
        assert_eq!(record[session..][..4], 70_001i32.to_ne_bytes());
        let time = std::mem::offset_of!(libc::utmpx, ut_tv);
        assert_eq!(record[time..][..4], 1_700_000_000u32.to_ne_bytes());
        let micros = time.saturating_add(if IS_WIDE { 8 } else { 4 });
        assert_eq!(record[micros..][..4], 250_000u32.to_ne_bytes());
        let (line, id) = (b"~".to_vec(), b"~~".to_vec());
        let entry = Entry { kind: BOOT_TIME, pid: 70_000, line, id };
        assert_eq!(Entry::read(&record), Some(entry));
        assert_eq!(Entry::read(&record[..40]), None);
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
