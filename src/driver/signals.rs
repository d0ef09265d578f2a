//! Signals to PID 1, from one descriptor that is made at the start: it is there when none are
//! left.

use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::facts::Errno;
use crate::os::signals::{self, SignalFd, bit};

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

/// What PID 1 hears.
#[derive(Debug)]
pub struct Signals {
    source: AsyncFd<SignalFd>,
    /// What has come and is not told yet, a bit each.
    came: u64,
}

impl Signals {
    /// Begins to listen: from now on each waits until it is told, over an execve(2) too.
    ///
    /// # Errors
    /// The kernel's, when it gives no descriptor.
    pub fn new() -> Result<Self, Errno> {
        let asked = KINDS.iter().fold(0, |bits, (number, _)| bits | bit(*number));
        let fd = SignalFd::new(asked | bit(libc::SIGCHLD))?;
        #[expect(deprecated, reason = "it owns its descriptor for as long as it is registered")]
        let source = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Self { source, came: 0 })
    }

    /// Whether a child may have ended.
    pub fn poll_child(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(Ok(mut guard)) = self.source.poll_read_ready(cx) {
            let (came, is_all) = self.source.get_ref().read();
            self.came |= came;
            if is_all {
                guard.clear_ready();
            }
        }
        if self.take(libc::SIGCHLD) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What was asked for, if [`Signals::poll_child`] has just heard of it.
    pub fn asked(&mut self) -> Option<Asked> {
        KINDS.iter().find(|(number, _)| self.take(*number)).map(|(_, meaning)| *meaning)
    }

    /// Has those come again that are not told: the next finit is to hear them. Of children it asks
    /// the kernel anyhow.
    pub fn put_back(&mut self) {
        for (number, _) in KINDS {
            if self.take(number) {
                signals::raise(number);
            }
        }
    }

    fn take(&mut self, number: i32) -> bool {
        let came = self.came & bit(number) != 0;
        self.came &= !bit(number);
        came
    }
}
