//! Orders that could only wait for themselves are refused whole, and no others.

use finit::config::spec::{Check, Health};
use finit::engine::{RunId, What};
use finit::proto::{Code, Refusal, Reply, Request};

use crate::build::{Part, hook, secs, service, task};
use crate::rig::Rig;

fn names(list: &str) -> Vec<String> {
    list.split(' ').map(str::to_owned).collect()
}

fn start(list: &str) -> Request {
    Request::Start { names: names(list) }
}

fn stop(list: &str) -> Request {
    Request::Stop { names: names(list) }
}

fn restart(list: &str) -> Request {
    Request::Restart { names: names(list) }
}

fn reload(list: &str) -> Request {
    Request::Reload { names: names(list) }
}

/// The one hook that runs.
fn hook_run(rig: &Rig) -> RunId {
    let runs = rig.world.living(|what| *what == What::Hook);
    assert_eq!(runs.len(), 1, "{}", rig.story());
    runs[0]
}

/// A service of which this command is the only one that takes its time.
type Place = (&'static str, fn(Part) -> Part, fn(&mut Rig));

fn nothing(_: &mut Rig) {}

fn asks() -> Health {
    let check = Check::Command(Box::new(hook("/hook")));
    Health { check, every: secs(1), timeout: secs(60), failures: 3 }
}

const PLACES: [Place; 8] = [
    ("only-if-command", |web| web.only_if_command(hook("/hook")), nothing),
    ("before-start", |web| web.before_start(hook("/hook")), nothing),
    ("after-start", |web| web.after_start(hook("/hook")), nothing),
    ("after-stop", |web| web.after_stop(hook("/hook")), |rig| rig.crashes("web")),
    (
        "stop.command",
        |web| web.stop_command("/hook"),
        |rig| {
            rig.stop("web");
        },
    ),
    (
        "reload",
        |web| web.reloads_by(hook("/hook")),
        |rig| {
            rig.reload("web").expect("a job");
        },
    ),
    ("ready.command", |web| web.ready_by("/hook", secs(1)), nothing),
    ("health.command", |web| web.health(asks()), |rig| rig.pass(secs(1))),
];

/// A machine in which a client asks from there.
fn machine(place: &Place, others: &[Part]) -> Rig {
    let (_, make, begin) = place;
    let web = make(service("web").start_timeout(None).stop_timeout(None));
    let web = if web.0.hooks.reload.is_empty() { web.reloads_by_signal("HUP") } else { web };
    let mut rig = Rig::booted([web].into_iter().chain(others.iter().cloned()));
    begin(&mut rig);
    rig
}

fn refusal(answer: Result<Reply, Refusal>) -> Option<String> {
    match answer {
        Err(refusal) if refusal.code == Code::SelfWait => Some(refusal.message),
        Err(refusal) => panic!("{refusal:?}"),
        Ok(_) => None,
    }
}

#[test]
fn a_hook_may_not_wait_for_orders_about_its_own_service() {
    // Which of start, stop, restart and reload could only wait for itself; none for one that is
    // refused for another reason.
    for (what, start_waits, reload_waits) in [
        ("only-if-command", true, None),
        ("before-start", true, None),
        ("after-start", false, Some(false)),
        ("after-stop", true, None),
        ("stop.command", true, None),
        ("reload", false, Some(true)),
        ("ready.command", true, None),
        ("health.command", false, Some(false)),
    ] {
        let place = PLACES.iter().find(|place| place.0 == what).unwrap();
        let cases = [(start("web"), start_waits), (stop("web"), true), (restart("web"), true)];
        for (request, waits) in cases.into_iter().chain(reload_waits.map(|w| (reload("web"), w))) {
            let mut rig = machine(place, &[]);
            let (run, state, spoken) = (hook_run(&rig), rig.label("web"), request.spoken());
            let signals = rig.signals("web").len();
            let answer = rig.ask_in(run, request);
            let message =
                format!("web's {what} waits for this order, and this order waits for it to end");
            assert_eq!(refusal(answer), waits.then_some(message), "{spoken} in {what}");
            if waits {
                let now = (rig.label("web"), rig.signals("web").len());
                assert_eq!(now, (state, signals), "{spoken} in {what} has changed something");
            }
        }
        let mut rig = machine(place, &[]);
        let own = rig.ask(restart("web"));
        assert!(own.is_ok(), "from elsewhere, or without waiting: {own:?}");
    }
}

#[test]
fn orders_about_others_are_taken_unless_those_wait_for_it() {
    for place in &PLACES {
        let others = [
            service("db"),
            service("app").needs("web").manual(),
            service("late").after("web").manual(),
            service("top").wants("app").manual(),
            service("either").needs("web|db").manual(),
            service("rival").conflicts("web").manual(),
        ];
        let starts = !matches!(place.0, "after-start" | "reload" | "health.command");
        for (request, waits) in [
            (start("db"), false),
            (restart("db"), false),
            (stop("db"), false),
            (stop("app"), false),
            (start("either"), false),
            (start("app"), starts),
            (start("late"), starts),
            (start("db top"), starts),
            (start("rival"), true),
        ] {
            let mut rig = machine(place, &others);
            let (run, spoken) = (hook_run(&rig), request.spoken());
            let answer = refusal(rig.ask_in(run, request));
            assert_eq!(answer.is_some(), waits, "{spoken} in {}: {answer:?}", place.0);
        }
    }
}

#[test]
fn the_circle_is_named() {
    let others = [service("app").needs("web").manual(), service("top").needs("app").manual()];
    let mut rig = machine(&PLACES[1], &others);
    let run = hook_run(&rig);
    let refused = rig.ask_in(run, start("top")).unwrap_err();
    let circle = "web's before-start waits for this order, and this order waits for it to end: \
                  top waits for app, app waits for web";
    assert_eq!((refused.code, refused.message.as_str()), (Code::SelfWait, circle));
    assert!(refused.hint.contains("--no-wait"), "{}", refused.hint);
    assert_eq!((rig.label("app"), rig.label("top")), ("down", "down"), "nothing was changed");
}

#[test]
fn what_it_stands_on_cannot_be_stopped_before_it() {
    let parts = || {
        let web = service("web").needs("app").after_start(hook("/hook"));
        [web, service("app").needs("db"), service("db"), service("log").wants("db")]
    };
    for (request, links) in [
        (restart("db"), Some(": db stops after app, app stops after web")),
        (stop("app"), Some(": app stops after web")),
        (stop("log"), None),
        (start("db"), None),
    ] {
        let mut rig = Rig::booted(parts());
        let run = hook_run(&rig);
        let (spoken, answer) = (request.spoken(), refusal(rig.ask_in(run, request)));
        let start = "web's after-start waits for this order, and this order waits for it to end";
        assert_eq!(answer, links.map(|links| format!("{start}{links}")), "{spoken}");
    }
}

#[test]
fn a_main_process_may_stop_and_restart_itself() {
    for request in [start("web"), stop("web"), restart("web"), restart("db"), start("app")] {
        let app = service("app").needs("web").manual();
        let mut rig = Rig::booted([service("web").needs("db"), service("db"), app]);
        let (run, spoken) = (rig.main("web"), request.spoken());
        assert_eq!(refusal(rig.ask_in(run, request)), None, "{spoken}");
    }
}

#[test]
fn a_task_of_the_boot_may_not_wait_for_who_waits_for_it() {
    for (request, waits) in [
        (start("setup"), true),
        (start("app"), true),
        (start("late"), true),
        (Request::Target { name: "rescue".to_owned() }, false),
        (start("web"), false),
        (stop("web"), false),
        (restart("web"), false),
        // The client goes with it.
        (restart("setup"), false),
        (stop("setup"), false),
    ] {
        let parts = [
            task("setup").after("web"),
            service("web"),
            service("app").needs("setup"),
            service("late").after("setup"),
        ];
        let mut rig = Rig::booted(parts);
        let (run, spoken) = (rig.main("setup"), request.spoken());
        let answer = refusal(rig.ask_in(run, request));
        assert_eq!(answer.is_some(), waits, "{spoken}: {answer:?}");
    }
}

#[test]
fn who_follows_a_job_that_waits_for_it_is_refused_then() {
    let mut rig = machine(&PLACES[1], &[service("app").needs("web").manual(), service("db")]);
    let run = hook_run(&rig);
    let app = rig.start("app");
    let refused = rig.world.engine.refuse_to_follow(run, app).expect("a refusal");
    assert_eq!(refused.code, Code::SelfWait);
    let web = rig.world.main_run("db").unwrap();
    assert_eq!(rig.world.engine.refuse_to_follow(web, app), None, "another service may");
    let db = rig.restart("db");
    assert_eq!(rig.world.engine.refuse_to_follow(run, db), None);
}
