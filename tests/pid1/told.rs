//! What scripts are told of an end, as those that were written for systemd expect it.

use crate::machine::{Machine, Plan};

/// A script that writes down what it was told, one variable a line.
const NOTE: &str = r#"#!/bin/sh
file=$1; shift
for name; do eval "echo $name=\${$name-none}"; done >>"/out/$file"
"#;

fn boot(toml: &str) -> Machine {
    Plan::new().file("/bin/note", NOTE).boot(toml)
}

fn line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

const OWN: &str = "SERVICE_RESULT EXIT_CODE EXIT_STATUS";
const MONITOR: &str = "MONITOR_UNIT MONITOR_SERVICE_RESULT MONITOR_EXIT_CODE MONITOR_EXIT_STATUS MONITOR_INVOCATION_ID";

#[test]
fn ni1105_finish_signal_what_tidies_up_is_told_the_signal() {
    let machine = boot(&format!(
        "[defaults]\nrestart = \"never\"\nlimits.core = 0\nafter-stop = \"/bin/note tidy {OWN}\"\nstart = \"manual\"\n\
         [service.kills]\ncommand = \"/bin/sh -c 'kill -SEGV $$'\"\n\
         [service.asks]\ncommand = \"/bin/sh -c 'kill -TERM $$'\"\n\
         [service.says]\ncommand = \"/bin/sh -c 'exit 7'\"\n\
         [service.well]\ncommand = \"/programs/idle\"\n\
         [service.lacks]\ncommand = \"/no/such/program\"\n"
    ));
    machine.booted();
    for (name, told) in [
        ("kills", "SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=SEGV"),
        ("asks", "SERVICE_RESULT=success EXIT_CODE=killed EXIT_STATUS=TERM"),
        ("says", "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=7"),
        ("well", "SERVICE_RESULT=success EXIT_CODE=killed EXIT_STATUS=TERM"),
        ("lacks", "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=203"),
    ] {
        machine.ctl(&["start", name]);
        if name != "well" {
            // It ends by itself, and not by the stop.
            machine.appears("/out/tidy");
        }
        machine.order(&["stop", name]);
        assert_eq!(line(&machine.read("/out/tidy")), told, "{name}");
        machine.forget("/out/tidy");
    }
}

#[test]
fn sd38_helpers_are_told_how_the_service_ended() {
    let machine = boot(&format!(
        "[defaults]\nrestart = \"never\"\nstart = \"manual\"\n\
         [service.web]\ncommand = \"/bin/sh -c 'exit 3'\"\non-failure = \"alert\"\n\
         [service.db]\ncommand = \"/bin/sh -c 'kill -KILL $$'\"\non-failure = \"alert\"\n\
         [task.alert]\nremain = false\nbefore-start = \"/bin/note before {MONITOR}\"\n\
         command = \"/bin/note alert {MONITOR}\"\n",
    ));
    machine.booted();
    let told = |m: &Machine| {
        let text = m.wait("the whole of it", |m| {
            Some(m.read("/out/alert")).filter(|text| text.lines().count() == 5)
        });
        assert_eq!(m.read("/out/before"), text);
        m.forget("/out/alert");
        m.forget("/out/before");
        line(&text)
    };
    machine.ctl(&["start", "web"]);
    assert_eq!(
        told(&machine),
        "MONITOR_UNIT=web MONITOR_SERVICE_RESULT=exit-code MONITOR_EXIT_CODE=exited \
         MONITOR_EXIT_STATUS=3 MONITOR_INVOCATION_ID=none"
    );
    machine.until("alert", "stopped");
    machine.ctl(&["start", "db"]);
    assert_eq!(
        told(&machine),
        "MONITOR_UNIT=db MONITOR_SERVICE_RESULT=signal MONITOR_EXIT_CODE=killed \
         MONITOR_EXIT_STATUS=KILL MONITOR_INVOCATION_ID=none"
    );
    machine.until("alert", "stopped");
    machine.order(&["start", "alert"]);
    assert!(told(&machine).starts_with("MONITOR_UNIT=none "), "a person asked for it");
}
