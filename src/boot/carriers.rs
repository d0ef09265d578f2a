//! The helper that finds the processes that carry the root file system: those of root whose first
//! argument begins with `@`, a convention among those who write such daemons. Anybody can call a
//! process so; only root is believed.
//!
//! The words of a process lie in its memory, and the kernel reads them only while nobody changes
//! its mappings: of one that hangs there, since a server or a disk does not answer, they never
//! come. PID 1 therefore does not ask; and of whom the answer does not come, nobody is.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::os;

/// Word for the helper; it prints their numbers, one a line.
pub(super) const FIND: &str = "--find-carriers";

/// How long one process may take to be asked: a moment, unless it hangs.
const EACH: Duration = Duration::from_millis(200);

/// How long all of them may take.
const ALL: Duration = Duration::from_secs(2);

/// The beginning of /proc/PID/status, which has the user among its first lines.
const STATUS: usize = 1024;

/// Asks, and hears who carries: a thread that can be left behind.
type Asker = (Sender<i32>, Receiver<bool>);

/// The helper: who carries the root.
pub(super) fn find() -> u8 {
    let end = Instant::now().checked_add(ALL);
    let mut out = std::io::stdout();
    let mut asker = asker();
    for process in os::proc::processes().into_iter().filter(|process| !process.kernel) {
        if end.is_some_and(|end| Instant::now() > end) {
            break;
        }
        // A thread that has ended could not begin: the next one may.
        let asked = asker.0.send(process.pid).is_ok();
        match asker.1.recv_timeout(EACH) {
            Ok(true) => drop(writeln!(out, "{}", process.pid)),
            Ok(false) => {}
            Err(_) if asked => asker = self::asker(),
            Err(_) => return 1,
        }
    }
    0
}

fn asker() -> Asker {
    let (ask, asked) = channel::<i32>();
    let (tell, told) = channel();
    // Without it, whoever asks hears nothing.
    drop(thread::Builder::new().spawn(move || {
        for pid in asked {
            if tell.send(carries(pid)).is_err() {
                break;
            }
        }
    }));
    (ask, told)
}

fn carries(pid: i32) -> bool {
    let folder = Path::new("/proc").join(pid.to_string());
    let head = os::fds::read_head(&folder.join("cmdline"), 1);
    head.is_ok_and(|head| head == b"@")
        && os::fds::read_head(&folder.join("status"), STATUS).is_ok_and(|text| is_of_root(&text))
}

/// Whether the real user is root: the effective one is too, while another waits in su(1).
fn is_of_root(status: &[u8]) -> bool {
    let mut lines = status.split(|byte| *byte == b'\n');
    let users = lines.find_map(|line| line.strip_prefix(b"Uid:"));
    users.is_some_and(|users| {
        let mut words = users.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.next() == Some(b"0")
    })
}
