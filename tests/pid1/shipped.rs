//! What a person gets with finit: the file, and the commands of README.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::machine::{Machine, Plan};

const FILE: &str = include_str!("../../config/finit.toml");
const README: &str = include_str!("../../README.md");

/// In the place of programs that are not on every machine of a test.
const DAEMON: &str = "#!/bin/sh\nexec /programs/idle\n";
const NOTE: &str = "#!/bin/sh\necho ${0##*/} $@ >>/out/diary\n";

/// A terminal that the machine has under this name; our end.
#[allow(unsafe_code, reason = "nix makes terminals of the host alone")]
pub fn terminal(machine: &Machine, name: &str) -> File {
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

/// The commands under a heading of README, one after the other.
fn commands(heading: &str) -> String {
    let (_, section) = README.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

/// As a person types them, from top to bottom.
#[test]
fn the_first_service_of_the_readme_takes_a_minute() {
    let machine = Machine::boot("# A file of its own.\n");
    machine.booted();
    machine.sh("ln -sf finitctl /usr/sbin/poweroff");
    let typed = commands("A first service in a minute");
    let before = typed.strip_suffix("poweroff\n").expect("it ends the machine at the end");
    let said = machine.sh(&format!("set -ex\n{before}"));
    assert_eq!(said.code, 0, "{}", said.text);
    // What the text names is there too.
    let named = README.split('`').filter_map(|span| span.strip_prefix("finitctl "));
    let verbs: Vec<&str> = named.filter_map(|words| words.split_whitespace().next()).collect();
    assert!(verbs.len() > 5, "{verbs:?}");
    for verb in verbs {
        machine.order(&[verb, "--help"]);
    }
    machine.begin(&["/usr/sbin/poweroff"]).wait().unwrap();
    assert_eq!(machine.ended(), "SIGNAL 2");
}

#[test]
fn finit_is_installed_as_the_readme_says() {
    let place = "/src/config/debian/50-finit";
    let machine = Plan::new()
        .file("/src/config/finit.toml", FILE)
        .file(place, include_str!("../../config/debian/50-finit"))
        .file("/src/bin/cargo", NOTE)
        .boot("# Another one.\n");
    // Built already, and not installed yet.
    let release = "/src/target/any/release";
    let moved = machine.sh(&format!(
        "set -e; mkdir -p {release}; for name in finit finitctl; do : >{release}/$name; \
         mount --bind /usr/sbin/$name {release}/$name; umount -l /usr/sbin/$name; done"
    ));
    assert_eq!(moved.code, 0, "{moved:?}");
    let typed = commands("On a Debian of your own");
    let path = "/src/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let said = machine.sh(&format!("set -ex; cd /src; PATH={path}\n{typed}"));
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(machine.read("/out/diary"), "cargo build --release\n");
    for (from, to) in [
        (format!("{release}/finit"), "/usr/sbin/finit"),
        (format!("{release}/finitctl"), "/usr/bin/finitctl"),
        ("/src/config/finit.toml".to_owned(), "/etc/finit.toml"),
        (place.to_owned(), "/lib/lsb/init-functions.d/50-finit"),
    ] {
        let said = machine.run(&["cmp", &from, to]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(machine.sh("/usr/sbin/finit --version && test -x /usr/bin/finitctl").code, 0);
}

/// As the example for repairs says.
#[test]
fn where_root_has_no_password_a_shell_of_ones_own_lets_in() {
    for word in ["single", "emergency"] {
        let plan = Plan::new().file("/etc/shadow", "root:!:19000:0:99999:7:::\n").told(&[word]);
        let machine = plan.boot(
            "[service.rescue-shell]\ncommand = \"/sbin/sulogin --force\"\ntty = \"console\"\n\
             targets = [\"rescue\", \"emergency\"]\n",
        );
        machine.until("rescue-shell", "up");
        // What is typed before it reads is thrown away.
        machine.wait("a shell", |m| {
            m.type_in("\necho so it $((40 + 2)) is\n");
            m.console().contains("so it 42 is").then_some(())
        });
    }
}
