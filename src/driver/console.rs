//! What the person at the console sees. A console may be slow, stopped with ^S, or gone: every
//! line is written without waiting, and what it does not take is dropped and counted.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate::engine::Level;
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
        if self.screen.is_none() {
            self.screen = tty::open(Path::new("/dev/console")).ok();
        }
        if self.ring.is_none() {
            self.ring = Kmsg::open().ok();
        }
    }

    /// A copy of the console for a service that writes there itself.
    pub fn screen(&self) -> Option<OwnedFd> {
        self.screen.as_ref().and_then(|screen| fds::dup(screen.as_fd()).ok())
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
        let Some(screen) = &self.screen else { return };
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("finit: {lost} lines lost on this console\r\n"),
        };
        let mark = if level == Level::Trouble { "finit! " } else { "finit: " };
        let line = format!("{lost}{mark}{}\r\n", text.replace('\n', "\r\n       "));
        match fds::write(screen.as_fd(), line.as_bytes()) {
            Ok(_) => self.lost = 0,
            Err(error) => {
                self.lost = self.lost.saturating_add(1);
                // Hung up: another open gives a new one.
                if error.0 == libc::EIO || error.0 == libc::ENXIO {
                    self.screen = None;
                    self.open();
                }
            }
        }
    }
}
