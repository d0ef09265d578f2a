//! What the person at the console sees. A console may be slow, stopped with ^S, or gone: PID 1
//! never waits for it. What it does not take at once it gets when it has room, up to a bound;
//! what is beyond that is counted. All of it is in the kernel's ring in any case.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::watch::{Token, Watch};
use crate::engine::Level;
use crate::facts::Errno;
use crate::os::{fds, kmsg::Kmsg, tty};

const CONSOLE: &str = "/dev/console";
/// Bytes that wait for a console at most: the story of a long boot.
const ROOM: usize = 64 * 1024;

/// The console and the kernel's ring.
pub struct Console {
    screen: Option<OwnedFd>,
    ring: Option<Kmsg>,
    least: Level,
    /// What the screen has not taken yet.
    waiting: Vec<u8>,
    /// The loop is told when the screen takes more.
    awaited: bool,
    /// Lines there was no room for.
    lost: u32,
}

impl Console {
    /// Opens what there is; `least` is what is shown on the screen.
    pub fn new(least: Level) -> Self {
        let mut console =
            Self { screen: None, ring: None, least, waiting: Vec::new(), awaited: false, lost: 0 };
        console.open();
        console
    }

    /// Opens them again, once /dev is there.
    pub fn open(&mut self) {
        self.open_screen();
        if self.ring.is_none() {
            self.ring = Kmsg::open().ok();
        }
    }

    fn open_screen(&mut self) {
        if self.screen.is_none() {
            self.screen = tty::open(Path::new(CONSOLE)).ok();
        }
    }

    /// The console for a service that writes there itself, opened anew: a getty may have hung up
    /// what finit has open since its last line. Where it is slow the service waits: no program
    /// reckons with an output that does not take all of it.
    pub fn for_service() -> Option<OwnedFd> {
        let screen = tty::open(Path::new(CONSOLE)).ok()?;
        fds::set_nonblocking(screen.as_fd(), false).ok()?;
        Some(screen)
    }

    /// One line. The ring has all but details, so that `dmesg` tells the story of a boot too.
    pub fn tell(&mut self, level: Level, text: &str) {
        if level > Level::Detail
            && let Some(ring) = &self.ring
        {
            let severity = if level == Level::Trouble { 4 } else { 6 };
            // A full or forbidden ring is no reason to stop.
            let _lost = ring.line(severity, text.as_bytes());
        }
        if level < self.least {
            return;
        }
        // One that was gone may be there again; where there is none, nothing is lost on it.
        self.open_screen();
        if self.screen.is_none() {
            self.lost = self.lost.saturating_add(u32::from(self.lost > 0));
            return;
        }
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("finit: {lost} lines lost on this console\r\n"),
        };
        let mark = if level == Level::Trouble { "finit! " } else { "finit: " };
        let line = format!("{lost}{mark}{}\r\n", harmless(text).replace('\n', "\r\n       "));
        if self.waiting.len().saturating_add(line.len()) > ROOM {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        self.lost = 0;
        self.waiting.extend_from_slice(line.as_bytes());
        self.show();
    }

    /// Has the loop told when the screen takes what waits for it.
    pub fn await_room(&mut self, watch: &Watch) {
        if self.waiting.is_empty() || self.awaited {
            return;
        }
        if let Some(screen) = &self.screen {
            self.awaited = watch.writable(screen, Token::Console).is_ok();
        }
    }

    /// The screen has room: whether it took anything. Where one byte has room and a line needs
    /// two for its end, there is no sense in asking again at once.
    pub fn go_on(&mut self) -> bool {
        let before = self.waiting.len();
        self.show();
        let went = self.waiting.len() < before;
        self.awaited = !went;
        went
    }

    /// It is time to ask again.
    pub fn rested(&mut self) {
        self.awaited = false;
    }

    /// Writes what waits, as far as the screen takes it.
    fn show(&mut self) {
        let mut reopened = false;
        while !self.waiting.is_empty() {
            let Some(screen) = &self.screen else { break };
            match fds::write(screen.as_fd(), &self.waiting) {
                Ok(count @ 1..) => {
                    self.waiting.drain(..count.min(self.waiting.len()));
                }
                // It is slow, or stopped, or another program is just writing there.
                Ok(0) | Err(Errno(libc::EAGAIN)) => return,
                // Hung up, by vhangup(2) or by whoever holds its other side: another open gives a
                // new one.
                Err(Errno(libc::EIO | libc::ENXIO)) if !reopened => {
                    reopened = true;
                    (self.screen, self.awaited) = (None, false);
                    self.open_screen();
                }
                Err(_) => break,
            }
        }
        let lines = self.waiting.iter().filter(|byte| **byte == b'\n').count();
        self.lost = self.lost.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.waiting = Vec::new();
    }
}

/// The same without what a terminal obeys, as the ring has it: a name that somebody has given may
/// be in it.
fn harmless(text: &str) -> String {
    let is_obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.replace(is_obeyed, "?")
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_terminal_obeys_nothing_of_a_line() {
        assert_eq!(harmless("a\tb\nc\u{1b}[2J\r\u{9b}2J\u{7f} ä"), "a\tb\nc?[2J??2J? ä");
    }
}
