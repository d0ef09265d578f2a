//! `finitctl enable` and `disable` beside a finit that runs.

use crate::machine::{Machine, Plan};

const FILE: &str = "# mine\n[service.web]\nenabled = false # for now\ncommand = \"/programs/idle\"\n\
                    [service.other]\ncommand = \"/programs/idle\"\n";

#[test]
fn dx_enable_now_starts_it_as_well_and_disable_now_stops_it() {
    let machine = Machine::boot(FILE);
    machine.booted();
    assert_eq!(machine.status("web")["state"], "stopped");
    let other = machine.main_pid("other");
    let said = machine.order(&["enable", "--now", "web"]);
    assert!(said.starts_with("web is enabled in /etc/finit.toml\n"), "{said}");
    assert_eq!(machine.status("web")["state"], "up");
    assert_eq!(machine.read("/etc/finit.toml"), FILE.replace("false", "true"));
    machine.order(&["disable", "--now", "web"]);
    assert_eq!(machine.status("web")["state"], "stopped");
    assert_eq!(machine.read("/etc/finit.toml"), FILE);
    assert_eq!(machine.main_pid("other"), other);
}

#[test]
fn cr_enable_changes_nothing_that_runs_until_the_file_is_applied() {
    let machine = Machine::boot(FILE);
    machine.booted();
    machine.order(&["enable", "web"]);
    machine.order(&["disable", "other"]);
    let states = ["web", "other"].map(|name| machine.status(name)["state"].clone());
    assert_eq!(states, ["stopped", "up"]);
    machine.order(&["apply"]);
    machine.until("web", "up");
    machine.until("other", "stopped");
}

#[test]
fn the_file_is_edited_that_the_command_line_names() {
    let plan = Plan::new().told(&["--config", "/etc/lab.toml"]).file("/etc/lab.toml", FILE);
    let machine = plan.boot(FILE);
    machine.booted();
    let said = machine.order(&["enable", "web"]);
    assert!(said.starts_with("web is enabled in /etc/lab.toml\n"), "{said}");
    assert_eq!(machine.read("/etc/finit.toml"), FILE);
    machine.order(&["apply"]);
    machine.until("web", "up");
    machine.order(&["upgrade"]);
    let said = machine.order(&["check"]);
    assert!(said.contains("/etc/lab.toml: 2 services, 0 tasks: no errors"), "{said}");
}
