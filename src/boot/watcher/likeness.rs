//! What a path is like, in numbers that are the same as long as nothing of it changes.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Entries of a folder that are looked at; the rest shows in the times of the folder alone.
const ENTRIES: usize = 1_000;

/// What a path is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Likeness {
    /// Which file it is: device and inode, if it is one.
    pub place: Option<(u64, u64)>,
    /// All of it.
    pub of_all: u64,
    /// The same, but of a folder not its own times: what came and went in it leaves no trace.
    pub of_content: u64,
}

impl Likeness {
    /// What is at the end of all links.
    pub fn of(path: &Path) -> Self {
        let Ok(found) = std::fs::metadata(path) else { return Self::default() };
        let itself = Mark::default().with(&numbers(&found));
        let place = Some((found.dev(), found.ino()));
        if !found.is_dir() {
            return Self { place, of_all: itself.0, of_content: itself.0 };
        }
        let (entries, whole) = entries(path);
        let all = Mark(itself.0).with(&[entries]);
        let content = Mark::default().with(&[found.dev(), found.ino(), entries]);
        Self { place, of_all: all.0, of_content: if whole { content.0 } else { all.0 } }
    }
}

/// The same for a path that matches a pattern: together with the folder that it is in, where others
/// may match.
pub fn of_match(path: &Path) -> u64 {
    let folder = path.parent().map(Likeness::of).unwrap_or_default();
    Mark::of_name(path.as_os_str()).with(&[Likeness::of(path).of_content, folder.of_content]).0
}

/// A number for the entries of a folder, in any order, and whether it is about all of them.
fn entries(path: &Path) -> (u64, bool) {
    let Ok(mut entries) = std::fs::read_dir(path) else { return (0, false) };
    let first = entries.by_ref().flatten().take(ENTRIES);
    let one = |entry: std::fs::DirEntry| {
        let mark = Mark::of_name(&entry.file_name());
        mark.with(&entry.metadata().map(|found| numbers(&found)).unwrap_or_default()).0
    };
    let sum = first.fold(0u64, |sum, entry| sum.wrapping_add(one(entry)));
    (sum, entries.next().is_none())
}

/// What changes when a file does.
fn numbers(found: &Metadata) -> [u64; 7] {
    let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
    let [mtime, mtime_nsec, ctime, ctime_nsec] = times.map(i64::cast_unsigned);
    [found.dev(), found.ino(), found.size(), mtime, mtime_nsec, ctime, ctime_nsec]
}

/// Numbers made one: FNV-1a, a word at a time.
#[derive(Debug, Clone, Copy)]
struct Mark(u64);

impl Default for Mark {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Mark {
    fn of_name(name: &OsStr) -> Self {
        let bytes = name.as_encoded_bytes().iter();
        bytes.fold(Self::default(), |mark, byte| mark.with(&[u64::from(*byte)]))
    }

    fn with(self, numbers: &[u64]) -> Self {
        let add = |mark: u64, number: &u64| (mark ^ number).wrapping_mul(0x0100_0000_01b3);
        Self(numbers.iter().fold(self.0, add))
    }
}
