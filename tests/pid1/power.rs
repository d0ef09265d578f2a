//! The end of a machine: everybody stopped in order, whoever asked for it.

use crate::machine::{Machine, Plan};

const TOML: &str = r#"
[service.a]
command = "/programs/diarist /out/diary a"
[service.b]
command = "/programs/diarist /out/diary b"
needs = "a"
[service.c]
command = "/programs/diarist /out/diary c"
after = "b"
[control]
power-group = "power"
"#;

/// reboot(2) in a namespace ends its PID 1 by a signal.
const OFF: &str = "SIGNAL 2";
const AGAIN: &str = "SIGNAL 1";

fn goes_down_in_order(ask: impl FnOnce(&Machine), how: &str) {
    let machine = Plan::new().boot(TOML);
    machine.wait("all three", |m| {
        (m.read("/out/diary").matches(" begins").count() == 3).then_some(())
    });
    ask(&machine);
    assert_eq!(machine.ended(), how);
    assert_eq!(machine.ends(), ["c", "b", "a"]);
}

#[test]
fn signals_to_pid_1_end_the_machine_in_order() {
    let (int, term, pwr, usr2, rtmin) = (2, 15, 30, 12, 34);
    for (signal, how) in [
        (int, AGAIN),
        (term, OFF),
        (usr2, OFF),
        (pwr, OFF),
        (rtmin + 3, OFF),
        (rtmin + 4, OFF),
        (rtmin + 5, AGAIN),
    ] {
        goes_down_in_order(|machine| machine.signal_pid1(signal), how);
    }
}

#[test]
fn words_of_people_end_the_machine_in_order() {
    for (argv, how) in [
        (&["finitctl", "poweroff"][..], OFF),
        (&["finitctl", "reboot"], AGAIN),
        (&["finitctl", "halt"], OFF),
        (&["finit", "0"], OFF),
        (&["finit", "6"], AGAIN),
        (
            &["setpriv", "--reuid=1234", "--regid=500", "--clear-groups", "finitctl", "poweroff"],
            OFF,
        ),
    ] {
        goes_down_in_order(|machine| drop(machine.run(argv)), how);
    }
    goes_down_in_order(|machine| drop(machine.connect().ask("poweroff")), OFF);
}

/// As the jobs of a cron and the sessions of an sshd.
#[test]
fn whom_a_stop_leaves_behind_ends_before_what_it_stands_on() {
    let machine = Machine::boot(
        r#"
        [service.cron]
        script = "/programs/diarist /out/diary job & exec /programs/diarist /out/diary cron"
        stop.scope = "main"
        needs = "db"
        [service.db]
        command = "/programs/diarist /out/diary db"
        "#,
    );
    machine.wait("all three", |m| {
        (m.read("/out/diary").matches(" begins").count() == 3).then_some(())
    });
    machine.signal_pid1(libc::SIGTERM);
    assert_eq!(machine.ended(), OFF);
    assert_eq!(machine.ends(), ["cron", "job", "db"]);
}

#[test]
fn a_power_group_that_nobody_knows_is_told() {
    let machine = Machine::boot("[control]\npower-group = \"no-such\"\n");
    machine.booted();
    let said = "control.power-group: there is no group `no-such` in /etc/group";
    machine.until_shown(said);
    let checked = machine.ctl(&["check"]);
    assert!(checked.code == 0 && checked.text.contains(said), "{checked:?}");
    machine.write("/etc/finit.toml", TOML);
    assert!(!machine.ctl(&["check"]).text.contains("power-group"), "this group is there");
}

/// F5: with lines of a shutdown that it does not take.
#[test]
fn f5_a_console_that_takes_nothing_does_not_keep_a_machine_up() {
    let stops_and_asks = |machine: &Machine| {
        machine.stop_console(true);
        machine.signal_pid1(15);
    };
    goes_down_in_order(stops_and_asks, OFF);
}

/// A shutdown at a time to come: told, shown, cancelled, and in the end carried out.
#[test]
fn a_machine_goes_down_at_its_time() {
    let wall = "#!/bin/sh\necho \"$1\" >>/out/wall\n";
    let machine = Plan::new().file("/usr/local/sbin/wall", wall).boot(TOML);
    machine.until("c", "up");
    let said = machine.order(&["reboot", "--at", "+2h", "--message", "new disks"]);
    assert!(said.contains("reboot in 2 h, asked for by finitctl (pid "), "{said}");
    let status = machine.order(&["status"]);
    assert!(status.contains("asked for by finitctl (pid ") && status.contains(": new disks"));
    assert!(!machine.exists("/run/nologin"));
    let said = machine.order(&["poweroff", "--at", "+4m"]);
    assert!(said.contains("; instead of reboot in 2 h"), "{said}");
    assert!(machine.read("/run/nologin").contains("power off in 4 min"));
    machine.order(&["cancel"]);
    assert!(!machine.exists("/run/nologin"));
    machine
        .wait("three announcements", |m| (m.read("/out/wall").lines().count() == 3).then_some(()));
    machine.until_shown("cancelled by finitctl");
    machine.order(&["poweroff", "--at", "+1s"]);
    assert_eq!(machine.ended(), OFF);
    assert_eq!(machine.ends(), ["c", "b", "a"]);
}

/// Whoever does not want to end has no say, and a second request cannot undo the first.
#[test]
fn nobody_keeps_a_machine_from_going_down() {
    let machine = Machine::boot(
        r#"
        [service.f]
        command = "/programs/family /out/f stubborn runaway"
        stop.timeout = "300ms"
        [service.slow]
        command = "/programs/idle"
        stop.command = "/bin/sleep 1000"
        stop.timeout = "300ms"
        [service.kept]
        command = "/programs/family /out/kept stubborn"
        stop.scope = "none"
        [shutdown]
        timeout = "5s"
        term-wait = "300ms"
        "#,
    );
    machine.wait("the families", |m| {
        (m.read("/out/f").contains("main") && m.read("/out/kept").contains("main")).then_some(())
    });
    machine.signal_pid1(15);
    machine.until_shown("power off, asked for by");
    machine.signal_pid1(2);
    assert_eq!(machine.ended(), OFF);
    assert!(machine.read("/out/kept").contains("asked"), "asked with everybody at the end");
}

/// One by one and from the top, as they lie on each other.
#[test]
fn what_nobody_uses_is_unmounted_layer_by_layer() {
    let machine = Machine::boot("[service.idle]\ncommand = \"/programs/idle\"\n");
    let layers = "for name in a b; do mount -t tmpfs $name /mnt; done; mkdir /mnt/c && \
                  mount -t tmpfs c /mnt/c && findmnt -rno TARGET | grep ^/mnt";
    assert_eq!(machine.sh(layers).text.trim(), "/mnt\n/mnt\n/mnt/c");
    machine.run(&["/usr/sbin/finit", "--unmount-gently"]);
    assert_eq!(machine.sh("grep ' /mnt' /proc/self/mountinfo").text.trim(), "");
}
