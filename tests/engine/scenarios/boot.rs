//! The boot: steps, milestones, targets.

use finit::config::spec::STEPS;
use finit::config::steps::SPARED;
use finit::engine::Extent;
use finit::proto::{Code, Outcome, Reply, Request};

use crate::build::{machine, secs, service, task, with_targets};
use crate::rig::Rig;
use crate::scenarios::why::why;

#[test]
fn services_wait_for_the_boot_steps_and_early_ones_do_not() {
    let parts = [service("web"), service("udevd").early()];
    let mut rig = Rig::cold(machine(parts), "default");
    rig.step("fsck", Some((secs(5), Ok(None))));
    rig.boot();
    assert_eq!((rig.state("udevd"), rig.state("web")), ("up", "waiting"));
    rig.pass(secs(5));
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_step_is_waited_for_by_those_that_come_after_it_alone() {
    let mut rig = Rig::cold(machine([]), "default");
    rig.step("devices", Some((secs(5), Ok(None))));
    rig.boot();
    assert_eq!((rig.label("sysctl"), rig.label("fsck")), ("done", "waiting"));
}

#[test]
fn a_failed_step_is_told_and_the_boot_goes_on() {
    let mut rig = Rig::cold(machine([service("web")]), "default");
    rig.step("fsck", Some((secs(1), Err("/dev/sda1: no such device".to_owned()))));
    rig.boot();
    rig.pass(secs(1));
    assert_eq!(rig.trouble(), ["fsck failed: /dev/sda1: no such device (1000 ms)"]);
    assert_eq!((rig.state("fsck"), rig.state("web")), ("failed", "up"));
}

#[test]
fn a_step_that_failed_is_tried_again_when_a_person_asks_and_one_that_is_done_is_not() {
    let parts = [service("web").needs("devices"), service("other")];
    let mut rig = Rig::cold(machine(parts), "default");
    rig.step("devices", Some((secs(1), Err("udevadm: not done".to_owned()))));
    rig.boot();
    rig.pass(secs(1));
    assert_eq!((rig.state("devices"), rig.state("web")), ("failed", "waiting"));
    // Still not mended.
    let job = rig.start("devices");
    rig.pass(secs(1));
    assert_eq!((rig.outcome(job), rig.state("devices")), (Some(Outcome::Failed), "failed"));
    rig.step("devices", Some((secs(1), Ok(None))));
    let job = rig.start("devices");
    rig.pass(secs(1));
    assert_eq!((rig.outcome(job), rig.state("devices")), (Some(Outcome::Done), "done"));
    let story = why(&mut rig, "devices");
    assert!(story.iter().any(|line| line.contains("finitctl (pid 77, uid 0)")), "{story:?}");
    // Who waited for it comes without being asked for.
    assert_eq!(rig.state("web"), "up");
    let names = || vec!["devices".to_owned()];
    for request in [
        Request::Start { names: names() },
        Request::Restart { names: names() },
        Request::Stop { names: names() },
    ] {
        let refusal = rig.ask(request).expect_err("a refusal");
        assert_eq!(refusal.message, "`devices` is a part of the boot, not a service");
        let hint = "finitctl start runs a step again that has failed; \
                    fsck, mount-local, swap, mount-network at any time";
        assert_eq!(refusal.hint, hint);
    }
}

/// What the boot tells a person to do about a disk that came late, or stayed closed: some of these
/// have failed then, and some are done.
#[test]
fn steps_that_see_what_is_left_are_run_again_in_their_order_whatever_became_of_them() {
    let parts = [service("web").needs("mount-local"), service("db").after("local-fs")];
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.step("mount-network", Some((secs(0), Err("no server".to_owned()))));
    });
    for step in ["fsck", "mount-local", "swap", "mount-network"] {
        rig.step(step, Some((secs(1), Ok(None))));
    }
    let names = ["swap", "mount-network", "mount-local", "fsck"];
    let Reply::Job { job, .. } =
        rig.ask(Request::Start { names: names.map(str::to_owned).to_vec() }).expect("a job")
    else {
        panic!("no job");
    };
    for (fsck, local, network) in
        [("starting", "waiting", "waiting"), ("done", "starting", "waiting")]
    {
        let is = [rig.state("fsck"), rig.state("mount-local"), rig.state("mount-network")];
        assert_eq!(is, [fsck, local, network]);
        assert_eq!(rig.outcome(job), None);
        rig.pass(secs(1));
    }
    rig.pass(secs(1));
    assert_eq!((rig.outcome(job), rig.state("mount-network")), (Some(Outcome::Done), "done"));

    // What it has done is done: a disk that is broken costs nobody a service.
    rig.step("mount-local", Some((secs(1), Err("/usb: no".to_owned()))));
    let job = rig.start("mount-local");
    rig.pass(secs(1));
    assert_eq!((rig.outcome(job), rig.state("mount-local")), (Some(Outcome::Failed), "failed"));
    assert_eq!((rig.starts("web"), rig.starts("db")), (1, 1));
    assert_eq!((rig.state("web"), rig.state("db")), ("up", "up"));
}

#[test]
fn a_milestone_waits_for_whoever_provides_it() {
    let parts = [task("ifup").provides("network"), service("web").after("network")];
    let mut rig = Rig::cold(machine(parts), "default");
    rig.ends("ifup", secs(4), 0);
    rig.boot();
    assert_eq!(rig.state("web"), "waiting");
    rig.pass(secs(4));
    assert_eq!((rig.label("network"), rig.state("web")), ("up", "up"));
}

#[test]
fn a_milestone_that_nobody_provides_is_no_obstacle() {
    let mut rig = Rig::booted([service("web").after("network-online").needs("time-sync")]);
    assert_eq!(rig.state("web"), "up");
}

#[test]
fn a_provider_that_fails_is_no_obstacle_to_order() {
    let parts = [task("ifup").provides("network"), service("web").after("network")];
    let mut rig = Rig::booted_but(parts, |rig| rig.ends("ifup", secs(0), 1));
    assert_eq!((rig.state("ifup"), rig.state("web")), ("failed", "up"));
}

#[test]
fn the_end_of_the_boot_is_told_once() {
    let mut rig = Rig::booted([service("web")]);
    assert_eq!(rig.said("boot finished in"), 1);
    assert_eq!(rig.machine().phase, "running");
    rig.restart("web");
    rig.crashes("web");
    rig.apply([service("web"), service("other")]);
    rig.pass(secs(60));
    assert_eq!(rig.said("boot finished in"), 1);
}

#[test]
fn the_boot_is_not_over_while_something_that_is_wanted_still_starts() {
    let mut rig = Rig::booted_but([service("slow")], |rig| rig.hangs_before_exec("slow"));
    assert_eq!(rig.machine().phase, "booting");
    assert_eq!(rig.said("boot finished"), 0);
}

/// A task that takes hours, and that the boot waits for, keeps nobody from replacing finit.
#[test]
fn finit_is_replaced_in_a_boot_that_is_about_its_tasks_and_goes_on_with_it() {
    let mut rig = Rig::booted_but([task("import"), service("udevd").early()], |rig| {
        rig.step("fsck", Some((secs(5), Ok(None))));
        rig.step("tmpfiles", Some((secs(5), Ok(None))));
        rig.ends("import", secs(10_000), 0);
    });
    assert_eq!(rig.world.engine.memory().err().as_deref(), Some("it is booting"));
    rig.pass(secs(10));
    assert_eq!((rig.machine().phase.as_str(), rig.state("import")), ("booting", "starting"));
    assert!(rig.world.engine.memory().is_ok());
    rig.world.anew();
    rig.pass(secs(10_000));
    assert_eq!((rig.machine().phase.as_str(), rig.starts("import")), ("running", 1));
}

#[test]
fn a_target_brings_its_own_up_and_others_down() {
    let spec = || {
        let parts =
            [service("web"), service("shell").in_target("rescue"), service("tool").manual()];
        with_targets(machine(parts), &[("work", &["tool"])])
    };
    let mut rig = Rig::cold(spec(), "default");
    rig.boot();
    assert_eq!((rig.state("web"), rig.state("shell")), ("up", "stopped"));
    let job = rig.target("rescue");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("web"), rig.state("shell")), ("stopped", "up"));
    let job = rig.target("work");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("shell"), rig.state("tool")), ("stopped", "up"));
    rig.load(spec(), Extent::Everything);
    assert_eq!((rig.state("shell"), rig.state("tool")), ("stopped", "up"));
}

#[test]
fn in_rescue_nothing_runs_but_what_that_takes_and_other_targets_leave_what_persons_started() {
    let spec = || {
        let shell = service("shell").in_target("rescue").needs("base");
        let parts = [shell, service("base").manual(), service("tool").manual(), service("web")];
        with_targets(machine(parts), &[("work", &[]), ("emergency", &[])])
    };
    for target in ["rescue", "emergency", "work"] {
        let mut rig = Rig::cold(spec(), "default");
        rig.boot();
        rig.start("tool");
        rig.start("base");
        rig.stop("web");
        rig.target(target);
        let base = if target == "emergency" { "stopped" } else { "up" };
        let tool = if target == "work" { "up" } else { "stopped" };
        assert_eq!((rig.state("base"), rig.state("tool")), (base, tool), "{target}");
        rig.target("default");
        // What a person stopped stays so.
        assert_eq!((rig.state("tool"), rig.state("web")), (tool, "stopped"), "{target}");
    }
}

/// Nobody who mends a machine has to guess that its disks were neither checked nor mounted.
#[test]
fn who_leaves_an_emergency_gets_the_boot_that_was_left_out_there() {
    let shell = service("shell").in_target("emergency");
    let parts = [shell, service("web"), service("db").after("local-fs")];
    let spec = with_targets(machine(parts), &[("emergency", &[])]);
    let mut rig = Rig::cold(spec, "emergency");
    for step in STEPS.iter().skip(3) {
        rig.step(step, Some((secs(0), Ok(Some(SPARED)))));
    }
    rig.boot();
    assert_eq!(
        (rig.state("shell"), rig.state("web"), rig.state("db")),
        ("up", "stopped", "stopped")
    );
    for step in STEPS {
        rig.step(step, Some((secs(1), Ok(None))));
    }
    // One of them alone, by hand; what the boot has done is done once.
    let job = rig.start("remount-root");
    rig.pass(secs(1));
    assert_eq!((rig.outcome(job), rig.world.engine.spared().count()), (Some(Outcome::Done), 15));
    let refusal = rig.ask(Request::Start { names: vec!["remount-root".to_owned()] });
    assert_eq!(refusal.expect_err("it is done").code, Code::NotSupported);

    rig.world.anew();
    rig.target("default");
    for _ in 0..4 {
        assert_eq!((rig.starts("web"), rig.starts("db")), (0, 0));
        assert_eq!(rig.state("sysinit"), "waiting");
        rig.pass(secs(1));
    }
    rig.pass(secs(10));
    assert_eq!((rig.state("shell"), rig.state("web"), rig.state("db")), ("stopped", "up", "up"));
    assert_eq!(rig.world.engine.spared().count(), 0);
    // And no second time.
    let lines = rig.world.diary.lines.as_ref().map_or(0, Vec::len);
    rig.target("emergency");
    rig.target("default");
    rig.pass(secs(10));
    let lines = rig.world.diary.lines.as_ref().map(|all| all[lines..].join("\n"));
    assert!(!lines.unwrap_or_default().contains("RunStep"));
}

#[test]
fn a_restart_does_not_pin_a_service_to_all_targets() {
    let mut rig = Rig::booted([service("web")]);
    rig.restart("web");
    rig.target("rescue");
    assert_eq!(rig.state("web"), "stopped");
}

#[test]
fn a_misspelt_target_on_the_kernel_command_line_costs_a_word_and_not_the_machine() {
    let mut rig = Rig::cold(machine([service("web")]), "defualt");
    rig.boot();
    assert_eq!(rig.state("web"), "up");
    assert_eq!(rig.machine().warnings, ["there is no target `defualt`: this is `default`"]);
}

#[test]
fn what_is_disabled_or_manual_is_left_alone() {
    let mut rig = Rig::booted([service("off").disabled(), service("by-hand").manual()]);
    assert_eq!((rig.state("off"), rig.state("by-hand")), ("stopped", "stopped"));
    rig.start("off");
    assert_eq!(rig.state("off"), "up");
}

/// Found by seed 257 of the lives: it told that the boot had.
#[test]
fn a_step_that_is_tried_again_tells_by_whom_though_the_target_changes_meanwhile() {
    let mut rig = Rig::booted_but([], |rig| {
        rig.step("fsck", Some((secs(0), Err("no such device".to_owned()))));
    });
    rig.step("fsck", Some((secs(5), Ok(None))));
    rig.start("fsck");
    rig.target("rescue");
    rig.pass(secs(5));
    assert_eq!(
        why(&mut rig, "fsck"),
        ["fsck done", "  finitctl (pid 77, uid 0) asked: start fsck"]
    );
}

#[test]
fn a_target_that_was_stopped_by_hand_is_asked_for_by_a_change_to_it() {
    let parts = [service("db").manual()];
    let mut rig = Rig::cold(with_targets(machine(parts), &[("work", &["db"])]), "work");
    rig.boot();
    rig.stop("work");
    assert_eq!(rig.state("db"), "stopped");
    let job = rig.target("work");
    assert_eq!((rig.state("db"), rig.outcome(job)), ("up", Some(Outcome::Done)));
}

/// As at the boot: what the machine runs for is gone, and people still want to log in.
#[test]
fn a_target_that_is_gone_from_the_file_costs_a_word_and_not_the_machine() {
    let kiosk = || service("screen").in_target("kiosk");
    let spec = with_targets(machine([kiosk(), service("sshd")]), &[("kiosk", &["sshd"])]);
    let mut rig = Rig::cold(spec, "kiosk");
    rig.boot();
    assert_eq!((rig.state("screen"), rig.state("sshd")), ("up", "up"));
    rig.apply([service("screen"), service("sshd")]);
    assert_eq!((rig.state("screen"), rig.state("sshd")), ("up", "up"));
    assert_eq!((rig.starts("screen"), rig.starts("sshd")), (1, 1));
    let refusal = rig.ask(Request::Target { name: "kiosk".into() }).expect_err("it is gone");
    assert_eq!(refusal.code, Code::NoSuchService, "{refusal:?}");
}

/// Its members come with the machine's target alone: a start that says yes would bring nobody.
#[test]
fn a_target_with_members_is_no_matter_of_start_and_stop() {
    let parts = [service("shell").in_target("rescue"), service("db").in_target("work")];
    let mut rig = Rig::cold(with_targets(machine(parts), &[("work", &["db"])]), "default");
    rig.boot();
    let names = || vec!["rescue".to_owned()];
    for request in [
        Request::Start { names: names() },
        Request::Stop { names: names() },
        Request::Restart { names: names() },
    ] {
        let refusal = rig.ask(request).expect_err("it would do nothing");
        assert_eq!(refusal.message, "`rescue` is a target, and shell belongs to it");
        assert_eq!(refusal.hint, "finitctl target rescue brings the machine there");
    }
    // Whom it names itself comes.
    rig.start("work");
    assert_eq!(rig.state("db"), "up");
    rig.stop("work");
    assert_eq!(rig.state("db"), "stopped");
    // The one that the machine is in is there.
    rig.target("rescue");
    let job = rig.start("rescue");
    assert_eq!((rig.state("shell"), rig.outcome(job)), ("up", Some(Outcome::Done)));
    let refusal = rig.ask(Request::Stop { names: names() }).expect_err("who would log in?");
    assert_eq!(refusal.hint, "finitctl target NAME brings the machine to another one");
}
