//! Whoever watches paths for a service or a task: a child of finit, which gets the paths as JSON,
//! and says in lines of JSON what it sees of them. Each byte on its stdin has it say what holds
//! by now; the end of that ends it.
//!
//! A line says what has happened and, in the same line, what the paths are like now. Whoever
//! watches next gets that, and what is otherwise by then has happened, too.

mod eyes;
mod likeness;

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use crate::config::spec::{Sight, Watched};
use crate::os::fds;
use eyes::Eyes;

/// The word that makes finit watch paths; its second word is the order.
pub const WORD: &str = "--watch-paths";

/// How often it looks where nobody tells what comes.
const LOOK: u16 = 2_000;
/// How long it rests after something has happened, so that what an editor does in three steps is
/// one change; while there is no end of it, twice as long each time, up to the longest.
const REST: Duration = Duration::from_millis(20);
const REST_MAX: Duration = Duration::from_millis(500);
/// After so long without anything, it is over.
const QUIET: Duration = Duration::from_secs(1);

/// What is to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The paths.
    pub paths: Vec<Watched>,
    /// What they were like as the last line said, or nothing.
    pub marks: Vec<u64>,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How often it had been asked what holds when it looked.
    pub asked: u32,
    /// What the paths are like.
    pub marks: Vec<u64>,
    /// What has happened, and what holds; of each, one of several.
    pub sights: Vec<Sight>,
    /// What keeps it from watching, and what can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Why it woke.
enum Wake {
    /// PID 1 asks what holds, so often.
    Asked(u32),
    /// PID 1 has no use for it any more.
    Over,
    /// Something has happened.
    Happened,
    /// Something else may be there by now: it was mounted, or nobody tells.
    Perhaps,
}

/// Watches until PID 1 lets go of its stdin; the exit status.
pub fn watch(json: &str) -> u8 {
    let Ok(Order { paths, marks }) = serde_json::from_str(json) else { return 2 };
    // A new one tells of changes from now on.
    let mounts = File::open("/proc/self/mountinfo").ok();
    let mut eyes = Eyes::new(paths);
    let mut report = Report { sights: eyes.open(&marks), ..Report::default() };
    let mut rest = Rest::default();
    loop {
        report.trouble = eyes.trouble();
        let news = report.marks != eyes.marks() || !report.sights.is_empty();
        if news || report.trouble.is_some() {
            report.marks = eyes.marks().to_vec();
            if !tell(&report) {
                return 1;
            }
        }
        let wake = match wait(&eyes, mounts.as_ref()) {
            Wake::Happened => rest.take().unwrap_or(Wake::Happened),
            wake => wake,
        };
        report.sights = match wake {
            Wake::Over => return 0,
            Wake::Asked(times) => {
                report.asked = report.asked.wrapping_add(times);
                eyes.what_holds().into_iter().collect()
            }
            Wake::Happened => eyes.take_in(),
            Wake::Perhaps => eyes.look_again(),
        };
    }
}

/// Sleeps until there is something to do.
fn wait(eyes: &Eyes, mounts: Option<&File>) -> Wake {
    let stdin = std::io::stdin();
    let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let ears = eyes.ears();
    fds.extend(ears.map(|ears| PollFd::new(ears, PollFlags::POLLIN)));
    fds.extend(mounts.map(|file| PollFd::new(file.as_fd(), PollFlags::POLLPRI)));
    let sure = eyes.are_sure() && mounts.is_some();
    let patience = if sure { PollTimeout::NONE } else { PollTimeout::from(LOOK) };
    if poll(&mut fds, patience).is_err() {
        return Wake::Perhaps;
    }
    let mut ready = fds.iter().map(|fd| fd.any() == Some(true));
    if ready.next() == Some(true) {
        return asked();
    }
    match ears.is_some() && ready.next() == Some(true) {
        true => Wake::Happened,
        false => Wake::Perhaps,
    }
}

/// What PID 1 wants.
fn asked() -> Wake {
    let mut bytes = [0; 512];
    match fds::read(std::io::stdin().as_fd(), &mut bytes) {
        Ok(0) | Err(_) => Wake::Over,
        Ok(times) => Wake::Asked(u32::try_from(times).unwrap_or(u32::MAX)),
    }
}

/// Says a line; false if nobody listens any more.
fn tell(report: &Report) -> bool {
    let Ok(mut line) = serde_json::to_vec(report) else { return false };
    line.push(b'\n');
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        let Ok(count) = fds::write(std::io::stdout().as_fd(), rest) else { return false };
        rest = rest.get(count..).unwrap_or_default();
    }
    true
}

/// The rests that it takes.
struct Rest {
    next: Duration,
    last: Instant,
}

impl Default for Rest {
    fn default() -> Self {
        Self { next: REST, last: Instant::now() }
    }
}

impl Rest {
    /// Rests after something has happened; less if PID 1 wants something meanwhile.
    fn take(&mut self) -> Option<Wake> {
        let quiet = self.last.elapsed() > QUIET;
        self.next = if quiet { REST } else { self.next.saturating_mul(2).min(REST_MAX) };
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(self.next).unwrap_or(PollTimeout::ZERO);
        let woken = poll(&mut fds, patience).is_ok_and(|count| count > 0);
        self.last = Instant::now();
        woken.then(asked)
    }
}
