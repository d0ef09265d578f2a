//! Clients inside a service: finit knows which of its runs they are a part of.

use crate::machine::{Machine, Plan};

const BOTH: [&str; 2] = ["cgroup=yes", "cgroup=no"];

/// Gives an order and writes down what came of it.
const ASK: &str = r#"#!/bin/sh
file=$1; shift
finitctl "$@" >"/out/$file.new" 2>&1
echo "exit $?" >>"/out/$file.new"
mv "/out/$file.new" "/out/$file"
"#;

fn boot(cgroup: &str, toml: &str) -> Machine {
    Plan::new().with(cgroup).file("/bin/ask", ASK).boot(toml)
}

#[test]
fn a_hook_that_would_wait_for_itself_is_told_so_and_goes_on() {
    for cgroup in BOTH {
        let machine = boot(
            cgroup,
            r#"
            [service.web]
            command = "/programs/idle"
            before-start = [
                "/bin/ask own restart web",
                "/bin/sh -c 'setsid -w /bin/ask other start app; :'",
                "/bin/ask unrelated start db",
                "/bin/ask told start --no-wait app",
            ]
            after-stop = "/bin/ask late start web"
            [service.app]
            command = "/programs/idle"
            needs = "web"
            start = "manual"
            [service.db]
            command = "/programs/idle"
            start = "manual"
            "#,
        );
        machine.main_pid("web");
        let circle = "web's before-start waits for this order, and this order waits for it to end";
        let own = machine.read("/out/own");
        assert!(own.contains(circle) && own.contains("--no-wait"), "{cgroup}: {own}");
        assert!(own.ends_with("exit 5\n"), "{cgroup}: {own}");
        let other = machine.read("/out/other");
        let named = format!("{circle}: app waits for web");
        assert!(other.contains(&named) && other.ends_with("exit 5\n"), "{cgroup}: {other}");
        assert!(machine.read("/out/unrelated").ends_with("exit 0\n"), "{cgroup}");
        assert!(machine.read("/out/told").ends_with("exit 0\n"), "{cgroup}");
        machine.until("app", "up");
        machine.order(&["restart", "db"]);
        machine.order(&["stop", "web"]);
        let late = machine.read("/out/late");
        assert!(late.contains("web's after-stop waits") && late.ends_with("exit 5\n"), "{late}");
    }
}

#[test]
fn a_task_of_the_boot_that_waits_for_who_waits_for_it_does_not_stop_the_boot() {
    for cgroup in BOTH {
        let machine = boot(
            cgroup,
            r#"
            [task.setup]
            command = "/bin/ask asked start app"
            [service.app]
            command = "/programs/idle"
            after = "setup"
            "#,
        );
        machine.main_pid("app");
        machine.booted();
        let asked = machine.read("/out/asked");
        assert!(asked.contains("setup's command waits for this order"), "{cgroup}: {asked}");
    }
}
