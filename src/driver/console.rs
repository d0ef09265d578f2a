//! What the person at the console sees. A console may be slow, stopped with ^S, or gone: every
//! line is written without waiting, and what it does not take is dropped and counted.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate::engine::Level;
use crate::facts::Errno;
use crate::os::{fds, kmsg::Kmsg, tty};

/// The console and the kernel's ring.
pub struct Console {
    screen: Option<OwnedFd>,
    ring: Option<Kmsg>,
    least: Level,
    lost: u32,
}

impl Console {
    /// Opens what there is; `least` is what is shown on the screen.
    pub fn new(least: Level) -> Self {
        let mut console = Self { screen: None, ring: None, least, lost: 0 };
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
            self.screen = Self::screen();
        }
    }

    /// The console for a service that writes there itself, opened anew: a getty may have hung up
    /// what finit has open since its last line.
    pub fn screen() -> Option<OwnedFd> {
        tty::open(Path::new("/dev/console")).ok()
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
        let Some(screen) = &self.screen else {
            self.lost = self.lost.saturating_add(u32::from(self.lost > 0));
            return;
        };
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("finit: {lost} lines lost on this console\r\n"),
        };
        let mark = if level == Level::Trouble { "finit! " } else { "finit: " };
        let line = format!("{lost}{mark}{}\r\n", text.replace('\n', "\r\n       "));
        let mut written = fds::write(screen.as_fd(), line.as_bytes());
        if let Err(Errno(libc::EIO | libc::ENXIO)) = written {
            // Hung up, by vhangup(2) or by whoever holds its other side: another open gives a new
            // one.
            self.screen = None;
            self.open_screen();
            if let Some(screen) = &self.screen {
                written = fds::write(screen.as_fd(), line.as_bytes());
            }
        }
        match written {
            Ok(_) => self.lost = 0,
            Err(_) => self.lost = self.lost.saturating_add(1),
        }
    }
}
