//! Services and tasks that are started by what is seen of paths.

use finit::config::spec::{RestartWhen, Trigger};
use finit::engine::Event;
use finit::proto::{Power, Reply, Request};

use crate::build::{Part, machine, millis, secs, service, task};
use crate::rig::Rig;
use crate::scenarios::hold::{hold, unhold};

fn build() -> Part {
    task("build").watches(Trigger::Changed, "/src")
}

fn sort() -> Part {
    task("sort").watches(Trigger::NotEmpty, "/spool")
}

/// The task takes a second.
fn booted(part: Part) -> Rig {
    let name = part.0.name.clone();
    Rig::booted_but([part], |rig| rig.ends(&name, secs(1), 0))
}

fn because(rig: &mut Rig, name: &str) -> String {
    match rig.ask(Request::Why { name: name.to_owned() }) {
        Ok(Reply::Why(chapters)) => chapters[0].because[0].text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_starts_it_and_the_boot_does_not() {
    let mut rig = booted(build());
    assert_eq!((rig.state("build"), rig.starts("build")), ("stopped", 0));
    assert_eq!(rig.reason("build"), "watches /src");
    assert_eq!(rig.status("build").detail.unwrap().watches, ["changed /src"]);
    rig.changes("build", "/src");
    assert_eq!((rig.state("build"), rig.starts("build")), ("starting", 1));
    assert_eq!(because(&mut rig, "build"), "path /src changed");
    rig.pass(secs(1));
    assert_eq!(rig.state("build"), "stopped");
    assert_eq!(rig.reason("build"), "exited with status 0; watches /src");
    rig.pass(secs(100));
    assert_eq!(rig.starts("build"), 1);
    rig.changes("build", "/src");
    assert_eq!(rig.starts("build"), 2);
}

#[test]
fn why_no_path_starts_it_is_told() {
    let mut rig = booted(build().in_target("rescue"));
    assert_eq!(rig.reason("build"), "not of the target default");
    let mut rig = booted(build().disabled());
    assert_eq!(rig.reason("build"), "not enabled");
}

/// What is mounted on the way would be a change.
#[test]
fn the_watching_begins_when_the_file_systems_are_there() {
    let mut rig = Rig::booted_but([build()], |rig| rig.step("mount-local", None));
    assert_eq!(rig.watcher("build"), None);
    let run = *rig.world.steps.iter().next().expect("a step that runs");
    rig.world.turn(Event::StepEnded { run, result: Err("no disk".into()) });
    rig.now();
    assert!(rig.watcher("build").is_some(), "a step that failed is over, too");
}

#[test]
fn changes_during_a_run_are_one_more_run() {
    let mut rig = booted(build());
    rig.changes("build", "/src");
    for _ in 0..5 {
        rig.pass(millis(100));
        rig.changes("build", "/src");
    }
    assert_eq!(rig.starts("build"), 1);
    assert_eq!(
        rig.reason("build"),
        "runs /sbin/build (1 min left); runs once more, since path /src changed"
    );
    rig.pass(secs(2));
    assert_eq!(rig.starts("build"), 2);
    rig.pass(secs(100));
    assert_eq!(rig.starts("build"), 2);
}

#[test]
fn a_change_while_it_waits_is_what_the_run_finds() {
    let needy = build().needs("db");
    let mut rig = Rig::booted_but([needy, service("db").manual()], |rig| {
        rig.ends("build", secs(1), 0);
        rig.bind_fails("db");
        rig.fails_at("db", finit::facts::Stage::Exec);
    });
    rig.changes("build", "/src");
    assert_eq!(rig.state("build"), "waiting");
    rig.changes("build", "/src");
    rig.mends("db");
    rig.pass(secs(60));
    assert_eq!((rig.state("build"), rig.starts("build")), ("stopped", 1));
}

#[test]
fn a_run_that_is_tried_again_finds_what_changed_meanwhile() {
    let mut rig = booted(build().restart(RestartWhen::OnFailure));
    rig.ends("build", secs(1), 1);
    rig.changes("build", "/src");
    rig.pass(millis(500));
    rig.changes("build", "/src");
    rig.ends("build", secs(1), 0);
    rig.pass(secs(1));
    assert_eq!(rig.starts("build"), 2);
    rig.pass(secs(60));
    assert_eq!(rig.starts("build"), 2);
}

#[test]
fn what_goes_on_is_looked_at_again_after_each_run() {
    let mut rig = booted(sort());
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (1, 0));
    // While it runs that tells nothing: it may be gone at the end.
    rig.sees("sort", Trigger::NotEmpty, "/spool", 2);
    rig.pass(secs(1));
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (1, 1));
    // Another file: no waiting.
    rig.sees("sort", Trigger::NotEmpty, "/spool", 2);
    assert_eq!(rig.starts("sort"), 2);
    assert_eq!(because(&mut rig, "sort"), "path /spool is not empty");
    rig.pass(secs(100));
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (2, 2));
}

/// Whenever it is asked, the same holds.
fn holds_for(rig: &mut Rig, name: &str, time: std::time::Duration) {
    let end = rig.world.now.after(time);
    let mut asked = rig.asked(name);
    rig.sees(name, Trigger::NotEmpty, "/spool", 1);
    while rig.world.now < end {
        rig.pass(millis(10));
        if rig.asked(name) > asked {
            asked = rig.asked(name);
            rig.sees(name, Trigger::NotEmpty, "/spool", 1);
        }
    }
}

/// E3: a cause that stays does not take the processor.
#[test]
fn a_task_that_does_not_remove_its_cause_comes_ever_more_rarely() {
    let mut rig = booted(sort());
    rig.ends("sort", millis(1), 1);
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    holds_for(&mut rig, "sort", secs(1));
    let first = rig.starts("sort");
    assert!((3..=5).contains(&first), "{first} in a second");
    holds_for(&mut rig, "sort", secs(120));
    let then = rig.starts("sort");
    assert!((10..=15).contains(&then), "{then} in two minutes");
    let reason = rig.reason("sort");
    assert!(reason.starts_with("exited with status 1; runs again in "), "{reason}");
    // It is another file, so somebody has done something about it.
    rig.sees("sort", Trigger::NotEmpty, "/spool", 2);
    assert_eq!(rig.starts("sort"), then + 1);
}

#[test]
fn a_run_that_waits_for_its_time_does_not_come_if_nothing_holds_then() {
    let mut rig = booted(sort());
    rig.ends("sort", millis(1), 0);
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    rig.pass(millis(1));
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (1, 1));
    // Somebody empties it meanwhile: there is nothing to answer.
    rig.pass(secs(10));
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (1, 2));
}

/// The same for one that changes what it watches.
#[test]
fn a_task_that_changes_its_own_path_comes_once_a_second_at_most() {
    let mut rig = booted(build());
    rig.ends("build", millis(1), 0);
    rig.changes("build", "/src");
    for _ in 0..1_000 {
        rig.pass(millis(10));
        rig.changes("build", "/src");
    }
    let runs = rig.starts("build");
    assert!((10..=15).contains(&runs), "{runs} in ten seconds");
    // After a while without, the next one is as the first was.
    rig.pass(secs(10));
    let runs = rig.starts("build");
    rig.changes("build", "/src");
    assert_eq!(rig.starts("build"), runs + 1);
}

#[test]
fn past_the_limit_the_next_run_waits_and_comes() {
    let mut rig = booted(sort());
    rig.ends("sort", millis(1), 0);
    let mut mark = 0;
    let mut storm = |rig: &mut Rig, time| {
        let end = rig.world.now.after(time);
        while rig.world.now < end {
            mark += 1;
            rig.sees("sort", Trigger::NotEmpty, "/spool", mark);
            rig.pass(millis(1));
        }
    };
    storm(&mut rig, millis(1_900));
    assert_eq!(rig.starts("sort"), 200);
    assert_eq!(rig.state("sort"), "stopped", "it never fails for that");
    storm(&mut rig, millis(2_000));
    assert_eq!(rig.starts("sort"), 400);
}

#[test]
fn a_person_stops_the_watching_and_brings_it_back() {
    let mut rig = booted(build());
    let watcher = rig.watcher("build").unwrap();
    rig.changes("build", "/src");
    rig.changes("build", "/src");
    rig.stop("build");
    rig.pass(secs(10));
    assert_eq!((rig.state("build"), rig.starts("build")), ("stopped", 1));
    assert_eq!(rig.watcher("build"), None);
    assert!(rig.reason("build").ends_with("its paths are off until it is started"));
    // A word that was on its way.
    let sight =
        finit::config::spec::Sight { trigger: Trigger::Changed, path: "/src".to_owned(), mark: 1 };
    rig.world.turn(Event::Sighted { run: watcher, marks: vec![1], sights: vec![sight] });
    rig.pass(secs(10));
    assert_eq!(rig.starts("build"), 1);
    rig.start("build");
    rig.pass(secs(2));
    assert_eq!((rig.state("build"), rig.starts("build")), ("stopped", 2), "now");
    rig.changes("build", "/src");
    assert_eq!(rig.starts("build"), 3, "and by its paths again");
}

#[test]
fn no_failure_is_for_good() {
    let mut rig = booted(build().restart(RestartWhen::OnFailure).burst(2, secs(60)));
    rig.ends("build", millis(1), 3);
    rig.changes("build", "/src");
    rig.pass(secs(30));
    assert_eq!((rig.state("build"), rig.starts("build")), ("failed", 3));
    rig.ends("build", millis(1), 0);
    rig.changes("build", "/src");
    rig.pass(secs(1));
    assert_eq!((rig.state("build"), rig.starts("build")), ("stopped", 4));
}

#[test]
fn what_is_disabled_or_of_another_target_is_not_watched_for() {
    let mut off = build();
    off.0.enabled = false;
    let mut other = task("other").watches(Trigger::Changed, "/x");
    other.0.targets = vec!["rescue".to_owned()].into();
    let mut rig = Rig::booted([off, other]);
    assert_eq!((rig.watcher("build"), rig.watcher("other")), (None, None));
    rig.target("rescue");
    assert!(rig.watcher("other").is_some());
    // One that is started by hand runs once.
    rig.ends("build", secs(1), 0);
    rig.start("build");
    rig.pass(secs(2));
    assert_eq!((rig.watcher("build"), rig.starts("build")), (None, 1));
}

/// systemd#24577: it does not spin, and it comes once the condition holds.
#[test]
fn one_that_is_skipped_is_asked_for_again_and_rarely() {
    let mut rig = Rig::booted_but([sort().only_if("/go")], |rig| {
        rig.ends("sort", millis(1), 0);
        rig.skips("sort", "no /go");
    });
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    assert_eq!(rig.state("sort"), "skipped");
    holds_for(&mut rig, "sort", secs(10));
    let asked = rig.asked("sort");
    assert!((8..=18).contains(&asked), "{asked} in ten seconds");
    rig.mends("sort");
    holds_for(&mut rig, "sort", secs(20));
    assert!(rig.starts("sort") >= 1);
}

#[test]
fn a_service_is_started_when_it_is_down() {
    let app = service("app").watches(Trigger::Exists, "/go").restart_never();
    let mut rig = Rig::booted([app]);
    assert_eq!(rig.state("app"), "stopped");
    rig.sees("app", Trigger::Exists, "/go", 1);
    assert_eq!((rig.state("app"), rig.starts("app")), ("up", 1));
    rig.sees("app", Trigger::Exists, "/go", 2);
    rig.pass(secs(10));
    assert_eq!((rig.starts("app"), rig.asked("app")), (1, 0));
    rig.exits("app", 0);
    assert_eq!((rig.state("app"), rig.asked("app")), ("stopped", 1));
    rig.sees("app", Trigger::Exists, "/go", 3);
    assert_eq!((rig.state("app"), rig.starts("app")), ("up", 2));
}

#[test]
fn one_that_listens_is_started_without_a_connection() {
    let app = service("app").listens(80).watches(Trigger::Changed, "/x");
    let mut rig = Rig::booted([app]);
    assert_eq!(rig.state("app"), "listening");
    rig.changes("app", "/x");
    assert_eq!((rig.state("app"), rig.starts("app")), ("up", 1));
    assert_eq!(because(&mut rig, "app"), "path /x changed");
}

#[test]
fn an_edit_moves_the_watching_and_restarts_nothing() {
    let mut rig = booted(build());
    let before = rig.watcher("build");
    rig.changes("build", "/src");
    let run = rig.main("build");
    let edited = task("build").watches(Trigger::Modified, "/other");
    let changes = rig.world.engine.plan(crate::build::machine([edited.clone()]).into());
    let told: Vec<_> = changes.iter().map(|change| change.why.as_str()).collect();
    assert_eq!(told, ["changed: watch"]);
    assert_eq!(changes[0].verb, finit::proto::Verb::Update);
    rig.apply([edited.clone()]);
    assert_eq!(rig.main("build"), run, "it runs on");
    let watcher = rig.watcher("build").filter(|watcher| Some(*watcher) != before).unwrap();
    assert_eq!(rig.world.watchers[&watcher].paths[0].path, "/other");
    rig.pass(secs(1));
    assert_eq!(
        (rig.reason("build").as_str(), rig.starts("build")),
        ("exited with status 0; watches /other", 1)
    );
    rig.sees("build", Trigger::Modified, "/other", 1);
    assert_eq!(because(&mut rig, "build"), "path /other was modified");
    // Of a failure it makes nothing else.
    rig.exits("build", 1);
    rig.apply([build()]);
    assert_eq!((rig.state("build"), rig.starts("build")), ("failed", 2));
    rig.apply([]);
    assert_eq!(rig.watcher("build"), None);
}

#[test]
fn nothing_is_lost_when_finit_or_the_watcher_is_another_one() {
    let mut rig = booted(build());
    rig.sees("build", Trigger::Changed, "/src", 7);
    rig.changes("build", "/src");
    rig.sees("build", Trigger::Changed, "/src", 8);
    rig.world.anew();
    let run = rig.watcher("build").expect("it is watched again");
    assert_eq!(rig.world.watchers[&run].marks, [8], "and compared with what was known");
    rig.pass(secs(2));
    assert_eq!(rig.starts("build"), 2, "what changed during the run is still known");
    rig.world.watchers.clear();
    rig.world.turn(Event::Blinded { run });
    rig.now();
    assert_eq!(rig.watcher("build"), Some(run));
    assert_eq!(rig.world.watchers[&run].marks, [8]);
}

#[test]
fn nobody_watches_once_the_machine_goes_down() {
    let mut rig = booted(build());
    rig.changes("build", "/src");
    rig.changes("build", "/src");
    rig.power(Power::Poweroff).unwrap();
    assert_eq!(rig.watcher("build"), None);
    rig.pass(secs(30));
    assert_eq!((rig.starts("build"), rig.finished()), (1, Some(Power::Poweroff)));
}

#[test]
fn what_is_seen_while_it_is_held_is_followed_once_it_is_let_go() {
    let mut rig = booted(build());
    hold(&mut rig, "build");
    rig.changes("build", "/src");
    rig.pass(secs(60));
    assert_eq!(rig.starts("build"), 0);
    unhold(&mut rig, "build");
    assert_eq!(rig.starts("build"), 1);
    // What goes on is looked at anew: it may be over.
    let mut rig = booted(sort());
    hold(&mut rig, "sort");
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    unhold(&mut rig, "sort");
    assert_eq!((rig.starts("sort"), rig.asked("sort")), (0, 1));
    rig.sees("sort", Trigger::NotEmpty, "/spool", 1);
    assert_eq!(rig.starts("sort"), 1);
}

/// Seed 45886.
#[test]
fn what_may_not_run_now_is_tried_again_later() {
    let parts = [build().conflicts("db"), service("db")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("build", secs(1), 0));
    hold(&mut rig, "db");
    rig.changes("build", "/src");
    let told = "build: path /src changed, but db is held";
    assert_eq!((rig.starts("build"), rig.said(told)), (0, 1), "{}", rig.story());
    unhold(&mut rig, "db");
    rig.pass(secs(29));
    assert_eq!(rig.starts("build"), 0);
    rig.pass(secs(1));
    assert_eq!((rig.starts("build"), rig.state("db")), (1, "stopped"), "{}", rig.story());
}

#[test]
fn a_mere_look_has_nobody_watch() {
    let mut rig = Rig::booted([service("a")]);
    rig.look_at([service("a"), build()]);
    assert_eq!(rig.watcher("build"), None);
    rig.apply([service("a"), build()]);
    assert!(rig.watcher("build").is_some());
}

#[test]
fn a_mere_look_watches_nothing_else() {
    let app = |path: &str| task("app").watches(Trigger::Changed, path);
    let mut rig = Rig::booted_but([app("/etc/a")], |rig| rig.ends("app", secs(1), 0));
    rig.look_at([app("/etc/b")]);
    assert_eq!(rig.reason("app"), "watches /etc/a");
    let plan = rig.world.engine.plan(machine([app("/etc/b")]).into());
    assert_eq!(plan.iter().map(|one| one.why.as_str()).collect::<Vec<_>>(), ["changed: watch"]);
    rig.apply([app("/etc/b")]);
    assert_eq!(rig.reason("app"), "watches /etc/b");
}
