//! What goes wrong, told to a program: `--json`.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use finit::proto::frame::Answer;
use finit::proto::{Code, Refusal, Reply, Request, StateWord};
use serde_json::Value;

use super::fake::*;

/// Each verb that asks PID 1, with words that it takes.
const ASKS: [&[&str]; 28] = [
    &["status"],
    &["status", "web"],
    &["why", "web"],
    &["list"],
    &["list", "--timers"],
    &["list", "--sockets"],
    &["logs", "web"],
    &["tree", "web"],
    &["graph", "--dot"],
    &["start", "web"],
    &["stop", "web"],
    &["restart", "web"],
    &["reload", "web"],
    &["reload"],
    &["signal", "HUP", "web"],
    &["reset", "web"],
    &["hold", "web"],
    &["unhold", "web"],
    &["freeze", "web"],
    &["thaw", "web"],
    &["plan"],
    &["apply"],
    &["confirm"],
    &["target", "rescue"],
    &["poweroff"],
    &["reboot", "--at", "+5m"],
    &["halt"],
    &["cancel"],
];

/// The one object that a run has printed.
fn error(ran: &Ran) -> Value {
    assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, ""), "{}", ran.out);
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object.as_object().unwrap().len(), 1, "{object}");
    object["error"].clone()
}

#[test]
fn each_verb_tells_a_refusal_as_pid_1_does() {
    let refusal = Refusal::new(Code::Denied, "user 7 may not do that").hint("ask as root");
    let server = Server::always(Answer::Refused(refusal.clone()));
    for words in ASKS.into_iter().chain([&["upgrade"] as &[&str]]) {
        let ran = server.run(&[words, &["--json"]].concat());
        assert_eq!(ran.code, 5, "{words:?}");
        assert_eq!(error(&ran), serde_json::to_value(&refusal).unwrap(), "{words:?}");
    }
}

#[test]
fn each_verb_tells_that_nobody_is_there() {
    let folder = folder();
    for words in ASKS {
        let ran = Ran::of(&mut command(&folder, "finitctl", &[words, &["--json"]].concat()));
        assert_eq!(ran.code, 7, "{words:?}");
        let error = error(&ran);
        assert_eq!(error["code"], "no-connection", "{words:?}");
        assert!(error["message"].as_str().unwrap().ends_with(": No such file or directory"));
        assert!(error["hint"].as_str().unwrap().contains("Is finit PID 1 here"));
    }
}

#[test]
fn what_goes_wrong_on_the_way_has_a_code_too() {
    let told = |server: Server, words: &[&str]| {
        let ran = server.run(words);
        (ran.code, error(&ran)["code"].as_str().unwrap().to_owned())
    };
    let code = |code: i32, word: &str| (code, word.to_owned());
    let lost = told(Server::raw(|_| None), &["status", "web", "--json"]);
    assert_eq!(lost, code(7, "connection-lost"));
    let unreadable = Server::raw(|_| Some("nonsense\n".to_owned()));
    assert_eq!(told(unreadable, &["--json", "list"]), code(1, "unreadable-answer"));
    let silent = || Server::raw(|_| Some(String::new()));
    let words = ["apply", "--json", "--timeout", "200ms"];
    assert_eq!(told(silent(), &words), code(6, "timed-out"));
    assert_eq!(told(silent(), &["signal", "NO", "web", "--json"]), code(2, "usage"));
    for words in
        [&["--json", "stauts"] as &[&str], &["start", "--json"], &["--json", "list", "--no"]]
    {
        assert_eq!(told(silent(), words), code(2, "usage"), "{words:?}");
    }
    // Behind `--` it is a name.
    let odd = |words: &[&str]| {
        let word = std::ffi::OsStr::from_bytes(b"w\xffb");
        Ran::of(command(&folder(), "finitctl", words).arg(word))
    };
    let ran = odd(&["start", "--json"]);
    assert_eq!((ran.code, &error(&ran)["code"]), (2, &"usage".into()));
    let ran = odd(&["start", "--", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let ran = silent().run(&["stop", "--no", "--", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
}

#[test]
fn an_order_that_takes_too_long_ends_its_news_with_an_error() {
    let endless = Server::new(|request| match request {
        Request::Wait { .. } => vec![event("web", "starting", None)],
        _ => vec![job(&[], &[])],
    });
    let ran = endless.run(&["start", "web", "--timeout", "1s", "--json"]);
    assert_eq!((ran.code, ran.out.lines().count(), ran.err.as_str()), (6, 3, ""), "{}", ran.out);
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "unfinished");
}

#[test]
fn of_several_names_each_has_its_object_in_its_place() {
    let server = Server::new(|request| match request {
        Request::Status { name } if name == "nix" => {
            vec![Answer::Refused(Refusal::new(Code::NoSuchService, "no service is called `nix`"))]
        }
        Request::Status { name } => {
            vec![Answer::Reply(Reply::Service(Box::new(service(name, StateWord::Up))))]
        }
        _ => vec![done()],
    });
    let ran = server.run(&["status", "--json", "sshd", "nix", "web"]);
    assert_eq!((ran.code, ran.err.as_str()), (4, ""));
    let told: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&told[0]["name"], &told[2]["name"]), (&"sshd".into(), &"web".into()));
    assert_eq!(told[1]["error"]["code"], "no-such-service");
    assert_eq!(told[1]["error"]["hint"], Value::Null);
}

#[test]
fn verbs_that_need_no_running_finit_do_so_too() {
    let folder = folder();
    let file = folder.join("finit.toml");
    fs::write(&file, "[service.web]\ncommand = \"/bin/web\"\nusre = \"web\"\n").unwrap();
    let file = file.to_str().unwrap();
    let run = |words: &[&str]| Ran::of(&mut command(&folder, "finitctl", words));
    let ran = run(&["enable", "web", "--file", file, "--json"]);
    let told = error(&ran);
    assert_eq!((ran.code, &told["code"]), (1, &"failed".into()));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("`usre`") && message.contains("nothing was changed"), "{message}");
    let ran = run(&["explain", "usre", "--json"]);
    assert_eq!((ran.code, &error(&ran)["code"]), (2, &"usage".into()));
    let ran = run(&["explain", "user", "--json"]);
    let page: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &page["key"]), (0, &"user".into()));
    // Mistakes are what a check is about: its own object tells them, and nothing tells them twice.
    let ran = run(&["check", file, "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, ran.err.as_str(), &found["errors"]), (1, "", &1.into()));
}
