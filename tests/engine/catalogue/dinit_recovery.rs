//! DP, smooth recovery: a service that comes back without its dependents noticing. finit does so
//! with every need; `bound-to` is for those that want to notice.

use finit::facts::Stage;
use finit::proto::Outcome;

use crate::build::{millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

#[test]
fn dp_smooth_recovery3_a_recovery_that_fails_for_good_takes_the_dependents_down() {
    let db = service("db").delay(secs(1), secs(1)).burst(1, secs(3600));
    let mut rig = Rig::booted([db, service("web").needs("db")]);
    rig.fails_at("db", Stage::Exec);
    rig.crashes("db");
    assert_eq!((rig.state("db"), rig.state("web")), ("restarting", "up"));
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.state("web")), ("failed", "waiting"));
    assert_eq!(rig.starts("db"), 2);
}

#[test]
fn dp_smooth_recovery5_a_stop_while_it_recovers_stops_it_and_its_dependents() {
    let db = service("db").delay(millis(1), millis(1));
    let mut rig = Rig::booted([db, service("web").needs("db")]);
    rig.program("db", Program { executes: Some(secs(5)), ..Program::daemon() });
    rig.crashes("db");
    rig.pass(secs(1));
    assert_eq!((rig.state("db"), rig.state("web")), ("starting", "up"));
    let job = rig.stop("db");
    assert_eq!((rig.state("db"), rig.outcome(job)), ("stopped", Some(Outcome::Done)));
    assert_eq!(rig.stopped(), ["web", "db"]);
    rig.pass(secs(600));
    assert_eq!((rig.state("db"), rig.state("web"), rig.starts("db")), ("stopped", "waiting", 2));
}
