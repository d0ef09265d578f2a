//! Those who unmount: a thread for each call, so that one that hangs holds up no other.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::facts::Errno;

/// What is done to one mount.
pub(super) type Way = fn(&Path) -> Result<(), Errno>;

/// How long one call has before the next begins beside it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who is still at work.
#[derive(Debug, Default)]
pub(super) struct Crew {
    late: Vec<Late>,
}

/// A call that takes its time, or never returns.
#[derive(Debug)]
struct Late {
    target: PathBuf,
    done: Receiver<bool>,
}

impl Crew {
    /// Whether the call did what it should, in time. As long as one is at work on a target, no
    /// other begins there, for it would hang too.
    pub(super) fn manages(&mut self, way: Way, target: &Path) -> bool {
        if self.late.iter().any(|late| late.target == target) {
            return false;
        }
        let (tell, done) = channel();
        let own = target.to_path_buf();
        let begun = thread::Builder::new().spawn(move || {
            let _unheard = tell.send(way(&own).is_ok());
        });
        if begun.is_err() {
            return way(target).is_ok();
        }
        match done.recv_timeout(PATIENCE) {
            Ok(is_done) => is_done,
            Err(RecvTimeoutError::Timeout) => {
                self.late.push(Late { target: target.to_path_buf(), done });
                false
            }
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Whether somebody is still at work.
    pub(super) fn is_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Waits for all of them, so long at most.
    pub(super) fn wait(&mut self, most: Duration) {
        let begin = Instant::now();
        self.late.retain(|late| {
            let left = most.saturating_sub(begin.elapsed());
            late.done.recv_timeout(left) == Err(RecvTimeoutError::Timeout)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    static GATE: Barrier = Barrier::new(2);

    fn works(_: &Path) -> Result<(), Errno> {
        Ok(())
    }

    fn fails(_: &Path) -> Result<(), Errno> {
        Err(Errno(libc::EBUSY))
    }

    fn hangs(_: &Path) -> Result<(), Errno> {
        loop {
            thread::park();
        }
    }

    fn waits(_: &Path) -> Result<(), Errno> {
        GATE.wait();
        Ok(())
    }

    #[test]
    fn one_that_hangs_holds_up_no_other() {
        let mut crew = Crew::default();
        let (dead, slow, other) = (Path::new("/dead"), Path::new("/slow"), Path::new("/other"));
        assert!(!crew.manages(hangs, dead) && !crew.manages(waits, slow));
        assert!(crew.manages(works, other) && !crew.manages(fails, other));
        assert!(!crew.manages(works, dead) && !crew.manages(works, slow), "still at work there");
        GATE.wait();
        crew.wait(PATIENCE);
        assert!(crew.manages(works, slow) && !crew.manages(works, dead));
        assert!(crew.is_late());
    }
}
