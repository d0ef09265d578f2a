//! `finitctl why`: each cause with what was behind it, back to the first.

use finit::config::spec::RestartWhen;
use finit::engine::Access;
use finit::proto::{Reply, Request};

use crate::build::{millis, secs, service};
use crate::rig::Rig;

const ROOT: &str = "finitctl (pid 77, uid 0)";

/// The answer as lines: services, and their causes with an indent.
pub fn why(rig: &mut Rig, name: &str) -> Vec<String> {
    why_as(rig, Access::Everything, name)
}

pub fn why_as(rig: &mut Rig, access: Access, name: &str) -> Vec<String> {
    let answer = rig.ask_as(access, Request::Why { name: name.to_owned() });
    let Ok(Reply::Why(chapters)) = answer else { panic!("{answer:?}") };
    let mut lines = Vec::new();
    for chapter in chapters {
        let reason = if chapter.reason.is_empty() { String::new() } else { ": ".to_owned() };
        lines.push(format!("{} {}{reason}{}", chapter.name, chapter.state.word(), chapter.reason));
        lines.extend(chapter.because.iter().map(|why| format!("  {}", why.text)));
    }
    lines
}

#[test]
fn what_the_boot_started_is_there_because_of_it() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    assert_eq!(why(&mut rig, "web"), ["web up", "  the boot"]);
}

#[test]
fn who_stopped_the_last_need_stopped_all_above_it() {
    let parts =
        [service("db"), service("app").needs("db"), service("web").needs("app"), service("off")];
    let mut rig = Rig::booted(parts);
    rig.stop("db");
    assert_eq!(
        why(&mut rig, "web"),
        [
            "web waiting: waits for app, which is waiting for db, which is stopped".to_owned(),
            "  app, which it needs".to_owned(),
            "  db, which it needs".to_owned(),
            format!("  {ROOT} asked: stop db"),
            "app waiting: waits for db, which is stopped".to_owned(),
            "  db, which it needs".to_owned(),
            format!("  {ROOT} asked: stop db"),
            format!("db stopped: stopped by {ROOT}"),
            format!("  {ROOT} asked: stop db"),
        ]
    );
    rig.start("db");
    assert_eq!(
        why(&mut rig, "app"),
        [
            "app up".to_owned(),
            "  db, which it needs".to_owned(),
            format!("  {ROOT} asked: start db")
        ]
    );
}

#[test]
fn a_restart_after_a_crash_tells_of_the_crash() {
    let mut rig = Rig::booted([service("web").delay(secs(1), secs(1))]);
    rig.crashes("web");
    let crash = "  its process killed by SIGKILL";
    assert_eq!(why(&mut rig, "web")[1..], [crash]);
    rig.pass(secs(5));
    assert_eq!(why(&mut rig, "web"), ["web up", "  the end of its restart delay", crash]);
    rig.restart("web");
    assert_eq!(why(&mut rig, "web")[1..], [format!("  {ROOT} asked: restart web")]);
}

#[test]
fn a_restart_without_delay_tells_of_it_too() {
    let mut rig = Rig::booted([service("web").delay(millis(0), millis(0))]);
    rig.crashes("web");
    assert_eq!(why(&mut rig, "web"), ["web up", "  its process killed by SIGKILL"]);
}

#[test]
fn who_goes_for_a_rival_names_it_and_who_asked_for_that() {
    let parts = [service("exim"), service("postfix").conflicts("exim").manual()];
    let mut rig = Rig::booted(parts);
    rig.start("postfix");
    let told = why(&mut rig, "exim");
    assert_eq!(told[1], "  postfix, which excludes it", "{told:?}");
    assert!(told[2].contains("asked: start postfix"), "{told:?}");
    assert_eq!(rig.reason("exim"), "stopped by postfix, which excludes it");
}

#[test]
fn a_failure_far_below_is_found() {
    let parts = [
        service("net").restart(RestartWhen::Never),
        service("db").needs("net"),
        service("web").needs("db"),
        service("top").needs("web"),
    ];
    let mut rig = Rig::booted(parts);
    rig.exits("net", 3);
    // The one line of a status says it as well.
    let top = "waits for web, which is waiting in the end for net, which is failed";
    assert_eq!(rig.reason("top"), top);
    let told = why(&mut rig, "web");
    assert_eq!(told[0], "web waiting: waits for db, which is waiting for net, which is failed");
    assert_eq!(told[told.len() - 2], "net failed: exited with status 3");
    assert_eq!(told[told.len() - 1], "  its process exited with status 3");
}

#[test]
fn who_asked_since_is_the_cause_and_not_what_was_before() {
    let mut rig = Rig::booted([service("db"), service("web").needs("db")]);
    rig.stop("db");
    rig.pass(secs(60));
    rig.start("web");
    assert_eq!(why(&mut rig, "web"), ["web up".to_owned(), format!("  {ROOT} asked: start web")]);
    assert_eq!(why(&mut rig, "db")[1..], [format!("  {ROOT} asked: start web")]);
}

#[test]
fn a_chain_keeps_its_end_however_long_it_is() {
    let name = |n: usize| format!("s{n:03}");
    let mut rig = Rig::booted((0..200).map(|n| match n {
        0 => service(&name(0)),
        _ => service(&name(n)).needs(&name(n - 1)),
    }));
    rig.stop("s000");
    let told = why(&mut rig, "s199");
    assert!((10..2_000).contains(&told.len()), "{}", told.len());
    let of_first: Vec<&String> = told.iter().take_while(|line| !line.starts_with("s198")).collect();
    assert_eq!(**of_first.last().unwrap(), format!("  {ROOT} asked: stop s000"));
}

#[test]
fn others_are_told_the_state_and_not_who_asked() {
    let mut rig = Rig::booted([service("web")]);
    rig.restart("web");
    assert_eq!(why_as(&mut rig, Access::Look, "web"), ["web up"]);
    let answer = rig.ask(Request::Why { name: "wbe".to_owned() });
    assert_eq!(answer.unwrap_err().hint, "did you mean `web`?");
}
