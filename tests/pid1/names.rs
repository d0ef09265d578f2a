//! finit and finitctl under the names that an init has always had, as packages link them.

use crate::machine::Machine;

/// reboot(2) in a namespace ends its PID 1 by a signal; a halt by that of a power off.
const OFF: &str = "SIGNAL 2";
const AGAIN: &str = "SIGNAL 1";

/// With the links in a folder of their own.
fn machine() -> Machine {
    let machine = Machine::boot("[service.idle]\ncommand = \"/programs/idle\"\n");
    let links = "mkdir /names; cd /names; ln -s /usr/sbin/finit init; \
                 for name in poweroff reboot halt shutdown telinit; do ln -s /usr/sbin/finitctl $name; done";
    assert_eq!(machine.sh(links).text, "");
    machine.until("idle", "up");
    machine
}

fn run(machine: &Machine, line: &str) -> crate::talk::Said {
    let mut words: Vec<&str> = line.split(' ').collect();
    let program = format!("/names/{}", words[0]);
    words[0] = &program;
    machine.run(&words)
}

#[test]
fn the_old_names_end_the_machine_as_they_say() {
    for (line, how, end) in [
        ("poweroff", "power off", OFF),
        ("reboot", "reboot", AGAIN),
        ("halt", "halt", OFF),
        ("halt -p", "power off", OFF),
        ("shutdown now", "power off", OFF),
        ("shutdown -h now", "power off", OFF),
        ("shutdown -t1 -a -r now", "reboot", AGAIN),
        ("shutdown -H now", "halt", OFF),
        ("shutdown -r now new disks", "reboot", AGAIN),
        ("telinit 0", "power off", OFF),
        ("telinit 6", "reboot", AGAIN),
        ("init 0", "power off", OFF),
        ("init 6", "reboot", AGAIN),
        ("init halt", "halt", OFF),
    ] {
        let machine = machine();
        let said = run(&machine, line);
        // The end of the machine may be its own.
        assert!([0, -1].contains(&said.code), "{line}: {said:?}");
        assert_eq!(machine.ended(), end, "{line}");
        let program = line.split(' ').next().unwrap();
        let told = format!("finit! {how}, asked for by {program} (pid ");
        machine.until_shown(&told);
    }
}

#[test]
fn the_old_names_schedule_and_cancel_a_shutdown_and_go_to_a_runlevel() {
    let machine = machine();
    let said = run(&machine, "shutdown -h +5 new disks");
    assert!(said.code == 0 && said.text.contains("power off in 5 min"), "{said:?}");
    let said = run(&machine, "shutdown --show");
    assert!(said.code == 0 && said.text.contains("new disks"), "{said:?}");
    assert!(machine.exists("/run/nologin"));
    assert_eq!(run(&machine, "shutdown -c").code, 0);
    assert!(!machine.exists("/run/nologin"));
    assert_eq!(run(&machine, "shutdown --show").code, 1);
    // What does nothing says so, and does nothing.
    for line in
        ["shutdown", "shutdown -x now", "shutdown --help", "reboot --help", "telinit", "halt -w"]
    {
        run(&machine, line);
        assert_eq!(machine.status("idle")["state"], "up", "{line}");
    }
    assert_eq!(run(&machine, "telinit 1").code, 0);
    machine.until("idle", "stopped");
    assert_eq!(run(&machine, "init 2").code, 0);
    machine.until("idle", "up");
}

/// As scripts ask the init of a small machine.
#[test]
fn the_init_says_how_a_service_is_and_does_what_it_is_told() {
    let machine = machine();
    for (order, state, code, word) in [("stop", "stopped", 1, "dead\n"), ("start", "up", 0, "ok\n")]
    {
        assert_eq!(run(&machine, &format!("init {order} idle")).code, 0);
        machine.until("idle", state);
        let said = run(&machine, "init status idle");
        assert_eq!((said.code, said.text.as_str()), (code, word));
    }
    assert_eq!(run(&machine, "init q").code, 0);
    assert_ne!(run(&machine, "init no such words").code, 0);
}
