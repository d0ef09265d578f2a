//! Starting a program: neither blocked by it like vfork, nor with a copy of PID 1's page
//! tables and descriptors like fork.
//!
//! The child shares PID 1's memory (clone3 with CLONE_VM) and runs on a stack of its own until
//! it execs; PID 1 goes on at once and may start the next one, on another processor. A program
//! on a dead file server hangs alone. What happened comes through the status pipe: end of file
//! after exec, or eight bytes that say what failed.
//!
//! Sharing needs Linux 5.16: before, a child killed with a core dump took everyone who shares
//! its memory along. Older kernels, and children with an OOM score (the kernel sets it for all
//! who share), get a copied memory on the same road. Without clone3, clone(2) does.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::{Arc, OnceLock};

use super::plan::Script;
use super::{child, fds, lanes, signals, stack, syscall};
use crate::facts::{Errno, Pid, SpawnError, Stage};

pub use super::launch::{Identity, Launch};
pub use super::plan::Plan;

/// What a failing child writes to its status pipe, in bytes.
pub const STATUS_SIZE: usize = 8;

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const CLONE_VM: u64 = libc::CLONE_VM as u64;
const CLONE_FILES: u64 = libc::CLONE_FILES as u64;
const CLONE_CHILD_CLEARTID: u64 = libc::CLONE_CHILD_CLEARTID as u64;

/// A process on its way to exec.
pub struct Spawned {
    /// Its number.
    pub pid: Pid,
    /// The status pipe, non-blocking: at its end after exec or death; see [`read_status`].
    pub status: OwnedFd,
    /// What it still uses of our memory, and what a failure was about.
    pub memory: ChildMemory,
}

/// The memory that a child uses until it execs or dies. Keep it until the status pipe ends or
/// the child was reaped, to be able to name what failed. It may be dropped earlier: nothing is
/// freed before the kernel says that the child is gone.
pub struct ChildMemory(Arc<Script>);

/// Start it. Returns as soon as the process exists; the errors are those of making it: EAGAIN
/// (too many processes), ENOMEM, EMFILE, ENFILE, and for its cgroup EACCES, EBUSY, ENODEV,
/// EOPNOTSUPP. clone(2)
pub fn spawn(plan: Plan<'_>) -> Result<Spawned, SpawnError> {
    let fail = |errno| SpawnError::at(Stage::Clone, errno);
    let (status, write) = fds::nonblocking_pipe().map_err(fail)?;
    let script = Arc::new(plan.script);
    let (stack, stack_size) = stack::lend(&script).map_err(fail)?;
    let birth = Birth { script: &script, stack, stack_size };

    let shared = script.oom_score.is_none() && memory_may_be_shared();
    // Who moves in needs the descriptor of the group, too, which does not travel by a lane.
    let by_lane = shared && !plan.moves_in && lanes::book(&script, write.as_fd());
    if !by_lane {
        script.status.store(write.as_raw_fd(), Relaxed);
    }
    let cgroup = plan.cgroup.map(|fd| fd.as_raw_fd());
    let born_in = cgroup.filter(|_| !plan.moves_in);
    if plan.moves_in {
        script.enter_cgroup.store(cgroup.unwrap_or(-1), Relaxed);
    }
    let mask = syscall::set_mask(u64::MAX);
    let answer = birth.clone3(shared, by_lane, born_in);
    let answer = match answer {
        // Not there, forbidden by a filter, or with flags it does not know.
        Err(libc::ENOSYS | libc::EPERM | libc::EINVAL | libc::E2BIG) => {
            lanes::settle();
            script.lane.store(-1, Relaxed);
            script.status.store(write.as_raw_fd(), Relaxed);
            birth.clone(cgroup)
        }
        answer => answer,
    };
    syscall::set_mask(mask);

    let pid = answer.and_then(|pid| i32::try_from(pid).ok().and_then(Pid::new).ok_or(libc::ECHILD));
    let memory = ChildMemory(script);
    match pid {
        Ok(pid) => Ok(Spawned { pid, status, memory }),
        Err(errno) => {
            let made = matches!(errno, libc::EAGAIN | libc::ENOMEM) || born_in.is_none();
            let stage = if made { Stage::Clone } else { Stage::Cgroup };
            Err(SpawnError::at(stage, Errno(errno)))
        }
    }
}

/// What the clones need to know.
struct Birth<'a> {
    script: &'a Arc<Script>,
    /// Its lowest address.
    stack: *mut u8,
    stack_size: usize,
}

impl Birth<'_> {
    /// The clone that is usual. CLONE_FS, CLONE_SIGHAND and CLONE_VFORK are left out on
    /// purpose: the child changes its directory, umask and signal actions, and we do not wait.
    fn clone3(&self, shared: bool, by_lane: bool, cgroup: Option<i32>) -> Result<usize, i32> {
        // SAFETY: integers only, for which zeros are values.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = CLONE_CLEAR_SIGHAND;
        self.script.resets.store(ignored(), Relaxed);
        arguments.exit_signal = libc::SIGCHLD as u64;
        arguments.stack = self.stack.addr() as u64;
        arguments.stack_size = self.stack_size as u64;
        if shared {
            arguments.flags |= CLONE_VM | CLONE_CHILD_CLEARTID;
            arguments.child_tid = self.script.busy.as_ptr().addr() as u64;
            self.script.busy.store(1, Relaxed);
            self.script.born.store(false, Relaxed);
        }
        if by_lane {
            arguments.flags |= CLONE_FILES;
        }
        if let Some(cgroup) = cgroup {
            arguments.flags |= CLONE_INTO_CGROUP;
            arguments.cgroup = u64::from(cgroup.unsigned_abs());
        }
        let size = size_of::<libc::clone_args>();
        let registers = [(&raw const arguments).addr(), size, 0, 0, 0];
        self.begin(libc::SYS_clone3, registers)
    }

    /// The clone of old: a copy of everything, and the child enters its group by itself.
    fn clone(&self, cgroup: Option<i32>) -> Result<usize, i32> {
        self.script.resets.store(u64::MAX, Relaxed);
        self.script.born.store(true, Relaxed);
        self.script.enter_cgroup.store(cgroup.unwrap_or(-1), Relaxed);
        let top = self.stack.addr().saturating_add(self.stack_size);
        self.begin(libc::SYS_clone, [libc::SIGCHLD as usize, top, 0, 0, 0])
    }

    fn begin(&self, number: libc::c_long, registers: [usize; 5]) -> Result<usize, i32> {
        let script = Arc::as_ptr(self.script);
        // SAFETY: the stack is lent to this child alone and 16-byte aligned; `stack` keeps it
        // and the script until the kernel clears `busy`; the caller has blocked all signals.
        // With a copied memory the child has copies of both.
        let answer = unsafe { syscall::begin(number, registers, child::enter, script) };
        let answer = syscall::outcome(answer);
        if answer.is_err() {
            self.script.busy.store(0, Relaxed);
        }
        answer
    }
}

impl ChildMemory {
    /// Whether the child has not yet left our memory.
    pub fn in_use(&self) -> bool {
        self.0.busy.load(Acquire) != 0
    }

    /// Whether the child came to its first instruction, as far as is known: it does not if it
    /// was killed at its birth.
    pub fn was_born(&self) -> bool {
        self.0.born.load(Acquire)
    }

    /// What went wrong before exec, from the bytes of the status pipe (none is fine); none if
    /// nothing did.
    pub fn failure(&self, bytes: &[u8]) -> Option<SpawnError> {
        let note = self.0.note.load(Acquire).to_le_bytes();
        let bytes = if bytes.is_empty() { &note } else { bytes };
        let (stage, errno) = read_status(bytes)?;
        let detail = bytes.get(1).copied().unwrap_or(0);
        Some(SpawnError { stage, errno, subject: self.0.subject(stage, detail) })
    }
}

impl Drop for ChildMemory {
    fn drop(&mut self) {
        stack::take_back(&self.0);
    }
}

/// The 8 bytes of a status pipe, if they are a failure. No bytes at the end of the pipe mean
/// that the program was executed, or killed before.
pub fn read_status(bytes: &[u8]) -> Option<(Stage, Errno)> {
    match bytes.first_chunk::<STATUS_SIZE>()? {
        // No errno is 0: that is the note of a child that did not fail.
        [_, _, _, _, 0, 0, 0, 0] => None,
        [stage, _, _, _, errno @ ..] => {
            Some((Stage::from_raw(*stage)?, Errno(i32::from_le_bytes(*errno))))
        }
    }
}

/// Whether this kernel ends only the child when it dumps core: 5.16 and later.
fn memory_may_be_shared() -> bool {
    static ANSWER: AtomicU8 = AtomicU8::new(0);
    match ANSWER.load(Relaxed) {
        0 => {
            let shared = kernel_version() >= (5, 16);
            ANSWER.store(if shared { 1 } else { 2 }, Relaxed);
            shared
        }
        answer => answer == 1,
    }
}

/// Major and minor number, or (0, 0); uname(2).
fn kernel_version() -> (u32, u32) {
    let Ok(name) = nix::sys::utsname::uname() else { return (0, 0) };
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The signals that this process ignores, a bit each. Asked once: PID 1 ignores what it was
/// started with and what std does before `main`, and never another.
fn ignored() -> u64 {
    static KNOWN: OnceLock<u64> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        (1..=64)
            .filter(|signal| is_ignored(*signal))
            .fold(0, |bits, signal| bits | signals::bit(signal))
    })
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: integers and a pointer, for which zeros are values.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in the local struct; the action itself is not changed.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    // What cannot be asked for (glibc keeps two real-time signals to itself) is reset anyway.
    asked != 0 || action.sa_sigaction == libc::SIG_IGN
}
