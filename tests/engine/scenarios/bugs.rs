//! A bug comes between what finit has decided and what it does: the next finit does that.

use finit::proto::Request;

use crate::build::{hook, secs, service, task};
use crate::rig::Rig;

fn start(rig: &mut Rig, name: &str) {
    rig.world.anew_after_a_bug(Request::Start { names: vec![name.to_owned()] });
    rig.now();
}

#[test]
fn nothing_is_done_that_never_ran() {
    let web = service("web").needs("firewall").manual();
    let mut rig = Rig::booted([task("firewall").manual().then_runs("/sbin/second"), web]);
    start(&mut rig, "web");
    assert_eq!((rig.state("firewall"), rig.state("web")), ("starting", "waiting"));
    rig.exits("firewall", 0);
    assert_eq!(rig.started(), ["/sbin/firewall", "/sbin/second"]);
    rig.exits("firewall", 0);
    assert_eq!((rig.state("firewall"), rig.state("web")), ("done", "up"));
}

/// Each command around it is run, and once.
#[test]
fn what_was_to_be_run_around_it_is_run() {
    let part = service("db")
        .manual()
        .env_file("/etc/db")
        .before_start(hook("/bin/before"))
        .after_start(hook("/bin/after"))
        .stop_command("/bin/stop")
        .after_stop(hook("/bin/tidy"));
    let mut rig = Rig::booted([part]);
    for program in ["/bin/before", "/bin/after", "/bin/stop", "/bin/tidy"] {
        rig.ends(program, secs(1), 0);
    }
    start(&mut rig, "db");
    rig.pass(secs(2));
    assert_eq!(rig.state("db"), "up");
    rig.world.anew_after_a_bug(Request::Stop { names: vec!["db".to_owned()] });
    rig.pass(secs(3));
    assert_eq!(rig.state("db"), "stopped");
    let all = ["/bin/before", "/sbin/db", "/bin/after", "/bin/stop", "/bin/tidy"];
    assert_eq!(rig.started(), all);
}

#[test]
fn who_was_to_be_asked_to_stop_is_asked() {
    let mut rig = Rig::booted([service("db").stop_timeout(None)]);
    rig.world.anew_after_a_bug(Request::Stop { names: vec!["db".to_owned()] });
    rig.now();
    assert_eq!((rig.state("db"), rig.signals("db")), ("stopped", vec!["SIGTERM".to_owned()]));
}
