//! What a service is started with: exactly what its definition says, however PID 1 itself was
//! started, and the same at every start. The program `mirror` writes it down, a fact a line.

use crate::machine::{Machine, Plan};

/// The facts of a service whose definition is silent about them, in the mirror's order.
fn plain(machine: &Machine, service: &str) -> String {
    // The kernel's own limits: here those of whoever made the machine.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limits: String =
        limits.lines().skip(1).map(|line| format!("{}\n", line.trim_end())).collect();
    let caps = machine.pid1_status("CapPrm");
    let none = "0000000000000000";
    format!(
        "fd 0 /dev/null\nfd 1 pipe\nfd 2 pipe\n\
         Umask: 0022\nUid: 0 0 0 0\nGid: 0 0 0 0\nGroups:\nThreads: 1\n\
         SigPnd: {none}\nShdPnd: {none}\nSigBlk: {none}\nSigIgn: {none}\nSigCgt: {none}\n\
         CapInh: {none}\nCapPrm: {caps}\nCapEff: {caps}\nCapAmb: {none}\n\
         NoNewPrivs: 0\nSeccomp: 0\n{limits}0::/finit/{service}\n\
         env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         env HOME=/root\nenv USER=root\nenv LOGNAME=root\nenv SHELL=/bin/sh\nenv LANG=C.UTF-8\n\
         oom score 0\ncwd /\nnice 0\npolicy 0\nsession leader 1\ngroup leader 1\nparent 1\n\
         controlling terminal 0\nforeground 0\ndeath signal 0, subreaper 0, dumpable 1\n"
    )
}

/// What the mirror saw, in one way of spelling white space.
fn seen(machine: &Machine, path: &str) -> String {
    let text = machine.appears(path);
    let tidy = |line: &str| {
        let line = if line.starts_with("Max ") { line.to_owned() } else { line.replace('\t', " ") };
        format!("{}\n", line.trim_end())
    };
    text.lines().map(tidy).collect()
}

/// Replaces facts: the line that begins with the first word becomes the second.
fn but(mut facts: String, changes: &[(&str, &str)]) -> String {
    for (start, line) in changes {
        let old = facts.lines().find(|line| line.starts_with(start)).expect(start).to_owned();
        facts = facts.replacen(&old, line, 1);
    }
    facts
}

/// Equal, or the lines that are not.
fn same(seen: &str, expected: &str, when: &str) {
    let lacks = |a: &str, b: &str| -> Vec<String> {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(String::from).collect()
    };
    let (more, less) = (lacks(seen, expected), lacks(expected, seen));
    assert!(
        seen == expected,
        "{when}: there is {more:#?} instead of {less:#?}, or the order is another"
    );
}

#[test]
fn a_service_starts_clean_at_boot_after_a_crash_and_when_restarted() {
    let machine = Plan::new().with("dirty=yes").boot(
        "[service.m]\ncommand = \"/programs/mirror /out/m\"\nrestart = { delay = \"1ms\" }\n",
    );
    let expected = plain(&machine, "m");
    same(&seen(&machine, "/out/m"), &expected, "at boot");

    machine.forget("/out/m");
    machine.sh(&format!("kill -9 {}", machine.main_pid("m")));
    same(&seen(&machine, "/out/m"), &expected, "after a crash");

    machine.forget("/out/m");
    machine.order(&["restart", "m"]);
    same(&seen(&machine, "/out/m"), &expected, "after a restart by order");
}

#[test]
fn a_service_gets_what_its_definition_says() {
    let machine = Machine::boot(
        r#"
        [service.m]
        command = '/programs/mirror /out/m "two words" ${HOME}/www $COLOR $NOT_SET "it costs $$1"'
        user = "web"
        cwd = "/usr"
        umask = "0027"
        nice = 5
        oom-score = 300
        limits = { nofile = 4096, core = "never" }
        env = { COLOR = "blue green", LANG = "de_DE.UTF-8" }
        log = "none"
        "#,
    );
    let expected = plain(&machine, "m");
    let open = expected.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let open = format!("{:<26}{:<21}{:<21}files", &open[..15].trim_end(), 4096, 4096);
    let core = format!("{:<26}{:<21}{:<21}bytes", "Max core file size", 0, 0);
    let none = "0000000000000000";
    let arguments = "arg two words\narg /srv/web/www\narg blue\narg green\narg it costs $1";
    let changes = [
        ("fd 1", "fd 1 /dev/null"),
        ("fd 2", "fd 2 /dev/null"),
        ("Umask:", "Umask: 0027"),
        ("Uid:", "Uid: 1234 1234 1234 1234"),
        ("Gid:", "Gid: 1234 1234 1234 1234"),
        ("Groups:", "Groups: 1234 2001 2002"),
        ("CapPrm:", &format!("CapPrm: {none}")),
        ("CapEff:", &format!("CapEff: {none}")),
        ("NoNewPrivs:", "NoNewPrivs: 1"),
        ("Max open files", &open),
        ("Max core file size", &core),
        ("env HOME", "env HOME=/srv/web"),
        ("env USER", "env USER=web"),
        ("env LOGNAME", "env LOGNAME=web"),
        ("env SHELL", "env SHELL=/bin/bash"),
        ("env LANG", &format!("env LANG=de_DE.UTF-8\nenv COLOR=blue green\n{arguments}")),
        ("oom score", "oom score 300"),
        ("cwd", "cwd /usr"),
        ("nice", "nice 5"),
    ];
    same(&seen(&machine, "/out/m"), &but(expected, &changes), "as defined");
}

#[test]
fn a_service_has_the_groups_the_variables_and_the_root_that_are_asked_for() {
    let machine = Machine::boot(
        r#"
        [service.m]
        command = "/programs/mirror /out/m"
        user = "web"
        group = "media"
        groups = ["print", "power"]
        env = { GONE = "1", STAYS = "2" }
        env-unset = ["SHELL", "GONE", "LANG"]
        root = "/jail"
        cwd = "/inside"
        start = "manual"
        [service.grouped]
        command = "/programs/mirror /out/grouped"
        group = "media"
        "#,
    );
    let made = machine
        .sh("mkdir -p /jail/programs /jail/proc /jail/inside && mkdir -m 777 /jail/out && \
         cp /programs/mirror /jail/programs && mount -t proc proc /jail/proc");
    assert_eq!(made.code, 0, "{made:?}");
    machine.order(&["start", "m"]);
    let none = "0000000000000000";
    let changes = [
        ("Uid:", "Uid: 1234 1234 1234 1234"),
        ("Gid:", "Gid: 2001 2001 2001 2001"),
        ("Groups:", "Groups: 500 2002"),
        ("CapPrm:", &format!("CapPrm: {none}")),
        ("CapEff:", &format!("CapEff: {none}")),
        ("NoNewPrivs:", "NoNewPrivs: 1"),
        ("env HOME", "env HOME=/srv/web"),
        ("env USER", "env USER=web"),
        ("env LOGNAME", "env LOGNAME=web"),
        ("env SHELL", "env STAYS=2"),
        ("cwd", "cwd /inside"),
    ];
    let expected = but(plain(&machine, "m"), &changes).replace("env LANG=C.UTF-8\n", "");
    same(&seen(&machine, "/jail/out/m"), &expected, "in its root");

    let changes = [("Gid:", "Gid: 2001 2001 2001 2001")];
    let expected = but(plain(&machine, "grouped"), &changes);
    same(&seen(&machine, "/out/grouped"), &expected, "with a group alone");
}

#[test]
fn a_terminal_is_its_controlling_one_and_its_three_descriptors() {
    let machine = Machine::boot(
        "[service.m]\ncommand = \"/programs/mirror /out/m\"\ntty = \"console\"\nlog = \"none\"\n",
    );
    let facts = seen(&machine, "/out/m");
    for fact in [
        "fd 0 /dev/console\nfd 1 /dev/console\nfd 2 /dev/console\nUmask",
        "env TERM=",
        "session leader 1\n",
        "controlling terminal 1\nforeground 1\n",
    ] {
        assert!(facts.contains(fact), "{fact} is not in\n{facts}");
    }
}

/// A program does not reckon with a console that takes a part of a line.
#[test]
fn what_a_service_writes_to_the_console_is_waited_for() {
    let machine =
        Machine::boot("[service.m]\ncommand = \"/programs/mirror /out/m\"\nlog = \"console\"\n");
    let facts = seen(&machine, "/out/m");
    let output = "fd 1 /dev/console\nfd 2 /dev/console\n";
    assert!(facts.contains(output), "{output} is not in\n{facts}");
}

#[test]
fn without_control_groups_a_service_starts_as_clean() {
    let plan = Plan::new().with("cgroup=no").with("dirty=yes");
    let machine = plan.boot("[service.m]\ncommand = \"/programs/mirror /out/m\"\n");
    let expected = but(plain(&machine, "m"), &[("0::", "0::/")]);
    same(&seen(&machine, "/out/m"), &expected, "without control groups");
}

/// Nothing of the machine's own start is left for a service to find, and nobody becomes root
/// because a name is misspelt.
#[test]
fn a_start_that_fails_names_the_step_and_the_error() {
    let machine = Machine::boot(
        r#"
        [service.nowhere]
        command = "/usr/bin/nowhere"
        restart = "never"
        [service.nobody-such]
        command = "/programs/idle"
        user = "nobody-such"
        restart = "never"
        [service.lost]
        command = "/programs/idle"
        cwd = "/no/such/folder"
        restart = "never"
        [service.no-program]
        command = "/etc/passwd"
        restart = "never"
        "#,
    );
    machine.sh("chmod 644 /etc/passwd");
    machine.order(&["restart", "--no-wait", "no-program"]);
    for (service, words) in [
        ("nowhere", ["exec /usr/bin/nowhere: ", "ENOENT"]),
        ("nobody-such", ["user `nobody-such`", "ENOENT"]),
        ("lost", ["chdir /no/such/folder: ", "ENOENT"]),
        ("no-program", ["exec /etc/passwd: ", "EACCES"]),
    ] {
        machine.until(service, "failed");
        let status = machine.ctl(&["status", service]);
        assert_eq!(status.code, 1, "{status:?}");
        assert!(words.iter().all(|word| status.text.contains(word)), "{words:?}: {}", status.text);
    }
}

/// Whether reading and writing wait is told by the pipe and the socket, which outlive the run.
#[test]
fn what_a_run_makes_of_its_descriptors_is_not_what_the_next_one_finds() {
    let machine = Machine::boot(
        r#"
        [service.m]
        script = '''
        if [ -e /out/ran ]; then exec /programs/mirror /out/m; fi
        : >/out/ran
        exec /usr/bin/python3 -c 'import os; [os.set_blocking(fd, False) for fd in (1, 3)]'
        '''
        listen = "/run/m.sock"
        start = "boot"
        restart.delay = "1ms"
        "#,
    );
    let facts = seen(&machine, "/out/m");
    assert!(facts.contains("fd 3 socket\n"), "{facts}");
    assert!(!facts.contains("nonblocking"), "{facts}");
}

#[test]
fn a_service_whose_name_has_a_dot_has_a_group_with_figures() {
    let machine = Machine::boot("[service.\"php8.2\"]\ncommand = \"/programs/idle\"\n");
    machine.until("php8.2", "up");
    let said = machine.order(&["status", "php8.2"]);
    assert!(said.contains("\n  cpu "), "{said}");
}
