//! Descriptors by the thousand: one epoll set for the status pipes of starting programs and for
//! the sockets of services, itself watched by tokio. A service that starts costs no task, no
//! waker and no allocation here, only the number that comes back when its descriptor is ready.
//!
//! Every registration is one-shot: it reports once and stays silent until it is armed again,
//! so a connection that nobody wants yet never wakes anybody twice.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::unix::AsyncFd;

use crate::engine::{NodeId, RunId};
use crate::facts::Errno;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The status pipe of a run that is being started.
    Status(RunId),
    /// A socket of a node: the index among its sockets.
    Socket(NodeId, u32),
    /// The socket by which a service tells of itself.
    Notify(NodeId),
    /// The pipe for the line of a run.
    Line(RunId),
    /// The main process of a run that is another's child.
    Foreign(RunId),
    /// A descriptor that a service gave to be kept: its number among those.
    Kept(NodeId, u32),
    /// The pipe of whoever watches paths for a node.
    Paths(RunId),
    /// The clock on the wall.
    Wall,
    /// The inotify descriptor of all control groups.
    Groups,
    /// Room in the socket to the log writer.
    Logs,
    /// Room at the console.
    Console,
}

/// A number that no node has, for what is watched for finit itself.
pub const NOBODY: NodeId = NodeId::from_number(0xff_ffff);

/// Most tokens at a time.
const BATCH: usize = 64;

const STATUS: u64 = 0;
const SOCKET: u64 = 1;
const GROUPS: u64 = 2;
const LOGS: u64 = 3;
const NOTIFY: u64 = 4;
const LINE: u64 = 5;
const WALL: u64 = 6;
const FOREIGN: u64 = 7;
const KEPT: u64 = 8;
const PATHS: u64 = 9;
const CONSOLE: u64 = 10;

impl Token {
    /// Kind in the top byte, node in the next three, the rest below.
    fn pack(self) -> u64 {
        let join = |kind: u64, node: NodeId, low: u32| {
            (kind << 56) | (u64::from(node.number() & 0xff_ffff) << 32) | u64::from(low)
        };
        match self {
            Self::Status(run) => join(STATUS, run.node, run.generation),
            Self::Socket(node, index) => join(SOCKET, node, index),
            Self::Notify(node) => join(NOTIFY, node, 0),
            Self::Line(run) => join(LINE, run.node, run.generation),
            Self::Foreign(run) => join(FOREIGN, run.node, run.generation),
            Self::Kept(node, number) => join(KEPT, node, number),
            Self::Paths(run) => join(PATHS, run.node, run.generation),
            Self::Wall => WALL << 56,
            Self::Groups => GROUPS << 56,
            Self::Logs => LOGS << 56,
            Self::Console => CONSOLE << 56,
        }
    }

    fn unpack(raw: u64) -> Self {
        let node = NodeId::from_number(u32::try_from((raw >> 32) & 0xff_ffff).unwrap_or(0));
        let low = u32::try_from(raw & 0xffff_ffff).unwrap_or(0);
        match raw >> 56 {
            SOCKET => Self::Socket(node, low),
            GROUPS => Self::Groups,
            WALL => Self::Wall,
            NOTIFY => Self::Notify(node),
            LINE => Self::Line(RunId { node, generation: low }),
            KEPT => Self::Kept(node, low),
            FOREIGN => Self::Foreign(RunId { node, generation: low }),
            PATHS => Self::Paths(RunId { node, generation: low }),
            LOGS => Self::Logs,
            CONSOLE => Self::Console,
            _ => Self::Status(RunId { node, generation: low }),
        }
    }
}

/// The epoll set under its tokio skin.
#[derive(Debug)]
struct Set(Epoll);

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl AsRawFd for Set {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

/// The set of watched descriptors.
#[derive(Debug)]
pub struct Watch {
    set: AsyncFd<Set>,
}

impl Watch {
    /// An empty set.
    ///
    /// # Errors
    /// The kernel's, when it gives no epoll descriptor.
    pub fn new() -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "the set owns its descriptor for as long as it is \
                 registered; the replacement is unsafe, and unsafe stays in os"
        )]
        let set = AsyncFd::new(Set(epoll))?;
        Ok(Self { set })
    }

    /// Tells once when there is something to read, or when the other side is gone.
    ///
    /// # Errors
    /// ENOSPC past fs.epoll.max_user_watches, ENOMEM.
    pub fn readable(&self, fd: impl AsFd, token: Token) -> Result<(), Errno> {
        self.arm(fd, token, EpollFlags::EPOLLIN)
    }

    /// Tells once when there is room to write.
    ///
    /// # Errors
    /// As [`Watch::readable`].
    pub fn writable(&self, fd: impl AsFd, token: Token) -> Result<(), Errno> {
        self.arm(fd, token, EpollFlags::EPOLLOUT)
    }

    /// Tells once when the other side is gone, or the descriptor fails; nothing else is told.
    ///
    /// # Errors
    /// As [`Watch::readable`]; EPERM for a file that has no such thing, as those on a disk.
    pub fn hung_up(&self, fd: impl AsFd, token: Token) -> Result<(), Errno> {
        // EPOLLHUP and EPOLLERR are told of always, epoll_ctl(2).
        self.arm(fd, token, EpollFlags::empty())
    }

    fn arm(&self, fd: impl AsFd, token: Token, flags: EpollFlags) -> Result<(), Errno> {
        let epoll = &self.set.get_ref().0;
        let mut event = EpollEvent::new(flags | EpollFlags::EPOLLONESHOT, token.pack());
        match epoll.add(&fd, event) {
            Err(nix::errno::Errno::EEXIST) => Ok(epoll.modify(&fd, &mut event)?),
            answer => Ok(answer?),
        }
    }

    /// Tells no longer. Closing the last copy of a descriptor does the same.
    pub fn forget(&self, fd: impl AsFd) {
        // ENOENT: it was not watched, which is what was asked for.
        let _gone = self.set.get_ref().0.delete(fd);
    }

    /// What is ready now, at most [`BATCH`].
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Vec<Token>> {
        loop {
            let Ok(mut guard) = ready!(self.set.poll_read_ready(cx)) else {
                return Poll::Pending;
            };
            let tokens = self.take();
            if tokens.is_empty() {
                guard.clear_ready();
                continue;
            }
            return Poll::Ready(tokens);
        }
    }

    /// The same without waiting.
    pub fn take(&self) -> Vec<Token> {
        let mut events = [EpollEvent::empty(); BATCH];
        let count = self.set.get_ref().0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        events.iter().take(count).map(|event| Token::unpack(event.data())).collect()
    }
}
