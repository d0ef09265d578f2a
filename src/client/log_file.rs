//! One log file as it is read: its last lines, what is added to it, and those before it that were
//! rotated away.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::SystemTime;

use nix::fcntl::OFlag;

use crate::os::place::{self, Place};

/// First piece of a file's end that is read; larger ones follow until enough lines are found.
const BLOCK: u64 = 8 * 1024;

/// First bytes of a file by which it is known again.
const HEAD: usize = 64;

/// When a line was written: each begins with that.
pub fn time_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// The path of a file that was rotated away.
fn numbered(path: &str, number: u32) -> String {
    format!("{path}.{number}")
}

/// Says of a line whether it is one of those that are to be shown.
pub type Meant<'a> = &'a dyn Fn(&str) -> bool;

/// A log file that is open, and stays the same one when it is rotated away.
pub struct OpenLog {
    file: File,
    /// How much of it there was when it was looked at last.
    length: u64,
    /// Which file it is.
    pub inode: u64,
    /// Its first bytes, which have the time of its first line.
    head: Vec<u8>,
}

/// What was added to a file.
pub struct Grown {
    /// That.
    pub bytes: Vec<u8>,
    /// The end of what there was before is gone.
    pub is_cut: bool,
}

impl OpenLog {
    /// Only a regular file, and none that somebody else leads us to: a service that may write its
    /// own log's folder must not make us wait for a pipe, nor show what is root's.
    pub fn open(path: &str) -> io::Result<Self> {
        let found = Place::find(Path::new(path), false);
        let file = found.and_then(|place| place.open(place.name(), OFlag::O_RDONLY, 0));
        let file = file.map_err(|errno| match place::meaning(errno) {
            Some(why) => io::Error::other(why),
            None => io::Error::from_raw_os_error(errno.0),
        })?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let (length, inode) = (metadata.len(), metadata.ino());
        let mut open = Self { file, length, inode, head: Vec::new() };
        open.head = open.first_bytes();
        Ok(open)
    }

    /// The newest file of that path: who rotates them may not have made another one yet.
    pub fn newest(path: &str) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::open(&numbered(path, 1)).map_err(|_| error)
            }
            outcome => outcome,
        }
    }

    fn first_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        let count = self.file.read_at(&mut bytes, 0).unwrap_or_default();
        bytes.truncate(count);
        bytes
    }

    /// The files before this one that came after the known one, oldest first. Where that is gone,
    /// they are those that were written to after it.
    pub fn since(&self, path: &str, (known, changed): (u64, Option<SystemTime>)) -> Vec<Self> {
        let mut between: Vec<Self> = Vec::new();
        let mut is_gone = true;
        for number in 1..=u32::MAX {
            let Ok(older) = Self::open(&numbered(path, number)) else { break };
            if older.inode == known {
                is_gone = false;
                break;
            }
            // Another rotation meanwhile shows the one before again.
            let is_there = between.iter().chain([self]).any(|one| one.inode == older.inode);
            between.extend((!is_there).then_some(older));
        }
        if is_gone {
            between.retain(|one| one.changed() > changed);
        }
        between.reverse();
        between
    }

    /// When something was written last.
    pub fn changed(&self) -> Option<SystemTime> {
        self.file.metadata().and_then(|metadata| metadata.modified()).ok()
    }

    /// All of it.
    pub fn whole(&mut self) -> Vec<u8> {
        self.length = 0;
        self.grown().bytes
    }

    /// What was added since. A file that is shorter by now has lost its end, as the writer takes back
    /// what a disk had no room for, or it was emptied and all of it is new.
    pub fn grown(&mut self) -> Grown {
        let before = self.length;
        let Ok(metadata) = self.file.metadata() else {
            return Grown { bytes: Vec::new(), is_cut: false };
        };
        self.length = metadata.len();
        let is_cut = self.length < before;
        let from = match is_cut {
            false => before,
            true if self.head.starts_with(&self.first_bytes()) => self.length,
            true => 0,
        };
        if is_cut || self.head.len() < HEAD {
            self.head = self.first_bytes();
        }
        Grown { bytes: self.read_from(from).unwrap_or_default(), is_cut }
    }

    /// The last lines, from files that were rotated away too where this one has not enough of
    /// them: NAME.log, NAME.log.1, and so on.
    pub fn tail(
        &mut self,
        path: &str,
        count: usize,
        since: &str,
        is_meant: Meant<'_>,
    ) -> io::Result<Vec<String>> {
        let mut lines = self.own_tail(count, since, is_meant)?;
        let mut read = vec![self.inode];
        for number in self.first_older(path)..=u32::MAX {
            let missing = count.saturating_sub(lines.len());
            if missing == 0 {
                break;
            }
            let Ok(mut older) = Self::open(&numbered(path, number)) else { break };
            // Another rotation meanwhile shows the one before again.
            if read.contains(&older.inode) {
                continue;
            }
            read.push(older.inode);
            let mut earlier = older.own_tail(missing, since, is_meant)?;
            earlier.append(&mut lines);
            lines = earlier;
        }
        Ok(lines)
    }

    /// The number of the file before this one, which may have been rotated away itself.
    fn first_older(&self, path: &str) -> u32 {
        let is_this = |path: &str| Some(Self::open(path).ok()?.inode == self.inode);
        if is_this(path) == Some(true) {
            return 1;
        }
        let mut rotated = (1..=u32::MAX).map_while(|number| is_this(&numbered(path, number)));
        let place = rotated.position(|is_this| is_this).and_then(|at| u32::try_from(at).ok());
        place.map_or(1, |at| at.saturating_add(2))
    }

    /// The last of those lines of this file whose times are not less than that one.
    fn own_tail(
        &mut self,
        count: usize,
        since: &str,
        is_meant: Meant<'_>,
    ) -> io::Result<Vec<String>> {
        let mut block = BLOCK;
        loop {
            let from = self.length.saturating_sub(block);
            let bytes = self.read_from(from)?;
            let text = String::from_utf8_lossy(&bytes);
            // The first line of a piece may be the end of one.
            let whole = text.lines().skip(usize::from(from > 0));
            let found = whole.filter(|line| time_of(line) >= since && is_meant(line));
            let mut found: Vec<&str> = found.collect();
            let begins_before = text.lines().nth(1).is_some_and(|line| time_of(line) < since);
            if found.len() >= count || from == 0 || begins_before {
                let last = found.split_off(found.len().saturating_sub(count));
                return Ok(last.into_iter().map(str::to_owned).collect());
            }
            block = block.saturating_mul(4);
        }
    }

    /// The file from there to where it ended at the last look.
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let most = self.length.saturating_sub(offset);
        let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
        (&mut self.file).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_rotated_away_while_it_is_read_is_shown_once() {
        let name = format!("finit-tail-{}", std::process::id());
        let path = std::env::temp_dir().join(name).to_str().unwrap().to_owned();
        let names = [path.clone(), numbered(&path, 1), numbered(&path, 2), numbered(&path, 3)];
        for (name, text) in names.iter().zip(["3\n", "2\n", "1\n"]) {
            std::fs::write(name, text).unwrap();
        }
        let mut open = OpenLog::open(&path).unwrap();
        let all = |open: &mut OpenLog| open.tail(&path, 9, "", &|_| true).unwrap();
        assert_eq!(all(&mut open), ["1", "2", "3"]);
        for pair in [2, 1, 0].map(|number| &names[number..number + 2]) {
            std::fs::rename(&pair[0], &pair[1]).unwrap();
        }
        assert_eq!(all(&mut open), ["1", "2", "3"]);
        std::fs::rename(&names[1], &names[0]).unwrap();
        std::fs::write(&names[1], "4\n").unwrap();
        std::fs::rename(&names[0], format!("{path}.x")).unwrap();
        std::fs::rename(&names[2], format!("{path}.y")).unwrap();
        std::fs::rename(format!("{path}.x"), &names[2]).unwrap();
        std::fs::rename(format!("{path}.y"), &names[3]).unwrap();
        std::fs::write(&names[0], "5\n").unwrap();
        assert_eq!(all(&mut open), ["2", "3"]);
        names.iter().for_each(|name| std::fs::remove_file(name).unwrap());
    }
}
