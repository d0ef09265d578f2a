//! What `health` means in each of its forms.

use std::time::Duration;

use finit::config::spec::{Address, Check, Health};

use crate::{read, said, service, services};

fn health(value: &str) -> Health {
    let text = format!("[service.x]\ncommand = \"/bin/true\"\nhealth = {{ {value} }}\n");
    let health = service(&text).ready.health.as_deref().cloned();
    health.expect("a check")
}

#[test]
fn what_is_not_said_about_a_check() {
    let Health { check, every, timeout, failures } = health(r#"tcp = "80""#);
    assert_eq!(check, Check::Accepts(Address::TcpPort(80)));
    assert_eq!((every, timeout), (Duration::from_secs(10), Duration::from_secs(2)));
    assert_eq!(failures, 3);
    let said = health(r#"tcp = "[::1]:80", every = "1m", timeout = "5s", failures = 1"#);
    assert_eq!((said.every.as_secs(), said.timeout.as_secs(), said.failures), (60, 5, 1));
    assert_eq!(said.check.to_string(), "tcp:[::1]:80");
}

#[test]
fn pages_in_all_their_forms() {
    let forms = [
        ("http://127.0.0.1:8080/healthz", "http://127.0.0.1:8080/healthz"),
        ("127.0.0.1:8080/healthz?deep=1", "http://127.0.0.1:8080/healthz?deep=1"),
        ("http://127.0.0.1", "http://127.0.0.1:80/"),
        ("http://127.0.0.1?x", "http://127.0.0.1:80/?x"),
        ("http://[::1]/x", "http://[::1]:80/x"),
        ("[::1]:8080", "http://[::1]:8080/"),
        ("8080/healthz", "http://:8080/healthz"),
        ("http://:8080/a%%20b", "http://:8080/a%20b"),
        ("8080", "http://:8080/"),
    ];
    for (text, meant) in forms {
        assert_eq!(health(&format!("http = \"{text}\"")).check.to_string(), meant, "{text}");
    }
}

#[test]
fn commands_are_those_of_a_hook() {
    for text in [
        r#""/bin/ask me""#,
        r#"["/bin/ask", "me"]"#,
        r#"{ run = "/bin/ask me" }"#,
        r#"{ run = ["/bin/ask", "me"] }"#,
    ] {
        let Check::Command(hook) = health(&format!("command = {text}")).check else {
            panic!("{text}");
        };
        assert_eq!((hook.command.words.len(), hook.user, hook.timeout), (2, None, None));
    }
    let said = health(r#"command = { run = "/bin/ask", user = "nobody", timeout = "9s" }"#);
    assert_eq!(said.patience(), Duration::from_secs(9));
    let Check::Command(hook) = said.check else { panic!("no command") };
    assert_eq!(hook.user.as_deref(), Some("nobody"));
}

/// A default is for those that can have it, and another check takes its place.
#[test]
fn a_check_for_all_and_another_one_for_some() {
    let text = r#"
        [defaults]
        health = { tcp = "80", failures = 5 }
        inetd-max = 3
        [service.plain]
        command = "/bin/true"
        [service.own]
        command = "/bin/true"
        health = { command = "/bin/ask" }
        [service.inetd]
        command = "/bin/true"
        inetd = "22"
        [task.job]
        command = "/bin/true"
    "#;
    let found: Vec<_> = services(text)
        .iter()
        .map(|service| {
            let health = service.ready.health.as_deref();
            health.map(|health| (health.check.to_string(), health.failures))
        })
        .collect();
    let (tcp, command) = (("tcp:80".to_owned(), 5), ("command".to_owned(), 5));
    assert_eq!(found, [Some(tcp), Some(command), None, None]);
    let wrong = said("[defaults]\nhealth = { tcp = \"x\" }\n");
    assert!(wrong.contains("is no address of TCP"), "{wrong}");
    assert_eq!(read("[defaults]\nhealth = { tcp = \"80\" }\n").diagnostics.len(), 0);
}
