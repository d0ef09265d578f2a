//! PID 1 and its log writer while their system calls fail.

use crate::machine::{Machine, Plan};
use crate::reap::{all_tasks_ended, no_zombie_is_left, reasons};

/// A process under strace(1), which makes some of its system calls fail, or holds it there.
pub struct Faults<'a>(&'a Machine, std::process::Child);

impl<'a> Faults<'a> {
    /// From now on these, of the process that has that number on the host; strace(1), `inject`.
    pub fn inject(machine: &'a Machine, pid: i32, what: &str) -> Self {
        let strace = std::process::Command::new("strace")
            .args(["-qq", "-e", &format!("inject={what}"), "-o"])
            .arg(format!("/proc/{}/root/out/strace", machine.pid))
            .args(["-p", &pid.to_string()])
            .spawn()
            .expect("strace: tests/run installs it");
        let status = format!("/proc/{pid}/status");
        machine.wait("strace", |_| {
            let status = std::fs::read_to_string(&status).unwrap();
            (!status.contains("TracerPid:\t0\n")).then_some(())
        });
        Self(machine, strace)
    }

    /// How many calls were made to fail.
    pub fn end(mut self) -> usize {
        self.1.kill().unwrap();
        self.1.wait().unwrap();
        self.0.read("/out/strace").matches("(INJECTED)").count()
    }
}

/// B11: every other waitid(2) of PID 1 says that a signal came between.
#[test]
fn b11_a_wait_that_is_interrupted_is_asked_again() {
    let task =
        |n: usize| format!("[task.t{n}]\ncommand = \"/programs/exiter {n}\"\nstart = \"manual\"\n");
    let machine = Machine::boot(&(0..100).map(task).collect::<String>());
    machine.booted();
    let faults = Faults::inject(&machine, machine.pid, "waitid:error=EINTR:when=1+2");
    machine.order(&["start", "--no-wait", "t[0-9]*"]);
    all_tasks_ended(&machine);
    let reasons = reasons(&machine);
    for n in 0..100 {
        assert_eq!(reasons[&format!("t{n}")], format!("exited with status {n}"));
    }
    no_zombie_is_left(&machine);
    assert!(faults.end() > 10);
}

/// C3: the machine is short of processes for a while, which is no fault of a service.
#[test]
fn c3_a_process_that_cannot_be_made_is_tried_again_and_counts_as_no_crash() {
    let machine = Machine::boot(
        r#"
        [service.web]
        command = "/programs/idle"
        restart = { when = "on-crash", delay = "10ms", max-delay = "50ms", burst = 1, within = "1h" }
        "#,
    );
    let pid = machine.until("web", "up")["pid"].clone();
    let what = "clone3,clone,vfork:error=EAGAIN:when=1..20";
    let faults = Faults::inject(&machine, machine.pid, what);
    machine.order(&["signal", "KILL", "web"]);
    let up = machine.wait("another web", |m| {
        let now = m.status("web");
        (now["state"] == "up" && now["pid"] != pid).then_some(now)
    });
    assert_eq!(faults.end(), 20);
    assert_eq!(up["restarts"], 21, "{}", machine.story());
}

/// C4: the log writer is short of memory wherever the kernel would say so: its pipes stay with
/// PID 1, and no line is lost nor there twice.
#[test]
fn c4_a_pipe_that_cannot_be_read_for_want_of_memory_is_read_later() {
    let machine = Machine::boot(
        r#"
        [task.count]
        command = ["/bin/sh", "-c", "until [ -e /out/go ]; do sleep 0.01; done; seq 20000"]
        "#,
    );
    machine.until("count", "starting");
    let children = format!("/proc/{0}/task/{0}/children", machine.pid);
    let writer = machine.wait("the log writer", |_| {
        let children = std::fs::read_to_string(&children).unwrap();
        children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()).find(|pid| {
            let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            words.is_ok_and(|words| words.contains("--log-writer"))
        })
    });
    let what = "mmap,mremap,brk,open,openat,write,pwrite64:error=ENOMEM:when=1+2";
    let faults = Faults::inject(&machine, writer, what);
    machine.write("/out/go", "");
    machine.until("count", "done");
    let lines = machine.wait("all lines", |m| {
        let text = m.read("/var/log/finit/count.log");
        text.ends_with(" 20000\n").then_some(text)
    });
    let told: Vec<&str> = lines.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(told, (1..=20_000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(faults.end() > 0);
}

/// A13: PID 1 gets no more memory where it cannot do without: the services run on, and a person
/// can get in.
#[test]
fn a13_pid_1_without_memory_loses_no_service() {
    let machine = Machine::boot("[service.is]\ncommand = \"/programs/idle\"\n");
    machine.booted();
    let pid = machine.main_pid("is");
    let size: u64 = machine.pid1_status("VmSize").trim_end_matches(" kB").parse().unwrap();
    let limit = format!("--as={}:", (size + 64) << 10);
    let pid_1 = format!("--pid={}", machine.pid);
    let limited = std::process::Command::new("prlimit").args([pid_1, limit]).status();
    assert!(limited.unwrap().success());
    let many = (0..5000).map(|n| format!("[service.s{n}]\ncommand = \"/programs/idle\"\n"));
    machine.write("/etc/finit.toml", &many.collect::<String>());
    let mut line = machine.connect();
    line.send(b"{\"method\":\"apply\"}\n").unwrap();
    machine.until_shown("SIGABRT, which is a bug");
    assert_eq!(machine.run(&["kill", "-0", &pid.to_string()]).code, 0, "{}", machine.story());
}

/// A12: whatever fails of what PID 1 asks of files and devices on the way down, the machine ends
/// in order. What its loop needs to go on does not fail here: that is A9.
#[test]
fn a12_a_shutdown_in_which_files_and_devices_fail_ends_the_machine_all_the_same() {
    const CALLS: &str = "ioctl,openat,pwrite64,mkdir,unlink,readlink,newfstatat,statfs";
    for errno in ["EIO", "ENODEV"] {
        // A group would be asked who is in it, and waited for.
        let machine = Plan::new().with("cgroup=no").boot(
            "[service.is]\ncommand = \"/programs/idle\"\nafter-stop = \"/bin/touch /out/stopped\"\n",
        );
        machine.booted();
        machine.main_pid("is");
        let faults = Faults::inject(&machine, machine.pid, &format!("{CALLS}:error={errno}"));
        machine.signal_pid1(libc::SIGRTMIN() + 4);
        assert_eq!(machine.ended(), "SIGNAL 2", "{errno}");
        assert!(faults.end() > 0, "{errno}");
        assert!(machine.exists("/out/stopped"), "{}", machine.console());
    }
}
