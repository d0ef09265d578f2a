//! Stopping: politely, then not, and everybody who belongs to a service.

use crate::machine::{Machine, Plan};

/// The processes of the program `family` by what they are.
struct Family<'a>(&'a Machine);

impl Family<'_> {
    /// Waits until all are there, the main process last.
    fn new(machine: &Machine) -> Family<'_> {
        machine.wait("the family", |m| m.read("/out/f").contains("main").then_some(()));
        Family(machine)
    }

    /// Whether the last one of that kind lives. An orphan that waits to be reaped does not: a
    /// control group is empty a moment before PID 1 has buried the last of it.
    fn has(&self, who: &str) -> bool {
        let lines = self.0.read("/out/f");
        let pid = lines.lines().rev().find_map(|line| line.strip_prefix(who));
        let state = format!("grep '^State:' /proc/{}/status", pid.expect("a line").trim());
        let state = self.0.sh(&state).text;
        state.contains("State:") && !state.contains('Z')
    }
}

#[test]
fn who_ignores_the_polite_signal_is_killed_after_the_timeout() {
    let machine = Machine::boot(
        "[service.f]\ncommand = \"/programs/family /out/f stubborn\"\nstop.timeout = \"200ms\"\n",
    );
    let family = Family::new(&machine);
    assert!(family.has("main"));
    let said = machine.order(&["stop", "f"]);
    assert!(said.contains("killed after 200ms (stop.timeout)"), "{said}");
    assert!(!family.has("main"));
    assert!(machine.read("/out/f").contains("asked\n"), "asked before it was killed");
    let status = machine.until("f", "stopped");
    assert_eq!(status["detail"]["last_exit"], "killed by SIGKILL");
}

#[test]
fn stopping_a_service_ends_everybody_in_its_control_group() {
    let machine = Machine::boot(
        "[service.f]\ncommand = \"/programs/family /out/f child runaway\"\nstop.timeout = \"200ms\"\n",
    );
    let family = Family::new(&machine);
    machine.order(&["stop", "f"]);
    assert_eq!(["main", "child", "runaway"].map(|who| family.has(who)), [false; 3]);
}

/// SD21: a service that keeps groups of its own below the one that finit gave it, as those that
/// run containers do.
#[test]
fn sd21_the_stop_signal_reaches_those_in_groups_below_and_they_go_with_the_service() {
    let inner = "sh -c 'trap \\\"echo bye >>/out/bye; exit\\\" TERM; echo $$ >$g/a/b/cgroup.procs; \
                 echo $$ >/out/inner; while :; do sleep 0.01; done'";
    let machine = Machine::boot(&format!(
        "[service.f]\nscript = \"g=/sys/fs/cgroup/finit/f; export g; mkdir -p $g/a/b; {inner} & \
         echo $$ >$g/a/cgroup.procs; trap 'wait; exit' TERM; echo >/out/up; wait\"\n"
    ));
    for _ in 0..2 {
        machine.appears("/out/up");
        let inner =
            machine.wait("the inner one", |m| m.read("/out/inner").trim().parse::<i32>().ok());
        let said = machine.order(&["stop", "f"]);
        assert!(!said.contains("killed"), "{said}");
        assert_eq!(machine.read("/out/bye"), "bye\n", "it was asked");
        assert!(!machine.exists(&format!("/proc/{inner}")));
        for path in ["/out/up", "/out/inner", "/out/bye"] {
            machine.forget(path);
        }
        machine.order(&["start", "f"]);
    }
}

/// What is left of the last run is gone before the next begins, so that no port is taken.
#[test]
fn a_crash_takes_what_is_left_of_the_service_along() {
    let machine = Machine::boot(
        "[service.f]\ncommand = \"/programs/family /out/f child runaway\"\nstop.timeout = \"200ms\"\n\
         restart = \"never\"\n",
    );
    let family = Family::new(&machine);
    machine.sh(&format!("kill -9 {}", machine.main_pid("f")));
    machine.until("f", "failed");
    assert_eq!(["main", "child", "runaway"].map(|who| family.has(who)), [false; 3]);
}

#[test]
fn scope_main_ends_the_main_process_and_leaves_the_rest() {
    let machine = Machine::boot(
        "[service.f]\ncommand = \"/programs/family /out/f child runaway\"\nstop.scope = \"main\"\n",
    );
    let family = Family::new(&machine);
    machine.order(&["stop", "f"]);
    assert_eq!(["main", "child", "runaway"].map(|who| family.has(who)), [false, true, true]);
}

#[test]
fn a_command_of_its_own_stops_the_service_and_knows_its_process() {
    let machine = Machine::boot(
        r#"
        [service.f]
        command = "/programs/family /out/f stubborn"
        stop.command = "/bin/sh -c 'echo $MAINPID > /out/told; kill -9 $MAINPID'"
        "#,
    );
    Family::new(&machine);
    let pid = machine.main_pid("f");
    machine.order(&["stop", "f"]);
    assert_eq!(machine.read("/out/told").trim(), pid.to_string());
    assert!(!machine.read("/out/f").contains("asked"), "the command takes the place of the signal");
}

/// Without cgroup2 a service is the process groups of its own processes.
#[test]
fn without_control_groups_the_process_group_is_stopped() {
    let plan = Plan::new().with("cgroup=no");
    let machine = plan.boot(
        "[service.f]\ncommand = \"/programs/family /out/f stubborn child\"\nstop.timeout = \"200ms\"\n",
    );
    let family = Family::new(&machine);
    machine.order(&["stop", "f"]);
    assert_eq!(["main", "child"].map(|who| family.has(who)), [false; 2]);
    machine.order(&["start", "f"]);
    machine.until("f", "up");
}

/// However much it forks, and stopped or not.
#[test]
fn a_frozen_service_is_stopped_too() {
    let machine = Machine::boot(
        "[service.f]\ncommand = \"/programs/family /out/f child\"\nstop.timeout = \"10s\"\n",
    );
    let family = Family::new(&machine);
    machine.order(&["signal", "STOP", "f"]);
    machine.order(&["stop", "f"]);
    assert_eq!(["main", "child"].map(|who| family.has(who)), [false; 2]);
    assert_eq!(machine.until("f", "stopped")["detail"]["last_exit"], "killed by SIGTERM");
}

#[test]
fn a_signal_by_hand_that_ends_a_service_is_told_with_who_sent_it() {
    let machine = Machine::boot(
        r#"
        [service.db]
        command = "/programs/idle"
        restart = "never"
        [service.slow]
        command = "/programs/idle"
        before-start = { run = "/bin/sleep 1000", timeout = "300ms" }
        restart = "never"
        "#,
    );
    machine.until("db", "up");
    machine.order(&["signal", "QUIT", "db"]);
    machine.until("db", "failed");
    let why = machine.ctl(&["why", "db"]).text;
    assert!(why.contains("killed by SIGQUIT") && why.contains("asked: signal QUIT db"), "{why}");
    let late = "before-start `/bin/sleep 1000` took longer than 300ms (timeout) and was killed";
    assert_eq!(machine.until("slow", "failed")["reason"], late);
    let why = machine.ctl(&["why", "slow"]).text;
    assert!(why.contains("the end of the time for a command") && why.contains("the boot"), "{why}");
}

/// B8: what looks like a zombie has not ended as long as a thread of it lives.
#[test]
fn one_whose_first_thread_has_ended_is_up_until_it_is_stopped() {
    let machine = Machine::boot("[service.l]\ncommand = \"/programs/leader\"\n");
    let pid = machine.main_pid("l");
    let status = format!("/proc/{pid}/status");
    machine
        .wait("its first thread to end", |m| m.read(&status).contains("State:\tZ").then_some(()));
    let report = machine.status("l");
    assert_eq!((report["state"].as_str(), &report["restarts"]), (Some("up"), &0.into()));
    let said = machine.order(&["stop", "l"]);
    assert!(!said.contains("killed"), "{said}");
    assert!(!machine.exists(&status), "{said}");
    // And when somebody else ends it, it comes again.
    machine.order(&["start", "l"]);
    machine.sh(&format!("kill -9 {}", machine.main_pid("l")));
    machine.wait("another one", |m| (m.status("l")["restarts"] == 1).then_some(()));
}

/// The shipped file's.
fn with_network(ifup: &str) -> Machine {
    let shipped = include_str!("../../config/finit.toml");
    let begin = shipped.find("[task.networking]").unwrap();
    let task = shipped[begin..].split("\n\n").next().unwrap();
    let note = "#!/bin/sh\necho ${0##*/} $@ >>/out/diary\n";
    let plan = Plan::new().file("/sbin/ifup", &format!("{note}{ifup}"));
    plan.file("/sbin/ifdown", note).boot(task)
}

const UP: &str = "ifup -a\nifup -a --allow=hotplug\n";

/// What is yet to be written to a server would be lost without it.
#[test]
fn the_network_stays_while_a_file_system_or_a_disk_comes_over_it() {
    let machine = with_network("");
    machine.until("networking", "done");
    for (come, go) in [
        ("mount -t tmpfs -o _netdev disk /mnt && findmnt -mnO _netdev", "umount /mnt"),
        // As the disk of a root that an initramfs has found has it.
        (
            "mount -t tmpfs x /sys/block && mkdir /sys/block/nbd0 && echo 9 >/sys/block/nbd0/pid",
            "umount /sys/block",
        ),
    ] {
        assert_eq!(machine.sh(come).code, 0);
        machine.order(&["stop", "networking"]);
        assert_eq!(machine.read("/out/diary"), UP);
        assert_eq!(machine.sh(go).code, 0);
        machine.forget("/out/diary");
        machine.order(&["start", "networking"]);
    }
    machine.order(&["stop", "networking"]);
    assert_eq!(machine.read("/out/diary"), format!("{UP}ifdown -a --exclude=lo\n"));
}

/// Those of `allow-hotplug` go down with the others, and udev brings them up only once.
#[test]
fn a_restart_of_the_network_brings_back_all_that_it_takes_down() {
    let machine = with_network("[ $# -eq 1 ]\n");
    machine.until("networking", "done");
    machine.order(&["restart", "networking"]);
    assert_eq!(machine.read("/out/diary"), format!("{UP}ifdown -a --exclude=lo\n{UP}"));

    // An interface that is not there is told of by `auto` alone, and keeps none from being tried.
    let machine = with_network("exit 1\n");
    machine.until("networking", "failed");
    assert_eq!(machine.read("/out/diary"), UP);
}
