//! `finitctl stop --gentle`: nobody goes for it.

use crate::machine::Machine;

const FILE: &str = r#"
    [service.db]
    command = "/programs/idle"
    [service.web]
    command = "/programs/idle"
    needs = "db"
    [service.alone]
    command = "/programs/idle"
"#;

#[test]
fn what_is_still_needed_stays_over_an_upgrade_and_goes_with_its_last_dependent() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let (db, web) = (machine.main_pid("db"), machine.main_pid("web"));
    let said = machine.order(&["stop", "--gentle", "db", "alone"]);
    let note = "db stays for web, and goes when nobody needs or wants it any more";
    assert!(said.contains(note) && said.contains("alone: stopped"), "{said}");
    machine.until("alone", "stopped");
    machine.order(&["apply"]);
    machine.hang_up();
    machine.order(&["upgrade"]);
    for words in ["status", "why"] {
        let said = machine.order(&[words, "db"]);
        assert!(said.contains("there only for web"), "{said}");
    }
    assert_eq!((machine.main_pid("db"), machine.main_pid("web")), (db, web));
    assert_eq!(machine.status("alone")["state"], "stopped");
    machine.order(&["stop", "web"]);
    machine.until("db", "stopped");
}
