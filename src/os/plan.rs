//! The start of a program, worked out in the parent: every string ended, every array built,
//! every number checked, so that the child only walks through it.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64};

use super::launch::{Identity, Launch};
use crate::facts::capability::{self, Capabilities};
use crate::facts::{Errno, SpawnError, Stage};

/// The most descriptors of a child: the kernel sends at most 253 in a message, unix(7), and
/// the status pipe and the standard three are among them.
const PASSED_MAX: usize = 240;
/// Room for all arguments and variables: what every kernel grants is a quarter of an 8 MiB
/// stack, execve(2).
const TEXT_MAX: usize = 2 << 20;
/// What is usual for one start, in bytes.
const BLOCK: usize = 512;
/// "LISTEN_PID=" with room for ten digits and the NUL.
const LISTEN_PID: [u8; 22] = *b"LISTEN_PID=\0\0\0\0\0\0\0\0\0\0\0";

/// What a failure at `Stage::Capabilities` is about where it is not about one of them.
pub(super) const NO_CAPABILITY: u8 = u8::MAX;

/// A NUL-terminated string that lives in `Script::texts`. Only `Script` makes them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Text(*const u8);

impl Text {
    /// A text that lives for ever.
    pub(super) const fn fixed(text: &'static CStr) -> Self {
        Self(text.as_ptr().cast())
    }

    pub(super) fn pointer(self) -> *const u8 {
        self.0
    }

    /// The same for people.
    fn words(self) -> String {
        // SAFETY: what the script holds, and what lives for ever, ends with a NUL.
        unsafe { CStr::from_ptr(self.0.cast()) }.to_string_lossy().into_owned()
    }
}

/// What the child reads, and the few words it writes: those are atomics, because the parent
/// may look at them at the same time. It does not move or change until the child has gone.
pub(super) struct Script {
    /// Owner of every string below, many in one block; none of the blocks ever grows, so that
    /// they stay where they are.
    texts: Vec<Vec<u8>>,
    bytes: usize,
    /// Null-terminated, as execve takes them.
    pub(super) argv: Vec<*const u8>,
    pub(super) envp: Vec<*const u8>,
    /// The paths to try.
    pub(super) programs: Vec<Text>,
    pub(super) cwd: Text,
    pub(super) cwd_optional: bool,
    pub(super) root: Option<Text>,
    pub(super) tty: Option<Text>,
    pub(super) input: Option<Text>,
    pub(super) oom_score: Option<Text>,
    pub(super) identity: Option<Identity>,
    pub(super) capabilities: Capabilities,
    pub(super) limits: Vec<(u32, libc::rlimit64)>,
    pub(super) umask: u32,
    pub(super) nice: Option<i32>,
    pub(super) no_new_privileges: bool,
    pub(super) new_session: bool,
    pub(super) blocking_stdio: bool,
    /// Where the descriptors 0, 1, 2, 3 … come from; -1 is /dev/null.
    pub(super) sources: Vec<AtomicI32>,
    /// A /dev/null that is open already, or -1.
    pub(super) null: AtomicI32,
    /// The writing end of the status pipe.
    pub(super) status: AtomicI32,
    /// LISTEN_PID=…, which only the child can fill in. Empty when nothing is passed.
    pub(super) listen_pid: Vec<AtomicU8>,
    /// The socket its descriptors come by, or -1 when it has a copy of PID 1's table.
    pub(super) lane: AtomicI32,
    /// The lane is free again.
    pub(super) received: AtomicBool,
    /// Signals whose action is to be reset, a bit each, that of signal 1 the lowest.
    pub(super) resets: AtomicU64,
    /// The cgroup directory to enter by itself, where clone3 does not; -1 otherwise.
    pub(super) enter_cgroup: AtomicI32,
    /// The child has come to its first instruction. Always set where it has a copy of this.
    pub(super) born: AtomicBool,
    /// Nonzero while the child uses this memory; the kernel clears it, set_tid_address(2).
    pub(super) busy: AtomicI32,
    /// A failure, as in the status pipe: for a child that did not get as far as having one.
    pub(super) note: AtomicU64,
}

// SAFETY: the raw pointers lead into heap blocks that the value owns and never changes.
unsafe impl Send for Script {}
// SAFETY: shared use only reads, except for the atomics.
unsafe impl Sync for Script {}

/// A checked start, ready for `spawn`.
pub struct Plan<'a> {
    pub(super) script: Script,
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    pub(super) moves_in: bool,
    /// The descriptors by number in `script` are borrowed as long.
    descriptors: PhantomData<BorrowedFd<'a>>,
}

impl<'a> Plan<'a> {
    /// Check and prepare a start: no NUL anywhere, a program, sane sizes and numbers. Asks the
    /// kernel nothing. The error names the step at which the child would have failed.
    pub fn new(launch: &Launch<'a>) -> Result<Self, SpawnError> {
        let mut script = Script::blank(launch);
        script.add_program(launch)?;
        script.add_environment(launch)?;
        script.add_places(launch)?;
        script.add_limits(launch)?;
        script.add_descriptors(launch)?;
        let Launch { cgroup, moves_in, .. } = *launch;
        Ok(Self { script, cgroup, moves_in, descriptors: PhantomData })
    }
}

/// An error of a plan, before any process was made.
fn refuse(stage: Stage, errno: i32, subject: &[u8]) -> SpawnError {
    let subject = String::from_utf8_lossy(subject).into_owned();
    SpawnError { stage, errno: Errno(errno), subject }
}

impl Script {
    fn blank(launch: &Launch<'_>) -> Self {
        Self {
            texts: Vec::new(),
            bytes: 0,
            argv: Vec::with_capacity(launch.argv.len().saturating_add(1)),
            envp: Vec::with_capacity(launch.env.len().saturating_add(4)),
            programs: Vec::new(),
            cwd: Text::fixed(c"/"),
            cwd_optional: launch.cwd_optional,
            root: None,
            tty: None,
            input: None,
            oom_score: None,
            identity: launch.identity.clone(),
            capabilities: launch.capabilities,
            limits: Vec::new(),
            umask: launch.umask & 0o777,
            nice: launch.nice,
            no_new_privileges: launch.no_new_privileges,
            new_session: launch.new_session || launch.tty.is_some(),
            blocking_stdio: launch.blocking_stdio,
            sources: Vec::with_capacity(launch.passed.len().saturating_add(3)),
            null: AtomicI32::new(-1),
            status: AtomicI32::new(-1),
            listen_pid: Vec::new(),
            lane: AtomicI32::new(-1),
            received: AtomicBool::new(false),
            born: AtomicBool::new(true),
            enter_cgroup: AtomicI32::new(-1),
            resets: AtomicU64::new(u64::MAX),
            busy: AtomicI32::new(0),
            note: AtomicU64::new(0),
        }
    }

    /// Take a copy of a string, which is given in parts. The stage and the first bytes of it go
    /// into the error.
    fn keep(&mut self, stage: Stage, parts: &[&[u8]]) -> Result<Text, SpawnError> {
        let length = parts.iter().fold(1, |sum: usize, part| sum.saturating_add(part.len()));
        self.bytes = self.bytes.saturating_add(length);
        if self.bytes > TEXT_MAX {
            return Err(refuse(stage, libc::E2BIG, b""));
        }
        if parts.iter().any(|part| part.contains(&0)) {
            let bytes = parts.concat();
            return Err(refuse(stage, libc::EINVAL, bytes.get(..40).unwrap_or(&bytes)));
        }
        let room = |block: &Vec<u8>| block.capacity().saturating_sub(block.len());
        if self.texts.last().is_none_or(|block| room(block) < length) {
            self.texts.push(Vec::with_capacity(length.max(BLOCK)));
        }
        let Some(block) = self.texts.last_mut() else {
            return Err(refuse(stage, libc::ENOMEM, b""));
        };
        let text = block.as_ptr().wrapping_add(block.len());
        parts.iter().for_each(|part| block.extend_from_slice(part));
        block.push(0);
        Ok(Text(text))
    }

    fn add_program(&mut self, launch: &Launch<'_>) -> Result<(), SpawnError> {
        let Some(name) = launch.argv.first().filter(|name| !name.is_empty()) else {
            return Err(refuse(Stage::Exec, libc::EINVAL, b"no program"));
        };
        for word in launch.argv {
            let text = self.keep(Stage::Exec, &[word])?;
            self.argv.push(text.pointer());
            if self.programs.is_empty() && name.contains(&b'/') {
                self.programs.push(text);
            }
        }
        self.argv.push(std::ptr::null());
        if !name.contains(&b'/') {
            for directory in launch.path.split(|byte| *byte == b':').filter(|part| !part.is_empty())
            {
                let text = self.keep(Stage::Exec, &[directory, b"/", name])?;
                self.programs.push(text);
            }
        }
        if self.programs.is_empty() {
            return Err(refuse(Stage::Exec, libc::ENOENT, name));
        }
        Ok(())
    }

    fn add_environment(&mut self, launch: &Launch<'_>) -> Result<(), SpawnError> {
        for (name, value) in launch.env {
            if name.is_empty() || name.contains(&b'=') {
                return Err(refuse(Stage::EnvFile, libc::EINVAL, name));
            }
            self.add_variable(name, value)?;
        }
        if !launch.passed.is_empty() {
            self.add_variable(b"LISTEN_FDS", launch.passed.len().to_string().as_bytes())?;
            if !launch.passed_names.is_empty() {
                self.add_variable(b"LISTEN_FDNAMES", launch.passed_names)?;
            }
            self.listen_pid = LISTEN_PID.into_iter().map(AtomicU8::new).collect();
            self.envp.push(self.listen_pid.as_ptr().cast());
        }
        self.envp.push(std::ptr::null());
        Ok(())
    }

    fn add_variable(&mut self, name: &[u8], value: &[u8]) -> Result<(), SpawnError> {
        let text = self.keep(Stage::EnvFile, &[name, b"=", value])?;
        self.envp.push(text.pointer());
        Ok(())
    }

    fn add_places(&mut self, launch: &Launch<'_>) -> Result<(), SpawnError> {
        if !launch.cwd.is_empty() {
            self.cwd = self.keep(Stage::Chdir, &[launch.cwd])?;
        }
        if let Some(root) = launch.root {
            self.root = Some(self.keep(Stage::Root, &[root])?);
        }
        if let Some(tty) = launch.tty {
            self.tty = Some(self.keep(Stage::Tty, &[tty])?);
        }
        if let Some(input) = launch.input {
            self.input = Some(self.keep(Stage::Stdin, &[input])?);
        }
        if let Some(score) = launch.oom_score {
            self.oom_score = Some(self.keep(Stage::OomScore, &[score.to_string().as_bytes()])?);
        }
        // The kernel takes -1 as "leave it": then the child would go on as root.
        match &launch.identity {
            Some(identity) if identity.uid == u32::MAX => {
                Err(refuse(Stage::SetUid, libc::EINVAL, b"4294967295"))
            }
            Some(identity) if identity.gid == u32::MAX => {
                Err(refuse(Stage::SetGid, libc::EINVAL, b"4294967295"))
            }
            _ => Ok(()),
        }
    }

    fn add_limits(&mut self, launch: &Launch<'_>) -> Result<(), SpawnError> {
        for &(resource, soft, hard) in launch.limits {
            if soft > hard {
                let name = limit_name(resource).as_bytes();
                return Err(refuse(Stage::Limits, libc::EINVAL, name));
            }
            self.limits.push((resource, libc::rlimit64 { rlim_cur: soft, rlim_max: hard }));
        }
        Ok(())
    }

    fn add_descriptors(&mut self, launch: &Launch<'_>) -> Result<(), SpawnError> {
        if launch.passed.len() > PASSED_MAX {
            return Err(refuse(Stage::Descriptors, libc::E2BIG, b"LISTEN_FDS"));
        }
        let standard = [launch.stdin, launch.stdout, launch.stderr];
        let passed = launch.passed.iter().copied().map(Some);
        // A terminal takes the place of all three.
        for fd in standard.map(|fd| fd.filter(|_| launch.tty.is_none())).into_iter().chain(passed) {
            self.sources.push(AtomicI32::new(fd.map_or(-1, |fd| fd.as_raw_fd())));
        }
        if let Some((number, fd)) = launch.line {
            let number = usize::from(number);
            if number < self.sources.len() {
                return Err(refuse(Stage::Descriptors, libc::EEXIST, b"the one for its line"));
            }
            self.sources.resize_with(number, || AtomicI32::new(-1));
            self.sources.push(AtomicI32::new(fd.as_raw_fd()));
        }
        Ok(())
    }

    /// Whether the child has, or never waited for, what travels by a lane.
    pub(super) fn has_arrived(&self) -> bool {
        self.lane.load(Relaxed) < 0 || self.received.load(Acquire)
    }

    /// What an error at that stage is about, for people.
    pub(super) fn subject(&self, stage: Stage, detail: u8) -> String {
        let text = match stage {
            Stage::Exec => self.argv.first().filter(|text| !text.is_null()).map(|text| Text(*text)),
            Stage::Chdir => Some(self.cwd),
            Stage::Root => self.root,
            Stage::Tty => self.tty,
            Stage::Stdin => self.input,
            Stage::OomScore => self.oom_score,
            Stage::Limits => return limit_name(u32::from(detail)).to_owned(),
            Stage::SetUid => {
                return self.identity.as_ref().map_or_else(String::new, |id| id.uid.to_string());
            }
            Stage::SetGid => {
                return self.identity.as_ref().map_or_else(String::new, |id| id.gid.to_string());
            }
            Stage::Capabilities => return capability_name(detail),
            Stage::Nice => return self.nice.map_or_else(String::new, |nice| nice.to_string()),
            _ => None,
        };
        text.map_or_else(String::new, Text::words)
    }
}

/// The capability that an error is about, and why; nothing where it is about all of them.
fn capability_name(number: u8) -> String {
    if number == NO_CAPABILITY {
        return String::new();
    }
    format!("{}, which finit may not give it", capability::written(number))
}

/// The name of a limit by its number on both architectures; getrlimit(2).
fn limit_name(resource: u32) -> &'static str {
    const NAMES: [&str; 16] = [
        "cpu",
        "fsize",
        "data",
        "stack",
        "core",
        "rss",
        "nproc",
        "nofile",
        "memlock",
        "as",
        "locks",
        "sigpending",
        "msgqueue",
        "nice",
        "rtprio",
        "rttime",
    ];
    usize::try_from(resource).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("limit")
}
