//! `finitctl stop --gentle`: a service goes when nobody needs or wants it any more.

use finit::calendar::Schedule;
use finit::config::spec::Trigger;
use finit::proto::{Code, Outcome, Power, Refusal, Reply, Request};

use crate::build::{Part, hook, machine, secs, service, task, with_targets};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::hold::{hold, unhold};

pub fn gently(rig: &mut Rig, names: &[&str]) -> Result<Reply, Refusal> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    rig.ask(Request::StopGently { names })
}

/// It stays, and this is what is said.
pub fn stays(rig: &mut Rig, names: &[&str]) -> String {
    match gently(rig, names) {
        Ok(Reply::Done { message }) => message,
        other => panic!("{other:?}"),
    }
}

/// It goes, with these notes.
pub fn goes(rig: &mut Rig, names: &[&str]) -> Vec<String> {
    match gently(rig, names) {
        Ok(Reply::Job { job, also, notes }) => {
            assert_eq!(rig.outcome(job), Some(Outcome::Done));
            assert_eq!(also, Vec::<String>::new());
            notes
        }
        other => panic!("{other:?}"),
    }
}

fn states<const N: usize>(rig: &mut Rig, names: [&str; N]) -> [&'static str; N] {
    names.map(|name| rig.state(name))
}

fn manual(name: &str) -> Part {
    service(name).manual()
}

#[test]
fn it_stays_for_those_that_need_or_want_it_and_goes_with_the_last_of_them() {
    let mut rig =
        Rig::booted([service("db"), service("web").needs("db"), service("fan").wants("db")]);
    let said = stays(&mut rig, &["db"]);
    assert_eq!(said, "db stays for web, fan, and goes when nobody needs or wants it any more");
    assert_eq!(rig.reason("db"), "there only for web, fan");
    rig.stop("fan");
    assert_eq!(rig.reason("db"), "there only for web");
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "up"]);
    rig.stop("web");
    assert_eq!(states(&mut rig, ["db", "web"]), ["stopped", "stopped"]);
    assert_eq!(rig.stopped(), ["fan", "web", "db"]);
    // Who needs it has it again; the boot does not.
    rig.start("web");
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "up"]);
    rig.stop("web");
    rig.apply([service("db"), service("web").needs("db"), service("fan").wants("db")]);
    assert_eq!(rig.state("db"), "stopped");
    rig.start("db");
    rig.start("web");
    rig.stop("web");
    assert_eq!((rig.state("db"), rig.reason("db").as_str()), ("up", ""));
}

#[test]
fn what_nobody_needs_goes_at_once_and_takes_nobody_along() {
    let mut rig = Rig::booted([
        service("db"),
        service("log").part_of("db"),
        service("late").after("db"),
        service("odd").on_failure("db"),
    ]);
    assert_eq!(goes(&mut rig, &["db"]), Vec::<String>::new());
    assert_eq!(states(&mut rig, ["db", "log", "late", "odd"]), ["stopped", "up", "up", "up"]);
}

#[test]
fn of_several_those_that_only_need_one_another_go_together() {
    let mut rig = Rig::booted([
        service("a"),
        service("db"),
        service("web").needs("db"),
        service("page").needs("a"),
    ]);
    let notes = goes(&mut rig, &["db", "a", "web"]);
    assert_eq!(notes, ["a stays for page, and goes when nobody needs or wants it any more"]);
    assert_eq!(states(&mut rig, ["a", "db", "web", "page"]), ["up", "stopped", "stopped", "up"]);
    assert_eq!(rig.stopped(), ["web", "db"]);
}

#[test]
fn a_chain_of_those_that_are_there_for_others_alone_goes_with_its_last() {
    let mut rig =
        Rig::booted([manual("db"), manual("web").needs("db"), manual("page").needs("web")]);
    rig.start("page");
    rig.start("db");
    stays(&mut rig, &["db"]);
    rig.start("web");
    stays(&mut rig, &["web"]);
    let Ok(Reply::Why(chapters)) = rig.ask(Request::Why { name: "db".to_owned() }) else {
        panic!("no answer");
    };
    let told: Vec<_> = chapters.iter().map(|c| (c.name.as_str(), c.reason.as_str())).collect();
    let expected = [("db", "there only for web"), ("web", "there only for page"), ("page", "")];
    assert_eq!(told, expected);
    rig.stop("page");
    assert_eq!(states(&mut rig, ["db", "web", "page"]), ["stopped"; 3]);
}

/// Which of its alternatives carries a service is no matter of their order.
#[test]
fn the_one_alternative_that_is_there_stays_and_goes_when_the_other_has_come() {
    let slow = |rig: &mut Rig| rig.fails_at("x", finit::facts::Stage::Exec);
    let parts = [service("x").restart_never(), service("y"), service("z").needs("x|y")];
    let mut rig = Rig::booted_but(parts, slow);
    assert_eq!(states(&mut rig, ["x", "y", "z"]), ["failed", "up", "up"]);
    let said = stays(&mut rig, &["y"]);
    assert!(said.starts_with("y stays for z, "), "{said}");
    // A restart and a crash of it are none of its end.
    rig.restart("y");
    rig.crashes("y");
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, ["y", "z"]), ["up", "up"]);
    rig.mends("x");
    rig.start("x");
    assert_eq!(states(&mut rig, ["x", "y", "z"]), ["up", "stopped", "up"]);
    assert_eq!(rig.starts("z"), 2);
    // Let go by a person, it still comes for others.
    rig.crashes("x");
    assert_eq!(states(&mut rig, ["x", "y", "z"]), ["failed", "up", "up"]);
    assert_eq!(rig.starts("y"), 4);
}

#[test]
fn it_stops_nothing_that_is_down_and_starts_nothing() {
    let mut rig = Rig::booted([
        service("db"),
        service("web").needs("db"),
        service("bad").restart_never(),
        service("fan").wants("bad"),
    ]);
    rig.crashes("bad");
    rig.stop("db");
    assert_eq!(goes(&mut rig, &["db"]), Vec::<String>::new());
    // The one that failed is not tried again, though it is wanted.
    stays(&mut rig, &["bad"]);
    assert_eq!(states(&mut rig, ["db", "web", "bad"]), ["stopped", "waiting", "failed"]);
    rig.stop("fan");
    goes(&mut rig, &["bad"]);
    assert_eq!(rig.state("bad"), "stopped");
    assert_eq!((rig.starts("db"), rig.starts("bad")), (1, 1));
}

#[test]
fn a_target_keeps_what_it_names_and_not_what_is_merely_in_it() {
    let parts = [service("named"), service("within")];
    let spec = with_targets(machine(parts), &[("default", &["named"])]);
    let mut rig = Rig::cold(spec, "default");
    rig.boot();
    let notes = goes(&mut rig, &["named", "within"]);
    assert_eq!(notes, ["named stays for default, and goes when nobody needs or wants it any more"]);
    assert_eq!(states(&mut rig, ["named", "within"]), ["up", "stopped"]);
    rig.target("rescue");
    assert_eq!(rig.state("named"), "stopped");
}

#[test]
fn neither_times_nor_paths_bring_it_back_and_a_start_does() {
    let mut rig = Rig::booted([
        task("job").on_schedule(Schedule::parse("every 1min").unwrap()),
        service("seen").manual().watches(Trigger::Changed, "/etc/seen"),
    ]);
    goes(&mut rig, &["job", "seen"]);
    assert_eq!(rig.reason("job"), "its times are off until it is started");
    assert_eq!(rig.reason("seen"), "its paths are off until it is started");
    rig.pass(secs(200));
    assert_eq!(rig.starts("job"), 0);
    rig.start("job");
    assert_eq!(rig.starts("job"), 1);
}

#[test]
fn a_template_lets_all_of_its_instances_go_and_keeps_one_alone() {
    let instance = |name: &str| service(name).instance_of("getty").manual();
    let mut rig = Rig::booted([instance("getty@1"), instance("getty@2")]);
    rig.start("getty");
    let said = stays(&mut rig, &["getty@1"]);
    assert!(said.starts_with("getty@1 stays for getty, "), "{said}");
    goes(&mut rig, &["getty"]);
    assert_eq!(states(&mut rig, ["getty@1", "getty@2"]), ["stopped", "stopped"]);
}

#[test]
fn what_is_held_is_refused_and_who_is_held_keeps_what_it_needs() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    hold(&mut rig, "db");
    assert_eq!(gently(&mut rig, &["db"]).unwrap_err().code, Code::Held);
    unhold(&mut rig, "db");
    hold(&mut rig, "web");
    stays(&mut rig, &["db"]);
    rig.power(Power::Reboot).unwrap();
    assert_eq!(rig.finished(), Some(Power::Reboot));
}

#[test]
fn it_lasts_over_an_upgrade_and_an_edited_file() {
    let parts = || [service("db"), service("web").needs("db"), service("x")];
    let mut rig = Rig::booted(parts());
    stays(&mut rig, &["db"]);
    goes(&mut rig, &["x"]);
    rig.world.anew();
    rig.apply(parts());
    assert_eq!(states(&mut rig, ["db", "web", "x"]), ["up", "up", "stopped"]);
    assert_eq!(rig.reason("db"), "there only for web");
    rig.apply([service("db"), service("web"), service("x")]);
    assert_eq!(states(&mut rig, ["db", "web"]), ["stopped", "up"]);
}

/// A hook of `web` that lets `db` go need not wait for its own end: `db` stays for it.
#[test]
fn who_would_wait_for_its_own_end_is_refused_unless_it_is_kept() {
    let parts = || [service("db"), service("web").needs("db").after_start(hook("/after"))];
    let slow = |rig: &mut Rig| rig.program("/after", Program::daemon());
    let mut rig = Rig::booted_but(parts(), slow);
    let run = rig.world.living(|what| *what == finit::engine::What::Hook)[0];
    let ask = |rig: &mut Rig, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        rig.ask_in(run, Request::StopGently { names })
    };
    assert!(matches!(ask(&mut rig, &["db"]), Ok(Reply::Done { .. })));
    assert_eq!(ask(&mut rig, &["db", "web"]).unwrap_err().code, Code::SelfWait);
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "up"]);
}

/// Found by seed 98022: it went, since the better one might have come before.
#[test]
fn one_of_several_that_comes_back_stays_for_those_that_are_up_because_of_that() {
    let slow = |name| service(name).delay(secs(30), secs(30));
    let mut rig = Rig::booted([slow("main"), slow("spare"), service("app").needs("main|spare")]);
    rig.crashes("main");
    rig.crashes("spare");
    gently(&mut rig, &["spare"]).expect("an answer");
    assert_eq!(states(&mut rig, ["main", "spare", "app"]), ["restarting", "restarting", "up"]);
    rig.pass(secs(60));
    assert_eq!(states(&mut rig, ["main", "spare", "app"]), ["up", "stopped", "up"]);
    assert_eq!(rig.starts("app"), 1);
}
