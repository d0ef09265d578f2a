//! Programs that do not start: each says at which step, why, and about what.

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
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use finit::facts::capability::Capabilities;
use finit::facts::{Errno, Exit, SpawnError, Stage};
use finit::os::spawn::{Identity, Launch, Plan, Spawned, read_status, spawn};
use helpers::{Folder, alone, exit_of, need_root, outcome, words};

const TRUE: [&str; 1] = ["/bin/true"];

/// Start it; it must fail in the child, in the same way with shared and with copied memory.
#[track_caller]
fn fails(launch: &Launch<'_>, stage: Stage, errno: i32, subject: &str) {
    for oom_score in [launch.oom_score, launch.oom_score.or(Some(0))] {
        let launch = Launch { oom_score, ..launch.clone() };
        let Spawned { pid, status, memory } = spawn(Plan::new(&launch).unwrap()).unwrap();
        let expected = SpawnError { stage, errno: Errno(errno), subject: subject.to_owned() };
        assert_eq!(outcome(&status, &memory), Some(expected));
        assert_eq!(exit_of(pid), Exit::Code(127));
        assert!(!memory.in_use());
    }
}

/// The plan itself is refused: no process is made.
#[track_caller]
fn refused(launch: &Launch<'_>, stage: Stage, errno: i32) {
    let error = Plan::new(launch).err().expect("a refusal");
    assert_eq!((error.stage, error.errno), (stage, Errno(errno)));
}

#[test]
fn a_missing_program() {
    let _alone = alone();
    let argv = words(&["/none/at/all"]);
    let launch = Launch { argv: &argv, ..Launch::default() };
    fails(&launch, Stage::Exec, libc::ENOENT, "/none/at/all");
    let argv = words(&["nothing-of-that-name"]);
    let launch = Launch { argv: &argv, path: b"/bin:/usr/bin", ..Launch::default() };
    fails(&launch, Stage::Exec, libc::ENOENT, "nothing-of-that-name");
}

#[test]
fn a_failure_is_told_though_passed_descriptors_fill_the_low_numbers() {
    let _alone = alone();
    let file = fs::File::open("/").unwrap();
    let passed = vec![file.as_fd(); 240];
    let argv = words(&["/none"]);
    let launch = Launch { argv: &argv, passed: &passed, ..Launch::default() };
    fails(&launch, Stage::Exec, libc::ENOENT, "/none");
}

#[test]
fn a_file_that_is_no_program() {
    let _alone = alone();
    let folder = Folder::new("exec");
    let file = folder.0.join("file");
    fs::write(&file, "just text").unwrap();
    let name = file.to_str().unwrap();
    let argv = words(&[name]);
    let launch = Launch { argv: &argv, ..Launch::default() };
    fails(&launch, Stage::Exec, libc::EACCES, name);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    fails(&launch, Stage::Exec, libc::ENOEXEC, name);
    // In a search the forbidden one is remembered although nothing else was found.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let argv = words(&["file"]);
    let path = format!("{}:/none", folder.0.display());
    let launch = Launch { argv: &argv, path: path.as_bytes(), ..Launch::default() };
    fails(&launch, Stage::Exec, libc::EACCES, "file");
    // A FIFO as a program must not make anyone wait.
    let fifo = folder.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o755)).unwrap();
    let argv = words(&[fifo.to_str().unwrap()]);
    let launch = Launch { argv: &argv, ..Launch::default() };
    fails(&launch, Stage::Exec, libc::EACCES, fifo.to_str().unwrap());
}

#[test]
fn a_missing_directory_root_or_terminal() {
    let _alone = alone();
    let argv = words(&TRUE);
    let usual = Launch { argv: &argv, ..Launch::default() };
    let launch = Launch { cwd: b"/none", ..usual.clone() };
    fails(&launch, Stage::Chdir, libc::ENOENT, "/none");
    let launch = Launch { tty: Some(b"/dev/none"), ..usual.clone() };
    fails(&launch, Stage::Tty, libc::ENOENT, "/dev/none");
    let launch = Launch { tty: Some(b"/dev/null"), ..usual.clone() };
    fails(&launch, Stage::Tty, libc::ENOTTY, "/dev/null");
    let launch = Launch { input: Some(b"/none/input"), ..usual.clone() };
    fails(&launch, Stage::Stdin, libc::ENOENT, "/none/input");
    need_root();
    let launch = Launch { root: Some(b"/none"), ..usual.clone() };
    fails(&launch, Stage::Root, libc::ENOENT, "/none");
}

#[test]
fn a_limit_the_kernel_does_not_know() {
    let _alone = alone();
    let argv = words(&TRUE);
    let limits = [(libc::RLIMIT_CORE, 0, 0), (99, 0, 0)];
    let launch = Launch { argv: &argv, limits: &limits, ..Launch::default() };
    fails(&launch, Stage::Limits, libc::EINVAL, "limit");
    let limits = [(libc::RLIMIT_NOFILE, 10, 1 << 40)];
    let launch = Launch { argv: &argv, limits: &limits, ..Launch::default() };
    fails(&launch, Stage::Limits, libc::EPERM, "nofile");
}

#[test]
fn an_oom_score_out_of_range() {
    let _alone = alone();
    let argv = words(&TRUE);
    let launch = Launch { argv: &argv, oom_score: Some(5000), ..Launch::default() };
    fails(&launch, Stage::OomScore, libc::EINVAL, "5000");
}

#[test]
fn groups_that_the_kernel_refuses() {
    let _alone = alone();
    let argv = words(&TRUE);
    let groups = vec![7; 65_537];
    let identity = Some(Identity { uid: 1, gid: 1, groups });
    let launch = Launch { argv: &argv, identity, ..Launch::default() };
    let errno = if nix::unistd::geteuid().is_root() { libc::EINVAL } else { libc::EPERM };
    fails(&launch, Stage::Groups, errno, "");
}

#[test]
fn a_capability_that_nobody_can_give() {
    let _alone = alone();
    need_root();
    let argv = words(&TRUE);
    let capabilities = Capabilities::from_iter([0, 63]);
    let identity = Some(Identity { uid: 1234, gid: 1234, groups: Vec::new() });
    let launch = Launch { argv: &argv, identity, capabilities, ..Launch::default() };
    fails(&launch, Stage::Capabilities, libc::EPERM, "number 63, which finit may not give it");
    // In a thread of its own, which alone may give none afterwards.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            const NO_AMBIENT: libc::c_ulong = 1 << 6;
            // SAFETY: numbers only, and it is this thread's.
            let set = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_AMBIENT, 0, 0, 0) };
            assert_eq!(set, 0);
            let launch = Launch { capabilities: Capabilities::from_iter([3]), ..launch.clone() };
            fails(&launch, Stage::Capabilities, libc::EPERM, "fowner, which finit may not give it");
        });
    });
}

#[test]
fn what_a_user_may_not_do_is_reported_after_the_change_of_user() {
    let _alone = alone();
    need_root();
    let folder = Folder::new("closed");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
    let argv = words(&TRUE);
    let identity = Some(Identity { uid: 1234, gid: 1234, groups: Vec::new() });
    let cwd = folder.0.as_os_str().as_bytes();
    let launch = Launch { argv: &argv, identity, cwd, ..Launch::default() };
    fails(&launch, Stage::Chdir, libc::EACCES, folder.0.to_str().unwrap());
}

#[test]
fn a_group_that_is_none() {
    let _alone = alone();
    let argv = words(&TRUE);
    let directory = fs::File::open("/").unwrap();
    let cgroup = Some(directory.as_fd());
    let plan = Plan::new(&Launch { argv: &argv, cgroup, ..Launch::default() }).unwrap();
    let error = spawn(plan).err().expect("not a cgroup");
    assert_eq!((error.stage, error.errno), (Stage::Cgroup, Errno(libc::EBADF)));
    // The message that was sent ahead is gone, and the next one finds its lane free.
    for _ in 0..100 {
        let plan = Plan::new(&Launch { argv: &argv, cgroup, ..Launch::default() }).unwrap();
        assert!(spawn(plan).is_err());
    }
    let spawned = spawn(Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap()).unwrap();
    assert_eq!(outcome(&spawned.status, &spawned.memory), None);
    assert_eq!(exit_of(spawned.pid), Exit::SUCCESS);
}

#[test]
fn nonsense_is_refused_before_any_process_is_made() {
    let argv = words(&TRUE);
    let usual = Launch { argv: &argv, ..Launch::default() };
    refused(&Launch::default(), Stage::Exec, libc::EINVAL);
    let empty = words(&[""]);
    refused(&Launch { argv: &empty, ..usual.clone() }, Stage::Exec, libc::EINVAL);
    let nul = words(&["/bin/true", "a\0b"]);
    refused(&Launch { argv: &nul, ..usual.clone() }, Stage::Exec, libc::EINVAL);
    let bare = words(&["true"]);
    refused(&Launch { argv: &bare, ..usual.clone() }, Stage::Exec, libc::ENOENT);
    let long = vec![b"/bin/true".to_vec(), vec![b'x'; 3 << 20]];
    refused(&Launch { argv: &long, ..usual.clone() }, Stage::Exec, libc::E2BIG);
    for (name, value) in [("", "x"), ("A=B", "x"), ("A", "\0"), ("A\0", "")] {
        let env = [(name.as_bytes(), value.as_bytes())];
        refused(&Launch { env: &env, ..usual.clone() }, Stage::EnvFile, libc::EINVAL);
    }
    let long = vec![b'x'; 3 << 20];
    let env = [(&b"A"[..], &long[..])];
    refused(&Launch { env: &env, ..usual.clone() }, Stage::EnvFile, libc::E2BIG);
    refused(&Launch { cwd: b"/\0", ..usual.clone() }, Stage::Chdir, libc::EINVAL);
    refused(&Launch { tty: Some(b"\0"), ..usual.clone() }, Stage::Tty, libc::EINVAL);
    refused(&Launch { input: Some(b"\0"), ..usual.clone() }, Stage::Stdin, libc::EINVAL);
    let limits = [(libc::RLIMIT_CORE, 2, 1)];
    refused(&Launch { limits: &limits, ..usual.clone() }, Stage::Limits, libc::EINVAL);
    for (uid, gid, stage) in [(u32::MAX, 1, Stage::SetUid), (1, u32::MAX, Stage::SetGid)] {
        let identity = Some(Identity { uid, gid, groups: Vec::new() });
        refused(&Launch { identity, ..usual.clone() }, stage, libc::EINVAL);
    }
}

#[test]
fn status_bytes_are_read_strictly() {
    assert_eq!(read_status(&[]), None);
    let exec = Stage::Exec as u8;
    assert_eq!(read_status(&[exec, 0, 0, 0, 2, 0, 0]), None);
    assert_eq!(read_status(&[exec, 0, 0, 0, 2, 0, 0, 0]), Some((Stage::Exec, Errno(2))));
    assert_eq!(read_status(&[200, 0, 0, 0, 2, 0, 0, 0]), None);
    assert_eq!(read_status(&[0; 8]), None);
}

#[test]
fn our_own_directory_is_where_it_was() {
    let _alone = alone();
    let before = std::env::current_dir().unwrap();
    let argv = words(&TRUE);
    let launch = Launch { argv: &argv, cwd: b"/proc", ..Launch::default() };
    let spawned = spawn(Plan::new(&launch).unwrap()).unwrap();
    assert_eq!(outcome(&spawned.status, &spawned.memory), None);
    assert_eq!(exit_of(spawned.pid), Exit::SUCCESS);
    assert_eq!(std::env::current_dir().unwrap(), before);
    assert!(Path::new("/").exists());
}
