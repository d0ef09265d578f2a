//! Every state against everything that may happen to it: the table is the test. Where a process
//! is about, it ignores SIGTERM, so that nothing rushes past.

use std::rc::Rc;

use finit::config::spec::{Kind, SystemSpec};
use finit::engine::{Ended, Event, Extent, Group, RunId};
use finit::facts::Exit;
use finit::proto::{Code, Outcome, Power, Reply, Request};

use crate::build::{command, millis, secs};
use crate::rig::Rig;

use situations::{Form, row, situation, situation_of};
use tables::{ASIDE, ENDS, HELD, HELD_ASIDE, TABLE};

mod situations;
mod tables;

const EVENTS: [&str; 9] =
    ["start", "stop", "restart", "exit", "executed", "elapsed", "need lost", "power", "unhold"];

const OTHERS: [&str; 8] =
    ["reload", "signal", "reset", "apply", "gentle", "freeze", "thaw", "target"];

/// Of which it matters what comes of them in the end.
const LATER: [&str; 9] =
    ["start", "stop", "restart", "exit", "reset", "apply", "gentle", "target", "back"];

fn happen(rig: &mut Rig, event: &str) {
    let node = rig.world.engine.number("web").unwrap();
    let peek = rig.world.engine.peek(node.number()).unwrap();
    let run = peek.run.unwrap_or(RunId { node, generation: 1 });
    match event {
        "start" => drop(rig.ask(Request::Start { names: vec!["web".to_owned()] })),
        "stop" => drop(rig.ask(Request::Stop { names: vec!["web".to_owned()] })),
        "restart" => drop(rig.ask(Request::Restart { names: vec!["web".to_owned()] })),
        "hold" => drop(rig.ask(Request::Hold { name: "web".to_owned() })),
        "unhold" => drop(rig.ask(Request::Unhold { name: "web".to_owned() })),
        "exit" if peek.run.is_some() => {
            let code = u8::from(rig.world.main_run("web").is_some());
            rig.world.end(run, Ended::Exit(Exit::Code(code)));
        }
        "exit" => {
            let ended = Ended::Exit(Exit::Code(1));
            rig.world.turn(Event::Exited { run, ended, group: Group::Empty });
        }
        "executed" => rig.world.turn(Event::Executed { run }),
        "elapsed" => {
            rig.world.now = peek.until.unwrap_or(rig.world.now);
            rig.world.turn(Event::Elapsed);
        }
        "need lost" => drop(rig.ask(Request::Stop { names: vec!["db".to_owned()] })),
        "power" => drop(rig.power(Power::Reboot)),
        other => panic!("no such event: {other}"),
    }
    rig.now();
}

/// What was out of order is mended, and all that is under way comes to its end.
fn mend(rig: &mut Rig) {
    for name in ["web", "web?"] {
        rig.mends(name);
    }
    rig.world.fates.reads.remove("web");
    for hook in ["/prepare", "/check", "/halt", "/tidy", "/after"] {
        rig.ends(hook, millis(0), 0);
    }
    task_ends(rig);
    rig.pass(secs(1_000));
}

/// From now on it does its work in a second, if it is a task.
fn task_ends(rig: &mut Rig) {
    let engine = &rig.world.engine;
    let spec = engine.number("web").and_then(|node| engine.definition(node));
    if spec.is_some_and(|spec| spec.kind == Kind::Task) {
        rig.ends("web", secs(1), 0);
    }
}

/// What comes of that in the end, and how the job ended that somebody may wait for.
fn in_the_end(rig: &mut Rig, event: &str) -> String {
    task_ends(rig);
    let names = || vec!["web".to_owned()];
    let answer = match event {
        "start" => rig.ask(Request::Start { names: names() }),
        "stop" => rig.ask(Request::Stop { names: names() }),
        "restart" => rig.ask(Request::Restart { names: names() }),
        "gentle" => rig.ask(Request::StopGently { names: names() }),
        "target" => rig.ask(Request::Target { name: "rescue".to_owned() }),
        "back" => {
            rig.target("rescue");
            rig.pass(secs(1_000));
            rig.ask(Request::Target { name: "default".to_owned() })
        }
        "exit" => {
            happen(rig, event);
            Ok(Reply::Pong)
        }
        other => {
            aside(rig, other);
            Ok(Reply::Pong)
        }
    };
    mend(rig);
    let outcome = match answer.expect("it is done") {
        Reply::Job { job, .. } => match rig.outcome(job) {
            Some(Outcome::Done) => " done",
            Some(Outcome::Failed) => " failed",
            Some(Outcome::Replaced) => " replaced",
            None => " open",
        },
        _ => "",
    };
    format!("{}{outcome}", rig.label("web"))
}

/// What comes otherwise than a table says, in which the first word of a row is the state.
fn differences<const N: usize>(
    table: &[[&str; N]],
    columns: &[&str],
    find: impl Fn(&str, &str) -> String,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in table {
        let state = row[0];
        for (event, expected) in columns.iter().zip(&row[N - columns.len()..]) {
            let found = find(state, event);
            if found != *expected {
                wrong.push(format!("{state}, {event}: {found}, not {expected}"));
            }
        }
    }
    wrong
}

fn no_difference(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn held(state: &str) -> Rig {
    let mut rig = situation(state);
    happen(&mut rig, "hold");
    rig
}

#[test]
fn every_situation_is_there_and_has_a_row_in_each_table() {
    for [state, ..] in TABLE {
        let rig = situation(state);
        let web = rig.world.engine.number("web").unwrap();
        assert_eq!(row(&rig, web), state);
    }
    let states = TABLE.map(|row| row[0]);
    assert_eq!(ASIDE.map(|row| row[0]), states);
    assert_eq!(ENDS.map(|row| row[0]), states);
    // What has no process cannot be held.
    let states: Vec<&str> = states.into_iter().filter(|state| *state != "up target").collect();
    assert_eq!(HELD.map(|row| row[0]).to_vec(), states);
    assert_eq!(HELD_ASIDE.map(|row| row[0]).to_vec(), states);
}

#[test]
fn every_state_against_every_event() {
    no_difference(differences(&TABLE, &EVENTS[..8], |state, event| {
        let mut rig = situation(state);
        happen(&mut rig, event);
        rig.label("web").to_owned()
    }));
}

#[test]
fn every_state_against_every_event_while_it_is_held() {
    no_difference(differences(&HELD, &EVENTS, |state, event| {
        let mut rig = held(state);
        happen(&mut rig, event);
        rig.label("web").to_owned()
    }));
    for [state, label, ..] in HELD {
        assert_eq!(held(state).label("web"), label, "{state}");
    }
}

#[test]
fn every_state_against_every_other_request() {
    no_difference(differences(&ASIDE, &OTHERS, |state, request| {
        let mut rig = situation(state);
        let answer = aside(&mut rig, request);
        format!("{} {answer}", rig.label("web"))
    }));
}

#[test]
fn every_state_against_every_other_request_while_it_is_held() {
    no_difference(differences(&HELD_ASIDE, &OTHERS, |state, request| {
        let mut rig = held(state);
        let answer = aside(&mut rig, request);
        format!("{} {answer}", rig.label("web"))
    }));
}

#[test]
fn what_comes_of_it_in_the_end() {
    no_difference(differences(&ENDS, &LATER, |state, event| {
        in_the_end(&mut situation(state), event)
    }));
}

/// However it is done: by a signal, by a command, by both, or with a word when it is over.
#[test]
fn every_state_against_every_form_of_reload() {
    let by_signal: [[&str; 2]; 31] = ASIDE.map(|row| [row[0], row[1]]);
    for form in [Form::Command, Form::List, Form::Told] {
        no_difference(differences(&by_signal, &["reload"], |state, request| {
            let mut rig = situation_of(state, form);
            let answer = aside(&mut rig, request);
            format!("{} {answer}", rig.label("web"))
        }));
    }
}

/// One of the requests that ask for no other state; the answer in a word.
fn aside(rig: &mut Rig, request: &str) -> &'static str {
    let name = "web".to_owned();
    let reply = match request {
        "reload" => rig.ask(Request::Reload { names: vec![name] }),
        "signal" => rig.ask(Request::Signal { name, signal: "USR1".to_owned() }),
        "reset" => rig.ask(Request::Reset { name }),
        "gentle" => rig.ask(Request::StopGently { names: vec![name] }),
        "freeze" => rig.ask(Request::Freeze { names: vec![name] }),
        "thaw" => rig.ask(Request::Thaw { names: vec![name] }),
        "target" => rig.ask(Request::Target { name: "rescue".to_owned() }),
        "apply" => {
            let mut spec = SystemSpec::clone(rig.world.engine.spec());
            for service in spec.services.iter_mut().filter(|service| service.name == name) {
                Rc::make_mut(service).commands = vec![command("/bin/other")];
            }
            drop(rig.load(spec, Extent::Everything));
            return "done";
        }
        other => panic!("no such request: {other}"),
    };
    match reply {
        Ok(_) => "done",
        Err(refusal) => match refusal.code {
            Code::NotRunning => "refused",
            Code::NotSupported => "unfit",
            Code::Held => "held",
            other => panic!("{request}: {other:?} {refusal:?}"),
        },
    }
}
