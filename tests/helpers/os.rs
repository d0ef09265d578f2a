//! Starting real programs and looking at them through /proc.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use finit::facts::{Exit, Pid, SignalNumber, SpawnError};
use finit::os::spawn::{ChildMemory, Launch, Plan, STATUS_SIZE, Spawned, spawn};
use finit::os::{cgroup, fds, kill, wait};

/// One test at a time: they look at what the whole process has open and who its children are.
#[allow(clippy::disallowed_types, reason = "the test harness has threads")]
static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[allow(clippy::disallowed_types, reason = "the test harness has threads")]
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// For what the kernel grants to root alone: a test without it fails, and is not left out.
pub fn need_root() {
    assert!(nix::unistd::geteuid().is_root(), "this needs root: run sudo tests/run");
}

/// A folder of control groups of our own; the test takes it away again.
pub fn own_groups() -> cgroup::Tree {
    let base = cgroup::find().expect("cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup");
    cgroup::Tree::open(&base, &format!("finit-test-{}", std::process::id()))
        .expect("cgroup2 can be written: run sudo tests/run, in a container with --privileged")
}

pub fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Wait until something is so.
pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Wait until a child waits in openat(2) for what it is to read from.
pub fn until_it_opens(pid: Pid) {
    until("it to wait", || {
        let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        let fields: Vec<&str> = text.split(' ').collect();
        let flags = i32::from_str_radix(fields.get(3)?.strip_prefix("0x")?, 16).ok()?;
        let reads = flags & libc::O_ACCMODE == libc::O_RDONLY;
        (fields[0] == libc::SYS_openat.to_string() && reads).then_some(())
    });
}

/// The end of the status pipe: what failed, if anything did.
pub fn outcome(status: &OwnedFd, memory: &ChildMemory) -> Option<SpawnError> {
    let bytes = until("the status pipe", || {
        let mut bytes = [0u8; STATUS_SIZE];
        let count = fds::read(status.as_fd(), &mut bytes).ok()?;
        Some(bytes[..count].to_vec())
    });
    memory.failure(&bytes)
}

pub fn exit_of(pid: Pid) -> Exit {
    until("an exit", || wait::reap(pid)).exit
}

/// A program that was executed and still runs; killed when dropped.
pub struct Running(pub Pid);

impl Drop for Running {
    fn drop(&mut self) {
        kill::kill(self.0, SignalNumber::KILL).unwrap();
        exit_of(self.0);
    }
}

impl Running {
    pub fn start(launch: &Launch<'_>) -> Self {
        let Spawned { pid, status, memory } = spawn(Plan::new(launch).unwrap()).unwrap();
        let failed = outcome(&status, &memory);
        assert_eq!(failed, None);
        until("the program to have loaded", || {
            let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
            // nanosleep and clock_nanosleep on both architectures.
            ["35 ", "230 ", "101 ", "115 "].iter().any(|n| text.starts_with(n)).then_some(())
        });
        Self(pid)
    }

    pub fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    pub fn link(&self, name: &str) -> String {
        fs::read_link(self.path(name)).unwrap().to_string_lossy().into_owned()
    }

    /// The value of a line of /proc/PID/status.
    pub fn status(&self, key: &str) -> String {
        let text = self.file("status");
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Every descriptor with what it names.
    pub fn descriptors(&self) -> BTreeMap<i32, String> {
        fs::read_dir(self.path("fd"))
            .unwrap()
            .map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                (name.parse().unwrap(), self.link(&format!("fd/{name}")))
            })
            .collect()
    }

    /// The flags of a descriptor, as open(2) has them.
    pub fn flags(&self, fd: i32) -> i32 {
        let text = self.file(&format!("fdinfo/{fd}"));
        let line = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        i32::from_str_radix(line.trim(), 8).unwrap()
    }
}

/// What this process has open.
pub fn own_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A fresh directory, removed again.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("finit-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A FIFO in it, that nobody writes to.
    pub fn fifo(&self) -> PathBuf {
        let fifo = self.0.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fifo
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
