//! Groups that were killed at once (cgroup.kill): on kernels that count such kills, what is born
//! in one is killed before its first instruction, so none is used again.

use crate::machine::Machine;

const STUBBORN: &str = "[service.f]\ncommand = \"/programs/family /out/f stubborn\"\n\
    stop.timeout = \"50ms\"\nrestart.delay = \"10ms\"\n";

/// The folder of the group of a service.
fn folder(machine: &Machine, name: &str) -> String {
    let status = machine.status(name);
    status["cgroup"].as_str().unwrap_or_else(|| panic!("no group in {status}")).to_owned()
}

/// It runs, another process than before, and in its group.
fn runs_again(machine: &Machine, name: &str, before: i32) -> i32 {
    let pid = machine.wait("another process", |m| {
        let pid = m.until(name, "up")["pid"].as_i64()?;
        (pid != i64::from(before)).then_some(pid as i32)
    });
    let procs = machine.sh(&format!("cat {}/cgroup.procs", folder(machine, name))).text;
    assert!(procs.lines().any(|line| line == pid.to_string()), "{pid} is not among {procs}");
    assert_eq!(machine.status(name)["state"], "up");
    pid
}

/// The program is there and would be gone by now if it had been killed at its birth.
fn came(machine: &Machine, times: usize) {
    let mains = |m: &Machine| m.read("/out/f").matches("main").count();
    machine.wait("the program to come", |m| (mains(m) >= times).then_some(()));
    assert_eq!(mains(machine), times, "{}", machine.story());
}

#[test]
fn what_sigkill_stopped_starts_again() {
    let machine = Machine::boot(STUBBORN);
    let mut pid = 0;
    for times in 1..=6 {
        came(&machine, times);
        pid = runs_again(&machine, "f", pid);
        if times % 2 == 0 {
            machine.order(&["stop", "f"]);
            assert_eq!(machine.status("f")["detail"]["last_exit"], "killed by SIGKILL");
            machine.order(&["start", "f"]);
        } else {
            machine.order(&["restart", "f"]);
        }
    }
    assert_eq!(machine.status("f")["restarts"], 0, "no start was in vain");
}

#[test]
fn hooks_around_a_kill_run_too() {
    let machine = Machine::boot(&format!(
        "{STUBBORN}before-start = \"/bin/sh -c 'echo before >> /out/h'\"\n\
         after-stop = \"/bin/sh -c 'echo after >> /out/h'\"\n"
    ));
    came(&machine, 1);
    machine.order(&["restart", "f"]);
    came(&machine, 2);
    assert_eq!(machine.read("/out/h"), "before\nafter\nbefore\n");
}

#[test]
fn the_rest_of_the_group_that_is_killed_keeps_nobody_from_coming_again() {
    let scopes = ["mixed", "cgroup"];
    for scope in scopes {
        let machine = Machine::boot(&format!(
            "[service.f]\ncommand = \"/programs/family /out/f child runaway\"\n\
             stop.timeout = \"50ms\"\nstop.scope = \"{scope}\"\nrestart.delay = \"10ms\"\n"
        ));
        came(&machine, 1);
        // What a crash leaves behind goes, and the service comes again.
        let pid = machine.main_pid("f");
        machine.sh(&format!("kill -SEGV {pid}"));
        came(&machine, 2);
        runs_again(&machine, "f", pid);
        machine.order(&["stop", "f"]);
        machine.order(&["start", "f"]);
        came(&machine, 3);
        assert_eq!(machine.status("f")["restarts"], 1, "one for the crash");
    }
}

#[test]
fn a_finit_that_takes_over_knows_which_groups_were_killed() {
    let machine = Machine::boot(STUBBORN);
    machine.booted();
    came(&machine, 1);
    machine.order(&["stop", "f"]);
    machine.hang_up();
    machine.order(&["upgrade"]);
    machine.order(&["start", "f"]);
    came(&machine, 2);
    machine.hang_up();
    machine.order(&["upgrade"]);
    machine.order(&["restart", "f"]);
    came(&machine, 3);
    assert_eq!(machine.status("f")["restarts"], 0);
}

#[test]
fn a_group_that_somebody_took_away_is_made_again() {
    let machine = Machine::boot("[service.f]\ncommand = \"/programs/idle\"\n");
    let pid = machine.main_pid("f");
    let group = folder(&machine, "f");
    machine.order(&["stop", "f"]);
    assert_eq!(machine.sh(&format!("rmdir {group}")).code, 0);
    machine.order(&["start", "f"]);
    runs_again(&machine, "f", pid);
    assert_eq!(folder(&machine, "f"), group);
}

/// A group with somebody in it cannot be made anew: who starts moves in.
#[test]
fn beside_a_stranger_in_a_killed_group_a_service_starts() {
    let machine = Machine::boot(STUBBORN);
    came(&machine, 1);
    let (pid, group) = (machine.main_pid("f"), folder(&machine, "f"));
    machine.order(&["stop", "f"]);
    let moves = format!("echo $$ > {group}/cgroup.procs; echo > /out/in; exec sleep 1000");
    let mut stranger = machine.begin(&["/bin/sh", "-c", &moves]);
    machine.appears("/out/in");
    machine.order(&["start", "f"]);
    came(&machine, 2);
    runs_again(&machine, "f", pid);
    assert_eq!(machine.sh(&format!("wc -l < {group}/cgroup.procs")).text.trim(), "2");
    machine.order(&["restart", "f"]);
    assert!(!stranger.wait().unwrap().success(), "it is killed with the group it went to");
    came(&machine, 3);
}

/// Whoever kills: one group, or all of them at once, which PID 1 survives as it is PID 1.
#[test]
fn what_an_administrator_killed_comes_again() {
    let machine = Machine::boot(&format!("{STUBBORN}[service.g]\ncommand = \"/programs/idle\"\n"));
    came(&machine, 1);
    let group = folder(&machine, "f");
    let (f, g) = (machine.main_pid("f"), machine.main_pid("g"));
    assert_eq!(machine.sh(&format!("echo 1 > {group}/cgroup.kill")).code, 0);
    came(&machine, 2);
    let f = runs_again(&machine, "f", f);
    assert_eq!(machine.sh(&format!("echo 1 > {group}/../cgroup.kill")).code, 0);
    came(&machine, 3);
    runs_again(&machine, "f", f);
    let g = runs_again(&machine, "g", g);
    machine.order(&["restart", "g"]);
    runs_again(&machine, "g", g);
}
