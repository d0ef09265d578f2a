//! Places that take lines one by one and are not ours: the kernel's ring, the console, the
//! syslog socket. None of them may make the writer wait, so what they do not take at once is
//! dropped and counted, and the count is told before the next line that they take.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;

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

/// Lines that each of them did not take.
#[derive(Debug, Default)]
pub struct Devices {
    kmsg: u64,
    console: u64,
    syslog: u64,
}

impl Devices {
    /// Gives lines to one of them. It is opened each time: the lines are few, and a console or
    /// a syslog daemon changes behind its name.
    pub fn put(&mut self, kind: Kind, tag: &str, lines: &[u8]) {
        let lost = match kind {
            Kind::Kmsg => &mut self.kmsg,
            Kind::Console => &mut self.console,
            Kind::Syslog => &mut self.syslog,
            Kind::Nowhere => return,
        };
        let mut sink = Sink::open(kind);
        let mut give = |line: &[u8]| sink.as_mut().is_some_and(|sink| sink.put(tag, line));
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if *lost > 0 && give(format!("... {lost} lines lost\n").as_bytes()) {
                *lost = 0;
            }
            if *lost > 0 || !give(line) {
                *lost = lost.saturating_add(1);
            }
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

    /// Whether it took the line.
    fn put(&mut self, tag: &str, line: &[u8]) -> bool {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let with = |before: &str, text: &[u8], after: &[u8]| {
            [before.as_bytes(), tag.as_bytes(), b": ", text, after].concat()
        };
        match self {
            Self::Kmsg(ring) => {
                let pieces = if text.is_empty() { 1 } else { text.len().div_ceil(KMSG_LINE) };
                (0..pieces).all(|piece| {
                    let from = piece.saturating_mul(KMSG_LINE);
                    let until = from.saturating_add(KMSG_LINE).min(text.len());
                    let text = text.get(from..until).unwrap_or_default();
                    ring.write(&with(PRIORITY, text, b"\n")).is_ok()
                })
            }
            // A terminal may take a part: the rest is gone, which a person sees.
            Self::Console(console) => console.write(&with("", text, b"\n")).is_ok(),
            Self::Syslog(socket) => socket.send(&with(PRIORITY, text, b"")).is_ok(),
        }
    }
}
