//! What a person gets with finit: the file, and the commands of README.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::machine::{Machine, Plan};

const FILE: &str = include_str!("../../config/finit.toml");

/// In the place of programs that are not on every machine of a test.
const DAEMON: &str = "#!/bin/sh\nexec /programs/idle\n";
const NOTE: &str = "#!/bin/sh\necho ${0##*/} $@ >>/out/diary\n";

/// A terminal that the machine has under this name; our end.
#[allow(unsafe_code, reason = "nix makes terminals of the host alone")]
fn terminal(machine: &Machine, name: &str) -> File {
    let mut options = File::options();
    let options = options.read(true).write(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
    let ours = options.open(machine.path("/dev/ptmx")).unwrap();
    let (unlocked, mut number): (libc::c_int, libc::c_uint) = (0, 0);
    // SAFETY: the kernel reads one int.
    assert_eq!(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) }, 0);
    // SAFETY: it writes one.
    assert_eq!(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTN, &raw mut number) }, 0);
    let place = machine.path(&format!("/dev/{name}"));
    std::os::unix::fs::symlink(format!("pts/{number}"), place).unwrap();
    ours
}

/// The secure shell answers.
fn greets(machine: &Machine) {
    machine.sh("ssh-keygen -A");
    machine.until("sshd", "listening");
    let said = machine.run(&["/programs/clients", "22", "1", "1"]);
    assert!(said.text.contains("\nSSH-2.0-"), "{}", said.text);
}

/// As it is, with the daemons of Debian where they are small enough to be there for a test.
#[test]
fn the_shipped_file_brings_up_all_that_is_in_it() {
    let users = include_str!("passwd").to_owned() + "messagebus:x:101:101::/:/usr/sbin/nologin\n";
    let groups = include_str!("group").to_owned() + "messagebus:x:101:\n";
    let mut plan = Plan::new().file("/etc/passwd", &users).file("/etc/group", &groups);
    for program in ["rsyslogd", "cron"] {
        plan = plan.file(&format!("/usr/sbin/{program}"), DAEMON);
    }
    for program in ["ifup", "ifdown"] {
        plan = plan.file(&format!("/usr/sbin/{program}"), NOTE);
    }
    let machine = plan.boot(FILE);
    let names = [1, 2, 3, 4, 5].map(|number| format!("tty{number}"));
    let mut terminals = names.map(|name| (terminal(&machine, &name), name));
    machine.booted();
    for name in ["dbus", "syslog", "cron"] {
        machine.until(name, "up");
    }
    machine.until("networking", "done");
    for (screen, name) in &mut terminals {
        machine.until(&format!("getty@{name}"), "up");
        let mut shown = Vec::new();
        machine.wait("a prompt", |_| {
            // Until somebody has opened it, nothing can be read.
            screen.read_to_end(&mut shown).ok();
            String::from_utf8_lossy(&shown).contains("login: ").then_some(())
        });
    }
    greets(&machine);
    assert_eq!(machine.order(&["check"]), "/etc/finit.toml: 9 services, 1 task: no errors\n");
    machine.signal_pid1(libc::SIGRTMIN() + 4);
    assert_eq!(machine.ended(), "SIGNAL 2");
}

#[test]
fn the_secure_shell_of_the_examples_answers() {
    let router = include_str!("../../config/examples/router.toml");
    let begin = router.find("[service.sshd]").unwrap();
    greets(&Machine::boot(router[begin..].split("\n\n").next().unwrap()));
}
