//! A shutdown at a time to come.

use finit::engine::{Access, Cause, Event, Peer, Ticket};
use finit::proto::{Code, Power, Refusal, Reply, Request};

use crate::build::{secs, service};
use crate::rig::Rig;

/// A reboot after so many seconds.
pub fn schedule(seconds: u64) -> Request {
    later(Power::Reboot, seconds, "")
}

fn later(how: Power, seconds: u64, message: &str) -> Request {
    Request::SchedulePower { how, seconds, message: message.to_owned(), quiet: false }
}

fn cancel(rig: &mut Rig) -> Result<Reply, Refusal> {
    rig.ask(Request::CancelPower { message: String::new(), quiet: false })
}

fn words(answer: Result<Reply, Refusal>) -> String {
    match answer {
        Ok(Reply::Done { message }) => message,
        other => panic!("{other:?}"),
    }
}

const ME: &str = "finitctl (pid 77, uid 0)";

#[test]
fn it_comes_when_its_time_has_come_and_not_before() {
    let mut rig = Rig::booted([service("web")]);
    let said = words(rig.ask(later(Power::Poweroff, 7200, "new disks")));
    assert_eq!(said, format!("power off in 2 h, asked for by {ME}: new disks"));
    rig.pass(secs(7199));
    assert_eq!((rig.finished(), rig.state("web")), (None, "up"));
    rig.pass(secs(1));
    assert_eq!((rig.finished(), rig.state("web")), (Some(Power::Poweroff), "stopped"));
    assert_eq!(rig.said(&format!("power off, asked for by {ME}")), 1);
}

#[test]
fn everybody_is_told_in_time_and_logins_end_five_minutes_before() {
    let mut rig = Rig::booted([]);
    rig.ask(later(Power::Poweroff, 7200, "new disks")).expect("it is taken on");
    rig.pass(secs(7200 - 301));
    assert!(!rig.world.closed);
    rig.pass(secs(1));
    assert!(rig.world.closed);
    rig.pass(secs(300));
    let times = ["2 h", "1 h", "30 min", "15 min", "10 min", "5 min", "1 min"];
    let mut expected: Vec<String> = times.iter().map(|time| format!("in {time}")).collect();
    expected.push("now".to_owned());
    let line = |when: &String| {
        format!("the machine goes down: power off {when}, asked for by {ME}: new disks")
    };
    assert_eq!(rig.world.announced, expected.iter().map(line).collect::<Vec<_>>());
}

#[test]
fn quietly_only_the_console_is_told() {
    let mut rig = Rig::booted([]);
    let (how, message) = (Power::Halt, String::new());
    rig.ask(Request::SchedulePower { how, seconds: 90, message, quiet: true }).expect("taken on");
    rig.pass(secs(90));
    assert!(rig.world.announced.is_empty());
    assert_eq!(rig.said("the machine goes down: halt"), 3);
}

#[test]
fn a_new_one_takes_the_place_of_the_old_one() {
    let mut rig = Rig::booted([]);
    rig.ask(schedule(120)).expect("it is taken on");
    assert!(rig.world.closed);
    let said = words(rig.ask(later(Power::Halt, 600, "")));
    assert_eq!(
        said,
        format!("halt in 10 min, asked for by {ME}; instead of reboot in 2 min, asked for by {ME}")
    );
    assert!(!rig.world.closed, "there is time again");
    rig.pass(secs(599));
    assert_eq!(rig.finished(), None);
    rig.pass(secs(1));
    assert_eq!(rig.finished(), Some(Power::Halt));
}

#[test]
fn it_can_be_cancelled() {
    let mut rig = Rig::booted([service("web")]);
    rig.ask(schedule(120)).expect("it is taken on");
    rig.pass(secs(60));
    let said = words(cancel(&mut rig));
    assert_eq!(said, format!("cancelled by {ME}: reboot in 1 min, asked for by {ME}"));
    assert_eq!((rig.world.announced.last(), rig.world.closed), (Some(&said), false));
    rig.pass(secs(600));
    assert_eq!((rig.finished(), rig.state("web")), (None, "up"));
    assert_eq!(words(cancel(&mut rig)), "no shutdown is scheduled");
}

#[test]
fn one_at_once_does_not_wait_for_it() {
    let asks: [fn(&mut Rig); 3] = [
        |rig| drop(rig.power(Power::Halt).expect("it goes down")),
        |rig| drop(rig.ask(later(Power::Halt, 0, "")).expect("it goes down")),
        |rig| {
            let cause = Cause::Signal("SIGRTMIN+3".into());
            rig.world.turn(Event::PowerAsked { how: Power::Halt, cause });
        },
    ];
    for ask in asks {
        let mut rig = Rig::booted([]);
        rig.ask(schedule(60)).expect("it is taken on");
        ask(&mut rig);
        rig.pass(secs(600));
        assert_eq!(rig.world.finished, [Power::Halt]);
    }
}

#[test]
fn what_has_begun_is_neither_cancelled_nor_put_off() {
    let mut rig = Rig::booted_but([service("web")], |rig| rig.stubborn("web"));
    rig.ask(schedule(60)).expect("it is taken on");
    rig.pass(secs(60));
    assert_eq!((rig.state("web"), rig.finished()), ("stopping", None));
    let refusal = cancel(&mut rig).unwrap_err();
    assert_eq!(refusal.code, Code::ShuttingDown);
    assert_eq!(refusal.message, "the machine is shutting down: reboot: what has begun goes on");
    assert_eq!(rig.ask(schedule(60)).unwrap_err().code, Code::ShuttingDown);
    rig.pass(secs(600));
    assert_eq!(rig.world.finished, [Power::Reboot]);
}

#[test]
fn a_status_shows_it() {
    let mut rig = Rig::booted([]);
    assert!(rig.machine().scheduled.is_none());
    rig.ask(later(Power::Poweroff, 300, " a\nb\u{1b}c ")).expect("it is taken on");
    rig.pass(secs(60));
    let shown = rig.machine().scheduled.expect("it is to come");
    assert_eq!((shown.how, shown.in_ms, shown.by.as_str()), (Power::Poweroff, 240_000, ME));
    assert_eq!(shown.message, "a b c");
}

#[test]
fn a_time_beyond_all_times_is_one_that_never_comes() {
    let mut rig = Rig::booted([]);
    rig.ask(schedule(u64::MAX)).expect("it is taken on");
    rig.pass(secs(86_400));
    assert_eq!(rig.finished(), None);
}

/// F12: a shutdown that is to come is no matter of one process.
#[test]
fn f12_another_finit_keeps_its_time() {
    let mut rig = Rig::booted([]);
    rig.ask(schedule(60)).expect("it is taken on");
    rig.world.anew();
    assert!(rig.machine().scheduled.is_some());
    rig.pass(secs(60));
    assert_eq!(rig.finished(), Some(Power::Reboot));
}

/// Who asks chooses what its program is called, and whoever wants to log in is shown it.
#[test]
fn the_name_of_who_asked_is_harmless_wherever_it_is_shown() {
    let mut rig = Rig::booted([]);
    let command = "\u{1b}[2Jx".to_owned();
    let peer = Peer { uid: 1000, pid: 78, command, access: Access::Power };
    let (request, ticket) = (later(Power::Poweroff, 60, "soon"), Ticket(1));
    rig.world.turn(Event::Requested { ticket, peer, request, waits: None });
    let notice = rig.world.notice.clone().expect("nobody may log in any more");
    assert!(notice.contains("[2Jx") && !notice.contains('\u{1b}'), "{notice:?}");
    assert!(rig.world.announced.iter().all(|text| !text.contains('\u{1b}')));
}
