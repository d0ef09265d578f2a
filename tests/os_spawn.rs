//! What a program finds when it starts: real processes, looked at through /proc.

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

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Instant;

use finit::facts::capability::Capabilities;
use finit::facts::{Errno, Exit, Pid, SignalNumber, Stage};
use finit::os::spawn::{Identity, Launch, Plan, Spawned, spawn};
use finit::os::{fds, kill, wait};
use helpers::{
    Folder, Running, alone, exit_of, need_root, outcome, own_descriptors, until, until_it_opens,
    words,
};

const SLEEP: [&str; 2] = ["/bin/sleep", "100"];

/// Both ways: with a lane, and with a copy of everything.
const WAYS: [Option<i32>; 2] = [None, Some(0)];

#[test]
fn a_plain_program_has_three_descriptors_and_nothing_else_of_ours() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let env: [(&[u8], &[u8]); 2] = [(b"A", b"1=2"), (b"EMPTY", b"")];
    for oom_score in WAYS {
        let launch = Launch { argv: &argv, env: &env, oom_score, ..Launch::default() };
        let child = Running::start(&launch);
        let null = "/dev/null".to_owned();
        let expected = (0..3).map(|fd| (fd, null.clone())).collect::<BTreeMap<_, _>>();
        assert_eq!(child.descriptors(), expected);
        assert_eq!(child.file("environ"), "A=1=2\0EMPTY=\0");
        assert_eq!(child.file("cmdline"), "/bin/sleep\x00100\0");
        assert_eq!(child.link("cwd"), "/");
        assert_eq!(child.status("Umask"), "0022");
        for key in ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"] {
            assert_eq!(child.status(key), "0000000000000000", "{key}");
        }
        // A session of its own: pid, group and session are one number.
        let stat = child.file("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        assert_eq!(fields[2..4], [child.0.to_string(), child.0.to_string()]);
        assert_eq!(fields[4], "0", "no controlling terminal");
    }
}

#[test]
fn descriptors_land_on_their_numbers_whatever_theirs_were() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let files: Vec<OwnedFd> = (0..6).map(|n| fds::memfd(&format!("file{n}")).unwrap()).collect();
    let borrowed: Vec<BorrowedFd<'_>> = files.iter().rev().map(AsFd::as_fd).collect();
    for oom_score in WAYS {
        let launch = Launch {
            argv: &argv,
            stdin: Some(files[2].as_fd()),
            stderr: Some(files[2].as_fd()),
            passed: &borrowed,
            passed_names: b"a:b:c",
            oom_score,
            ..Launch::default()
        };
        let child = Running::start(&launch);
        let name = |n: i32| format!("/memfd:file{n} (deleted)");
        let mut expected =
            BTreeMap::from([(0, name(2)), (1, "/dev/null".to_owned()), (2, name(2))]);
        expected.extend((0..6).map(|n| (3 + n, name(5 - n))));
        assert_eq!(child.descriptors(), expected);
        for fd in expected.keys() {
            assert_eq!(child.flags(*fd) & libc::O_CLOEXEC, 0);
        }
        let environ = child.file("environ");
        let mut variables: Vec<&str> = environ.split_terminator('\0').collect();
        variables.sort_unstable();
        let pid = format!("LISTEN_PID={}", child.0);
        assert_eq!(variables, ["LISTEN_FDNAMES=a:b:c", "LISTEN_FDS=6", &pid]);
    }
}

#[test]
fn many_descriptors_can_be_passed_and_too_many_are_refused() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let file = fds::memfd("one").unwrap();
    let many = vec![file.as_fd(); 240];
    let child = Running::start(&Launch { argv: &argv, passed: &many, ..Launch::default() });
    assert_eq!(child.descriptors().len(), 243);
    let many = vec![file.as_fd(); 241];
    assert!(Plan::new(&Launch { argv: &argv, passed: &many, ..Launch::default() }).is_err());
}

#[test]
fn an_accepted_connection_becomes_blocking() {
    let _alone = alone();
    let argv = words(&SLEEP);
    for blocking_stdio in [true, false] {
        let (ours, theirs) = finit::os::socket::pair().unwrap();
        let fd = Some(theirs.as_fd());
        let launch = Launch { argv: &argv, stdin: fd, blocking_stdio, ..Launch::default() };
        let child = Running::start(&launch);
        assert_eq!(child.flags(0) & libc::O_NONBLOCK == 0, blocking_stdio);
        drop(ours);
    }
}

/// It is opened in our root and by us, whoever and wherever the program is.
#[test]
fn a_file_to_read_from_is_opened_by_root_and_before_the_new_one() {
    let _alone = alone();
    need_root();
    let argv = words(&SLEEP);
    let folder = Folder::new("input");
    let file = folder.0.join("file");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let identity = Identity { uid: 1234, gid: 2345, groups: Vec::new() };
    for oom_score in WAYS {
        let child = Running::start(&Launch {
            argv: &argv,
            input: Some(file.as_os_str().as_bytes()),
            root: Some(b"/proc/self/root"),
            identity: Some(identity.clone()),
            oom_score,
            ..Launch::default()
        });
        let null = "/dev/null".to_owned();
        let file = file.to_str().unwrap().to_owned();
        assert_eq!(child.descriptors(), BTreeMap::from([(0, file), (1, null.clone()), (2, null)]));
        assert_eq!(child.flags(0) & (libc::O_ACCMODE | libc::O_NONBLOCK), libc::O_RDONLY);
        assert_eq!(child.status("SigBlk"), "0000000000000000");
    }
}

/// Opening it may take for ever: that is the child's matter alone, and signals end it.
#[test]
fn who_waits_for_a_file_to_read_from_can_be_ended() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let folder = Folder::new("fifo");
    let fifo = folder.fifo();
    let (own, _other) = (fds::memfd("own").unwrap(), fds::memfd("other").unwrap());
    for oom_score in WAYS {
        let input = Some(fifo.as_os_str().as_bytes());
        let passed = &[own.as_fd()];
        let launch = Launch { argv: &argv, input, passed, oom_score, ..Launch::default() };
        let Spawned { pid, memory, .. } = spawn(Plan::new(&launch).unwrap()).unwrap();
        let child = Running(pid);
        until_it_opens(pid);
        // Meanwhile it keeps nothing of ours open but where it is to say what fails.
        let null = || "/dev/null".to_owned();
        let pipe = child.link("fd/4");
        assert!(pipe.starts_with("pipe:"), "{pipe}");
        let own = "/memfd:own (deleted)".to_owned();
        let expected = [(0, null()), (1, null()), (2, null()), (3, own), (4, pipe)];
        assert_eq!(child.descriptors(), expected.into());
        let _ended_below = std::mem::ManuallyDrop::new(child);
        // What would dump the memory that it runs in waits.
        kill::kill(pid, SignalNumber::ABRT).unwrap();
        kill::kill(pid, SignalNumber::TERM).unwrap();
        assert_eq!(exit_of(pid), Exit::Signal { number: SignalNumber::TERM, core: false });
        assert!(!memory.in_use());
    }
}

/// It is still in our memory when all signals are let through.
#[test]
fn a_signal_that_would_dump_our_memory_ends_a_start_without_a_dump() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let folder = Folder::new("dumps");
    let fifo = folder.fifo();
    for (oom_score, signal) in WAYS.into_iter().zip([libc::SIGQUIT, libc::SIGSYS]) {
        let input = Some(fifo.as_os_str().as_bytes());
        let launch = Launch { argv: &argv, input, oom_score, ..Launch::default() };
        let Spawned { pid, status, memory } = spawn(Plan::new(&launch).unwrap()).unwrap();
        until_it_opens(pid);
        kill::kill(pid, SignalNumber::new(signal).unwrap()).unwrap();
        drop(fs::File::options().write(true).open(&fifo).unwrap());
        let failed = outcome(&status, &memory).expect("it ends before exec");
        assert_eq!((failed.stage, failed.errno), (Stage::Exec, Errno(libc::EINTR)));
        assert_eq!(exit_of(pid), Exit::Code(127));
    }
}

#[test]
fn limits_ids_mask_and_scores_are_as_asked() {
    let _alone = alone();
    need_root();
    let argv = words(&SLEEP);
    let folder = Folder::new("root");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let identity = Identity { uid: 1234, gid: 2345, groups: vec![3456, 4567] };
    for oom_score in [None, Some(500)] {
        let child = Running::start(&Launch {
            argv: &argv,
            identity: Some(identity.clone()),
            umask: 0o077,
            limits: &[(libc::RLIMIT_NOFILE, 10, 20), (libc::RLIMIT_CORE, 0, u64::MAX)],
            nice: Some(7),
            oom_score,
            no_new_privileges: true,
            cwd: folder.0.as_os_str().as_bytes(),
            ..Launch::default()
        });
        assert_eq!(child.status("Uid"), "1234\t1234\t1234\t1234");
        assert_eq!(child.status("Gid"), "2345\t2345\t2345\t2345");
        assert_eq!(child.status("Groups"), "3456 4567");
        assert_eq!(child.status("Umask"), "0077");
        assert_eq!(child.status("NoNewPrivs"), "1");
        assert_eq!(child.status("CapEff"), "0000000000000000");
        assert_eq!(child.link("cwd"), folder.0.to_str().unwrap());
        assert_eq!(child.file("oom_score_adj").trim(), oom_score.unwrap_or(0).to_string());
        let limits = child.file("limits");
        let row = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(row.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["10", "20"]);
        let stat = child.file("stat");
        assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(16), Some("7"));
    }
    // None of it came back to us.
    assert_eq!(fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim(), "0");
    assert_eq!(nix::unistd::getuid().as_raw(), 0);
}

/// Inheritable, permitted, effective and ambient.
fn capabilities(child: &Running) -> [u64; 4] {
    ["CapInh", "CapPrm", "CapEff", "CapAmb"]
        .map(|key| u64::from_str_radix(&child.status(key), 16).unwrap())
}

#[test]
fn who_is_not_root_has_the_capabilities_that_it_keeps_and_no_other() {
    let _alone = alone();
    need_root();
    let argv = words(&SLEEP);
    let ours = Running::start(&Launch { argv: &argv, ..Launch::default() });
    let [_, ours, ..] = capabilities(&ours);
    let kept = Capabilities::from_iter([10, 21]);
    let start = |uid: u32, capabilities: Capabilities, oom_score, no_new_privileges| {
        let identity = Some(Identity { uid, gid: 7, groups: vec![7] });
        let root = Some(b"/proc/self/root".as_slice());
        let usual = Launch { argv: &argv, oom_score, no_new_privileges, root, ..Launch::default() };
        Running::start(&Launch { identity, capabilities, ..usual })
    };
    for oom_score in WAYS {
        for no_new in [true, false] {
            let start = |uid, kept| capabilities(&start(uid, kept, oom_score, no_new));
            assert_eq!(start(1234, kept), [kept.0; 4]);
            assert_eq!(start(1234, Capabilities::NONE), [0; 4]);
            assert_eq!(start(0, kept), [0, ours, ours, 0]);
        }
    }
}

/// Some container engines give their first process capabilities to inherit.
#[test]
fn what_could_be_inherited_is_not() {
    let _alone = alone();
    need_root();
    let argv = words(&SLEEP);
    let identity = Some(Identity { uid: 1234, gid: 1234, groups: Vec::new() });
    // Another thread: its capabilities are its own, and go with it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let header = [0x2008_0522u32, 0];
            let mut sets = [[0u32; 3]; 2];
            // SAFETY: both are live and of the shape that this version of the call has.
            let asked = unsafe { libc::syscall(libc::SYS_capget, &header, &mut sets) };
            assert_eq!(asked, 0);
            sets.iter_mut().for_each(|half| half[2] = half[1]);
            // SAFETY: the same.
            let set = unsafe { libc::syscall(libc::SYS_capset, &header, &sets) };
            assert_eq!(set, 0);
            let launch = Launch { argv: &argv, ..Launch::default() };
            assert_ne!(
                capabilities(&Running::start(&launch))[0],
                0,
                "a child has it of its parent"
            );
            let child = Running::start(&Launch { identity: identity.clone(), ..launch.clone() });
            assert_eq!(capabilities(&child), [0; 4]);
            finit::os::capability::inherit_nothing().unwrap();
            let [inheritable, permitted, ..] = capabilities(&Running::start(&launch));
            assert_eq!((inheritable, permitted != 0), (0, true));
        });
    });
}

#[test]
fn passed_descriptors_fit_under_a_limit_that_is_just_enough() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let file = fds::memfd("one").unwrap();
    let passed = [file.as_fd(), file.as_fd()];
    let limits = [(libc::RLIMIT_NOFILE, 5, 5)];
    let launch = Launch { argv: &argv, passed: &passed, limits: &limits, ..Launch::default() };
    // The loader needs one more for its libraries; what matters is that exec was reached.
    let Spawned { pid, status, memory } = spawn(Plan::new(&launch).unwrap()).unwrap();
    assert_eq!(outcome(&status, &memory), None);
    kill::kill(pid, SignalNumber::KILL).unwrap();
    exit_of(pid);
}

#[test]
fn a_missing_directory_is_replaced_by_the_root_when_optional() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let launch = Launch { argv: &argv, cwd: b"/none", cwd_optional: true, ..Launch::default() };
    assert_eq!(Running::start(&launch).link("cwd"), "/");
}

#[test]
fn a_bare_name_is_searched_and_a_forbidden_file_does_not_end_the_search() {
    let _alone = alone();
    let folder = Folder::new("path");
    fs::write(folder.0.join("sleep"), "not executable").unwrap();
    let path = format!("/none::{}:/usr/bin:/bin", folder.0.display());
    let argv = words(&["sleep", "100"]);
    let child = Running::start(&Launch { argv: &argv, path: path.as_bytes(), ..Launch::default() });
    assert!(child.link("exe").ends_with("/bin/sleep") || child.link("exe").contains("coreutils"));
}

#[test]
fn a_new_root_holds_for_program_and_directory() {
    let _alone = alone();
    need_root();
    let argv = words(&["/bin/sh", "-c", "exit 3"]);
    let launch = Launch { argv: &argv, root: Some(b"/proc/self/root"), ..Launch::default() };
    let Spawned { pid, status, memory } = spawn(Plan::new(&launch).unwrap()).unwrap();
    assert_eq!(outcome(&status, &memory), None);
    assert_eq!(exit_of(pid), Exit::Code(3));
}

/// A pseudo-terminal: our end, and the path of the other.
fn terminal() -> (nix::pty::PtyMaster, String) {
    let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY;
    let ours = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&ours).unwrap();
    nix::pty::unlockpt(&ours).unwrap();
    let path = nix::pty::ptsname_r(&ours).unwrap();
    (ours, path)
}

#[test]
fn a_terminal_becomes_its_own_and_is_taken_from_the_last_user() {
    let _alone = alone();
    need_root();
    let argv = words(&SLEEP);
    let (_ours, path) = terminal();
    let launch = Launch { argv: &argv, tty: Some(path.as_bytes()), ..Launch::default() };
    let start = || {
        let child = Running::start(&launch);
        let expected = (0..3).map(|fd| (fd, path.clone())).collect::<BTreeMap<_, _>>();
        assert_eq!(child.descriptors(), expected);
        assert_eq!(child.flags(0) & libc::O_NONBLOCK, 0);
        let stat = child.file("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let number = fs::metadata(&path).unwrap().rdev().to_string();
        assert_eq!(fields[4], number, "its controlling terminal");
        for key in ["SigBlk", "SigIgn", "SigPnd", "ShdPnd"] {
            assert_eq!(child.status(key), "0000000000000000", "{key}");
        }
        child
    };
    // Not killed by us: the second one is to end it.
    let first = std::mem::ManuallyDrop::new(start());
    let pid = first.0;
    // The hangup ends the first: sleep does not handle SIGHUP.
    let _second = start();
    let number = SignalNumber::HUP;
    assert_eq!(exit_of(pid), Exit::Signal { number, core: false });
}

#[test]
fn two_thousand_at_once_and_every_exit_is_exact() {
    let _alone = alone();
    let expected = |n: usize| match n % 10 {
        0 => Exit::Signal {
            number: SignalNumber::new(34 + (n / 10 % 31) as i32).unwrap(),
            core: false,
        },
        1 => Exit::Signal { number: SignalNumber::TERM, core: false },
        _ => Exit::Code((n % 256) as u8),
    };
    let mut children: BTreeMap<Pid, usize> = BTreeMap::new();
    let mut open = Vec::new();
    let mut ended: BTreeMap<usize, Exit> = BTreeMap::new();
    let before = own_descriptors();
    for n in 0..2000 {
        let script = match expected(n) {
            Exit::Code(code) => format!("exit {code}"),
            Exit::Signal { number, .. } => format!("kill -{} $$", number.raw()),
        };
        let argv = words(&["/bin/sh", "-c", &script]);
        let launch = Launch { argv: &argv, ..Launch::default() };
        let Spawned { pid, status, memory } = spawn(Plan::new(&launch).unwrap()).unwrap();
        children.insert(pid, n);
        if n % 3 == 0 {
            // Dropped while the child runs in our memory.
            drop((status, memory));
        } else {
            open.push((status, memory));
        }
        if n % 64 == 0 {
            open.retain(|(status, _)| fds::read(status.as_fd(), &mut [0; 8]).is_err());
            while let Some(dead) = wait::peek() {
                let n = children.remove(&dead.pid).unwrap();
                assert_eq!(wait::reap(dead.pid), Some(dead));
                ended.insert(n, dead.exit);
            }
        }
    }
    while !children.is_empty() {
        let dead = until("a child", wait::next);
        ended.insert(children.remove(&dead.pid).unwrap(), dead.exit);
    }
    for (status, memory) in &open {
        assert_eq!(outcome(status, memory), None);
        assert!(!memory.in_use());
    }
    drop(open);
    assert_eq!(ended.len(), 2000);
    for (n, exit) in ended {
        assert_eq!(exit, expected(n), "child {n}");
    }
    assert_eq!(wait::next(), None);
    // The lanes are made once and stay.
    assert!(own_descriptors() <= before + 64, "descriptors stayed open");
}

#[test]
fn errno_of_the_parent_is_not_touched() {
    let _alone = alone();
    let argv = words(&["nowhere"]);
    let path = b"/a:/b:/c:/d:/e:/f".as_slice();
    for _ in 0..200 {
        let plan = Plan::new(&Launch { argv: &argv, path, ..Launch::default() }).unwrap();
        let spawned = spawn(plan).unwrap();
        nix::errno::Errno::set_raw(77);
        let end = Instant::now() + std::time::Duration::from_secs(20);
        while spawned.memory.in_use() {
            std::hint::spin_loop();
            assert!(Instant::now() < end);
        }
        assert_eq!(nix::errno::Errno::last_raw(), 77);
        assert_eq!(exit_of(spawned.pid), Exit::Code(127));
    }
}

#[test]
fn a_descriptor_of_ours_that_is_not_close_on_exec_is_not_inherited() {
    let _alone = alone();
    let argv = words(&SLEEP);
    let file = fds::memfd("leak").unwrap();
    fds::set_cloexec(file.as_fd(), false).unwrap();
    // The lowest numbers too, which a lane's child takes over before it closes them.
    let low = nix::unistd::dup(&file).unwrap();
    for oom_score in WAYS {
        let child = Running::start(&Launch { argv: &argv, oom_score, ..Launch::default() });
        assert_eq!(child.descriptors().len(), 3);
    }
    drop(low);
}
