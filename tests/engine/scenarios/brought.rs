//! First causes of what others bring about: who is brought up, comes along or is let go tells for
//! whom, and by that what that one came or went for.

use finit::calendar::Schedule;
use finit::config::spec::Trigger;
use finit::engine::Access;
use finit::proto::Request;

use crate::build::{hook, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::causes::causes;

#[test]
fn what_a_path_brings_up_with_its_service_tells_for_whom() {
    let app = || task("app").watches(Trigger::Changed, "/etc/it").needs("db");
    for stopped in [false, true] {
        let mut rig = Rig::booted([app(), service("db").restart_never()]);
        if stopped {
            rig.stop("db");
        } else {
            rig.exits("db", 3);
        }
        rig.changes("app", "/etc/it");
        let path = "  path /etc/it changed";
        assert_eq!((rig.state("db"), causes(&mut rig, "app")), ("up", vec![path.to_owned()]));
        assert_eq!(causes(&mut rig, "db"), ["  app, which needs it", path]);
    }
}

/// Found by seeds 25936 and 39407: it told what had happened to another a moment before.
#[test]
fn a_part_that_comes_with_its_whole_tells_so() {
    let mut rig = Rig::booted([
        service("site"),
        service("web").part_of("site").watches(Trigger::Changed, "/etc/web"),
        service("cache").part_of("web"),
        service("other"),
    ]);
    rig.stop("site");
    assert_eq!(rig.state("cache"), "stopped");
    rig.crashes("other");
    rig.changes("web", "/etc/web");
    assert_eq!(causes(&mut rig, "cache"), ["  web, whose part it is", "  path /etc/web changed"]);
    assert_eq!(causes(&mut rig, "web"), ["  path /etc/web changed"]);
}

/// Found by seed 97203: it told what somebody else had asked for in vain.
#[test]
fn who_is_let_go_after_a_tidying_up_that_took_too_long_tells_by_whom() {
    let parts = [
        service("db").manual(),
        task("job")
            .needs("db")
            .on_schedule(Schedule::parse("daily").unwrap())
            .after_stop(hook("/sbin/tidy")),
    ];
    let mut rig = Rig::booted(parts);
    rig.ends("job", secs(1), 1);
    rig.program("/sbin/tidy", Program::daemon());
    rig.pass(secs(10));
    assert_eq!((rig.label("job"), rig.state("db")), ("cleaning", "up"));
    let names = vec!["db".to_owned()];
    rig.ask_as(Access::Look, Request::Restart { names }).expect_err("denied");
    rig.pass(secs(9));
    let told = causes(&mut rig, "db");
    assert_eq!(told[0], "  job, which had brought it up");
    assert!(told.iter().all(|line| !line.contains("asked")), "{told:?}");
}
