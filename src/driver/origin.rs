//! Which run of which service a client is a part of, as the kernel tells it: by the sessions that
//! it and those above it are in, since each run leads one of its own. That holds with control
//! groups and without, and unlike a group it tells a hook from the main process.
//!
//! What is read from /proc is of other moments than the connection. A number that is another's by
//! now is known by when that one began; and a line of parents that reads the same twice was true
//! all the while, since nobody becomes a parent later.

use super::Driver;
use super::control::Call;
use crate::engine::RunId;
use crate::os::proc::{self, Process};

/// How many parents are looked at; a client further down counts as one from outside.
const PARENTS: usize = 64;

impl Driver {
    /// The run that whoever asks is a part of; none for one from outside, or that is gone.
    pub(super) fn run_of(&self, call: &Call) -> Option<RunId> {
        find(call.peer.pid, call.began?, proc::process, |pid| self.reaper.run(pid))
    }
}

/// The run of the process of that number, which began then: by what is seen of a number, and by
/// which run has it.
fn find(
    pid: i32,
    began: u64,
    mut see: impl FnMut(i32) -> Option<Process>,
    run: impl Fn(i32) -> Option<RunId>,
) -> Option<RunId> {
    let mut climb = || {
        let mut line = Vec::new();
        let mut next = pid;
        while next > 1 && line.len() < PARENTS {
            let Process { ppid, session, began, .. } = see(next)?;
            line.push((next, ppid, session, began));
            if let Some(run) = run(next).or_else(|| run(session)) {
                return Some((run, line));
            }
            next = ppid;
        }
        None
    };
    let (run, line) = climb()?;
    let itself = line.first().is_some_and(|(_, _, _, since)| *since == began);
    (itself && climb() == Some((run, line))).then_some(run)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use crate::engine::NodeId;

    fn process(pid: i32, ppid: i32, session: i32, began: u64) -> Process {
        let (name, terminal) = (b"x".to_vec(), 0);
        Process { pid, ppid, session, terminal, name, kernel: false, ended: false, began }
    }

    /// What is found of process 30, which began at 300, where 10 is the hook that a run is; `looks`
    /// are what is seen one after the other.
    fn found(looks: &[Process]) -> bool {
        let hook = RunId { node: NodeId::from_number(1), generation: 7 };
        let mut looks = looks.iter();
        let see = |pid| looks.next().filter(|process| process.pid == pid).cloned();
        let found = find(30, 300, see, |pid| (pid == 10).then_some(hook));
        assert!(found.is_none_or(|run| run == hook));
        found.is_some()
    }

    #[test]
    fn a_client_is_known_by_its_session_and_by_those_above_it() {
        let in_session = process(30, 1, 10, 300);
        assert!(found(&[in_session.clone(), in_session]), "its parent may be gone");
        let (own, above) = (process(30, 20, 30, 300), process(20, 10, 10, 200));
        assert!(found(&[own.clone(), above.clone(), own.clone(), above]));
        let login = process(20, 1, 20, 200);
        assert!(!found(&[own.clone(), login.clone(), own, login]));
    }

    #[test]
    fn a_number_that_is_anothers_by_now_tells_nothing() {
        let another = process(30, 10, 10, 301);
        assert!(!found(&[another.clone(), another]), "it began later than the client");
        let (own, above) = (process(30, 20, 30, 300), process(20, 10, 10, 250));
        let orphan = process(30, 1, 30, 300);
        assert!(!found(&[own.clone(), above, orphan]), "its parent was gone, and that another one");
        assert!(!found(&[own]), "it is gone");
    }

    #[test]
    fn who_is_far_below_counts_as_one_from_outside() {
        for (count, is_found) in [(64, true), (65, false)] {
            let above = (31..29 + count).map(|pid| process(pid, pid + 1, pid, 200));
            let last = process(29 + count, 1, 10, 100);
            let line = [process(30, 31, 30, 300)].into_iter().chain(above).chain([last]);
            let looks: Vec<Process> = line.collect();
            assert_eq!(found(&[looks.clone(), looks].concat()), is_found);
        }
    }
}
