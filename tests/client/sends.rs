//! What is sent, and what sends nothing.

use serde_json::Value;

use super::fake::*;

#[test]
fn every_command_has_its_request() {
    let table: &[(&[&str], &str)] = &[
        (&["status", "web"], r#"{"method":"status","params":{"name":"web"}}"#),
        (&["--json", "status", "web"], r#"{"method":"status","params":{"name":"web"}}"#),
        (&["status", "--", "-web"], r#"{"method":"status","params":{"name":"-web"}}"#),
        (&[], r#"{"method":"list"}"#),
        (&["--all"], r#"{"method":"list"}"#),
        (&["status"], r#"{"method":"list"}"#),
        (&["list"], r#"{"method":"list"}"#),
        (&["start", "a", "b"], r#"{"method":"start","params":{"names":["a","b"]},"wait":true}"#),
        (&["stop", "a"], r#"{"method":"stop","params":{"names":["a"]},"wait":true}"#),
        (
            &["stop", "--gentle", "a", "b"],
            r#"{"method":"stop-gently","params":{"names":["a","b"]},"wait":true}"#,
        ),
        (&["restart", "a"], r#"{"method":"restart","params":{"names":["a"]},"wait":true}"#),
        (&["reload", "a"], r#"{"method":"reload","params":{"names":["a"]},"wait":true}"#),
        (&["reload"], r#"{"method":"apply","wait":true}"#),
        (&["apply"], r#"{"method":"apply","wait":true}"#),
        (
            &["apply", "--confirm", "2min"],
            r#"{"method":"apply-on-trial","params":{"seconds":120},"wait":true}"#,
        ),
        (
            &["apply", "--confirm"],
            r#"{"method":"apply-on-trial","params":{"seconds":60},"wait":true}"#,
        ),
        (
            &["reload", "--confirm", "1500ms"],
            r#"{"method":"apply-on-trial","params":{"seconds":2},"wait":true}"#,
        ),
        (&["confirm"], r#"{"method":"confirm"}"#),
        (&["signal", "HUP", "a"], r#"{"method":"signal","params":{"name":"a","signal":"HUP"}}"#),
        (&["reset", "a"], r#"{"method":"reset","params":{"name":"a"}}"#),
        (&["target", "rescue"], r#"{"method":"target","params":{"name":"rescue"},"wait":true}"#),
        (&["poweroff"], r#"{"method":"power","params":{"how":"poweroff"}}"#),
        (&["reboot"], r#"{"method":"power","params":{"how":"reboot"}}"#),
        (&["halt"], r#"{"method":"power","params":{"how":"halt"}}"#),
        (
            &["poweroff", "--at", "+5m", "--message", "-- bye"],
            r#"{"method":"schedule-power","params":{"how":"poweroff","seconds":300,"message":"-- bye"}}"#,
        ),
        (
            &["halt", "--at", "+1h", "--no-wall"],
            r#"{"method":"schedule-power","params":{"how":"halt","seconds":3600,"quiet":true}}"#,
        ),
        (
            &["reboot", "--message", "bye"],
            r#"{"method":"schedule-power","params":{"how":"reboot","seconds":0,"message":"bye"}}"#,
        ),
        (&["hold", "a"], r#"{"method":"hold","params":{"name":"a"}}"#),
        (&["unhold", "a"], r#"{"method":"unhold","params":{"name":"a"}}"#),
        (&["freeze", "a", "b"], r#"{"method":"freeze","params":{"names":["a","b"]},"wait":true}"#),
        (&["thaw", "a"], r#"{"method":"thaw","params":{"names":["a"]},"wait":true}"#),
        (&["cancel"], r#"{"method":"cancel-power","params":{}}"#),
        (&["tree"], r#"{"method":"graph","params":{}}"#),
        (&["tree", "a"], r#"{"method":"graph","params":{"name":"a"}}"#),
        (&["graph", "--dot"], r#"{"method":"graph","params":{}}"#),
        (
            &["--timeout", "5s", "start", "a"],
            r#"{"method":"start","params":{"names":["a"]},"wait":true}"#,
        ),
    ];
    let server = Server::always(done());
    for (words, expected) in table {
        server.run(words);
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{words:?} sent {requests:?}");
        let mut sent: Value = serde_json::from_str(&requests[0]).unwrap();
        sent.as_object_mut().unwrap().remove("id");
        assert_eq!(sent, serde_json::from_str::<Value>(expected).unwrap(), "{words:?}");
    }
}

#[test]
fn what_is_not_understood_sends_nothing() {
    let server = Server::always(done());
    for words in [
        &["explode"] as &[&str],
        &["start"],
        &["poweroff", "now"],
        &["poweroff", "--help-me"],
        &["reboot", "-x"],
        &["reboot", "--at", "soon"],
        &["reboot", "--at", "22:00", "--force"],
        &["cancel", "now"],
        &["apply", "--confirm", "soon"],
        &["reload", "--confirm", "60s", "web"],
        &["confirm", "web"],
        &["signal", "NOTASIGNAL", "web"],
        &["signal", "HUP"],
        &["--timeout", "soon", "start", "web"],
        &["--timeout", "0s", "start", "web"],
        &["list", "--state", "sleepy"],
        &["list", "--failed", "--state", "up"],
        &["status", "web", "--bad"],
        &["-H", "-oProxyCommand=x", "status"],
        &["--", "poweroff"],
    ] {
        let ran = server.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {}{}", ran.out, ran.err);
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{words:?}");
    }
    for words in [&["--help"] as &[&str], &["poweroff", "--help"], &["-h"], &["reboot", "-h"]] {
        let ran = server.run(words);
        assert_eq!(ran.code, 0, "{words:?}");
        assert!(ran.out.contains("Usage: finitctl"), "{}", ran.out);
    }
    assert_eq!(server.requests(), Vec::<String>::new());
    let version = server.run(&["--version"]);
    assert_eq!(version.out, concat!("finitctl ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(server.run(&["stauts"]).err.contains("'status'"), "a tip");
}
