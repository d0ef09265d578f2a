//! The last phase of a shutdown, played on the stage.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finit::boot::shutdown::{Kernel, Left, finish};
use finit::boot::{Context, Place};
use finit::config::spec::ShutdownSpec;
use finit::facts::{Errno, Moment, Pid, SignalNumber};
use finit::os::reboot::How;

use super::stage::{Act, Fake, Root, block};

/// A kernel whose processes end at their time or at their signal.
struct Stub {
    tools: Fake,
    /// Each with the second at which it ends by itself after SIGTERM, and the signal that ends
    /// it at once.
    processes: Vec<(Left, u64, SignalNumber)>,
    ended: BTreeMap<i32, AtomicUsize>,
    refuses: bool,
}

impl Stub {
    fn new(tools: &Fake, processes: Vec<(Left, u64, SignalNumber)>) -> Self {
        let ended = processes.iter().map(|(p, _, _)| (p.pid.raw(), AtomicUsize::new(0))).collect();
        let last = processes.iter().map(|(_, second, _)| *second).max().unwrap_or(0);
        tools.0.alone_at.store(last.saturating_mul(1_000_000), Ordering::Relaxed);
        Self { tools: tools.clone(), processes, ended, refuses: false }
    }

    fn hit(&self, pid: i32, signal: SignalNumber) {
        let (_, _, deadly) = self.processes.iter().find(|(p, _, _)| p.pid.raw() == pid).unwrap();
        if *deadly == signal {
            self.ended[&pid].store(1, Ordering::Relaxed);
        }
        if self.processes().is_empty() {
            self.tools.0.alone_at.store(0, Ordering::Relaxed);
        }
    }
}

impl Kernel for Stub {
    fn now(&self) -> Moment {
        Moment(self.tools.time())
    }

    fn processes(&self) -> Vec<Left> {
        let here = |(process, second, _): &&(Left, u64, SignalNumber)| {
            self.tools.seconds() < *second
                && self.ended[&process.pid.raw()].load(Ordering::Relaxed) == 0
        };
        self.processes.iter().filter(here).map(|(process, _, _)| process.clone()).collect()
    }

    fn signal_all(&self, signal: SignalNumber) {
        self.tools.note(format!("{signal} to all"));
        self.processes.iter().for_each(|(process, _, _)| self.hit(process.pid.raw(), signal));
    }

    fn signal(&self, pid: Pid, signal: SignalNumber) {
        self.tools.note(format!("{signal} to {pid}"));
        self.hit(pid.raw(), signal);
    }

    fn reboot(&self, how: How) -> Errno {
        self.tools.note(format!("reboot {how:?} at {} s", self.tools.seconds()));
        if !self.refuses {
            self.tools.0.down.store(1, Ordering::Relaxed);
        }
        Errno(libc::EINVAL)
    }

    fn force(&self, how: How) {
        self.tools.note(format!("force {how:?}"));
    }
}

const NEVER: u64 = u64::MAX;

fn process(pid: i32, name: &str) -> Left {
    let pid = Pid::new(pid).unwrap();
    Left { pid, name: name.to_owned(), terminal: false }
}

/// What nobody sends.
fn stubborn() -> SignalNumber {
    SignalNumber::new(libc::SIGUSR1).unwrap()
}

fn go_down(context: &Context, tools: &Fake, kernel: &Stub) -> Errno {
    go_down_in(60_000, &ShutdownSpec::default(), context, tools, kernel)
}

/// With so many milliseconds left.
fn go_down_in(
    left: u64,
    spec: &ShutdownSpec,
    context: &Context,
    tools: &Fake,
    kernel: &Stub,
) -> Errno {
    block(finish(How::Poweroff, spec, context, Duration::from_millis(left), tools, kernel))
}

#[test]
fn a_quiet_machine_goes_down_in_order_and_at_once() {
    let root = Root::new(&[("/proc/swaps", "Filename Type Size Used Priority\n")]);
    let (tools, lines) = Fake::new(&[]);
    let kernel = Stub::new(&tools, vec![(process(50, "sh"), NEVER, SignalNumber::TERM)]);
    let context = Context { place: Place::Container, ..root.context() };
    go_down(&context, &tools, &kernel);
    let quiet = ["SIGTERM to all", "SIGCONT to all", "reboot Poweroff at 0 s"];
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), quiet);

    let (tools, lines) = Fake::new(&[]);
    let kernel = Stub::new(&tools, vec![(process(50, "sh"), NEVER, SignalNumber::TERM)]);
    go_down(&root.context(), &tools, &kernel);
    assert_eq!(
        lines.try_iter().collect::<Vec<_>>(),
        [
            "udevadm control --exit",
            "/proc/self/exe --save-seed",
            "/proc/self/exe --note-shutdown",
            "/proc/self/exe --find-carriers",
            "SIGTERM to all",
            "SIGCONT to all",
            "/proc/self/exe --unmount-gently",
            "/proc/self/exe --unmount",
            "reboot Poweroff at 0 s",
        ]
    );
}

#[test]
fn late_processes_are_named_and_then_killed() {
    let root = Root::new(&[]);
    let (tools, lines) = Fake::new(&[]);
    let mut shell = process(60, "bash");
    shell.terminal = true;
    let processes = vec![
        (process(50, "ev\u{1b}il"), NEVER, SignalNumber::KILL),
        (shell, NEVER, SignalNumber::HUP),
    ];
    let kernel = Stub::new(&tools, processes);
    go_down(&root.context(), &tools, &kernel);
    let lines: Vec<String> = lines.try_iter().skip(4).collect();
    let waiting = "say: waiting for ev?il (50)";
    assert_eq!(
        lines[..8],
        [
            "SIGTERM to all",
            "SIGHUP to 60",
            "SIGCONT to all",
            waiting,
            waiting,
            waiting,
            "say: sending SIGKILL to all that are left",
            "SIGKILL to all",
        ]
    );
    assert_eq!(lines.last().unwrap(), "reboot Poweroff at 10 s");
}

#[test]
fn who_survives_even_that_is_left_behind() {
    let root = Root::new(&[]);
    let (tools, lines) = Fake::new(&[]);
    let processes = (2..12).map(|pid| (process(pid, "d"), NEVER, stubborn())).collect();
    let kernel = Stub::new(&tools, processes);
    go_down(&root.context(), &tools, &kernel);
    let lines: Vec<String> = lines.try_iter().collect();
    let without = "say: going on without d (2), d (3), d (4), d (5), d (6), d (7) and 4 more";
    assert!(lines.iter().any(|line| line == without), "{lines:?}");
    // 10 s of term-wait and 15 s of kill-wait.
    assert_eq!(lines.last().unwrap(), "reboot Poweroff at 25 s");
}

#[test]
fn those_who_carry_the_root_are_spared() {
    let root = Root::new(&[]);
    let (tools, lines) = Fake::new(&[("--find-carriers", Act::Exits(0, "39\n40"))]);
    let end = |pid, name| (process(pid, name), NEVER, SignalNumber::TERM);
    let processes = vec![end(40, "nbd-client"), end(50, "sh")];
    let kernel = Stub::new(&tools, processes);
    go_down(&root.context(), &tools, &kernel);
    let lines: Vec<String> = lines.try_iter().collect();
    assert!(lines.iter().any(|line| line == "SIGTERM to 50"));
    assert!(!lines.iter().any(|line| line.contains("to all") && !line.contains("CONT")));
    assert!(!lines.iter().any(|line| line.ends_with("to 40")));
    assert_eq!(lines.last().unwrap(), "reboot Poweroff at 0 s");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test may wait for a program")]
fn those_who_carry_the_root_are_found_by_their_first_word() {
    let shell = |name: &str, user: u32| {
        let mut shell = Command::new("/bin/sh");
        shell.arg0(name).args(["-c", "read word"]).uid(user).stdin(Stdio::piped());
        shell.spawn().unwrap()
    };
    let (mut carrier, mut other) = (shell("@sh", 0), shell("sh", 0));
    // As anybody may call what is to outlive the others.
    let mut clever = shell("@sh", 65534);
    let found = Command::new(env!("CARGO_BIN_EXE_finit")).arg("--find-carriers").output().unwrap();
    for child in [&mut carrier, &mut other, &mut clever] {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    let found = String::from_utf8(found.stdout).unwrap();
    let is_found = |child: &Child| found.lines().any(|line| line == child.id().to_string());
    assert!(is_found(&carrier) && !is_found(&other), "{found}");
    assert!(!is_found(&clever), "{found}");
}

#[test]
fn disks_are_released_layer_by_layer() {
    let root = Root::new(&[
        ("/proc/swaps", "Filename\n/swapfile file 1 0 -2\n"),
        ("/sys/block/loop0/loop/backing_file", "/srv/disk.img"),
        ("/sys/block/loop1/size", "0"),
        ("/sys/block/dm-0/size", "8"),
        ("/sys/block/sda/size", "8"),
    ]);
    let folder = root.0.clone();
    let (tools, lines) = Fake::with_effect(&[], move |line| {
        if line.starts_with("losetup") {
            std::fs::remove_dir_all(folder.join("sys/block/loop0")).ok();
        }
    });
    go_down(&root.context(), &tools, &Stub::new(&tools, vec![]));
    let lines: Vec<String> = lines.try_iter().skip(6).collect();
    assert_eq!(
        lines,
        [
            "/proc/self/exe --unmount-gently",
            "swapoff -a",
            "losetup -D",
            "dmsetup remove_all --noudevsync",
            "/proc/self/exe --unmount-gently",
            "dmsetup remove_all --noudevsync",
            "/proc/self/exe --unmount",
            "reboot Poweroff at 0 s",
        ]
    );
}

/// F3: each tool takes down what it is for and nothing lies upon, and finit asks again and again.
#[test]
fn f3_a_stack_of_everything_is_taken_down_from_its_top() {
    const MOUNT: &str = "a mount";
    // From the disk up.
    let stack =
        ["md127", "dm-0", MOUNT, "loop0", "dm-1", MOUNT, "loop1", "md126", MOUNT, "loop2", "dm-2"];
    let about = |name: &&str| format!("/sys/block/{name}/loop/backing_file");
    let files: Vec<String> = stack.iter().filter(|name| **name != MOUNT).map(about).collect();
    let root = Root::new(&files.iter().map(|file| (file.as_str(), "")).collect::<Vec<_>>());
    let folder = root.0.clone();
    let height = AtomicUsize::new(stack.len());
    let (tools, lines) = Fake::with_effect(&[], move |line| {
        let kinds =
            [("--unmount-gently", MOUNT), ("losetup", "loop"), ("dmsetup", "dm-"), ("mdadm", "md")];
        let left = || &stack[..height.load(Ordering::Relaxed)];
        for (_, kind) in kinds.iter().filter(|(word, _)| line.contains(word)) {
            while let Some(top) = left().last().filter(|top| top.starts_with(kind)) {
                height.fetch_sub(1, Ordering::Relaxed);
                if *top != MOUNT {
                    std::fs::remove_dir_all(folder.join("sys/block").join(top)).unwrap();
                }
            }
        }
        assert!(!line.ends_with("--unmount") || left().is_empty(), "{:?}", left());
    });
    go_down(&root.context(), &tools, &Stub::new(&tools, vec![]));
    let lines: Vec<String> = lines.try_iter().collect();
    let last = |count: usize| &lines[lines.len() - count];
    assert_eq!([last(2), last(1)], ["/proc/self/exe --unmount", "reboot Poweroff at 0 s"]);
}

/// What a slow disk has not taken when the power goes is lost.
#[test]
fn a_slow_disk_is_waited_for_while_it_takes_something() {
    let memory = |left: u64| format!("MemFree: 9 kB\nDirty: {left} kB\nWriteback: 500 kB\n");
    let root = Root::new(&[("/proc/meminfo", &memory(90_000))]);
    let file = root.0.join("proc/meminfo");
    // Twelve times it takes a part, with a pause, and then no more.
    let left = std::sync::atomic::AtomicU64::new(90_000);
    let looks = std::sync::atomic::AtomicU64::new(0);
    let (tools, lines) = Fake::with_effect(&[("--write-out", Act::Hangs)], move |line| {
        if line.ends_with("--write-out") {
            let pauses = [3, 4].contains(&looks.fetch_add(1, Ordering::Relaxed));
            let part = if pauses { 0 } else { 5_000 };
            let now = left.load(Ordering::Relaxed).saturating_sub(part).max(30_000);
            left.store(now, Ordering::Relaxed);
            std::fs::write(&file, memory(now)).unwrap();
        }
    });
    // Who waited for the disk as well may have used up all the time before.
    let spec = ShutdownSpec::default();
    let kernel = Stub::new(&tools, vec![]);
    block(finish(How::Poweroff, &spec, &root.context(), Duration::from_secs(1), &tools, &kernel));
    assert!(tools.seconds() >= 130, "{}", tools.seconds());
    let lines: Vec<String> = lines.try_iter().collect();
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("--write-out"), count("writing to the disks")), (17, 17), "{lines:?}");
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("30 MB to go") < at("--unmount"), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("reboot Poweroff"));
}

#[test]
fn nothing_that_hangs_holds_the_shutdown() {
    let root = Root::new(&[
        ("/proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n"),
        ("/sys/block/dm-0/size", "8"),
    ]);
    let played = |left: u64| {
        let (tools, lines) = Fake::new(&[("", Act::Hangs)]);
        let kernel = Stub::new(&tools, vec![(process(50, "stuck"), NEVER, stubborn())]);
        go_down_in(left * 1000, &ShutdownSpec::default(), &root.context(), &tools, &kernel);
        let lines: Vec<String> = lines.try_iter().collect();
        for expected in ["--unmount-gently", "--unmount", "swapoff -a"] {
            assert!(lines.iter().any(|line| line.ends_with(expected)), "{expected}: {lines:?}");
        }
        assert!(lines.last().unwrap().starts_with("reboot Poweroff"));
        tools.seconds()
    };
    assert!(played(60) <= 66, "{}", played(60));
    // And a disk that takes nothing of what is to be written, which goes past all that: 30 s for
    // that, and as long for the rest at most.
    root.write("/proc/meminfo", "Dirty: 90000 kB\nWriteback: 500 kB\n");
    for left in [60, 25, 1] {
        assert!(played(left) <= left + 30 + 30, "{left}: {}", played(left));
    }
}

/// As much as the engine leaves where services have used up their time, but for a moment.
#[test]
fn late_services_cost_the_other_processes_nothing() {
    let root = Root::new(&[]);
    let seconds = Duration::from_secs;
    let usual = ShutdownSpec::default();
    let patient = ShutdownSpec { term_wait: seconds(20), kill_wait: seconds(5), ..usual.clone() };
    for (spec, kill_at) in [(usual, 10), (patient, 20)] {
        let (tools, lines) = Fake::new(&[]);
        let kernel = Stub::new(&tools, vec![(process(50, "database"), kill_at - 1, stubborn())]);
        go_down_in(24_990, &spec, &root.context(), &tools, &kernel);
        let lines: Vec<String> = lines.try_iter().collect();
        assert!(!lines.iter().any(|line| line.contains("KILL")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), &format!("reboot Poweroff at {} s", kill_at - 1));

        let (tools, lines) = Fake::new(&[]);
        let kernel = Stub::new(&tools, vec![(process(50, "stuck"), NEVER, stubborn())]);
        go_down_in(24_990, &spec, &root.context(), &tools, &kernel);
        let lines: Vec<String> = lines.try_iter().collect();
        // A line each three seconds.
        let before = lines.iter().take_while(|line| !line.contains("SIGKILL"));
        let waited = before.filter(|line| line.contains("waiting for stuck"));
        assert_eq!(waited.count() as u64, kill_at / 3, "{lines:?}");
        assert_eq!(lines.last().unwrap(), "reboot Poweroff at 24 s");
    }
}

/// What is too short is shared.
#[test]
fn with_little_time_left_the_disks_still_get_some() {
    let root = Root::new(&[("/proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n")]);
    for (timeout, left, down_at) in [(60, 30, 25), (60, 6, 6), (9, 6, 4)] {
        let spec = ShutdownSpec { timeout: Duration::from_secs(timeout), ..Default::default() };
        let processes = || vec![(process(50, "stuck"), NEVER, stubborn())];
        let (tools, lines) = Fake::new(&[]);
        let kernel = Stub::new(&tools, processes());
        go_down_in(left * 1000, &spec, &root.context(), &tools, &kernel);
        let last = lines.try_iter().last().unwrap();
        assert_eq!(last, format!("reboot Poweroff at {down_at} s"));

        let hang = [("unmount", Act::Hangs), ("swapoff", Act::Hangs)];
        let (tools, lines) = Fake::new(&hang);
        let kernel = Stub::new(&tools, processes());
        go_down_in(left * 1000, &spec, &root.context(), &tools, &kernel);
        let lines: Vec<String> = lines.try_iter().collect();
        for expected in ["--unmount-gently", "swapoff -a", "--unmount"] {
            assert!(lines.iter().any(|line| line.ends_with(expected)), "{expected}: {lines:?}");
        }
        assert!(tools.seconds() <= down_at + 15, "{}", tools.seconds());
    }
}

#[test]
fn a_kernel_that_refuses_is_asked_otherwise() {
    let root = Root::new(&[]);
    for (how, second) in [(How::Kexec, Some("Restart")), (How::Poweroff, None)] {
        let (tools, lines) = Fake::new(&[]);
        let mut kernel = Stub::new(&tools, vec![]);
        kernel.refuses = true;
        let spec = ShutdownSpec::default();
        let left = Duration::from_secs(60);
        let errno = block(finish(how, &spec, &root.context(), left, &tools, &kernel));
        assert_eq!(errno, Errno(libc::EINVAL));
        let lines: Vec<String> = lines.try_iter().collect();
        let reboots: Vec<&String> =
            lines.iter().filter(|line| line.starts_with("reboot ")).collect();
        assert_eq!(reboots.len(), 1 + usize::from(second.is_some()));
        assert!(second.is_none_or(|second| reboots[1].contains(second)));
        assert_eq!(lines.last().unwrap(), &format!("force {how:?}"));
    }
}
