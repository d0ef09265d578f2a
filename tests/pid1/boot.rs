//! Whatever the file and the descriptors look like, there is a machine and a way to talk to it.

use crate::machine::{Machine, Plan};

/// A machine that has nothing to run still takes orders and lets a person in.
fn has_login_and_banner(machine: &Machine, banner: &str) {
    machine.until("console-login", "up");
    let status = machine.ctl(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.text.contains(banner), "no {banner:?} in\n{}", status.text);
}

#[test]
fn a_missing_file_boots_to_a_login_and_says_so() {
    let machine = Plan::new().boot_as_is();
    has_login_and_banner(&machine, "/etc/finit.toml could not be read");
}

#[test]
fn a_broken_file_boots_to_a_login_says_where_and_starts_what_is_good() {
    let machine =
        Machine::boot("[service.good]\ncommand = \"/programs/idle\"\n[service.bad]\ncomand = 1\n");
    has_login_and_banner(&machine, "did you mean");
    machine.until("good", "up");
    assert!(machine.console().contains("finit.toml"), "{}", machine.console());
}

/// A last good copy has logins that ask for a user. Where there is none, nobody gets in.
#[test]
fn an_empty_etc_boots_to_a_shell_and_a_lost_file_to_the_last_good_copy() {
    let copy = "/var/lib/finitd/last-good/finit.toml";
    let kept = "[service.kept]\ncommand = \"/programs/idle\"\n";
    let machine = Plan::new().file(copy, kept).without_users().boot_as_is();
    has_login_and_banner(&machine, "/etc/finit.toml could not be read");
    machine.wait("a shell's prompt", |m| m.console().contains("# ").then_some(()));

    let machine = Plan::new().file(copy, kept).boot_as_is();
    machine.until("kept", "up");
    let status = machine.ctl(&["status"]).text;
    assert!(status.contains("booted from the last good copy"), "{status}");
    assert!(!status.contains("console-login"), "{status}");
}

#[test]
fn an_empty_file_boots_and_takes_orders() {
    let machine = Machine::boot("");
    machine.booted();
    assert_eq!(machine.ctl(&["status"]).code, 0);
}

/// The kernel opens a console for PID 1, or it cannot: then any of its first descriptors may
/// become that of something else.
#[test]
fn without_descriptors_and_console_services_still_have_theirs() {
    for closed in 0..8 {
        let plan = Plan::new().without_console().with(&format!("closed={closed}"));
        let machine =
            plan.boot("[service.m]\ncommand = \"/programs/mirror /out/m\"\nlog = \"none\"\n");
        let seen = machine.appears("/out/m");
        let fds: Vec<&str> = seen.lines().filter(|line| line.starts_with("fd ")).collect();
        assert_eq!(fds, ["fd 0 /dev/null", "fd 1 /dev/null", "fd 2 /dev/null"], "closed={closed}");
        let own = std::fs::read_link(format!("/proc/{}/fd/0", machine.pid)).unwrap();
        assert_eq!(own.to_str().unwrap(), "/dev/null", "closed={closed}");
    }
}
