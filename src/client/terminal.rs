//! How wide the terminal is.
//!
//! Asking it takes an ioctl(2), which is unsafe code and so not ours to make; stty(1) knows
//! too. It runs only where a table goes to a terminal.

use std::process::{Command, Stdio};

/// Columns of the terminal on standard output, if it is one and tells.
pub fn width() -> Option<u16> {
    let terminal = std::io::stdout();
    let terminal = std::os::fd::AsFd::as_fd(&terminal).try_clone_to_owned().ok()?;
    #[expect(clippy::disallowed_methods, reason = "the client has no reaper: std may wait")]
    let mut stty = Command::new("stty");
    let said = stty.arg("size").stdin(terminal).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.split_whitespace().nth(1)?.parse().ok()
}
