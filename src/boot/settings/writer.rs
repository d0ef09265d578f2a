//! The helper that writes the settings. Some take as long as the machine needs to find the memory,
//! as vm.nr_hugepages, and any signal to who writes cuts them short without an error: none of it is
//! for PID 1.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::boot::{MYSELF, RunError, Tools};
use crate::facts::{Errno, Exit};
use crate::os;

/// Word for [`write`].
pub(in crate::boot) const WRITE: &str = "--write-settings";

/// Finding the memory for huge pages takes minutes on a large machine.
const DEADLINE: Duration = Duration::from_secs(5 * 60);

/// Longest text for one helper: the kernel takes 128 KiB as one word.
const LONGEST: usize = 96 << 10;

/// Files and what is written into them, as one word for the helper.
type Order<'a> = Vec<(&'a Path, &'a str)>;

/// Has them written, in order; those that failed, by their places, and why.
pub(super) async fn order(
    writes: &[(PathBuf, String)],
    tools: &impl Tools,
) -> Result<Vec<(usize, Errno)>, String> {
    let mut failed = Vec::new();
    let mut begin = 0usize;
    while let Some(rest) = writes.get(begin..).filter(|rest| !rest.is_empty()) {
        let (count, text) = portion(rest);
        let finished = match tools.run(&[MYSELF, WRITE, &text], DEADLINE).await {
            Ok(finished) => finished,
            Err(error @ RunError::Spawn(_)) => return Err(error.to_string()),
            Err(error) => return Err(format!("writing the settings: {error}")),
        };
        if finished.exit != Exit::SUCCESS {
            return Err(format!("writing the settings: {}", finished.exit));
        }
        let told = finished.output.lines().filter_map(|line| {
            let (place, errno) = line.split_once(' ')?;
            let place = place.parse::<usize>().ok()?.checked_add(begin)?;
            Some((place, Errno(errno.parse().ok()?)))
        });
        failed.extend(told);
        begin = begin.saturating_add(count);
    }
    Ok(failed)
}

/// As many as one helper can be told, and at least one; in words for it.
fn portion(writes: &[(PathBuf, String)]) -> (usize, String) {
    let mut size = 0usize;
    let fitting = writes.iter().take_while(|(path, value)| {
        // In quotes, and maybe half of it escaped.
        let more = path.as_os_str().len().saturating_add(value.len()).saturating_add(16);
        size = size.saturating_add(more);
        size <= LONGEST
    });
    let count = fitting.count().max(1);
    let order: Order<'_> =
        writes.iter().take(count).map(|(path, value)| (path.as_path(), value.as_str())).collect();
    (count, serde_json::to_string(&order).unwrap_or_default())
}

/// The helper: writes each with one write(2), and prints the places of those that failed, each with
/// its error number.
pub(in crate::boot) fn write(order: &str) -> u8 {
    let Ok(order) = serde_json::from_str::<Vec<(PathBuf, String)>>(order) else { return 1 };
    let mut out = std::io::stdout();
    for (place, (path, value)) in order.iter().enumerate() {
        if let Err(Errno(errno)) = os::fds::write_file(path, value.as_bytes()) {
            drop(writeln!(out, "{place} {errno}"));
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_settings_are_told_in_portions_that_a_word_can_hold() {
        let writes: Vec<(PathBuf, String)> =
            (0..4096).map(|n| (format!("/proc/sys/{n:060}").into(), "1\n".to_owned())).collect();
        let (mut begin, mut all) = (0, Vec::new());
        while begin < writes.len() {
            let (count, text) = portion(&writes[begin..]);
            assert!(text.len() < 128 << 10, "{}", text.len());
            all.extend(serde_json::from_str::<Vec<(PathBuf, String)>>(&text).unwrap());
            begin += count;
        }
        assert_eq!(all, writes);
        let long = vec![("/a".into(), "x".repeat(LONGEST)), ("/b".into(), String::new())];
        assert_eq!(portion(&long).0, 1);
    }
}
