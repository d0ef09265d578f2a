//! Where the lines of files go: into their file, or, before files can be made and while a disk
//! is full, missing or read-only, into the spool and from there into the file later.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::errno::Errno as RawErrno;

use super::files::{Cut, Files};
use super::spool::{Note, Place, Record, Spool};
use super::text;
use crate::facts::Errno;
use crate::os::place;

/// A failing file is tried again at a line, but not sooner.
const RETRY: Duration = Duration::from_secs(1);

/// Without lines it is tried after twice the time each time, up to this.
const RETRY_MAX: Duration = Duration::from_secs(64);

/// Files and what waits for them.
#[derive(Debug)]
pub struct Store {
    /// The files.
    pub files: Files,
    /// The spool.
    pub spool: Spool,
    /// Files whose lines wait, by path: to keep the order, later lines wait too.
    waiting: BTreeMap<String, Waiting>,
    writable: bool,
    tried: Instant,
    pause: Duration,
    /// What an administrator has to know: that files cannot be written, and that they can again.
    pub news: Vec<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The last failure; none: files cannot be made yet.
    errno: Option<Errno>,
    /// Lines that had to give way.
    lost: u64,
}

impl Store {
    /// Takes up a spool.
    pub fn new(spool: Spool) -> Self {
        let mut waiting = BTreeMap::new();
        let mut next = spool.oldest();
        while let Some(record) = next {
            next = spool.record(record.next);
            if !record.done {
                waiting.insert(record.path, Waiting::default());
            }
        }
        let tried = Instant::now();
        Self {
            files: Files::default(),
            spool,
            waiting,
            writable: false,
            tried,
            pause: RETRY,
            news: Vec::new(),
        }
    }

    /// Finds the place for a text of that length.
    pub fn place(&mut self, path: &str, bytes: usize, millis: u64) -> Place {
        if self.writable && self.waiting.contains_key(path) && self.tried.elapsed() >= RETRY {
            self.retry(millis);
        }
        let waits = !self.writable || self.waiting.contains_key(path);
        if !waits {
            match self.files.prepare(path, bytes, millis / 1000) {
                Ok(size) => return Place::File(size),
                Err(errno) => self.fail(path, errno),
            }
        }
        Place::Spool(self.spool.tail())
    }

    /// Puts a text where its note says. A text that finds its disk full goes to the spool, and
    /// the note is changed first.
    pub fn put(&mut self, note: &Note, begun: &[u8], text: &[u8]) {
        match note.place {
            Place::Spool(_) => self.hold(&note.path, text),
            Place::File(_) => {
                let outcome = self.files.append(&note.path, text, note.millis / 1000);
                self.hold_rest(note, begun, text, outcome);
            }
        }
    }

    /// Finishes what a dead writer noted and perhaps began.
    pub fn redo(&mut self, note: &Note, begun: &[u8], text: &[u8]) {
        match note.place {
            Place::Spool(tail) if self.spool.tail() > tail => {}
            Place::Spool(_) => self.hold(&note.path, text),
            Place::File(size) => {
                let second = note.millis / 1000;
                let outcome = self.files.complete(&note.path, size, text, second);
                self.hold_rest(note, begun, text, outcome);
            }
        }
    }

    /// Keeps what did not go into a file, after its note has been changed.
    fn hold_rest(&mut self, note: &Note, begun: &[u8], text: &[u8], outcome: Result<(), Cut>) {
        let Err(cut) = outcome else { return };
        self.fail(&note.path, cut.errno);
        let place = Place::Spool(self.spool.tail());
        // A death right now doubles what was written; failing, one a little later this text.
        let _noted = self.spool.set_note(&Note { place, ..note.clone() }, begun);
        self.hold(&note.path, text.get(cut.written..).unwrap_or_default());
    }

    /// Files can be made from now on.
    pub fn set_writable(&mut self, millis: u64) {
        self.writable = true;
        self.retry(millis);
    }

    /// When to try again without a line, if ever.
    pub fn retry_in(&self) -> Option<Duration> {
        let waits = self.writable && !self.waiting.is_empty();
        waits.then(|| self.pause.saturating_sub(self.tried.elapsed()))
    }

    /// Tries to write everything that waits.
    pub fn retry(&mut self, millis: u64) {
        if !self.writable {
            return;
        }
        let mut failed: Vec<String> = Vec::new();
        let mut next = self.spool.oldest();
        while let Some(record) = next {
            next = self.spool.record(record.next);
            if record.done || failed.contains(&record.path) {
                continue;
            }
            let outcome = self
                .tell_lost(&record.path, millis)
                .and_then(|()| self.write(&record, millis / 1000));
            match outcome {
                Ok(()) => self.spool.set_done(&record).unwrap_or_default(),
                Err(errno) => {
                    self.fail(&record.path, errno);
                    failed.push(record.path);
                }
            }
        }
        let was_failing = self.waiting.values().any(|waiting| waiting.errno.is_some());
        let rest: Vec<String> = self.waiting.keys().cloned().collect();
        for path in rest {
            if failed.contains(&path) || self.tell_lost(&path, millis).is_err() {
                continue;
            }
            self.waiting.remove(&path);
        }
        if self.waiting.is_empty() && was_failing {
            self.news.push("log files are written again".to_owned());
        }
        self.tried = Instant::now();
        let doubled = self.pause.saturating_mul(2).min(RETRY_MAX);
        self.pause = if self.waiting.is_empty() { RETRY } else { doubled };
    }

    /// Writes a record into its file; what goes in is not written again.
    fn write(&mut self, record: &Record, second: u64) -> Result<(), Errno> {
        let text = self.spool.text(record)?;
        let outcome = if let Some(size) = record.tried {
            self.files.complete(&record.path, size, &text, second)
        } else {
            let size = self.files.prepare(&record.path, text.len(), second)?;
            self.spool.set_tried(record, size)?;
            self.files.append(&record.path, &text, second)
        };
        let Err(cut) = outcome else { return Ok(()) };
        // What a dead writer began may be there still, in a file that cannot be looked at now.
        if record.tried.is_none() || cut.written > 0 {
            let rest = text.get(cut.written..).unwrap_or_default();
            let written = u32::try_from(cut.written).unwrap_or(u32::MAX);
            self.spool.set_written(record, written, lines_of(rest))?;
            // Nothing of the rest is in the file, and it may be another one the next time.
            self.spool.set_tried(record, u64::MAX)?;
        }
        Err(cut.errno)
    }

    /// Writes how many lines a file lacks, once.
    fn tell_lost(&mut self, path: &str, millis: u64) -> Result<(), Errno> {
        let Some(waiting) = self.waiting.get_mut(path).filter(|waiting| waiting.lost > 0) else {
            return Ok(());
        };
        let why = waiting
            .errno
            .map_or("files could not be made yet", |errno| RawErrno::from_raw(errno.0).desc());
        let line = format!("{} ... {} lines lost: {why}\n", text::stamp(millis), waiting.lost);
        self.files.prepare(path, line.len(), millis / 1000)?;
        self.files.append(path, line.as_bytes(), millis / 1000).map_err(|cut| cut.errno)?;
        waiting.lost = 0;
        Ok(())
    }

    /// Keeps a text for later.
    fn hold(&mut self, path: &str, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let lines = lines_of(text);
        let (outcome, dropped) = self.spool.append(path, lines, text);
        let mut lost: Vec<_> = dropped.into_iter().map(|old| (old.path, old.lines)).collect();
        if outcome.is_err() {
            lost.push((path.to_owned(), lines));
        }
        self.waiting.entry(path.to_owned()).or_default();
        for (path, lines) in lost {
            let waiting = self.waiting.entry(path).or_default();
            waiting.lost = waiting.lost.saturating_add(u64::from(lines));
        }
    }

    /// A file cannot be written. That is told once for all files that wait for the same reason.
    fn fail(&mut self, path: &str, errno: Errno) {
        let is_known = self.waiting.values().any(|waiting| waiting.errno == Some(errno));
        self.waiting.entry(path.to_owned()).or_default().errno = Some(errno);
        if !is_known {
            let why = match errno.0 {
                libc::ENXIO => ", as of a FIFO that nobody reads".to_owned(),
                _ => place::meaning(errno).map_or(String::new(), |why| format!(", as {why}")),
            };
            let keeps = "lines are kept in memory until it can be, the oldest give way";
            self.news.push(format!("log file {path} cannot be written: {errno}{why}; {keeps}"));
        }
    }
}

fn lines_of(text: &[u8]) -> u32 {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX)
}
