//! What a person reads: each state in a word, with the one reason that matters and its cause.

use finit::config::spec::Piece;
use finit::facts::Stage;
use finit::proto::ServiceReport;

use crate::build::{millis, secs, service, task};
use crate::rig::Rig;

fn brief(report: &ServiceReport) -> (&str, &str) {
    (report.state.word(), report.reason.as_str())
}

fn cause(rig: &mut Rig, name: &str) -> String {
    rig.status(name).detail.map(|detail| detail.cause).unwrap_or_default()
}

const BY_HAND: &str = "finitctl (pid 77, uid 0)";

#[test]
fn each_state_has_its_word_and_its_reason() {
    let parts = [
        service("up"),
        service("off").manual(),
        service("failed").restart_never(),
        service("waiting").needs("failed"),
        service("restarting").delay(secs(8), secs(8)),
        service("listening").listens(80),
        service("starting"),
        task("done"),
        service("stopping"),
    ];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.fails_at("failed", Stage::User);
        rig.ends("restarting", millis(0), 7);
        rig.hangs_before_exec("starting");
        rig.ends("done", millis(0), 0);
        rig.stubborn("stopping");
    });
    rig.stop("stopping");
    let table = [
        ("up", "up", ""),
        ("off", "stopped", ""),
        ("failed", "failed", "user: No such file or directory (ENOENT)"),
        ("waiting", "waiting", "waits for failed, which is failed"),
        ("restarting", "restarting", "exited with status 7; again in 8.0 s"),
        ("listening", "listening", ""),
        ("starting", "starting", "not executed yet"),
        ("done", "done", "exited with status 0"),
        ("stopping", "stopping", "SIGKILL in 10 s"),
    ];
    for (name, state, reason) in table {
        let report = rig.status(name);
        let (word, why) = brief(&report);
        assert_eq!(word, state, "{name}");
        if name == "off" {
            continue;
        }
        assert_eq!(why, reason, "{name}");
    }
    let machine = rig.machine();
    assert_eq!((machine.phase.as_str(), machine.target.as_str()), ("booting", "default"));
    let known = machine.services.iter().filter(|one| one.kind == "service").count();
    assert_eq!(known, 8);
}

#[test]
fn a_command_is_shown_as_the_words_that_it_is() {
    let mut shell = service("shell");
    shell.0.commands[0].words = ["/bin/sh", "-c", "sleep 1; echo", ""]
        .map(|word| Box::from([Piece::Text(word.to_owned())]))
        .into();
    let mut rig = Rig::booted([shell]);
    let detail = rig.status("shell").detail.unwrap();
    assert_eq!(detail.command, "/bin/sh -c 'sleep 1; echo' ''");
}

#[test]
fn one_that_was_stopped_says_by_whom() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    rig.pass(secs(5));
    rig.stop("db");
    assert_eq!(rig.reason("db"), format!("stopped by {BY_HAND}"));
    assert_eq!(cause(&mut rig, "db"), BY_HAND);
    assert_eq!(rig.reason("web"), "waits for db, which is stopped");
}

#[test]
fn one_that_stops_for_another_says_for_which() {
    let mut rig = Rig::booted_but([service("db"), service("web").needs("db")], |rig| {
        rig.stubborn("web");
    });
    rig.stop("db");
    assert_eq!((rig.state("web"), cause(&mut rig, "web")), ("stopping", "db".to_owned()));
}

#[test]
fn causes_are_those_who_asked_and_not_those_who_merely_looked() {
    let mut rig = Rig::booted_but([service("web")], |rig| {
        rig.program(
            "web",
            crate::fates::Program { executes: Some(secs(2)), ..crate::fates::Program::daemon() },
        );
    });
    rig.status("web");
    rig.pass(secs(2));
    assert_eq!((rig.state("web"), cause(&mut rig, "web")), ("up", "the boot".to_owned()));
    rig.restart("web");
    rig.pass(secs(2));
    assert_eq!(cause(&mut rig, "web"), BY_HAND);
    rig.crashes("web");
    assert_eq!(cause(&mut rig, "web"), "its process killed by SIGKILL");
}

#[test]
fn an_age_counts_from_the_last_real_change() {
    let mut rig = Rig::booted([service("web")]);
    rig.pass(secs(7));
    assert_eq!(rig.status("web").since_ms, 7_000);
    rig.apply([service("web"), service("other")]);
    assert_eq!(rig.status("web").since_ms, 7_000);
}

#[test]
fn a_job_tells_its_way_once_and_its_end() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    let job = rig.restart("web");
    rig.mends("web");
    rig.pass(secs(10));
    let words: Vec<&str> = rig.news(job).iter().map(|news| news.message.as_str()).collect();
    let said = [
        "stopping (pid 101)",
        "stopping (pid 101): killed, and given up in 5 s",
        "stopping: killed, and given up in 5 s",
        &format!("stopped: stopped by {BY_HAND}; killed after 10s (stop.timeout)"),
        "starting",
        "up (pid 102)",
    ];
    assert_eq!(words.last(), said.last(), "{words:?}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}");
    let mut once = words.clone();
    once.dedup();
    assert_eq!(words, once);
}

#[test]
fn a_failed_start_fails_the_job_with_the_reason() {
    let mut rig =
        Rig::booted_but([service("web").manual()], |rig| rig.fails_at("web", Stage::Exec));
    let job = rig.start("web");
    assert_eq!(rig.outcome(job), Some(finit::proto::Outcome::Failed));
    assert!(rig.last_word(job).contains("exec: No such file"), "{}", rig.last_word(job));
}
