//! The control protocol: what goes in comes out, and nothing that comes in can hurt.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]
#![allow(clippy::arithmetic_side_effects, reason = "small numbers of the test itself")]

use std::num::NonZeroU64;

use finit::proto::frame::{self, Answer, Spelling, decode, decode_answer, encode_answer};
use finit::proto::report::{Detail, FrozenReport};
use finit::proto::{
    Because, Chapter, Code, Graph, JobEvent, MachineReport, Outcome, Power, Refusal, Reply,
    Request, ScheduledReport, ServiceReport, StateWord, TimerReport, Vertex, words,
};
use serde_json::json;

fn every_request() -> Vec<Request> {
    let names = || vec!["web".to_owned(), "db".to_owned()];
    let name = || "web".to_owned();
    vec![
        Request::Hello,
        Request::Ping,
        Request::List,
        Request::Status { name: name() },
        Request::Why { name: name() },
        Request::Plan,
        Request::Start { names: names() },
        Request::Stop { names: names() },
        Request::StopGently { names: names() },
        Request::Restart { names: names() },
        Request::Reload { names: names() },
        Request::Apply,
        Request::ApplyOnTrial { seconds: NonZeroU64::MIN },
        Request::Confirm,
        Request::Upgrade { program: None },
        Request::Upgrade { program: Some("/root/finit".to_owned()) },
        Request::Signal { name: name(), signal: "HUP".to_owned() },
        Request::Reset { name: name() },
        Request::Hold { name: name() },
        Request::Unhold { name: name() },
        Request::Freeze { names: names() },
        Request::Thaw { names: names() },
        Request::Wait { job: 7 },
        Request::Power { how: Power::Poweroff },
        Request::Power { how: Power::Reboot },
        Request::Power { how: Power::Halt },
        Request::SchedulePower {
            how: Power::Reboot,
            seconds: 300,
            message: "new disks".to_owned(),
            quiet: true,
        },
        Request::CancelPower { message: String::new(), quiet: false },
        Request::Target { name: "rescue".to_owned() },
        Request::Graph { name: None },
        Request::Graph { name: Some("web".to_owned()) },
    ]
}

fn service() -> ServiceReport {
    ServiceReport {
        name: "web".to_owned(),
        kind: "service".to_owned(),
        state: StateWord::Up,
        since_ms: 180_000,
        pid: Some(412),
        restarts: 2,
        reason: String::new(),
        held: true,
        frozen: Some(FrozenReport { since_ms: 7, by: Some("root".to_owned()) }),
        connections: Some(1),
        timer: Some(Box::new(TimerReport {
            next_ms: Some(60_000),
            last_ms: Some(7),
            result: Some("exited with status 0".to_owned()),
            ..TimerReport::default()
        })),
        cgroup: Some("/sys/fs/cgroup/finit/web".to_owned()),
        own_user: Some(61_184),
        detail: Some(Detail {
            needs: vec![("network".to_owned(), StateWord::Up)],
            ..Detail::default()
        }),
    }
}

fn chapter() -> Chapter {
    Chapter {
        name: "web".to_owned(),
        state: StateWord::Waiting,
        since_ms: 7,
        pid: None,
        reason: "waits for db".to_owned(),
        because: vec![Because { ago_ms: 9_000, text: "the boot".to_owned() }],
    }
}

fn graph() -> Graph {
    let web = Vertex {
        name: "web".to_owned(),
        kind: "service".to_owned(),
        state: StateWord::Waiting,
        needs: vec![vec!["db".to_owned(), "store".to_owned()]],
        wants: vec!["cache".to_owned()],
        after: vec!["cache".to_owned()],
    };
    Graph { root: "web".to_owned(), vertices: vec![web] }
}

fn every_answer() -> Vec<Answer> {
    let machine = MachineReport {
        scheduled: Some(ScheduledReport {
            how: Power::Halt,
            in_ms: 1,
            by: "me".to_owned(),
            message: String::new(),
        }),
        phase: "running".to_owned(),
        target: "default".to_owned(),
        version: "0.1.0".to_owned(),
        uptime_ms: 1,
        boot_ms: Some(2),
        warnings: vec!["the file is broken".to_owned()],
        services: vec![service()],
    };
    let event =
        |outcome| JobEvent { job: 7, service: "web".to_owned(), message: "up".to_owned(), outcome };
    vec![
        Answer::Reply(Reply::Hello {
            protocol: 1,
            version: "0.1.0".to_owned(),
            features: vec!["x".to_owned()],
            config: Some("/etc/finit.toml".to_owned()),
        }),
        Answer::Reply(Reply::Pong),
        Answer::Reply(Reply::Machine(Box::new(machine))),
        Answer::Reply(Reply::Service(Box::new(service()))),
        Answer::Reply(Reply::Services(vec![service(), service()])),
        Answer::Reply(Reply::Why(vec![chapter()])),
        Answer::Reply(Reply::Graph(Box::new(graph()))),
        Answer::Reply(Reply::Stories(vec![vec![chapter()], vec![chapter(), chapter()]])),
        Answer::Reply(Reply::Job { job: 7, also: vec!["app".to_owned()], notes: Vec::new() }),
        Answer::Reply(Reply::Done { message: "done".to_owned() }),
        Answer::Refused(Refusal::new(Code::Denied, "no").hint("be root")),
        Answer::Event(event(None)),
        Answer::Event(event(Some(Outcome::Done))),
        Answer::Event(event(Some(Outcome::Failed))),
        Answer::Event(event(Some(Outcome::Replaced))),
    ]
}

#[test]
fn requests_survive_the_wire() {
    for request in every_request() {
        let line = frame::encode_request(3, &request);
        assert!(line.ends_with('\n') && line.trim_end().lines().count() == 1, "{line}");
        let call = decode(&line).unwrap();
        assert_eq!(call.request, request);
        assert_eq!(call.spelling, Spelling::Json(json!(3)));
    }
}

/// What is new in the protocol is tried with all the rest.
#[test]
fn every_request_is_among_those_that_are_tried() {
    let odd = serde_json::from_value::<Request>(json!({"method": "no-such"})).unwrap_err();
    let listed = odd.to_string();
    let mut known: Vec<&str> =
        listed.split_once("expected one of ").unwrap().1.split('`').skip(1).step_by(2).collect();
    let tried: Vec<serde_json::Value> =
        every_request().iter().map(|request| serde_json::to_value(request).unwrap()).collect();
    known.retain(|method| !tried.iter().any(|request| request["method"] == *method));
    assert!(known.is_empty() && tried.len() > 25, "{known:?} is tried by nobody");
}

#[test]
fn who_will_wait_says_so_and_words_never_do() {
    let request = Request::Start { names: vec!["web".to_owned()] };
    let waits = |line: &str| decode(line).unwrap().wait;
    assert!(waits(&frame::encode_order(3, &request)));
    assert!(!waits(&frame::encode_request(3, &request)));
    assert!(!waits("start web"));
}

#[test]
fn answers_survive_the_wire() {
    for answer in every_answer() {
        let line = encode_answer(&Spelling::Json(json!(3)), &answer);
        assert!(line.starts_with(r#"{"id":3,"#) && line.ends_with('\n'), "{line}");
        assert_eq!(decode_answer(&line).unwrap(), answer);
    }
}

#[test]
fn the_line_of_the_contract_is_read() {
    let call = decode(r#"{"id":1,"method":"status","params":{"name":"sshd"}}"#).unwrap();
    assert_eq!(call.request, Request::Status { name: "sshd".to_owned() });
    let answer = encode_answer(
        &call.spelling,
        &Answer::Refused(Refusal::new(Code::NoSuchService, "m").hint("h")),
    );
    let expected = r#"{"id":1,"error":{"code":"no-such-service","message":"m","hint":"h"}}"#;
    assert_eq!(answer.trim_end(), expected);
}

/// Parameters that need not be there need no object, either.
#[test]
fn a_method_all_of_whose_parameters_may_be_missing_needs_none() {
    for (method, request) in [
        ("graph", Request::Graph { name: None }),
        ("upgrade", Request::Upgrade { program: None }),
        ("cancel-power", Request::CancelPower { message: String::new(), quiet: false }),
    ] {
        for rest in ["", r#","params":null"#, r#","params":{}"#] {
            let call = decode(&format!(r#"{{"id":1,"method":"{method}"{rest}}}"#));
            assert_eq!(call.unwrap().request, request, "{method}{rest}");
        }
    }
    let (_, refusal) = decode(r#"{"id":1,"method":"status"}"#).unwrap_err();
    assert_eq!(refusal.message, "status: missing field `name`");
}

#[test]
fn ids_come_back_as_they_were_sent() {
    for id in [json!(0), json!("seven"), json!([1, 2]), json!({"a": null}), json!(1.5)] {
        let line = json!({"id": id, "method": "ping"}).to_string();
        let spelling = decode(&line).unwrap().spelling;
        let answer = encode_answer(&spelling, &Answer::Reply(Reply::Pong));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&answer).unwrap()["id"], id);
    }
    let spelling = decode(r#"{"method":"ping"}"#).unwrap().spelling;
    let answer = encode_answer(&spelling, &Answer::Reply(Reply::Pong));
    assert_eq!(answer, "{\"result\":\"pong\"}\n");
}

#[test]
fn unknown_fields_are_ignored() {
    for line in [
        r#"{"id":1,"method":"ping","later":true}"#,
        r#"{"id":1,"method":"ping","params":{}}"#,
        r#"{"id":1,"method":"ping","params":null}"#,
        r#"{"id":1,"method":"ping","params":{"deep":[{}]}}"#,
        r#"{"id":1,"method":"ping","params":[]}"#,
    ] {
        assert_eq!(decode(line).map(|call| call.request), Ok(Request::Ping), "{line}");
    }
    let call = decode(r#"{"method":"status","params":{"name":"a","later":1}}"#).unwrap();
    assert_eq!(call.request, Request::Status { name: "a".to_owned() });
    let later = r#"{"id":1,"result":{"done":{"message":"m","later":1}},"later":2}"#;
    assert_eq!(decode_answer(later), Ok(Answer::Reply(Reply::Done { message: "m".to_owned() })));
}

#[test]
fn mistakes_have_the_right_code() {
    let code = |line: &str| decode(line).unwrap_err().1.code;
    assert_eq!(code(r#"{"method":"teleport"}"#), Code::UnknownMethod);
    assert_eq!(code(r#"{"method":"teleport","params":{"name":"a"}}"#), Code::UnknownMethod);
    assert_eq!(code(r#"{"method":"power","params":{"how":"explode"}}"#), Code::BadRequest);
    assert_eq!(code(r#"{"method":"power","params":{"how":"power"}}"#), Code::BadRequest);
    assert_eq!(code(r#"{"method":"status"}"#), Code::BadRequest);
    assert_eq!(code(r#"{"method":"status","params":{"name":7}}"#), Code::BadRequest);
    assert_eq!(code(r#"{"method":7}"#), Code::BadRequest);
    let at_once = r#"{"method":"apply-on-trial","params":{"seconds":0}}"#;
    assert_eq!(code(at_once), Code::BadRequest);
    for line in ["apply --confirm", "apply --confirm 0", "reload --confirm soon"] {
        assert_eq!(code(line), Code::BadRequest, "{line}");
    }
    assert_eq!(code("{"), Code::BadRequest);
    assert_eq!(code("explode"), Code::UnknownMethod);
    assert_eq!(code("status a b"), Code::BadRequest);
    assert_eq!(code("start"), Code::BadRequest);
    assert_eq!(code(""), Code::UnknownMethod);
    // The refusal is answered to the request that it refuses.
    let (spelling, _) = decode(r#"{"id":9,"method":"teleport"}"#).unwrap_err();
    assert_eq!(spelling, Spelling::Json(json!(9)));
}

#[test]
fn words_become_requests() {
    let name = |text: &str| text.to_owned();
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let minute = NonZeroU64::new(60).unwrap();
    let table = [
        ("ping", Request::Ping),
        ("list", Request::List),
        ("status", Request::List),
        ("status sshd", Request::Status { name: name("sshd") }),
        ("  status   sshd  \r", Request::Status { name: name("sshd") }),
        ("start a b", Request::Start { names: names("a b") }),
        ("stop a", Request::Stop { names: names("a") }),
        ("restart a", Request::Restart { names: names("a") }),
        ("restart", Request::Power { how: Power::Reboot }),
        ("reboot", Request::Power { how: Power::Reboot }),
        ("poweroff", Request::Power { how: Power::Poweroff }),
        ("halt", Request::Power { how: Power::Halt }),
        ("reload", Request::Apply),
        ("apply", Request::Apply),
        ("apply --confirm 60s", Request::ApplyOnTrial { seconds: minute }),
        ("reload --confirm 60", Request::ApplyOnTrial { seconds: minute }),
        ("confirm", Request::Confirm),
        ("reload a", Request::Reload { names: names("a") }),
        ("signal HUP a", Request::Signal { name: name("a"), signal: name("HUP") }),
        ("upgrade", Request::Upgrade { program: None }),
        ("upgrade /root/finit", Request::Upgrade { program: Some(name("/root/finit")) }),
        ("reset a", Request::Reset { name: name("a") }),
        ("stop --gentle a b", Request::StopGently { names: names("a b") }),
        ("hold a", Request::Hold { name: name("a") }),
        ("unhold a", Request::Unhold { name: name("a") }),
        ("freeze a b", Request::Freeze { names: names("a b") }),
        ("thaw a", Request::Thaw { names: names("a") }),
        ("target rescue", Request::Target { name: name("rescue") }),
    ];
    for (line, request) in table {
        assert_eq!(words::parse(line).as_ref(), Ok(&request), "{line}");
        assert_eq!(decode(line).unwrap().spelling, Spelling::Words);
    }
    for line in [
        "poweroff now",
        "stop --gentle",
        "halt -f",
        "reboot --help",
        "apply a",
        "confirm a",
        "--help",
        "signal HUP",
    ] {
        assert!(words::parse(line).is_err(), "{line} must not act");
    }
}

#[test]
fn words_are_answered_in_words() {
    let words = |answer: &Answer| encode_answer(&Spelling::Words, answer);
    assert_eq!(words(&Answer::Reply(Reply::Pong)), "pong\n");
    for (state, word) in [
        (StateWord::Up, "ok\n"),
        (StateWord::Done, "ok\n"),
        (StateWord::Listening, "ok\n"),
        (StateWord::Failed, "dead\n"),
        (StateWord::Stopped, "dead\n"),
    ] {
        let report = ServiceReport { state, ..service() };
        assert_eq!(words(&Answer::Reply(Reply::Service(Box::new(report)))), word);
    }
    for answer in every_answer() {
        let text = words(&answer);
        let lines = match &answer {
            Answer::Reply(Reply::Services(services)) => services.len(),
            Answer::Reply(Reply::Why(_)) => 2,
            Answer::Reply(Reply::Stories(_)) => 6,
            Answer::Reply(Reply::Graph(_)) => 3,
            _ => 1,
        };
        assert!(text.ends_with('\n') && text.lines().count() == lines, "{text}");
    }
    let failed = ServiceReport { state: StateWord::Failed, ..service() };
    let both = Answer::Reply(Reply::Services(vec![service(), failed]));
    assert_eq!(words(&both), "web ok\nweb dead\n");
}

#[test]
fn an_answer_in_words_is_one_line_that_drives_no_terminal() {
    let evil = "a\nstatus ok\u{1b}[2J\u{9b}2J\r\u{7}".to_owned();
    let answers = [
        Answer::Reply(Reply::Done { message: evil.clone() }),
        Answer::Refused(Refusal::new(Code::Denied, evil.clone()).hint(evil.clone())),
        Answer::Event(JobEvent { job: 1, service: evil.clone(), message: evil, outcome: None }),
    ];
    for answer in answers {
        let text = encode_answer(&Spelling::Words, &answer);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn the_longest_lines_are_read() {
    let name = "n".repeat(frame::MAX_LINE - 100);
    let request = Request::Status { name };
    assert_eq!(decode(&frame::encode_request(1, &request)).unwrap().request, request);

    let deep = format!("{{\"id\":{}", "[".repeat(frame::MAX_LINE - 10));
    assert_eq!(decode(&deep).unwrap_err().1.code, Code::BadRequest);
    let words = "x ".repeat(frame::MAX_LINE / 2);
    assert_eq!(decode(&words).unwrap_err().1.code, Code::UnknownMethod);
}

#[test]
fn an_unknown_word_is_not_sent_back_at_length() {
    let (_, refusal) = decode(&"x".repeat(frame::MAX_LINE)).unwrap_err();
    assert!(refusal.message.len() < 200, "{} bytes", refusal.message.len());
    let long = format!(r#"{{"method":"{}"}}"#, "y".repeat(60_000));
    let (_, refusal) = decode(&long).unwrap_err();
    assert_eq!(refusal.code, Code::UnknownMethod);
    assert!(refusal.message.len() < 1000, "{} bytes", refusal.message.len());
}

/// xorshift64*: the same lines for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % limit
    }
}

#[test]
fn garbage_never_panics() {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = u64::from(nanos.subsec_nanos()) | 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut valid: Vec<String> =
        every_request().iter().map(|request| frame::encode_request(1, request)).collect();
    valid.extend(every_answer().iter().map(|a| encode_answer(&Spelling::Json(json!(1)), a)));
    valid.extend(["status sshd", "signal HUP a", "reload"].map(str::to_owned));

    for _ in 0..10_000 {
        let mut bytes = match random.below(3) {
            0 => (0..random.below(200)).map(|_| random.below(256) as u8).collect(),
            _ => valid[random.below(valid.len())].clone().into_bytes(),
        };
        for _ in 0..random.below(6) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, b"{}[]\",:\\\n\0"[random.below(10)]),
            }
        }
        let line = String::from_utf8_lossy(&bytes);
        if let Err((spelling, refusal)) = decode(&line) {
            assert!(!refusal.message.is_empty(), "seed {seed}: {line:?}");
            let answer = encode_answer(&spelling, &Answer::Refused(refusal));
            assert_eq!(answer.matches('\n').count(), 1, "seed {seed}: {line:?} → {answer:?}");
        }
        // Any result will do, as long as there is one.
        drop(decode_answer(&line));
    }
}
