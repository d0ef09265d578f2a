//! What follows from a request, told to whoever wants to know, early or late.

use serde_json::Value;

use crate::machine::Machine;
use crate::talk::Line;

fn is_last(event: &Value) -> bool {
    !event["event"]["outcome"].is_null()
}

/// A connection that follows a job.
fn follow(machine: &Machine, job: u64) -> Line {
    let mut line = machine.connect();
    line.send(format!("{{\"method\":\"wait\",\"params\":{{\"job\":{job}}}}}\n").as_bytes())
        .unwrap();
    line
}

/// All news of a job up to its end.
fn news(mut line: Line) -> Vec<Value> {
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
    let at_once = news(follow(&machine, job));
    assert_eq!(at_once.last().unwrap()["event"]["outcome"], "done");
    assert_eq!(news(follow(&machine, job)), at_once);
    // It is up: the job of this one is over before its number is told.
    let answer = machine.request(r#"{"method":"start","params":{"names":["idle"]}}"#);
    let job = answer["result"]["job"]["job"].as_u64().expect("a job");
    assert_eq!(news(follow(&machine, job)).len(), 1);
    let answer = machine.request(r#"{"method":"wait","params":{"job":12345}}"#);
    assert_eq!(answer["error"]["code"], "no-such-job");
}

#[test]
fn of_very_many_services_that_end_at_once_each_is_told_and_the_job_ends() {
    let names: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let machine = Machine::boot(&format!(
        "[task.gate]\nscript = \"until [ -e /out/go ]; do sleep 0.1; done; exit 1\"\n\
         start = \"manual\"\n\
         [service.w]\ncommand = \"/programs/idle\"\nneeds = [\"gate\"]\ninstances = {names:?}\n\
         start = \"manual\"\n"
    ));
    machine.booted();
    let answer = machine.request(r#"{"method":"start","params":{"names":["w"]}}"#);
    let job = answer["result"]["job"]["job"].as_u64().expect("a job");
    let mut line = follow(&machine, job);
    // Only now it is told as it happens, and not afterwards.
    line.hear().expect("they wait");
    machine.write("/out/go", "");
    let mut told: Vec<String> =
        news(line).iter().map(|one| one["event"]["service"].to_string()).collect();
    told.sort();
    told.dedup();
    // One that only stands for them is not.
    assert_eq!(told.len(), names.len());
}
