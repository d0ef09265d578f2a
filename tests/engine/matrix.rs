//! Every state against everything that may happen to it: the table is the test. Where a process
//! is about, it ignores SIGTERM, so that nothing rushes past.

use std::rc::Rc;

use finit::config::spec::{RestartWhen, SystemSpec};
use finit::engine::{Ended, Event, Extent, Group, RunId};
use finit::facts::Exit;
use finit::proto::{Code, Power, Request};

use crate::build::{Part, command, hook, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

/// What `web` is in, and what it is in after each event.
#[rustfmt::skip]
const TABLE: [[&str; 9]; 21] = [
    // state          start       stop        restart     exit        executed    elapsed     need lost   power
    ["down",          "up",       "down",     "up",       "down",     "down",     "down",     "down",     "down"],
    ["ended",         "starting", "down",     "starting", "ended",    "ended",    "ended",    "ended",    "down"],
    ["waiting",       "up",       "down",     "up",       "waiting",  "waiting",  "waiting",  "waiting",  "down"],
    ["waiting path",  "waiting",  "down",     "waiting",  "waiting",  "waiting",  "waiting",  "waiting",  "down"],
    ["starting look", "starting", "down",     "starting", "starting", "starting", "backoff",  "waiting",  "down"],
    ["skipped",       "up",       "down",     "up",       "skipped",  "skipped",  "skipped",  "skipped",  "down"],
    ["listening",     "up",       "down",     "up",       "listening","listening","listening","waiting",  "down"],
    ["backoff",       "up",       "down",     "up",       "backoff",  "backoff",  "up",       "waiting",  "down"],
    ["starting hook", "starting", "stopping", "stopping", "starting", "starting", "stopping", "stopping", "stopping"],
    ["starting",      "starting", "stopping", "stopping", "backoff",  "up",       "stopping", "stopping", "stopping"],
    ["up",            "up",       "stopping", "stopping", "backoff",  "up",       "up",       "stopping", "stopping"],
    ["stopping",      "stopping", "stopping", "stopping", "down",     "stopping", "down",     "stopping", "stopping"],
    ["stopping hard", "stopping", "stopping", "stopping", "down",     "stopping", "failed",   "stopping", "stopping"],
    ["cleaning",      "cleaning", "cleaning", "cleaning", "down",     "cleaning", "down",     "cleaning", "cleaning"],
    ["failed",        "up",       "down",     "up",       "failed",   "failed",   "failed",   "failed",   "failed"],
    ["failed hung",   "failed",   "failed",   "failed",   "down",     "failed",   "failed",   "failed",   "failed"],
    ["done",          "done",     "down",     "starting", "done",     "done",     "done",     "waiting",  "down"],
    ["starting only-if", "starting", "stopping", "stopping", "starting", "starting", "stopping", "stopping", "stopping"],
    ["starting adopt", "starting", "down",    "starting", "starting", "starting", "backoff",  "waiting",  "down"],
    ["stopping command", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping"],
    ["up frozen",     "up",       "stopping", "stopping", "backoff",  "up",       "up",       "stopping", "stopping"],
];

/// The same while somebody holds it, the state behind the hold first.
#[rustfmt::skip]
const HELD: [[&str; 11]; 21] = [
    // state          held         start        stop         restart      exit         executed     elapsed      need lost    power        unhold
    ["down",          "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down"],
    ["ended",         "ended",     "ended",     "ended",     "ended",     "ended",     "ended",     "ended",     "ended",     "down",      "ended"],
    ["waiting",       "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "waiting"],
    ["waiting path",  "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "down",      "waiting"],
    ["starting look", "starting",  "starting",  "starting",  "starting",  "starting",  "starting",  "backoff",   "starting",  "down",      "starting"],
    ["skipped",       "skipped",   "skipped",   "skipped",   "skipped",   "skipped",   "skipped",   "skipped",   "skipped",   "down",      "skipped"],
    ["listening",     "listening", "listening", "listening", "listening", "listening", "listening", "listening", "listening", "down",      "listening"],
    ["backoff",       "backoff",   "backoff",   "backoff",   "backoff",   "backoff",   "backoff",   "up",        "backoff",   "down",      "backoff"],
    ["starting hook", "starting",  "starting",  "starting",  "starting",  "starting",  "starting",  "stopping",  "starting",  "stopping",  "starting"],
    ["starting",      "starting",  "starting",  "starting",  "starting",  "backoff",   "up",        "stopping",  "starting",  "stopping",  "starting"],
    ["up",            "up",        "up",        "up",        "up",        "backoff",   "up",        "up",        "up",        "stopping",  "up"],
    ["stopping",      "stopping",  "stopping",  "stopping",  "stopping",  "down",      "stopping",  "down",      "stopping",  "stopping",  "stopping"],
    ["stopping hard", "stopping",  "stopping",  "stopping",  "stopping",  "down",      "stopping",  "failed",    "stopping",  "stopping",  "stopping"],
    ["cleaning",      "cleaning",  "cleaning",  "cleaning",  "cleaning",  "down",      "cleaning",  "down",      "cleaning",  "cleaning",  "cleaning"],
    ["failed",        "failed",    "failed",    "failed",    "failed",    "failed",    "failed",    "failed",    "failed",    "failed",    "failed"],
    ["failed hung",   "failed",    "failed",    "failed",    "failed",    "down",      "failed",    "failed",    "failed",    "failed",    "failed"],
    ["done",          "done",      "done",      "done",      "done",      "done",      "done",      "done",      "done",      "down",      "done"],
    ["starting only-if", "starting", "starting", "starting", "starting", "starting", "starting", "stopping", "starting",  "stopping",  "starting"],
    ["starting adopt", "starting", "starting",  "starting",  "starting",  "starting",  "starting",  "backoff",   "starting",  "down",      "starting"],
    ["stopping command", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping", "stopping",  "stopping",  "stopping"],
    ["up frozen",     "up",        "up",        "up",        "up",        "backoff",   "up",        "up",        "up",        "stopping",  "up"],
];

/// What it is in after each other request, and how that was answered: for `apply` its command is
/// another one in the file, and the target is one that does not want it.
#[rustfmt::skip]
const ASIDE: [[&str; 9]; 21] = [
    // state            reload               signal               reset             apply             gentle           freeze               thaw              target
    ["down",             "down refused",      "down refused",      "down done",      "down done",      "down done",     "down refused",      "down done",      "down done"],
    ["ended",            "ended refused",     "ended refused",     "ended done",     "starting done",  "down done",     "ended refused",     "ended done",     "down done"],
    ["waiting",          "waiting refused",   "waiting refused",   "waiting done",   "waiting done",   "down done",     "waiting refused",   "waiting done",   "down done"],
    ["waiting path",     "waiting refused",   "waiting refused",   "waiting done",   "waiting done",   "down done",     "waiting refused",   "waiting done",   "down done"],
    ["starting look",    "starting refused",  "starting refused",  "starting done",  "starting done",  "down done",     "starting refused",  "starting done",  "down done"],
    ["skipped",          "skipped refused",   "skipped refused",   "up done",        "up done",        "down done",     "skipped refused",   "skipped done",   "down done"],
    ["listening",        "listening refused", "listening refused", "listening done", "listening done", "down done",     "listening refused", "listening done", "down done"],
    ["backoff",          "backoff refused",   "backoff refused",   "up done",        "up done",        "down done",     "backoff refused",   "backoff done",   "down done"],
    ["starting hook",    "starting refused",  "starting refused",  "starting done",  "stopping done",  "stopping done", "starting refused",  "starting done",  "stopping done"],
    ["starting",         "starting refused",  "starting done",     "starting done",  "stopping done",  "stopping done", "starting done",     "starting done",  "stopping done"],
    ["up",               "up done",           "up done",           "up done",        "stopping done",  "stopping done", "up done",           "up done",        "stopping done"],
    ["stopping",         "stopping refused",  "stopping done",     "stopping done",  "stopping done",  "stopping done", "stopping refused",  "stopping done",  "stopping done"],
    ["stopping hard",    "stopping refused",  "stopping done",     "stopping done",  "stopping done",  "stopping done", "stopping refused",  "stopping done",  "stopping done"],
    ["cleaning",         "cleaning refused",  "cleaning refused",  "cleaning done",  "cleaning done",  "cleaning done", "cleaning refused",  "cleaning done",  "cleaning done"],
    ["failed",           "failed refused",    "failed refused",    "up done",        "up done",        "down done",     "failed refused",    "failed done",    "failed done"],
    ["failed hung",      "failed refused",    "failed refused",    "failed done",    "failed done",    "failed done",   "failed refused",    "failed done",    "failed done"],
    ["done",             "done refused",      "done refused",      "done done",      "starting done",  "down done",     "done refused",      "done done",      "down done"],
    ["starting only-if", "starting refused",  "starting refused",  "starting done",  "stopping done",  "stopping done", "starting refused",  "starting done",  "stopping done"],
    ["starting adopt",   "starting refused",  "starting refused",  "starting done",  "starting done",  "down done",     "starting refused",  "starting done",  "down done"],
    ["stopping command", "stopping refused",  "stopping done",     "stopping done",  "stopping done",  "stopping done", "stopping refused",  "stopping done",  "stopping done"],
    ["up frozen",        "up done",           "up done",           "up done",        "stopping done",  "stopping done", "up done",           "up done",        "stopping done"],
];

const EVENTS: [&str; 9] =
    ["start", "stop", "restart", "exit", "executed", "elapsed", "need lost", "power", "unhold"];

const OTHERS: [&str; 8] =
    ["reload", "signal", "reset", "apply", "gentle", "freeze", "thaw", "target"];

/// A machine with `web` in that state.
fn situation(state: &str) -> Rig {
    let web = service("web").delay(secs(5), secs(5)).reloads_by_signal("HUP");
    let job = task("web").reloads_by_signal("HUP");
    match state {
        "down" => with(web.manual(), |_| {}),
        "ended" => with(job.forgets(), |rig| rig.ends("web", millis(0), 0)),
        "done" => with(job, |rig| rig.ends("web", millis(0), 0)),
        "waiting" => after(web, |rig| {
            rig.stop("db");
        }),
        "waiting path" => with(web.needs_path("/dev/web"), |_| {}),
        "starting look" => with(web.only_if("/etc/web"), |rig| rig.look_hangs("web")),
        "skipped" => with(web.only_if("/etc/web"), |rig| rig.skips("web", "no")),
        "listening" => with(web.listens(80), |_| {}),
        "backoff" => after(web, |rig| rig.crashes("web")),
        "starting hook" => with(web.before_start(hook("/prepare")), |rig| {
            rig.stubborn("/prepare");
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "starting only-if" => with(web.only_if_command(hook("/check")), |rig| {
            rig.stubborn("/check");
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "starting adopt" => with(web.forks(), |rig| {
            rig.program("web", Program { leaves: 1, ..Program::ends(millis(0), 0) });
            rig.program("web?", Program::daemon());
        }),
        "starting" => with(web, |rig| {
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "up" => stubborn(web),
        "stopping" => {
            let mut rig = stubborn(web);
            rig.stop("web");
            rig
        }
        "stopping command" => {
            let mut rig = with(web.stop_command("/halt"), |rig| {
                rig.stubborn("web");
                rig.stubborn("/halt");
            });
            rig.stop("web");
            rig
        }
        "up frozen" => {
            let mut rig = stubborn(web);
            rig.ask(Request::Freeze { names: vec!["web".to_owned()] }).expect("it is frozen");
            rig.now();
            rig
        }
        "stopping hard" => hung(web, 10),
        "failed hung" => hung(web, 15),
        "cleaning" => after(web.after_stop(hook("/tidy")), |rig| {
            rig.stop("web");
        }),
        "failed" => after(web.restart(RestartWhen::Never), |rig| rig.crashes("web")),
        other => panic!("no such state: {other}"),
    }
}

fn with(web: Part, change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = Rig::booted_but([service("db"), web.needs("db")], change);
    // What is started from now on runs until it is told to stop.
    if rig.label("web") != "starting" {
        rig.mends("web");
    }
    rig
}

fn after(web: Part, change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = with(web, |_| {});
    change(&mut rig);
    rig
}

fn stubborn(web: Part) -> Rig {
    with(web, |rig| rig.stubborn("web"))
}

fn hung(web: Part, seconds: u64) -> Rig {
    let mut rig = with(web, |rig| rig.hangs_in_the_kernel("web", secs(900)));
    rig.stop("web");
    rig.pass(secs(seconds));
    rig
}

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

#[test]
fn every_state_against_every_event() {
    let mut wrong = Vec::new();
    for [state, expected @ ..] in TABLE {
        let label = state.split(' ').next().unwrap();
        wrong.extend(differences(state, label, &expected, situation));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_state_against_every_event_while_it_is_held() {
    let held = |state: &str| {
        let mut rig = situation(state);
        happen(&mut rig, "hold");
        rig
    };
    let mut wrong = Vec::new();
    for [state, label, expected @ ..] in HELD {
        wrong.extend(differences(state, label, &expected, held));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_state_against_every_other_request() {
    let mut wrong = Vec::new();
    for [state, expected @ ..] in ASIDE {
        for (request, expected) in OTHERS.iter().zip(expected) {
            let mut rig = situation(state);
            let answer = aside(&mut rig, request);
            let found = format!("{} {answer}", rig.label("web"));
            if found != expected {
                wrong.push(format!("{state}, {request}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
        Err(refusal) if refusal.code == Code::NotRunning => "refused",
        Err(refusal) => panic!("{request}: {refusal:?}"),
    }
}

/// What comes otherwise than the table says.
fn differences(
    state: &str,
    label: &str,
    expected: &[&str],
    situation: impl Fn(&str) -> Rig,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (event, expected) in EVENTS.iter().zip(expected) {
        let mut rig = situation(state);
        assert_eq!(rig.label("web"), label, "the situation `{state}` is not there");
        happen(&mut rig, event);
        let found = rig.label("web");
        if found != *expected {
            wrong.push(format!("{state}, {event}: {found}, not {expected}"));
        }
    }
    wrong
}
