//! finit meets a bug of its own. The bugs are put into the code of the process that runs, since
//! the program has none to order: a fault where it waits, a panic where it takes a signal in.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;

use crate::machine::{Machine, Plan};
use crate::programs::SBIN;
use crate::talk::{Line, Said};

/// One that says a word a moment to whoever reads it, one that just is, and a socket.
const FILE: &str = r#"
    [service.says]
    command = "/bin/sh -c 'while echo word && : >> /out/said; do sleep 0.01; done; : > /out/mute'"
    [service.is]
    command = "/programs/idle"
    [service.echo]
    command = "/programs/serve"
    inetd = "7"
"#;

/// Puts these bytes into the code of PID 1. Its program on the disk stays what it is.
pub fn patch(machine: &Machine, address: u64, code: &[u8]) {
    let memory = File::options().write(true).open(format!("/proc/{}/mem", machine.pid)).unwrap();
    memory.write_all_at(code, address).unwrap();
}

/// Where PID 1 goes on when what it waits for comes; proc(5), `syscall`.
pub fn waits_at(machine: &Machine) -> u64 {
    machine.wait("PID 1 to rest", |m| {
        let text = fs::read_to_string(format!("/proc/{}/syscall", m.pid)).ok()?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let number = |field: &str| u64::from_str_radix(field.trim_start_matches("0x"), 16).ok();
        fields.get(8).and_then(|pc| number(pc))
    })
}

/// Where the code of the function with these words in its name begins; the shortest name is the
/// one, as others are of closures in it.
pub fn function(words: &[&str]) -> u64 {
    let listed = Command::new("nm").arg(SBIN.join("finit")).output().expect("nm of binutils runs");
    let text = String::from_utf8(listed.stdout).unwrap();
    let named = text.lines().filter(|line| words.iter().all(|word| line.contains(word)));
    let line = named.min_by_key(|line| line.len()).unwrap_or_else(|| panic!("no {words:?}"));
    u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap()
}

/// Has PID 1 panic where this function begins: code that calls what an overflow calls, with a
/// place in a file for it to name.
#[cfg(target_arch = "x86_64")]
fn plant_a_panic(machine: &Machine, names: &[&str]) {
    const PLACE: u64 = 24;
    const NAME: &[u8] = b"a-planted-bug";
    let (at, panic) = (function(names), function(&["panic_const_add_overflow"]));
    let name = at + PLACE + 24;
    let code = [
        // lea rdi, [rip + PLACE - 7]; mov r11, panic; jmp r11
        &[0x48, 0x8d, 0x3d, PLACE as u8 - 7, 0, 0, 0, 0x49, 0xbb][..],
        &panic.to_le_bytes(),
        &[0x41, 0xff, 0xe3, 0, 0, 0, 0],
        &name.to_le_bytes(),
        &(NAME.len() as u64).to_le_bytes(),
        &7u32.to_le_bytes(),
        &8u32.to_le_bytes(),
        NAME,
    ];
    // Nobody is in the middle of that.
    waits_at(machine);
    patch(machine, at, &code.concat());
}

/// It can still say something, and somebody reads it.
fn still_says(machine: &Machine) {
    let said = |m: &Machine| fs::metadata(m.path("/out/said")).map_or(0, |said| said.len());
    machine.forget("/out/said");
    machine.wait("another word", |m| m.exists("/out/said").then(|| said(m)));
    assert!(!machine.exists("/out/mute"), "{}", machine.story());
}

fn lets_a_person_in(machine: &Machine) {
    machine.wait("somebody to let a person in", |m| {
        let seen = m.console();
        ["# ", "root password", "sulogin"].iter().any(|text| seen.contains(text)).then_some(())
    });
}

/// Has PID 1 come upon what is no instruction.
fn fault(machine: &Machine) {
    // ud2, where epoll_wait(2) returns to.
    patch(machine, waits_at(machine), &[0x0f, 0x0b]);
    machine.signal_pid1(libc::SIGUSR1);
    machine.until_shown("SIGILL, which is a bug");
}

#[test]
fn a_fault_ends_nothing_but_the_supervision() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let (says, is) = (machine.main_pid("says"), machine.main_pid("is"));
    machine.appears("/out/said");
    machine.hang_up();
    fault(&machine);
    lets_a_person_in(&machine);
    for pid in [says, is] {
        assert_eq!(machine.run(&["kill", "-0", &pid.to_string()]).code, 0, "{}", machine.story());
    }
    still_says(&machine);
    // Its child is PID 1's by the time that it ends, and is reaped.
    let orphan = machine.sh("sh -c 'sleep 0.1 & echo $!'").text;
    machine.wait("the end of an orphan", |m| {
        (!fs::exists(m.path(&format!("/proc/{}", orphan.trim()))).unwrap()).then_some(())
    });
}

/// It says what has happened to whoever asks, and ends.
fn tells_callers(said: &Said, why: &str) {
    let text = format!("finitctl: finit has failed: {why}. Services run on unsupervised; save ");
    assert!(said.code == 7 && said.text.contains(&text), "{said:?}");
}

#[test]
fn who_waits_for_a_finit_that_failed_and_who_comes_later_is_told_so() {
    let slow = "[service.slow]\ncommand = \"/programs/idle\"\nstart = \"manual\"\n\
                before-start = \"/bin/sh -c 'touch /out/slow; sleep infinity'\"\n\
                [service.named]\ncommand = \"/programs/serve\"\ninetd = \"unix:/run/named\"\n";
    let machine = Machine::boot(&format!("{FILE}{slow}"));
    machine.booted();
    // One that never ends would be of no use to a person.
    const CTL: [&str; 3] = ["timeout", "30", "/usr/sbin/finitctl"];
    let waits = machine.begin(&[&CTL[..], &["start", "slow"]].concat());
    machine.appears("/out/slow");
    let mut silent = machine.connect();
    fault(&machine);
    const WHY: &str = "SIGILL, which is a bug";
    tells_callers(&Said::from(waits.wait_with_output().unwrap()), WHY);
    assert!(silent.hear().unwrap().contains(WHY));
    assert_eq!(silent.hear().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    for _ in 0..3 {
        tells_callers(&machine.run(&[&CTL[..], &["status"]].concat()), WHY);
    }
    // Nothing but that was closed: what services listen on takes connections, and what they say.
    assert_eq!(machine.run(&["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7"]).code, 0);
    assert!(Line::to(&machine.path("/run/named")).is_ok());
    still_says(&machine);
}

#[test]
fn signals_of_others_are_no_faults() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];
    for _ in 0..100 {
        // The one may come while the other is looked at.
        faults.iter().for_each(|signal| machine.signal_pid1(*signal));
    }
    for signal in faults {
        assert_eq!(machine.run(&["kill", &format!("-{signal}"), "1"]).code, 0);
    }
    assert_eq!(machine.status("is")["state"], "up");
    assert!(!machine.console().contains("has failed"), "{}", machine.console());
}

/// Another finit has gone on, for this time: who asked earlier would ask one that panics.
#[cfg(target_arch = "x86_64")]
fn goes_on(machine: &Machine, times: usize) {
    machine.wait("another finit", |m| {
        let console = m.console();
        let told = ["executed anew in ", "panicked at a-planted-bug:7:8"];
        told.iter().all(|text| console.matches(text).count() == times).then_some(())
    });
    // It is told of the signal, too, and makes its socket anew: who came before may go unheard.
    machine.wait("an answer", |m| m.try_request(r#"{"method":"list"}"#));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_costs_what_it_was_about_and_nothing_else() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let pids = ["says", "is"].map(|name| machine.main_pid(name));
    machine.appears("/out/said");
    // In the loop, in what it waits with (tokio panics when epoll_wait(2) fails), and in between.
    let bugs = [
        ["finit", "Driver", "on_asked"],
        ["tokio", "Driver", "turn"],
        ["finit", "Signals", "asked"],
    ];
    for (before, bug) in bugs.into_iter().enumerate() {
        machine.hang_up();
        plant_a_panic(&machine, &bug);
        machine.signal_pid1(libc::SIGUSR1);
        goes_on(&machine, before + 1);
        assert_eq!(["says", "is"].map(|name| machine.main_pid(name)), pids);
        assert_eq!(machine.status("echo")["state"], "listening");
        assert!(machine.order(&["status"]).contains("finit met a bug of its own"));
        still_says(&machine);
    }
    // A fourth in a minute is one too many.
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
    machine.signal_pid1(libc::SIGUSR1);
    machine.until_shown("4 panics in a minute");
    tells_callers(&machine.ctl(&["status"]), "4 panics in a minute, which are bugs");
    still_says(&machine);
}

/// It comes together with what finit panics at, which is handled before it.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_signal_that_was_read_before_a_panic_is_heard_by_the_next_finit() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let pid = machine.main_pid("is");
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "4reap"]);
    machine.signal_pid1(libc::SIGSTOP);
    assert_eq!(machine.run(&["kill", "-9", &pid.to_string()]).code, 0);
    machine.signal_pid1(libc::SIGRTMIN() + 4);
    machine.signal_pid1(libc::SIGCONT);
    assert_eq!(machine.ended(), "SIGNAL 2", "{}", machine.story());
    machine.until_shown("panicked at a-planted-bug");
}

/// A step is a part of finit, and its program is not: what that does, it does. Nothing is done
/// twice, and a person may try it again.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_in_the_boot_costs_the_steps_that_run_and_the_boot_goes_on() {
    let step = "#!/bin/sh\necho x >> /out/step\nuntil [ -e /out/go ]; do sleep 0.01; done\n";
    let machine = Plan::new().file("/usr/bin/systemd-tmpfiles", step).boot(FILE);
    machine.appears("/out/step");
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
    machine.signal_pid1(libc::SIGUSR1);
    goes_on(&machine, 1);
    machine.booted();
    machine.until("is", "up");
    machine.appears("/out/said");
    assert_eq!(machine.status("tmpfiles")["reason"], "a bug of finit interrupted it");
    assert_eq!(machine.read("/out/step"), "x\n");
    machine.write("/out/go", "");
    machine.order(&["start", "tmpfiles"]);
    assert_eq!(machine.read("/out/step"), "x\nx\n");
}

/// Who looked for instances is forgotten then: another one looks.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_while_instances_are_looked_for_has_them_looked_for_again() {
    let list = "#!/bin/sh\necho x >> /out/list\n[ -e /out/mounted ] || exit 0\n\
                until [ -e /out/go ]; do sleep 0.01; done\necho a\n";
    let file = "[task.wait]\nstage = \"early\"\nbefore = \"mount-local\"\n\
                command = \"/bin/sh -c 'until [ -e /out/mounted ]; do sleep 0.01; done'\"\n\
                [service.site]\ncommand = \"/programs/idle\"\ninstances.command = \"/etc/list\"\n";
    for is_early in [false, true] {
        let machine = Plan::new().file("/etc/list", list).boot(file);
        let mut looks = "x\n".to_owned();
        if is_early {
            // Whoever looks before the boot finds little, and is not believed.
            machine.order(&["start", "--no-wait", "site"]);
            assert_eq!(machine.read("/out/list"), looks);
            looks.push_str("x\n");
        }
        machine.write("/out/mounted", "");
        machine.wait("the boot to look", |m| (m.read("/out/list") == looks).then_some(()));
        if !is_early {
            let status = machine.until("site", "waiting");
            assert_eq!(status["reason"], "its instances are not looked for yet");
        }
        machine.hang_up();
        plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
        machine.signal_pid1(libc::SIGUSR1);
        goes_on(&machine, 1);
        looks.push_str("x\n");
        machine.wait("another look", |m| (m.read("/out/list") == looks).then_some(()));
        machine.write("/out/go", "");
        machine.main_pid("site@a");
    }
}

/// Of those that are to be started, the bug comes upon the first.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_a_panic_kept_from_its_start_is_started_and_nothing_is_done_that_never_ran() {
    let task = |name: &str| {
        format!(
            "[task.{name}]\nstart = \"manual\"\ncommand = \"/bin/sh -c 'echo x >> /out/{name}'\"\n"
        )
    };
    let web = "[service.web]\nstart = \"manual\"\ncommand = \"/programs/idle\"\n\
               needs = [\"one\", \"two\"]\n";
    let machine = Machine::boot(&[&task("one"), &task("two"), web].concat());
    machine.booted();
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "launch_program"]);
    // Its answer goes with the finit that was asked.
    machine.ctl(&["start", "--no-wait", "web"]);
    goes_on(&machine, 1);
    machine.until("two", "done");
    assert_eq!(machine.read("/out/two"), "x\n");
    let one = machine.status("one");
    assert_eq!((&one["state"], machine.exists("/out/one")), (&"failed".into(), false), "{one}");
    assert!(one["reason"].as_str().unwrap().contains("a bug of finit"), "{one}");
    assert_eq!(machine.status("web")["state"], "waiting");
    machine.order(&["start", "web"]);
    assert_eq!((machine.read("/out/one"), machine.read("/out/two")), ("x\n".into(), "x\n".into()));
}

/// Whether its program was executed would be told to nobody.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_start_that_does_not_get_on_is_ended_by_a_panic_and_begun_again() {
    let (machine, pid) = crate::upgrade::one_waits();
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
    machine.signal_pid1(libc::SIGUSR1);
    goes_on(&machine, 1);
    machine.wait("another process", |m| (m.opens("waits") != pid).then_some(()));
    let status = machine.status("waits");
    assert_eq!(status["restarts"], 1, "{status}");
    assert_eq!(status["detail"]["last_exit"], "killed by SIGKILL", "{status}");
    drop(File::options().write(true).open(machine.path("/run/fifo")).unwrap());
    machine.until("waits", "up");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_in_the_shutdown_does_not_keep_the_machine_up() {
    let stubborn = "[service.late]\ncommand = \"/bin/sh -c 'trap \\\"touch /out/asked\\\" TERM; \
                    touch /out/late; while :; do sleep 0.01; done'\"\nstop.timeout = \"3s\"\n";
    let machine = Machine::boot(stubborn);
    machine.booted();
    machine.appears("/out/late");
    machine.order(&["poweroff"]);
    machine.appears("/out/asked");
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
    machine.signal_pid1(libc::SIGUSR1);
    goes_on(&machine, 1);
    assert_eq!(machine.ended(), "SIGNAL 2");
}

/// What is left to do after the services is not a part of the loop, and its end is waited for.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_beside_the_loop_is_met_like_one_in_it() {
    let machine = Machine::boot(FILE);
    machine.booted();
    plant_a_panic(&machine, &["finit", "everyone", "Real", "processes"]);
    // Its answer may come, or the end.
    machine.ctl(&["poweroff"]);
    assert_eq!(machine.ended(), "SIGNAL 2");
    machine.until_shown("panicked at a-planted-bug:7:8");
}

/// Of two that end at once, the bug takes the news of the first away.
#[cfg(target_arch = "x86_64")]
#[test]
fn an_end_that_a_panic_took_away_is_found_and_the_next_is_told() {
    let machine = Machine::boot(
        "[service.one]\ncommand = \"/programs/idle\"\nrestart.delay = \"10ms\"\n\
         [service.two]\ncommand = \"/programs/idle\"\nrestart.delay = \"10ms\"\n",
    );
    machine.booted();
    let before = ["one", "two"].map(|name| machine.main_pid(name));
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_run_ended"]);
    machine.signal_pid1(libc::SIGSTOP);
    for pid in before {
        assert_eq!(machine.run(&["kill", "-9", &pid.to_string()]).code, 0);
    }
    machine.signal_pid1(libc::SIGCONT);
    goes_on(&machine, 1);
    let mut ends = Vec::new();
    for (name, old) in ["one", "two"].into_iter().zip(before) {
        machine.wait("another process", |m| (m.main_pid(name) != old).then_some(()));
        let status = machine.status(name);
        assert_eq!(status["restarts"], 1, "{status}");
        ends.push(status["detail"]["last_exit"].as_str().unwrap().to_owned());
    }
    ends.sort();
    assert_eq!(ends, ["ended, and finit was not told how", "killed by SIGKILL"]);
}

/// K7: the kernel tells them when the thread ends that has started them, and PID 1 goes on in it.
#[cfg(target_arch = "x86_64")]
#[test]
fn k7_who_dies_with_its_parent_lives_on_with_another_finit() {
    let machine = Machine::boot(
        "[service.m]\ncommand = \"/usr/bin/setpriv --pdeathsig KILL /programs/mirror /out/m\"\n",
    );
    assert!(machine.appears("/out/m").contains("\ndeath signal 9,"));
    machine.booted();
    let pid = machine.main_pid("m");
    machine.hang_up();
    plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
    machine.signal_pid1(libc::SIGUSR1);
    goes_on(&machine, 1);
    assert_eq!(machine.main_pid("m"), pid);
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(machine.main_pid("m"), pid);
    assert_eq!(machine.status("m")["restarts"], 0);
}

/// K3: it is another file by now, there is none, or it lies where nobody gets to.
#[cfg(target_arch = "x86_64")]
#[test]
fn k3_a_panic_needs_no_program_on_the_disk() {
    for loss in [
        "cp /bin/true /etc/new && mv /etc/new /etc/finit",
        "rm /etc/finit",
        "umount --lazy /etc/finit",
    ] {
        let machine = Machine::boot(FILE);
        machine.booted();
        let place = match loss.starts_with("umount") {
            true => "touch /etc/finit && mount --bind /usr/sbin/finit /etc/finit",
            false => "cp /usr/sbin/finit /etc/finit",
        };
        assert_eq!(machine.sh(place).code, 0);
        machine.hang_up();
        machine.order(&["upgrade", "/etc/finit"]);
        let pid = machine.main_pid("is");
        assert_eq!(machine.sh(loss).code, 0, "{loss}");
        machine.hang_up();
        plant_a_panic(&machine, &["finit", "Driver", "on_asked"]);
        machine.signal_pid1(libc::SIGUSR1);
        machine.wait("another finit", |m| {
            (m.console().matches("executed anew in ").count() == 2).then_some(())
        });
        assert_eq!(machine.main_pid("is"), pid, "{loss}");
    }
}

/// K1: all of it may run already, and nobody knows.
#[test]
fn k1_who_cannot_read_what_was_left_starts_nothing_and_lets_a_person_in() {
    for (descriptor, why) in
        [("99", "there is no handover under that number"), ("77", "expected value")]
    {
        let machine = Plan::new()
            .with("dirty=yes")
            .told(&["--resume", descriptor])
            .file("/etc/finit.toml", "[service.is]\ncommand = \"/programs/idle /out/started\"\n")
            .start();
        machine.wait("the lifeboat", |m| {
            let console = m.console();
            let told = ["has left nothing that is understood: ", why];
            told.iter().all(|text| console.contains(text)).then_some(())
        });
        lets_a_person_in(&machine);
        assert!(!machine.exists("/out/started"));
        assert!(machine.try_request(r#"{"method":"ping"}"#).is_none());
    }
}
