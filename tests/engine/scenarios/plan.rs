//! `finitctl plan`: what following an edited file would do, and nothing done.

use std::rc::Rc;

use finit::engine::Extent;
use finit::proto::Change;

use crate::build::{Part, machine, secs, service, task};
use crate::rig::Rig;

pub fn plan(rig: &Rig, parts: impl IntoIterator<Item = Part>) -> Vec<String> {
    let changes = rig.world.engine.plan(Rc::new(machine(parts)));
    let line = |Change { name, verb, why }: Change| format!("{} {name}: {why}", verb.word());
    changes.into_iter().map(line).collect()
}

#[test]
fn the_same_file_changes_nothing() {
    let parts =
        || [service("db"), service("web").needs("db"), task("once"), service("on").listens(80)];
    let rig = Rig::booted_but(parts(), |rig| rig.ends("once", secs(1), 0));
    assert_eq!(plan(&rig, parts()), Vec::<String>::new());
}

#[test]
fn each_kind_of_change_is_told_with_its_reason() {
    let mut rig = Rig::booted([
        service("db"),
        service("app").needs("db"),
        service("old"),
        service("idle").manual(),
        service("off").manual(),
        service("gone").manual(),
        service("other"),
    ]);
    let edited = || {
        [
            service("db").runs("/sbin/new-db"),
            service("app").needs("db"),
            service("idle").manual().runs("/sbin/idler"),
            service("off"),
            service("other"),
            service("new"),
            service("spare").manual(),
        ]
    };
    let planned = plan(&rig, edited());
    assert_eq!(
        planned,
        [
            "restart db: changed: command",
            "restart app: db, which it needs",
            "stop old: not in the file any more",
            "change idle: changed: command",
            "start off: it is wanted now",
            "remove gone: not in the file any more",
            "start new: new in the file",
            "add spare: new in the file",
        ]
    );
    // Nothing was done by that.
    assert_eq!((rig.starts("db"), rig.state("old"), rig.state("off")), (1, "up", "stopped"));
    // And what was told is what happens.
    rig.apply(edited());
    assert_eq!((rig.starts("db"), rig.starts("app"), rig.starts("other")), (2, 2, 1));
    assert_eq!((rig.state("off"), rig.state("new"), rig.state("spare")), ("up", "up", "stopped"));
    assert_eq!(plan(&rig, edited()), Vec::<String>::new());
}

#[test]
fn sockets_that_change_are_a_restart_of_who_listens() {
    let rig = Rig::booted([service("web").listens(80)]);
    assert_eq!(plan(&rig, [service("web").listens(81)]), ["restart web: changed: sockets"]);
}

#[test]
fn what_a_machine_that_still_boots_would_do() {
    let mut rig = Rig::cold(machine([service("web")]), "default");
    assert_eq!(plan(&rig, [service("web")]), Vec::<String>::new());
    assert_eq!(plan(&rig, [service("web"), service("db")]), ["start db: new in the file"]);
    rig.boot();
    assert_eq!(plan(&rig, [service("web")]), Vec::<String>::new());
}

#[test]
fn what_a_look_has_read_is_planned_and_counted_like_what_nobody_has_read() {
    let edited = || [service("a").runs("/opt/a"), service("b").runs("/opt/b").stop_timeout(None)];
    for looked_at in [false, true] {
        let mut rig = Rig::booted([service("a"), service("b")]);
        if looked_at {
            rig.look_at(edited());
        }
        let planned = plan(&rig, edited());
        assert_eq!(planned, ["restart a: changed: command", "restart b: changed: command, stop"]);
        assert_eq!(rig.apply(edited()), "0 added, 2 changed, 0 removed");
        assert_eq!((rig.starts("a"), rig.starts("b")), (2, 2));
        assert_eq!(rig.apply(edited()), "nothing changed");
    }
}

#[test]
fn settings_of_the_machine_are_planned_told_and_followed_by_no_mere_look() {
    let edited = || {
        let mut spec = machine([service("web")]);
        spec.shutdown.timeout = secs(5);
        spec.log.keep = 9;
        spec.boot.hostname = Some("other".to_owned());
        spec
    };
    let mut rig = Rig::booted([service("web")]);
    for looked_at in [false, true] {
        if looked_at {
            rig.load(edited(), Extent::Definitions);
            rig.world.anew();
        }
        let changes = rig.world.engine.plan(Rc::new(edited()));
        let told: Vec<_> = changes
            .iter()
            .map(|change| format!("{} {}: {}", change.verb.word(), change.name, change.why))
            .collect();
        assert_eq!(
            told,
            [
                "change [boot]: changed: hostname; counts from the next boot on",
                "update [shutdown]: changed: timeout",
                "update [log]: changed: keep"
            ]
        );
        assert_eq!(rig.world.engine.shutdown_settings().timeout, secs(60));
    }
    let said = rig.load(edited(), Extent::Everything);
    assert_eq!(
        said,
        "[boot] changed: hostname; counts from the next boot on; [shutdown] changed: timeout; \
         [log] changed: keep"
    );
    assert_eq!(rig.world.engine.shutdown_settings().timeout, secs(5));
    assert_eq!(rig.load(edited(), Extent::Everything), "nothing changed");
    // One that is looked at and taken back leaves nothing behind.
    rig.load(machine([service("web")]), Extent::Definitions);
    rig.load(edited(), Extent::Definitions);
    assert!(rig.world.engine.plan(Rc::new(edited())).is_empty());
}

/// Found by seed 30108: of several, the plan had another one go first than the edit that is
/// followed, and so told that `app` would be restarted.
#[test]
fn who_steps_in_meanwhile_keeps_the_others_up_in_the_plan_as_well() {
    let parts = [
        service("old").manual(),
        service("new").needs("old"),
        service("app").needs("new|old"),
        service("site").needs("app"),
    ];
    let mut rig = Rig::booted(parts.clone());
    let edited = || {
        let [old, _, app, site] = parts.clone();
        [old, service("new").runs("/sbin/newer"), app, site]
    };
    assert_eq!(plan(&rig, edited()), ["restart new: changed: command, needs"]);
    rig.apply(edited());
    assert_eq!((rig.starts("new"), rig.starts("app")), (2, 1));
}
