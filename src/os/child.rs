//! The child between clone and exec.
//!
//! It runs on a stack of its own in PID 1's memory, at the same time as PID 1. So it allocates
//! nothing, takes no lock, touches no thread-local (it has PID 1's thread pointer), calls no
//! libc wrapper, has no path to a panic, and writes only to its stack and to the atomics of
//! its script. What the kernel keeps per memory or per thread is out of its way:
//!
//! * rseq: a clone with CLONE_VM starts unregistered, so the kernel does not write PID 1's
//!   rseq area on its behalf.
//! * robust futex list: empty in every new process.
//! * clear_child_tid: points at `busy` in the script; the kernel clears it when the child
//!   leaves this memory, by exec or death. That is how the parent knows that script and stack
//!   are its own again, whatever the child did.
//! * signals: no action is a handler any more, so no code of PID 1 runs here, and all are
//!   blocked until the last moment before exec, but while a file is opened that may take for
//!   ever. A fault kills the child alone.
//! * credentials: a change of user makes the shared memory undumpable, so no process of that
//!   user can trace PID 1's memory through the child. PID 1 stays so, which does no harm.
//!
//! On failure it writes eight bytes to the status pipe and exits with 127. On success exec
//! closes the pipe.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed, Ordering::Release};

use super::calls;
use super::capability;
use super::lanes;
use super::plan::{NO_CAPABILITY, Script, Text};
use super::signals::bit;
use crate::facts::Stage;

/// The step that failed, and which of several things it was about.
#[derive(Clone, Copy)]
pub(super) struct Failure {
    stage: Stage,
    detail: u8,
    errno: c_int,
}

impl Failure {
    pub(super) fn at(stage: Stage) -> impl Fn(c_int) -> Self + Copy {
        move |errno| Self { stage, detail: 0, errno }
    }

    /// Stage, detail, two zeros, errno: what goes through the status pipe.
    fn bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.errno.to_le_bytes();
        [self.stage as u8, self.detail, 0, 0, a, b, c, d]
    }
}

/// The first thing a child does.
pub(super) extern "C" fn enter(script: *const Script) -> ! {
    // SAFETY: the parent keeps the script, unmoved and unchanged, until the kernel has cleared
    // `busy`; with a copied memory this is the child's own copy.
    let script = unsafe { &*script };
    script.born.store(true, Release);
    let failure = prepare(script).err().unwrap_or_else(|| exec(script));
    let bytes = failure.bytes();
    script.note.store(u64::from_le_bytes(bytes), Release);
    let status = script.status.load(Relaxed);
    if status >= 0 {
        // Nobody is left to hear that even this failed.
        calls::write(status, &bytes).ok();
    }
    calls::exit(127)
}

/// Everything before exec, in the one order that works: the terminal needs the session, and
/// opening files needs the old root and the old limits; groups and the root go while there
/// are privileges; the mask is last, so that nothing interrupts what is before it.
fn prepare(script: &Script) -> Result<(), Failure> {
    reset_actions(script);
    lanes::arrive(script)?;
    enter_cgroup(script)?;
    if script.new_session {
        calls::setsid().map_err(Failure::at(Stage::Session))?;
    }
    standard_descriptors(script)?;
    place_descriptors(script)?;
    input(script)?;
    oom_score(script)?;
    limits(script)?;
    if let Some(nice) = script.nice {
        calls::set_nice(nice).map_err(Failure::at(Stage::Nice))?;
    }
    if let Some(root) = script.root {
        calls::chroot(root).map_err(Failure::at(Stage::Root))?;
        calls::chdir(Text::fixed(c"/")).map_err(Failure::at(Stage::Root))?;
    }
    identity(script)?;
    // umask cannot fail.
    calls::umask(script.umask).ok();
    working_directory(script)?;
    if script.no_new_privileges {
        calls::no_new_privileges().map_err(Failure::at(Stage::NoNewPrivileges))?;
    }
    listen_pid(script);
    close_the_rest(script);
    unblock()
}

/// Lets all signals through. One that has come while this waited for something, and would write a
/// dump, is not: whoever sent it wants an end of this, and that is all he gets.
fn unblock() -> Result<(), Failure> {
    if super::syscall::pending() & DUMPS != 0 {
        return Err(Failure::at(Stage::Exec)(libc::EINTR));
    }
    super::syscall::set_mask(0);
    Ok(())
}

/// All actions to default. clone3 has done so for handlers, which must not run here even for
/// a moment, but ignored signals stay ignored over clone and exec both, and std ignores
/// SIGPIPE in PID 1: those, or all where there is no clone3.
fn reset_actions(script: &Script) {
    let mut left = script.resets.load(Relaxed);
    while left != 0 {
        // KILL and STOP refuse; they have no other action anyway.
        calls::set_action(left.trailing_zeros().cast_signed().wrapping_add(1), libc::SIG_DFL).ok();
        left &= left.wrapping_sub(1);
    }
}

fn enter_cgroup(script: &Script) -> Result<(), Failure> {
    let directory = script.enter_cgroup.load(Relaxed);
    if directory < 0 {
        return Ok(());
    }
    let failed = Failure::at(Stage::Cgroup);
    let file =
        calls::open(directory, Text::fixed(c"cgroup.procs"), libc::O_WRONLY).map_err(failed)?;
    calls::write(file, b"0").map_err(failed)?;
    calls::close(file).map(drop).map_err(failed)
}

/// The terminal or /dev/null as the source of whatever has none.
fn standard_descriptors(script: &Script) -> Result<(), Failure> {
    let standard = || script.sources.iter().take(3).filter(|source| source.load(Relaxed) < 0);
    let null = script.null.load(Relaxed);
    if let Some(path) = script.tty {
        let fd = terminal(path).map_err(Failure::at(Stage::Tty))?;
        standard().for_each(|source| source.store(fd, Relaxed));
    } else if null >= 0 {
        standard().for_each(|source| source.store(null, Relaxed));
    } else if standard().next().is_some() {
        // Before /dev is mounted there is none: then PID 1's own stay in place.
        if let Ok(fd) = calls::open(libc::AT_FDCWD, Text::fixed(c"/dev/null"), libc::O_RDWR) {
            standard().for_each(|source| source.store(fd, Relaxed));
        }
    }
    Ok(())
}

/// Signals that would have PID 1's memory written to a file, as that is where this runs; a bit each.
const DUMPS: u64 = bit(libc::SIGQUIT)
    | bit(libc::SIGILL)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGABRT)
    | bit(libc::SIGBUS)
    | bit(libc::SIGFPE)
    | bit(libc::SIGSEGV)
    | bit(libc::SIGXCPU)
    | bit(libc::SIGXFSZ)
    | bit(libc::SIGSYS);

/// Take a terminal from whoever uses it and open it afresh.
///
/// O_NONBLOCK, because opening a serial line waits for its carrier. The hangup comes before
/// the terminal is ours, so that SIGHUP goes to the session that has it; taking it over alone
/// would leave those programs running and reading. What PID 1 has open of /dev/console is
/// spared by the kernel.
fn terminal(path: Text) -> Result<c_int, c_int> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK;
    let first = calls::open(libc::AT_FDCWD, path, flags)?;
    // Without the privilege to hang up, it is shared with whoever had it.
    calls::hang_up(first).ok();
    calls::close(first)?;
    let fd = calls::open(libc::AT_FDCWD, path, flags)?;
    calls::take_terminal(fd)?;
    calls::fcntl(fd, libc::F_SETFL, libc::O_RDWR)?;
    Ok(fd)
}

/// Every descriptor to its number. Sources below the last target are moved up first, so that
/// no source is overwritten before its turn and none is its own target, which would leave it
/// close-on-exec. A number between them that has no source is free: PID 1 may have something there,
/// which this has a copy of.
fn place_descriptors(script: &Script) -> Result<(), Failure> {
    let failed = Failure::at(Stage::Descriptors);
    let targets = c_int::try_from(script.sources.len()).map_err(|_| failed(libc::E2BIG))?;
    lift(&script.status, targets).map_err(failed)?;
    for source in &script.sources {
        lift(source, targets).map_err(failed)?;
    }
    for (target, source) in (0..targets).zip(&script.sources) {
        let source = source.load(Relaxed);
        if source >= 0 {
            calls::dup3(source, target).map_err(failed)?;
        } else if target > 2 {
            calls::close(target).ok();
        }
    }
    if script.blocking_stdio {
        let flags = calls::fcntl(0, libc::F_GETFL, 0).map_err(failed)?;
        let flags = c_int::try_from(flags).map_err(|_| failed(libc::EBADF))?;
        calls::fcntl(0, libc::F_SETFL, flags & !libc::O_NONBLOCK).map_err(failed)?;
    }
    Ok(())
}

/// Move a descriptor to `lowest` or above, unless it is there or is none.
fn lift(descriptor: &AtomicI32, lowest: c_int) -> Result<(), c_int> {
    let fd = descriptor.load(Relaxed);
    if (0..lowest).contains(&fd) {
        let moved = calls::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest)?;
        descriptor.store(c_int::try_from(moved).map_err(|_| libc::EBADF)?, Relaxed);
    }
    Ok(())
}

/// Open the file to read from. A FIFO that nobody writes to and a file server that is dead take
/// for ever, so whoever stops the service meanwhile is heard, and what is not the service's own is
/// closed before: a copy would keep what PID 1 closes open, the sockets of others among it.
fn input(script: &Script) -> Result<(), Failure> {
    let (Some(path), Some(stdin)) = (script.input, script.sources.first()) else { return Ok(()) };
    let failed = Failure::at(Stage::Descriptors);
    let targets = c_int::try_from(script.sources.len()).map_err(|_| failed(libc::E2BIG))?;
    let status = script.status.load(Relaxed);
    if status != targets {
        calls::dup3(status, targets).map_err(failed)?;
        script.status.store(targets, Relaxed);
    }
    close_from(targets.wrapping_add(1));
    let blocked = super::syscall::set_mask(DUMPS);
    let answer = calls::open(libc::AT_FDCWD, path, libc::O_RDONLY);
    super::syscall::set_mask(blocked);
    stdin.store(answer.map_err(Failure::at(Stage::Stdin))?, Relaxed);
    // Where there was no /dev/null, it may be its own target.
    lift(stdin, targets).map_err(failed)?;
    calls::dup3(stdin.load(Relaxed), 0).map(drop).map_err(failed)
}

fn oom_score(script: &Script) -> Result<(), Failure> {
    let Some(score) = script.oom_score else { return Ok(()) };
    let failed = Failure::at(Stage::OomScore);
    let path = Text::fixed(c"/proc/self/oom_score_adj");
    let file = calls::open(libc::AT_FDCWD, path, libc::O_WRONLY).map_err(failed)?;
    // SAFETY: a `Text` is NUL-terminated and lives as long as the script.
    let score = unsafe { core::ffi::CStr::from_ptr(score.pointer().cast()) };
    calls::write(file, score.to_bytes()).map_err(failed)?;
    calls::close(file).map(drop).map_err(failed)
}

fn limits(script: &Script) -> Result<(), Failure> {
    for (resource, limit) in &script.limits {
        calls::set_limit(*resource, limit).map_err(|errno| {
            let detail = u8::try_from(*resource).unwrap_or(u8::MAX);
            Failure { stage: Stage::Limits, detail, errno }
        })?;
    }
    Ok(())
}

/// Groups first, user last: after it nothing else is permitted but by what it keeps.
fn identity(script: &Script) -> Result<(), Failure> {
    let Some(identity) = &script.identity else { return Ok(()) };
    calls::set_groups(&identity.groups).map_err(Failure::at(Stage::Groups))?;
    calls::set_gid(identity.gid).map_err(Failure::at(Stage::SetGid))?;
    // Root has all of them, whatever is asked for.
    let is_root = identity.uid == 0;
    let keeps = !is_root && !script.capabilities.is_none();
    if keeps {
        capability::outlive_user().map_err(about(NO_CAPABILITY))?;
    }
    calls::set_uid(identity.uid).map_err(Failure::at(Stage::SetUid))?;
    if is_root { Ok(()) } else { capabilities(script.capabilities.0) }
}

/// Exactly these are left. The change of user has taken away what was permitted, but not what
/// PID 1 may have been given to inherit, as some container engines do: a program whose file says
/// so would get that.
fn capabilities(kept: u64) -> Result<(), Failure> {
    if kept != 0 {
        let missing = kept & !capability::permitted().map_err(about(NO_CAPABILITY))?;
        if missing != 0 {
            return Err(about(missing.trailing_zeros() as u8)(libc::EPERM));
        }
    }
    capability::have_only(kept).map_err(about(NO_CAPABILITY))?;
    let mut left = kept;
    while left != 0 {
        let number = left.trailing_zeros();
        capability::raise_ambient(number).map_err(about(number as u8))?;
        left &= left.wrapping_sub(1);
    }
    Ok(())
}

/// A failure about the capability of that number.
fn about(detail: u8) -> impl Fn(c_int) -> Failure {
    move |errno| Failure { stage: Stage::Capabilities, detail, errno }
}

fn working_directory(script: &Script) -> Result<(), Failure> {
    calls::chdir(script.cwd)
        .or_else(
            |errno| {
                if script.cwd_optional { calls::chdir(Text::fixed(c"/")) } else { Err(errno) }
            },
        )
        .map(drop)
        .map_err(Failure::at(Stage::Chdir))
}

/// Write this process's number in decimal after "LISTEN_PID=".
fn listen_pid(script: &Script) {
    let Some(digits) = script.listen_pid.get(11..21) else { return };
    let pid = calls::getpid();
    let length = pid.checked_ilog10().unwrap_or(0).wrapping_add(1) as usize;
    let mut rest = pid;
    // The bytes behind the number stay 0 and end the string.
    for digit in digits.iter().take(length).rev() {
        digit.store(b'0'.wrapping_add((rest % 10) as u8), Relaxed);
        rest /= 10;
    }
}

/// Close everything from this one on.
fn close_from(first: c_int) {
    if calls::close_range(first.cast_unsigned(), 0).is_err() {
        // Kernels before 5.9.
        for fd in first..1024 {
            calls::close(fd).ok();
        }
    }
}

/// Nothing but what was placed survives exec. All of PID 1's descriptors are close-on-exec by
/// rule; this holds even if one is not.
fn close_the_rest(script: &Script) {
    let first = script.sources.len() as u32;
    if calls::close_range(first, libc::CLOSE_RANGE_CLOEXEC).is_err() {
        // Kernels before 5.11.
        for fd in (0..1024).skip(script.sources.len()) {
            calls::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC).ok();
        }
    }
}

/// How often a program that is being written is tried again, and how long after, in nanoseconds.
const BUSY_TRIES: u32 = 3;
const BUSY_PAUSE: i64 = 10_000_000;

/// Try each candidate, as execvp(3) does: a file that may not be executed does not end the
/// search, but is what is reported if there is no other.
fn exec(script: &Script) -> Failure {
    let failed = Failure::at(Stage::Exec);
    let mut answer = libc::ENOENT;
    for program in &script.programs {
        match execute(script, *program) {
            libc::EACCES => answer = libc::EACCES,
            libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ESTALE | libc::ETIMEDOUT => {}
            other => return failed(other),
        }
    }
    failed(answer)
}

/// A program that somebody has open for writing is tried again: whoever writes it is mostly about
/// to be done, or is a process of its own that has yet to execute something and holds a copy of the
/// descriptor.
fn execute(script: &Script, program: Text) -> c_int {
    for _ in 0..BUSY_TRIES {
        match calls::execve(program, &script.argv, &script.envp) {
            libc::ETXTBSY => calls::pause(BUSY_PAUSE),
            other => return other,
        }
    }
    calls::execve(program, &script.argv, &script.envp)
}
