//! Ties beside needs and order: bound-to, part-of, conflicts, on-failure, reload-with.

use finit::config::spec::RestartWhen;
use finit::proto::{Code, Outcome, Refusal, Reply, Request};

use crate::build::{Part, machine, millis, secs, service, task};
use crate::rig::Rig;

#[test]
fn a_bound_service_goes_with_a_crash_that_is_repaired_and_comes_back() {
    let vpn = || service("vpn").delay(secs(5), secs(5));
    let mut rig = Rig::booted([vpn(), service("app").bound_to("vpn"), service("web").needs("vpn")]);
    rig.crashes("vpn");
    assert_eq!(rig.state("vpn"), "restarting");
    assert_eq!((rig.state("app"), rig.state("web")), ("waiting", "up"));
    assert_eq!(rig.reason("app"), "waits for vpn, which is restarting");
    rig.pass(secs(10));
    assert_eq!((rig.state("app"), rig.starts("app")), ("up", 2));
    assert_eq!(rig.starts("web"), 1);
}

#[test]
fn who_is_bound_to_a_name_is_bound_to_any_that_provides_it_and_to_none_alone() {
    let mta = |name: &str| service(name).provides("mail").delay(secs(5), secs(5));
    let both = || service("both").bound_to("mail").needs("exim");
    let mut rig =
        Rig::booted([mta("exim"), mta("postfix"), service("app").bound_to("mail"), both()]);
    rig.crashes("exim");
    assert_eq!((rig.state("app"), rig.state("both")), ("up", "up"));
    rig.crashes("postfix");
    assert_eq!((rig.state("app"), rig.state("both")), ("waiting", "waiting"));
    rig.pass(secs(10));
    assert_eq!((rig.starts("app"), rig.starts("both")), (2, 2));
}

#[test]
fn a_bound_service_waits_for_the_other_and_brings_it_up() {
    let mut rig = Rig::booted([service("vpn").manual(), service("app").bound_to("vpn").manual()]);
    assert_eq!(rig.state("vpn"), "stopped");
    let job = rig.start("app");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(rig.started(), ["/sbin/vpn", "/sbin/app"]);
}

#[test]
fn parts_come_back_with_a_whole_that_somebody_else_needs() {
    let front = service("front").needs("web").manual();
    let mut rig = Rig::booted([service("web"), service("cache").part_of("web"), front]);
    rig.stop("web");
    assert_eq!((rig.state("web"), rig.state("cache")), ("stopped", "stopped"));
    rig.start("front");
    assert_eq!([rig.state("web"), rig.state("cache"), rig.state("front")], ["up"; 3]);
}

#[test]
fn a_part_whose_whole_is_not_in_the_file_any_more_is_a_service_like_any_other() {
    let parts = || [service("web"), service("cache").part_of("web"), service("log")];
    let alone = || [service("cache"), service("log")];
    let mut rig = Rig::booted(parts());
    rig.stop("web");
    rig.try_out(machine(alone()), secs(60));
    assert_eq!((rig.label("web"), rig.state("cache")), ("unknown", "up"));
    rig.pass(secs(61));
    assert_eq!((rig.state("web"), rig.state("cache")), ("stopped", "stopped"), "as before");
    rig.apply(alone());
    assert_eq!((rig.label("web"), rig.state("cache")), ("unknown", "up"));
}

#[test]
fn parts_stop_and_restart_with_their_whole_and_come_back_with_it() {
    let mut rig = Rig::booted([
        service("web"),
        service("cache").part_of("web"),
        service("purge").part_of("cache"),
        service("db"),
    ]);
    assert_eq!(also(rig.ask(Request::Stop { names: vec!["web".into()] })), ["cache", "purge"]);
    for name in ["web", "cache", "purge"] {
        assert_eq!(rig.state(name), "stopped", "{name}");
    }
    rig.start("web");
    for name in ["web", "cache", "purge", "db"] {
        assert_eq!(rig.state(name), "up", "{name}");
    }
    rig.restart("web");
    assert_eq!((rig.starts("web"), rig.starts("cache"), rig.starts("purge")), (3, 3, 3));
    assert_eq!(rig.starts("db"), 1);
}

#[test]
fn a_part_alone_can_be_stopped_started_and_restarted() {
    let mut rig = Rig::booted([service("web"), service("cache").part_of("web")]);
    rig.restart("cache");
    assert_eq!((rig.starts("web"), rig.starts("cache")), (1, 2));
    rig.stop("cache");
    rig.restart("web");
    assert_eq!(rig.state("cache"), "stopped", "a person stopped it");
    rig.stop("web");
    rig.start("cache");
    assert_eq!((rig.state("web"), rig.state("cache")), ("stopped", "up"));
}

#[test]
fn a_crash_of_the_whole_leaves_its_parts_alone() {
    let mut rig = Rig::booted([service("web"), service("cache").part_of("web")]);
    rig.crashes("web");
    rig.pass(secs(60));
    assert_eq!((rig.starts("web"), rig.starts("cache")), (2, 1));
}

#[test]
fn an_edited_whole_restarts_its_parts() {
    let mut rig = Rig::booted([service("web"), service("cache").part_of("web")]);
    rig.apply([service("web").runs("/sbin/other"), service("cache").part_of("web")]);
    assert_eq!((rig.starts("web"), rig.starts("cache")), (2, 2));
}

/// Found by seed 9109.
#[test]
fn a_whole_that_is_long_in_stopping_restarts_its_parts_once() {
    let parts = [service("web"), service("cache").part_of("web")];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
    let edited = || [service("web").runs("/sbin/other"), service("cache").part_of("web")];
    for _ in 0..3 {
        rig.apply(edited());
        rig.pass(secs(1));
        assert_eq!((rig.state("web"), rig.starts("cache")), ("stopping", 2));
    }
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.starts("cache")), ("up", 2));
}

#[test]
fn of_two_rivals_the_first_is_there_and_the_other_says_why_it_waits() {
    let mut rig = Rig::booted([service("exim"), service("postfix").conflicts("exim")]);
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("up", "waiting"));
    assert_eq!(rig.reason("postfix"), "conflicts with exim, which is up");
    rig.stop("exim");
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("stopped", "up"));
}

#[test]
fn who_asks_for_one_rival_stops_the_other_whichever_of_them_says_it() {
    let parts = [service("exim"), service("postfix").conflicts("exim").manual()];
    let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("exim"));
    let answer = rig.ask(Request::Start { names: vec!["postfix".into()] });
    assert_eq!(notes(answer), ["stops exim, which conflicts with postfix"]);
    assert_eq!(rig.starts("postfix"), 0, "not beside it");
    rig.pass(secs(30));
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("stopped", "up"));
    let answer = rig.ask(Request::Restart { names: vec!["exim".into()] });
    assert_eq!(notes(answer), ["stops postfix, which conflicts with exim"]);
    rig.pass(secs(30));
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("up", "stopped"));
}

/// What a person does to a whole happens to its parts, in whatever words.
#[test]
fn a_whole_that_makes_way_takes_its_parts_along() {
    let exporter = service("exporter").part_of("apache");
    let parts = [service("apache"), service("nginx").conflicts("apache").manual(), exporter];
    let mut rig = Rig::booted(parts);
    let answer = rig.ask(Request::Start { names: vec!["nginx".into()] });
    let told = ["stops apache, which conflicts with nginx", "stops exporter, a part of apache"];
    assert_eq!(notes(answer), told);
    let states = |rig: &mut Rig| ["apache", "exporter", "nginx"].map(|name| rig.state(name));
    assert_eq!(states(&mut rig), ["stopped", "stopped", "up"]);
    assert_eq!(rig.reason("exporter"), "stopped by apache");
    rig.start("apache");
    assert_eq!(states(&mut rig), ["up", "up", "stopped"]);
    // Whoever holds it works on it.
    rig.ask(Request::Hold { name: "exporter".into() }).unwrap();
    rig.start("nginx");
    assert_eq!(states(&mut rig), ["stopped", "up", "up"]);
}

#[test]
fn what_is_needed_displaces_its_rivals_too() {
    let mut rig = Rig::booted([
        service("exim"),
        service("postfix").conflicts("exim").manual(),
        service("list").needs("postfix").manual(),
    ]);
    let job = rig.start("list");
    rig.pass(secs(30));
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("exim"), rig.state("list")), ("stopped", "up"));
}

#[test]
fn what_is_merely_wanted_displaces_nobody() {
    let mut rig = Rig::booted([
        service("exim"),
        service("postfix").conflicts("exim").manual(),
        service("list").wants("postfix").manual(),
    ]);
    let job = rig.start("list");
    rig.pass(secs(30));
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("up", "waiting"));
    assert_eq!((rig.state("list"), rig.outcome(job)), ("up", Some(Outcome::Done)));
}

#[test]
fn two_rivals_cannot_be_asked_for_at_once() {
    let mut rig = Rig::booted([
        service("exim").manual(),
        service("postfix").conflicts("exim").manual(),
        service("both").needs("exim").needs("postfix").manual(),
    ]);
    let refusal = rig.ask(Request::Start { names: vec!["both".into()] }).unwrap_err();
    assert_eq!(refusal.code, Code::BadRequest);
    assert_eq!(refusal.message, "exim and postfix exclude each other");
    assert_eq!(rig.state("exim"), "stopped", "nothing was begun");
}

#[test]
fn those_that_provide_one_name_may_exclude_all_others_that_do() {
    let mail = |name: &str| service(name).provides("mail").conflicts("mail");
    let mut rig = Rig::booted([mail("exim"), mail("postfix"), service("cron").needs("mail")]);
    assert_eq!((rig.state("exim"), rig.state("postfix")), ("up", "waiting"));
    assert_eq!(rig.state("cron"), "up");
}

#[test]
fn a_rival_that_restarts_keeps_its_place() {
    let exim = service("exim").delay(millis(0), millis(0));
    let mut rig = Rig::booted([exim, service("postfix").conflicts("exim")]);
    rig.restart("exim");
    rig.crashes("exim");
    rig.pass(secs(60));
    assert_eq!((rig.state("exim"), rig.starts("postfix")), ("up", 0));
}

#[test]
fn a_failure_for_good_calls_for_help_every_time() {
    let parts = [
        service("db").restart(RestartWhen::Never).on_failure("alert"),
        task("alert").manual(),
        service("web").needs("db"),
    ];
    let mut rig = Rig::booted(parts);
    rig.ends("alert", secs(1), 0);
    rig.crashes("db");
    rig.pass(secs(5));
    assert_eq!((rig.state("db"), rig.state("alert")), ("failed", "done"));
    rig.start("db");
    rig.crashes("db");
    rig.pass(secs(5));
    assert_eq!(rig.starts("alert"), 2);
}

/// The network was away when it was to send a mail: that is no reason for silence ever after.
#[test]
fn a_helper_that_has_failed_is_called_by_the_next_failure() {
    let failing = |name: &str| service(name).restart_never().on_failure("alert");
    let parts = [failing("db"), failing("web"), task("alert").manual().needs("net"), net()];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.ends("alert", secs(1), 1);
        rig.ends("net", secs(1), 1);
    });
    rig.start("net");
    rig.pass(secs(2));
    assert_eq!(rig.state("net"), "failed");
    rig.ends("net", secs(1), 0);
    rig.crashes("db");
    rig.pass(secs(5));
    assert_eq!((rig.state("net"), rig.state("alert")), ("done", "failed"));
    rig.ends("alert", secs(1), 0);
    rig.crashes("web");
    rig.pass(secs(5));
    assert_eq!((rig.state("alert"), rig.starts("alert"), rig.starts("net")), ("done", 2, 2));
    let told = rig.told("/sbin/alert");
    assert!(told[0].contains("MONITOR_UNIT=db") && told[1].contains("MONITOR_UNIT=web"));
    assert_eq!(rig.told("/sbin/net"), ["", ""], "it is no helper itself");
}

fn net() -> Part {
    task("net").manual()
}

#[test]
fn those_that_call_each_other_for_help_come_to_rest_and_say_so() {
    let one = |name: &str, other: &str| service(name).restart_never().on_failure(other);
    let mut rig = Rig::booted([one("a", "b"), one("b", "c").manual(), one("c", "a").manual()]);
    for name in ["a", "b", "c"] {
        rig.ends(name, secs(1), 1);
    }
    let starts = |rig: &Rig| ["a", "b", "c"].map(|name| rig.starts(name));
    rig.crashes("a");
    rig.pass(secs(60));
    assert_eq!((rig.state("a"), starts(&rig)), ("failed", [1, 1, 1]));
    let told = "c failed, and a is not started for that: it has led to this failure";
    assert_eq!(rig.said(told), 1);
    // Nor do they when one of them was there already.
    rig.stubborn("b");
    rig.start("b");
    rig.crashes("b");
    rig.pass(secs(60));
    assert_eq!((rig.state("a"), starts(&rig)), ("failed", [2, 2, 2]));
}

/// What a helper needs is given another chance with it, but not for ever.
#[test]
fn what_a_helper_needs_and_what_it_is_called_for_come_to_rest() {
    let one = |name: &str, other: &str| service(name).restart_never().on_failure(other).manual();
    let helper = |name: &str, need: &str| task(name).needs(need).manual();
    let parts = [
        one("a", "h"),
        helper("h", "n"),
        one("n", "b"),
        one("b", "g"),
        helper("g", "m"),
        one("m", "a"),
    ];
    let mut rig = Rig::booted_but(parts, |rig| {
        for name in ["a", "n", "b", "m"] {
            rig.ends(name, secs(1), 1);
        }
    });
    rig.start("a");
    rig.pass(secs(3600));
    let starts = ["a", "n", "b", "m"].map(|name| rig.starts(name));
    assert!(starts.iter().all(|starts| *starts < 4), "{starts:?}");
}

#[test]
fn a_reload_reaches_those_that_are_reloaded_with_it() {
    let hup = |name: &str| service(name).reloads_by_signal("HUP");
    let mut rig = Rig::booted([
        hup("nginx").provides("server"),
        hup("php").reload_with("nginx"),
        hup("fpm").reload_with("server"),
        hup("off").reload_with("nginx").manual(),
        hup("db"),
    ]);
    rig.reload("nginx").unwrap();
    assert_eq!(rig.signals("php"), ["SIGHUP"]);
    assert_eq!(rig.signals("fpm"), ["SIGHUP"]);
    assert_eq!((rig.signals("nginx").len(), rig.signals("off").len()), (1, 0));
    assert!(rig.signals("db").is_empty());
}

/// What else an answer names.
fn also(answer: Result<Reply, Refusal>) -> Vec<String> {
    match answer {
        Ok(Reply::Job { also, .. }) => also,
        other => panic!("{other:?}"),
    }
}

/// What an answer says besides.
fn notes(answer: Result<Reply, Refusal>) -> Vec<String> {
    match answer {
        Ok(Reply::Job { also, notes, .. }) => {
            assert_eq!(also, Vec::<String>::new());
            notes
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_waits_for_one_that_has_to_go_first_says_so() {
    for (needs, told) in [
        ("db", "waits for db, which is up and about to stop"),
        ("db|cache", "waits for db (up and about to stop) or cache (stopped)"),
    ] {
        let cache = service("cache").manual().restart_never();
        let late = service("late").needs(needs).manual();
        let parts = [service("db"), cache, service("web").needs("db"), late];
        let mut rig = Rig::booted_but(parts, |rig| rig.stubborn("web"));
        rig.restart("db");
        rig.start("late");
        assert_eq!((rig.state("late"), rig.reason("late").as_str()), ("waiting", told));
        rig.pass(secs(20));
        assert_eq!(rig.state("late"), "up");
    }
}

/// Seed 74885. One that stands on what it keeps from coming back gives way: to come again at
/// once, and to go again, would never end.
#[test]
fn one_that_keeps_its_own_need_down_lets_it_come() {
    for order in ["", "socket"] {
        let (old, db) =
            (|| service("old").provides("store"), || service("db").provides("store").after(order));
        let parts = |old: Part, db: Part| {
            let socket = service("socket").listens(80).needs("done");
            let slow = service("slow").needs("done").stop_timeout(Some(secs(10)));
            [old, db.conflicts("socket"), task("done").needs("store"), socket, slow]
        };
        let mut rig = Rig::booted_but(parts(old(), db().manual()), |rig| {
            rig.ends("done", millis(0), 0);
            rig.stubborn("slow");
        });
        rig.apply(parts(old(), db()));
        let now = |rig: &mut Rig| ["socket", "done", "slow", "db"].map(|name| rig.state(name));
        assert_eq!(now(&mut rig), ["listening", "done", "up", "waiting"]);
        rig.apply(parts(service("old"), db()));
        assert_eq!(now(&mut rig), ["waiting", "done", "up", "up"], "after {order:?}");
    }
}
