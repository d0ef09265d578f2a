//! A log file that services share.

use std::fs;

use finit::proto::frame::Answer;
use finit::proto::report::Detail;
use finit::proto::{MachineReport, Reply, Request, ServiceReport, StateWord};

use super::fake::*;

/// Of a file that services share, each has its own lines.
#[test]
fn the_lines_of_others_in_a_file_are_not_those_of_a_service() {
    let logs = folder();
    let path = logs.join("app.log").to_str().unwrap().to_owned();
    let chatter: String = (0..5000).map(|n| format!("00:03 b-tag: line {n}\n")).collect();
    let lost = "00:04 ... 7 lines lost: No space left on device\n";
    fs::write(&path, format!("00:01 a: one\n00:02 x: web a: no\n{chatter}{lost}")).unwrap();
    let server = Server::new(move |request| {
        let report = |name: &str, tag: &str| {
            let (log, log_tag) = (Some(path.clone()), Some(tag.to_owned()));
            let detail = Some(Detail { log, log_tag, ..Detail::default() });
            ServiceReport { detail, ..service(name, StateWord::Up) }
        };
        let services = vec![service("a", StateWord::Up), service("b", StateWord::Up)];
        vec![Answer::Reply(match request {
            Request::Status { name } if name == "b" => {
                Reply::Service(Box::new(report("b", "b-tag")))
            }
            Request::Status { name } => Reply::Service(Box::new(report(name, name))),
            _ => Reply::Machine(Box::new(MachineReport { services, ..machine() })),
        })]
    });
    let own = format!("00:01 a: one\n{lost}");
    assert_eq!(server.run(&["logs", "a"]).out, own);
    let shown = server.run(&["status", "a"]).out;
    assert!(
        shown.ends_with(&format!("\n    {}", own.trim_end().replace('\n', "\n    ") + "\n")),
        "{shown}"
    );
    let ran = server.run(&["logs", "-n2", "b", "a"]);
    let named = format!("b: 00:03 b-tag: line 4999\n{}/app.log: {lost}", logs.display());
    assert_eq!(ran.out, named);
    assert_eq!(server.run(&["logs", "-n9999"]).out.lines().count(), 5003, "all of it");
}

/// Each line once and under its own name, however often its file is one of those asked for.
#[test]
fn a_file_of_several_services_is_read_once() {
    let logs = folder();
    let path = logs.join("app.log").to_str().unwrap().to_owned();
    fs::write(&path, "00:01 a: one\n00:02 b: two\n00:03 tag: three\n").unwrap();
    let server = Server::new(move |request| {
        let report = |name: &str| {
            let detail = Some(Detail { log: Some(path.clone()), ..Detail::default() });
            ServiceReport { detail, ..service(name, StateWord::Up) }
        };
        let reply = match request {
            Request::Status { name } if name == "worker" => {
                let detail = Some(Detail::default());
                let (kind, worker) = ("template".to_owned(), service(name, StateWord::Up));
                Reply::Service(Box::new(ServiceReport { kind, detail, ..worker }))
            }
            Request::Status { name } if name == "worker@*" => {
                Reply::Services(vec![report("worker@1"), report("worker@2")])
            }
            Request::Status { name } => Reply::Service(Box::new(report(name))),
            _ => Reply::Machine(Box::new(machine())),
        };
        vec![Answer::Reply(reply)]
    });
    let whole = "00:01 a: one\n00:02 b: two\n00:03 tag: three\n";
    for words in [&["logs", "a"] as &[_], &["logs", "a", "a"]] {
        assert_eq!(server.run(words).out, whole, "{words:?}");
    }
    let ran = server.run(&["logs", "a", "b"]);
    let file = logs.join("app.log").display().to_string();
    let named = format!("a: 00:01 a: one\nb: 00:02 b: two\n{file}: 00:03 tag: three\n");
    assert_eq!((ran.code, ran.out), (0, named), "{}", ran.err);
    let ran = server.run(&["logs", "worker"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{}", ran.err);
}
