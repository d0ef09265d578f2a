//! The rest of what is asked of the kernel: groups, sockets, files, accounts, /proc.

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
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use finit::facts::{Errno, Exit, Pid, SignalNumber};
use finit::os::spawn::{Launch, Plan, spawn};
use finit::os::users::Accounts;
use finit::os::{cgroup, fds, host, kill, kmsg, mount, pidfd, proc, time, wait};
use helpers::{Folder, Running, alone, exit_of, need_root, own_groups, until, words};

#[test]
fn waiting_sees_a_child_before_it_is_reaped() {
    let _alone = alone();
    let argv = words(&["/bin/sh", "-c", "exit 200"]);
    let spawned = spawn(Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap()).unwrap();
    let dead = until("an exit", wait::peek);
    assert_eq!((dead.pid, dead.exit), (spawned.pid, Exit::Code(200)));
    assert_eq!(wait::peek(), Some(dead), "still there");
    assert!(kill::exists(dead.pid));
    assert_eq!(wait::reap(dead.pid), Some(dead));
    assert_eq!(wait::reap(dead.pid), None);
    assert!(!kill::exists(dead.pid));
    assert_eq!(kill::kill(dead.pid, SignalNumber::TERM), Ok(false));
    assert_eq!(wait::next(), None);
}

#[test]
fn a_descriptor_names_one_process_and_says_when_it_has_ended_and_whose_it_is() {
    let _alone = alone();
    let launch = Launch { argv: &words(&["/bin/sleep", "100"]), ..Launch::default() };
    let pid = spawn(Plan::new(&launch).unwrap()).unwrap().pid;
    let process = pidfd::open(pid).unwrap();
    let process = process.as_fd();
    assert!(!pidfd::has_ended(process) && !pidfd::is_ours_to_reap(process));
    assert!(pidfd::is_there(process));
    assert_eq!(pidfd::signal(process, SignalNumber::TERM), Ok(true));
    until("its end", || pidfd::has_ended(process).then_some(()));
    assert!(pidfd::is_ours_to_reap(process) && pidfd::is_there(process));
    exit_of(pid);
    assert!(pidfd::has_ended(process));
    assert!(!pidfd::is_ours_to_reap(process) && !pidfd::is_there(process));
    assert_eq!(pidfd::signal(process, SignalNumber::TERM), Ok(false));
    assert_eq!(pidfd::open(pid).err(), Some(Errno(libc::ESRCH)));

    // The child of a child: nobody reaps it, and it is not ours.
    let script = [
        "/usr/bin/python3",
        "-c",
        "import os; p = os.fork() or os._exit(3); print(p, flush=True); input()",
    ];
    let (read, write) = fds::pipe().unwrap();
    let launch = Launch { argv: &words(&script), stdout: Some(write.as_fd()), ..Launch::default() };
    let parent = spawn(Plan::new(&launch).unwrap()).unwrap().pid;
    let mut bytes = [0; 16];
    let count = fds::read(read.as_fd(), &mut bytes).unwrap();
    let text = std::str::from_utf8(&bytes[..count]).unwrap();
    let process = pidfd::open(Pid::new(text.trim().parse().unwrap()).unwrap()).unwrap();
    until("its end", || pidfd::has_ended(process.as_fd()).then_some(()));
    assert!(!pidfd::is_ours_to_reap(process.as_fd()));
    exit_of(parent);
}

/// A child that waits for a signal, and has this number; clone3(2) with `set_tid`.
fn born_as(number: Pid) -> Pid {
    let wanted = number.raw();
    // SAFETY: a structure of numbers, for which zeros are "not asked for".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.set_tid = &raw const wanted as u64;
    arguments.set_tid_size = 1;
    // SAFETY: without sharing anything, as fork(2): the child does nothing but wait.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    if pid == 0 {
        // A test that fails leaves nobody behind.
        // SAFETY: numbers only.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    assert!(pid > 0, "clone3: {}", std::io::Error::last_os_error());
    Pid::new(pid as i32).unwrap()
}

#[test]
fn b7_a_descriptor_never_means_who_has_the_number_later() {
    need_root();
    let _alone = alone();
    let launch = Launch { argv: &words(&["/bin/sleep", "100"]), ..Launch::default() };
    let pid = spawn(Plan::new(&launch).unwrap()).unwrap().pid;
    let process = pidfd::open(pid).unwrap();
    assert_eq!(pidfd::signal(process.as_fd(), SignalNumber::TERM), Ok(true));
    exit_of(pid);

    assert_eq!(born_as(pid), pid);
    assert_eq!(pidfd::signal(process.as_fd(), SignalNumber::TERM), Ok(false));
    let process = process.as_fd();
    assert!(
        !pidfd::is_there(process) && pidfd::has_ended(process) && !pidfd::is_ours_to_reap(process)
    );
    let other = pidfd::open(pid).unwrap();
    assert!(pidfd::is_there(other.as_fd()) && !pidfd::has_ended(other.as_fd()));
    assert_eq!(kill::kill(pid, SignalNumber::KILL), Ok(true));
    assert_eq!(exit_of(pid), Exit::Signal { number: SignalNumber::KILL, core: false });
}

#[test]
fn a_whole_group_is_signalled_and_never_everyone() {
    let _alone = alone();
    let argv = words(&["/bin/sh", "-c", "sleep 100 & sleep 100 & wait"]);
    let spawned = spawn(Plan::new(&Launch { argv: &argv, ..Launch::default() }).unwrap()).unwrap();
    let members = || {
        let mut all = proc::processes();
        all.retain(|process| process.session == spawned.pid.raw());
        all.len()
    };
    until("both sleeps", || (members() == 3).then_some(()));
    assert_eq!(kill::kill_group(spawned.pid, SignalNumber::TERM), Ok(true));
    let number = SignalNumber::TERM;
    assert_eq!(exit_of(spawned.pid), Exit::Signal { number, core: false });
    until("all to be gone", || (members() == 0).then_some(()));
    assert_eq!(kill::kill_group(spawned.pid, SignalNumber::TERM), Ok(false));
    assert_eq!(kill::kill_everything(SignalNumber::CONT), Err(Errno(libc::EPERM)));
}

/// As PID 1 without any descriptor and any /dev; and as another process, which std aborts.
#[test]
fn pid_1_survives_a_start_without_standard_descriptors() {
    let _alone = alone();
    need_root();
    let folder = Folder::new("early");
    fs::copy(std::env::current_exe().unwrap(), folder.0.join("program")).unwrap();
    let run = |before: &str| {
        let after = format!("chroot {} /program --list", folder.0.display());
        let script = format!("{before} sh -c 'exec {after} 0<&- 1>&- 2>&-'; exit $?");
        let argv = words(&["/bin/sh", "-c", &script]);
        let env = [(&b"PATH"[..], &b"/usr/sbin:/usr/bin:/sbin:/bin"[..])];
        let limits = [(libc::RLIMIT_CORE, 0, 0)];
        let launch = Launch { argv: &argv, env: &env, limits: &limits, ..Launch::default() };
        exit_of(spawn(Plan::new(&launch).unwrap()).unwrap().pid)
    };
    assert_eq!(run("unshare --pid --fork"), Exit::SUCCESS);
    assert_eq!(run(""), Exit::Code(134), "this is what would happen without help");
}

#[test]
fn groups_are_made_watched_killed_and_removed() {
    let _alone = alone();
    let tree = own_groups();
    let odd = ["memory.max", "cgroup.procs", "..", ".", "a/b", "ünï", "x y%", "plain-1@tty_2"];
    for name in odd {
        let group = tree.make(name).unwrap();
        assert!(!group.populated().unwrap());
        assert!(tree.make(name).is_ok(), "making it again opens it");
    }
    let is_folder = |entry: &fs::DirEntry| entry.file_type().unwrap().is_dir();
    let there = fs::read_dir(tree.path()).unwrap().map(Result::unwrap).filter(is_folder);
    assert_eq!(there.count(), odd.len());
    for name in odd {
        assert_eq!(tree.remove(name), Ok(true));
        assert_eq!(tree.remove(name), Ok(false));
    }
    assert_eq!(tree.open_group("gone").err(), Some(Errno(libc::ENOENT)));

    let watch = cgroup::Watch::new().unwrap();
    let group = tree.make("service").unwrap();
    let id = watch.add(&group).unwrap();
    assert_eq!(watch.changed(), []);
    let argv = words(&[
        "/bin/sh",
        "-c",
        "mkdir $0/a $0/a/b; echo 0 >$0/a/b/cgroup.procs; sleep 99 & sleep 99 & wait",
    ]);
    let place = tree.path().join("service");
    let mut argv = argv;
    argv.push(place.to_str().unwrap().as_bytes().to_vec());
    let env = [(&b"PATH"[..], &b"/usr/bin:/bin"[..])];
    let cgroup = Some(group.as_fd());
    let launch = Launch { argv: &argv, env: &env, cgroup, ..Launch::default() };
    let spawned = spawn(Plan::new(&launch).unwrap()).unwrap();
    until("the group to be populated", || watch.changed().contains(&Some(id)).then_some(()));
    assert!(group.populated().unwrap());
    until("the move into a group below", || group.procs().unwrap().is_empty().then_some(()));
    assert_eq!(tree.remove("service"), Err(Errno(libc::EBUSY)));
    until("all three to be there", || {
        (group.signal_all(SignalNumber::CONT) == Ok(3)).then_some(())
    });
    group.kill().unwrap();
    let number = SignalNumber::KILL;
    assert_eq!(exit_of(spawned.pid), Exit::Signal { number, core: false });
    until("the group to be empty", || (!group.populated().unwrap()).then_some(()));
    until("the watch to tell", || watch.changed().contains(&Some(id)).then_some(()));
    assert_eq!(tree.remove("service"), Ok(true));
    fs::remove_dir(tree.path()).unwrap();
}

#[test]
fn files_of_a_group_are_read_and_written_and_no_others() {
    let _alone = alone();
    let tree = own_groups();
    let group = tree.make("files").unwrap();
    let child = Running::start(&Launch {
        argv: &words(&["/bin/sleep", "100"]),
        cgroup: Some(group.as_fd()),
        ..Launch::default()
    });
    assert_eq!(group.procs(), Ok(vec![child.0]));
    assert_eq!(group.signal_all(SignalNumber::CONT), Ok(1));
    assert!(!group.read("cgroup.stat", 4096).unwrap().is_empty());
    assert_eq!(group.read("cgroup.stat", 3), Err(Errno(libc::EFBIG)));
    assert_eq!(group.read("../cgroup.procs", 99), Err(Errno(libc::EINVAL)));
    group.write("cgroup.max.depth", b"7").unwrap();
    assert_eq!(group.read("cgroup.max.depth", 64), Ok(b"7\n".to_vec()));
    drop(child);
    until("the group to go", || tree.remove("files").ok());
    fs::remove_dir(tree.path()).unwrap();
}

#[test]
fn small_files_are_bounded_and_regular() {
    let _alone = alone();
    let folder = Folder::new("files");
    let path = folder.0.join("f");
    fds::create_file(&path, b"0123456789", 0o640).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fds::read_small(&path, 10).unwrap(), b"0123456789");
    assert_eq!(fds::read_small(&path, 9), Err(Errno(libc::EFBIG)));
    assert_eq!(fds::read_head(&path, 4).unwrap(), b"0123");
    fds::write_file(&path, b"short").unwrap();
    assert_eq!(fds::read_small(&path, 99).unwrap(), b"short");
    fds::create_file(&path, b"new", 0o600).unwrap();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    assert_eq!(fds::read_small(&folder.0, 99), Err(Errno(libc::EINVAL)));
    assert_eq!(fds::read_small(Path::new("/dev/zero"), 99), Err(Errno(libc::EINVAL)));
    let fifo = folder.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert_eq!(fds::read_small(&fifo, 99), Err(Errno(libc::EINVAL)), "and it did not wait");
    assert_eq!(fds::read_small(Path::new("/none"), 99), Err(Errno(libc::ENOENT)));
    assert!(fds::write_file(Path::new("/none"), b"x").is_err());
    // A trap under the temporary name is not followed.
    let victim = folder.0.join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.0.join("f.new")).unwrap();
    fds::create_file(&path, b"newer", 0o600).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(fds::read_small(Path::new("/proc/self/status"), 1 << 16).unwrap().len() > 100);
}

#[test]
fn pipes_wait_or_not_as_asked_and_descriptors_can_be_adopted() {
    let _alone = alone();
    let nonblocking = |fd: &OwnedFd| {
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFL).unwrap() & libc::O_NONBLOCK != 0
    };
    let (r, w) = fds::pipe().unwrap();
    assert!(!nonblocking(&r) && !nonblocking(&w));
    let (r, w) = fds::nonblocking_pipe().unwrap();
    assert!(nonblocking(&r) && nonblocking(&w));
    let number = std::os::fd::IntoRawFd::into_raw_fd(w);
    let again = fds::adopt(number).unwrap();
    fds::write(again.as_fd(), b"x").unwrap();
    drop(again);
    assert_eq!(fds::read(r.as_fd(), &mut [0; 4]), Ok(1));
    assert_eq!(fds::read(r.as_fd(), &mut [0; 4]), Ok(0));
    assert!(fds::adopt(number).is_none());
    assert!(fds::adopt(1).is_none());
    assert!(fds::adopt(-1).is_none());
}

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
    garbage\n+::::::\nodd:x:-1:0::/:/bin/sh\nhex:x:0x0:0::/:/bin/sh\nbig:x:4294967295:0::/:\n\
    huge:x:4294967296:0::/:\nempty:x::0::/:\n12:x:99:99::/:\nnginx:x:33:34:web,:/srv:\n\xff:x:5:5::/:\n\
    second:x:33:35::/:/bin/sh";
const GROUP: &[u8] =
    b"root:x:0:\nweb:x:34:\nlog:x:40:nginx,other\nadm:x:41:other,nginx\nlog2:x:40:nginx\nbad:x:z:nginx\n";

#[test]
fn accounts_are_read_strictly() {
    let accounts = Accounts::new(PASSWD.to_vec(), GROUP.to_vec());
    let nginx = accounts.user("nginx").unwrap();
    assert_eq!((nginx.uid, nginx.gid), (33, 34));
    assert_eq!((nginx.home, nginx.shell), (PathBuf::from("/srv"), PathBuf::from("/bin/sh")));
    assert_eq!(accounts.user("33").unwrap().name, "nginx", "the first of that number");
    assert_eq!(accounts.user("12").unwrap().uid, 12, "a number is a number");
    let bare = accounts.user("777").unwrap();
    assert_eq!((bare.name.as_str(), bare.uid, bare.gid), ("", 777, 777));
    let bad =
        ["", "-1", "+1", "0x0", " 0", "0 ", "4294967295", "4294967296", "99999999999999999999"];
    for name in
        bad.into_iter().chain(["odd", "hex", "big", "huge", "empty", "nobody", "garbage", "+"])
    {
        assert_eq!(accounts.user(name), None, "{name:?}");
        assert_eq!(accounts.group(name), None, "{name:?}");
    }
    assert_eq!(accounts.group("web").unwrap().gid, 34);
    assert_eq!(accounts.group("34").unwrap().name, "web");
    assert_eq!(accounts.supplementary("nginx", 34), [34, 40, 41]);
    assert_eq!(accounts.supplementary("", 5), [5]);
    let here = Accounts::load().unwrap();
    assert_eq!(here.user("root").unwrap().uid, 0);
}

#[test]
fn mountinfo_is_parsed_as_bytes_and_nonsense_is_skipped() {
    let text = b"36 35 98:0 /r /mnt/a\\040b\\134c rw,noatime master:1 - ext4 /dev/sda\\0111 rw,errors=continue\n\
        short line\n\n36 35 98:0 / relative rw - x y z\n1 2 3 / /x rw no separator\n\
        7 1 0:5 / /\xff\\9 rw - tmpfs none\n\xff\xfe\n";
    let mounts = mount::parse_mountinfo(text);
    assert_eq!(mounts.len(), 2);
    assert_eq!(mounts[0].target, b"/mnt/a b\\c");
    assert_eq!(mounts[0].source, b"/dev/sda\t1");
    assert_eq!(mounts[0].fstype, b"ext4");
    assert_eq!(mounts[0].options, b"rw,noatime,rw,errors=continue");
    assert_eq!(mounts[1].target, b"/\xff\\9");
    assert!(mount::mounts().unwrap().iter().any(|mount| mount.target == b"/proc"));
    assert!(mount::is_mount_point(Path::new("/")));
    assert!(mount::is_mount_point(Path::new("/proc")));
    assert!(!mount::is_mount_point(Path::new("/proc/self")));
    assert!(!mount::is_mount_point(Path::new("/none")));
    assert_eq!(mount::statfs_magic(Path::new("/proc")), Ok(libc::PROC_SUPER_MAGIC));
}

#[test]
fn a_file_system_is_mounted_with_flags_and_data_and_gone_again() {
    let _alone = alone();
    let folder = Folder::new("mount");
    need_root();
    mount::mount("none", &folder.0, "tmpfs", "defaults,nosuid,noexec,mode=0711,size=64k")
        .expect("a tmpfs can be mounted: in a container it needs CAP_SYS_ADMIN");
    assert!(mount::is_mount_point(&folder.0));
    assert_eq!(fs::metadata(&folder.0).unwrap().mode() & 0o777, 0o711);
    let all = mount::mounts().unwrap();
    let ours = all.iter().find(|m| m.target == folder.0.to_str().unwrap().as_bytes()).unwrap();
    let options = String::from_utf8_lossy(&ours.options).into_owned();
    assert!(
        options.contains("nosuid") && options.contains("noexec") && options.contains("size=64k")
    );
    let held = fs::File::create(folder.0.join("f")).unwrap();
    assert_eq!(mount::unmount(&folder.0, false), Err(Errno(libc::EBUSY)));
    assert_eq!(mount::remount_read_only(&folder.0), Err(Errno(libc::EBUSY)));
    drop(held);
    mount::remount_read_only(&folder.0).unwrap();
    assert!(fs::write(folder.0.join("f"), "x").is_err());
    mount::unmount(&folder.0, true).unwrap();
    assert!(!mount::is_mount_point(&folder.0));
    assert!(mount::mount("none", &folder.0, "nosuchfs", "").is_err());
}

#[test]
fn the_process_list_has_us_and_survives_odd_names() {
    let _alone = alone();
    let folder = Folder::new("proc");
    let name = "a) Z 1 (b";
    fs::copy("/bin/sleep", folder.0.join(name)).unwrap();
    let argv = words(&[folder.0.join(name).to_str().unwrap(), "100"]);
    let child = Running::start(&Launch { argv: &argv, ..Launch::default() });
    let all = proc::processes();
    let found = all.iter().find(|process| process.pid == child.0.raw()).unwrap();
    assert_eq!(found.name, name.as_bytes());
    assert_eq!(found.ppid.unsigned_abs(), std::process::id());
    assert_eq!(found.session, child.0.raw());
    assert!(!found.kernel);
    if all.iter().any(|process| process.name == b"kthreadd") {
        assert!(all.iter().any(|process| process.kernel));
    }
}

#[test]
fn boot_words_are_split_as_the_kernel_does() {
    let split = |text: &str| proc::split_words(text.as_bytes());
    assert_eq!(split("  a b=\"c d\" \"e f\"=g\t\"\" x\n"), ["a", "b=c d", "e f=g", "", "x"]);
    assert_eq!(split("open=\"never closed "), ["open=never closed "]);
    assert!(split(" \n").is_empty());
    assert!(!proc::boot_words().is_empty());
    // Whatever the answer here, it must not change.
    assert_eq!(proc::pid_namespace_is_initial(), proc::pid_namespace_is_initial());
}

#[test]
fn clocks_go_forward_and_randomness_differs() {
    let first = time::now();
    assert!(time::now() >= first);
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!((first.0 as f64 / 1e6 - seconds).abs() < 2.0, "since the machine started");
    assert!(time::wall().0 > 1_700_000_000);
    let (mut a, mut b) = ([0; 16], [0; 16]);
    assert!(host::random(&mut a) && host::random(&mut b));
    assert_ne!(a, b);
}

#[test]
fn lines_reach_the_kernel_log() {
    let _alone = alone();
    if let Ok(log) = kmsg::Kmsg::open() {
        let text = [b"test of finit: one\x1b\ntwo ".as_slice(), &[b'x'; 2000]].concat();
        log.line(7, &text).unwrap();
    }
    assert!(Pid::new(1).is_none());
}

#[test]
fn the_next_time_of_day_is_the_one_that_the_local_clock_says() {
    for (hour, minute) in (0..24).flat_map(|hour| [0, 30, 59].map(|minute| (hour, minute))) {
        let (before, _) = time::wall();
        let wait = time::until(hour, minute).expect("a time");
        let (after, _) = time::wall();
        // The second may have changed meanwhile.
        let found = (before..=after).any(|now| {
            let at = time::local(now + i64::try_from(wait).unwrap()).expect("a time");
            (at.hour, at.minute, at.second) == (i32::from(hour), i32::from(minute), 0)
        });
        assert!(found, "{hour}:{minute:02} in {wait} s");
        // A day of the end of summer time has 25 hours.
        assert!((1..=90_000).contains(&wait), "{hour}:{minute:02} in {wait} s");
    }
}
