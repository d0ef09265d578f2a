//! Tasks that run at their times, by the clock on the wall.

use crate::machine::Machine;

#[test]
fn a_task_runs_at_times_of_the_calendar_and_of_its_own() {
    let machine = Machine::boot(
        r#"
        [task.each-second]
        command = "/programs/stamp /out/calendar"
        schedule = "*:*:*"
        [task.often]
        command = "/programs/stamp /out/often"
        schedule = { every = "50ms", jitter = "10ms" }
        [task.once]
        command = "/programs/stamp /out/once"
        schedule = { after-boot = "10ms" }
        [task.rare]
        command = "/programs/stamp /out/rare"
        schedule = "*-02-29 03:00 Europe/Berlin"
        "#,
    );
    let times = |path: &str| machine.read(path).lines().count();
    machine.wait("three seconds", |_| (times("/out/calendar") >= 3).then_some(()));
    machine.wait("ten times", |_| (times("/out/often") >= 10).then_some(()));
    machine.wait("once", |_| (times("/out/once") == 1).then_some(()));
    assert!(!machine.exists("/out/rare"));
    let reason = machine.status("rare")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("next run in ") && reason.contains(" h"), "{reason}");
    machine.order(&["stop", "often"]);
    let before = times("/out/often");
    machine.wait("another second", |_| (times("/out/calendar") >= 5).then_some(()));
    assert_eq!(times("/out/often"), before, "a person stopped it");
}

#[test]
fn a_time_that_passed_while_the_machine_was_off_is_made_up_for_once() {
    let file = |time: &str| {
        format!(
            "[task.backup]\ncommand = \"/programs/stamp /out/backup\"\nschedule = {{ at = \"{time}\", catch-up = true }}\n"
        )
    };
    // Far from now, whenever that is.
    let machine = Machine::boot(&file("*-*-* *:*:00/59"));
    let note = "/var/lib/finitd/schedule/backup";
    machine.wait("its note", |m| m.exists(note).then_some(()));
    machine.sh(&format!("touch -d '3 days ago' {note}"));
    machine.write("/etc/finit.toml", &file("daily 03:00"));
    machine.order(&["apply"]);
    let runs = || machine.read("/out/backup").lines().count();
    machine.wait("the run that was missed", |_| (runs() == 1).then_some(()));
    machine.wait("its end", |m| {
        let reason = m.status("backup")["reason"].as_str().unwrap_or("").to_owned();
        reason.starts_with("exited with status 0; next run in ").then_some(())
    });
    assert_eq!(runs(), 1);
    let age = machine.sh(&format!("expr $(date +%s) - $(stat -c %Y {note})")).text;
    assert!(age.trim().parse::<i64>().unwrap() < 60, "{age}");
}

/// SD32: when three in the night is depends on where the machine is said to be, from now on, and
/// whoever has executed itself meanwhile.
#[test]
fn another_time_zone_of_the_machine_moves_its_times() {
    let machine = Machine::boot(
        "[task.here]\ncommand = \"/bin/true\"\nschedule = \"daily 03:00\"\n\
         [task.there]\ncommand = \"/bin/true\"\nschedule = \"daily 03:00 UTC\"\n",
    );
    machine.booted();
    let due = |name: &str| {
        let status = machine.status(name);
        let wait = status["timer"]["next_ms"].as_u64().unwrap_or_else(|| panic!("{status}"));
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        // Of the day, in hours.
        (now + u128::from(wait) + 60_000) / 3_600_000 % 24
    };
    // Hours of UTC at which it is three there.
    for (zone, hour) in [("Asia/Tokyo", 18), ("America/Phoenix", 10), ("Etc/GMT-5", 22)] {
        machine.sh(&format!(
            "ln -s /usr/share/zoneinfo/{zone} /etc/new && mv -T /etc/new /etc/localtime"
        ));
        machine.wait(zone, |_| (due("here") == hour).then_some(()));
        assert_eq!(due("there"), 3);
        machine.hang_up();
        machine.order(&["upgrade"]);
        assert_eq!(due("here"), hour);
    }
}

#[test]
fn a_zone_that_is_not_there_is_told_and_costs_that_task_alone() {
    let machine = Machine::boot(
        r#"
        [task.lost]
        command = "/bin/true"
        schedule = { at = "daily", zone = "Mars/Olympus" }
        [task.fine]
        command = "/bin/true"
        schedule = "daily UTC"
        "#,
    );
    machine.booted();
    let said = "lost is never due: no time zone Mars/Olympus (/usr/share/zoneinfo/Mars/Olympus: ";
    machine.until_shown(said);
    let reason = machine.status("fine")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("next run in "), "{reason}");
}

#[test]
fn a_task_that_can_never_be_due_says_so_before_and_after_it_is_loaded() {
    let machine = Machine::boot(
        r#"
        [task.lost]
        command = "/programs/stamp /out/lost"
        schedule = { at = "daily 03:00", zone = "Europe/Berln" }
        [task.past]
        command = "/programs/stamp /out/past"
        schedule = "2020-01-01 00:00"
        [task.fine]
        command = "/programs/stamp /out/fine"
        schedule = { at = "daily 03:00", zone = "Europe/Berlin" }
        "#,
    );
    machine.booted();
    let reason = machine.status("lost")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("never due: no time zone Europe/Berln"), "{reason}");
    assert_eq!(machine.status("past")["reason"], "never due: no time left");
    machine.until_shown("lost is never due: no time zone Europe/Berln");
    let said = machine.ctl(&["check"]);
    let warned =
        ["lost is never due: no time zone Europe/Berln", "past is never due: no time left"];
    assert!(said.code == 0 && warned.iter().all(|one| said.text.contains(one)), "{said:?}");
    assert!(!said.text.contains("fine"), "{said:?}");
}

#[test]
fn timers_are_listed_with_their_last_run_and_an_upgrade_forgets_none() {
    let machine = Machine::boot(
        r#"
        [task.backup]
        command = "/bin/sh -c 'exit 3'"
        schedule = "daily 03:00"
        [task.soon]
        command = "/bin/true"
        schedule = "every 1h"
        [service.other]
        command = "/bin/sleep 1000"
        "#,
    );
    machine.booted();
    assert_eq!(machine.ctl(&["start", "backup"]).code, 1);
    let listed = |machine: &Machine| {
        let said = machine.ctl(&["list", "--timers"]);
        assert_eq!(said.code, 0, "{said:?}");
        let lines: Vec<String> = said.text.lines().map(str::to_owned).collect();
        let [heading, first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(heading.starts_with("NAME    NEXT"), "{heading}");
        // Between two and three in the night the other one is the next.
        let (backup, soon) =
            if first.starts_with("backup") { (first, second) } else { (second, first) };
        assert!(soon.contains("  59 min") || soon.contains("  1 h"), "{soon}");
        assert!(backup.contains(" 03:00:00  ") && backup.ends_with(" status 3"), "{backup}");
    };
    listed(&machine);
    machine.order(&["upgrade"]);
    listed(&machine);
}
