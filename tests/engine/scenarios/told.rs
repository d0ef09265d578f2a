//! What those who come after an end are told of it, in the words of systemd.exec(5).

use finit::config::spec::{Hook, RestartWhen};
use finit::engine::Verdict;
use finit::facts::{Exit, SignalNumber, Stage};

use crate::build::{Part, hook, millis, secs, service, task};
use crate::fates::Program;
use crate::rig::Rig;

fn tidied(name: &str) -> Part {
    service(name).restart_never().after_stop(hook("/tidy"))
}

fn ends_with(rig: &mut Rig, name: &str, signal: &str, core: bool) {
    let exit = Exit::Signal { number: SignalNumber::parse(signal).unwrap(), core };
    rig.program(name, Program { ends: Some((millis(1), exit)), ..Program::daemon() });
}

/// What is told after the end that comes of this.
fn after(part: Part, change: impl FnOnce(&mut Rig)) -> String {
    let mut rig = Rig::booted_but([part], |rig| {
        rig.ends("/tidy", millis(0), 0);
        change(rig);
    });
    rig.pass(secs(300));
    rig.told("/tidy").join(" | ")
}

#[test]
fn after_stop_is_told_how_the_main_process_ended() {
    for (code, told) in [
        (0, "SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0"),
        (7, "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=7"),
    ] {
        assert_eq!(after(tidied("web"), |rig| rig.ends("web", secs(1), code)), told);
    }
    for (signal, core, told) in [
        ("KILL", false, "SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=KILL"),
        ("SEGV", true, "SERVICE_RESULT=core-dump EXIT_CODE=dumped EXIT_STATUS=SEGV"),
        ("RTMIN+3", false, "SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=RTMIN+3"),
        ("TERM", false, "SERVICE_RESULT=success EXIT_CODE=killed EXIT_STATUS=TERM"),
    ] {
        assert_eq!(after(tidied("web"), |rig| ends_with(rig, "web", signal, core)), told);
    }
    let any = tidied("web").ok_exit_any();
    let told = "SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=7";
    assert_eq!(after(any, |rig| rig.ends("web", secs(1), 7)), told, "that is a success for it");
}

#[test]
fn after_stop_is_told_why_there_was_no_main_process() {
    let failed = |code| move |rig: &mut Rig| rig.ends("/a", millis(0), code);
    let web = || tidied("web").before_start(hook("/a"));
    assert_eq!(after(web(), failed(1)), "SERVICE_RESULT=exit-code", "its main one never ran");
    let late = Hook { timeout: Some(secs(5)), ..hook("/a") };
    let told = after(tidied("web").before_start(late), |rig| rig.stubborn("/a"));
    assert_eq!(told, "SERVICE_RESULT=timeout");
    let told = after(tidied("web"), |rig| rig.fails_at("web", Stage::Exec));
    assert_eq!(told, "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=203");
    let told = after(tidied("web"), |rig| rig.clone_fails("web"));
    assert_eq!(told, "SERVICE_RESULT=resources");
}

#[test]
fn what_went_wrong_first_is_told_and_not_what_ended_it() {
    let hangs = |rig: &mut Rig| rig.stubborn("web");
    let told = after(tidied("web").watchdog(secs(5)), hangs);
    assert_eq!(told, "SERVICE_RESULT=watchdog EXIT_CODE=killed EXIT_STATUS=KILL");
    let mute = |rig: &mut Rig| rig.program("web", Program::mute());
    let told = after(tidied("web").notifies(), mute);
    assert_eq!(told, "SERVICE_RESULT=timeout EXIT_CODE=killed EXIT_STATUS=TERM");
    let ends = |rig: &mut Rig| {
        rig.program("web", Program { tells: None, ..Program::ends(secs(1), 0) });
    };
    let told = after(tidied("web").notifies(), ends);
    assert_eq!(told, "SERVICE_RESULT=protocol EXIT_CODE=exited EXIT_STATUS=0");
}

#[test]
fn a_stop_is_a_success_unless_it_takes_too_long() {
    let mut rig = Rig::booted_but([tidied("web").stop_command("/halt")], |rig| {
        rig.ends("/tidy", millis(0), 0);
        rig.ends("/halt", millis(1), 0);
    });
    rig.stop("web");
    rig.pass(secs(1));
    let told = ["SERVICE_RESULT=success EXIT_CODE=killed EXIT_STATUS=TERM"];
    assert_eq!(rig.told("/tidy"), told);
    assert!(rig.told("/halt")[0].starts_with("SERVICE_RESULT=success MAINPID="), "it still runs");
    rig.stubborn("web");
    rig.start("web");
    rig.stop("web");
    rig.pass(secs(60));
    let told = "SERVICE_RESULT=timeout EXIT_CODE=killed EXIT_STATUS=KILL";
    assert_eq!(rig.told("/tidy")[1], told);
    rig.mends("web");
    rig.ends("/halt", millis(1), 3);
    rig.start("web");
    rig.stop("web");
    rig.pass(secs(1));
    let told = "SERVICE_RESULT=exit-code EXIT_CODE=killed EXIT_STATUS=TERM";
    assert_eq!(rig.told("/tidy")[2], told, "its stop.command failed");
}

/// A failure that started somebody is told to that one, and to nobody else.
fn failing(name: &str) -> Part {
    service(name).restart_never().on_failure("alert")
}

#[test]
fn a_helper_is_told_who_failed_and_how() {
    let alert = task("alert").manual().before_start(hook("/a"));
    let mut rig = Rig::booted_but([failing("web"), failing("db"), alert], |rig| {
        rig.ends("/a", millis(0), 0);
        rig.ends("alert", secs(1), 0);
    });
    rig.exits("web", 3);
    rig.pass(secs(2));
    let told = "MONITOR_SERVICE_RESULT=exit-code MONITOR_EXIT_CODE=exited MONITOR_EXIT_STATUS=3 \
                MONITOR_UNIT=web";
    assert_eq!((rig.told("/a"), rig.told("/sbin/alert")), (vec![told], vec![told]));
    rig.crashes("db");
    rig.pass(secs(2));
    assert!(rig.told("/sbin/alert")[1].ends_with("MONITOR_EXIT_STATUS=KILL MONITOR_UNIT=db"));
    rig.restart("alert");
    rig.pass(secs(2));
    assert_eq!(rig.told("/sbin/alert")[2], "", "a person asked for it");
}

#[test]
fn a_helper_at_work_is_not_told_of_another_failure() {
    let mut rig = Rig::booted_but(
        [failing("web"), failing("db"), task("alert").manual().then_runs("/then")],
        |rig| rig.ends("alert", secs(5), 0),
    );
    rig.exits("web", 3);
    rig.exits("db", 4);
    rig.pass(secs(20));
    assert_eq!(rig.starts("alert"), 2, "its two steps, once");
    assert!(rig.told("/then")[0].ends_with("MONITOR_UNIT=web"), "{:?}", rig.told("/then"));
}

#[test]
fn a_helper_that_is_forgotten_or_was_skipped_is_started_by_each_failure() {
    let alert = task("alert").manual().forgets().only_if("/on");
    let web = failing("web").after_stop(hook("/tidy"));
    let mut rig = Rig::booted_but([web, alert], |rig| {
        rig.ends("/tidy", millis(0), 0);
        rig.ends("alert", millis(1), 0);
        let off = Some(Verdict::Skips("/on does not exist".to_owned()));
        rig.world.fates.looks.insert("alert".to_owned(), off);
    });
    for (code, starts) in [(1, 0), (2, 1), (3, 2)] {
        rig.exits("web", code);
        rig.pass(secs(2));
        assert_eq!(rig.starts("alert"), starts);
        rig.mends("alert");
        rig.ends("alert", millis(1), 0);
        rig.start("web");
    }
    let told = rig.told("/sbin/alert");
    assert!(told[0].contains("EXIT_STATUS=2 ") && told[1].contains("EXIT_STATUS=3 "), "{told:?}");
}

#[test]
fn too_many_good_ends_are_a_failure_of_their_own() {
    let web = failing("web").restart(RestartWhen::Always).burst(2, secs(60));
    let mut rig = Rig::booted_but([web, task("alert").manual()], |rig| {
        rig.ends("web", millis(1), 0);
        rig.ends("alert", millis(1), 0);
    });
    rig.pass(secs(30));
    assert_eq!(rig.state("web"), "failed");
    let told = "MONITOR_SERVICE_RESULT=start-limit-hit MONITOR_EXIT_CODE=exited \
                MONITOR_EXIT_STATUS=0 MONITOR_UNIT=web";
    assert_eq!(rig.told("/sbin/alert"), [told]);
}

#[test]
fn what_had_to_hold_is_told_to_the_helper() {
    let web = failing("web").asserts("/there");
    let mut rig = Rig::booted_but([web, task("alert").manual()], |rig| {
        let lacks = Some(Verdict::Fails("/there does not exist".to_owned()));
        rig.world.fates.looks.insert("web".to_owned(), lacks);
    });
    rig.now();
    let told = "MONITOR_SERVICE_RESULT=exec-condition MONITOR_UNIT=web";
    assert_eq!(rig.told("/sbin/alert"), [told]);
}

#[test]
fn what_is_to_be_told_outlives_an_upgrade() {
    let web = failing("web").after_stop(hook("/first")).after_stop(hook("/second"));
    let parts = [web, task("alert").manual().before_start(hook("/a"))];
    let mut rig = Rig::booted(parts);
    rig.exits("web", 3);
    rig.world.anew();
    let end = |rig: &mut Rig| {
        let runs = rig.world.living(|_| true);
        runs.into_iter()
            .for_each(|run| rig.world.end(run, finit::engine::Ended::Exit(Exit::SUCCESS)));
        rig.now();
    };
    end(&mut rig);
    let told = "SERVICE_RESULT=exit-code EXIT_CODE=exited EXIT_STATUS=3";
    assert_eq!((rig.told("/first"), rig.told("/second")), (vec![told], vec![told]));
    end(&mut rig);
    rig.world.anew();
    end(&mut rig);
    assert_eq!(rig.told("/sbin/alert"), rig.told("/a"));
    assert!(rig.told("/a")[0].contains("MONITOR_EXIT_STATUS=3 MONITOR_UNIT=web"));
}
