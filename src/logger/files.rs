//! The log files: opened at the first line, at most [`OPEN_MAX`] at a time, rotated by size,
//! never through a link of somebody else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, symlink_metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::facts::Errno;
use crate::os::place::Place;

/// Files open at once; the one unused for longest is closed for another.
const OPEN_MAX: usize = 64;

/// A text that did not go into its file whole.
#[derive(Debug)]
pub struct Cut {
    /// Why.
    pub errno: Errno,
    /// Bytes of it that are there nevertheless.
    pub written: usize,
}

impl<E: Into<Errno>> From<E> for Cut {
    fn from(error: E) -> Self {
        Self { errno: error.into(), written: 0 }
    }
}

/// The log files.
#[derive(Debug)]
pub struct Files {
    /// Bytes after which a file is rotated; 0: never.
    pub max_size: u64,
    /// Rotated files kept.
    pub keep: u32,
    /// Bytes after which some files are rotated instead, by path and by the pipe that says so.
    own: BTreeMap<(String, u32), u64>,
    /// The one used last is at the end.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    path: Box<str>,
    file: File,
    size: u64,
    /// A device or FIFO that the configuration names: it has no size and is not rotated.
    plain: bool,
    /// Second in which its path was last found to still lead to it.
    checked: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self { max_size: 1 << 20, keep: 4, own: BTreeMap::new(), open: Vec::new() }
    }
}

impl Files {
    /// Has a file rotated after so many bytes as long as that pipe leads to it.
    pub fn set_own(&mut self, path: String, pipe: u32, max_size: u64) {
        self.own.insert((path, pipe), max_size);
    }

    /// The pipe leads there no more.
    pub fn forget_own(&mut self, path: String, pipe: u32) {
        self.own.remove(&(path, pipe));
    }

    /// Bytes after which that file is rotated: the least that any of its pipes says, and 0 only if
    /// all do.
    fn max_size_of(&self, path: &str) -> u64 {
        if self.own.is_empty() {
            return self.max_size;
        }
        let own = self.own.range((path.to_owned(), 0)..=(path.to_owned(), u32::MAX));
        own.map(|(_, size)| *size).min_by_key(|size| size.wrapping_sub(1)).unwrap_or(self.max_size)
    }

    /// Makes the file ready for that many bytes more, and tells its size.
    pub fn prepare(&mut self, path: &str, bytes: usize, second: u64) -> Result<u64, Errno> {
        let max_size = self.max_size_of(path);
        let open = self.find(path, second)?;
        let size = open.size;
        let after = size.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if !open.plain || max_size == 0 || size == 0 || after <= max_size {
            return Ok(size);
        }
        if self.rotate(path).is_err() {
            // Too long a file is better than lines that are nowhere.
            return Ok(size);
        }
        self.open.retain(|open| &*open.path != path);
        self.find(path, second).map(|open| open.size)
    }

    /// Appends a text whole. What went in before an error is taken out again, so that a full
    /// disk leaves no half lines; a terminal or a FIFO keeps it.
    pub fn append(&mut self, path: &str, text: &[u8], second: u64) -> Result<(), Cut> {
        let open = self.find(path, second)?;
        let mut written = 0_usize;
        while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
            let errno = match open.file.write(rest) {
                Ok(0) => Errno(libc::EIO),
                Ok(count) => {
                    written = written.saturating_add(count);
                    open.size = open.size.saturating_add(u64::try_from(count).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error.into(),
            };
            if open.take_back(u64::try_from(written).unwrap_or_default()) {
                written = 0;
            }
            return Err(Cut { errno, written });
        }
        Ok(())
    }

    /// Appends what is missing of a text that a writer began to append at a size.
    pub fn complete(&mut self, path: &str, at: u64, text: &[u8], second: u64) -> Result<(), Cut> {
        let open = self.find(path, second)?;
        let length = usize::try_from(open.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut there = vec![0; length.min(text.len())];
        let is_begun = open.plain
            && length <= text.len()
            && open.read(&mut there, at).is_ok()
            && text.starts_with(&there);
        let begun = if is_begun { length } else { 0 };
        let missing = text.get(begun..).unwrap_or_default();
        let cut = |cut: Cut| Cut { written: begun.saturating_add(cut.written), ..cut };
        self.append(path, missing, second).map_err(cut)
    }

    /// Brings everything to the disk.
    pub fn sync(&mut self) {
        for open in &self.open {
            // A device has nothing to bring; a disk that fails now has no one to tell.
            let _synced = open.file.sync_data();
        }
    }

    /// The open file, most recent from now on. Once a second its path is compared with it, so
    /// that a file which someone moved away, emptied or removed is found out.
    fn find(&mut self, path: &str, second: u64) -> Result<&mut Open, Errno> {
        let found = self.open.iter().position(|open| &*open.path == path);
        let mut found = found.map(|index| self.open.remove(index));
        if let Some(open) = found.as_mut().filter(|open| open.checked != second) {
            if open.is_current() {
                open.checked = second;
            } else {
                found = None;
            }
        }
        let open = match found {
            Some(open) => open,
            None => Open::new(path, second)?,
        };
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(open);
        self.open.last_mut().ok_or(Errno(libc::EIO))
    }

    /// NAME.log becomes NAME.log.1 and so on, up to the first number that is free; the oldest is
    /// overwritten where none is. A writer that is killed in the middle of it leaves one free,
    /// which is filled by the next: a reader takes it for the end.
    fn rotate(&self, path: &str) -> Result<(), Errno> {
        let place = Place::find(Path::new(path), false)?;
        let name = |number: u32| {
            let mut name = OsString::from(place.name());
            if number > 0 {
                name.push(format!(".{number}"));
            }
            name
        };
        if self.keep == 0 {
            return place.remove(&name(0));
        }
        let free = (1..self.keep).find(|number| !place.has(&name(*number)));
        for number in (0..free.unwrap_or(self.keep)).rev() {
            match place.rename(&name(number), &name(number.saturating_add(1))) {
                Err(Errno(libc::ENOENT)) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

impl Open {
    /// A file is made if there is none, but no FIFO and no device: those are only ever opened
    /// for writing, so that a FIFO without a reader is an error instead of lines that nobody gets.
    fn new(path: &str, second: u64) -> Result<Self, Errno> {
        let opened = |make: bool| {
            let place = Place::find(Path::new(path), make)?;
            let create = if make { OFlag::O_CREAT } else { OFlag::empty() };
            place.open(place.name(), OFlag::O_WRONLY | OFlag::O_APPEND | create, 0o640)
        };
        let file = match opened(false) {
            // The device will come, and a file in its place would keep it away.
            Err(Errno(libc::ENOENT)) if !is_device(path) => opened(true),
            outcome => outcome,
        }?;
        let facts = file.metadata()?;
        let kind = facts.file_type();
        if !(kind.is_file() || kind.is_char_device() || kind.is_fifo()) {
            return Err(Errno(libc::EINVAL));
        }
        let path = Box::from(path);
        Ok(Self { path, file, size: facts.len(), plain: kind.is_file(), checked: second })
    }

    fn is_current(&mut self) -> bool {
        let (Ok(mine), Ok(there)) = (self.file.metadata(), symlink_metadata(&*self.path)) else {
            return false;
        };
        self.size = mine.len();
        (mine.dev(), mine.ino()) == (there.dev(), there.ino())
    }

    /// Reads what is there from an offset on, all that was asked for.
    fn read(&self, there: &mut [u8], at: u64) -> Result<(), Errno> {
        let place = Place::find(Path::new(&*self.path), false)?;
        Ok(place.open(place.name(), OFlag::O_RDONLY, 0)?.read_exact_at(there, at)?)
    }

    /// Cuts off what this writer has just written, if nobody else has written behind it; whether
    /// it is gone.
    fn take_back(&mut self, bytes: u64) -> bool {
        let before = self.size.saturating_sub(bytes);
        let alone = self.file.metadata().is_ok_and(|facts| facts.len() == self.size);
        let gone = self.plain && bytes > 0 && alone && self.file.set_len(before).is_ok();
        if gone {
            self.size = before;
        }
        gone
    }
}

/// Whether only the kernel makes what has such a path.
fn is_device(path: &str) -> bool {
    path.starts_with("/dev/") && !path.starts_with("/dev/shm/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_free_is_filled_and_only_what_is_newer_moves() {
        let name = format!("finit-rotate-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("web.log").display().to_string();
        let names = [path.clone(), format!("{path}.1"), format!("{path}.2"), format!("{path}.3")];
        let read = || names.each_ref().map(|name| std::fs::read_to_string(name).ok());
        let there = |texts: [&str; 4]| texts.map(|text| Some(text.to_owned()).filter(|t| t != "-"));
        for (name, text) in names.iter().zip(["new", "1", "-", "3"]).filter(|(_, t)| *t != "-") {
            std::fs::write(name, text).unwrap();
        }
        let files = Files { keep: 3, ..Files::default() };
        files.rotate(&path).unwrap();
        assert_eq!(read(), there(["-", "new", "1", "3"]));
        std::fs::write(&path, "newer").unwrap();
        files.rotate(&path).unwrap();
        assert_eq!(read(), there(["-", "newer", "new", "1"]));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
