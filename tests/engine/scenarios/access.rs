//! Who may ask for what, and what one is told who asks for what is not there.

use std::num::NonZeroU64;

use finit::config::spec::{LogTarget, OwnLog};
use finit::engine::Access::{self, Everything, Look, Power as MayPower};
use finit::proto::{Code, Outcome, Power, Reply, Request};

use crate::build::service;
use crate::rig::Rig;
use crate::scenarios::schedule::schedule;

fn names() -> Vec<String> {
    vec!["web".to_owned()]
}

fn name() -> String {
    "web".to_owned()
}

#[test]
fn the_peer_decides_before_the_body_does() {
    let requests: [(Access, Request); 25] = [
        (Look, Request::Hello),
        (Look, Request::Ping),
        (Look, Request::List),
        (Look, Request::Status { name: name() }),
        (MayPower, Request::Power { how: Power::Halt }),
        (MayPower, schedule(60)),
        (MayPower, Request::CancelPower { message: String::new(), quiet: false }),
        (Everything, Request::Start { names: names() }),
        (Everything, Request::Wait { job: 1 }),
        (Everything, Request::Stop { names: names() }),
        (Everything, Request::Restart { names: names() }),
        (Everything, Request::Reload { names: vec!["nobody".to_owned()] }),
        (Everything, Request::Apply),
        (Everything, Request::ApplyOnTrial { seconds: NonZeroU64::MIN }),
        (Everything, Request::Confirm),
        (MayPower, Request::Upgrade { program: None }),
        (Everything, Request::Upgrade { program: Some("/root/finit".to_owned()) }),
        (Everything, Request::Signal { name: name(), signal: "nonsense".to_owned() }),
        (Everything, Request::Reset { name: name() }),
        (Everything, Request::Hold { name: name() }),
        (Everything, Request::Unhold { name: name() }),
        (Everything, Request::StopGently { names: vec![name()] }),
        (Everything, Request::Freeze { names: vec![name()] }),
        (Everything, Request::Thaw { names: vec![name()] }),
        (Everything, Request::Target { name: "nowhere".to_owned() }),
    ];
    for (needed, request) in requests {
        for access in [Look, MayPower, Everything] {
            let mut rig = Rig::booted([service("web")]);
            let before = rig.world.started.len();
            let answer = rig.ask_as(access, request.clone());
            let denied = answer.is_err_and(|refusal| refusal.code == Code::Denied);
            assert_eq!(denied, access < needed, "{access:?} {request:?}");
            if denied {
                assert_eq!((rig.world.started.len(), rig.world.signals.len()), (before, 0));
            }
        }
    }
}

#[test]
fn only_root_sees_details() {
    let mut rig = Rig::booted([service("web")]);
    let status = Request::Status { name: name() };
    let Ok(Reply::Service(report)) = rig.ask_as(Look, status) else { panic!("no report") };
    assert!(report.detail.is_none() && report.pid.is_some());
    assert!(rig.status("web").detail.is_some());
}

#[test]
fn an_unknown_name_is_refused_with_a_near_one() {
    let mut rig = Rig::booted([service("sshd"), service("web")]);
    let refusal = rig.ask(Request::Stop { names: vec!["web".into(), "sshf".into()] }).unwrap_err();
    assert_eq!(refusal.code, Code::NoSuchService);
    assert_eq!(refusal.message, "no service is called `sshf`");
    assert_eq!(refusal.hint, "did you mean `sshd`?");
    // All or none.
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn an_alias_will_do() {
    let mut rig = Rig::booted([service("openssh").alias("sshd")]);
    assert_eq!(rig.status("sshd").name, "openssh");
    rig.stop("sshd");
    assert_eq!(rig.state("openssh"), "stopped");
}

#[test]
fn parts_of_the_boot_are_no_services() {
    let mut rig = Rig::booted([]);
    for name in ["devices", "sysinit"] {
        for request in [
            Request::Start { names: vec![name.to_owned()] },
            Request::Stop { names: vec![name.to_owned()] },
            Request::Restart { names: vec![name.to_owned()] },
            Request::Reset { name: name.to_owned() },
        ] {
            assert_eq!(rig.ask(request).unwrap_err().code, Code::NotSupported);
        }
    }
}

#[test]
fn a_request_without_a_name_is_none() {
    let mut rig = Rig::booted([service("web")]);
    let refusal = rig.ask(Request::Start { names: Vec::new() }).unwrap_err();
    assert_eq!(refusal.code, Code::BadRequest);
}

#[test]
fn a_signal_goes_to_the_main_process_or_is_refused() {
    let mut rig = Rig::booted([service("web"), service("off").manual()]);
    let send = |name: &str, signal: &str| Request::Signal {
        name: name.to_owned(),
        signal: signal.to_owned(),
    };
    rig.ask(send("web", "USR1")).expect("it is sent");
    rig.ask(send("web", "SIGRTMIN+1")).expect("it is sent");
    assert_eq!(rig.signals("web"), ["SIGUSR1", "SIGRTMIN+1"]);
    assert_eq!(rig.ask(send("web", "USR3")).unwrap_err().code, Code::BadRequest);
    assert_eq!(rig.ask(send("off", "TERM")).unwrap_err().code, Code::NotRunning);
    assert_eq!(rig.ask(send("default", "TERM")).unwrap_err().code, Code::NotRunning);
}

#[test]
fn the_news_of_a_job_come_behind_its_number() {
    let mut rig = Rig::booted([service("web")]);
    // It is up already: the job is over when its number is told.
    let job = rig.start("web");
    assert_eq!((rig.news(job).len(), rig.outcome(job)), (1, Some(Outcome::Done)));
}

#[test]
fn a_stop_names_the_dependents_that_go_too() {
    let mut rig = Rig::booted([
        service("db"),
        service("app").needs("db"),
        service("web").needs("app"),
        service("off").needs("db").manual(),
    ]);
    let reply = rig.ask(Request::Stop { names: vec!["db".to_owned()] });
    let Ok(Reply::Job { also, .. }) = reply else { panic!("no job") };
    assert_eq!(also, ["app", "web"]);
}

#[test]
fn where_the_lines_of_a_service_are_is_told_as_they_are_written() {
    let own = |tag: Option<&str>, stderr: Option<&str>| OwnLog {
        tag: tag.map(str::to_owned),
        stderr: stderr.map(|path| LogTarget::File(path.into())),
        max_size: None,
    };
    let file = |path: &str| LogTarget::File(path.into());
    let mut rig = Rig::booted([
        service(".cache"),
        service("web").logs_to(file("/log/all"), own(None, None)),
        service("db").logs_to(LogTarget::Files, own(Some("data"), Some("/log/all"))),
        service("mail").logs_to(LogTarget::Syslog, own(None, None)),
    ]);
    let mut told = |name| {
        let detail = rig.status(name).detail.expect("in full");
        [detail.log, detail.log_tag, detail.log_stderr, detail.log_stderr_tag]
            .map(|word| word.unwrap_or_default())
    };
    assert_eq!(told(".cache"), ["/var/log/finit/%2Ecache.log", "", "", ""]);
    assert_eq!(told("web"), ["/log/all", "web", "", ""]);
    assert_eq!(told("db"), ["/var/log/finit/db.log", "", "/log/all", "data"]);
    assert_eq!(told("mail"), ["", "", "", ""]);
}
