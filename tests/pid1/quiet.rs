//! A machine where nothing happens sleeps.

use std::fs;

use crate::machine::Machine;

/// Calls that wait, and which argument says how long.
#[cfg(target_arch = "x86_64")]
const WAITS: [(i64, usize); 3] =
    [(libc::SYS_epoll_wait, 3), (libc::SYS_epoll_pwait, 3), (libc::SYS_poll, 2)];
#[cfg(not(target_arch = "x86_64"))]
const WAITS: [(i64, usize); 2] = [(libc::SYS_epoll_pwait, 3), (libc::SYS_ppoll, 2)];

/// Whether a process sleeps in the kernel until something happens, however long that takes.
fn sleeps_without_end(pid: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    let words: Vec<&str> = call.split_whitespace().collect();
    let number: Option<i64> = words[0].parse().ok();
    let Some((call, index)) = WAITS.iter().find(|(call, _)| number == Some(*call)) else {
        return false;
    };
    let timeout = u64::from_str_radix(words[1 + index].trim_start_matches("0x"), 16).unwrap();
    match *call {
        libc::SYS_ppoll => timeout == 0,
        // The register has 64 bits, and the argument is an int.
        _ => timeout as u32 == u32::MAX,
    }
}

/// Timers of the kernel that a process holds and that come again by themselves.
fn periodic_timers(pid: i32) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let comes_again = |text: &String| {
        text.lines().any(|line| line.starts_with("it_interval:") && line != "it_interval: (0, 0)")
    };
    texts.filter(comes_again).collect()
}

/// Children of a process.
fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// With services of every kind that only wait, the processes that are finit itself sleep until something
/// happens: nothing wakes up a processor for nothing.
#[test]
fn neither_pid_1_nor_a_helper_of_it_wakes_up_by_itself() {
    let many: String =
        (0..100).map(|n| format!("[service.s{n}]\ncommand = \"/programs/counter 10\"\n")).collect();
    let machine = Machine::boot(&format!(
        r#"
        # A timer that was set for a start is let come once, when all of it has gone well.
        [defaults]
        start-timeout = "5s"
        {many}
        [service.echo]
        command = "/programs/serve"
        inetd = "7"
        inetd-max-per-source = 1
        [service.web]
        command = "/programs/serve"
        listen = "/run/web"
        [service.told]
        command = ["/bin/sh", "-c", "systemd-notify --ready; exec /programs/idle"]
        ready = "notify"
        notify-from = "any"
        [task.watched]
        command = "/bin/true"
        watch.changed = "/etc/watched"
        "#
    ));
    machine.booted();
    machine.until("told", "up");
    for n in 0..100 {
        let log = format!("/var/log/finit/s{n}.log");
        machine.wait("its lines", |m| m.read(&log).contains("line 9").then_some(()));
    }
    // Those that are finit itself, as the host counts.
    let mut words: Vec<String> = Vec::new();
    for pid in std::iter::once(machine.pid).chain(children(machine.pid)) {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        if fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "finit\n" {
            continue;
        }
        words.extend(command.split('\0').nth(1).map(str::to_owned));
        machine.wait(&command, |_| sleeps_without_end(pid).then_some(()));
        assert_eq!(periodic_timers(pid), Vec::<String>::new(), "{command}");
    }
    for word in ["--log-writer", "--watch-paths"] {
        assert!(words.iter().any(|one| one == word), "{words:?}");
    }
}
