//! Another finit takes the place of the one that runs: nothing restarts, nothing is forgotten.
//! A boot is not handed over, so each test waits for the end of it.

use std::process::Command;

use serde_json::Value;

use crate::faults::Faults;
use crate::machine::{Machine, Plan};
use crate::programs::SBIN;
use crate::talk::Said;

/// One of each: what is up, rests, waits, comes back, goes, and is over.
const FILE: &str = r#"
    [service.up]
    command = "/programs/idle"
    [service.by-hand]
    command = "/programs/idle"
    start = "manual"
    [service.echo]
    command = "/programs/serve"
    inetd = "7"
    [service.again]
    command = "/programs/exiter 3"
    restart = { delay = "1h", max-delay = "1h" }
    [service.above]
    command = "/programs/idle"
    needs = "again"
    [service.slow]
    command = "/programs/idle"
    start = "manual"
    before-start = "/bin/sh -c 'touch /out/slow; until [ -e /out/go ]; do sleep 0.01; done'"
    [service.stubborn]
    command = "/bin/sh -c 'trap : TERM; touch /out/stubborn; while :; do sleep 0.01; done'"
    stop.timeout = "1h"
    [service.lost]
    command = "/no/such/program"
    restart = "never"
    [task.over]
    command = "/bin/true"
    remain = true
"#;

/// What must not change: all but times, memory and the like.
fn states(machine: &Machine) -> Vec<String> {
    let line = |service: &Value| {
        let of = |key: &str| service[key].to_string();
        let keys = ["name", "state", "pid", "restarts", "connections"];
        keys.map(of).join(" ")
    };
    machine.list().iter().map(line).collect()
}

fn upgrade(machine: &Machine) {
    machine.hang_up();
    let said = machine.order(&["upgrade"]);
    assert!(said.contains("was executed; nothing was restarted"), "{said}");
}

#[test]
fn each_state_goes_on_as_if_nothing_had_been() {
    let machine = Machine::boot(FILE);
    machine.appears("/out/stubborn");
    machine.booted();
    machine.order(&["start", "--no-wait", "slow"]);
    machine.appears("/out/slow");
    machine.until("again", "restarting");
    machine.until("lost", "failed");
    machine.order(&["stop", "--no-wait", "stubborn"]);
    machine.until("stubborn", "stopping");
    let before = states(&machine);
    for _ in 0..10 {
        upgrade(&machine);
        assert_eq!(states(&machine), before);
    }
    // What was on its way goes on, what was asked for counts, and what dies is noticed.
    machine.write("/out/go", "");
    machine.until("slow", "up");
    machine.order(&["start", "by-hand"]);
    let pid = machine.main_pid("up");
    assert_eq!(machine.run(&["kill", "-9", &pid.to_string()]).code, 0);
    machine.wait("another process", |m| (m.status("up")["pid"] != pid).then_some(()));
    assert_eq!(machine.status("up")["restarts"], 1);
    let stubborn = machine.status("stubborn")["pid"].to_string();
    assert_eq!(machine.run(&["kill", "-9", &stubborn]).code, 0);
    machine.until("stubborn", "stopped");
    machine.order(&["reset", "again"]);
    machine.order(&["stop", "up", "by-hand", "slow", "echo", "above", "again"]);
    upgrade(&machine);
    assert_eq!(machine.status("by-hand")["state"], "stopped");
    assert_eq!(machine.sh("pidof idle").text, "");
}

#[test]
fn a_definition_that_waits_for_a_restart_waits_on() {
    let file = |code: &str| format!("[service.up]\ncommand = \"/programs/idle /out/{code}\"\n");
    let machine = Machine::boot(&file("old"));
    machine.appears("/out/old");
    machine.booted();
    machine.write("/etc/finit.toml", &file("new"));
    // Reads the file, and follows nothing of it but this.
    machine.order(&["start", "up"]);
    machine.write("/etc/finit.toml", "[service.up]\nno such thing");
    upgrade(&machine);
    assert!(!machine.exists("/out/new"), "{}", machine.story());
    machine.order(&["stop", "up"]);
    machine.write("/etc/finit.toml", &file("new"));
    machine.order(&["start", "up"]);
    machine.appears("/out/new");
}

#[test]
fn a_program_that_cannot_take_over_is_refused_and_all_goes_on() {
    let machine = Machine::boot("[service.up]\ncommand = \"/programs/idle\"\n");
    let pid = machine.main_pid("up");
    machine.booted();
    for (program, why) in [
        ("/programs/exiter", "/programs/exiter does not understand"),
        ("/bin/true", "/bin/true does not understand"),
        ("/bin/sh", "/bin/sh does not understand"),
        ("/etc/finit.toml", "exec /etc/finit.toml"),
        ("/no/such/program", "ENOENT"),
    ] {
        let said = machine.ctl(&["upgrade", program]);
        assert!(said.code != 0 && said.text.contains(why), "{program}: {}", said.text);
        assert_eq!(machine.main_pid("up"), pid);
    }
    // PID 1 is in another folder than whoever names it.
    for program in ["finit", "bin/true"] {
        let said = machine.connect().ask(&format!("upgrade {program}")).unwrap();
        assert!(said.starts_with("error: ") && said.contains("no absolute path"), "{said}");
    }
    let said = machine.sh("cd /bin && finitctl upgrade true");
    assert!(said.code != 0 && said.text.contains("/bin/true does not understand"), "{}", said.text);
    for words in [["/usr/sbin/finit", "u"], ["/usr/sbin/finit", "upgrade"]] {
        machine.hang_up();
        let said = machine.run(&words);
        assert!(said.text.contains("was executed; nothing was restarted"), "{}", said.text);
        assert_eq!(machine.main_pid("up"), pid);
    }
}

/// A machine in which the process of `waits` waits before its program: for somebody who opens
/// /run/fifo, and nobody does.
pub fn one_waits() -> (Machine, i64) {
    let machine = Machine::boot(
        "[service.up]\ncommand = \"/programs/idle\"\nbefore-start = \"/usr/bin/mkfifo /run/fifo\"\n\
         [service.waits]\ncommand = \"/programs/idle\"\nstdin = \"file:/run/fifo\"\n\
         needs = \"up\"\nstart = \"manual\"\nrestart.delay = \"10ms\"\n",
    );
    machine.booted();
    machine.order(&["start", "--no-wait", "waits"]);
    let pid = machine.opens("waits");
    (machine, pid)
}

#[test]
fn a_start_that_does_not_get_on_is_named_and_once_stopped_is_no_obstacle() {
    let (machine, _) = one_waits();
    machine.hang_up();
    let said = machine.ctl(&["upgrade"]);
    let why = "waits is being started and does not get on: stop it first";
    assert!(said.code != 0 && said.text.contains(why), "{said:?}");
    machine.order(&["stop", "waits"]);
    upgrade(&machine);
}

#[test]
fn clients_and_connections_meet_one_of_the_two() {
    let machine = Machine::boot(FILE);
    machine.booted();
    std::thread::scope(|scope| {
        let path = machine.path("/run/initctl");
        let asking = scope.spawn(move || {
            for _ in 0..300 {
                let mut line = crate::talk::Line::to(&path).unwrap();
                assert_eq!(line.ask("status up").unwrap(), "ok");
            }
        });
        let mut served = machine.begin(&["/programs/clients", "7", "300", "2"]);
        for _ in 0..20 {
            upgrade(&machine);
        }
        asking.join().unwrap();
        assert!(served.wait().unwrap().success());
        let said = std::io::read_to_string(served.stdout.take().unwrap()).unwrap();
        assert!(said.starts_with("300 ") && said.contains("0 refused"), "{said}");
    });
}

/// J3: one of which a byte is missing or another, at any place, is not taken for whole.
#[test]
fn j3_what_is_cut_or_damaged_is_not_understood() {
    // Keeps what it should look at, and says nothing.
    let keeps = "#!/bin/sh\ncp \"$2\" /out/whole\n";
    let machine = Plan::new().file("/etc/keeps", keeps).boot(FILE);
    machine.until("again", "restarting");
    machine.booted();
    let said = machine.ctl(&["upgrade", "/etc/keeps"]);
    assert!(said.text.contains("/etc/keeps does not understand"), "{said:?}");
    let whole = std::fs::read(machine.path("/out/whole")).unwrap();
    let path = format!("/proc/{}/root/out/damaged", machine.pid);
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let check = Command::new(SBIN.join("finit")).args(["--check-handover", &path]).output();
        Said::from(check.unwrap())
    };
    let said = check(&whole);
    assert_eq!((said.code, said.text.as_str()), (0, "understood"));
    for at in (0..whole.len()).step_by(whole.len() / 200) {
        let with = |byte: u8| [&whole[..at], &[byte], &whole[at + 1..]].concat();
        for bytes in [whole[..at].to_vec(), with(0), with(0xff)] {
            let said = check(&bytes);
            assert_eq!(said.code, 1, "{at}: {said:?}");
            assert!(!said.text.contains("understood"), "{at}: {said:?}");
        }
    }
}

/// Where the turn from one finit to the other is held: the end of a system call, and its number.
const TURNS: [(&str, libc::c_long); 3] = [
    // The program that looked at the handover is reaped, and has not been heard yet.
    ("waitid:delay_exit", libc::SYS_waitid),
    ("execve:delay_enter", libc::SYS_execve),
    // The first thing that a program does, and no other.
    ("set_tid_address:delay_enter", libc::SYS_set_tid_address),
];

/// Has another finit take over, and this happen in the middle of the turn.
fn meanwhile(machine: &Machine, (hold, call): (&str, libc::c_long), happens: impl Fn()) -> Said {
    machine.hang_up();
    // Longer than anything is waited for: it ends with strace.
    let faults = Faults::inject(machine, machine.pid, &format!("{hold}=1000s:when=1"));
    let asks = machine.begin(&["/usr/sbin/finitctl", "upgrade"]);
    machine.wait(hold, |m| {
        let now = std::fs::read_to_string(format!("/proc/{}/syscall", m.pid)).unwrap();
        (now.split(' ').next() == Some(&call.to_string())).then_some(())
    });
    happens();
    faults.end();
    Said::from(asks.wait_with_output().unwrap())
}

#[test]
fn a_signal_that_comes_in_the_turn_is_heard_by_one_of_the_two() {
    let file = "[service.up]\ncommand = \"/programs/idle\"\nrestart.delay = \"10ms\"\n";
    for turn in TURNS {
        let machine = Machine::boot(file);
        machine.booted();
        let pid = machine.main_pid("up");
        let more = file.replace("up", "more");
        machine.write("/etc/finit.toml", &format!("{file}{more}"));
        let said = meanwhile(&machine, turn, || {
            machine.signal_pid1(libc::SIGHUP);
            assert_eq!(machine.run(&["kill", "-9", &pid.to_string()]).code, 0);
        });
        assert!(said.text.contains("was executed; nothing was restarted"), "{turn:?}: {said:?}");
        machine.wait("another process", |m| (m.main_pid("up") != pid).then_some(()));
        machine.main_pid("more");
        meanwhile(&machine, turn, || machine.signal_pid1(libc::SIGRTMIN() + 4));
        assert_eq!(machine.ended(), "SIGNAL 2", "{turn:?}");
    }
}
