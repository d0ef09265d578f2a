//! A machine for one test: finit as PID 1 of namespaces of its own, on an overlay of the host's
//! root that ends with it. What the C program `machine` does is told there.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::FlowArg;
use serde_json::Value;

use crate::programs::{PROGRAMS, SBIN};
use crate::talk::{Line, Said};

/// The longest that anything is waited for: a busy host fails no test, a hang fails it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a machine is made of.
pub struct Plan {
    options: Vec<String>,
    words: Vec<String>,
    console: bool,
    users: bool,
    files: Vec<(String, String)>,
}

/// A machine that runs.
pub struct Machine {
    launcher: Child,
    news: RefCell<BufReader<ChildStdout>>,
    folder: PathBuf,
    pub pid: i32,
    root: OwnedFd,
    /// Tells of files in /out and /run.
    changes: OwnedFd,
    /// Our end of its console, and its own, so that it never hangs up.
    screen: Option<(File, OwnedFd)>,
    seen: RefCell<String>,
    line: RefCell<Option<Line>>,
}

impl Plan {
    pub fn new() -> Self {
        Self {
            options: vec!["cgroup=yes".into()],
            words: Vec::new(),
            console: true,
            users: true,
            files: Vec::new(),
        }
    }

    /// An option of the program `machine`; a later one counts.
    pub fn with(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// Words for PID 1.
    pub fn told(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    pub fn without_console(mut self) -> Self {
        self.console = false;
        self
    }

    pub fn without_users(mut self) -> Self {
        self.users = false;
        self
    }

    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.into(), text.into()));
        self
    }

    /// Boots with this configuration; returns when the control socket answers.
    pub fn boot(self, toml: &str) -> Machine {
        self.file("/etc/finit.toml", toml).boot_as_is()
    }

    pub fn boot_as_is(self) -> Machine {
        let machine = self.start();
        machine.wait("the control socket", |m| m.try_request(r#"{"method":"ping"}"#));
        machine
    }

    /// The same, and does not wait for anything.
    pub fn start(self) -> Machine {
        assert!(nix::unistd::geteuid().is_root(), "run as root: sudo tests/run");
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("machine-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let screen = self.console.then(terminal);
        let mut command = Command::new(PROGRAMS.join("machine"));
        command.arg(&folder).arg(format!("sbin={}", SBIN.display()));
        command.arg(format!("programs={}", PROGRAMS.display())).args(&self.options);
        if let Some((_, _, path)) = &screen {
            command.arg(format!("console={path}"));
        }
        command
            .args(["--", "/usr/sbin/finit"])
            .args(&self.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut launcher = command.spawn().expect("tests/programs/machine starts");
        let mut news = BufReader::new(launcher.stdout.take().unwrap());
        let mut first = String::new();
        news.read_line(&mut first).unwrap();
        let Some(pid) = first.trim().strip_prefix("PID ").and_then(|pid| pid.parse().ok()) else {
            fs::remove_dir(&folder).unwrap();
            panic!("the machine was not made; its reason is on stderr");
        };
        let root = File::open(format!("/proc/{pid}/root")).unwrap();
        let machine = Machine {
            launcher,
            news: news.into(),
            folder,
            pid,
            root: root.into(),
            changes: changes(&["out", "run"].map(|name| format!("/proc/{pid}/root/{name}"))),
            screen: screen.map(|(ours, theirs, _)| (ours, theirs)),
            seen: RefCell::default(),
            line: RefCell::default(),
        };
        // Its own, whatever the host has; a name service of the host has no place in here.
        machine.write("/etc/passwd", include_str!("passwd"));
        machine.write("/etc/group", include_str!("group"));
        for (path, text) in &self.files {
            machine.write(path, text);
        }
        if !self.users {
            for file in ["/etc/passwd", "/etc/shadow"] {
                // The host may have none.
                fs::remove_file(machine.path(file)).ok();
            }
        }
        machine.launcher.stdin.as_ref().unwrap().write_all(b"!").unwrap();
        machine
    }
}

impl Machine {
    pub fn boot(toml: &str) -> Self {
        Plan::new().boot(toml)
    }

    /// A path of the machine as the host names it, even when the machine has ended.
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/self/fd/{}{path}", self.root.as_raw_fd()).into()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Who ended, in this order, by the diary that `diarist` keeps.
    pub fn ends(&self) -> Vec<String> {
        let diary = self.read("/out/diary");
        diary.lines().filter_map(|line| line.strip_suffix(" ends")).map(str::to_owned).collect()
    }

    pub fn read(&self, path: &str) -> String {
        let bytes = fs::read(self.path(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Takes away a file that a program writes, to see it written again.
    pub fn forget(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// A program inside.
    pub fn enter(&self, argv: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "-t",
            &self.pid.to_string(),
            "-p",
            "-m",
            "-u",
            "-i",
            "-n",
            "-C",
            "-r",
            "-w",
            "--",
        ]);
        command.args(argv).stdin(Stdio::null());
        command
    }

    pub fn run(&self, argv: &[&str]) -> Said {
        Said::from(self.enter(argv).output().unwrap())
    }

    /// Starts one and leaves it running.
    pub fn begin(&self, argv: &[&str]) -> Child {
        self.enter(argv).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn sh(&self, script: &str) -> Said {
        self.run(&["/bin/sh", "-c", script])
    }

    pub fn ctl(&self, words: &[&str]) -> Said {
        self.run(&[&["/usr/sbin/finitctl"], words].concat())
    }

    /// The same, and it has to work.
    pub fn order(&self, words: &[&str]) -> String {
        let said = self.ctl(words);
        assert_eq!(said.code, 0, "finitctl {words:?}: {}\n{}", said.text, self.story());
        said.text
    }

    /// A connection to the control socket.
    pub fn connect(&self) -> Line {
        Line::to(&self.path("/run/initctl")).expect("the control socket takes connections")
    }

    /// One request on a connection that is kept.
    pub fn try_request(&self, json: &str) -> Option<Value> {
        let mut line = self.line.borrow_mut();
        if line.is_none() {
            *line = Line::to(&self.path("/run/initctl")).ok();
        }
        let answer =
            line.as_mut()?.ask(json).ok().and_then(|text| serde_json::from_str(&text).ok());
        if answer.is_none() {
            *line = None;
        }
        answer
    }

    /// Waits until the boot is over.
    pub fn booted(&self) {
        self.wait("the end of the boot", |m| {
            let answer = m.request(r#"{"method":"list"}"#);
            (answer["result"]["machine"]["phase"] == "running").then_some(())
        });
    }

    /// Ends the connection that is kept; the next request makes another.
    pub fn hang_up(&self) {
        *self.line.borrow_mut() = None;
    }

    pub fn request(&self, json: &str) -> Value {
        self.try_request(json).unwrap_or_else(|| panic!("no answer to {json}\n{}", self.story()))
    }

    /// The report on one service.
    pub fn status(&self, name: &str) -> Value {
        let answer =
            self.request(&format!(r#"{{"method":"status","params":{{"name":"{name}"}}}}"#));
        answer["result"]["service"].clone()
    }

    /// Every service in short.
    pub fn list(&self) -> Vec<Value> {
        let answer = self.request(r#"{"method":"list"}"#);
        answer["result"]["machine"]["services"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a service is in this state; its report.
    pub fn until(&self, name: &str, state: &str) -> Value {
        self.wait(&format!("{name} to be {state}"), |m| {
            Some(m.status(name)).filter(|status| status["state"] == state)
        })
    }

    /// Waits until a program has written this file; its text.
    pub fn appears(&self, path: &str) -> String {
        self.wait(path, |m| m.exists(path).then(|| m.read(path)))
    }

    /// Main process of a service, as the machine counts.
    pub fn main_pid(&self, name: &str) -> i32 {
        self.until(name, "up")["pid"].as_i64().expect("a service that is up has a pid") as i32
    }

    /// The process of a service that waits in openat(2) for what it is to read from.
    pub fn opens(&self, name: &str) -> i64 {
        self.wait("the child to wait", |m| {
            let pid = m.status(name)["pid"].as_i64()?;
            let call = m.sh(&format!("cut -d ' ' -f 1 /proc/{pid}/syscall")).text;
            (call.trim() == libc::SYS_openat.to_string()).then_some(pid)
        })
    }

    /// Looks again whenever a file in /out or /run changes or the console speaks. What has no
    /// event of its own, as the end of a restart, is looked at after ten milliseconds.
    pub fn wait<T>(&self, what: &str, mut check: impl FnMut(&Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = check(self) {
                return found;
            }
            assert!(Instant::now() < end, "waited in vain for {what}\n{}", self.story());
            let mut fds = vec![PollFd::new(self.changes.as_fd(), PollFlags::POLLIN)];
            if let Some((ours, _)) = &self.screen {
                fds.push(PollFd::new(ours.as_fd(), PollFlags::POLLIN));
            }
            poll(&mut fds, PollTimeout::from(10u8)).unwrap();
            // Which file it was does not matter, and nothing to read is no error here.
            let _none = nix::unistd::read(&self.changes, &mut [0; 4096]);
            self.console();
        }
    }

    /// Waits until the console has shown these words: a terminal passes on what was written to it
    /// when it gets round to it.
    pub fn until_shown(&self, words: &str) {
        self.wait(words, |m| m.console().contains(words).then_some(()));
    }

    /// All that the console has shown.
    pub fn console(&self) -> String {
        if let Some((ours, _)) = &self.screen {
            let mut bytes = [0; 65536];
            while let Ok(count @ 1..) = (&mut &*ours).read(&mut bytes) {
                self.seen.borrow_mut().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }
        self.seen.borrow().clone()
    }

    /// Types on its keyboard.
    pub fn type_in(&self, text: &str) {
        let (ours, _) = self.screen.as_ref().expect("a machine with a console");
        (&mut &*ours).write_all(text.as_bytes()).unwrap();
    }

    /// Stops its output, as ^S does, or has it go on.
    pub fn stop_console(&self, stop: bool) {
        let (_, theirs) = self.screen.as_ref().expect("a machine with a console");
        let action = if stop { FlowArg::TCOOFF } else { FlowArg::TCOON };
        nix::sys::termios::tcflow(theirs, action).unwrap();
    }

    /// A line of /proc/1/status.
    pub fn pid1_status(&self, key: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key} in {text}")).trim().to_owned()
    }

    pub fn pid1_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    pub fn signal_pid1(&self, signal: i32) {
        let killed =
            Command::new("kill").args([format!("-{signal}"), self.pid.to_string()]).status();
        assert!(killed.unwrap().success());
    }

    /// Waits for the end of PID 1: "SIGNAL 2" where it was powered off, "SIGNAL 1" for a reboot.
    pub fn ended(&self) -> String {
        let mut news = self.news.borrow_mut();
        let mut fds = [PollFd::new(news.get_ref().as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::try_from(PATIENCE).unwrap()).unwrap();
        assert_eq!(ready, 1, "PID 1 does not end\n{}", self.story());
        let mut line = String::new();
        news.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// What to read when a test fails.
    pub fn story(&self) -> String {
        // One that hangs is what a test may have found.
        let list = self.run(&["timeout", "30", "/usr/sbin/finitctl", "list"]).text;
        let list: String = list.lines().take(40).map(|line| format!("{line}\n")).collect();
        format!("--- console\n{}\n--- finitctl list\n{list}", self.console())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- console of the machine\n{}", self.console());
        }
        drop(self.launcher.stdin.take());
        self.launcher.wait().unwrap();
        fs::remove_dir(&self.folder).unwrap();
    }
}

/// A pseudo terminal: our end, the other, and the name of that.
fn terminal() -> (File, OwnedFd, String) {
    let ours = nix::pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    nix::pty::grantpt(&ours).unwrap();
    nix::pty::unlockpt(&ours).unwrap();
    let name = nix::pty::ptsname_r(&ours).unwrap();
    let theirs = File::options().read(true).write(true).open(&name).unwrap();
    let ours = File::from(ours.as_fd().try_clone_to_owned().unwrap());
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK)).unwrap();
    (ours, theirs.into(), name)
}

/// A descriptor that can be read when files in these folders are made or written.
#[allow(unsafe_code, reason = "nix is built without its inotify")]
fn changes(folders: &[String]) -> OwnedFd {
    let events = libc::IN_CREATE | libc::IN_MODIFY | libc::IN_MOVED_TO;
    // SAFETY: no pointers.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
    assert!(fd >= 0);
    for folder in folders {
        let name = std::ffi::CString::new(folder.as_str()).unwrap();
        // SAFETY: the name ends with a NUL.
        assert!(unsafe { libc::inotify_add_watch(fd, name.as_ptr(), events) } >= 0, "{folder}");
    }
    // SAFETY: it was opened above, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
