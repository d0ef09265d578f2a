//! The pipes that are open, and one turn of one pipe: look, make lines, stage, write, unstage.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use super::devices::{Devices, Kind, patience};
use super::kept::Kept;
use super::message::Output;
use super::pipes::Pipes;
use super::route::{PATH_LONGEST, Route};
use super::spool::{Note, Place, Spool};
use super::store::Store;
use super::text::{self, Tail};
use crate::os::passing::unread;

/// Bytes of text made in a turn, about: enough for the longest piece of a line with every byte
/// escaped, so that a turn always goes beyond what had begun before.
const ROOM: usize = 40 * 1024;

/// Everything but the waiting.
#[derive(Debug)]
pub struct Writer {
    /// Where the lines of files go.
    pub store: Store,
    directory: String,
    devices: Devices,
    pipes: Pipes,
    /// By their numbers.
    open: Vec<Pipe>,
    /// The text of the turn.
    out: Vec<u8>,
}

/// A service's pipe: small, for there may be a thousand.
#[derive(Debug)]
struct Pipe {
    id: u32,
    fd: OwnedFd,
    /// The beginning of a line. It cannot stay in the pipe: the kernel wakes a reader early
    /// only from an empty pipe (pipe_write), so a service with a long write would wait for us
    /// and we for it.
    begun: Box<[u8]>,
    route: Route,
}

impl Writer {
    /// Takes up the work where an earlier writer was interrupted.
    pub fn new(kept: Kept) -> Result<Self, Errno> {
        let store = Store::new(Spool::open(kept.spool));
        let mut writer = Self {
            store,
            directory: "/var/log/finit".to_owned(),
            devices: Devices::default(),
            pipes: Pipes::new(kept.staging_out, kept.staging_in)?,
            open: Vec::new(),
            out: Vec::new(),
        };
        writer.redo();
        Ok(writer)
    }

    /// Where files go, and when they are rotated.
    pub fn set(&mut self, directory: String, max_size: u64, keep: u32) {
        if directory.len() < PATH_LONGEST / 2 && directory != self.directory {
            self.open.iter().for_each(|pipe| forget_own(&mut self.store, &self.directory, pipe));
            self.directory = directory;
            self.open.iter().for_each(|pipe| set_own(&mut self.store, &self.directory, pipe));
        }
        self.store.files.max_size = max_size;
        self.store.files.keep = keep;
    }

    /// Adds a pipe.
    pub fn open(&mut self, id: u32, fd: OwnedFd, output: Output) {
        let begun = self.store.spool.begun(id).into();
        let pipe = Pipe { id, fd, begun, route: Route::new(output) };
        self.forget(id);
        set_own(&mut self.store, &self.directory, &pipe);
        let (Ok(place) | Err(place)) = self.find(id);
        self.open.insert(place, pipe);
    }

    /// Where a pipe is among those that are open, or would be.
    fn find(&self, id: u32) -> Result<usize, usize> {
        self.open.binary_search_by_key(&id, |pipe| pipe.id)
    }

    fn pipe(&self, id: u32) -> Option<&Pipe> {
        self.open.get(self.find(id).ok()?)
    }

    /// The descriptor of a pipe.
    pub fn fd(&self, id: u32) -> Option<BorrowedFd<'_>> {
        self.pipe(id).map(|pipe| pipe.fd.as_fd())
    }

    /// Forgets a pipe.
    pub fn forget(&mut self, id: u32) {
        if let Ok(place) = self.find(id) {
            let pipe = self.open.remove(place);
            forget_own(&mut self.store, &self.directory, &pipe);
        }
    }

    /// Writes what a pipe holds at this moment, however fast its service is.
    pub fn drain(&mut self, id: u32, tail: Tail) {
        self.drain_until(id, tail, patience());
    }

    /// Writes what all pipes hold.
    pub fn drain_all(&mut self, tail: Tail) {
        let until = patience();
        let ids: Vec<u32> = self.open.iter().map(|pipe| pipe.id).collect();
        ids.into_iter().for_each(|id| self.drain_until(id, tail, until));
    }

    /// The same; what a syslog daemon has not taken by then is lost.
    fn drain_until(&mut self, id: u32, tail: Tail, until: Instant) {
        let mut rest = self.fd(id).and_then(|fd| unread(fd).ok()).unwrap_or(0);
        while rest > 0 {
            let count = self.turn(id, Tail::Wait);
            rest = rest.saturating_sub(count);
            // What waits for its newline is for the next writer, and so is what finds no room.
            let waited = tail != Tail::Wait && self.devices.wait(until);
            if count == 0 && !waited {
                break;
            }
        }
        while self.pipe(id).is_some_and(|pipe| tail == Tail::Line && !pipe.begun.is_empty()) {
            self.turn(id, Tail::Line);
            if !self.devices.wait(until) {
                break;
            }
        }
    }

    /// What a device has to have before the last turn can go on, and when it goes on anyway.
    pub fn full(&mut self) -> Option<(UnixDatagram, Instant)> {
        self.devices.full()
    }

    /// One turn of a pipe; the answer is how many bytes it took.
    pub fn turn(&mut self, id: u32, tail: Tail) -> usize {
        let Ok(place) = self.find(id) else { return 0 };
        let Some(pipe) = self.open.get_mut(place) else { return 0 };
        let fd = pipe.fd.as_fd();
        let Ok(raw) = self.pipes.look(fd) else { return 0 };
        if raw.is_empty() && (tail != Tail::Line || pipe.begun.is_empty()) {
            return 0;
        }
        let millis = now();
        let path = pipe.route.path(&self.directory);
        let device = path.is_none();
        let (path, tag) = (path.unwrap_or_default(), pipe.route.tag());
        let errors = pipe.route.errors();
        let prefix = if device { String::new() } else { prefix(millis, tag.as_deref(), errors) };
        let joined = (!pipe.begun.is_empty()).then(|| [&*pipe.begun, raw].concat());
        let source = joined.as_deref().unwrap_or(raw);
        self.out.clear();
        let mut taken = text::lines(source, prefix.as_bytes(), tail, ROOM, &mut self.out);
        let mut full = self.out.len() >= ROOM;
        // A device is given its lines before they are taken: a death in between gives them
        // twice. So it is when there is no memory for a note.
        if let Route::Device(kind, tag) = &pipe.route {
            let given = self.devices.put(*kind, tag, &self.out);
            if given < self.out.len() {
                self.out.clear();
                taken = text::lines(source, prefix.as_bytes(), tail, given, &mut self.out);
                full = true;
            }
            if full && taken == 0 {
                return 0;
            }
        }
        // What found no room stays in the pipe; what found no newline begins a line.
        let count = if full { taken.saturating_sub(pipe.begun.len()) } else { raw.len() };
        let rest = if full { &[] } else { source.get(taken..).unwrap_or_default() };
        let begun = std::mem::replace(&mut pipe.begun, rest.into());
        let tail = if full { Tail::Split } else { tail };
        let place =
            if device { Place::File(0) } else { self.store.place(&path, self.out.len(), millis) };
        let note = Note { id, path, tag, errors, millis, tail, place };
        let staged = if !device && self.store.spool.set_note(&note, &begun).is_ok() {
            self.pipes.stage(fd, count)
        } else {
            0
        };
        match &pipe.route {
            Route::Device(..) => {}
            Route::Own(_) | Route::File(_) => self.store.put(&note, &begun, &self.out),
        }
        if !(begun.is_empty() && pipe.begun.is_empty()) {
            // No memory: the beginning is lost if this writer dies before its end.
            let _kept = self.store.spool.set_begun(id, &pipe.begun);
        }
        if staged < count {
            self.pipes.stage(fd, count.saturating_sub(staged));
        }
        self.pipes.unstage();
        count
    }

    /// Tells what is wrong with files where it does not need one: in the kernel's ring.
    pub fn tell_news(&mut self) {
        for line in self.store.news.drain(..) {
            let _lost = self.devices.put(Kind::Kmsg, "finit", format!("{line}\n").as_bytes());
        }
    }

    /// Finishes the batch that a dead writer had staged.
    fn redo(&mut self) {
        let Ok(raw) = self.pipes.look_staged() else { return };
        if let Some((note, begun)) = self.store.spool.note().filter(|_| !raw.is_empty()) {
            let source = [begun.as_slice(), raw].concat();
            let prefix = prefix(note.millis, note.tag.as_deref(), note.errors);
            self.out.clear();
            let taken =
                text::lines(&source, prefix.as_bytes(), note.tail, usize::MAX, &mut self.out);
            self.store.redo(&note, &begun, &self.out);
            let rest = source.get(taken..).unwrap_or_default();
            let _kept = self.store.spool.set_begun(note.id, rest);
        }
        self.pipes.unstage();
    }
}

/// What stands before the text of each line.
fn prefix(millis: u64, tag: Option<&str>, errors: bool) -> String {
    let stamp = text::stamp(millis);
    let errors = if errors { "stderr: " } else { "" };
    match tag {
        Some(tag) => format!("{stamp} {tag}: {errors}"),
        None => format!("{stamp} {errors}"),
    }
}

/// Has the file of a pipe rotated as that says, if it says so.
fn set_own(store: &mut Store, directory: &str, pipe: &Pipe) {
    if let (Some(path), Some(size)) = (pipe.route.path(directory), pipe.route.max_size()) {
        store.files.set_own(path, pipe.id, size);
    }
}

/// As before that.
fn forget_own(store: &mut Store, directory: &str, pipe: &Pipe) {
    if let (Some(path), Some(_)) = (pipe.route.path(directory), pipe.route.max_size()) {
        store.files.forget_own(path, pipe.id);
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
