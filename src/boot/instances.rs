//! Instances of templates, looked for by a child of finit: a pattern may lead to a file system
//! that does not answer, and PID 1 waits for nobody. The child gets as JSON where to look, and
//! says in JSON what it found or why it found nothing.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::program::complaint;
use super::{Finished, RunError};
use crate::config::spec::{CommandLine, Listing, Look, Search};
use crate::config::{self, expand};
use crate::facts::{Errno, Exit, Pid, SignalNumber, SpawnError, Stage};
use crate::os::spawn::{self, Launch, Plan, Spawned};
use crate::os::{fds, kill, pidfd, time, wait};

/// The word that makes finit such a child; its second word is the JSON.
pub const FIND: &str = "--find-instances";

/// Bytes of JSON that it may say.
pub const ANSWER_MAX: usize = 1 << 20;

/// Bytes that a command may print.
const OUTPUT: usize = 64 * 1024;
/// Bytes of its complaints that are kept.
const COMPLAINTS: usize = 4 * 1024;

/// What was found, or in words why nothing was.
pub type Answer = Result<Listing, String>;

/// Looks, and says it on stdout.
pub fn find(json: &str) -> u8 {
    let answer = serde_json::from_str(json).map_err(|error| error.to_string());
    let answer: Answer = answer.and_then(|search| look(&search));
    let bytes = serde_json::to_vec(&answer).unwrap_or_default();
    u8::from(std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()).is_err())
}

/// May wait for as long as a file system or a command likes.
fn look(search: &Search) -> Answer {
    match &search.look {
        Look::Glob { pattern, name } => config::paths(pattern, name),
        Look::Command(line) => command(line, search.timeout),
    }
}

/// What a command prints, a name a line.
fn command(line: &CommandLine, timeout: Duration) -> Answer {
    let own: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let env: Vec<(&[u8], &[u8])> =
        own.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let value = |name: &str| {
        let found = env.iter().find(|(known, _)| *known == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    let argv = expand(line, value);
    let program = argv.first().cloned().unwrap_or_default();
    let ran = run(&argv, &env, timeout);
    let Printed { exit, output, complaints } =
        ran.map_err(|error| format!("{program}: {error}"))?;
    if output.len() > OUTPUT {
        return Err(format!("{program}: it prints more than {} KiB", OUTPUT / 1024));
    }
    if exit != Exit::SUCCESS {
        return Err(complaint(&[&program], &Finished { exit, output: complaints }));
    }
    let text = String::from_utf8_lossy(&output);
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    Ok(Listing::of(names.map(|name| (name.to_owned(), name.to_owned()))))
}

/// A command that has ended.
struct Printed {
    exit: Exit,
    output: Vec<u8>,
    complaints: String,
}

/// Runs a command in this session, so that whoever ends this one ends it, too.
fn run(argv: &[String], env: &[(&[u8], &[u8])], timeout: Duration) -> Result<Printed, RunError> {
    let failed = |errno| RunError::Spawn(SpawnError::at(Stage::Clone, errno));
    let argv: Vec<Vec<u8>> = argv.iter().map(|word| word.clone().into_bytes()).collect();
    let path = env.iter().find(|(name, _)| *name == b"PATH").map(|(_, value)| *value);
    let (output, stdout) = fds::pipe().map_err(failed)?;
    let (complaints, stderr) = fds::pipe().map_err(failed)?;
    for fd in [&output, &complaints] {
        fds::set_nonblocking(fd.as_fd(), true).map_err(failed)?;
    }
    let launch = Launch {
        argv: &argv,
        path: path.unwrap_or_default(),
        env,
        stdout: Some(stdout.as_fd()),
        stderr: Some(stderr.as_fd()),
        new_session: false,
        ..Launch::default()
    };
    let spawned = spawn::spawn(Plan::new(&launch).map_err(RunError::Spawn)?);
    let Spawned { pid, status, memory } = spawned.map_err(RunError::Spawn)?;
    drop((stdout, stderr));
    let mut printed = (Kept::new(output, OUTPUT), Kept::new(complaints, COMPLAINTS));
    let exit = follow(pid, &mut printed, timeout)?;
    let mut said = [0; spawn::STATUS_SIZE];
    let count = fds::read(status.as_fd(), &mut said).unwrap_or(0);
    if let Some(error) = memory.failure(said.get(..count).unwrap_or_default()) {
        return Err(RunError::Spawn(error));
    }
    let (output, complaints) = printed;
    let complaints = String::from_utf8_lossy(&complaints.bytes).into_owned();
    Ok(Printed { exit, output: output.bytes, complaints })
}

/// Reads along until a process has ended. What it leaves behind may hold its pipes for ever.
fn follow(
    pid: Pid,
    (output, complaints): &mut (Kept, Kept),
    timeout: Duration,
) -> Result<Exit, RunError> {
    let process = pidfd::open(pid).ok();
    let began = time::now();
    // It is killed by then, but for one that nobody remembers since finit was executed anew.
    let patience = timeout.saturating_add(Duration::from_secs(1));
    loop {
        let ended = wait::reap(pid);
        output.read();
        complaints.read();
        if let Some(dead) = ended {
            return Ok(dead.exit);
        }
        if output.bytes.len() > output.most {
            // Whoever it has started ends with the pipe.
            let _gone = kill::kill(pid, SignalNumber::KILL);
        }
        if time::now().since(began) > patience {
            let own = Pid::new(i32::try_from(std::process::id()).unwrap_or(0));
            // This process is one of them.
            let _gone = own.map(|own| kill::kill_group(own, SignalNumber::KILL));
            return Err(RunError::TooLate(timeout));
        }
        let pipes = [&output.pipe, &complaints.pipe].map(|pipe| pipe.as_ref().map(AsFd::as_fd));
        let watched = pipes.into_iter().flatten().chain(process.as_ref().map(AsFd::as_fd));
        let mut watched: Vec<PollFd<'_>> =
            watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Without a descriptor for the process, it is asked for now and then.
        let _woken =
            poll(&mut watched, PollTimeout::from(if process.is_some() { 1000u16 } else { 20 }));
    }
}

/// What comes out of a pipe.
struct Kept {
    /// None once everybody has closed it.
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    /// One byte more than this says that there was more.
    most: usize,
}

impl Kept {
    fn new(pipe: OwnedFd, most: usize) -> Self {
        Self { pipe: Some(pipe), bytes: Vec::new(), most }
    }

    /// Takes what is there.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &self.pipe {
            match fds::read(pipe.as_fd(), &mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = self.most.saturating_add(1).saturating_sub(self.bytes.len());
                    let new = buffer.get(..count.min(room)).unwrap_or_default();
                    self.bytes.extend_from_slice(new);
                    // Who floods gets no further than the next look at the clock.
                    if room == 0 {
                        return;
                    }
                }
                Err(Errno(libc::EAGAIN)) => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}
