//! Times of the calendar: which moment of our own clock they are, and when tasks whose times are
//! caught up ran the last time.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::watch::Token;
use super::{Driver, Fact};
use crate::boot::{self, Finished, Tools};
use crate::calendar::{Schedule, Zone};
use crate::engine::{After, Event, Level, NodeId};
use crate::facts::{Exit, Moment};
use crate::os::{fds, time};

/// The word that has finit note that a task runs now; its second word is the task.
pub const NOTE: &str = "--note-run";
/// The word that has finit say when that was, in seconds since 1970.
pub const RECALL: &str = "--recall-run";
/// Where the notes are: files, whose age counts.
const FOLDER: &str = "/var/lib/finitd/schedule";
/// How long a child may take for either.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time zone of the machine, localtime(5).
pub(super) const ZONE: &str = "/etc/localtime";
/// Longest file of a time zone that is read.
const ZONE_MAX: usize = 256 * 1024;

/// Notes that a task runs now; the exit status.
pub fn note(name: &str) -> u8 {
    let path = file(name);
    let made = std::fs::create_dir_all(FOLDER).is_ok();
    u8::from(!made || fds::create_file(&path, b"", 0o644).is_err())
}

/// Says when that was; the exit status is 1 where nobody knows.
pub fn recall(name: &str) -> u8 {
    let Ok(stat) = nix::sys::stat::stat(&file(name)) else { return 1 };
    let out = std::io::stdout();
    u8::from(
        fds::write(std::os::fd::AsFd::as_fd(&out), stat.st_mtime.to_string().as_bytes()).is_err(),
    )
}

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

impl Driver {
    /// Finds the next time of a calendar.
    pub(super) fn ask_calendar(&mut self, node: NodeId, schedule: Rc<Schedule>, after: After) {
        let (now, _) = time::wall();
        let base = match after {
            After::Arming if schedule.catch_up => {
                if self.logs.is_writable() {
                    self.recall_run(node);
                } else {
                    self.uncaught.push(node);
                }
                return;
            }
            After::Run if schedule.catch_up => {
                self.note_run(node);
                now
            }
            After::Arming | After::Run => now,
            After::Base(base) => base,
        };
        self.answer_calendar(node, &schedule, base);
    }

    /// The next time after `base`, or after now while a clock that was set back has not come to
    /// that again: what has had its time has it no second time when the clock is put right.
    fn answer_calendar(&mut self, node: NodeId, schedule: &Schedule, base: i64) {
        let zone = self.zone(schedule.zone.as_deref());
        let from = base.min(time::wall().0);
        let next = |zone| schedule.next_at(from, &zone).ok_or_else(|| "no time left".to_owned());
        let at = zone.and_then(next).map(moment);
        self.engine.handle(time::now(), Event::Calendar { node, base, at });
        // Before the disks are there it may be another one.
        if self.logs.is_writable() {
            self.watch_zone();
        }
    }

    /// The files can be read from now on.
    pub(super) fn recall_runs(&mut self) {
        for node in std::mem::take(&mut self.uncaught) {
            self.recall_run(node);
        }
    }

    /// Has a child say when a task ran the last time.
    fn recall_run(&self, node: NodeId) {
        let (hand, facts) = (self.hand.clone(), self.facts.clone());
        let name = self.engine.name(node).to_owned();
        self.beside(async move {
            let at = match hand.run(&[boot::MYSELF, RECALL, &name], PATIENCE).await {
                Ok(Finished { exit: Exit::SUCCESS, output }) => output.parse().ok(),
                Ok(_) | Err(_) => None,
            };
            // The loop never ends before its facts do.
            let _end = facts.send(Fact::Recalled(node, at)).await;
        });
    }

    /// When a task ran the last time; what never did begins now.
    pub(super) fn on_recalled(&mut self, node: NodeId, at: Option<i64>) {
        let (now, _) = time::wall();
        if at.is_none() {
            self.note_run(node);
        }
        let Some(schedule) = self.engine.schedule_of(node) else { return };
        self.answer_calendar(node, &schedule, at.unwrap_or(now));
        self.work();
    }

    fn note_run(&self, node: NodeId) {
        let hand = self.hand.clone();
        let name = self.engine.name(node).to_owned();
        tokio::spawn(async move {
            // Without the note a run is made up for that need not be, no more.
            let _lost = hand.run(&[boot::MYSELF, NOTE, &name], PATIENCE).await;
        });
    }

    /// The zone of that name, or that of the machine. Of one that cannot be read no time comes.
    fn zone(&mut self, name: Option<&str>) -> Result<Zone, String> {
        let path = match name {
            Some("UTC") => return Ok(Zone::utc()),
            Some(name) => Path::new("/usr/share/zoneinfo").join(name),
            None => PathBuf::from(ZONE),
        };
        let why = match fds::read_small(&path, ZONE_MAX) {
            Ok(bytes) => match Zone::parse(&bytes) {
                Ok(zone) => return Ok(zone),
                Err(error) => error.to_string(),
            },
            // A machine without a zone of its own is in UTC, localtime(5).
            Err(_) if name.is_none() => return Ok(Zone::utc()),
            Err(errno) => errno.to_string(),
        };
        match name {
            Some(name) => Err(format!("no time zone {name} ({}: {why})", path.display())),
            None => {
                let text = format!("the time zone {}: {why}", path.display());
                self.console.tell(Level::Trouble, &text);
                Ok(Zone::utc())
            }
        }
    }

    /// Has the kernel tell when somebody sets the clock.
    pub(super) fn watch_wall(&mut self) {
        let watched = time::watch_wall().and_then(|watch| {
            self.watch.readable(&watch, Token::Wall)?;
            Ok(watch)
        });
        match watched {
            Ok(watch) => self.wall = Some(watch),
            Err(errno) => {
                let text = format!("watching the clock: {errno}; a jump of it moves no schedule");
                self.console.tell(Level::Trouble, &text);
            }
        }
    }

    /// Somebody set the clock.
    pub(super) fn on_wall(&mut self) {
        if let Some(watch) = &self.wall {
            // It says ECANCELED, once.
            let _told = fds::read(std::os::fd::AsFd::as_fd(watch), &mut [0; 8]);
            let _set = time::watch_wall_again(std::os::fd::AsFd::as_fd(watch));
            let _same = self.watch.readable(watch, Token::Wall);
        }
        self.turn(Event::ClockSet);
    }
}

/// The moment of our clock at which the one on the wall will show that time.
fn moment(seconds: i64) -> Moment {
    let (now, nanos) = time::wall();
    let left = u64::try_from(seconds.saturating_sub(now)).unwrap_or(0);
    let wait = Duration::from_secs(left).saturating_sub(Duration::from_nanos(nanos.into()));
    time::now().after(wait)
}
