//! What follows from a request, told to whoever wants to know, early or late.

use serde_json::Value;

use crate::machine::Machine;

fn is_last(event: &Value) -> bool {
    !event["event"]["outcome"].is_null()
}

/// All news of a job up to its end, on a connection of their own.
fn news(machine: &Machine, job: u64) -> Vec<Value> {
    let mut line = machine.connect();
    line.send(format!("{{\"method\":\"wait\",\"params\":{{\"job\":{job}}}}}\n").as_bytes())
        .unwrap();
    let mut news: Vec<Value> = Vec::new();
    while !news.last().is_some_and(is_last) {
        let text = line.hear().expect("news until the end");
        news.push(serde_json::from_str(&text).unwrap());
        assert!(news.last().unwrap()["error"].is_null(), "{text}");
    }
    news
}

#[test]
fn who_follows_late_is_told_what_the_others_were_told() {
    let machine = Machine::boot("[service.idle]\ncommand = \"/programs/idle\"\nstart = \"manual\"");
    let answer = machine.request(r#"{"method":"start","params":{"names":["idle"]}}"#);
    let job = answer["result"]["job"]["job"].as_u64().expect("a job");
    let at_once = news(&machine, job);
    assert_eq!(at_once.last().unwrap()["event"]["outcome"], "done");
    assert_eq!(news(&machine, job), at_once);
    // It is up: the job of this one is over before its number is told.
    let answer = machine.request(r#"{"method":"start","params":{"names":["idle"]}}"#);
    let job = answer["result"]["job"]["job"].as_u64().expect("a job");
    assert_eq!(news(&machine, job).len(), 1);
    let answer = machine.request(r#"{"method":"wait","params":{"job":12345}}"#);
    assert_eq!(answer["error"]["code"], "no-such-job");
}
