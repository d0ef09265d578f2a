//! Main processes that are another's children: their parent lives on and reaps them.

use crate::machine::{Machine, Plan};
use crate::ready::{TELLER, give, order};

const UNSEEN: &str = "ended, and finit was not told how";
const KILLED: &str = "killed by SIGKILL";

/// A service whose main process is a child of the process that was started; both of them.
fn supervised(plan: Plan, more: &str, how: &str) -> (Machine, i32, i32) {
    let machine = plan.file("/etc/teller.py", TELLER).boot(&format!(
        "[service.teller]\ncommand = \"/usr/bin/python3 /etc/teller.py /out/teller\"\n\
         ready = \"notify\"\nnotify-from = \"any\"\nrestart.delay = \"1ms\"\n{more}"
    ));
    machine.appears("/out/teller/ready");
    order(&machine, "tell READY=1");
    let supervisor = machine.main_pid("teller");
    order(&machine, how);
    order(&machine, "barrier");
    let worker = machine.main_pid("teller");
    assert_ne!(worker, supervisor);
    (machine, supervisor, worker)
}

fn last_exit(machine: &Machine) -> String {
    machine.status("teller")["detail"]["last_exit"].as_str().unwrap_or_default().to_owned()
}

/// Waits for the restart of that number and whoever it started; what was before is gone.
fn restarted(machine: &Machine, number: u64, before: i32) {
    machine.wait("a restart", |m| (m.status("teller")["restarts"] == number).then_some(()));
    machine.wait("the end of its supervisor", |m| {
        (!m.exists(&format!("/proc/{before}"))).then_some(())
    });
    machine.wait("its orders", |m| {
        let ready = m.read("/out/teller/ready");
        (!ready.is_empty() && ready != before.to_string()).then_some(())
    });
    order(machine, "tell READY=1");
    order(machine, "barrier");
    let status = machine.status("teller");
    assert_eq!((&status["state"], &status["restarts"]), (&"up".into(), &number.into()));
}

#[test]
fn a_main_process_that_its_supervisor_outlives_is_missed() {
    for group in ["yes", "no"] {
        let plan = Plan::new().with(&format!("cgroup={group}"));
        let (machine, supervisor, worker) = supervised(plan, "", "worker");
        machine.sh(&format!("kill -9 {worker}"));
        restarted(&machine, 1, supervisor);
        assert_eq!(last_exit(&machine), UNSEEN);
        let line = format!("teller: {UNSEEN}; starting it again");
        machine.until_shown(&line);
    }
}

#[test]
fn an_end_that_nobody_saw_is_no_failure() {
    let (machine, supervisor, worker) =
        supervised(Plan::new(), "restart.when = \"on-failure\"\n", "worker");
    machine.sh(&format!("kill -9 {worker}"));
    let status = machine.until("teller", "stopped");
    assert_eq!(status["reason"], UNSEEN);
    assert!(!machine.exists(&format!("/proc/{supervisor}")));
}

#[test]
fn one_that_nobody_reaps_is_missed_too() {
    let (machine, supervisor, worker) = supervised(Plan::new(), "", "zombie");
    machine.sh(&format!("kill -9 {worker}"));
    restarted(&machine, 1, supervisor);
    assert_eq!(last_exit(&machine), UNSEEN);
}

#[test]
fn whoever_is_orphaned_is_reaped_by_pid_1_which_knows_how_it_ended() {
    let (machine, supervisor, worker) = supervised(Plan::new(), "", "worker");
    machine.sh(&format!("kill -9 {supervisor}"));
    let parent = format!("/proc/{worker}/status");
    machine
        .wait("PID 1 to be its parent", |m| m.read(&parent).contains("PPid:\t1\n").then_some(()));
    assert_eq!(machine.main_pid("teller"), worker);
    machine.sh(&format!("kill -9 {worker}"));
    restarted(&machine, 1, supervisor);
    assert_eq!(last_exit(&machine), KILLED);
}

/// The worker ends first, and its supervisor before it asked how.
#[test]
fn of_two_that_are_killed_at_once_the_end_is_known_and_counts_once() {
    let (machine, supervisor, worker) = supervised(Plan::new(), "", "zombie");
    machine.sh(&format!("kill -9 {worker} {supervisor}"));
    restarted(&machine, 1, supervisor);
    assert_eq!(last_exit(&machine), KILLED);
}

#[test]
fn a_stop_waits_for_it_and_reaches_it_alone() {
    let (machine, supervisor, worker) =
        supervised(Plan::new(), "stop.scope = \"main\"\n", "worker");
    let said = machine.order(&["stop", "teller"]);
    assert!(!said.contains("SIGKILL"), "{said}");
    assert_eq!(machine.status("teller")["state"], "stopped");
    assert!(!machine.exists(&format!("/proc/{worker}")));
    assert!(machine.exists(&format!("/proc/{supervisor}")));
}

#[test]
fn an_upgrade_watches_it_still_and_misses_no_end_in_between() {
    let (machine, supervisor, worker) = supervised(Plan::new(), "", "worker");
    machine.booted();
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(machine.main_pid("teller"), worker);
    machine.sh(&format!("kill -9 {worker}"));
    restarted(&machine, 1, supervisor);
    // Before the new finit looks, or after it.
    for number in 2..8 {
        let supervisor = machine.main_pid("teller");
        order(&machine, "worker");
        order(&machine, "barrier");
        let worker = machine.main_pid("teller");
        machine.hang_up();
        let mut upgrade = machine.begin(&["/usr/sbin/finitctl", "upgrade"]);
        machine.sh(&format!("kill -9 {worker}"));
        upgrade.wait().unwrap();
        restarted(&machine, number, supervisor);
    }
}

#[test]
fn no_descriptor_is_left_of_those_that_were_the_main_process() {
    let (machine, supervisor, _) = supervised(Plan::new(), "", "worker");
    order(&machine, &format!("tell MAINPID={supervisor}"));
    order(&machine, "barrier");
    let before = machine.pid1_descriptors();
    order(&machine, "swap 100");
    assert_eq!(machine.pid1_descriptors(), before);
    let mut supervisor = supervisor;
    for number in 1..6 {
        order(&machine, "worker");
        order(&machine, "barrier");
        assert_eq!(machine.pid1_descriptors(), before + 1, "one for the worker");
        machine.sh(&format!("kill -9 {}", machine.main_pid("teller")));
        restarted(&machine, number, supervisor);
        supervisor = machine.main_pid("teller");
        assert_eq!(machine.pid1_descriptors(), before);
    }
    order(&machine, "worker");
    give(&machine, "end");
    machine.order(&["stop", "teller"]);
    machine.wait("none of it", |m| (m.pid1_descriptors() == before).then_some(()));
}

#[test]
fn a_pid_file_may_name_the_child_of_one_that_lives_on() {
    let start = "setsid sh -c 'sleep 1000 & echo $! > /run/app.pid; wait; exec sleep 1000' &";
    let machine = Plan::new().file("/etc/start", &format!("#!/bin/sh\n{start}\n")).boot(
        "[service.app]\ncommand = \"/etc/start\"\nready = \"forked\"\npidfile = \"/run/app.pid\"\n\
         restart = { delay = \"1ms\" }\n",
    );
    let pid = machine.main_pid("app");
    assert_eq!(machine.read("/run/app.pid").trim(), pid.to_string());
    machine.sh(&format!("kill {pid}"));
    let second = machine.wait("another", |m| Some(m.main_pid("app")).filter(|found| *found != pid));
    assert_eq!(machine.status("app")["restarts"], 1);
    machine.order(&["stop", "app"]);
    assert!(!machine.exists(&format!("/proc/{second}")));
    assert_eq!(machine.sh("pidof sleep").text, "");
}

/// What Linux could not do before 5.3 is missed once, and all else goes on.
#[test]
fn an_old_kernel_is_told_of_once_and_reaps_what_it_is_given() {
    let (machine, supervisor, _) = supervised(Plan::new().with("old=yes"), "", "worker");
    order(&machine, "worker");
    order(&machine, "barrier");
    let worker = machine.main_pid("teller");
    let line = "its end will not be noticed: pidfd_open";
    machine.until_shown(line);
    assert_eq!(machine.console().matches(line).count(), 1, "{}", machine.console());
    machine.sh(&format!("kill -9 {supervisor}"));
    let parent = format!("/proc/{worker}/status");
    machine
        .wait("PID 1 to be its parent", |m| m.read(&parent).contains("PPid:\t1\n").then_some(()));
    machine.sh(&format!("kill -9 {worker}"));
    restarted(&machine, 1, supervisor);
    assert_eq!(last_exit(&machine), KILLED);
}
