//! Checks that are repeated while a service is up, with real servers.

use crate::machine::{Machine, Plan};

/// A web server whose page is an error once there is a file /out/sick, and which no longer answers
/// once there is a file /out/stuck. It notes each request in /out/asked.
const SERVER: &str = r#"
import http.server, os, time

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("/out/asked", "a") as notes:
            notes.write(f"{self.command} {self.path} {self.headers['Host']}\n")
        while os.path.exists("/out/stuck"):
            time.sleep(0.05)
        self.send_response(500 if os.path.exists("/out/sick") else 204)
        self.end_headers()

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", 8080), Page).serve_forever()
"#;

/// A machine with that server, which is checked several times a second.
fn server(health: &str) -> Machine {
    let toml = format!(
        "[service.web]\ncommand = \"/usr/bin/python3 /etc/server.py\"\nready = \"tcp:8080\"\n\
         restart = {{ delay = \"1ms\" }}\nhealth = {{ every = \"50ms\", {health} }}\n"
    );
    let machine = Plan::new().file("/etc/server.py", SERVER).boot(&toml);
    machine.until("web", "up");
    machine
}

/// How often it was asked.
fn asked(machine: &Machine) -> usize {
    if machine.exists("/out/asked") { machine.read("/out/asked").lines().count() } else { 0 }
}

/// Waits until it was asked some times more.
fn asked_again(machine: &Machine) {
    let before = asked(machine);
    machine.wait("more requests", |m| (asked(m) > before + 3).then_some(()));
}

fn reason(machine: &Machine, name: &str) -> String {
    machine.status(name)["reason"].as_str().unwrap_or("").to_owned()
}

#[test]
fn a_page_that_becomes_an_error_is_the_end_of_its_server() {
    let machine = server("http = \"http://127.0.0.1:8080/healthz?full=1\"");
    let first = machine.main_pid("web");
    asked_again(&machine);
    let request = machine.read("/out/asked").lines().next().map(str::to_owned);
    assert_eq!(request.as_deref(), Some("GET /healthz?full=1 127.0.0.1:8080"));
    assert_eq!((reason(&machine, "web").as_str(), machine.main_pid("web")), ("", first));
    machine.write("/out/sick", "");
    let second =
        machine.wait("another one", |m| Some(m.main_pid("web")).filter(|pid| *pid != first));
    machine.forget("/out/sick");
    let line = "web is ended: 3 health checks in a row failed: http://127.0.0.1:8080/healthz?full=1 \
                gives no good answer, as its log says (health)";
    machine.until_shown(line);
    let log = machine.wait("its log", |m| {
        Some(m.sh("cat /var/log/finit/web.log").text).filter(|log| log.contains("500"))
    });
    assert!(
        log.contains("not healthy: http://127.0.0.1:8080/healthz?full=1: it answers HTTP/1.0 500"),
        "{log}"
    );
    assert_ne!(first, second);
    machine.until("web", "up");
    asked_again(&machine);
    machine.wait("good words", |m| reason(m, "web").is_empty().then_some(()));
}

/// Its own process hangs, and so does whoever looks at it; both are gone soon.
#[test]
fn a_server_that_answers_no_more_is_ended_and_nobody_is_left_who_asks() {
    let machine = server("http = \"8080\", timeout = \"200ms\", failures = 2");
    let first = machine.main_pid("web");
    asked_again(&machine);
    machine.write("/out/stuck", "");
    machine.wait("a word about it", |m| {
        (reason(m, "web") == "1 of 2 health checks failed: no answer within 200ms").then_some(())
    });
    machine.wait("another one", |m| (m.main_pid("web") != first).then_some(()));
    machine.order(&["stop", "web"]);
    let count = asked(&machine);
    let said = machine.run(&["/usr/bin/pgrep", "-f", "--", "--check-health"]).text;
    assert_eq!(said, "", "nobody looks any more");
    assert_eq!(asked(&machine), count);
}

#[test]
fn a_port_that_nobody_listens_on_is_a_failure() {
    let machine = Machine::boot(
        r#"
        [service.open]
        command = "/usr/bin/python3 -c \"import socket,time; s=socket.create_server(('::', 8081), family=socket.AF_INET6); time.sleep(1000)\""
        ready = "tcp:8081"
        health = { tcp = "[::]:8081", every = "20ms", failures = 1 }
        [service.closed]
        command = "/programs/idle"
        restart = "never"
        health = { tcp = "8082", every = "20ms", failures = 2 }
        "#,
    );
    machine.until("open", "up");
    machine.until("closed", "failed");
    let why = "2 health checks in a row failed: tcp:8082 gives no good answer, as its log says (health); killed by SIGTERM";
    assert_eq!(reason(&machine, "closed"), why);
    machine.wait("its log", |m| {
        let log = m.sh("cat /var/log/finit/closed.log").text;
        log.contains("not healthy: tcp:8082: Connection refused").then_some(())
    });
    assert_eq!(machine.status("open")["restarts"], 0);
    assert_eq!(machine.status("open")["state"], "up");
}

#[test]
fn a_command_that_misses_a_file_is_run_as_its_service_is() {
    let script = "id -un > /out/who; echo $COLOR $MAINPID > /out/seen; exec test -e /out/well";
    let machine = Machine::boot(&format!(
        "[service.app]\ncommand = \"/programs/idle\"\nuser = \"web\"\nenv = {{ COLOR = \"blue\" }}\n\
         before-start = {{ run = \"/bin/sh -c 'chmod 777 /out; touch /out/well'\", user = \"root\" }}\n\
         restart = \"on-crash\"\n\
         health = {{ command = [\"/bin/sh\", \"-c\", \"{script}\"], every = \"50ms\", failures = 2 }}\n"
    ));
    let first = machine.main_pid("app");
    let wanted = format!("blue {first}\n");
    machine.wait("a check", |m| {
        (m.exists("/out/seen") && m.read("/out/seen") == wanted).then_some(())
    });
    assert_eq!(machine.read("/out/who"), "web\n");
    machine.forget("/out/well");
    machine.wait("another one", |m| (m.main_pid("app") != first).then_some(()));
    assert_eq!(machine.status("app")["restarts"], 1);
    let line =
        "app: 2 health checks in a row failed: exited with status 1 (health); starting it again";
    machine.until_shown(line);
}

/// The finit of after an upgrade goes on with the checks; who looks meanwhile is its child, too.
#[test]
fn checks_go_on_after_an_upgrade() {
    let machine = server("http = \"8080\", failures = 1");
    let first = machine.main_pid("web");
    machine.booted();
    machine.hang_up();
    machine.order(&["upgrade"]);
    asked_again(&machine);
    assert_eq!(machine.main_pid("web"), first);
    machine.write("/out/sick", "");
    machine.wait("another one", |m| (m.main_pid("web") != first).then_some(()));
}
