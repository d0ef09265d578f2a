//! Services and tasks that are started by what happens to real files.

use crate::machine::{Machine, Plan};

fn lines(machine: &Machine, path: &str) -> usize {
    machine.read(path).lines().count()
}

/// Waits until so many watchers sleep, none of them that one; their pids.
fn watchers(machine: &Machine, count: usize, not: &str) -> Vec<String> {
    machine.wait("watchers that sleep", |m| {
        let text = m.sh("pgrep -f '^/proc/self/exe --watch-path[s]'").text;
        let pids: Vec<String> = text.lines().map(str::to_owned).collect();
        let sleeps = |pid: &String| m.sh(&format!("cat /proc/{pid}/wchan")).text.contains("poll");
        let all = pids.len() == count && pids.iter().all(|pid| pid != not && sleeps(pid));
        all.then_some(pids)
    })
}

/// The only one.
fn watcher(machine: &Machine, not: &str) -> String {
    watchers(machine, 1, not).remove(0)
}

/// All of this happens before the watcher looks, however slow this machine is.
fn at_once(machine: &Machine, script: &str) {
    let pid = watcher(machine, "");
    let said = machine.sh(&format!("kill -STOP {pid}; {script}; kill -CONT {pid}"));
    assert_eq!(said.code, 0, "{}", said.text);
}

/// Waits until it has run so often and is over.
fn ran(machine: &Machine, name: &str, times: usize) {
    machine.wait(&format!("{times} runs of {name}"), |m| {
        let over = || matches!(m.status(name)["state"].as_str(), Some("stopped" | "failed"));
        (lines(m, &format!("/out/{name}")) >= times && over()).then_some(())
    });
    assert_eq!(lines(machine, &format!("/out/{name}")), times, "{}", machine.story());
}

/// One that writes a line for each run, and waits while there is a file /out/hold.
fn task(name: &str, watch: &str) -> String {
    format!(
        "[task.{name}]\nscript = '''\necho $TRIGGER_PATH >>/out/{name}\n\
         while [ -e /out/hold ]; do sleep 0.01; done\n'''\n{watch}\n"
    )
}

fn boot(name: &str, watch: &str) -> Machine {
    let machine = Machine::boot(&task(name, watch));
    machine.booted();
    watcher(&machine, "");
    machine
}

#[test]
fn a_file_that_is_written_or_replaced_or_goes_starts_a_task_once_each() {
    let machine = boot("app", "watch.changed = '/srv/app/conf'");
    assert_eq!(machine.status("app")["reason"], "watches /srv/app/conf");
    // Nothing of the way is there yet: the folders are followed as they come.
    for (times, script) in (1..).zip([
        "mkdir -p /srv/app && echo 1 >/srv/app/other && echo 1 >/srv/app/conf",
        "echo 2 >>/srv/app/conf",
        // As editors do.
        "cp /srv/app/conf /srv/app/conf~ && mv /srv/app/conf~ /srv/app/conf",
        "echo 3 >/srv/app/conf",
        "chmod 600 /srv/app/conf",
        "rm /srv/app/conf",
        // The folder moves away, and another one comes.
        "mkdir /srv/new && echo 4 >/srv/new/conf && mv /srv/app /srv/old && mv /srv/new /srv/app",
        "echo 5 >/srv/app/conf",
    ]) {
        at_once(&machine, script);
        ran(&machine, "app", times);
    }
    // What is beside it is none of its business.
    at_once(&machine, "echo 6 >/srv/app/other");
    at_once(&machine, "rm -r /srv/old");
    assert_eq!(machine.read("/out/app"), "/srv/app/conf\n".repeat(8));
    machine.write("/out/hold", "");
    machine.sh("echo 6 >/srv/app/conf");
    machine.until("app", "starting");
    for words in [["why", "app"], ["status", "app"]] {
        let said = machine.ctl(&words).text;
        assert!(said.contains("path /srv/app/conf changed"), "{said}");
    }
    let status = machine.ctl(&["status", "app"]).text;
    assert!(status.contains("watches     changed /srv/app/conf"), "{status}");
}

/// What is only open for writing has not changed yet; each write modifies.
#[test]
fn a_write_is_a_modification_and_its_close_a_change() {
    let machine = Machine::boot(&format!(
        "{}{}",
        task("closed", "watch.changed = '/out/log'"),
        task("written", "watch.modified = '/out/log'")
    ));
    machine.booted();
    for pid in watchers(&machine, 2, "") {
        assert_eq!(machine.sh(&format!("kill -STOP {pid}")).code, 0);
    }
    machine.sh("touch /out/log; pkill -CONT -f '^/proc/self/exe --watch-path[s]'");
    ran(&machine, "closed", 1);
    ran(&machine, "written", 1);
    let mut writer = machine.begin(&[
        "/bin/sh",
        "-c",
        "exec 3>>/out/log; echo 1 >&3; until [ -e /out/go ]; do sleep 0.01; done",
    ]);
    ran(&machine, "written", 2);
    assert_eq!(lines(&machine, "/out/closed"), 1);
    machine.write("/out/go", "");
    assert!(writer.wait().unwrap().success());
    ran(&machine, "closed", 2);
}

#[test]
fn a_link_is_followed_and_an_entry_that_comes_changes_a_folder() {
    let plan = Plan::new().file("/srv/a/one", "").file("/srv/b/two", "");
    let toml = task("app", "watch.changed = '/srv/now'");
    let machine = plan.file("/etc/finit.toml", &toml).boot_as_is();
    machine.booted();
    watcher(&machine, "");
    for (times, script) in (1..).zip([
        "ln -s a /srv/now",
        "touch /srv/a/three",
        "ln -s b /srv/next && mv -T /srv/next /srv/now",
        "rm /srv/b/two",
        "mount -t tmpfs none /srv/b",
        "umount /srv/b",
    ]) {
        at_once(&machine, script);
        ran(&machine, "app", times);
    }
}

#[test]
fn a_spool_is_emptied_file_by_file_and_then_there_is_peace() {
    let machine = Machine::boot(
        r#"
        [task.sort]
        script = '''
        set -- /spool/*
        echo $1 >>/out/sort
        rm $1
        '''
        watch.not-empty = "/spool"
        [task.jobs]
        script = '''
        echo $TRIGGER_PATH >>/out/jobs
        rm $TRIGGER_PATH
        '''
        watch.glob = "/queue/*/new/*.job"
        [task.flag]
        script = '''
        echo >>/out/flag
        rm /flag
        '''
        watch.exists = "/flag"
        "#,
    );
    machine.booted();
    machine.sh("mkdir /spool; for i in 1 2 3 4 5 6 7 8 9; do echo >/spool/$i; done");
    machine
        .wait("an empty spool", |m| (m.sh("ls /spool | wc -l").text.trim() == "0").then_some(()));
    ran(&machine, "sort", 9);
    machine.sh("mkdir -p /queue/a/new /queue/b/new; touch /queue/a/new/x.txt");
    machine.sh("touch /queue/b/new/1.job /queue/a/new/2.job");
    ran(&machine, "jobs", 2);
    assert_eq!(lines(&machine, "/out/sort"), 9);
    machine.sh("touch /flag");
    ran(&machine, "flag", 1);
    assert_eq!(machine.sh("ls /flag /queue/*/new/*.job").text.matches("No such file").count(), 2);
}

#[test]
fn changes_during_a_run_are_one_more_run() {
    let machine = boot("app", "watch.changed = '/srv/conf'");
    machine.write("/out/hold", "");
    at_once(&machine, "echo >/srv/conf");
    machine.appears("/out/app");
    at_once(&machine, "echo >/srv/conf; rm /srv/conf; echo >/srv/conf");
    let more = "runs once more, since path /srv/conf changed";
    machine.wait("it to be seen", |m| {
        m.status("app")["reason"].as_str().filter(|reason| reason.ends_with(more)).map(drop)
    });
    machine.forget("/out/hold");
    ran(&machine, "app", 2);
}

/// Thousands of writes are few runs, and the last write is followed by one.
#[test]
fn a_flood_of_writes_is_followed_by_few_runs() {
    let plan = Plan::new().file("/srv/log", "");
    // A run is counted before it shows what it saw, since the last one is waited for by that.
    let toml = "[task.app]\nscript = 'echo; echo >>/out/app; cp /srv/log /out/seen'\n\
                watch.modified = '/srv/log'\n";
    let machine = plan.file("/etc/finit.toml", toml).boot_as_is();
    machine.booted();
    watcher(&machine, "");
    machine.sh("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done >>/srv/log");
    machine.wait("the last write to be seen", |m| {
        m.read("/out/seen").ends_with("\n19999\n").then_some(())
    });
    let runs = lines(&machine, "/out/app");
    assert!((1..50).contains(&runs), "{runs} runs");
}

#[test]
fn no_change_is_lost_while_nobody_watches() {
    let machine = boot("app", "watch.changed = '/srv/conf'");
    at_once(&machine, "echo 1 >/srv/conf");
    ran(&machine, "app", 1);
    let first = watcher(&machine, "");
    // Stopped, it sees nothing of it before it is killed.
    machine.sh(&format!("kill -STOP {first}; echo 2 >/srv/conf; kill -9 {first}"));
    ran(&machine, "app", 2);
    let second = watcher(&machine, &first);
    machine.sh(&format!("kill -9 {second}"));
    let third = watcher(&machine, &second);
    assert_eq!(lines(&machine, "/out/app"), 2, "nothing has changed");
    // The same over an upgrade, and what is seen during a run is still known after it.
    machine.write("/out/hold", "");
    at_once(&machine, "echo 3 >/srv/conf");
    machine.wait("the third run", |m| (lines(m, "/out/app") == 3).then_some(()));
    machine.sh(&format!("kill -STOP {third}; echo 4 >/srv/conf"));
    machine.hang_up();
    assert!(machine.order(&["upgrade"]).contains("nothing was restarted"));
    machine.sh(&format!("kill -9 {third}"));
    watcher(&machine, &third);
    machine.forget("/out/hold");
    ran(&machine, "app", 4);
}

#[test]
fn a_service_is_started_and_a_person_stops_that() {
    let machine = Machine::boot(
        "[service.web]\ncommand = '/programs/idle /out/web'\nwatch.exists = '/srv/go'\n",
    );
    machine.booted();
    assert_eq!(machine.status("web")["state"], "stopped");
    machine.sh("echo >/srv/go");
    machine.until("web", "up");
    machine.order(&["stop", "web"]);
    assert_eq!(machine.sh("pgrep -f '^/proc/self/exe --watch-path[s]'").text, "");
    let reason = machine.status("web")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.ends_with("its paths are off until it is started"), "{reason}");
    machine.order(&["start", "web"]);
    machine.until("web", "up");
    watcher(&machine, "");
}
