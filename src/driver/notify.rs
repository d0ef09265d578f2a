//! What services tell of themselves, sd_notify(3), and their lines of readiness, as in s6.
//!
//! One socket a service: the kernel keeps a short queue for each, so that a flood of one slows
//! its senders and keeps neither the words of others nor PID 1 waiting.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reaper::Owner;
use super::site::Site;
use super::watch::Token;
use super::{Driver, Fact};
use crate::config::spec::{NotifyFrom, Ready, ServiceSpec};
use crate::engine::{Event, Level, NodeId, Notice, RunId};
use crate::facts::{Errno, Moment, Pid, SpawnError, Stage};
use crate::os::socket::{self, Endpoint, Options, Peer};
use crate::os::{closing, fds, pidfd, proc, time};

/// Where the sockets are: nobody can list it, and nobody but root can put anything there.
const FOLDER: &str = "/run/finitd/notify";
/// The longest datagram that is read, as with systemd; a longer one is not looked at.
const LONGEST: usize = 4096;
/// More than the kernel keeps for a socket, net.unix.max_dgram_qlen: what was said before a moment
/// is among the first so many, and whoever floods it meanwhile may go on for ever.
const QUEUE: usize = 1024;
/// Most datagrams of one service in one turn, or in several that follow soon.
const BATCH: usize = 32;
/// How soon, and how long a service that has more is not heard then.
const REST: Duration = Duration::from_millis(10);

/// How much a service has said lately: whoever is a little slower than PID 1 is never ahead of it,
/// and would keep it busy all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    since: Moment,
    words: usize,
}

impl Pace {
    /// Of one that has said nothing.
    pub const NONE: Self = Self { since: Moment(0), words: 0 };

    /// It has said something.
    fn count(&mut self, now: Moment) {
        if now.since(self.since) >= REST {
            *self = Self { since: now, words: 0 };
        }
        self.words = self.words.saturating_add(1);
    }

    /// How much more is heard now.
    fn left(self, now: Moment) -> usize {
        let lately = now.since(self.since) < REST;
        BATCH.saturating_sub(if lately { self.words } else { 0 })
    }
}

impl Driver {
    /// Makes the socket of a service before its first start; before a later one it takes away
    /// what was said to the run before. Nobody finds a file of ours in a root of his own, so that
    /// one who has such a root gets a socket without a file.
    pub(super) fn prepare_notify(
        &mut self,
        node: NodeId,
        spec: &ServiceSpec,
    ) -> Result<(), SpawnError> {
        let Some(site) = self.sites.of(node) else { return Ok(()) };
        let has_root = spec.exec.root.is_some();
        if let Some(socket) = &site.rare().notify {
            empty(socket);
            let has_file = socket::name(socket.as_fd()).is_some_and(|name| name.is_absolute());
            if has_file != has_root || !spec.ready.listens() {
                return Ok(());
            }
        }
        if !spec.ready.listens() {
            return Ok(());
        }
        if let Some(former) = site.rare_mut().and_then(|rare| rare.notify.take()) {
            let_go(node, &former);
        }
        let made = if has_root { socket::nameless_datagram() } else { bind(node) };
        let made = made.and_then(|socket| {
            socket::pass_credentials(socket.as_fd())?;
            self.watch.readable(&socket, Token::Notify(node))?;
            Ok(socket)
        });
        let subject = if has_root { String::new() } else { path(node).display().to_string() };
        let fail = |errno| SpawnError { stage: Stage::Socket, errno, subject };
        site.make_rare().notify = Some(made.map_err(fail)?);
        Ok(())
    }

    /// What NOTIFY_SOCKET is for a program of a service. The commands before its first start may
    /// come before there is a socket.
    pub(super) fn notify_socket(&self, node: NodeId, spec: &ServiceSpec) -> Option<PathBuf> {
        let socket = self.sites.get(node).and_then(|site| site.rare().notify.as_ref());
        match socket {
            Some(socket) => socket::name(socket.as_fd()),
            None => spec.exec.root.is_none().then(|| path(node)),
        }
    }

    /// Makes the pipe for the line of a run; the writing end is for it alone.
    pub(super) fn prepare_line(
        &mut self,
        run: RunId,
        spec: &ServiceSpec,
    ) -> Result<Option<(u8, OwnedFd)>, SpawnError> {
        let Some(site) = self.sites.of(run.node) else { return Ok(None) };
        if let Some(rare) = site.rare_mut() {
            rare.line = None;
        }
        let Ready::Descriptor(number) = spec.ready.when else { return Ok(None) };
        let made = fds::nonblocking_pipe().and_then(|(read, write)| {
            self.watch.readable(&read, Token::Line(run))?;
            Ok((read, write))
        });
        let fail = |errno| SpawnError {
            stage: Stage::Descriptors,
            errno,
            subject: spec.ready.when.to_string(),
        };
        let (read, write) = made.map_err(fail)?;
        site.make_rare().line = Some((run.generation, read));
        Ok(Some((number, write)))
    }

    /// Something came through the pipe of a run.
    pub(super) fn on_line(&mut self, run: RunId) {
        if self.has_line(run) {
            self.turn(Event::Wrote { run });
        }
    }

    /// Whether a run has written to its pipe that it is up: a whole line, and what follows says
    /// nothing.
    pub(super) fn has_line(&mut self, run: RunId) -> bool {
        let Some(rare) = self.sites.of(run.node).and_then(Site::rare_mut) else { return false };
        let Some((_, pipe)) = rare.line.take_if(|(generation, _)| *generation == run.generation)
        else {
            return false;
        };
        let mut bytes = [0; 256];
        match fds::read(pipe.as_fd(), &mut bytes) {
            Ok(count) if bytes.iter().take(count).any(|byte| *byte == b'\n') => true,
            // The beginning of a line.
            Ok(1..) | Err(Errno(libc::EAGAIN)) => {
                // Not watched, its start is too slow.
                let _late = self.watch.readable(&pipe, Token::Line(run));
                rare.line = Some((run.generation, pipe));
                false
            }
            // It closed its end without a word.
            Ok(0) | Err(_) => false,
        }
    }

    /// The socket of a service has something.
    pub(super) fn on_notify(&mut self, node: NodeId) {
        let site = self.sites.get(node);
        let most = site.map_or(BATCH, |site| site.rare().pace.left(time::now()));
        let more = self.hear(node, most);
        self.work();
        if more {
            self.later(REST, Fact::Quieted(node));
        } else {
            self.listen_to(node);
        }
    }

    /// Hears a service again.
    pub(super) fn listen_to(&self, node: NodeId) {
        if let Some(socket) = self.sites.get(node).and_then(|site| site.rare().notify.as_ref()) {
            // It was watched a moment ago; the kernel has its place for it.
            let _same = self.watch.readable(socket, Token::Notify(node));
        }
    }

    /// Another finit listens from now on.
    pub(super) fn listen_again(&self, node: NodeId) {
        self.listen_to(node);
        let line = self.sites.get(node).and_then(|site| site.rare().line.as_ref());
        if let Some((generation, pipe)) = line {
            let run = RunId { node, generation: *generation };
            // Not watched, its start is too slow.
            let _late = self.watch.readable(pipe, Token::Line(run));
        }
    }

    /// What a service has said before one of its processes ended; what follows is not carried out
    /// yet.
    pub(super) fn hear_last(&mut self, node: NodeId) {
        self.hear(node, BATCH);
    }

    /// Reads what a service has said and tells the engine; what follows is not carried out yet.
    /// True if there may be more.
    fn hear(&mut self, node: NodeId, most: usize) -> bool {
        // Most have none, and then the room for what it says need not be wiped.
        if self.sites.get(node).is_none_or(|site| site.rare().notify.is_none()) {
            return false;
        }
        let mut buffer = [0; LONGEST];
        for _ in 0..most {
            let Some(site) = self.sites.get(node) else { return false };
            let Some(socket) = &site.rare().notify else { return false };
            // What comes by it waits until one of the others is closed.
            if site.rare().hoards && closing::are_many() {
                return true;
            }
            let before = closing::count();
            let Ok(Some(datagram)) = socket::receive(socket.as_fd(), &mut buffer) else {
                return false;
            };
            let run = datagram.sender.and_then(|sender| run_of(node, site, sender));
            let may = datagram.sender.is_some_and(|sender| {
                self.engine.heeds(node, run) && (run.is_some() || self.may_tell(node, site, sender))
            });
            let counts = may && !datagram.cut;
            let said = buffer.get(..datagram.length).filter(|_| counts);
            let mut notice = Notice::parse(said.unwrap_or_default());
            self.keep_descriptors(node, &notice.descriptors, datagram.fds);
            if let Some(site) = self.sites.of(node) {
                let rare = site.make_rare();
                rare.hoards |= closing::count() > before;
                rare.pace.count(time::now());
            }
            if !counts {
                continue;
            }
            if let Some(pid) = notice.main_pid
                && let Err(why) = self.follow_main(node, pid)
            {
                notice.main_pid = None;
                let text = format!("{}: MAINPID={pid}: {why}", self.engine.name(node));
                self.console.tell(Level::Trouble, &text);
            }
            self.engine.handle(time::now(), Event::Notified { node, run, notice });
        }
        true
    }

    /// Whether the words of that process count, which is none that finit has started.
    fn may_tell(&self, node: NodeId, site: &Site, sender: Peer) -> bool {
        if self.engine.notify_from(node) != Some(NotifyFrom::Any) {
            return false;
        }
        match proc::process(sender.pid) {
            Some(process) => self.is_of(site, &process),
            // It has ended since: of others nobody but root and the user of the service counts.
            None => {
                let main =
                    self.engine.main_run(node).and_then(|run| site.runs.get(&run.generation));
                sender.uid == 0 || main.and_then(|pid| proc::owner(*pid)) == Some(sender.uid)
            }
        }
    }

    /// Whether a process belongs to a service: by its group, or its session where there is none.
    pub(super) fn is_of(&self, site: &Site, process: &proc::Process) -> bool {
        match &site.group {
            Some(group) => self.groups.holds(group, process.pid),
            None => {
                let mut leaders = site.runs.values().chain(&site.rare().sessions);
                leaders.any(|leader| leader.raw() == process.session)
            }
        }
    }

    /// Another process is the main one of a service from now on.
    fn follow_main(&mut self, node: NodeId, pid: Pid) -> Result<(), &'static str> {
        let run = self.engine.main_run(node).ok_or("it is not running")?;
        let site = self.sites.get(node).ok_or("it is not running")?;
        if site.runs.get(&run.generation) == Some(&pid) {
            return Ok(());
        }
        // First and last: what is found of that number in between is found of this process.
        let handle = pidfd::open(pid);
        let process = proc::process(pid.raw()).ok_or("there is no such process")?;
        // A daemon leads a session of its own; where there are no groups, only its parent tells.
        let orphan = site.group.is_none() && process.ppid == 1;
        let is_of = orphan || self.is_of(site, &process);
        let has_ended = |handle: &OwnedFd| pidfd::has_ended(handle.as_fd());
        if process.ended || handle.as_ref().is_ok_and(has_ended) {
            return Err("that process has ended");
        }
        // Whoever is ours already is somebody's: another service's main process, a hook, a look.
        if !is_of || self.reaper.holds(pid) {
            return Err("that process is none of this service");
        }
        let grouped = site.group.is_some();
        let Some(site) = self.sites.of(node) else { return Ok(()) };
        if let Some(former) = site.runs.insert(run.generation, pid) {
            self.reaper.release(former, run);
            if !grouped && !site.rare().sessions.contains(&former) {
                site.make_rare().sessions.push(former);
            }
        }
        self.reaper.adopt_running(pid, Owner::Run(run));
        self.forget_foreign(run);
        if process.ppid != 1 {
            self.watch_foreign(run, pid, handle);
        }
        Ok(())
    }

    /// The node is gone for good.
    pub(super) fn close_notify(&mut self, node: NodeId) {
        self.unkeep(node);
        let Some(rare) = self.sites.of(node).and_then(Site::rare_mut) else { return };
        rare.line = None;
        if let Some(socket) = rare.notify.take() {
            let_go(node, &socket);
        }
    }
}

/// The run whose process that is.
fn run_of(node: NodeId, site: &Site, sender: Peer) -> Option<RunId> {
    let (generation, _) = site.runs.iter().find(|(_, pid)| pid.raw() == sender.pid)?;
    Some(RunId { node, generation: *generation })
}

/// The socket of a service, with its file.
fn bind(node: NodeId) -> Result<OwnedFd, Errno> {
    folder()?;
    let options = Options { mode: 0o666, ..Options::default() };
    socket::bind(&Endpoint::UnixDatagram(path(node)), &options)
}

/// Nothing more is heard by that socket.
fn let_go(node: NodeId, socket: &OwnedFd) {
    // What is in it is closed with it, and is not ours to close.
    socket::hear_no_more(socket.as_fd());
    empty(socket);
    socket::unlink(&Endpoint::UnixDatagram(path(node)));
}

/// Takes away what has been said until now.
fn empty(socket: &OwnedFd) {
    let mut fds = Vec::new();
    for _ in 0..QUEUE {
        let Ok(Some(datagram)) = socket::receive(socket.as_fd(), &mut [0]) else { break };
        fds.extend(datagram.fds);
        // One child closes many, and PID 1 never holds too many.
        if fds.len() > QUEUE {
            closing::aside(std::mem::take(&mut fds));
        }
    }
    closing::aside(fds);
}

/// The path of a socket with a file: a name may be longer than a socket address has room for.
fn path(node: NodeId) -> PathBuf {
    Path::new(FOLDER).join(node.number().to_string())
}

fn folder() -> Result<(), Errno> {
    fds::make_folder(Path::new("/run/finitd"), 0o755)?;
    fds::make_folder(Path::new(FOLDER), 0o711)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::os::passing;

    /// Somebody sends on while what was said is taken away: this queue holds more than any.
    #[test]
    fn what_is_taken_away_before_a_start_has_an_end() {
        let (ours, theirs) = socket::pair().unwrap();
        nix::sys::socket::setsockopt(&theirs, nix::sys::socket::sockopt::SndBufForce, &(1 << 24))
            .unwrap();
        for _ in 0..=QUEUE {
            passing::send_with_fds(theirs.as_fd(), b"x", &[]).unwrap();
        }
        empty(&ours);
        assert!(socket::receive(ours.as_fd(), &mut [0]).unwrap().is_some());
        assert!(socket::receive(ours.as_fd(), &mut [0]).unwrap().is_none());
    }
}
