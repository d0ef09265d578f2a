//! Jobs: followed, failed, given up.

use finit::proto::frame::{Answer, Spelling, encode_answer};
use finit::proto::{Code, Outcome, Refusal, Reply, Request};
use serde_json::Value;

use super::fake::*;

#[test]
fn a_job_is_followed_to_its_end() {
    let server = Server::new(|request| match request {
        Request::Wait { job: 7 } => vec![
            event("app", "stopping", None),
            event("app", "stopped", None),
            event("db", "stopped", Some(Outcome::Done)),
        ],
        _ => vec![job(&["app", "web"], &["/etc/finit.toml was read again"])],
    });
    let ran = server.run(&["stop", "db"]);
    assert_eq!(
        ran.out,
        "/etc/finit.toml was read again\nalso stops: app, web\napp: stopping\napp: stopped\n\
         db: stopped\n"
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(server.requests()[1], r#"{"id":2,"method":"wait","params":{"job":7}}"#);

    let ran = server.run(&["stop", "--no-wait", "db"]);
    assert_eq!((ran.code, server.requests().len()), (0, 1));
    assert!(ran.out.ends_with("also stops: app, web\n"), "{}", ran.out);

    let ran = server.run(&["stop", "db", "--json"]);
    assert_eq!(ran.out.lines().count(), 4);
    assert!(ran.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn a_failed_job_says_what_to_do() {
    let server = Server::new(|request| match request {
        Request::Wait { .. } => vec![
            event("web", "starting", None),
            event("web", &format!("failed: {NGINX}"), Some(Outcome::Failed)),
        ],
        _ => vec![job(&[], &[])],
    });
    let ran = server.run(&["start", "web"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, "web: starting\n");
    assert_eq!(
        ran.err,
        format!(
            "web: failed: {NGINX}; fix the command in /etc/finit.toml and run: finitctl start web\n"
        )
    );
}

#[test]
fn of_two_services_one_may_fail() {
    let server = Server::new(|request| match request {
        Request::Wait { .. } => vec![
            event("web", "restarting: exited with status 1; again in 0.5 s", None),
            // The confirmation may come late.
            Answer::Reply(Reply::Done { message: "following".to_owned() }),
            event("app", "waiting: waits for db, which is failed", None),
            event("db", "up (pid 7)", Some(Outcome::Failed)),
        ],
        _ => vec![job(&[], &[])],
    });
    let ran = server.run(&["start", "web", "app", "db"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "db: up (pid 7)\n"));
    assert_eq!(
        ran.err,
        "web: restarting: exited with status 1; again in 0.5 s; see why: finitctl logs web\n\
         app: waiting: waits for db, which is failed; see why: finitctl status db\n\
         finitctl: not everything worked; see finitctl status\n"
    );
}

#[test]
fn a_job_that_was_replaced_or_does_not_end_or_breaks_off() {
    let replaced = Server::new(|request| match request {
        Request::Wait { .. } => vec![event("web", "", Some(Outcome::Replaced))],
        _ => vec![job(&[], &[])],
    });
    let ran = replaced.run(&["start", "web"]);
    assert_eq!((ran.code, ran.err.contains("another request")), (1, true), "{}", ran.err);

    let endless = Server::new(|request| match request {
        Request::Wait { .. } => vec![event("web", "starting", None)],
        _ => vec![job(&[], &[])],
    });
    let ran = endless.run(&["start", "web", "--timeout", "1500ms"]);
    assert_eq!((ran.code, ran.out.as_str()), (6, "web: starting\n"));
    assert!(ran.err.contains("not finished after 1.50 s"), "{}", ran.err);

    let dying = Server::raw(|line| {
        (!line.contains("wait")).then(|| encode_answer(&Spelling::Json(1.into()), &job(&[], &[])))
    });
    let ran = dying.run(&["start", "web"]);
    assert_eq!((ran.code, ran.err.contains("connection ended")), (7, true), "{}", ran.err);

    let forgotten = Server::new(|request| match request {
        Request::Wait { .. } => {
            vec![Answer::Refused(Refusal::new(Code::NoSuchJob, "it ended too long ago"))]
        }
        _ => vec![job(&[], &[])],
    });
    assert_eq!(forgotten.run(&["start", "web"]).code, 1);
}

#[test]
fn a_machine_that_goes_down_is_not_waited_for() {
    let server = Server::new(|_| vec![job(&[], &["power off begins"])]);
    let ran = server.run(&["poweroff"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "power off begins\n"));
    assert_eq!(server.requests().len(), 1);
}
