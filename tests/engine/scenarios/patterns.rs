//! Patterns for names: what they stand for, and that it is all or none.

use finit::config::spec::{LeftOut, SystemSpec};
use finit::engine::What;
use finit::proto::{Code, Outcome, Reply, Request};

use crate::build::{Part, hook, machine, service, task};
use crate::rig::Rig;

fn house() -> Vec<Part> {
    let getty = |name: &str| service(&format!("getty@{name}")).instance_of("getty");
    vec![
        getty("tty1"),
        getty("tty2"),
        getty("ttyS0").manual(),
        service("db").alias("getty@store"),
        service("web").needs("db").provides("getty@web"),
        task("backup").manual(),
    ]
}

fn names(list: &str) -> Vec<String> {
    list.split(' ').map(str::to_owned).collect()
}

/// The names of those for which `status` says that state.
fn that_are(rig: &mut Rig, state: &str) -> Vec<String> {
    let services = rig.machine().services.into_iter();
    let one = services.filter(|one| matches!(one.kind.as_str(), "service" | "task" | "template"));
    let mut names: Vec<String> =
        one.filter(|one| one.state.word() == state).map(|one| one.name).collect();
    names.sort();
    names
}

#[test]
fn a_pattern_stands_for_the_services_and_instances_whose_names_match_it() {
    let mut rig = Rig::booted(house());
    let mut shown = |pattern: &str| match rig.ask(Request::Status { name: pattern.to_owned() }) {
        Ok(Reply::Services(reports)) => {
            reports.into_iter().map(|report| report.name).collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(shown("getty@*"), "getty@tty1 getty@tty2 getty@ttyS0");
    assert_eq!(shown("getty@tty?"), "getty@tty1 getty@tty2");
    assert_eq!(shown("getty@tty[!1]"), "getty@tty2");
    assert_eq!(shown("getty@[st]*[0-1]"), "getty@tty1 getty@ttyS0");
    assert_eq!(shown("getty*"), "getty getty@tty1 getty@tty2 getty@ttyS0");
    assert_eq!(shown("[d]b"), "db");
    // The boot and its targets are no services.
    assert_eq!(shown("*"), "backup db getty getty@tty1 getty@tty2 getty@ttyS0 web");
}

#[test]
fn what_matches_nothing_is_an_error_that_says_so_and_a_name_stays_one() {
    let mut rig = Rig::booted(house());
    for pattern in ["sshd*", "getty@store?", "[", "sysinit*", "d[!b]", "default?"] {
        let request = Request::Status { name: pattern.to_owned() };
        let refusal = rig.ask(request).unwrap_err();
        let message = format!("no service matches `{pattern}`");
        assert_eq!((refusal.code, refusal.message), (Code::NoSuchService, message));
        assert_eq!(
            rig.ask(Request::Start { names: names(pattern) }).unwrap_err().code,
            refusal.code
        );
        assert_eq!(
            rig.ask(Request::Why { name: pattern.to_owned() }).unwrap_err().code,
            refusal.code
        );
    }
    assert_eq!(rig.status("getty@store").name, "db");
    let refusal = rig.ask(Request::Start { names: names("getty@") }).unwrap_err();
    assert_eq!(refusal.message, "no service is called `getty@`");
    // What takes one name takes no pattern.
    for request in [
        Request::Hold { name: "*".to_owned() },
        Request::Reset { name: "*".to_owned() },
        Request::Signal { name: "d*".to_owned(), signal: "HUP".to_owned() },
        Request::Target { name: "*".to_owned() },
    ] {
        assert_eq!(rig.ask(request).unwrap_err().code, Code::NoSuchService);
    }
}

#[test]
fn orders_take_patterns_and_act_on_each_once() {
    let mut rig = Rig::booted(house());
    let job = rig.stop("getty@tty?");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(rig.stopped(), ["getty@tty1", "getty@tty2"]);
    assert_eq!(that_are(&mut rig, "up"), ["db", "web"]);
    let start = Request::Start { names: names("getty* getty@tty1 *tty1 getty") };
    let Ok(Reply::Job { job, .. }) = rig.ask(start) else { panic!() };
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(["tty1", "tty2", "ttyS0"].map(|one| rig.starts(&format!("getty@{one}"))), [2, 2, 1]);
    let job = rig.restart("[dw]*");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.starts("db"), rig.starts("web")), (2, 2));
    let Ok(Reply::Job { job, .. }) = rig.ask(Request::Freeze { names: names("getty@*") }) else {
        panic!()
    };
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    let frozen =
        |rig: &mut Rig| rig.machine().services.iter().filter(|s| s.frozen.is_some()).count();
    assert_eq!(frozen(&mut rig), 3);
    rig.ask(Request::Thaw { names: names("*@tty1 getty@tty[2-9] *S0") }).unwrap();
    assert_eq!(frozen(&mut rig), 0);
}

#[test]
fn stop_everything_stops_everything_and_no_more_than_that() {
    let mut rig = Rig::booted(house());
    let job = rig.stop("*");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(that_are(&mut rig, "up"), Vec::<String>::new());
    assert_eq!(that_are(&mut rig, "stopped").len(), 7);
    // The target is still the one to be in, and what is asked for comes.
    assert_eq!(rig.state("default"), "up");
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(that_are(&mut rig, "up"), ["db", "web"]);
}

#[test]
fn one_that_may_not_be_changed_keeps_all_of_a_pattern_as_they_are() {
    let left_out = vec![LeftOut { name: "web-2".to_owned(), mistake: "unknown key".to_owned() }];
    let spec = SystemSpec { left_out, ..machine([service("web-1"), service("web-3")]) };
    let mut rig = Rig::cold(spec, "default");
    rig.boot();
    let refusal = rig.ask(Request::Stop { names: names("web-*") }).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::BrokenConfig, "`web-2` was left out: unknown key",)
    );
    assert_eq!(that_are(&mut rig, "up"), ["web-1", "web-3"]);
    let refusal = rig.ask(Request::Stop { names: names("web-[13] db*") }).unwrap_err();
    assert_eq!(refusal.message, "no service matches `db*`");
    assert_eq!(that_are(&mut rig, "up"), ["web-1", "web-3"]);
    rig.ask(Request::Hold { name: "web-3".to_owned() }).unwrap();
    let refusal = rig.ask(Request::Stop { names: names("web-[13]") }).unwrap_err();
    assert_eq!(refusal.code, Code::Held);
    rig.stop("*-1");
    assert_eq!(that_are(&mut rig, "up"), ["web-3"]);
}

#[test]
fn why_tells_the_story_of_each() {
    let mut rig = Rig::booted(house());
    rig.stop("db");
    let Ok(Reply::Stories(stories)) = rig.ask(Request::Why { name: "[dw]*".to_owned() }) else {
        panic!()
    };
    let told: Vec<Vec<&str>> = stories
        .iter()
        .map(|chapters| chapters.iter().map(|chapter| chapter.name.as_str()).collect())
        .collect();
    assert_eq!(told, [vec!["db"], vec!["web", "db"]]);
}

#[test]
fn a_pattern_that_could_only_wait_for_itself_is_refused() {
    let web = service("web").before_start(hook("/hook")).start_timeout(None);
    let mut rig = Rig::booted([web, service("db")]);
    let runs = rig.world.living(|what| *what == What::Hook);
    assert_eq!(runs.len(), 1, "{}", rig.story());
    let refusal = rig.ask_in(runs[0], Request::Stop { names: names("w*") }).unwrap_err();
    assert_eq!(refusal.code, Code::SelfWait);
    assert!(rig.ask_in(runs[0], Request::Stop { names: names("d*") }).is_ok());
}

/// Anybody may ask for it, and PID 1 does nothing else meanwhile.
#[test]
fn what_is_longer_than_any_name_is_looked_for_nowhere() {
    let mut rig = Rig::booted(house());
    let (pattern, plain) = (format!("*{}", "[".repeat(65_000)), "x".repeat(257));
    for name in [&pattern, &plain] {
        for request in [Request::Status { name: name.clone() }, Request::Why { name: name.clone() }]
        {
            let refusal = rig.ask(request).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest);
            assert!(refusal.message.len() < 100, "{}", refusal.message);
        }
    }
    let refusal = rig.ask(Request::Status { name: "x".repeat(256) }).unwrap_err();
    assert_eq!(refusal.code, Code::NoSuchService);
}
