//! PID 1 is told of every end: of its own children exactly once with its status, and of the
//! orphans of everybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::machine::Machine;

/// How much is a lot: a tenth of what `tests/bench reap` does.
const MANY: usize = 10_000;

/// What the machine has besides its living processes.
fn zombies(machine: &Machine) -> usize {
    let processes = std::fs::read_dir(machine.path("/proc")).unwrap();
    let stats =
        processes.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().unwrap().starts_with(" Z")).count()
}

pub fn no_zombie_is_left(machine: &Machine) {
    machine.wait("zombies to be reaped", |m| (zombies(m) == 0).then_some(()));
}

/// The reasons of those services that have one.
pub fn reasons(machine: &Machine) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    machine
        .list()
        .iter()
        .map(|service| (text(&service["name"]), text(&service["reason"])))
        .collect()
}

pub fn all_tasks_ended(machine: &Machine) {
    machine.wait("the tasks to end", |m| {
        let busy = |s: &serde_json::Value| {
            s["kind"] == "task" && s["state"] != "done" && s["state"] != "failed"
        };
        (!m.list().iter().any(busy)).then_some(())
    });
}

#[test]
fn every_exit_status_and_every_signal_reaches_the_status() {
    let task = |name: &str, words: &str| {
        format!("[task.{name}]\ncommand = \"/programs/exiter {words}\"\nlog = \"none\"\n")
    };
    let codes = (0..=255).map(|code| task(&format!("code{code}"), &code.to_string()));
    // SIGCHLD, SIGCONT, SIGURG and SIGWINCH end nobody, SIGSTOP and its like only stop.
    let deadly = (1..=64).filter(|n| ![17, 18, 19, 20, 21, 22, 23, 28].contains(n));
    let signals = deadly.clone().map(|n| task(&format!("signal{n}"), &format!("SIG {n}")));
    let machine = Machine::boot(&codes.chain(signals).collect::<String>());
    all_tasks_ended(&machine);
    let reasons = reasons(&machine);
    for code in 0..=255 {
        assert_eq!(reasons[&format!("code{code}")], format!("exited with status {code}"));
    }
    for number in deadly {
        let name = finit::facts::SignalNumber::new(number).unwrap();
        assert_eq!(reasons[&format!("signal{number}")], format!("killed by {name}"));
    }
}

#[test]
fn of_very_many_tasks_and_orphans_at_once_not_one_exit_is_lost() {
    let mut toml = String::new();
    for number in 0..MANY {
        let code = number % 256;
        writeln!(toml, "[task.t{number}]\ncommand = \"/programs/exiter {code}\"\nlog = \"none\"")
            .unwrap();
    }
    let machine = Machine::boot(&toml);
    let made = machine.run(&["/programs/orphans", &MANY.to_string()]);
    assert_eq!(made.text, format!("{MANY}\n"));
    all_tasks_ended(&machine);
    let reasons = reasons(&machine);
    for number in 0..MANY {
        assert_eq!(reasons[&format!("t{number}")], format!("exited with status {}", number % 256));
    }
    no_zombie_is_left(&machine);
}

/// Each start is a line in a file, so that none can hide.
#[test]
fn services_that_end_at_once_are_restarted_once_for_each_end() {
    let service = |n: usize| {
        format!(
            "[service.s{n}]\ncommand = \"/programs/stamp /out/s{n}\"\nlog = \"none\"\n\
                 restart = {{ delay = \"1ms\", max-delay = \"1ms\", burst = 99, within = \"1h\" }}\n"
        )
    };
    let machine = Machine::boot(&(0..100).map(service).collect::<String>());
    for n in 0..100 {
        let status = machine.until(&format!("s{n}"), "failed");
        assert_eq!(machine.read(&format!("/out/s{n}")).lines().count(), 100, "{status}");
        assert_eq!(status["restarts"], 99, "{status}");
    }
    no_zombie_is_left(&machine);
}

#[test]
fn a_crash_a_thousand_times_leaves_exactly_one_process() {
    let machine = Machine::boot(
        "[service.s]\ncommand = \"/programs/idle /out/pids\"\nlog = \"none\"\n\
         restart = { delay = \"1ms\", max-delay = \"1ms\" }\n",
    );
    machine.until("s", "up");
    let said = machine.run(&["/programs/killer", "/out/pids", "1000"]);
    assert_eq!(said.code, 0, "{}\n{}", said.text, machine.story());
    let status = machine.until("s", "up");
    assert_eq!(status["restarts"], 1000);
    let pids = machine.read("/out/pids");
    assert_eq!(pids.lines().count(), 1001);
    let last = pids.lines().last().unwrap().split(' ').next().unwrap();
    assert_eq!(last, status["pid"].to_string());
    assert_eq!(machine.sh("pidof idle | wc -w").text.trim(), "1");
}

/// What a service takes of PID 1, it gives back.
#[test]
fn after_a_thousand_starts_and_stops_pid_1_holds_what_it_held() {
    let machine = Machine::boot("[service.s]\ncommand = \"/programs/idle\"\n");
    machine.until("s", "up");
    let lap = |machine: &Machine| {
        let said = machine.run(&["/programs/laps", "s", "100"]);
        assert_eq!(said.code, 0, "{}\n{}", said.text, machine.story());
    };
    lap(&machine);
    machine.until("s", "up");
    let before = machine.pid1_descriptors();
    for _ in 0..10 {
        lap(&machine);
    }
    machine.until("s", "up");
    let after = machine.wait("descriptors to be closed", |m| {
        Some(m.pid1_descriptors()).filter(|count| *count <= before)
    });
    assert_eq!(after, before);
}

/// C7: each run has a group with somebody whom it leaves behind, a place to tell of itself and a
/// socket.
#[test]
fn c7_what_a_crash_leaves_behind_does_not_pile_up() {
    let machine = Machine::boot(
        r#"
        [service.s]
        script = """
        /programs/idle &
        systemd-notify --ready
        exec /programs/idle /out/pids
        """
        ready = "notify"
        notify-from = "any"
        listen = "/run/new/s"
        start = "boot"
        restart = { delay = "1ms", max-delay = "1ms" }
        "#,
    );
    machine.booted();
    let held = |machine: &Machine| {
        machine.until("s", "up");
        machine.appears("/out/pids");
        let list = "find /sys/fs/cgroup /run /tmp /dev/shm | sort; cat /proc/self/mountinfo";
        (machine.sh(list).text, machine.pid1_descriptors())
    };
    let before = held(&machine);
    assert!(["/finit/s\n", "/run/finitd/notify/"].iter().all(|path| before.0.contains(path)));
    let said = machine.run(&["/programs/killer", "/out/pids", "100"]);
    assert_eq!(said.code, 0, "{}\n{}", said.text, machine.story());
    assert_eq!(machine.until("s", "up")["restarts"], 100);
    machine.wait("the same as before", |m| (held(m) == before).then_some(()));
}
