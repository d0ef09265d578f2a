//! The old names: poweroff, shutdown, init and the others.

use std::time::Duration;

use finit::client::names::{self, Plan};
use finit::client::power::{Manner, Notice};
use finit::client::when::When;
use finit::proto::frame::Answer;
use finit::proto::{Code, Power, Refusal, Reply, Request, StateWord};

use super::fake::*;

#[test]
fn the_old_names_understand_what_they_always_did() {
    use Power::{Halt, Poweroff, Reboot};
    use When::At;
    const NOW: When = When::NOW;
    let asked = |how| Some(Plan::Power(how, Manner::Ask));
    let forced = |how| Some(Plan::Power(how, Manner::Force { write: true }));
    let cut = |how| Some(Plan::Power(how, Manner::Force { write: false }));
    let later = |how, when, message: &str| {
        let (message, quiet) = (message.to_owned(), false);
        Some(Plan::Schedule(how, Notice { when, message, quiet }))
    };
    let cancel = |message: &str, quiet| Some(Plan::Cancel { message: message.to_owned(), quiet });
    let minutes = |count: u64| When::In(Duration::from_secs(count * 60));
    let table: &[(&str, Option<Plan>)] = &[
        ("poweroff", asked(Poweroff)),
        ("poweroff -p", asked(Poweroff)),
        ("poweroff -f", forced(Poweroff)),
        ("poweroff -fp", forced(Poweroff)),
        ("poweroff -dhi --no-wall", asked(Poweroff)),
        ("reboot -nf", cut(Reboot)),
        ("halt -f --no-sync", cut(Halt)),
        ("reboot -n", asked(Reboot)),
        ("poweroff -w", Some(Plan::Nothing)),
        ("poweroff -fw", Some(Plan::Nothing)),
        ("poweroff --reboot", asked(Reboot)),
        ("reboot", asked(Reboot)),
        ("reboot --force", forced(Reboot)),
        ("reboot -p", asked(Poweroff)),
        ("halt", asked(Halt)),
        ("halt -p", asked(Poweroff)),
        ("shutdown now", asked(Poweroff)),
        ("shutdown -h now", asked(Poweroff)),
        ("shutdown -h +0", asked(Poweroff)),
        ("shutdown -P now", asked(Poweroff)),
        ("shutdown -r now", asked(Reboot)),
        ("shutdown now -r", asked(Reboot)),
        ("shutdown -H now", asked(Halt)),
        ("shutdown -H -h now", asked(Halt)),
        ("shutdown -h -P +0", asked(Poweroff)),
        // The line of inittab(5) for Ctrl-Alt-Del.
        ("shutdown -t1 -a -r now", asked(Reboot)),
        ("shutdown -t 5 -h now", asked(Poweroff)),
        ("shutdown -h now -t 5 -r bye -t 5", later(Reboot, NOW, "bye -t 5")),
        ("shutdown -r -t3 +5 please -t 5 -t7", later(Reboot, minutes(5), "please -t 5 -t7")),
        ("shutdown -t 5 -c -t 5 not yet -t 5", cancel("not yet -t 5", false)),
        ("shutdown --show", Some(Plan::Show)),
        ("shutdown -r now going down", later(Reboot, NOW, "going down")),
        ("shutdown now -r going -x", later(Reboot, NOW, "going -x")),
        ("shutdown -h +5", later(Poweroff, minutes(5), "")),
        ("shutdown -h +5 message", later(Poweroff, minutes(5), "message")),
        ("shutdown +5m", later(Poweroff, minutes(5), "")),
        ("shutdown -r +2h", later(Reboot, minutes(120), "")),
        ("shutdown 22:00", later(Poweroff, At { hour: 22, minute: 0 }, "")),
        ("shutdown -H 7:05 good night", later(Halt, At { hour: 7, minute: 5 }, "good night")),
        ("shutdown 22:00 -r", later(Reboot, At { hour: 22, minute: 0 }, "")),
        ("shutdown -c", cancel("", false)),
        ("shutdown -c all is well", cancel("all is well", false)),
        ("shutdown -c --no-wall", cancel("", true)),
        ("shutdown --no-wall -c why", cancel("why", true)),
        ("shutdown --help", Some(Plan::Help)),
        ("shutdown -h now --help", Some(Plan::Help)),
        ("poweroff --help", Some(Plan::Help)),
        ("reboot --version", Some(Plan::Version)),
    ];
    for (line, expected) in table {
        assert_eq!(plan(line).ok().as_ref(), expected.as_ref(), "{line}");
    }
}

fn plan(line: &str) -> Result<Plan, String> {
    let mut words = line.split(' ').map(str::to_owned);
    let program = words.next().unwrap();
    let words: Vec<String> = words.collect();
    names::plan(&program, &words)
}

#[test]
fn what_is_not_understood_does_nothing() {
    for line in [
        "shutdown",
        "shutdown -h",
        "shutdown 5",
        "shutdown +",
        "shutdown ++5",
        "shutdown +-5",
        "shutdown +5x",
        "shutdown +99999999999999999999",
        "shutdown 24:00",
        "shutdown 22:60",
        "shutdown 22:0",
        "shutdown 22:00:00",
        "shutdown +9:00",
        "shutdown tomorrow",
        "shutdown -c now",
        "shutdown -c -r",
        "shutdown -rc",
        "shutdown -k now",
        "shutdown -x now",
        "shutdown -hx now",
        "shutdown --hlep now",
        "shutdown -t now",
        "shutdown -tx -h now",
        "shutdown -t 5",
        "shutdown --show now",
        "shutdown now -x",
        "poweroff now",
        "poweroff -x",
        "poweroff -",
        "poweroff --",
        "poweroff --forc",
        "reboot -fx",
        "halt web",
    ] {
        assert!(plan(line).is_err(), "{line}");
    }
}

#[test]
fn words_that_are_no_words_never_shut_down() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    println!("seed {state:#x}");
    let pieces = ["-", "--", "h", "r", "now", "+5", "help", "x", "22:00", "=", "c", " ", "k", "é"];
    let legal = ["now", "+5", "+5h", "22:00"];
    for _ in 0..20_000 {
        let mut next = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % limit
        };
        let words: Vec<String> = (0..next(4))
            .map(|_| (0..=next(3)).map(|_| pieces[next(pieces.len())]).collect())
            .collect();
        if let Ok(Plan::Power(..) | Plan::Schedule(..)) = names::plan("shutdown", &words) {
            let has_time = words.iter().any(|word| legal.contains(&word.as_str()));
            assert!(has_time, "shutdown {words:?}");
            assert!(!words.iter().any(|word| word == "--help"), "shutdown {words:?}");
        }
        if let Ok(Plan::Power(..)) = names::plan("poweroff", &words) {
            let known = |word: &String| word.starts_with('-') && word.len() > 1;
            assert!(words.iter().all(known), "poweroff {words:?}");
        }
    }
}

#[test]
fn the_old_names_ask_pid_1() {
    let server = Server::always(done());
    let power =
        |how: &str| vec![format!(r#"{{"id":1,"method":"power","params":{{"how":"{how}"}}}}"#)];
    for (name, words, expected) in [
        ("poweroff", &[] as &[&str], power("poweroff")),
        ("reboot", &[], power("reboot")),
        ("halt", &[], power("halt")),
        ("shutdown", &["-h", "now"], power("poweroff")),
        ("shutdown", &["-r", "now"], power("reboot")),
        ("shutdown", &["--help"], vec![]),
        (
            "shutdown",
            &["-r", "+5", "new", "disks"],
            vec![
                r#"{"id":1,"method":"schedule-power","params":{"how":"reboot","message":"new disks","seconds":300}}"#
                    .to_owned(),
            ],
        ),
        ("shutdown", &["-c"], vec![r#"{"id":1,"method":"cancel-power","params":{}}"#.to_owned()]),
        ("shutdown", &["5"], vec![]),
        ("poweroff", &["--hlep"], vec![]),
        ("telinit", &["0"], power("poweroff")),
        ("telinit", &["6"], power("reboot")),
        ("init", &["0"], power("poweroff")),
        ("telinit", &["q"], vec![r#"{"id":1,"method":"apply","wait":true}"#.to_owned()]),
        (
            "telinit",
            &["1"],
            vec![r#"{"id":1,"method":"target","params":{"name":"rescue"},"wait":true}"#.to_owned()],
        ),
        ("telinit", &["-t", "5", "6"], power("reboot")),
        ("shutdown", &["-r", "-t", "5", "now"], power("reboot")),
        ("shutdown", &["-h", "-t5", "now"], power("poweroff")),
        ("telinit", &["-t", "6"], vec![]),
        ("telinit", &["--version"], vec![]),
        ("init", &["--help"], vec![]),
        ("telinit", &["9"], vec![]),
        ("telinit", &[], vec![]),
        ("telinit", &["--help"], vec![]),
        ("init", &["reset", "web"], vec!["reset web".to_owned()]),
    ] {
        let ran = server.run_as(name, words);
        assert_eq!(server.requests(), expected, "{name} {words:?}");
        let acts = !expected.is_empty() || words == ["--help"] || words == ["--version"];
        assert_eq!(ran.code == 0, acts, "{name} {words:?}: {}", ran.err);
    }
    let ran = server.run_as("shutdown", &["-r", "tomorrow"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("shutdown -r now"), "{}", ran.err);
}

#[test]
fn init_passes_words_on() {
    let server = Server::new(|request| match request {
        Request::Status { name } if name == "nix" => {
            vec![Answer::Refused(Refusal::new(Code::NoSuchService, "nothing is called nix"))]
        }
        Request::Status { name } if name == "w*" => {
            let dead = service("web-1", StateWord::Stopped);
            vec![Answer::Reply(Reply::Services(vec![dead, service("web-2", StateWord::Up)]))]
        }
        Request::Status { name } => {
            let state = if name == "web" { StateWord::Up } else { StateWord::Failed };
            vec![Answer::Reply(Reply::Service(Box::new(service(name, state))))]
        }
        Request::List => vec![Answer::Reply(Reply::Machine(Box::new(machine())))],
        Request::Plan => vec![Answer::Reply(Reply::Plan(Vec::new()))],
        Request::Why { .. } => {
            let why = r#"{"name":"db","state":"failed","since_ms":0,"reason":"is dead",
                "because":[{"ago_ms":1000,"text":"dead"}]}"#;
            vec![Answer::Reply(Reply::Why(vec![serde_json::from_str(why).unwrap()]))]
        }
        Request::Graph { .. } => {
            let graph = r#"{"root":"db","vertices":[{"name":"db","kind":"service","state":"up",
                "needs":[["a","b"]],"wants":[],"after":[]}]}"#;
            vec![Answer::Reply(Reply::Graph(serde_json::from_str(graph).unwrap()))]
        }
        _ => vec![job(&[], &[])],
    });
    let ran = |words: &[&str]| {
        let ran = server.run_as("init", words);
        (ran.code, ran.out, ran.err)
    };
    let plain = |code: i32, out: &str| (code, out.to_owned(), String::new());
    assert_eq!(ran(&["status", "web"]), plain(0, "ok\n"));
    assert_eq!(ran(&["status", "db"]), plain(1, "dead\n"));
    assert_eq!(ran(&["status", "w*"]), plain(1, "web-1 dead\nweb-2 ok\n"));
    assert_eq!(ran(&["restart", "web"]), plain(0, "job 7\n"));
    let (code, out, err) = ran(&["status", "nix"]);
    assert_eq!((code, out.as_str(), err.as_str()), (1, "", "init: nothing is called nix\n"));
    let (code, out, _) = ran(&["list"]);
    assert_eq!((code, out.lines().count()), (0, 5), "{out}");
    assert_eq!(ran(&["plan"]), plain(0, ""));
    assert_eq!(ran(&["why", "db"]), plain(0, "db failed is dead\n  1 s ago: dead\n"));
    assert_eq!(ran(&["graph"]), plain(0, "db up\n  needs a|b\n"));
    server.requests();
    for words in [&["--help-me"] as &[&str], &["poweroff", "now"], &["status", "a\npoweroff"], &[]]
    {
        assert_eq!(ran(words).0, 2, "{words:?}");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}
