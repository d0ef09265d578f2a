//! What a service uses, read from the files of its control group.
//!
//! The client reads them itself: PID 1 has better things to do, and it need not be trusted
//! with numbers that anyone may read.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Use of one control group; what the kernel does not tell is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Time on the processors, since the group was made.
    pub cpu: Option<Duration>,
}

/// Memory and processor time of the group in that folder.
pub fn usage(folder: &str) -> Usage {
    Usage { memory: memory(folder), cpu: cpu(folder) }
}

/// Memory alone, for tables.
pub fn memory(folder: &str) -> Option<u64> {
    fs::read_to_string(Path::new(folder).join("memory.current")).ok()?.trim().parse().ok()
}

fn cpu(folder: &str) -> Option<Duration> {
    let text = fs::read_to_string(Path::new(folder).join("cpu.stat")).ok()?;
    let used = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    used.trim().parse().ok().map(Duration::from_micros)
}
