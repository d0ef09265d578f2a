//! Scenarios that other inits test with real processes, each under the name that
//! `tests/catalogue.toml` knows it by: what a file says, and orders from everywhere.

use crate::machine::{Machine, Plan};
use crate::talk::Line;

const IDLE: &str = "command = \"/programs/idle\"\n";

/// How many processes of the program `idle` there are.
fn idlers(machine: &Machine) -> usize {
    machine.sh("pidof idle | wc -w").text.trim().parse().unwrap()
}

#[test]
fn tf2_a_service_comes_and_goes_with_its_file_in_the_folder() {
    let machine = Machine::boot("# nothing\n");
    machine.booted();
    machine.write("/etc/finit.toml.d/web.toml", &format!("[service.web]\n{IDLE}"));
    machine.order(&["apply"]);
    let pid = machine.main_pid("web");
    assert_eq!(machine.sh("pidof idle").text.trim(), pid.to_string());
    machine.forget("/etc/finit.toml.d/web.toml");
    machine.order(&["apply"]);
    machine.wait("the last of it to go", |m| (idlers(m) == 0).then_some(()));
    assert_eq!(machine.ctl(&["status", "web"]).code, 4, "nobody knows it any more");
}

#[test]
fn tf28_a_service_of_a_file_in_the_folder_starts_stops_and_starts() {
    let file = format!("[service.web]\n{IDLE}start = \"manual\"\n");
    let machine = Plan::new().file("/etc/finit.toml.d/web.toml", &file).boot("# nothing\n");
    let mut pids = Vec::new();
    for _ in 0..2 {
        machine.order(&["start", "web"]);
        assert_eq!(idlers(&machine), 1);
        pids.push(machine.main_pid("web"));
        machine.order(&["stop", "web"]);
        assert_eq!((idlers(&machine), machine.ctl(&["status", "web"]).code), (0, 3));
    }
    assert_ne!(pids[0], pids[1]);
}

#[test]
fn tf9_an_environment_for_all_is_set_changed_and_taken_away_with_the_file() {
    let service = "[service.m]\ncommand = \"/programs/mirror /out/m\"\n";
    let with = |defaults: &str| format!("[defaults]\n{defaults}\n{service}");
    let machine = Machine::boot(&with("env = { COLOR = \"two words\", OTHER = \"1\" }"));
    let seen = machine.appears("/out/m");
    assert!(seen.contains("env COLOR=two words\n") && seen.contains("env OTHER=1\n"), "{seen}");
    machine.forget("/out/m");
    machine.write("/etc/finit.toml", &with("env = { COLOR = \"blue\" }"));
    machine.order(&["apply"]);
    let seen = machine.appears("/out/m");
    assert!(seen.contains("env COLOR=blue\n") && !seen.contains("OTHER"), "{seen}");
    machine.forget("/out/m");
    machine.write("/etc/finit.toml", service);
    machine.order(&["apply"]);
    let seen = machine.appears("/out/m");
    assert!(seen.contains("env LANG=") && !seen.contains("COLOR"), "{seen}");
}

#[test]
fn tf14_what_runs_before_and_after_has_the_environment_of_the_service() {
    let note = |what: &str| format!("\"/bin/sh -c 'echo {what} $WHO $USER >>/out/notes'\"");
    let machine = Machine::boot(&format!(
        "[service.web]\n{IDLE}user = \"web\"\nenv = {{ WHO = \"me\" }}\nbefore-start = {}\n\
         after-start = {}\nafter-stop = {{ run = {}, user = \"root\" }}\n\
         [task.notes]\ncommand = \"/bin/sh -c 'touch /out/notes; chmod 666 /out/notes'\"\n\
         [override.service.web]\nneeds = \"notes\"\n",
        note("before"),
        note("after"),
        note("stop"),
    ));
    machine.wait("both notes", |m| (m.read("/out/notes").lines().count() == 2).then_some(()));
    machine.order(&["stop", "web"]);
    let notes = "before me web\nafter me web\nstop me root\n";
    assert_eq!(machine.read("/out/notes"), notes);
    machine.order(&["start", "web"]);
    machine.order(&["disable", "--now", "web"]);
    assert_eq!(machine.read("/out/notes"), notes.repeat(2), "they know nothing of why it goes");
}

/// S on the way up, K on the way down, each in the order of their names; what cannot be executed
/// or has another name is left alone.
#[test]
fn tf22_scripts_of_a_folder_start_and_stop_in_their_order() {
    let all = ["S20two", "S10one", "K90one", "K80two", "other"].iter();
    let script = |name: &&str| {
        (format!("/etc/rc.d/{name}"), format!("#!/bin/sh\necho {name} $1 >>/out/rc\n"))
    };
    let plan = all.map(script).fold(Plan::new(), |plan, (path, text)| plan.file(&path, &text));
    let machine = plan.boot(
        r#"
        [task.rc]
        command = "/bin/run-parts --regex=^S --arg=start /etc/rc.d"
        stop.command = "/bin/run-parts --regex=^K --arg=stop /etc/rc.d"
        start = "manual"
        "#,
    );
    machine.booted();
    assert_eq!(
        machine.sh("cp -p /etc/rc.d/S20two /etc/rc.d/S15no; chmod -x /etc/rc.d/S15no").code,
        0
    );
    machine.order(&["start", "rc"]);
    assert_eq!(machine.status("rc")["state"], "done");
    assert_eq!(machine.read("/out/rc"), "S10one start\nS20two start\n");
    machine.forget("/out/rc");
    machine.order(&["stop", "rc"]);
    assert_eq!(machine.read("/out/rc"), "K80two stop\nK90one stop\n");
}

#[test]
fn tf16_the_script_of_the_administrator_runs_once_after_all_others() {
    let machine = Plan::new()
        .file("/etc/rc.local", "#!/bin/sh\nfinitctl status web >/dev/null && echo ran >>/out/rc\n")
        .boot(&format!(
            "[service.web]\n{IDLE}before-start = \"/bin/sleep 0.1\"\n\
             [task.rc-local]\ncommand = \"/etc/rc.local\"\nafter = \"web\"\n"
        ));
    machine.until("rc-local", "done");
    machine.booted();
    machine.order(&["apply"]);
    assert_eq!(machine.read("/out/rc"), "ran\n");
}

/// The order kills the client that gives it, and is carried out all the same.
#[test]
fn tf18_a_service_restarts_itself_three_times() {
    let machine = Machine::boot(
        r#"
        [service.me]
        script = '''
        echo x >>/out/starts
        [ $(wc -l </out/starts) -gt 3 ] || finitctl restart me
        exec /programs/idle
        '''
        "#,
    );
    machine.wait("the fourth start", |m| {
        (m.read("/out/starts").lines().count() == 4 && idlers(m) == 1).then_some(())
    });
    assert_eq!(machine.sh("pidof idle").text.trim(), machine.main_pid("me").to_string());
    assert!(machine.status("me")["detail"]["cause"].as_str().unwrap().contains("finitctl"));
    machine.booted();
}

#[test]
fn tf20_tasks_of_the_boot_give_orders_and_nobody_waits_for_ever() {
    let machine = Machine::boot(&format!(
        r#"
        [service.web]
        {IDLE}
        [task.orders]
        after = "web"
        script = '''
        finitctl status web >/out/status
        finitctl stop web
        ! finitctl status web
        finitctl start web
        pidof idle >/out/first
        finitctl restart web
        pidof idle >/out/second
        '''
        "#
    ));
    machine.until("orders", "done");
    machine.booted();
    assert!(machine.read("/out/status").starts_with("web: up"), "{}", machine.read("/out/status"));
    let second = machine.read("/out/second");
    assert_ne!(machine.read("/out/first"), second);
    assert_eq!(second.trim(), machine.main_pid("web").to_string());
}

#[test]
fn tf30_commands_of_its_own_reload_and_stop_it_and_know_its_process() {
    let machine = Machine::boot(&format!(
        "[service.web]\n{IDLE}reload = \"/bin/sh -c 'echo $MAINPID >/out/reload'\"\n\
         stop.command = \"/bin/sh -c 'echo $MAINPID >/out/stop; kill $MAINPID'\"\n"
    ));
    let pid = machine.main_pid("web").to_string();
    machine.order(&["reload", "web"]);
    assert_eq!(machine.read("/out/reload").trim(), pid);
    assert_eq!(machine.main_pid("web").to_string(), pid, "a reload is no restart");
    machine.order(&["stop", "web"]);
    assert_eq!(machine.read("/out/stop").trim(), pid);
}

#[test]
fn tf31_words_of_a_file_become_arguments() {
    let file = "ONE=\"two words\"\n# no comment\nexport NUMBER=7\nQUOTED='a b'\\ c\n";
    let machine = Plan::new().file("/etc/default/m", file).boot(
        "[service.m]\ncommand = '/programs/mirror /out/m \"${ONE}\" $ONE --n=$NUMBER ${QUOTED}'\n\
         env-file = [\"/etc/default/m\", \"-/etc/default/missing\"]\n",
    );
    let seen = machine.appears("/out/m");
    let words: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix("arg ")).collect();
    assert_eq!(words, ["two words", "two", "words", "--n=7", "a b c"]);
}

#[test]
fn di4_a_later_file_outweighs_an_earlier_one_and_the_definition_both() {
    let machine = Plan::new()
        .file("/etc/default/one", "A=one\nB=one\nC=one\nHOME=/one\n")
        .file("/etc/default/two", "B=two\nC=two\n")
        .boot(
            "[service.m]\ncommand = \"/programs/mirror /out/m\"\nenv = { C = \"three\" }\n\
             env-file = [\"/etc/default/one\", \"/etc/default/two\"]\n",
        );
    let seen = machine.appears("/out/m");
    for line in ["env A=one\n", "env B=two\n", "env C=three\n", "env HOME=/one\n"] {
        assert!(seen.contains(line), "{line} is not in\n{seen}");
    }
}

#[test]
fn ho_environment_re_export_what_finit_was_started_with_is_passed_by_name_alone() {
    let machine = Machine::boot(
        "[service.plain]\ncommand = \"/programs/mirror /out/plain\"\n\
         [service.m]\ncommand = \"/programs/mirror /out/m\"\nenv-pass = \"SECRET\"\n",
    );
    let (passed, plain) = (machine.appears("/out/m"), machine.appears("/out/plain"));
    assert!(passed.contains("env SECRET=leak\n") && !passed.contains("BOOT_IMAGE"), "{passed}");
    assert!(!plain.contains("SECRET"), "{plain}");
}

#[test]
fn sd3_limits_for_all_reach_each_service_and_its_own_outweigh_them() {
    let machine = Machine::boot(
        "[defaults]\nlimits = { nofile = \"1000:2000\", core = \"never\" }\n\
         [service.m]\ncommand = \"/programs/mirror /out/m\"\n\
         [service.own]\ncommand = \"/programs/mirror /out/own\"\nlimits = { nofile = 64 }\n",
    );
    let limit = |path: &str, name: &str| -> Vec<String> {
        let text = machine.appears(path);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name).to_owned();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(limit("/out/m", "Max open files"), ["1000", "2000"]);
    assert_eq!(limit("/out/m", "Max core file size"), ["0", "0"]);
    assert_eq!(limit("/out/own", "Max open files"), ["64", "64"]);
}

/// However many give orders at once, there is one process or none, and each is a start.
#[test]
fn sg_abuse_parallel_mixed_many_orders_at_once_end_in_one_process() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/idle\"\nbefore-start = \"/programs/stamp /out/starts\"\n",
    );
    machine.until("web", "up");
    let said = machine.sh("for n in 1 2 3 4 5 6; do (\n\
           for m in 1 2 3 4 5; do\n\
             finitctl restart web; finitctl stop web; finitctl start --no-wait web\n\
             count=$(pidof idle | wc -w); [ $count -le 1 ] || echo $count >>/out/many\n\
           done) >/dev/null 2>&1 & done; wait; echo over");
    assert_eq!((said.text.as_str(), machine.read("/out/many").as_str()), ("over\n", ""));
    machine.order(&["start", "web"]);
    assert_eq!(machine.sh("pidof idle").text.trim(), machine.main_pid("web").to_string());
    machine.order(&["stop", "web"]);
    assert_eq!(idlers(&machine), 0);
    let starts = machine.read("/out/starts").lines().count();
    assert!((6..=61).contains(&starts), "{starts}");
}

/// What cannot be bound costs neither the sockets that can nor a descriptor, however often.
#[test]
fn sd9_sockets_that_fail_half_way_are_given_back_once() {
    let machine = Machine::boot(
        "[service.first]\ncommand = \"/programs/serve\"\ninetd = \"80\"\n\
         [service.second]\ncommand = \"/programs/serve\"\ninetd = [\"/run/second\", \"80\"]\nafter = \"first\"\n",
    );
    let refused = |machine: &Machine| {
        machine.wait("the port to be taken", |m| {
            let reason = m.status("second")["reason"].to_string();
            reason.contains("EADDRINUSE").then_some(())
        });
    };
    machine.until("first", "listening");
    refused(&machine);
    machine.booted();
    let before = machine.pid1_descriptors();
    for _ in 0..50 {
        machine.ctl(&["restart", "--no-wait", "second"]);
        refused(&machine);
    }
    machine.hang_up();
    assert!(machine.pid1_descriptors() <= before, "{} after {before}", machine.pid1_descriptors());
    machine.order(&["stop", "first"]);
    machine.until("second", "listening");
    assert!(Line::to(&machine.path("/run/second")).unwrap().hear().unwrap().contains("connection"));
}

/// While it still comes back there is no reason to go down; once it does not, there is.
#[test]
fn ho_failure_shutdown_a_failure_for_good_ends_the_machine_where_it_is_to() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/idle /out/pids\"\non-failure = \"down\"\n\
         restart = { delay = \"1ms\", burst = 1, within = \"1h\" }\n\
         [task.down]\ncommand = \"/usr/sbin/finitctl poweroff\"\nstart = \"manual\"\n",
    );
    for start in 1..=2 {
        machine.wait("another start", |m| {
            (m.read("/out/pids").lines().count() == start).then_some(())
        });
        let pid = machine.main_pid("web");
        assert_eq!(machine.status("down")["state"], "stopped");
        machine.sh(&format!("kill -9 {pid}"));
    }
    assert_eq!(machine.ended(), "SIGNAL 2");
}

#[test]
fn sd36_a_path_starts_a_service_that_fails_and_later_one_that_does_not() {
    let machine = Machine::boot(
        r#"
        [service.fails]
        command = "/bin/sh -c 'echo $TRIGGER_PATH >>/out/fails; exec /out/program'"
        restart = { when = "on-failure", delay = "1ms", burst = 2, within = "1h" }
        watch.glob = "/srv/*.go"
        "#,
    );
    machine.booted();
    assert_eq!(machine.sh("mkdir -p /srv && touch /srv/first.go").code, 0);
    let reason = |m: &Machine| m.status("fails")["reason"].as_str().unwrap_or("").to_owned();
    machine.wait("it to give up", |m| reason(m).contains("gave up after 2 restarts").then_some(()));
    assert_eq!(machine.sh("mv /srv/first.go /srv/first").code, 0);
    machine.until("fails", "failed");
    assert!(machine.read("/out/fails").starts_with("/srv/first.go\n"));
    // Nothing has to be cleared: the next path starts it again, and this time it works.
    assert_eq!(machine.sh("ln -s /programs/idle /out/program").code, 0);
    assert_eq!(machine.sh("touch /srv/second.go").code, 0);
    machine.until("fails", "up");
    // It is up before its first word.
    let is_told = |m: &Machine| m.read("/out/fails").ends_with("/srv/second.go\n");
    machine.wait("its word", |m| is_told(m).then_some(()));
}
