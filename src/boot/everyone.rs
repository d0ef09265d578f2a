//! Getting every process out of the machine: asked first, then not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::program::Printable;
use super::{MYSELF, Place, Tools, carriers};
use crate::config::spec::ShutdownSpec;
use crate::facts::{Errno, Moment, Pid, SignalNumber};
use crate::os;
use crate::os::reboot::How;

/// How often one looks who is left.
const LOOK: Duration = Duration::from_millis(500);

/// Looks between two lines about who is late: the person at the console is told every three
/// seconds.
const LOOKS_PER_LINE: u32 = 6;

/// Names in such a line.
const NAMES: usize = 6;

/// For the helper that finds out who carries the root: a little more than it gives itself.
const FIND: Duration = Duration::from_secs(3);

/// Those who are spared.
type Carriers = BTreeSet<Pid>;

/// What the end of a shutdown asks of the kernel. A trait, so that a shutdown can be played
/// without one.
pub trait Kernel: Sync {
    /// The time.
    fn now(&self) -> Moment;

    /// All processes but PID 1 and the kernel's own.
    fn processes(&self) -> Vec<Left>;

    /// Signals all processes at once.
    fn signal_all(&self, signal: SignalNumber);

    /// Signals one.
    fn signal(&self, pid: Pid, signal: SignalNumber);

    /// reboot(2).
    fn reboot(&self, how: How) -> Errno;

    /// The emergency keys, where reboot(2) does nothing.
    fn force(&self, how: How);
}

/// A process that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Which one.
    pub pid: Pid,
    /// What it calls itself.
    pub name: String,
    /// Whether it has a terminal, as shells have: an interactive one ignores SIGTERM and ends
    /// when its terminal hangs up.
    pub terminal: bool,
}

/// Asks everybody to leave and waits for that, then makes them, all before `end`.
pub(super) async fn leaves(
    spec: &ShutdownSpec,
    place: Place,
    end: Moment,
    tools: &impl Tools,
    kernel: &impl Kernel,
) {
    let spared = match place {
        Place::Machine => spared(end.since(kernel.now()), tools).await,
        Place::Container => Carriers::new(),
    };
    signal(kernel, &spared, SignalNumber::TERM);
    for process in others(kernel, &spared).iter().filter(|process| process.terminal) {
        kernel.signal(process.pid, SignalNumber::HUP);
    }
    // A stopped process gets its signals when it goes on.
    signal(kernel, &spared, SignalNumber::CONT);
    // SIGKILL needs a moment as well, when SIGTERM has used up all the time: as much, or its own.
    let time = end.since(kernel.now());
    let half = time.checked_div(2).unwrap_or_default();
    let most = half.max(time.saturating_sub(spec.kill_wait));
    if wait(spec.term_wait.min(most), &spared, tools, kernel).await {
        return;
    }
    tools.say("sending SIGKILL to all that are left");
    signal(kernel, &spared, SignalNumber::KILL);
    let time = end.since(kernel.now());
    if !wait(spec.kill_wait.min(time), &spared, tools, kernel).await {
        tools.say(&format!("going on without {}", names(&others(kernel, &spared))));
    }
}

/// Who carries the root file system and stays; a helper says it, for to ask a process for its
/// words may be to wait for its disk.
async fn spared(left: Duration, tools: &impl Tools) -> Carriers {
    let found = tools.run(&[MYSELF, carriers::FIND], FIND.min(left)).await;
    let lines = found.map(|found| found.output).unwrap_or_default();
    lines.lines().filter_map(|line| Pid::new(line.parse().ok()?)).collect()
}

/// Everybody, or everybody but those who carry the root: only one of both can be done at once,
/// leaving no gap for a process that forks.
fn signal(kernel: &impl Kernel, spared: &Carriers, signal: SignalNumber) {
    if spared.is_empty() {
        kernel.signal_all(signal);
    } else {
        for process in others(kernel, spared) {
            kernel.signal(process.pid, signal);
        }
    }
}

/// Waits until they are gone, naming who is late.
async fn wait(most: Duration, spared: &Carriers, tools: &impl Tools, kernel: &impl Kernel) -> bool {
    let end = kernel.now().after(most);
    for look in 1u32.. {
        let slice = LOOK.min(end.since(kernel.now()));
        // The children of PID 1 are the parents of all others, so that a process whose parents
        // are gone becomes one; but those who carry the root never go.
        if tools.everyone_gone(slice).await {
            return true;
        }
        let late = others(kernel, spared);
        if late.is_empty() {
            return true;
        }
        if kernel.now() >= end {
            break;
        }
        if look.checked_rem(LOOKS_PER_LINE) == Some(0) {
            tools.say(&format!("waiting for {}", names(&late)));
        }
    }
    false
}

fn others(kernel: &impl Kernel, spared: &Carriers) -> Vec<Left> {
    kernel.processes().into_iter().filter(|process| !spared.contains(&process.pid)).collect()
}

/// "mysqld (812), bash (990) and 3 more".
fn names(processes: &[Left]) -> String {
    let name = |process: &Left| format!("{} ({})", Printable(&process.name), process.pid);
    let some: Vec<String> = processes.iter().take(NAMES).map(name).collect();
    match processes.len().saturating_sub(NAMES) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

/// The kernel itself.
#[derive(Debug, Clone, Copy)]
pub struct Real;

impl Kernel for Real {
    fn now(&self) -> Moment {
        os::time::now()
    }

    fn processes(&self) -> Vec<Left> {
        os::proc::processes()
            .into_iter()
            .filter(|process| !process.kernel)
            .filter_map(|process| {
                Some(Left {
                    pid: Pid::new(process.pid)?,
                    name: String::from_utf8_lossy(&process.name).into_owned(),
                    terminal: has_terminal(&stat(process.pid)),
                })
            })
            .collect()
    }

    fn signal_all(&self, signal: SignalNumber) {
        // Refused unless this is PID 1.
        os::kill::kill_everything(signal).ok();
    }

    fn signal(&self, pid: Pid, signal: SignalNumber) {
        // Not a child of ours maybe, so that the number may be another's by now: at this point
        // everybody is to go, and the two signals before SIGKILL are requests.
        os::kill::kill(pid, signal).ok();
    }

    fn reboot(&self, how: How) -> Errno {
        os::reboot::reboot(how)
    }

    fn force(&self, how: How) {
        let key: &[u8] = match how {
            How::Poweroff | How::Halt => b"o",
            How::Restart | How::Kexec => b"b",
        };
        os::fds::write_file(std::path::Path::new("/proc/sysrq-trigger"), key).ok();
    }
}

/// What the kernel tells of a process without asking it for its memory; empty when it is gone.
fn stat(pid: i32) -> Vec<u8> {
    os::fds::read_head(&std::path::Path::new("/proc").join(pid.to_string()).join("stat"), 1024)
        .unwrap_or_default()
}

/// The seventh field of /proc/PID/stat, tty_nr, is not 0. The second one, its name, may hold
/// anything but ends at the last parenthesis.
fn has_terminal(stat: &[u8]) -> bool {
    let stat = String::from_utf8_lossy(stat);
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    fields.split_ascii_whitespace().nth(4).is_some_and(|number| number != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals() {
        for (stat, expected) in [
            ("812 (bash) S 800 812 812 34816 812 4194304", true),
            ("900 (a) b) (c) S 1 900 900 0 -1 4194304", false),
            ("900 (x) S 1", false),
            ("", false),
        ] {
            assert_eq!(has_terminal(stat.as_bytes()), expected, "{stat}");
        }
    }
}
