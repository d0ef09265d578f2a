//! The driver's side of [`boot::Tools`]: boot steps run as futures of their own and ask the
//! loop to start programs for them; each gets the exit of its program back as a future.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::boot::{self, Finished, RunError};
use crate::engine::{Ended, Level};
use crate::facts::{Errno, Exit, Pid, SignalNumber, SpawnError, Stage};
use crate::os::{fds, kill};

/// What a step asks of the loop.
#[derive(Debug)]
pub enum Ask {
    /// Start a program that writes into this.
    Run {
        /// Its words.
        argv: Vec<Vec<u8>>,
        /// Where its output goes.
        output: OwnedFd,
        /// Told at once: its pid, and the future of its exit.
        started: oneshot::Sender<Result<Started, SpawnError>>,
    },
    /// Show a line.
    Say(String),
    /// Tell when no child is left.
    Alone(oneshot::Sender<()>),
}

/// A program that was started for a step.
#[derive(Debug)]
pub struct Started {
    /// Its process, and the leader of its group.
    pub pid: Pid,
    /// Its end.
    pub exit: oneshot::Receiver<Ended>,
}

/// What boot steps are handed.
#[derive(Debug, Clone)]
pub struct Hand {
    asks: mpsc::Sender<Ask>,
}

/// Most of a program's output that is kept.
const OUTPUT: usize = 8 * 1024;

impl Hand {
    /// A hand and what it asks.
    pub fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(64);
        (Self { asks }, asked)
    }

    /// Starts a program that writes into this.
    ///
    /// # Errors
    /// It did not start.
    pub async fn start(&self, program: &[&str], output: OwnedFd) -> Result<Started, SpawnError> {
        let (started, answer) = oneshot::channel();
        let argv = program.iter().map(|word| word.as_bytes().to_vec()).collect();
        // The loop never ends; if it did, nothing would start any more.
        let gone = SpawnError::at(Stage::Clone, Errno(libc::ESHUTDOWN));
        if self.asks.send(Ask::Run { argv, output, started }).await.is_err() {
            return Err(gone);
        }
        answer.await.unwrap_or(Err(gone))
    }
}

impl boot::Tools for Hand {
    async fn run(&self, program: &[&str], deadline: Duration) -> Result<Finished, RunError> {
        // A file in memory takes any output at once, so nobody has to read along, and a
        // daemon that the program leaves behind keeps nobody waiting.
        let output = fds::memfd("finit-output").map_err(failed)?;
        let copy = fds::dup(output.as_fd()).map_err(failed)?;
        let Started { pid, mut exit } = self.start(program, copy).await.map_err(RunError::Spawn)?;
        let ended = match timeout(deadline, &mut exit).await {
            Ok(ended) => ended,
            Err(_) => {
                // It leads a session and so a group of its own.
                let _gone = kill::kill_group(pid, SignalNumber::KILL);
                return Err(RunError::TooLate(deadline));
            }
        };
        match ended {
            Ok(Ended::Exit(exit)) => {
                Ok(Finished { exit, output: said(&output).trim_end().to_owned() })
            }
            Ok(Ended::NotExecuted(error)) => Err(RunError::Spawn(error)),
            Ok(Ended::TooSlow(limit) | Ended::Silent(limit) | Ended::Lingering(limit)) => {
                Err(RunError::TooLate(limit))
            }
            Ok(Ended::Unseen | Ended::Early { .. } | Ended::GaveUp | Ended::Unhealthy { .. })
            | Err(_) => Ok(Finished { exit: Exit::Code(255), output: String::new() }),
        }
    }

    fn say(&self, line: &str) {
        // A full queue means that the loop has more urgent things to do than to talk.
        let _full = self.asks.try_send(Ask::Say(line.to_owned()));
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }

    async fn everyone_gone(&self, deadline: Duration) -> bool {
        let (tell, told) = oneshot::channel();
        if self.asks.send(Ask::Alone(tell)).await.is_err() {
            return false;
        }
        matches!(timeout(deadline, told).await, Ok(Ok(())))
    }
}

fn failed(errno: Errno) -> RunError {
    RunError::Spawn(SpawnError { stage: Stage::Clone, errno, subject: "its output".to_owned() })
}

/// The beginning of what a program wrote, to the letter.
pub fn said(output: &OwnedFd) -> String {
    String::from_utf8_lossy(&wrote(output, OUTPUT)).into_owned()
}

/// The same in bytes, and how many at most.
pub fn wrote(output: &OwnedFd, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; most];
    let count = nix::sys::uio::pread(output, &mut bytes, 0).unwrap_or(0);
    bytes.truncate(count);
    bytes
}

/// The level at which a step's own words are shown.
pub const SAY: Level = Level::Trouble;
