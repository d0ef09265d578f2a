//! What the boot steps do to a machine.

use std::os::unix::fs::MetadataExt;

use finit::config::spec::STEPS;

use crate::machine::{Machine, Plan};

/// What the file calls the machine counts before what the distribution does.
#[test]
fn the_machine_has_the_name_that_its_file_says() {
    for (toml, name) in [("[boot]\nhostname = \"box\"\n", "box\n"), ("# nothing\n", "other\n")] {
        let machine = Plan::new().file("/etc/hostname", "other\n").boot(toml);
        machine.booted();
        assert_eq!(machine.sh("uname -n").text, name);
    }
}

/// Each does its work, or leaves it to who has made the container; none fails.
#[test]
fn the_steps_of_a_boot_go_well() {
    let machine = Plan::new().file("/etc/hostname", "box\n").boot("# nothing\n");
    machine.until_shown("boot finished");
    let console = machine.console();
    for step in STEPS {
        assert_eq!(machine.status(step)["state"], "done", "{step}");
    }
    for step in ["mount-virtual", "cgroups", "hostname", "loopback", "tmpfiles", "nologin"] {
        assert!(console.contains(&format!("finit: {step} (")), "{step}\n{console}");
    }
}

/// The helpers of a machine; a container runs none of them. Where the kernel does not count a seed,
/// as it has no such device here, it is stirred in all the same.
#[test]
fn the_seed_is_another_one_each_time() {
    let seed = "/var/lib/finitd/random-seed";
    let machine = Machine::boot("# nothing\n");
    let bytes = || {
        let metadata = std::fs::metadata(machine.path(seed)).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o600, 0));
        std::fs::read(machine.path(seed)).unwrap()
    };
    let help = |word: &str| {
        let said = machine.run(&["/usr/sbin/finit", word]);
        assert_eq!(said.code, 0, "{said:?}");
        bytes()
    };
    let saved = help("--save-seed");
    assert_eq!(saved.len(), 32);
    std::fs::remove_file(machine.path("/dev/urandom")).unwrap();
    machine.write("/dev/urandom", "");
    let renewed = help("--renew-seed");
    assert_eq!(std::fs::read(machine.path("/dev/urandom")).unwrap(), saved);
    let again = help("--save-seed");
    assert!(saved != renewed && renewed != again && again != saved);
}

/// Whoever has a serial line or a mailbox locks it there, as in a system of Debian: its tmpfiles.d(5)
/// leaves that to the init. Where nothing may be mounted it is a folder.
#[test]
fn anybody_may_lock_what_there_is_one_of() {
    // No capabilities, and a umask that lets nobody else in.
    for poor in ["lacks=c", "dirty=yes"] {
        let plan = Plan::new().file("/usr/bin/systemd-tmpfiles", "#!/bin/sh\n").with(poor);
        let machine = plan.boot("# nothing\n");
        machine.booted();
        let touch = ["setpriv", "--reuid=65534", "--clear-groups", "touch", "/run/lock/one"];
        let said = machine.run(&touch);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(machine.sh("stat -c %a /run/lock").text, "1777\n");
        // The others of /run have their room whatever anybody puts there.
        let own = machine.sh("grep ' /run/lock ' /proc/mounts").text;
        let is_own = own.contains("nosuid,nodev,noexec") && own.contains("size=5120k");
        assert_eq!(is_own, poor == "dirty=yes", "{own}");
    }
}
