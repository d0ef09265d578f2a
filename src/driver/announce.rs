//! What everybody is told of a shutdown that is to come.

use std::time::Duration;

use super::Driver;
use crate::boot::Tools;
use crate::engine::Level;
use crate::os::fds;

/// How long telling those who are logged in may take: their terminals may be stopped.
const PATIENCE: Duration = Duration::from_secs(10);

impl Driver {
    /// Shows a line on the console, and to whoever is logged in by wall(1), where there is one.
    pub(super) fn announce(&mut self, text: String) {
        self.console.tell(Level::Trouble, &text);
        let hand = self.hand.clone();
        tokio::spawn(async move {
            // Without the program nobody is told, which is no reason not to go down.
            let _untold = hand.run(&["wall", &text], PATIENCE).await;
        });
    }

    /// pam_nologin(8) and login(1) let nobody but root in while this file is there, and show it.
    /// It is on a file system in memory, so writing it does not block.
    pub(super) fn close_logins(&mut self, why: Option<String>) {
        let path = self.context.path("/run/nologin");
        let answer = match why {
            Some(why) => fds::create_file(&path, format!("{why}\n").as_bytes(), 0o644),
            None => match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
                Ok(()) | Err(_) => Ok(()),
            },
        };
        if let Err(errno) = answer {
            self.console.tell(Level::Trouble, &format!("{}: {errno}", path.display()));
        }
    }
}
