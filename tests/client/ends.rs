//! How it ends: exit codes and everything that can go wrong on the way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use finit::client::status;
use finit::proto::frame::{Answer, Spelling, encode_answer};
use finit::proto::{Code, Refusal, Reply, Request, StateWord};

use super::fake::*;

#[test]
fn status_has_the_codes_of_lsb() {
    let table = [
        (StateWord::Up, 0),
        (StateWord::Done, 0),
        (StateWord::Listening, 0),
        (StateWord::Failed, 1),
        (StateWord::Restarting, 1),
        (StateWord::Stopped, 3),
        (StateWord::Waiting, 3),
        (StateWord::Starting, 3),
        (StateWord::Stopping, 3),
        (StateWord::Skipped, 3),
    ];
    for (state, code) in table {
        assert_eq!(status::of_state(state).code(), code, "{state:?}");
        let report = Reply::Service(Box::new(service("web", state)));
        let ran = Server::always(Answer::Reply(report)).run(&["status", "web"]);
        assert_eq!(ran.code, i32::from(code));
    }
}

#[test]
fn one_unknown_name_does_not_hide_the_others() {
    let server = Server::new(|request| match request {
        Request::Status { name } if name == "nix" => {
            let refusal = Refusal::new(Code::NoSuchService, "nothing is called nix");
            vec![Answer::Refused(refusal.hint("did you mean nginx?"))]
        }
        Request::Status { name } => {
            vec![Answer::Reply(Reply::Service(Box::new(service(name, StateWord::Up))))]
        }
        _ => vec![done()],
    });
    let ran = server.run(&["status", "sshd", "nix", "web"]);
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("sshd: up") && ran.out.contains("\n\nweb: up"), "{}", ran.out);
    assert_eq!(ran.err, "finitctl: nothing is called nix; did you mean nginx?\n");
}

#[test]
fn of_a_pattern_each_is_shown_and_the_first_that_is_not_up_decides() {
    let server = Server::new(|request| {
        vec![match request {
            Request::Status { name } if name == "web-*" => {
                let states = [("web-1", StateWord::Up), ("web-2", StateWord::Failed)];
                let each = states.map(|(name, state)| service(name, state));
                Answer::Reply(Reply::Services(each.to_vec()))
            }
            Request::Why { name } if name == "web-*" => {
                let story = |name, state| vec![chapter(name, state)];
                let stories =
                    vec![story("web-1", StateWord::Up), story("web-2", StateWord::Stopped)];
                Answer::Reply(Reply::Stories(stories))
            }
            Request::Why { name } if name == "db" => {
                Answer::Reply(Reply::Why(vec![chapter("db", StateWord::Up)]))
            }
            _ => Answer::Refused(Refusal::new(Code::NoSuchService, "no service matches `x*`")),
        }]
    });
    let ran = server.run(&["status", "web-*"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.starts_with("web-1: up") && ran.out.contains("\n\nweb-2: failed"),
        "{}",
        ran.out
    );
    assert_eq!(server.run(&["status", "web-*", "--json"]).out.lines().count(), 2);
    let ran = server.run(&["why", "db", "web-*"]);
    let page = "db: up since 3 min\n\nweb-1: up since 3 min\n\nweb-2: stopped since 3 min\n";
    assert_eq!((ran.code, ran.out.as_str()), (3, page));
    let ran = server.run(&["why", "x*", "db"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, "db: up since 3 min\n"));
    assert_eq!(ran.err, "finitctl: no service matches `x*`\n");
    assert_eq!(server.run(&["why"]).code, 2);
}

#[test]
fn refusals_have_their_codes() {
    let table = [
        (Code::BadRequest, 2),
        (Code::UnknownMethod, 5),
        (Code::NoSuchService, 4),
        (Code::NoSuchJob, 1),
        (Code::Denied, 5),
        (Code::BrokenConfig, 1),
        (Code::ShuttingDown, 5),
        (Code::Busy, 5),
        (Code::FinitFailed, 7),
        (Code::SelfWait, 5),
        (Code::NotRunning, 3),
        (Code::NotSupported, 5),
    ];
    for (code, exit) in table {
        let server = Server::always(Answer::Refused(Refusal::new(code, "no").hint("do this")));
        let ran = server.run(&["restart", "web"]);
        assert_eq!(ran.code, exit, "{code:?}");
        assert_eq!(ran.err, "finitctl: no; do this\n");
    }
}

/// The server has not heard how it asks, and answers in JSON.
#[test]
fn words_that_are_turned_away_unheard_are_refused_all_the_same() {
    let refused = Answer::Refused(Refusal::new(Code::Busy, "too many clients").hint("try again"));
    let line = encode_answer(&Spelling::Json(serde_json::Value::Null), &refused);
    let ran = Server::raw(move |_| Some(line.clone())).run_as("init", &["status", "web"]);
    assert_eq!((ran.code, ran.out.as_str()), (5, ""));
    assert_eq!(ran.err, "init: too many clients; try again\n");
}

#[test]
fn an_excerpt_of_the_file_keeps_its_lines() {
    let excerpt = "error: unclosed table\n --> /etc/finit.toml:24:11\n24 | [service.x\n   |  ^";
    let refusal = Refusal::new(Code::BrokenConfig, excerpt).hint("nothing was changed");
    let ran = Server::always(Answer::Refused(refusal)).run(&["apply"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(ran.err, format!("finitctl: {excerpt}\nnothing was changed\n"));
}

/// The connection would be given the number of the one that is closed.
#[test]
fn what_is_printed_never_goes_to_pid_1() {
    let up = || Answer::Reply(Reply::Service(Box::new(service("web", StateWord::Up))));
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let server = Server::new(move |request| match request {
            Request::Status { name } if name == "web" => vec![up()],
            _ => vec![Answer::Refused(Refusal::new(Code::NoSuchService, "no"))],
        });
        let usual = command(&server.folder, "finitctl", &[]);
        let mut shell = Command::new("/bin/sh");
        let script = format!("exec \"$0\" status web nix {closed}");
        shell.args(["-c", &script]).arg(usual.get_program()).stdin(Stdio::null());
        shell.env("FINIT_SOCKET", server.folder.join("initctl"));
        assert_eq!(Ran::of(&mut shell).code, 4, "{closed}");
        // Connections are served one after the other: all of the first has been read by now.
        assert_eq!(server.run(&["status", "web"]).code, 0);
        assert_eq!(server.requests().len(), 3, "{closed}");
    }
}

#[test]
fn no_socket_says_what_to_look_at() {
    let folder = folder();
    let ran = Ran::of(&mut command(&folder, "finitctl", &["status", "web"]));
    assert_eq!(ran.code, 7);
    assert!(ran.err.contains("No such file") && ran.err.contains("PID 1"), "{}", ran.err);
    drop(UnixListener::bind(folder.join("initctl")).unwrap());
    let ran = Ran::of(&mut command(&folder, "finitctl", &["status"]));
    assert_eq!(ran.code, 7);
    assert!(ran.err.contains("Connection refused") && ran.out.is_empty(), "{}", ran.err);
    let long = "x".repeat(200);
    let ran = Ran::of(&mut command(&folder, "finitctl", &["--socket", &long, "apply"]));
    assert_eq!(ran.code, 7, "{}", ran.err);
    assert_eq!(Ran::of(&mut command(&folder, "poweroff", &[])).code, 7);
    assert_eq!(Ran::of(&mut command(&folder, "init", &["status", "x"])).code, 7);
}

#[test]
fn broken_answers_are_failures() {
    let half = || Server::raw(|_| Some(r#"{"id":1,"result":{"service":{"name":"we"#.to_owned()));
    let ran = half().run(&["--timeout", "300ms", "status", "web"]);
    assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{}", ran.err);
    for (answer, code) in [
        ("\n", 1),
        ("nonsense\n", 1),
        ("{}\n", 1),
        ("{\"id\":1}\n", 1),
        ("{\"result\":{\"later\":{}}}\n", 1),
        ("{\"result\":{\"done\":{\"message\":\"an answer to something else\"}}}\n", 1),
        ("{\"event\":{\"job\":1,\"service\":\"a\",\"message\":\"m\"}}\n", 1),
        ("\u{0}\u{1}\n", 1),
    ] {
        let server = Server::raw(move |_| Some(answer.to_owned()));
        let ran = server.run(&["status", "web"]);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{answer:?}: {}", ran.err);
        assert!(ran.err.contains("not understood"), "{}", ran.err);
    }
    let ran = Server::raw(|_| None).run(&["status", "web"]);
    assert_eq!(ran.code, 7);
    assert!(ran.err.contains("connection ended"), "{}", ran.err);
}

#[test]
fn half_a_line_and_an_end_is_no_answer() {
    let folder = folder();
    let listener = UnixListener::bind(folder.join("initctl")).unwrap();
    thread::spawn(move || {
        for answer in [b"{\"result\":".as_slice(), b"\xff\xfe\n"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(answer).unwrap();
        }
    });
    let ran = Ran::of(&mut command(&folder, "finitctl", &["status", "web"]));
    assert_eq!((ran.code, ran.err.contains("half a line")), (7, true), "{}", ran.err);
    let ran = Ran::of(&mut command(&folder, "finitctl", &["status", "web"]));
    assert_eq!((ran.code, ran.err.contains("utf-8")), (1, true), "{}", ran.err);
}

/// One connection is for many questions, and the time is that of each.
#[test]
fn each_answer_has_its_own_time() {
    let server = Server::new(|request| {
        // The fake of one that is busy; it is the only one who knows the time.
        thread::sleep(Duration::from_millis(600));
        let Request::Status { name } = request else { return vec![done()] };
        vec![Answer::Reply(Reply::Service(Box::new(service(name, StateWord::Up))))]
    });
    let ran = server.run(&["--timeout", "2s", "status", "a", "b", "c", "d"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.matches(": up since").count(), 4, "{}", ran.out);
}

#[test]
fn a_server_that_never_answers_or_accepts_is_given_up() {
    let server = Server::raw(|_| Some(String::new()));
    let begin = Instant::now();
    let ran = server.run(&["--timeout", "200ms", "status", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (6, "finitctl: no answer within 200 ms\n"));
    assert!(begin.elapsed() < Duration::from_secs(5));

    let folder = folder();
    let listener = UnixListener::bind(folder.join("initctl")).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _one = UnixStream::connect(folder.join("initctl")).unwrap();
    let ran = Ran::of(&mut command(&folder, "finitctl", &["--timeout", "200ms", "status", "web"]));
    assert_eq!(ran.code, 6, "{}", ran.err);
}
