//! The records of terminals: who(1) finds a process that waits for a login when its getty starts,
//! and that it is dead when it has ended, whoever was logged in by it meanwhile; utmp(5).
//!
//! The helper writes them, under the lock of the C library, a while after it was so. Whoever was
//! faster is left alone: a getty that has told of itself, and the one after that which has ended.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{self, EVER, Entry, NOW, Record, SIZE};
use crate::facts::{Errno, Exit, Pid};
use crate::os;

/// Word for the helper; its second word is a list of [`News`] in JSON.
pub const WORD: &str = "--note-session";

/// Seconds after which a helper that waits for a lock or for a disk is ended by the kernel.
const DEADLINE: u32 = 10;

/// How long the lock of those who are here is waited for. Who is allowed to read the file may keep
/// it for ever; that keeps nobody's record out.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of a file that are looked at: 2,000 terminals.
const MOST: u64 = 800_000;

/// Types of records in utmp(5): INIT_PROCESS, LOGIN_PROCESS, USER_PROCESS, DEAD_PROCESS.
const INIT: i16 = 5;
const LOGIN: i16 = 6;
const USER: i16 = 7;
const DEAD: i16 = 8;

/// That a process on a terminal has begun or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which one.
    pub pid: Pid,
    /// Its terminal, a name under /dev; may be empty.
    pub line: String,
    /// What the records of that terminal go by.
    pub id: String,
    /// How it ended; none when it begins.
    pub end: Option<Exit>,
    /// When: seconds since 1970, and nanoseconds.
    pub at: (i64, u32),
    /// The same as beginnings of processes are counted, whatever becomes of the other clock.
    pub tick: u64,
}

/// The helper: writes what it is told, in that order.
pub(super) fn note(json: &str) -> u8 {
    nix::unistd::alarm::set(DEADLINE);
    let Ok(news) = serde_json::from_str::<Vec<News>>(json) else { return 2 };
    u8::from(write(&news, Path::new(NOW), Path::new(EVER), PATIENCE).is_err())
}

/// Changes what one file says of terminals now, and adds to what the other says for ever. A file
/// that is not there is no error: then nobody keeps such records.
fn write(news: &[News], now: &Path, ever: &Path, patience: Duration) -> Result<(), Errno> {
    let (records, replaced) = replace(news, now, patience)?;
    let added = if records.is_empty() { Ok(()) } else { record::append(ever, &records) };
    replaced.and(added.or_else(|errno| if errno.0 == libc::ENOENT { Ok(()) } else { Err(errno) }))
}

/// The first part of it; what is to be kept for ever, and the first that failed. The lock is held
/// over all of that, as the finit before may have left a helper that waits for it, too, but not
/// while another lock is waited for.
fn replace(
    news: &[News],
    now: &Path,
    patience: Duration,
) -> Result<(Vec<u8>, Result<(), Errno>), Errno> {
    let known = missing_is_fine(OpenOptions::new().read(true).write(true).open(now))?;
    if let Some(file) = &known {
        os::fds::lock(file.as_fd(), patience).ok();
    }
    let (mut records, mut all) = (Vec::new(), Ok(()));
    for news in news {
        // One that fails keeps none of the others.
        match news.write(known.as_ref()) {
            Ok(record) => records.extend(record.unwrap_or_default()),
            Err(errno) => all = all.and(Err(errno)),
        }
    }
    Ok((records, all))
}

impl News {
    fn write(&self, known: Option<&File>) -> Result<Option<Vec<u8>>, Errno> {
        match known {
            Some(file) => self.replace(file),
            None => Ok(Some(self.record(self.id.as_bytes(), self.line.as_bytes()))),
        }
    }

    /// Puts it in place of what is there; what is to be kept for ever of it, if anything is.
    fn replace(&self, mut file: &File) -> Result<Option<Vec<u8>>, Errno> {
        file.rewind()?;
        let mut bytes = Vec::new();
        if file.take(MOST).read_to_end(&mut bytes)? == usize::try_from(MOST).unwrap_or(0) {
            return Err(Errno(libc::EFBIG));
        }
        let entries: Vec<Entry> = bytes.chunks_exact(SIZE).filter_map(Entry::read).collect();
        if self.end.is_none() {
            let slot = self.slot(&entries);
            if slot.and_then(|slot| entries.get(slot)).is_some_and(|entry| self.stands(entry)) {
                return Ok(None);
            }
            let record = self.record(self.id.as_bytes(), self.line.as_bytes());
            write_at(file, slot.unwrap_or(entries.len()), &record)?;
            return Ok(Some(record));
        }
        let mut line = self.line.as_bytes();
        for (slot, entry) in entries.iter().enumerate() {
            if self.is_about(entry) && !self.stands(entry) {
                if line.is_empty() {
                    line = &entry.line;
                }
                write_at(file, slot, &self.record(&entry.id, line))?;
            }
        }
        Ok(Some(self.record(self.id.as_bytes(), line)))
    }

    fn record(&self, id: &[u8], line: &[u8]) -> Vec<u8> {
        let pid = self.pid.raw();
        let (kind, session, exit) = match self.end {
            None => (INIT, pid, (0, 0)),
            Some(Exit::Code(code)) => (DEAD, 0, (0, i16::from(code))),
            Some(Exit::Signal { number, .. }) => {
                (DEAD, 0, (i16::try_from(number.raw()).unwrap_or_default(), 0))
            }
        };
        Record { kind, pid, line, id, exit, session, at: self.at, ..Record::default() }.bytes()
    }

    /// The place of one that begins: that of its terminal, or where it has told of itself.
    fn slot(&self, entries: &[Entry]) -> Option<usize> {
        let of_terminal =
            |entry: &Entry| (INIT..=DEAD).contains(&entry.kind) && entry.id == self.id.as_bytes();
        let own = |entry: &Entry| entry.lives() && entry.pid == self.pid.raw();
        let found = entries.iter().position(of_terminal);
        found.or_else(|| entries.iter().position(own))
    }

    /// Whether an entry is about the one that has ended, or about whom it let in: login(1) tells
    /// of a child of itself.
    fn is_about(&self, entry: &Entry) -> bool {
        let same_line = !self.line.is_empty() && entry.line == self.line.as_bytes();
        let same = entry.id == self.id.as_bytes() || entry.pid == self.pid.raw();
        entry.lives() && (same || same_line)
    }

    /// Whether an entry says what is newer than this, and is left alone.
    fn stands(&self, entry: &Entry) -> bool {
        if entry.pid == self.pid.raw() {
            return self.end.is_none() && matches!(entry.kind, LOGIN | USER);
        }
        let of_another = entry.id != self.id.as_bytes();
        let there = os::proc::process(entry.pid).filter(|process| entry.lives() && !process.ended);
        there.is_some_and(|process| of_another || process.began >= self.tick)
    }
}

impl Entry {
    /// Whether it speaks of somebody who is there.
    fn lives(&self) -> bool {
        (INIT..=USER).contains(&self.kind)
    }
}

fn write_at(file: &File, slot: usize, record: &[u8]) -> Result<(), Errno> {
    let offset = u64::try_from(slot.saturating_mul(SIZE)).map_err(|_| Errno(libc::EFBIG))?;
    Ok(file.write_all_at(record, offset)?)
}

fn missing_is_fine(opened: std::io::Result<File>) -> Result<Option<File>, Errno> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SignalNumber;

    /// Two files, taken away again.
    struct Files([std::path::PathBuf; 2]);

    impl Files {
        fn new(test: &str, now: &[Vec<u8>]) -> Self {
            let name = |file| format!("finit-{file}-{test}-{}", std::process::id());
            let files = ["utmp", "wtmp"].map(|file| std::env::temp_dir().join(name(file)));
            std::fs::write(&files[0], now.concat()).unwrap();
            std::fs::write(&files[1], "").unwrap();
            Self(files)
        }

        fn write(&self, news: &News) {
            write(std::slice::from_ref(news), &self.0[0], &self.0[1], PATIENCE).unwrap();
        }

        fn entries(&self, file: usize) -> Vec<Entry> {
            let bytes = std::fs::read(&self.0[file]).unwrap();
            assert_eq!(bytes.len() % SIZE, 0);
            bytes.chunks(SIZE).map(|bytes| Entry::read(bytes).unwrap()).collect()
        }

        /// Types and numbers of processes.
        fn kinds(&self, file: usize) -> Vec<(i16, i32)> {
            self.entries(file).iter().map(|entry| (entry.kind, entry.pid)).collect()
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            for file in &self.0 {
                std::fs::remove_file(file).unwrap();
            }
        }
    }

    /// A number that no process has: above the highest there can be.
    const GONE: i32 = 5_000_000;
    const OTHER: i32 = 5_000_001;
    const NOW: i64 = 1_700_000_000;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    fn entry(kind: i16, pid: i32, line: &[u8], id: &[u8]) -> Vec<u8> {
        Record { kind, pid, line, id, ..Record::default() }.bytes()
    }

    fn news(end: Option<Exit>) -> News {
        let pid = Pid::new(GONE).unwrap();
        News { pid, line: "tty1".into(), id: "1".into(), end, at: (NOW, 5_000), tick: u64::MAX }
    }

    const ENDED: Option<Exit> = Some(Exit::SUCCESS);

    #[test]
    fn what_begins_takes_the_place_of_what_was_there_and_is_added_for_ever() {
        let boot = entry(2, 0, b"~", b"~~");
        let other = entry(USER, own_pid(), b"tty2", b"2");
        let before = [boot.clone(), entry(DEAD, OTHER, b"tty1", b"1"), other.clone()];
        let files = Files::new("begins", &before);
        files.write(&news(None));
        let record = news(None).record(b"1", b"tty1");
        assert_eq!(std::fs::read(&files.0[0]).unwrap(), [boot, record.clone(), other].concat());
        assert_eq!(std::fs::read(&files.0[1]).unwrap(), record);
        let found = Entry::read(&record).unwrap();
        let (line, id) = (b"tty1".to_vec(), b"1".to_vec());
        assert_eq!(found, Entry { kind: INIT, pid: GONE, line, id });
        // One that there was not comes at the end, behind what is no whole record.
        let files = Files::new("new", &[entry(2, 0, b"~", b"~~"), vec![7; 5]]);
        files.write(&news(None));
        assert_eq!(files.kinds(0), [(2, 0), (INIT, GONE)]);
    }

    #[test]
    fn several_are_written_one_after_the_other() {
        let files = Files::new("several", &[entry(2, 0, b"~", b"~~")]);
        let all = [news(None), news(ENDED), news(None)];
        write(&all, &files.0[0], &files.0[1], PATIENCE).unwrap();
        assert_eq!(files.kinds(0), [(2, 0), (INIT, GONE)]);
        assert_eq!(files.kinds(1), [(INIT, GONE), (DEAD, GONE), (INIT, GONE)]);
    }

    #[test]
    fn a_getty_that_was_faster_is_left_alone() {
        for kind in [LOGIN, USER] {
            for id in [b"1", b"9"] {
                let files = Files::new("faster", &[entry(kind, GONE, b"tty1", id)]);
                files.write(&news(None));
                assert_eq!((files.kinds(0), files.kinds(1)), (vec![(kind, GONE)], vec![]));
            }
        }
        // Its own record of before, and one of who is gone, are not.
        for before in [entry(INIT, GONE, b"", b"1"), entry(USER, OTHER, b"", b"1")] {
            let files = Files::new("slower", &[before]);
            files.write(&news(None));
            assert_eq!(files.kinds(0), [(INIT, GONE)]);
        }
    }

    #[test]
    fn with_a_getty_goes_whoever_it_let_in() {
        let before = [
            // login(1) tells of its child, whose number may be another's by now.
            entry(USER, own_pid(), b"tty1", b"1"),
            // Another way to the same terminal, and the same process under another name.
            entry(USER, OTHER, b"tty1", b"/1"),
            entry(LOGIN, GONE, b"tty7", b"7"),
            entry(USER, own_pid(), b"tty2", b"2"),
        ];
        let files = Files::new("goes", &before);
        let number = SignalNumber::HUP;
        files.write(&news(Some(Exit::Signal { number, core: false })));
        let dead = (DEAD, GONE);
        assert_eq!(files.kinds(0), [dead, dead, dead, (USER, own_pid())]);
        let ids: Vec<Vec<u8>> = files.entries(0).into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [&b"1"[..], b"/1", b"7", b"2"]);
        assert_eq!(files.kinds(1), [dead]);
        let bytes = std::fs::read(&files.0[1]).unwrap();
        let exit = std::mem::offset_of!(libc::utmpx, ut_exit);
        assert_eq!(bytes[exit..][..4], [1i16.to_ne_bytes(), 0i16.to_ne_bytes()].concat());
        let bytes = news(Some(Exit::Code(3))).record(b"1", b"");
        assert_eq!(bytes[exit..][..4], [0i16.to_ne_bytes(), 3i16.to_ne_bytes()].concat());
    }

    #[test]
    fn who_came_after_the_end_stays() {
        let next = entry(LOGIN, own_pid(), b"tty1", b"1");
        // Somebody who works on that terminal in another way has not ended with this.
        let beside = entry(USER, own_pid(), b"tty1", b":0");
        let files = Files::new("stays", &[next, beside]);
        files.write(&News { tick: 0, ..news(ENDED) });
        assert_eq!(files.kinds(0), [(LOGIN, own_pid()), (USER, own_pid())]);
        assert_eq!(files.kinds(1), [(DEAD, GONE)]);
    }

    #[test]
    fn without_a_terminal_of_its_own_its_record_says_which() {
        let files = Files::new("line", &[entry(LOGIN, GONE, b"tty1", b"1")]);
        files.write(&News { line: String::new(), ..news(ENDED) });
        for file in [0, 1] {
            assert_eq!(files.entries(file)[0].line, b"tty1");
        }
    }

    /// As any user can lock them who may read them.
    fn lock_for_reading(path: &Path) -> File {
        let file = File::open(path).unwrap();
        let l_type = libc::F_RDLCK as libc::c_short;
        let lock = libc::flock { l_type, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).unwrap();
        file
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the test is not to wait for ever, too")]
    fn who_keeps_a_file_locked_keeps_no_record_out() {
        let files = Files::new("locked", &[entry(USER, GONE, b"tty1", b"1")]);
        let locks = files.0.each_ref().map(|path| lock_for_reading(path));
        let (done, written) = std::sync::mpsc::channel();
        let [now, ever] = files.0.clone();
        std::thread::spawn(move || {
            let news = [news(ENDED), news(None)];
            done.send(write(&news, &now, &ever, Duration::from_millis(10)))
        });
        written.recv_timeout(Duration::from_secs(60)).expect("waits for a lock").unwrap();
        assert_eq!(files.kinds(0), [(INIT, GONE)]);
        assert_eq!(files.kinds(1), [(DEAD, GONE), (INIT, GONE)]);
        drop(locks);
    }

    #[test]
    fn files_that_are_not_there_are_not_made() {
        let path = std::env::temp_dir().join(format!("finit-no-utmp-{}", std::process::id()));
        write(&[news(None)], &path, &path, PATIENCE).unwrap();
        assert!(!path.exists());
        assert!(write(&[news(None)], Path::new("/"), &path, PATIENCE).is_err());
    }
}
