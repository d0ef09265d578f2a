//! Signals to PID 1, all streams made at the start: the first one made takes descriptors, and
//! must not be made when none are left.

use std::task::{Context, Poll};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::facts::Errno;

/// What a signal asks for; the contract's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-Alt-Del.
    CtrlAltDel,
    /// SIGTERM.
    Terminate,
    /// Make the control socket anew.
    Reopen,
    /// SIGUSR2.
    PowerOffContainer,
    /// Read the file again.
    Apply,
    /// The power fails.
    PowerFailure,
    /// A rescue login.
    KeyboardRequest,
    /// Stop the machine.
    Halt,
    /// Turn it off.
    PowerOff,
    /// Restart it.
    Reboot,
}

/// SIGRTMIN as glibc and musl count it (signal(7)).
const SIGRTMIN: i32 = 34;

const KINDS: [(i32, Asked); 10] = [
    (libc::SIGINT, Asked::CtrlAltDel),
    (libc::SIGTERM, Asked::Terminate),
    (libc::SIGUSR1, Asked::Reopen),
    (libc::SIGUSR2, Asked::PowerOffContainer),
    (libc::SIGHUP, Asked::Apply),
    (libc::SIGPWR, Asked::PowerFailure),
    (libc::SIGWINCH, Asked::KeyboardRequest),
    (SIGRTMIN + 3, Asked::Halt),
    (SIGRTMIN + 4, Asked::PowerOff),
    (SIGRTMIN + 5, Asked::Reboot),
];

/// All streams.
#[derive(Debug)]
pub struct Signals {
    child: Signal,
    asked: Vec<(Signal, Asked)>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's, for a signal that cannot be caught.
    pub fn new() -> Result<Self, Errno> {
        let child = signal(SignalKind::child())?;
        let mut asked = Vec::with_capacity(KINDS.len());
        for (number, meaning) in KINDS {
            asked.push((signal(SignalKind::from_raw(number))?, meaning));
        }
        Ok(Self { child, asked })
    }

    /// Whether a child may have ended.
    pub fn poll_child(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.child.poll_recv(cx).map(|_| ())
    }

    /// What was asked for.
    pub fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<Asked> {
        for (stream, meaning) in &mut self.asked {
            if stream.poll_recv(cx).is_ready() {
                return Poll::Ready(*meaning);
            }
        }
        Poll::Pending
    }
}
