//! Templates whose instances are found on a real machine.

use serde_json::Value;

use crate::machine::{Machine, Plan};
use crate::variables::DEAD;

/// One instance for each folder with a file.
const GLOB: &str = "[service.pg]\ncommand = \"/programs/idle %i\"\n\
                    instances = { glob = \"/etc/pg/*/*/conf\", name = \"$1-$2\" }\n\
                    [service.other]\ncommand = \"/programs/idle\"\n";

/// One instance for each line of /etc/sites, as /etc/list prints them.
const COMMAND: &str = "[service.site]\ncommand = \"/programs/idle\"\n\
                       instances = { command = \"/etc/list $LANG\", timeout = \"10m\" }\n";

/// Prints /etc/sites, and fails or takes its time if it is told to.
const LIST: &str = "#!/bin/sh\n[ \"$1\" = C.UTF-8 ] || exit 9\n\
                    if [ -e /etc/wait ]; then touch /out/asked\n\
                    until [ -e /out/go ]; do sleep 0.01; done; fi\n\
                    [ -e /etc/sites ] && cat /etc/sites\n\
                    [ ! -e /etc/fail ] || { echo 'no such luck' >&2; exit 3; }\n";

/// What becomes of an instance that somebody needs and nobody has found.
const MISSING: &str = "left out: no instance of site stands for it";

/// The names of services, without those of finit itself.
fn names(machine: &Machine) -> Vec<String> {
    let name = |service: &Value| service["name"].as_str().unwrap().to_owned();
    let mut services = machine.list();
    services.retain(|one| one["kind"] == "service" || one["kind"] == "template");
    let mut names: Vec<String> = services.iter().map(name).collect();
    names.retain(|name| name != "rescue-shell");
    names.sort();
    names
}

fn remove(machine: &Machine, path: &str) {
    std::fs::remove_dir_all(machine.path(path)).unwrap();
}

#[test]
fn paths_that_match_are_instances_and_others_are_left_alone_when_they_come_and_go() {
    let machine = Plan::new()
        .file("/etc/pg/15/main/conf", "")
        .file("/etc/pg/9.6/old/conf", "")
        .file("/etc/pg/9.6/none/other", "")
        .boot(GLOB);
    machine.booted();
    let pids = ["pg@15-main", "pg@9.6-old", "other"].map(|name| machine.main_pid(name));
    assert_eq!(machine.status("pg")["state"], "up");
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");

    machine.write("/etc/pg/16/new/conf", "");
    machine.write("/etc/pg/16/not good/conf", "");
    let plan = machine.order(&["plan"]);
    assert_eq!(
        plan.split_whitespace().collect::<Vec<_>>().join(" "),
        "start pg@16-new found on the machine"
    );
    let said = machine.order(&["apply"]);
    assert!(said.starts_with("1 added, 0 changed, 0 removed; "), "{said}");
    assert!(
        said.contains("pg: `/etc/pg/16/not good/conf` is left out: ` ` cannot stand"),
        "{said}"
    );
    let new = machine.main_pid("pg@16-new");
    let reason = machine.status("pg")["reason"].to_string();
    assert!(reason.contains("is left out"), "{reason}");

    remove(&machine, "/etc/pg/15");
    remove(&machine, "/etc/pg/16/not good");
    let plan = machine.order(&["plan"]);
    let words: Vec<&str> = plan.split_whitespace().collect();
    assert_eq!(words.join(" "), "stop pg@15-main not found any more");
    assert_eq!(machine.order(&["apply"]).trim(), "0 added, 0 changed, 1 removed");
    machine.wait("the instance to be gone", |m| {
        (!names(m).contains(&"pg@15-main".to_owned())).then_some(())
    });
    assert_eq!(machine.order(&["apply"]).trim(), "nothing changed");
    let now = ["pg@9.6-old", "other", "pg@16-new"].map(|name| machine.main_pid(name));
    assert_eq!(now, [pids[1], pids[2], new]);

    // With none the template is still there, and comes again.
    remove(&machine, "/etc/pg");
    machine.signal_pid1(libc::SIGHUP);
    machine.wait("all to be gone", |m| (names(m) == ["other", "pg"]).then_some(()));
    let none = machine.status("pg");
    assert_eq!(
        (&none["state"], &none["reason"]),
        (&"stopped".into(), &"no instance was found".into())
    );
    assert_eq!(machine.ctl(&["status", "pg"]).code, 3);
    machine.write("/etc/pg/17/main/conf", "");
    let said = machine.order(&["start", "pg"]);
    assert!(said.contains("its instances are others by now"), "{said}");
    machine.main_pid("pg@17-main");
    machine.write("/etc/pg/18/main/conf", "");
    machine.order(&["start", "pg@18-main"]);
    machine.main_pid("pg@18-main");
    assert_eq!(machine.main_pid("other"), pids[2]);
}

#[test]
fn lines_of_a_command_are_instances_and_stay_when_it_fails_or_takes_too_long() {
    let machine =
        Plan::new().file("/etc/list", LIST).file("/etc/sites", "a\n\n  b \na\n").boot(COMMAND);
    machine.booted();
    let pids = ["site@a", "site@b"].map(|name| machine.main_pid(name));

    machine.write("/etc/sites", "b\nc\n");
    machine.write("/etc/fail", "");
    let why = "/etc/list: exited with status 3: no such luck";
    let said = machine.order(&["apply"]);
    assert_eq!(
        said.trim(),
        format!("nothing changed; site: its instances stay what they are: {why}")
    );
    let plan = machine.order(&["plan"]);
    assert!(plan.starts_with("keep     site  its instances cannot be looked for: "), "{plan}");
    assert_eq!(machine.status("site")["state"], "up");
    assert_eq!(
        machine.status("site")["reason"],
        format!("its instances stay what they are: {why}")
    );
    assert_eq!(["site@a", "site@b"].map(|name| machine.main_pid(name)), pids);

    // Others are answered while one waits.
    machine.forget("/etc/fail");
    machine.write("/etc/wait", "");
    let mut apply = machine.begin(&["/usr/sbin/finitctl", "apply"]);
    machine.appears("/out/asked");
    machine.order(&["restart", "site@a"]);
    assert_ne!(machine.main_pid("site@a"), pids[0]);
    assert_eq!(names(&machine), ["site", "site@a", "site@b"]);
    assert_eq!(machine.main_pid("site@b"), pids[1]);
    machine.hang_up();
    let said = machine.ctl(&["upgrade"]);
    assert!(
        said.code != 0 && said.text.contains("instances are being looked for"),
        "{}",
        said.text
    );
    machine.write("/out/go", "");
    assert!(apply.wait().unwrap().success());
    assert_eq!(machine.main_pid("site@b"), pids[1]);
    machine.main_pid("site@c");
    machine
        .wait("the other to be gone", |m| (names(m) == ["site", "site@b", "site@c"]).then_some(()));

    // One that never ends is killed, and so is whom it has started.
    machine.write("/etc/list", "#!/bin/sh\nsleep 12345 &\nsleep 12345\n");
    machine.write("/etc/finit.toml", &COMMAND.replace("10m", "50ms"));
    let said = machine.order(&["apply"]);
    assert!(
        said.contains("its instances stay what they are: not done after 50 ms, killed"),
        "{said}"
    );
    machine.wait("the command to be killed", |m| {
        m.sh("! grep -qs '1234[5]' /proc/*/cmdline").code.eq(&0).then_some(())
    });
    machine.write("/etc/finit.toml", COMMAND);
    machine.write("/etc/list", "#!/bin/sh\nyes x\n");
    let said = machine.order(&["apply"]);
    assert!(said.contains("it prints more than 64 KiB"), "{said}");
    assert_eq!(names(&machine), ["site", "site@b", "site@c"]);
}

#[test]
fn at_the_boot_the_template_waits_for_them_and_nobody_else_but_who_needs_it() {
    let file = format!(
        "{COMMAND}[service.web]\ncommand = \"/programs/idle\"\nneeds = \"site\"\n\
         [service.one]\ncommand = \"/programs/idle\"\nneeds = \"site@a\"\n\
         [service.none]\ncommand = \"/programs/idle\"\nneeds = \"site@c\"\n\
         [service.other]\ncommand = \"/programs/idle\"\n"
    );
    let machine = Plan::new()
        .file("/etc/list", LIST)
        .file("/etc/sites", "a\nb\n")
        .file("/etc/wait", "")
        .boot(&file);
    machine.appears("/out/asked");
    let other = machine.main_pid("other");
    for (name, reason) in [
        (
            "site",
            "waits for find-instances, which is starting; its instances are not looked for yet",
        ),
        ("web", "waits for site, which is waiting for find-instances, which is starting"),
        ("one", "waits for site@a, which is waiting for find-instances, which is starting"),
        ("none", "waits for site@c, which is waiting for find-instances, which is starting"),
    ] {
        let status = machine.until(name, "waiting");
        assert_eq!(status["reason"], reason, "{name}");
    }
    let why = machine.ctl(&["why", "site"]).text;
    assert!(why.contains("find-instances"), "{why}");
    machine.write("/out/go", "");
    for name in ["site@a", "site@b", "web", "one"] {
        machine.main_pid(name);
    }
    machine.booted();
    assert_eq!(machine.status("site")["state"], "up");
    assert_eq!(machine.main_pid("other"), other);
    let why = "needs site@c, which was left out: no instance of site stands for it";
    assert_eq!(machine.until("none", "waiting")["reason"], why);
    let missing = machine.until("site@c", "failed");
    assert_eq!(missing["reason"], MISSING);
    for words in [["start", "site@c"], ["status", "site@c"], ["status", "none"]] {
        let said = machine.ctl(&words).text;
        assert!(said.contains("make one where `instances` in "), "{said}");
    }
    machine.write("/etc/sites", "a\nc\n");
    machine.order(&["apply"]);
    machine.main_pid("none");
}

#[test]
fn a_boot_that_finds_nothing_out_says_so_and_a_start_looks_again() {
    let file = format!(
        "{COMMAND}[service.web]\ncommand = \"/programs/idle\"\nneeds = \"site\"\n\
         [service.early]\ncommand = \"/programs/idle %i\"\nstage = \"early\"\n\
         instances.glob = \"/etc/early.d/*\"\n"
    );
    let machine = Plan::new()
        .file("/etc/list", LIST)
        .file("/etc/sites", "a\n")
        .file("/etc/fail", "")
        .file("/etc/early.d/x", "")
        .boot(&file);
    machine.booted();
    machine.main_pid("early@x");
    let failed = machine.until("site", "failed");
    let why = "its instances cannot be found: /etc/list: exited with status 3: no such luck";
    assert_eq!(failed["reason"], format!("left out: {why}"));
    assert_eq!(machine.status("find-instances")["state"], "failed");
    assert_eq!(machine.status("web")["state"], "waiting");
    let said = machine.ctl(&["start", "site"]);
    assert!(said.code != 0 && said.text.contains("no such luck"), "{}", said.text);
    let hint = "see to that, or fix `instances` in";
    for words in [["start", "site"], ["status", "site"], ["status", "web"]] {
        let said = machine.ctl(&words).text;
        assert!(said.contains("no such luck") && said.contains(hint), "{said}");
        assert!(!said.contains("finitctl check"), "a check finds nothing: {said}");
    }
    machine.forget("/etc/fail");
    machine.order(&["start", "site"]);
    machine.main_pid("site@a");
    machine.main_pid("web");
    machine.order(&["apply"]);
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    machine.order(&["start", "find-instances"]);
    assert_eq!(machine.status("find-instances")["state"], "done");
}

#[test]
fn an_upgrade_keeps_them_and_a_trial_that_nobody_confirms_goes_back_to_them() {
    let machine = Plan::new().file("/etc/list", LIST).file("/etc/sites", "a\nb\n").boot(COMMAND);
    machine.booted();
    let pids = ["site@a", "site@b"].map(|name| machine.main_pid(name));
    machine.write("/etc/fail", "");
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(["site@a", "site@b"].map(|name| machine.main_pid(name)), pids);
    let said = machine.order(&["apply"]);
    assert!(said.starts_with("nothing changed; site: its instances stay"), "{said}");
    assert_eq!(names(&machine), ["site", "site@a", "site@b"]);

    machine.forget("/etc/fail");
    machine.write("/etc/sites", "b\nc\n");
    machine.order(&["apply", "--confirm", "1s"]);
    machine.until_shown("was not confirmed");
    machine.until("site@a", "up");
    machine.wait("the new one to be gone", |m| {
        (names(m) == ["site", "site@a", "site@b"]).then_some(())
    });
    assert_eq!(machine.main_pid("site@b"), pids[1]);
    machine.order(&["apply"]);
    machine.main_pid("site@c");
}

#[test]
fn a_file_system_that_does_not_answer_keeps_nobody_waiting_for_ever() {
    let file = |glob: &str| {
        format!(
            "[service.dead]\ncommand = \"/usr/bin/python3 /etc/dead.py\"\n\
             ready = \"file:/out/mounted\"\n\
             before-start = \"/bin/sh -c '[ -e /dev/fuse ] || mknod /dev/fuse c 10 229'\"\n\
             [service.site]\ncommand = \"/programs/idle\"\n\
             instances = {{ glob = \"{glob}\", timeout = \"100ms\" }}\n"
        )
    };
    let machine =
        Plan::new().file("/etc/dead.py", DEAD).file("/etc/sites/a", "").boot(&file("/etc/sites/*"));
    let pid = machine.main_pid("site@a");
    machine.until("dead", "up");
    machine.write("/etc/finit.toml", &file("/out/dead/*"));
    let said = machine.order(&["apply"]);
    assert!(said.contains("its instances stay what they are: not done after 100 ms"), "{said}");
    assert_eq!(machine.main_pid("site@a"), pid);
}

#[test]
fn they_are_found_for_the_last_good_copy_and_for_what_is_good_in_a_broken_file() {
    let broken = format!("{GLOB}[service.bad]\nnicer = 3\n");
    let plan = || Plan::new().file("/etc/pg/15/main/conf", "").file("/etc/finit.toml", &broken);
    let copy = GLOB.replace("other", "copied");
    let copied = plan().file("/var/lib/finitd/last-good/finit.toml", &copy).boot_as_is();
    for (machine, other) in [(copied, "copied"), (plan().boot_as_is(), "other")] {
        machine.booted();
        let pids = ["pg@15-main", other].map(|name| machine.main_pid(name));
        machine.hang_up();
        machine.order(&["upgrade"]);
        assert_eq!(["pg@15-main", other].map(|name| machine.main_pid(name)), pids);
        machine.order(&["restart", "pg"]);
        assert_ne!(machine.main_pid("pg@15-main"), pids[0]);
        machine.write("/etc/pg/16/main/conf", "");
        machine.write("/etc/finit.toml", GLOB);
        machine.order(&["apply"]);
        machine.main_pid("pg@16-main");
    }
}

#[test]
fn where_the_boot_does_not_look_a_start_does() {
    let machine = Machine::boot(&format!("{GLOB}[boot]\nskip = [\"find-instances\"]\n"));
    machine.booted();
    machine.main_pid("other");
    let status = machine.status("pg");
    let why = "its instances are not looked for yet";
    assert_eq!((&status["state"], &status["reason"]), (&"stopped".into(), &why.into()));
    let said = machine.order(&["start", "pg"]);
    assert!(said.contains("pg: no instance was found"), "{said}");
    assert_eq!(machine.status("pg")["reason"], "no instance was found");
    machine.write("/etc/pg/15/main/conf", "");
    machine.order(&["start", "pg"]);
    machine.main_pid("pg@15-main");
    machine.order(&["stop", "pg"]);
    machine.until("pg@15-main", "stopped");
    remove(&machine, "/etc/pg");
    assert_eq!(machine.order(&["apply"]).trim(), "0 added, 0 changed, 1 removed");
    for words in [["stop", "pg"], ["restart", "pg"], ["hold", "pg"], ["unhold", "pg"]] {
        machine.order(&words);
    }
    assert_eq!(names(&machine), ["other", "pg"]);
    let list = machine.order(&["list"]);
    assert!(list.contains("\npg "), "{list}");
}

/// Looks before all file systems are mounted say little of what is there.
#[test]
fn who_looks_before_the_boot_keeps_it_from_nothing() {
    let file = "[task.wait]\ncommand = \"/bin/sh -c 'until [ -e /out/go ]; do sleep 0.01; done'\"\n\
                stage = \"early\"\nbefore = \"mount-local\"\n\
                [service.site]\ncommand = \"/programs/idle\"\nprovides = \"web\"\n\
                instances.glob = \"/etc/sites/*\"\n\
                [service.other]\ncommand = \"/programs/idle\"\nneeds = \"web\"\n\
                [service.one]\ncommand = \"/programs/idle\"\nneeds = \"site@a\"\n";
    for words in [&["start", "--no-wait", "site"], &["apply"][..]] {
        let machine = Machine::boot(file);
        machine.order(words);
        assert_eq!(machine.status("site@a")["reason"], MISSING);
        machine.write("/etc/sites/a", "");
        machine.write("/out/go", "");
        for name in ["site@a", "one", "other"] {
            machine.main_pid(name);
        }
        machine.booted();
        assert_eq!(machine.status("find-instances")["state"], "done");
        assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    }
}

/// A machine that boots with the one file and is waiting for its file systems when the other one
/// is put on trial for so long.
fn with_early_trial(time: &str) -> Machine {
    let file = |folder: &str| {
        format!(
            "[task.wait]\nstage = \"early\"\nbefore = \"mount-local\"\n\
             command = \"/bin/sh -c 'until [ -e /out/go ]; do sleep 0.01; done'\"\n\
             [service.site]\ncommand = \"/programs/idle\"\nprovides = \"web\"\n\
             instances.glob = \"/etc/{folder}/*\"\n\
             [service.other]\ncommand = \"/programs/idle\"\nneeds = \"web\"\n"
        )
    };
    let machine = Plan::new().file("/etc/old/a", "").boot(&file("old"));
    machine.until("wait", "starting");
    machine.write("/etc/finit.toml", &file("new"));
    machine.order(&["apply", "--confirm", time]);
    machine.write("/etc/new/b", "");
    machine.write("/out/go", "");
    machine
}

/// The boot looks for what both files have.
#[test]
fn a_trial_from_before_the_boots_look_goes_back_to_what_the_boot_found() {
    let machine = with_early_trial("2s");
    machine.booted();
    machine.until_shown("was not confirmed");
    machine.main_pid("site@a");
    machine.main_pid("other");
}

#[test]
fn a_file_on_trial_has_what_the_boot_finds_and_stays_on_trial() {
    let machine = with_early_trial("10m");
    machine.main_pid("site@b");
    machine.main_pid("other");
    machine.booted();
    machine.order(&["confirm"]);
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
}

/// What is looked at may be the reason for the emergency.
#[test]
fn in_an_emergency_nobody_looks_and_the_next_finit_does_not_either() {
    let machine = Plan::new()
        .file("/etc/list", LIST)
        .file("/etc/wait", "")
        .told(&["emergency"])
        .boot(COMMAND);
    machine.booted();
    for _ in 0..2 {
        machine.hang_up();
        // It would be refused while somebody looks.
        machine.order(&["upgrade"]);
    }
    assert!(!machine.exists("/out/asked"));
}

/// That is told of no file as an edit of it, and is made up for when the emergency is over.
#[test]
fn who_leaves_an_emergency_has_the_rest_of_the_boot_done_before_the_services() {
    let machine = Plan::new()
        .file("/etc/hostname", "mended\n")
        .told(&["emergency"])
        .boot("[task.told]\nscript = \"uname -n >/out/name\"\n");
    machine.booted();
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
    assert_ne!(machine.sh("uname -n").text, "mended\n");
    machine.order(&["target", "default"]);
    machine.until("told", "done");
    assert_eq!(machine.read("/out/name"), "mended\n");
    assert_eq!(machine.order(&["plan"]).trim(), "nothing would change");
}
