//! A look-out: a child of finit that ends once there is something by a path. It sleeps in
//! between. What it watches is each folder on the way, through every link, down to the deepest
//! that is there, and the table of mounts; and it looks again after it began to watch, so that
//! nothing comes in between.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::paths;
use crate::boot::way;
use crate::os::folders::{COMES, Folders};

/// How often it looks where nobody tells what comes.
const LOOK: u16 = 2_000;
/// How long it rests after something came that was not it: a busy folder wakes it no more often.
const REST: u8 = 20;
/// Ends well once there is something by that path, and otherwise when PID 1 lets go of the other
/// end of its stdin: it executes itself and has another one look out.
pub fn look_out(path: &str) -> u8 {
    let path = Path::new(path);
    let stdin = std::io::stdin();
    // A new one tells of changes from now on.
    let mounts = File::open("/proc/self/mountinfo").ok();
    loop {
        let folders = Folders::new().ok();
        let hears = folders.as_ref().is_some_and(|folders| {
            way::follow(path, |folder, _| folders.add(folder, COMES).is_ok())
        });
        if paths::is_there(path) {
            return 0;
        }
        let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        fds.extend(folders.as_ref().map(|folders| PollFd::new(folders.as_fd(), PollFlags::POLLIN)));
        fds.extend(mounts.as_ref().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLPRI)));
        let sure = hears && mounts.is_some();
        let patience = if sure { PollTimeout::NONE } else { PollTimeout::from(LOOK) };
        let is_alone = |fds: &[PollFd<'_>]| fds.first().is_some_and(|fd| fd.any() == Some(true));
        // A signal that interrupts is as good a reason to look again.
        let woken = poll(&mut fds, patience).is_ok();
        if woken && is_alone(&fds) {
            return 1;
        }
        let mut lifeline = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if !paths::is_there(path)
            && poll(&mut lifeline, PollTimeout::from(REST)).is_ok()
            && is_alone(&lifeline)
        {
            return 1;
        }
    }
}
