//! Children that hang, die early, or start under an old kernel or a strict sandbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]
#![allow(unsafe_code, reason = "a test may speak to the kernel")]
#![allow(missing_docs, reason = "the names of tests say it")]
#![allow(dead_code, reason = "the helpers are shared")]

#[path = "helpers/os.rs"]
mod helpers;

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use finit::facts::{Errno, Exit, SignalNumber, Stage};
use finit::os::spawn::{Launch, Plan, Spawned, spawn};
use finit::os::{cgroup, fds, kill};
use helpers::{Folder, Running, alone, exit_of, outcome, own_groups, until, words};

const SLEEP: [&str; 2] = ["/bin/sleep", "100"];

/// A frozen group, thawed and removed in the end.
struct Frozen(cgroup::Tree, cgroup::Group);

impl Frozen {
    fn new() -> Self {
        let tree = own_groups();
        let group = tree.make("a frozen.service/x").unwrap();
        group.freeze(true).unwrap();
        Self(tree, group)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.1.kill().ok();
        until("the group to be empty", || self.0.remove(self.1.name()).ok());
        fs::remove_dir(self.0.path()).ok();
    }
}

/// What the kernel does to who is born in a group that was killed once is for it to decide; who
/// moves in or finds it made anew lives.
#[test]
fn a_killed_group_is_entered_by_a_move_or_made_anew() {
    let _alone = alone();
    let tree = own_groups();
    let (mut group, is_new) = tree.make_anew("killed").unwrap();
    assert!(is_new);
    for moves_in in [true, false] {
        group.kill().unwrap();
        if !moves_in {
            group = tree.make_anew("killed").unwrap().0;
        }
        let cgroup = Some(group.as_fd());
        let launch = Launch { argv: &words(&SLEEP), cgroup, moves_in, ..Launch::default() };
        let child = spawn(Plan::new(&launch).unwrap()).unwrap();
        assert_eq!(outcome(&child.status, &child.memory), None);
        assert!(child.memory.was_born());
        assert_eq!(group.procs(), Ok(vec![child.pid]));
        assert!(!tree.make_anew("killed").unwrap().1, "somebody lives in it");
        kill::kill(child.pid, SignalNumber::TERM).unwrap();
        assert_eq!(exit_of(child.pid), Exit::Signal { number: SignalNumber::TERM, core: false });
        until("the group to be empty", || (!group.populated().unwrap()).then_some(()));
    }
    tree.remove("killed").unwrap();
    fs::remove_dir(tree.path()).unwrap();
}

#[test]
fn children_that_hang_before_exec_hang_alone() {
    let _alone = alone();
    let frozen = Frozen::new();
    let argv = words(&["/bin/sh", "-c", "exit 5"]);
    let launch = |cgroup| Launch { argv: &argv, cgroup, ..Launch::default() };
    // A connection of ours that closes while a child hangs is closed for good: the child does
    // not hold it.
    let (read, write) = fds::nonblocking_pipe().unwrap();
    let mut hung = vec![spawn(Plan::new(&launch(Some(frozen.1.as_fd()))).unwrap()).unwrap()];
    drop(write);
    assert_eq!(fds::read(read.as_fd(), &mut [0]), Ok(0));
    // More than there are lanes: the later ones have copied tables.
    let begin = Instant::now();
    for _ in 1..40 {
        hung.push(spawn(Plan::new(&launch(Some(frozen.1.as_fd()))).unwrap()).unwrap());
    }
    assert!(begin.elapsed().as_secs() < 5);
    assert_eq!(frozen.1.procs().unwrap().len(), 40);
    assert!(frozen.1.populated().unwrap());
    // Others start and end meanwhile.
    for _ in 0..100 {
        let Spawned { pid, status, memory } = spawn(Plan::new(&launch(None)).unwrap()).unwrap();
        assert_eq!(outcome(&status, &memory), None);
        assert_eq!(exit_of(pid), Exit::Code(5));
    }
    for child in &hung {
        assert!(child.memory.in_use());
        assert!(fds::read(child.status.as_fd(), &mut [0; 8]).is_err(), "no end of file yet");
    }
    frozen.1.freeze(false).unwrap();
    for child in &hung {
        assert_eq!(outcome(&child.status, &child.memory), None);
        assert_eq!(exit_of(child.pid), Exit::Code(5));
    }
}

#[test]
fn a_child_killed_before_it_came_for_its_descriptors_leaves_none_behind() {
    let _alone = alone();
    let frozen = Frozen::new();
    let argv = words(&SLEEP);
    for _ in 0..50 {
        let (read, write) = fds::nonblocking_pipe().unwrap();
        let launch = Launch {
            argv: &argv,
            stdout: Some(write.as_fd()),
            cgroup: Some(frozen.1.as_fd()),
            ..Launch::default()
        };
        let spawned = spawn(Plan::new(&launch).unwrap()).unwrap();
        drop(write);
        assert!(fds::read(read.as_fd(), &mut [0]).is_err(), "the child has it");
        kill::kill(spawned.pid, SignalNumber::KILL).unwrap();
        let number = SignalNumber::KILL;
        assert_eq!(exit_of(spawned.pid), Exit::Signal { number, core: false });
        assert_eq!(spawned.memory.failure(&[]), None);
        drop(spawned.memory);
        assert_eq!(fds::read(read.as_fd(), &mut [0]), Ok(0), "nobody has it any more");
        assert_eq!(fds::read(spawned.status.as_fd(), &mut [0; 8]), Ok(0));
    }
}

#[test]
fn a_child_is_born_in_its_group() {
    let _alone = alone();
    let home = Frozen::new();
    home.1.freeze(false).unwrap();
    let argv = words(&SLEEP);
    let cgroup = Some(home.1.as_fd());
    let child = Running::start(&Launch { argv: &argv, cgroup, ..Launch::default() });
    assert!(child.file("cgroup").contains("a%20frozen%2Eservice%2Fx"));
    assert_eq!(home.1.procs().unwrap(), [child.0]);
}

/// Run in a thread whose system call fails with ENOSYS, as on an old kernel or in a sandbox.
fn without(number: libc::c_long, act: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
            let mut filter = [
                step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
                step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number as u32),
                step(
                    libc::BPF_RET | libc::BPF_K,
                    0,
                    0,
                    libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
                ),
                step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
            ];
            let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
            // SAFETY: a number, for this thread only.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            // SAFETY: the program is live and as long as it says.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    0,
                    &raw const program,
                )
            };
            assert_eq!(done, 0);
            act();
        });
    });
}

#[test]
fn without_clone3_the_old_clone_does_the_same() {
    let _alone = alone();
    let home = Frozen::new();
    without(libc::SYS_clone3, || {
        home.1.freeze(false).unwrap();
        let cgroup = Some(home.1.as_fd());
        let file = fds::memfd("one").unwrap();
        let passed = [file.as_fd()];
        let argv = words(&SLEEP);
        let launch = Launch { argv: &argv, cgroup, passed: &passed, ..Launch::default() };
        let child = Running::start(&launch);
        assert_eq!(child.descriptors().len(), 4);
        for key in ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"] {
            assert_eq!(child.status(key), "0000000000000000", "{key}");
        }
        assert!(child.file("cgroup").contains("a%20frozen"));
    });
}

static HEARD: AtomicI32 = AtomicI32::new(-1);

extern "C" fn hear(_: libc::c_int) {
    // SAFETY: write(2) may be called in a handler, with a live byte.
    unsafe { libc::write(HEARD.load(Relaxed), c"x".as_ptr().cast(), 1) };
}

#[test]
fn no_handler_of_ours_runs_in_a_child() {
    let _alone = alone();
    let (read, write) = fds::nonblocking_pipe().unwrap();
    HEARD.store(write.as_raw_fd(), Relaxed);
    let action = nix::sys::signal::SigHandler::Handler(hear);
    // SAFETY: the handler only writes.
    unsafe { nix::sys::signal::signal(nix::sys::signal::SIGUSR1, action) }.unwrap();
    let argv = words(&SLEEP);
    let number = SignalNumber::new(libc::SIGUSR1).unwrap();
    let storm = || {
        for _ in 0..200 {
            let plan = Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap();
            let spawned = spawn(plan).unwrap();
            kill::kill(spawned.pid, number).unwrap();
            assert_eq!(exit_of(spawned.pid), Exit::Signal { number, core: false });
        }
    };
    storm();
    without(libc::SYS_clone3, storm);
    assert_eq!(fds::read(read.as_fd(), &mut [0]), Err(Errno(libc::EAGAIN)));
}

#[test]
fn a_child_that_cannot_leave_our_descriptors_touches_none_and_says_so() {
    let _alone = alone();
    without(libc::SYS_close_range, || {
        let argv = words(&SLEEP);
        let before = fs::read_link("/proc/self/fd/0").unwrap();
        let spawned =
            spawn(Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap()).unwrap();
        assert_eq!(exit_of(spawned.pid), Exit::Code(127));
        let failure = spawned.memory.failure(&[]).unwrap();
        assert_eq!(
            (failure.stage, failure.errno.0),
            (finit::facts::Stage::Descriptors, libc::ENOSYS)
        );
        assert_eq!(fs::read_link("/proc/self/fd/0").unwrap(), before);
        // The copied table needs no close_range: the flags are set one by one.
        let launch = Launch { argv: &argv, oom_score: Some(0), ..Launch::default() };
        assert_eq!(Running::start(&launch).descriptors().len(), 3);
    });
}

/// E14: whoever writes a program is mostly about to be done.
#[test]
fn e14_a_program_that_is_still_written_is_tried_again_and_not_for_ever() {
    let _alone = alone();
    let folder = Folder::new("busy");
    let program = folder.0.join("program");
    fs::copy("/bin/true", &program).unwrap();
    let argv = words(&[program.to_str().unwrap()]);
    let begin = || spawn(Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap()).unwrap();
    let write = || fs::File::options().append(true).open(&program).unwrap();

    let (writer, began) = (write(), Instant::now());
    let Spawned { pid, status, memory } = begin();
    let error = outcome(&status, &memory).expect("it is busy");
    assert_eq!((error.stage, error.errno), (Stage::Exec, Errno(libc::ETXTBSY)));
    assert!(began.elapsed() >= Duration::from_millis(30), "tried once: {:?}", began.elapsed());
    assert_eq!(exit_of(pid), Exit::Code(127));
    drop(writer);

    let mut rounds = 0;
    while rounds < 20 {
        let (writer, began) = (write(), Instant::now());
        let Spawned { pid, status, memory } = begin();
        drop(writer);
        // On a busy machine we may be later than the child tries, which says nothing.
        let in_time = began.elapsed() < Duration::from_millis(15);
        let (error, exit) = (outcome(&status, &memory), exit_of(pid));
        if in_time {
            assert_eq!((error, exit), (None, Exit::SUCCESS));
            rounds += 1;
        }
    }
}
