//! Paths that start services and tasks. Each such node has a child of finit that watches them:
//! to name a path may be to wait for ever, and PID 1 never does. PID 1 reads a pipe. One more
//! watches the time zone of the machine for those whose times are meant in it.
//!
//! What the paths were like is with every line of the child, and the engine keeps it: whatever
//! ends the child, or PID 1, between a change and its line, the next child finds the paths to be
//! other than that, and says so.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::looks::HANGING;
use super::reaper::Owner;
use super::timetable;
use super::watch::{NOBODY, Token};
use super::{Driver, Fact};
use crate::boot::watcher::{self, Order, Report};
use crate::config::spec::{Trigger, Watched};
use crate::engine::{Ended, Event, Level, RunId};
use crate::facts::{Errno, Pid, SignalNumber, SpawnError, Stage};
use crate::os::{fds, kill};

/// Most that is read of one child in one turn.
const BATCH: usize = 64 * 1024;
/// Longest line of a child; a path has some twenty bytes of it.
const LINE: usize = 1024 * 1024;
/// How long until a child that ended is followed by another.
const AGAIN: Duration = Duration::from_secs(1);
/// The same where none could even be started.
const LATER: Duration = Duration::from_secs(30);

/// Who watches the time zone of the machine.
const ZONE: RunId = RunId { node: NOBODY, generation: 0 };

/// Who watches, by the run that the engine knows it by.
pub type Watchers = BTreeMap<RunId, Watcher>;

/// One child.
pub struct Watcher {
    pid: Pid,
    /// Has it look: a byte each time. Its end tells it that PID 1 has forgotten it.
    input: OwnedFd,
    /// How often that was.
    asked: u32,
    /// What it tells.
    output: OwnedFd,
    /// The beginning of its next line.
    heard: Vec<u8>,
}

impl Driver {
    /// Has a child watch paths.
    pub(super) fn watch_paths(&mut self, run: RunId, paths: &[Watched], marks: Vec<u64>) {
        let order = Order { paths: paths.to_vec(), marks };
        if let Err(error) = self.start_watcher(run, &order) {
            self.cannot_watch(run, &error);
        }
    }

    /// Has a child watch the time zone of the machine, if there are times that are meant in it.
    pub(super) fn watch_zone(&mut self) {
        if self.watchers.contains_key(&ZONE) || !self.engine.follows_zone() {
            return;
        }
        let path = timetable::ZONE.to_owned();
        self.watch_paths(ZONE, &[Watched { trigger: Trigger::Changed, path }], Vec::new());
    }

    /// Nobody watches any more; it is begun again.
    pub(super) fn on_blinded(&mut self, run: RunId) {
        match run {
            ZONE => self.watch_zone(),
            run => self.turn(Event::Blinded { run }),
        }
    }

    /// It is said, and tried again: nobody but this child sees what happens.
    fn cannot_watch(&mut self, run: RunId, error: &SpawnError) {
        let text = format!("{}: its paths are not watched: {error}", self.watched_by(run));
        self.console.tell(Level::Trouble, &text);
        self.later(LATER, Fact::Blinded(run));
    }

    /// For whom.
    fn watched_by(&self, run: RunId) -> &str {
        match run {
            ZONE => "the time zone of the machine",
            run => self.engine.name(run.node),
        }
    }

    fn start_watcher(&mut self, run: RunId, order: &Order) -> Result<(), SpawnError> {
        self.unwatch_paths(run);
        if self.hanging_looks(run.node) >= HANGING {
            return Err(failed(Errno(libc::EAGAIN)));
        }
        let json = serde_json::to_string(order).map_err(|_| failed(Errno(libc::EINVAL)))?;
        let (stdin, input) = fds::pipe().map_err(failed)?;
        let (output, stdout) = fds::pipe().map_err(failed)?;
        fds::set_nonblocking(input.as_fd(), true).map_err(failed)?;
        fds::set_nonblocking(output.as_fd(), true).map_err(failed)?;
        self.watch.readable(&output, Token::Paths(run)).map_err(failed)?;
        let words = [watcher::WORD, &json];
        let spawned = self.spawn_myself(words, Some(stdin.as_fd()), Some(stdout.as_fd()))?;
        let pid = spawned.pid;
        self.reaper.adopt(spawned, Owner::Watcher(run));
        let watcher = Watcher { pid, input, asked: 0, output, heard: Vec::new() };
        self.watchers.insert(run, watcher);
        Ok(())
    }

    /// Nobody wants to know any more.
    pub(super) fn unwatch_paths(&mut self, run: RunId) {
        if let Some(watcher) = self.watchers.remove(&run) {
            self.watch.forget(&watcher.output);
            self.kill_look(watcher.pid, run.node);
        }
    }

    /// Has a child say what holds by now. One that could not be asked looks at all of it once it
    /// wakes.
    pub(super) fn look_at_paths(&mut self, run: RunId) {
        if let Some(watcher) = self.watchers.get_mut(&run)
            && fds::write(watcher.input.as_fd(), &[0]).is_ok()
        {
            watcher.asked = watcher.asked.wrapping_add(1);
        }
    }

    /// A child has said something.
    pub(super) fn on_paths(&mut self, run: RunId) {
        let (reports, more) = self.hear_watcher(run);
        for report in reports {
            self.on_report(run, report);
        }
        if let Some(watcher) = self.watchers.get(&run).filter(|_| more) {
            // It was watched a moment ago; the kernel has its place for it.
            let _same = self.watch.readable(&watcher.output, Token::Paths(run));
        }
    }

    /// The whole lines that a child has said, and whether it may say more: its end is told
    /// otherwise.
    fn hear_watcher(&mut self, run: RunId) -> (Vec<Report>, bool) {
        let Some(watcher) = self.watchers.get_mut(&run) else { return (Vec::new(), false) };
        let mut block = [0; 4096];
        let most = watcher.heard.len().saturating_add(BATCH);
        let mut more = true;
        while more && watcher.heard.len() <= most {
            let Ok(count) = fds::read(watcher.output.as_fd(), &mut block) else { break };
            watcher.heard.extend_from_slice(block.get(..count).unwrap_or_default());
            more = count > 0;
        }
        let whole = watcher.heard.iter().rposition(|byte| *byte == b'\n');
        let rest = watcher.heard.split_off(whole.map_or(0, |at| at.saturating_add(1)));
        let lines = std::mem::replace(&mut watcher.heard, rest);
        if watcher.heard.len() > LINE {
            // No child of ours says so much; another one begins from what is known.
            watcher.heard = Vec::new();
            let _gone = kill::kill_group(watcher.pid, SignalNumber::KILL);
        }
        let lines = lines.split(|byte| *byte == b'\n');
        (lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), more)
    }

    fn on_report(&mut self, run: RunId, report: Report) {
        let Report { asked, marks, mut sights, trouble } = report;
        if let Some(trouble) = trouble {
            let text = format!("{}: {trouble}", self.watched_by(run));
            self.console.tell(Level::Trouble, &text);
        }
        if run == ZONE {
            // The first line as well: between the last look at the zone and that nobody watched.
            return self.turn(Event::ClockSet);
        }
        // What held before it was asked again may not hold since.
        let late = self.watchers.get(&run).is_none_or(|watcher| watcher.asked != asked);
        sights.retain(|sight| !(late && sight.trigger.is_level()));
        self.turn(Event::Sighted { run, marks, sights });
    }

    /// A child has ended, which it should not.
    pub(super) fn on_watcher_ended(&mut self, run: RunId, pid: Pid, ended: &Ended) {
        self.forget_look(pid);
        if self.watchers.get(&run).is_none_or(|watcher| watcher.pid != pid) {
            return;
        }
        self.watchers.remove(&run);
        match ended {
            Ended::NotExecuted(error) => self.cannot_watch(run, error),
            _ => drop(self.later(AGAIN, Fact::Blinded(run))),
        }
    }
}

fn failed(errno: Errno) -> SpawnError {
    SpawnError { stage: Stage::Clone, errno, subject: "whoever watches paths".to_owned() }
}
