//! `finitctl hold`: a service is left as it is while somebody works on it.

use crate::machine::Machine;
use crate::talk::Line;

const FILE: &str = r#"
    [service.db]
    command = "/programs/idle /out/db"
    [service.web]
    command = "/programs/idle"
    needs = "db"
    [service.page]
    command = "/programs/listener /out/book"
    listen = "/run/page"
"#;

#[test]
fn what_is_held_runs_on_through_everything_until_it_is_let_go() {
    let machine = Machine::boot(FILE);
    machine.booted();
    let pid = machine.main_pid("web");
    let said = machine.order(&["hold", "web"]);
    assert!(said.starts_with("web stays as it is until finitctl unhold web: up"), "{said}");
    // Whoever asks otherwise is told by whom.
    for words in [["stop", "web"], ["restart", "web"], ["reset", "web"]] {
        let said = machine.ctl(&words);
        assert_eq!(said.code, 5, "{}", said.text);
        assert!(said.text.contains("web is held since"), "{}", said.text);
        assert!(said.text.contains("by finitctl (pid "), "{}", said.text);
        assert!(said.text.contains("finitctl unhold web"), "{}", said.text);
    }
    machine.forget("/out/db");
    let said = machine.order(&["restart", "db"]);
    assert!(said.contains("web stays as it is: held since"), "{said}");
    machine.appears("/out/db");
    machine.write(
        "/etc/finit.toml",
        &FILE.replace("command = \"/programs/idle\"", "command = \"/programs/idle /out/new\""),
    );
    let said = machine.order(&["apply"]);
    assert!(said.contains("held, and left as it is until finitctl unhold: web"), "{said}");
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(machine.main_pid("web"), pid);
    for words in [&["status", "web"][..], &["list", "--held"], &["why", "web"], &["status"]] {
        let said = machine.order(words);
        assert!(said.contains("held since"), "{words:?}: {said}");
        assert!(!words.contains(&"--held") || !said.contains("page"), "{said}");
    }
    machine.order(&["stop", "db"]);
    assert_eq!(machine.main_pid("web"), pid);
    machine.order(&["unhold", "web"]);
    machine.until("web", "waiting");
    machine.order(&["start", "db"]);
    machine.appears("/out/new");
    assert!(machine.main_pid("web") != pid);
}

#[test]
fn a_connection_waits_in_the_socket_of_what_is_held() {
    let machine = Machine::boot(FILE);
    machine.until("page", "listening");
    // A boot is not handed over.
    machine.booted();
    machine.order(&["hold", "page"]);
    let mut line = Line::to(&machine.path("/run/page")).unwrap();
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(machine.status("page")["state"], "listening");
    assert!(!machine.exists("/out/book"));
    machine.order(&["unhold", "page"]);
    assert_eq!(line.hear().unwrap(), "page");
    machine.until("page", "up");
}

#[test]
fn a_shutdown_waits_for_nobody_who_holds_something() {
    let machine = Machine::boot(FILE);
    machine.booted();
    machine.order(&["hold", "web"]);
    machine.order(&["hold", "db"]);
    // finitctl itself may be among those that are killed before it has said that it is done.
    drop(machine.connect().ask("poweroff"));
    assert_eq!(machine.ended(), "SIGNAL 2");
}
