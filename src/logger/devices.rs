//! Places that take lines one by one and are not ours: the kernel's ring, the console, the
//! syslog socket. None of them may make the writer wait, so what they do not take at once is
//! dropped and counted, and the count is told before the next line that they take. Who only has to
//! let another process end its line first tries again a while.
//!
//! A syslog daemon is asked to be quicker first: the kernel queues no more than ten lines for it
//! (net.unix.max_dgram_qlen), so what it does not take stays in the pipe of its service, until it
//! has taken nothing for a while.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// /dev/kmsg.
    Kmsg,
    /// /dev/console.
    Console,
    /// /dev/log.
    Syslog,
    /// Nowhere.
    Nowhere,
}

/// A record of the kernel's ring with our header in it (LOG_LINE_MAX, 1024).
const KMSG_LINE: usize = 900;

/// Facility daemon, severity info: what syslog(3) calls LOG_DAEMON | LOG_INFO.
const PRIORITY: &str = "<30>";

/// How long lines stay in their pipe for a syslog daemon that takes none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that each of them did not take.
#[derive(Debug, Default)]
pub struct Devices {
    kmsg: u64,
    console: u64,
    syslog: u64,
    /// How long lines stay in their pipe, from when syslog took the last one.
    until: Option<Instant>,
    /// The socket that the lines of the last call wait for.
    full: Option<UnixDatagram>,
}

impl Devices {
    /// Gives lines to one of them, and tells how many bytes of them are dealt with: the rest
    /// waits for [`full`](Self::full). It is opened each time: the lines are few, and a console
    /// or a syslog daemon changes behind its name.
    pub fn put(&mut self, kind: Kind, tag: &str, lines: &[u8]) -> usize {
        let lost = match kind {
            Kind::Kmsg => &mut self.kmsg,
            Kind::Console => &mut self.console,
            Kind::Syslog => &mut self.syslog,
            Kind::Nowhere => return lines.len(),
        };
        let mut sink = Sink::open(kind);
        let mut give = |line: &[u8], patient: bool| {
            sink.as_mut().map_or(Taken::No, |sink| sink.put(tag, line, patient))
        };
        let mut given = 0_usize;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let mut taken = Taken::Yes;
            if *lost > 0 {
                taken = give(format!("... {lost} lines lost\n").as_bytes(), false);
            }
            if taken == Taken::Yes {
                *lost = 0;
                taken = give(line, true);
            }
            match taken {
                Taken::Yes => self.until = self.until.filter(|_| kind != Kind::Syslog),
                Taken::Later if is_early(&mut self.until) => {
                    self.full = sink.and_then(Sink::socket);
                    return given;
                }
                Taken::Later | Taken::No => *lost = lost.saturating_add(1),
            }
            given = given.saturating_add(line.len());
        }
        given
    }

    /// What has to have room before the rest of the lines of the last call can be given, and when
    /// to give them whether it has or not.
    pub fn full(&mut self) -> Option<(UnixDatagram, Instant)> {
        self.full.take().zip(self.until)
    }

    /// Waits for that; the answer is whether there was anything to wait for.
    pub fn wait(&mut self, until: Instant) -> bool {
        let Some((socket, own)) = self.full() else { return false };
        let rest = own.min(until).saturating_duration_since(Instant::now());
        let rest = PollTimeout::try_from(rest.as_millis().saturating_add(1));
        let fds = &mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        if !poll(fds, rest.unwrap_or(PollTimeout::ZERO)).is_ok_and(|ready| ready > 0) {
            self.until = Some(Instant::now());
        }
        true
    }
}

/// Whether lines stay in their pipe still, which begins now if it has not.
fn is_early(until: &mut Option<Instant>) -> bool {
    Instant::now() < *until.get_or_insert_with(patience)
}

/// How long a syslog daemon is waited for, from now.
pub fn patience() -> Instant {
    let now = Instant::now();
    now.checked_add(PATIENCE).unwrap_or(now)
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    /// There is no room, but there will be.
    Later,
    No,
}

impl Taken {
    fn of(done: std::io::Result<usize>) -> Self {
        if done.is_ok() { Self::Yes } else { Self::No }
    }
}

/// How often a console that somebody else writes to is tried again.
const TURNS: usize = 100;

/// Milliseconds between two of them.
const TURN: u8 = 1;

/// Writes to a console. While another process writes to it, it takes nothing of anybody who does
/// not wait (tty_write_lock in the kernel's tty_io.c). That is over soon, and no event tells so.
fn in_turn(console: &mut impl Write, line: &[u8], patient: bool) -> Taken {
    let mut turns = if patient { TURNS } else { 0 };
    loop {
        match console.write(line) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && turns > 0 => {
                turns = turns.saturating_sub(1);
                let _nobody = poll(&mut [], TURN);
            }
            done => return Taken::of(done),
        }
    }
}

enum Sink {
    Kmsg(std::fs::File),
    Console(std::fs::File),
    Syslog(UnixDatagram),
}

impl Sink {
    fn open(kind: Kind) -> Option<Self> {
        let device = |path: &str| {
            let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
            OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
        };
        match kind {
            Kind::Kmsg => device("/dev/kmsg").map(Self::Kmsg),
            Kind::Console => device("/dev/console").map(Self::Console),
            Kind::Syslog => {
                let socket = UnixDatagram::unbound().ok()?;
                socket.set_nonblocking(true).ok()?;
                socket.connect("/dev/log").ok()?;
                Some(Self::Syslog(socket))
            }
            Kind::Nowhere => None,
        }
    }

    fn socket(self) -> Option<UnixDatagram> {
        match self {
            Self::Syslog(socket) => Some(socket),
            Self::Kmsg(_) | Self::Console(_) => None,
        }
    }

    /// Gives it a line; `patient` is who would let others end theirs first.
    fn put(&mut self, tag: &str, line: &[u8], patient: bool) -> Taken {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let with = |before: &str, text: &[u8], after: &[u8]| {
            [before.as_bytes(), tag.as_bytes(), b": ", text, after].concat()
        };
        match self {
            Self::Kmsg(ring) => {
                let pieces = if text.is_empty() { 1 } else { text.len().div_ceil(KMSG_LINE) };
                let all = (0..pieces).all(|piece| {
                    let from = piece.saturating_mul(KMSG_LINE);
                    let until = from.saturating_add(KMSG_LINE).min(text.len());
                    let text = text.get(from..until).unwrap_or_default();
                    ring.write(&with(PRIORITY, text, b"\n")).is_ok()
                });
                if all { Taken::Yes } else { Taken::No }
            }
            // A terminal may take a part: the rest is gone, which a person sees.
            Self::Console(console) => in_turn(console, &with("", text, b"\n"), patient),
            Self::Syslog(socket) => match socket.send(&with(PRIORITY, text, b"")) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Taken::Later,
                done => Taken::of(done),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A console to which another process writes for so many tries.
    struct Busy(usize);

    impl Write for Busy {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            let Some(left) = self.0.checked_sub(1) else { return Ok(line.len()) };
            self.0 = left;
            Err(std::io::Error::from(ErrorKind::WouldBlock))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_for_the_console_waits_for_the_line_of_another() {
        assert_eq!(in_turn(&mut Busy(3), b"line\n", true), Taken::Yes);
        assert_eq!(in_turn(&mut Busy(usize::MAX), b"line\n", true), Taken::No, "not for ever");
        // Once lines are lost, the console stands still: nobody else's lines wait for it.
        let mut busy = Busy(3);
        assert_eq!(in_turn(&mut busy, b"line\n", false), Taken::No);
        assert_eq!(busy.0, 2, "one try");
    }
}
