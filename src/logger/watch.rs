//! The loop of the log writer: messages of PID 1, bytes of services, and no timer unless a disk
//! has failed, syslog is full, or memory that the start of services needed is to be given back.
//!
//! A pipe that has bytes gets one turn a round. Level-triggered, the kernel puts it behind all
//! others that have some, so a flood takes its share and no more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::kept::Kept;
use super::message::{DATAGRAM_MAX, Message, unpack};
use super::text::Tail;
use super::writer::{Writer, now};
use crate::os::memory;
use crate::os::passing::receive_with_fds;

/// The socket among the numbers of pipes.
const SOCKET: u64 = u64::MAX;
/// That of syslog, while it is full.
const SYSLOG: u64 = u64::MAX - 1;

/// So long after PID 1 said something, it has probably said all.
const QUIET: Duration = Duration::from_secs(1);

/// How the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    /// The machine ends: the beginnings of lines are written too, and the disk has it all.
    Finish,
    /// PID 1 is gone or executes itself: they stay for the next writer.
    Leave,
}

type Messages = Vec<(Message, Option<OwnedFd>)>;

#[derive(Debug)]
struct Watch<'a> {
    socket: BorrowedFd<'a>,
    epoll: Epoll,
    writer: Writer,
    /// Memory that messages needed is given back.
    trimmed: bool,
    /// What has no room for lines, and when they are given to it anyway.
    full: Option<(UnixDatagram, Instant)>,
    /// Pipes that are not watched until then.
    held: Vec<u32>,
}

/// Writes logs until PID 1 ends it.
pub fn watch(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let Some((kept, messages)) = first_messages(socket)? else { return Ok(()) };
    kept.lock()?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, SOCKET))?;
    let writer = Writer::new(kept)?;
    let mut watch = Watch { socket, epoll, writer, trimmed: false, full: None, held: Vec::new() };
    let mut next = watch.obey(messages)?;
    while next == Next::Go {
        next = watch.turn()?;
    }
    if next == Next::Finish {
        watch.writer.drain_all(Tail::Line);
        watch.writer.store.retry(now());
        watch.writer.store.files.sync();
    } else {
        watch.writer.drain_all(Tail::Wait);
    }
    Ok(())
}

impl Watch<'_> {
    /// Waits for something, and gives each pipe that has something one turn.
    fn turn(&mut self) -> Result<Next, Errno> {
        let mut events = [EpollEvent::empty(); 64];
        let count = match self.epoll.wait(&mut events, self.timeout()) {
            Err(Errno::EINTR) => 0,
            outcome => outcome?,
        };
        let told = events.iter().take(count).any(|event| event.data() == SOCKET);
        if told {
            let next = self.listen()?;
            if next != Next::Go {
                return Ok(next);
            }
        }
        if count == 0 && !std::mem::replace(&mut self.trimmed, true) {
            memory::trim();
        }
        if self.writer.store.retry_in() == Some(Duration::ZERO) {
            self.writer.store.retry(now());
        }
        let has_room = events.iter().take(count).any(|event| event.data() == SYSLOG);
        if has_room || self.full.as_ref().is_some_and(|(_, until)| *until <= Instant::now()) {
            self.release()?;
        }
        for event in events.iter().take(count) {
            let Ok(id) = u32::try_from(event.data()) else { continue };
            let nobody = event.events() == EpollFlags::EPOLLHUP;
            let count = self.writer.turn(id, Tail::Wait);
            if let Some((socket, until)) = self.writer.full() {
                self.hold(id, socket, until)?;
            } else if count == 0 && nobody {
                // PID 1 has let go of its end: nothing can come any more.
                self.writer.drain(id, Tail::Line);
                self.forget(id)?;
            }
        }
        self.writer.tell_news();
        Ok(Next::Go)
    }

    fn timeout(&self) -> EpollTimeout {
        let retry = self.writer.store.retry_in();
        let quiet = (!self.trimmed).then_some(QUIET);
        let full = self.full.as_ref().map(|(_, until)| *until);
        let full = full.map(|until| until.saturating_duration_since(Instant::now()));
        let wait = retry.into_iter().chain(quiet).chain(full).min();
        wait.map(|wait| wait.as_millis().saturating_add(1)).map_or(EpollTimeout::NONE, |wait| {
            EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::NONE)
        })
    }

    /// Leaves a pipe alone until there is room for its lines: the others go on.
    fn hold(&mut self, id: u32, socket: UnixDatagram, until: Instant) -> Result<(), Errno> {
        if self.full.is_none() {
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLOUT, SYSLOG))?;
            self.full = Some((socket, until));
        }
        if let Some(fd) = self.writer.fd(id) {
            self.epoll.delete(fd)?;
            self.held.push(id);
        }
        Ok(())
    }

    /// Watches those pipes again.
    fn release(&mut self) -> Result<(), Errno> {
        // Closed, it is not watched any more.
        self.full = None;
        for id in std::mem::take(&mut self.held) {
            if let Some(fd) = self.writer.fd(id) {
                self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, u64::from(id)))?;
            }
        }
        Ok(())
    }

    /// Takes all messages that are there.
    fn listen(&mut self) -> Result<Next, Errno> {
        loop {
            match receive(self.socket)? {
                Heard::Nothing => return Ok(Next::Go),
                Heard::End => return Ok(Next::Leave),
                Heard::Messages(messages) => match self.obey(messages)? {
                    Next::Go => {}
                    next => return Ok(next),
                },
            }
        }
    }

    fn obey(&mut self, messages: Messages) -> Result<Next, Errno> {
        self.trimmed = false;
        for (message, fd) in messages {
            match (message, fd) {
                (Message::Open { id, output }, Some(fd)) => {
                    self.forget(id)?;
                    let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(id));
                    self.epoll.add(&fd, event)?;
                    self.writer.open(id, fd, output);
                }
                (Message::Settings { directory, max_size, keep }, _) => {
                    self.writer.set(directory, max_size, keep);
                }
                (Message::Flush { id }, _) => self.writer.drain(id, Tail::Line),
                (Message::Close { id }, _) => {
                    self.writer.drain(id, Tail::Line);
                    self.forget(id)?;
                }
                (Message::Writable, _) => self.writer.store.set_writable(now()),
                (Message::Finish, _) => return Ok(Next::Finish),
                // What is kept comes first and once.
                (Message::StagingIn | Message::StagingOut | Message::Spool, _)
                | (Message::Open { .. }, None) => {}
            }
        }
        Ok(Next::Go)
    }

    /// Forgets a pipe. The kernel would go on watching it: it watches what PID 1's descriptor
    /// refers to as well (epoll(7), question 6).
    fn forget(&mut self, id: u32) -> Result<(), Errno> {
        let is_held = self.held.contains(&id);
        self.held.retain(|held| *held != id);
        if let Some(fd) = self.writer.fd(id).filter(|_| !is_held) {
            self.epoll.delete(fd)?;
        }
        self.writer.forget(id);
        Ok(())
    }
}

enum Heard {
    Nothing,
    End,
    Messages(Messages),
}

/// One datagram. The buffer is made for it and given back: messages are rare.
fn receive(socket: BorrowedFd<'_>) -> Result<Heard, Errno> {
    let mut buffer = vec![0; DATAGRAM_MAX];
    match receive_with_fds(socket, &mut buffer) {
        Ok((0, _)) | Err(Errno::ECONNRESET) => Ok(Heard::End),
        Ok((count, fds)) => {
            Ok(Heard::Messages(unpack(buffer.get(..count).unwrap_or_default(), fds)))
        }
        Err(Errno::EAGAIN) => Ok(Heard::Nothing),
        Err(Errno::EINTR | Errno::EMSGSIZE) => Ok(Heard::Messages(Vec::new())),
        Err(errno) => Err(errno),
    }
}

/// Waits for the first message that is not about what PID 1 keeps, or its end. A PID 1 that
/// keeps nothing gets a writer that works all the same and loses a batch when it is killed.
fn first_messages(socket: BorrowedFd<'_>) -> Result<Option<(Kept, Messages)>, Errno> {
    let (mut staging_in, mut staging_out, mut spool) = (None, None, None);
    let mut rest = Vec::new();
    while rest.is_empty() {
        match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            outcome => outcome?,
        };
        let messages = match receive(socket)? {
            Heard::Nothing => continue,
            Heard::End => return Ok(None),
            Heard::Messages(messages) => messages,
        };
        for (message, fd) in messages {
            match message {
                Message::StagingIn => staging_in = fd,
                Message::StagingOut => staging_out = fd,
                Message::Spool => spool = fd,
                message => rest.push((message, fd)),
            }
        }
    }
    let kept = match (staging_in, staging_out, spool) {
        (Some(staging_in), Some(staging_out), Some(spool)) => {
            Kept { staging_out, staging_in, spool }
        }
        _ => Kept::make()?,
    };
    Ok(Some((kept, rest)))
}

/// Writes logs over the socket that is descriptor 0.
pub fn watch_stdin() -> Result<(), Errno> {
    let stdin = std::io::stdin();
    watch(stdin.as_fd())
}
