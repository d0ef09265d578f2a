//! What must hold before a service starts, on a real machine.

use serde_json::Value;

use crate::machine::{Machine, Plan};

/// A service that has to meet these lines of conditions.
fn unit(name: &str, lines: &str) -> String {
    format!("[service.{name}]\ncommand = \"/programs/idle\"\n{lines}\n")
}

/// A machine with a service for each condition that holds, named `t…`, and for each that does
/// not, named `f…`; with what is said of those.
fn judge(plan: Plan, good: &[&str], bad: &[(&str, &str)]) -> Machine {
    let mut toml = String::new();
    for (number, line) in good.iter().enumerate() {
        toml.push_str(&unit(&format!("t{number}"), &format!("only-if.{line}")));
    }
    for (number, (line, _)) in bad.iter().enumerate() {
        toml.push_str(&unit(&format!("f{number}"), &format!("only-if.{line}")));
    }
    let machine = plan.boot(&toml);
    machine.booted();
    for (number, line) in good.iter().enumerate() {
        let status = machine.status(&format!("t{number}"));
        assert_eq!(status["state"], "up", "{line}: {status}");
    }
    for (number, (line, why)) in bad.iter().enumerate() {
        let status = machine.status(&format!("f{number}"));
        assert_eq!(status["state"], "skipped", "{line}: {status}");
        let reason = status["reason"].as_str().unwrap();
        assert_eq!(reason, format!("only-if.{why}"), "{line}");
        assert_eq!(status["restarts"], 0);
    }
    machine
}

#[test]
fn conditions_about_paths() {
    let plan = Plan::new()
        .file("/etc/here", "text")
        .file("/etc/empty", "")
        .file("/etc/folder/one.conf", "")
        .file("/etc/program", "#!/bin/sh\n");
    let good = [
        "exists = '/etc/here'",
        "not-exists = '/etc/nothing'",
        "exists = ['/etc/here', '/etc/folder']",
        "any-exists = ['/etc/nothing', '/etc/here']",
        "any-not-exists = ['/etc/nothing', '/etc/here']",
        "glob = '/etc/folder/*.conf'",
        "not-glob = '/etc/folder/*.toml'",
        "directory = '/etc/folder'",
        "not-directory = '/etc/here'",
        "executable = '/etc/program'",
        "not-executable = '/etc/folder'",
        "not-empty = ['/etc/here', '/etc/folder']",
        "not-not-empty = '/etc/empty'",
        "writable = '/etc'",
        "mounted = '/proc'",
        "not-mounted = '/etc/folder'",
    ];
    let bad = [
        ("exists = '/etc/nothing'", "exists = /etc/nothing: it does not exist"),
        ("exists = '/etc/here/below'", "exists = /etc/here/below: it does not exist"),
        ("not-exists = ['/etc/nothing', '/etc/here']", "not-exists = /etc/here: it exists"),
        (
            "any-exists = ['/etc/nothing', '/etc/more']",
            "any-exists = /etc/nothing: it does not exist; \
             only-if.any-exists = /etc/more: it does not exist",
        ),
        ("glob = '/etc/folder/*.toml'", "glob = /etc/folder/*.toml: no path matches"),
        (
            "not-glob = '/etc/folder/*.conf'",
            "not-glob = /etc/folder/*.conf: /etc/folder/one.conf matches",
        ),
        ("directory = '/etc/here'", "directory = /etc/here: it is no folder"),
        ("not-directory = '/etc'", "not-directory = /etc: it is a folder"),
        (
            "executable = '/etc/folder'",
            "executable = /etc/folder: it is no file that may be executed",
        ),
        ("not-executable = '/bin/sh'", "not-executable = /bin/sh: it may be executed"),
        ("not-empty = '/etc/empty'", "not-empty = /etc/empty: it is empty"),
        ("not-not-empty = '/etc'", "not-not-empty = /etc: it is not empty"),
        ("not-writable = '/etc'", "not-writable = /etc: its file system can be written to"),
        ("mounted = '/etc/folder'", "mounted = /etc/folder: nothing is mounted there"),
        ("not-mounted = '/proc'", "not-mounted = /proc: something is mounted there"),
    ];
    let machine = judge(plan, &good, &bad);
    // A file system that was made read-only while the machine runs.
    machine.write("/etc/finit.toml", &unit("ro", "only-if.writable = '/out/ro'"));
    let made = machine.sh("mkdir /out/ro && mount -t tmpfs -o ro none /out/ro");
    assert_eq!(made.code, 0, "{made:?}");
    machine.order(&["apply"]);
    let why = "only-if.writable = /out/ro: its file system is read-only";
    assert_eq!(machine.until("ro", "skipped")["reason"], why);
}

#[test]
fn conditions_about_the_machine() {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap();
    let word = line.split_whitespace().find(|word| !word.contains(['"', '\'', '\\']));
    let word = word.expect("a kernel command line");
    let name = word.split('=').next().unwrap();
    let mut good = vec![
        format!("kernel-arg = '{name}'"),
        format!("kernel-arg = '{word}'"),
        "not-kernel-arg = 'finit.no-such-word'".to_owned(),
    ];
    for line in [
        "cpus = '>=1'",
        "cpus = 1",
        "cpus = '<100000'",
        "not-cpus = '=0'",
        "virtualization = 'yes'",
        "virtualization = 'container'",
        "not-virtualization = 'vm'",
        "capability = 'sys_admin'",
        "first-boot = false",
        "not-first-boot = true",
    ] {
        good.push(line.to_owned());
    }
    let power = |plugged: bool| format!("any-ac-power = {plugged}");
    good.push(power(true));
    let good: Vec<_> = good.iter().map(String::as_str).collect();
    let other = format!("not-kernel-arg = '{name}'");
    let other_why = format!("not-kernel-arg = {name}: the kernel command line has {word}");
    let count = processors();
    let few = format!("cpus = >{count}: there are {count}");
    let many = format!("cpus = '>{count}'");
    let bad = [
        (
            "kernel-arg = 'finit.no-such-word'",
            "kernel-arg = finit.no-such-word: the kernel command line has no such word",
        ),
        (&*other, &*other_why),
        (&*many, &*few),
        ("not-capability = 'sys_admin'", "not-capability = sys_admin: PID 1 may have it"),
        ("first-boot = true", "first-boot = yes: this machine has run before"),
        ("not-ac-power = true", "not-ac-power = yes: it runs on mains power"),
    ];
    let id = "0123456789abcdef0123456789abcdef\n";
    let machine = judge(Plan::new().file("/etc/machine-id", id), &good, &bad);
    machine.write("/etc/finit.toml", &unit("vm", "only-if.not-virtualization = 'yes'"));
    machine.order(&["apply"]);
    let status = machine.until("vm", "skipped");
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.contains(": this is a container, "), "{reason}");
}

/// As finit counts them.
fn processors() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
    });
    ranges.sum()
}

#[test]
fn the_first_boot_is_told_from_later_ones() {
    let toml =
        unit("first", "only-if.first-boot = true") + &unit("later", "only-if.first-boot = false");
    let machine = Plan::new()
        .file("/etc/machine-id", "uninitialized\n")
        .file("/var/lib/dbus/machine-id", "")
        .boot(&toml);
    machine.booted();
    assert_eq!(machine.status("first")["state"], "up");
    let later = machine.status("later");
    assert_eq!(later["state"], "skipped");
    assert_eq!(later["reason"], "only-if.first-boot = no: it is the first boot");
}

#[test]
fn a_skipped_one_is_shown_with_its_reason_and_no_obstacle() {
    let toml = unit("web", "only-if.exists = '/etc/web'") + &unit("user", "needs = 'web'");
    let machine = Machine::boot(&toml);
    machine.booted();
    assert_eq!(machine.status("user")["state"], "up");
    let said = machine.ctl(&["status", "web"]);
    let why = "web: skipped: only-if.exists = /etc/web: it does not exist";
    assert!(said.text.starts_with(why), "{said:?}");
    assert_eq!(said.code, 3, "{said:?}");
    let said = machine.ctl(&["why", "web"]);
    let told = ["only-if.exists = /etc/web", "its conditions", "the boot"];
    assert!(told.iter().all(|words| said.text.contains(words)), "{said:?}");
    let said = machine.order(&["list", "--state", "skipped"]);
    assert!(said.contains("web") && !said.contains("user"), "{said}");
    let said = machine.order(&["start", "web"]);
    assert!(said.contains("skipped"), "{said}");
    machine.write("/etc/web", "");
    machine.order(&["apply"]);
    machine.until("web", "up");
}

#[test]
fn an_assertion_that_does_not_hold_is_a_failed_start() {
    let toml = unit("web", "assert.directory = '/out/web'\nassert.not-exists = '/out/not'");
    let machine = Machine::boot(&toml);
    let failed = machine.until("web", "failed");
    assert_eq!(failed["reason"], "assert.directory = /out/web: it does not exist");
    machine.until_shown("web failed: assert.directory");
    let said = machine.ctl(&["start", "web"]);
    assert!(said.code == 1 && said.text.contains("see to that"), "{said:?}");
    machine.sh("mkdir /out/web");
    machine.order(&["start", "web"]);
    assert_eq!(machine.status("web")["state"], "up");
}

fn waits(machine: &Machine, name: &str, path: &str) -> Value {
    let status = machine.wait(&format!("{name} to wait for {path}"), |m| {
        let reason = format!("waits for {path}");
        Some(m.status(name)).filter(|status| status["reason"] == reason.as_str())
    });
    assert_eq!(status["state"], "waiting");
    status
}

#[test]
fn one_that_needs_a_path_comes_when_it_is_made_wherever_that_is() {
    let toml = [
        unit("deep", "needs-path = '/out/a/b/c'"),
        unit("link", "needs-path = '/out/link/file'"),
        unit("moved", "needs-path = '/out/moved/file'"),
        unit("mount", "needs-path = '/out/mount/folder'"),
        unit("two", "needs-path = ['/out/one', '/out/two']"),
        unit("there", "needs-path = '/etc/passwd'"),
        unit("gone", "needs-path = '/out/gone'"),
    ];
    let plan = Plan::new().file("/out/gone", "").file("/out/mount/x", "");
    let machine = plan.boot(&toml.concat());
    machine.booted();
    assert_eq!(machine.status("there")["state"], "up");
    assert_eq!(machine.status("gone")["state"], "up");
    waits(&machine, "deep", "/out/a/b/c");
    waits(&machine, "link", "/out/link/file");
    waits(&machine, "moved", "/out/moved/file");
    waits(&machine, "mount", "/out/mount/folder");
    waits(&machine, "two", "/out/one");
    // A folder made later, and then, later still, a file in it.
    machine.sh("mkdir /out/a");
    machine.sh("mkdir /out/a/b && rmdir /out/a/b");
    machine.sh("mkdir /out/a/b && : >/out/a/b/c");
    machine.until("deep", "up");
    // A link to nothing, which becomes something.
    machine.sh("ln -s /out/target /out/link");
    waits(&machine, "link", "/out/link/file");
    machine.sh("mkdir /out/target && : >/out/target/file");
    machine.until("link", "up");
    // A whole folder that is moved there.
    machine.sh("mkdir /out/other && : >/out/other/file && mv /out/other /out/moved");
    machine.until("moved", "up");
    // A file system that comes with it.
    let made = machine.sh("mount --bind /etc /out/mount 2>&1");
    assert_eq!(made.code, 0, "{made:?}");
    machine.sh("mkdir /etc/folder");
    machine.until("mount", "up");
    machine.sh(": >/out/two");
    waits(&machine, "two", "/out/one");
    machine.sh(": >/out/one");
    machine.until("two", "up");
    // What goes away stops nobody, and the next start waits again.
    machine.forget("/out/gone");
    let pid = machine.main_pid("gone");
    machine.sh(&format!("kill -9 {pid}"));
    waits(&machine, "gone", "/out/gone");
    machine.sh(": >/out/gone");
    machine.until("gone", "up");
}

#[test]
fn a_mount_over_the_way_to_a_path_is_noticed() {
    let machine = Machine::boot(&unit("data", "needs-path = '/out/disk/data'"));
    waits(&machine, "data", "/out/disk/data");
    let script = "mkdir -p /out/disk /out/real && : >/out/real/data && \
                  mount --bind /out/real /out/disk";
    assert_eq!(machine.sh(script).code, 0);
    machine.until("data", "up");
}

#[test]
fn a_look_out_ends_with_the_wait_and_outlives_no_upgrade() {
    let machine = Machine::boot(&unit("web", "needs-path = '/out/web'"));
    waits(&machine, "web", "/out/web");
    let look_outs = |m: &Machine| {
        let found = m.sh("grep -l -a -e --await-path /proc/[0-9]*/cmdline 2>/dev/null");
        // The program that looks has the word on its own command line.
        let is_other = |line: &&str| m.read(&line.replace("cmdline", "comm")).trim() != "grep";
        found.text.lines().filter(is_other).filter(|line| m.exists(line)).count()
    };
    let wait = |number: usize| {
        machine.wait(&format!("{number} look-outs"), |m| (look_outs(m) == number).then_some(()));
    };
    wait(1);
    machine.order(&["upgrade"]);
    machine.hang_up();
    machine.until_shown("finit was executed anew");
    waits(&machine, "web", "/out/web");
    wait(1);
    machine.order(&["stop", "web"]);
    wait(0);
    machine.order(&["start", "--no-wait", "web"]);
    waits(&machine, "web", "/out/web");
    machine.sh(": >/out/web");
    machine.until("web", "up");
    wait(0);
}

#[test]
fn a_command_goes_on_skips_or_fails() {
    let ask = |name: &str, script: &str| {
        let hook = format!("only-if-command = [\"/bin/sh -c '{script}'\"]");
        unit(name, &format!("{hook}\nrestart = \"never\""))
    };
    let toml = [
        ask("good", "echo asked >>/out/order"),
        ask("skip", "exit 7"),
        ask("fail", "exit 255"),
        ask("killed", "kill -9 $$"),
        ask("stray", "sleep 1000 & exit 1"),
        unit(
            "slow",
            "only-if-command = { run = \"/bin/sleep 1000\", timeout = \"100ms\" }\nrestart = \"never\"",
        ),
        unit("missing", "only-if-command = \"/no/such/program\"\nrestart = \"never\""),
    ];
    let machine = Machine::boot(&toml.concat());
    machine.booted();
    let is = |name: &str, state: &str, words: &str| {
        let status = machine.until(name, state);
        let reason = status["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.ends_with(words), "{name}: {reason}");
        assert!(reason.is_empty() || reason.starts_with("only-if-command `"), "{reason}");
        assert_eq!(status["restarts"], 0, "{status}");
    };
    is("good", "up", "");
    assert_eq!(machine.read("/out/order"), "asked\n");
    is("skip", "skipped", " exited with status 7");
    is("fail", "failed", ": exited with status 255");
    is("killed", "failed", ": killed by SIGKILL");
    is("stray", "skipped", " exited with status 1");
    is("slow", "failed", " took longer than 100ms (timeout) and was killed");
    is("missing", "failed", ": exec /no/such/program: No such file or directory (ENOENT)");
    machine.wait("the end of what the command left", |m| {
        let found = m.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
        (!found.text.contains("sleep 1000")).then_some(())
    });
}
