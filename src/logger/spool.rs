//! The spool: a memfd of PID 1 with the note of the batch in flight, the beginnings of lines
//! of each pipe, and the lines that wait for a disk, oldest first, at most [`BOUND`] bytes.
//!
//! Layout: head and tail (u64 each) at 0; the note at 64; beginnings from 1 MiB on, 16 KiB for
//! each number of a pipe; records from 128 TiB on. Only what is used takes memory. A record
//! is a header of 24 bytes, a path and a text; they grow at the tail, what is below the head
//! is given back to the kernel, so offsets only grow and never wrap around. A record counts
//! when the tail has moved past it, which is one write of 16 bytes.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::uio::{pread, pwrite};
use serde::{Deserialize, Serialize};

use super::text::Tail;

/// Bytes of lines that wait at most; the oldest give way.
pub const BOUND: u64 = 1 << 20;

const NOTE: u64 = 64;
const BEGUN: u64 = 1 << 20;
const BEGUN_SIZE: u64 = 16 * 1024;
const FIRST: u64 = 1 << 47;
const HEADER: u64 = 24;
/// The lowest bit of the fourth field of a header; the others count the bytes that are written.
const DONE: u32 = 1;

/// Where the batch in flight goes, made before its bytes are taken from their pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Whose it is.
    pub id: u32,
    /// Its file.
    pub path: String,
    /// What stands before the text of each line, if anything.
    pub tag: Option<String>,
    /// Whether they are those of a stderr, and marked as such.
    #[serde(default)]
    pub errors: bool,
    /// The time in its lines, in milliseconds.
    pub millis: u64,
    /// What becomes of its end.
    pub tail: Tail,
    /// Where its text begins.
    pub place: Place,
}

/// Where a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At this size of its file.
    File(u64),
    /// At this tail of the spool.
    Spool(u64),
}

/// Lines that wait.
#[derive(Debug)]
pub struct Record {
    /// Their file.
    pub path: String,
    /// How many, but for those that are written.
    pub lines: u32,
    /// Whether they have been written.
    pub done: bool,
    /// The size of the file when a writer last tried.
    pub tried: Option<u64>,
    /// Bytes of its text that are written.
    written: u32,
    at: u64,
    text_at: u64,
    /// The next record.
    pub next: u64,
}

/// The spool as this writer has it open.
#[derive(Debug)]
pub struct Spool {
    memory: OwnedFd,
    head: u64,
    tail: u64,
}

impl Spool {
    /// Takes up what an earlier writer left; a spool that makes no sense is begun anew.
    pub fn open(memory: OwnedFd) -> Self {
        let mut spool = Self { memory, head: FIRST, tail: FIRST };
        let word = |at| spool.read(at, 8).ok().and_then(|b| b.try_into().ok());
        let (head, tail) = (word(0).map(u64::from_le_bytes), word(8).map(u64::from_le_bytes));
        if let (Some(head), Some(tail)) = (head, tail)
            && head >= FIRST
            && head <= tail
        {
            (spool.head, spool.tail) = (head, tail);
        }
        spool
    }

    /// Where the next record will be.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// Sets the note of the batch in flight, and the beginning of its first line.
    pub fn set_note(&self, note: &Note, begun: &[u8]) -> Result<(), Errno> {
        let text = serde_json::to_vec(note).map_err(|_| Errno::EINVAL)?;
        self.write(NOTE, &[&framed(&text), framed(begun).as_slice()].concat())
    }

    /// The note of the last batch, and the beginning of its first line.
    pub fn note(&self) -> Option<(Note, Vec<u8>)> {
        let (text, next) = self.framed(NOTE)?;
        Some((serde_json::from_slice(&text).ok()?, self.framed(next)?.0))
    }

    /// The beginning of a line that a pipe has given.
    pub fn begun(&self, id: u32) -> Vec<u8> {
        self.framed(begun_at(id)).map(|(bytes, _)| bytes).unwrap_or_default()
    }

    /// Keeps the beginning of a line, or none any more.
    pub fn set_begun(&self, id: u32, begun: &[u8]) -> Result<(), Errno> {
        if begun.is_empty() {
            self.free(begun_at(id), BEGUN_SIZE)
        } else {
            self.write(begun_at(id), &framed(begun))
        }
    }

    /// Adds lines. The other answer is the records that had to give way for them.
    pub fn append(
        &mut self,
        path: &str,
        lines: u32,
        text: &[u8],
    ) -> (Result<(), Errno>, Vec<Record>) {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        for field in [size(path.len()), size(text.len()), lines, 0, u32::MAX, u32::MAX] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(text);
        let length = u64::from(size(bytes.len()));
        let mut dropped = Vec::new();
        while !self.is_empty() && self.tail.saturating_sub(self.head).saturating_add(length) > BOUND
        {
            dropped.extend(self.oldest().filter(|oldest| !oldest.done));
            self.drop_oldest();
        }
        let before = self.tail;
        let outcome = self.write(before, &bytes).and_then(|()| {
            self.tail = before.saturating_add(length);
            self.save()
        });
        if outcome.is_err() {
            self.tail = before;
        }
        (outcome, dropped)
    }

    /// The oldest record.
    pub fn oldest(&self) -> Option<Record> {
        self.record(self.head)
    }

    /// The record at an offset, none at the end.
    pub fn record(&self, at: u64) -> Option<Record> {
        if at >= self.tail {
            return None;
        }
        let header = self.read(at, 24).ok()?;
        let field = |from: usize| {
            let bytes = header.get(from..from.saturating_add(4))?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let tried = u64::from_le_bytes(header.get(16..24)?.try_into().ok()?);
        let path_at = at.saturating_add(HEADER);
        let text_at = path_at.saturating_add(u64::from(field(0)?));
        let path = self.read(path_at, usize::try_from(field(0)?).ok()?).ok()?;
        Some(Record {
            path: String::from_utf8(path).ok()?,
            lines: field(8)?,
            done: field(12)? & DONE != 0,
            tried: Some(tried).filter(|size| *size != u64::MAX),
            at,
            written: field(12)? >> 1,
            text_at,
            next: text_at.saturating_add(u64::from(field(4)?)),
        })
    }

    /// What is still to be written of a record.
    pub fn text(&self, record: &Record) -> Result<Vec<u8>, Errno> {
        let from = record.text_at.saturating_add(u64::from(record.written));
        let length = record.next.saturating_sub(from);
        self.read(from, usize::try_from(length).unwrap_or(0))
    }

    /// Notes that so many bytes more of a record are written, and how many lines are left.
    pub fn set_written(&self, record: &Record, bytes: u32, lines: u32) -> Result<(), Errno> {
        let written = record.written.saturating_add(bytes) << 1;
        let fields = [lines.to_le_bytes(), written.to_le_bytes()].concat();
        self.write(record.at.saturating_add(8), &fields)
    }

    /// Notes the size of the file before a record is written to it.
    pub fn set_tried(&self, record: &Record, size: u64) -> Result<(), Errno> {
        self.write(record.at.saturating_add(16), &size.to_le_bytes())
    }

    /// Marks a record as written, and lets go of all oldest ones that are.
    pub fn set_done(&mut self, record: &Record) -> Result<(), Errno> {
        self.write(record.at.saturating_add(12), &DONE.to_le_bytes())?;
        while self.oldest().is_some_and(|oldest| oldest.done) {
            self.drop_oldest();
        }
        self.save()
    }

    /// Forgets the oldest record; one that cannot be read takes all others with it, for
    /// nothing tells where they begin.
    fn drop_oldest(&mut self) {
        self.head = self.oldest().map_or(self.tail, |oldest| oldest.next);
        let gone = self.head.saturating_sub(FIRST) & !4095;
        if gone > 0 {
            // Refused, the memory is given back the next time.
            let _freed = self.free(FIRST, gone);
        }
    }

    /// Gives memory back: it reads as zeros from now on.
    fn free(&self, at: u64, length: u64) -> Result<(), Errno> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&self.memory, flags, signed(at), signed(length))
    }

    /// Bytes behind their length, and where they end.
    fn framed(&self, at: u64) -> Option<(Vec<u8>, u64)> {
        let length = u32::from_le_bytes(self.read(at, 4).ok()?.try_into().ok()?);
        let from = at.saturating_add(4);
        let bytes = self.read(from, usize::try_from(length).ok()?).ok()?;
        Some((bytes, from.saturating_add(u64::from(length))))
    }

    fn save(&self) -> Result<(), Errno> {
        self.write(0, &[self.head.to_le_bytes(), self.tail.to_le_bytes()].concat())
    }

    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length.min(usize::try_from(BOUND).unwrap_or(0))];
        let count = pread(&self.memory, &mut bytes, signed(at))?;
        if count == length { Ok(bytes) } else { Err(Errno::ENODATA) }
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let count = pwrite(&self.memory, bytes, signed(at))?;
        if count == bytes.len() { Ok(()) } else { Err(Errno::ENOSPC) }
    }
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    [&length.to_le_bytes(), bytes].concat()
}

fn begun_at(id: u32) -> u64 {
    BEGUN.saturating_add(u64::from(id).saturating_mul(BEGUN_SIZE))
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
