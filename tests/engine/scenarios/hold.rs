//! `finitctl hold`: one service is left as it is, whatever the rest of the machine does.

use finit::calendar::Schedule;
use finit::config::spec::RestartWhen;
use finit::proto::{Code, Outcome, Power, Refusal, Reply, Request};

use crate::build::{hook, secs, service, task};
use crate::rig::Rig;
use crate::scenarios::plan::plan;

pub fn hold(rig: &mut Rig, name: &str) -> String {
    done(rig.ask(Request::Hold { name: name.to_owned() }))
}

pub fn unhold(rig: &mut Rig, name: &str) -> String {
    done(rig.ask(Request::Unhold { name: name.to_owned() }))
}

fn done(answer: Result<Reply, Refusal>) -> String {
    match answer {
        Ok(Reply::Done { message }) => message,
        other => panic!("{other:?}"),
    }
}

/// An order for one service by its verb.
pub fn order(rig: &mut Rig, verb: &str, name: &str) -> Result<Reply, Refusal> {
    let names = vec![name.to_owned()];
    rig.ask(match verb {
        "start" => Request::Start { names },
        "stop" => Request::Stop { names },
        "restart" => Request::Restart { names },
        "reset" => Request::Reset { name: name.to_owned() },
        other => panic!("no such order: {other}"),
    })
}

fn refused(rig: &mut Rig, verb: &str, name: &str) -> Refusal {
    let refusal = order(rig, verb, name).expect_err("held");
    assert_eq!(refusal.code, Code::Held, "{verb} {name}");
    refusal
}

fn states<const N: usize>(rig: &mut Rig, names: [&str; N]) -> [&'static str; N] {
    names.map(|name| rig.state(name))
}

#[test]
fn what_is_held_up_stays_while_its_need_is_stopped_and_follows_it_once_it_is_let_go() {
    let mut rig =
        Rig::booted([service("db"), service("web").needs("db"), service("page").needs("web")]);
    let said = hold(&mut rig, "web");
    assert!(said.starts_with("web stays as it is until finitctl unhold web: up (pid"), "{said}");
    match order(&mut rig, "stop", "db") {
        Ok(Reply::Job { also, notes, .. }) => {
            assert_eq!(also, Vec::<String>::new());
            assert_eq!(notes, ["web stays as it is: held since 0 s by finitctl (pid 77, uid 0)"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(states(&mut rig, ["db", "web", "page"]), ["stopped", "up", "up"]);
    let said = unhold(&mut rig, "web");
    assert!(said.starts_with("web is no longer held: "), "{said}");
    assert_eq!(states(&mut rig, ["db", "web", "page"]), ["stopped", "waiting", "waiting"]);
    rig.start("db");
    assert_eq!(states(&mut rig, ["db", "web", "page"]), ["up"; 3]);
}

#[test]
fn a_need_is_restarted_below_what_is_held() {
    let mut rig = Rig::booted([service("db"), service("web").bound_to("db")]);
    hold(&mut rig, "web");
    let job = rig.restart("db");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    rig.crashes("db");
    rig.pass(secs(1));
    unhold(&mut rig, "web");
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "up"]);
    assert_eq!((rig.starts("db"), rig.starts("web")), (3, 1));
}

#[test]
fn a_need_that_waits_to_be_restarted_goes_when_somebody_holds_who_was_to_go_first() {
    let parts = [service("db"), service("web").needs("db"), service("page").needs("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("page"));
    let job = rig.restart("db");
    hold(&mut rig, "web");
    rig.pass(secs(30));
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    let starts = ["db", "web", "page"].map(|name| rig.starts(name));
    assert_eq!(starts, [2, 1, 2]);
}

#[test]
fn orders_against_it_are_refused_by_name_and_those_that_ask_for_what_is_are_taken() {
    let mut rig = Rig::booted([service("web"), service("idle").manual()]);
    hold(&mut rig, "web");
    hold(&mut rig, "idle");
    rig.pass(secs(120));
    let refusal = refused(&mut rig, "stop", "web");
    assert_eq!(refusal.message, "web is held since 2 min by finitctl (pid 77, uid 0)");
    assert_eq!(refusal.hint, "finitctl unhold web");
    for (verb, name) in
        [("restart", "web"), ("reset", "web"), ("start", "idle"), ("restart", "idle")]
    {
        refused(&mut rig, verb, name);
    }
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    let job = rig.stop("idle");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    // All or none.
    let both = Request::Stop { names: vec!["idle".to_owned(), "web".to_owned()] };
    assert!(rig.ask(both).is_err());
    assert_eq!(states(&mut rig, ["web", "idle"]), ["up", "stopped"]);
    assert_eq!((rig.starts("web"), rig.starts("idle"), rig.stopped().len()), (1, 0, 0));
}

#[test]
fn what_is_held_down_is_started_by_nobody_and_its_dependents_say_so() {
    let mut rig = Rig::booted([
        service("db").manual(),
        service("web").manual().needs("db"),
        service("fan").manual().wants("db"),
        service("odd").restart(RestartWhen::Never).on_failure("db"),
    ]);
    hold(&mut rig, "db");
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Failed));
    assert_eq!(rig.reason("web"), "waits for db, which is stopped and held: finitctl unhold db");
    let job = rig.start("fan");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    rig.crashes("odd");
    assert_eq!(
        states(&mut rig, ["db", "web", "fan", "odd"]),
        ["stopped", "waiting", "up", "failed"]
    );
    assert_eq!(rig.starts("db"), 0);
    // Those that want it still do.
    unhold(&mut rig, "db");
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "up"]);
}

#[test]
fn whom_a_failure_calls_is_not_called_while_it_is_held() {
    let mut rig = Rig::booted([
        service("odd").restart(RestartWhen::Never).on_failure("tell"),
        task("tell").manual(),
    ]);
    hold(&mut rig, "tell");
    rig.crashes("odd");
    assert_eq!(
        rig.said("odd failed, and tell is not started for that: it is held since 0 s by"),
        1
    );
    unhold(&mut rig, "tell");
    assert_eq!((rig.state("tell"), rig.starts("tell")), ("stopped", 0));
}

#[test]
fn its_times_pass_and_are_told() {
    let backup = task("backup").on_schedule(Schedule::parse("every 1h").unwrap());
    let mut rig = Rig::booted_but([backup], |rig| rig.ends("backup", secs(1), 0));
    hold(&mut rig, "backup");
    rig.pass(secs(2 * 3600));
    assert_eq!((rig.starts("backup"), rig.said("backup is due and held since")), (0, 2));
    unhold(&mut rig, "backup");
    assert_eq!(rig.starts("backup"), 0);
    rig.pass(secs(3600));
    assert_eq!(rig.starts("backup"), 1);
}

#[test]
fn connections_wait_in_the_sockets_of_what_is_held_while_it_listens() {
    let mut rig = Rig::booted([service("web").listens(80)]);
    hold(&mut rig, "web");
    let web = rig.world.engine.number("web").unwrap();
    rig.connect("web", "10.0.0.1");
    assert_eq!((rig.state("web"), rig.starts("web")), ("listening", 0));
    assert!(!rig.world.engine.is_watched(web));
    unhold(&mut rig, "web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 1));
}

#[test]
fn held_while_it_runs_a_connection_may_start_it_again() {
    let mut rig = Rig::booted([service("web").listens(80), service("sshd").inetd(22)]);
    rig.connect("web", "10.0.0.1");
    hold(&mut rig, "web");
    hold(&mut rig, "sshd");
    rig.exits("web", 0);
    rig.connect("web", "10.0.0.1");
    rig.connect("sshd", "10.0.0.1");
    rig.pass(secs(1));
    assert_eq!((rig.starts("web"), rig.connections()), (2, 1));
}

#[test]
fn its_own_life_goes_on_by_its_own_policy() {
    let mut rig = Rig::booted([
        service("again"),
        service("once").restart(RestartWhen::Never),
        service("web").manual().needs("once"),
    ]);
    hold(&mut rig, "again");
    hold(&mut rig, "once");
    rig.crashes("again");
    rig.crashes("once");
    rig.pass(secs(1));
    assert_eq!(states(&mut rig, ["again", "once"]), ["up", "failed"]);
    // A start of what needs it gives it no other chance, and neither does a stop.
    rig.start("web");
    rig.stop("once");
    refused(&mut rig, "start", "once");
    assert_eq!((rig.state("once"), rig.starts("once")), ("failed", 1));
}

#[test]
fn one_that_cannot_come_back_for_now_is_still_held_up() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    hold(&mut rig, "web");
    rig.stop("db");
    rig.crashes("web");
    rig.pass(secs(1));
    assert_eq!(rig.state("web"), "waiting");
    refused(&mut rig, "stop", "web");
    rig.start("db");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
}

#[test]
fn an_edited_file_waits_and_a_removed_service_goes_when_it_is_let_go() {
    let mut rig = Rig::booted([service("web"), service("old"), service("idle").manual()]);
    for name in ["web", "old", "idle"] {
        hold(&mut rig, name);
    }
    let edited = || [service("web").runs("/sbin/new")];
    assert_eq!(
        plan(&rig, edited()),
        [
            "change web: changed: command",
            "change old: not in the file any more, and held: it goes with finitctl unhold",
            "change idle: not in the file any more, and held: it goes with finitctl unhold",
        ]
    );
    let said = rig.apply(edited());
    let tail = "; held, and left as it is until finitctl unhold: web, old, idle";
    assert_eq!(said, format!("0 added, 1 changed, 2 removed{tail}"));
    assert_eq!(states(&mut rig, ["web", "old", "idle"]), ["up", "up", "stopped"]);
    assert_eq!(plan(&rig, edited()), ["change web: changed: command"]);
    let said = unhold(&mut rig, "web");
    assert!(said.ends_with("the file has changed meanwhile: finitctl restart web"), "{said}");
    assert_eq!((rig.starts("web"), rig.starts("old")), (1, 1));
    unhold(&mut rig, "old");
    let said = unhold(&mut rig, "idle");
    assert_eq!(said, "idle is no longer held, nor in the file: it is gone");
    assert_eq!(rig.world.engine.number("old"), None);
    rig.restart("web");
    assert!(rig.started().contains(&"/sbin/new"));
}

#[test]
fn a_service_that_comes_back_into_the_file_was_never_away() {
    let parts = || [service("web"), service("idle").manual()];
    let mut rig = Rig::booted(parts());
    hold(&mut rig, "web");
    hold(&mut rig, "idle");
    rig.apply([service("web")]);
    rig.apply([service("idle")]);
    rig.apply([service("web"), service("idle")]);
    assert_eq!(states(&mut rig, ["web", "idle"]), ["up", "stopped"]);
    assert_eq!((rig.starts("web"), rig.starts("idle")), (1, 0));
}

#[test]
fn another_kind_of_thing_in_its_place_is_not_held() {
    let mut rig = Rig::booted([service("getty")]);
    hold(&mut rig, "getty");
    rig.apply([service("getty@tty1").instance_of("getty")]);
    assert_eq!(rig.starts("getty@tty1"), 1);
    assert!(!rig.status("getty").held);
    assert_eq!(rig.world.living(|_| true).len(), 1);
}

#[test]
fn parts_rivals_and_targets_leave_it_alone() {
    let mut rig = Rig::booted([
        service("whole"),
        service("part").part_of("whole"),
        service("mail"),
        service("other").manual().conflicts("mail"),
    ]);
    hold(&mut rig, "part");
    hold(&mut rig, "mail");
    rig.restart("whole");
    rig.stop("whole");
    let refusal = refused(&mut rig, "start", "other");
    assert!(refusal.message.starts_with("mail is held since"), "{refusal:?}");
    rig.target("rescue");
    assert_eq!(
        states(&mut rig, ["whole", "part", "mail", "other"]),
        ["stopped", "up", "up", "stopped"]
    );
    assert_eq!((rig.starts("part"), rig.starts("mail")), (1, 1));
    // What happened to the whole counts as soon as nothing speaks against it.
    rig.target("default");
    unhold(&mut rig, "part");
    unhold(&mut rig, "mail");
    assert_eq!(states(&mut rig, ["whole", "part", "mail"]), ["stopped", "stopped", "up"]);
}

#[test]
fn a_template_is_held_with_its_instances_and_a_target_is_not() {
    let mut rig = Rig::booted([
        service("getty@tty1").instance_of("getty"),
        service("getty@tty2").instance_of("getty"),
    ]);
    hold(&mut rig, "getty@tty1");
    refused(&mut rig, "stop", "getty");
    hold(&mut rig, "getty");
    refused(&mut rig, "stop", "getty@tty2");
    unhold(&mut rig, "getty");
    rig.stop("getty");
    assert_eq!(states(&mut rig, ["getty@tty1", "getty@tty2"]), ["stopped", "stopped"]);
    let refusal = rig.ask(Request::Hold { name: "rescue".to_owned() }).unwrap_err();
    assert_eq!((refusal.code, &*refusal.hint), (Code::NotSupported, "hold its services"));
}

#[test]
fn one_that_is_on_its_way_down_is_held_down() {
    let mut rig =
        Rig::booted_but([service("db"), service("web").needs("db")], |rig| rig.stubborn("web"));
    rig.stop("db");
    let said = hold(&mut rig, "db");
    assert!(said.starts_with("db stays down until finitctl unhold db: up (pid"), "{said}");
    // It waits for its dependent to stop, and so it does.
    assert_eq!(states(&mut rig, ["db", "web"]), ["up", "stopping"]);
    hold(&mut rig, "web");
    rig.pass(secs(11));
    assert_eq!(rig.stopped(), ["web", "db"], "{}", rig.story());
    rig.pass(secs(3600));
    assert_eq!(states(&mut rig, ["db", "web"]), ["stopped", "stopped"]);
}

#[test]
fn a_shutdown_ends_all_holds() {
    let mut rig =
        Rig::booted([service("db"), service("web").needs("db"), service("on").listens(80)]);
    for name in ["db", "web", "on"] {
        hold(&mut rig, name);
    }
    rig.power(Power::Reboot).unwrap();
    assert_eq!(rig.stopped(), ["web", "db"]);
    assert_eq!(rig.finished(), Some(Power::Reboot));
}

#[test]
fn who_holds_it_since_when_is_shown_and_survives_an_upgrade() {
    let mut rig = Rig::booted([service("web"), service("on").listens(80)]);
    assert_eq!(unhold(&mut rig, "web"), "web is not held");
    hold(&mut rig, "web");
    hold(&mut rig, "on");
    rig.pass(secs(90));
    rig.world.anew();
    rig.pass(secs(90));
    let web = rig.status("web");
    assert!(web.held);
    assert_eq!(web.reason, "held since 3 min by finitctl (pid 77, uid 0)");
    assert_eq!(
        hold(&mut rig, "web"),
        "web is held since 3 min by finitctl (pid 77, uid 0) already"
    );
    rig.connect("on", "10.0.0.1");
    assert_eq!(rig.state("on"), "listening");
    refused(&mut rig, "stop", "web");
}

#[test]
fn whoever_waits_for_it_is_told() {
    let mut rig = Rig::booted([service("db").manual(), service("web").manual().needs("db")]);
    rig.hangs_before_exec("db");
    let job = rig.start("web");
    hold(&mut rig, "web");
    assert_eq!(rig.outcome(job), Some(Outcome::Replaced));
    assert_eq!(rig.state("web"), "stopped");
}

/// Seed 21299.
#[test]
fn a_need_that_waits_for_what_is_held_goes_on_when_that_one_stays() {
    let job = task("job").needs("db").after_stop(hook("/sbin/tidy"));
    let mut rig = Rig::booted_but([service("db"), job], |rig| {
        rig.ends("job", secs(1), 0);
        rig.ends("/sbin/tidy", secs(5), 0);
    });
    rig.pass(secs(2));
    assert_eq!(rig.state("job"), "stopping");
    hold(&mut rig, "job");
    let restart = rig.restart("db");
    rig.pass(secs(10));
    assert_eq!(states(&mut rig, ["db", "job"]), ["up", "done"], "{}", rig.story());
    assert_eq!((rig.starts("db"), rig.outcome(restart)), (2, Some(Outcome::Done)));
}
