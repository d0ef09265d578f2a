//! When services count as up: each form with real programs, and what they tell of themselves
//! through systemd's own library.

use std::io::Write;

use crate::machine::{Machine, Plan};

pub const TELLER: &str = include_str!("teller.py");

/// A machine with a service `teller`, which waits for orders.
pub fn teller(more: &str) -> Machine {
    teller_on(Plan::new(), more)
}

/// The same on a machine that is made otherwise.
pub fn teller_on(plan: Plan, more: &str) -> Machine {
    let toml = format!(
        "[service.teller]\ncommand = \"/usr/bin/python3 /etc/teller.py /out/teller\"\n\
         restart = {{ delay = \"1ms\", max-delay = \"1ms\" }}\n{more}"
    );
    let machine = plan.file("/etc/teller.py", TELLER).boot(&toml);
    machine.appears("/out/teller/ready");
    machine
}

/// Has it obey, and waits until it has.
pub fn order(machine: &Machine, line: &str) {
    let done = || machine.read("/out/teller/done").lines().count();
    let before = done();
    give(machine, line);
    machine.wait(line, |_| (done() > before).then_some(()));
}

pub fn give(machine: &Machine, line: &str) {
    let mut orders =
        std::fs::File::options().write(true).open(machine.path("/out/teller/orders")).unwrap();
    writeln!(orders, "{line}").unwrap();
}

/// Waits until the one reason is this.
pub fn reason(machine: &Machine, name: &str, text: &str) {
    machine.wait(text, |m| (m.status(name)["reason"].as_str().unwrap_or("") == text).then_some(()));
}

#[test]
fn libsystemd_says_when_it_is_ready_and_what_it_does() {
    let machine = teller("ready = \"notify\"\n");
    assert_eq!(machine.status("teller")["state"], "starting");
    order(&machine, "tell STATUS=warming up");
    reason(&machine, "teller", "not ready yet (notify); it says: warming up");
    order(&machine, "tell READY=1;STATUS=at \x1b[31mwork");
    let pid = machine.main_pid("teller");
    reason(&machine, "teller", "at [31mwork");
    order(&machine, "tell RELOADING=1");
    reason(&machine, "teller", "reloading: at [31mwork");
    // The barrier comes back once everything before it was read.
    order(&machine, "barrier");
    order(&machine, "tell READY=1;STATUS=");
    reason(&machine, "teller", "");
    order(&machine, "tell STOPPING=1");
    reason(&machine, "teller", "says that it is stopping");
    assert_eq!(machine.main_pid("teller"), pid);
}

/// TF11, with the tool that shell scripts use.
#[test]
fn systemd_notify_in_a_script_counts_where_any_process_may_tell() {
    let machine = Machine::boot(
        r#"
        [service.any]
        command = ["/bin/sh", "-c", "systemd-notify --ready --status='at work'; exec sleep infinity"]
        ready = "notify"
        notify-from = "any"
        "#,
    );
    for _ in 0..3 {
        let pid = machine.main_pid("any");
        reason(&machine, "any", "at work");
        machine.sh(&format!("kill -9 {pid}"));
        machine.wait("another one", |m| (m.main_pid("any") != pid).then_some(()));
    }
}

#[test]
fn the_word_of_a_child_counts_only_where_any_process_may_tell() {
    let machine = teller("ready = \"notify\"\n");
    order(&machine, "child READY=1");
    order(&machine, "barrier");
    assert_eq!(machine.status("teller")["state"], "starting");
    order(&machine, "tell READY=1");
    machine.until("teller", "up");
}

/// It says goodbye before it ever was there: whoever asked for it is told, and not that all is well.
#[test]
fn a_good_end_before_any_sign_of_readiness_is_a_failed_start() {
    let machine = Machine::boot(
        r#"
        [service.early]
        command = "/bin/true"
        ready = "notify"
        start = "manual"
        restart = "never"
        on-failure = "helper"
        after-stop = "/bin/sh -c 'echo $SERVICE_RESULT $EXIT_STATUS >>/out/result'"
        [service.helper]
        command = "/programs/idle"
        start = "manual"
        "#,
    );
    let said = machine.ctl(&["start", "early"]);
    let why = "failed: ended before it was ready (notify): exited with status 0";
    assert!(said.code == 1 && said.text.contains(why), "{said:?}");
    machine.until("helper", "up");
    assert_eq!(machine.appears("/out/result"), "protocol 0\n");
}

/// E8: whoever told it has ended, and is reaped, before anybody reads it.
#[test]
fn the_last_word_of_a_process_counts() {
    let machine = teller("ready = \"notify\"\nnotify-from = \"any\"\n");
    order(&machine, "child READY=1;STATUS=from a child");
    machine.until("teller", "up");
    give(&machine, "end STATUS=my last word");
    machine.wait("a restart", |m| (m.status("teller")["restarts"] == 1).then_some(()));
}

/// SD13: the main process may be followed by another of the same service, and by no other, not
/// even by one of the same user.
#[test]
fn another_process_becomes_the_main_one_if_it_is_of_the_service() {
    let users = "before-start = { run = \"/bin/install -d -o web /out/teller\", user = \"root\" }\n\
                 [defaults]\nuser = \"web\"\n";
    for (group, user) in [("yes", ""), ("no", ""), ("yes", users), ("no", users)] {
        let other = "[service.other]\ncommand = \"/programs/idle\"\n";
        let plan = Plan::new().with(&format!("cgroup={group}"));
        succeeds(&teller_on(plan, &format!("ready = \"notify\"\n{user}{other}")));
    }
}

fn succeeds(machine: &Machine) {
    order(machine, "tell READY=1");
    let first = machine.main_pid("teller");
    let other = machine.main_pid("other");
    for wrong in [0, 1, 999_999, other] {
        order(machine, &format!("tell MAINPID={wrong}"));
        order(machine, "barrier");
        assert_eq!(machine.main_pid("teller"), first);
    }
    machine.until_shown(&format!("teller: MAINPID={other}: that process is none of"));
    machine.forget("/out/teller/ready");
    give(machine, "successor");
    let second =
        machine.wait("the successor", |m| Some(m.main_pid("teller")).filter(|pid| *pid != first));
    assert_eq!(machine.status("teller")["restarts"], 0);
    // Its end is the end of the service.
    machine.sh(&format!("kill -9 {second}"));
    machine.wait("a restart", |m| (m.status("teller")["restarts"] == 1).then_some(()));
    assert_eq!(machine.status("other")["restarts"], 0);
}

#[test]
fn who_hangs_is_ended_by_its_watchdog() {
    let machine = teller("ready = \"notify\"\nwatchdog = \"300ms\"\n");
    order(&machine, "tell READY=1");
    machine.wait("a restart", |m| (m.status("teller")["restarts"] == 1).then_some(()));
    let line = "teller: no sign of life for 300ms (watchdog); starting it again";
    machine.until_shown(line);
    // Until it has ended, that is how it ended.
    let last = "killed by SIGABRT";
    machine.wait(last, |m| (m.status("teller")["detail"]["last_exit"] == last).then_some(()));
}

/// A1, E9: any bytes, any length, any descriptors, and without end: data, and slow to send.
#[test]
fn a_flood_of_nonsense_harms_nobody() {
    let machine = teller(
        "ready = \"notify\"\nnotify-from = \"any\"\n[service.other]\ncommand = \"/programs/idle\"\n",
    );
    order(&machine, "tell READY=1");
    let before = machine.pid1_descriptors();
    let socket = machine.sh("echo /run/finitd/notify/*").text.trim().to_owned();
    // Nobody's words: they come from outside of the service.
    let floods: Vec<_> = ["1", "2", "3"]
        .iter()
        .map(|seed| machine.begin(&["/programs/babbler", &socket, seed, "5000"]))
        .collect();
    for _ in 0..100 {
        assert_eq!(machine.status("other")["state"], "up");
        machine.order(&["status", "other"]);
    }
    order(&machine, "tell STATUS=through the flood");
    reason(&machine, "teller", "through the flood");
    let mut all = 0;
    for flood in floods {
        let said = crate::talk::Said::from(flood.wait_with_output().unwrap());
        let words: Vec<&str> = said.text.split_whitespace().collect();
        assert_eq!((said.code, words.last().copied()), (0, Some("sent")), "{}", said.text);
        assert_ne!(words[0], "0", "{}", said.text);
        all += words[words.len() - 2].parse::<u64>().unwrap();
    }
    assert!(all > 10_000, "{all}");
    // The same from within, where words count.
    machine.order(&["stop", "teller"]);
    machine.write(
        "/etc/finit.toml",
        "[service.babble]\ncommand = \"/bin/sh -c '/programs/babbler $NOTIFY_SOCKET 7 5000; exec systemd-notify --ready'\"\n\
         ready = \"notify\"\nrestart = \"never\"\n[service.other]\ncommand = \"/programs/idle\"\n",
    );
    machine.order(&["apply"]);
    machine.wait("the end of it", |m| (m.status("babble")["state"] == "stopped").then_some(()));
    machine.hang_up();
    machine.wait("no more descriptors than before", |m| {
        (m.pid1_descriptors() <= before + 2).then_some(())
    });
    assert_eq!(machine.status("other")["restarts"], 0);
}

/// J: a process of another user says that a service is up which is not.
#[test]
fn the_word_of_a_stranger_is_none() {
    let machine = teller("ready = \"notify\"\nnotify-from = \"any\"\n");
    let said = machine.sh(
        "cd /tmp; for s in /run/finitd/notify/*; do NOTIFY_SOCKET=$s setpriv --reuid=65534 --clear-groups --regid=65534 \
         systemd-notify --no-block --ready; done; echo $?",
    );
    assert_eq!(said.text, "0\n");
    order(&machine, "barrier");
    assert_eq!(machine.status("teller")["state"], "starting");
    let listed =
        machine.sh("setpriv --reuid=65534 --clear-groups --regid=65534 ls /run/finitd/notify");
    assert_ne!(listed.code, 0);
}

#[test]
fn nginx_forks_and_its_daemon_is_the_main_process() {
    let machine = Plan::new()
        .file(
            "/etc/nginx.conf",
            "pid /run//nginx.pid;\nerror_log stderr;\nevents {}\nhttp { access_log off; server { listen 8080; return 204; } }\n",
        )
        .boot(
            "[service.nginx]\ncommand = \"/usr/sbin/nginx -c /etc/nginx.conf\"\nready = \"forked\"\n\
             pidfile = \"/run/../run//nginx.pid\"\nreload = \"HUP\"\nrestart = { delay = \"1ms\" }\n",
        );
    let first = machine.main_pid("nginx");
    assert_eq!(machine.read("/run/nginx.pid").trim(), first.to_string());
    let serves =
        "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3";
    let said = machine.run(&["/bin/bash", "-c", serves]);
    assert!(said.text.contains("204"), "{}", said.text);
    machine.order(&["reload", "nginx"]);
    assert_eq!(machine.main_pid("nginx"), first);
    machine.sh(&format!("kill -9 {first}"));
    let second =
        machine.wait("another one", |m| Some(m.main_pid("nginx")).filter(|pid| *pid != first));
    assert_eq!(machine.status("nginx")["restarts"], 1);
    machine.order(&["stop", "nginx"]);
    assert!(!machine.exists(&format!("/proc/{second}")));
    assert_eq!(machine.sh("pgrep nginx").text, "", "no worker is left");
    machine.order(&["start", "nginx"]);
    assert_eq!(machine.read("/run/nginx.pid").trim(), machine.main_pid("nginx").to_string());
}

#[test]
fn a_daemon_without_a_group_of_its_own_is_found_too() {
    let script = "(setsid sleep 1000 & echo $! > /run/app.pid)";
    let machine = Plan::new().with("cgroup=no").boot(&format!(
        "[service.app]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nready = \"forked\"\npidfile = \"/run/app.pid\"\n"
    ));
    let pid = machine.main_pid("app");
    assert_eq!(machine.read("/run/app.pid").trim(), pid.to_string());
    machine.order(&["stop", "app"]);
    assert!(!machine.exists(&format!("/proc/{pid}")));
}

#[test]
fn a_daemon_that_is_stopped_alone_and_before_it_is_known_is_found_first() {
    let daemon =
        "until [ -e /out/go ]; do sleep 0.01; done; echo $$ > /run/app.pid; exec sleep 1000";
    let machine = Machine::boot(&format!(
        "[service.app]\ncommand = [\"/bin/sh\", \"-c\", \"setsid sh -c 'echo $$ > /out/pid; {daemon}' &\"]\n\
         ready = \"forked\"\npidfile = \"/run/app.pid\"\nstop.scope = \"main\"\n"
    ));
    let pid = machine.wait("the daemon", |m| m.read("/out/pid").trim().parse::<i32>().ok());
    machine.order(&["stop", "--no-wait", "app"]);
    machine.write("/out/go", "");
    machine.until("app", "stopped");
    assert!(!machine.exists(&format!("/proc/{pid}")), "{}", machine.story());
}

/// With `stop.scope = "main"` nobody else is to be asked, and no pid file ever says which that is.
#[test]
fn a_daemon_that_never_becomes_known_goes_with_its_start() {
    let machine = Machine::boot(
        "[service.app]\ncommand = [\"/bin/sh\", \"-c\", \"setsid sh -c 'echo $$ > /out/pid; exec sleep 1000' &\"]\n\
         ready = \"forked\"\npidfile = \"/run/none.pid\"\nstop.scope = \"main\"\n\
         start-timeout = \"2s\"\nrestart = \"never\"\n",
    );
    let pid = machine.wait("the daemon", |m| m.read("/out/pid").trim().parse::<i32>().ok());
    machine.until("app", "failed");
    assert!(!machine.exists(&format!("/proc/{pid}")), "{}", machine.story());
}

/// The first dies of its configuration, as nobody but itself has seen; the time for a start is not
/// waited for.
#[test]
fn a_daemon_that_dies_after_its_parent_has_gone_is_started_again_at_once() {
    let daemon = "read x < /out/conf || exit 3; echo $$ > /run/app.pid; exec sleep 1000";
    let machine = Machine::boot(&format!(
        "[service.app]\ncommand = [\"/bin/sh\", \"-c\", \"setsid sh -c 'echo x >> /out/began; {daemon}' &\"]\n\
         ready = \"forked\"\npidfile = \"/run/app.pid\"\nstart-timeout = \"1h\"\n\
         restart.delay = \"10ms\"\n"
    ));
    let began = |m: &Machine| m.read("/out/began").lines().count();
    machine.wait("another daemon", |m| (began(m) > 1).then_some(()));
    machine.write("/out/conf", "x\n");
    machine.until("app", "up");
}

/// The same where the file is one of before, and its number is somebody else's by now.
#[test]
fn a_daemon_that_dies_beside_a_stale_pid_file_is_started_again_at_once() {
    let daemon = "read x < /out/conf || exit 3; echo $$ > /run/app.pid; exec sleep 1000";
    let machine = Machine::boot(&format!(
        "[service.other]\ncommand = [\"/bin/sh\", \"-c\", \"echo $$ > /run/other.pid; exec sleep 1000\"]\n\
         ready = \"file:/run/other.pid\"\n\
         [service.app]\nneeds = \"other\"\n\
         command = [\"/bin/sh\", \"-c\", \"cp /run/other.pid /run/app.pid; \
         setsid sh -c 'echo x >> /out/began; {daemon}' &\"]\n\
         ready = \"forked\"\npidfile = \"/run/app.pid\"\nstart-timeout = \"1h\"\n\
         restart.delay = \"10ms\"\n"
    ));
    let began = |m: &Machine| m.read("/out/began").lines().count();
    machine.wait("another daemon", |m| (began(m) > 1).then_some(()));
    machine.write("/out/conf", "x\n");
    machine.until("app", "up");
    assert_ne!(machine.main_pid("app"), machine.main_pid("other"));
}

#[test]
fn a_stale_or_foreign_pid_file_makes_nobody_the_main_process() {
    let machine = Machine::boot(
        r#"
        [service.other]
        command = "/programs/idle"
        [service.app]
        command = ["/bin/sh", "-c", "/programs/idle & echo $! > /out/idle"]
        ready = "forked"
        pidfile = "/out/app.pid"
        needs = "other"
        "#,
    );
    machine.write("/out/app.pid", "1\n");
    machine.until("app", "starting");
    machine.write("/out/app.pid", &machine.main_pid("other").to_string());
    let name = "that process is none of this service";
    machine.until_shown(name);
    assert_eq!(machine.status("app")["state"], "starting");
    let idle = machine.read("/out/idle");
    machine.write("/out/app.pid", &idle);
    assert_eq!(machine.main_pid("app"), idle.trim().parse::<i32>().unwrap());
}

/// Some numbers mean many processes, or PID 1 itself, to kill(2).
#[test]
fn b6_only_a_process_number_in_a_pid_file_names_a_daemon() {
    let forks = |(name, text): &(&str, &str)| {
        let says =
            format!("/programs/idle & echo $! >/out/{name}; printf %b \"{text}\" >/out/{name}.pid");
        format!(
            "[service.{name}]\ncommand = [\"/bin/sh\", \"-c\", '''{says}''']\n\
             ready = \"forked\"\npidfile = \"/out/{name}.pid\"\n"
        )
    };
    let bad = [
        ("zero", "0"),
        ("minus", "-1"),
        ("first", "1"),
        ("large", "2147483648"),
        ("huge", "4294967298"),
        ("pair", "$! 34"),
        ("word", "pid $!"),
        ("empty", ""),
    ];
    let good = [("plain", "$!"), ("padded", "    $!\\n"), ("lines", "$!\\n/usr/bin/x -f\\n12\\n")];
    let bus = "[service.bus]\ncommand = \"/usr/bin/dbus-daemon --config-file=/etc/bus.conf\"\n\
               ready = \"forked\"\npidfile = \"/run/bus.pid\"\n";
    let file = "<busconfig><type>custom</type><fork/><pidfile>/run/bus.pid</pidfile>\
                <listen>unix:path=/run/bus</listen></busconfig>";
    let toml: String = bad.iter().chain(&good).map(forks).collect();
    let machine = Plan::new().file("/etc/bus.conf", file).boot(&(toml + bus));
    let is_daemon = |name: &str, file: &str| {
        machine.until(name, "up");
        assert_eq!(machine.main_pid(name).to_string(), machine.read(file).trim(), "{name}");
    };
    for (name, _) in good {
        is_daemon(name, &format!("/out/{name}"));
    }
    is_daemon("bus", "/run/bus.pid");
    for (name, _) in bad {
        let no_number = format!("/out/{name}.pid: it holds no process number");
        let log = format!("/var/log/finit/{name}.log");
        machine.wait(&no_number, |m| m.read(&log).contains(&no_number).then_some(()));
        assert_eq!(machine.status(name)["state"], "starting", "{name}");
        machine.write(&format!("/out/{name}.pid"), &machine.read(&format!("/out/{name}")));
        is_daemon(name, &format!("/out/{name}"));
    }
}

/// Whoever says that it is up and ends at once was up, though PID 1 hears of both at a time.
#[test]
fn a_line_that_is_written_just_before_the_end_counts() {
    let machine = Machine::boot(
        "[service.brief]\ncommand = [\"/bin/sh\", \"-c\", \"echo $$ >/out/pid; read x </out/go; echo >&7\"]\n\
         ready = \"fd:7\"\nrestart = \"never\"\nbefore-start = \"/usr/bin/mkfifo /out/go\"\n",
    );
    let pid = machine.wait("its number", |m| m.read("/out/pid").trim().parse::<i32>().ok());
    machine.signal_pid1(libc::SIGSTOP);
    std::fs::write(machine.path("/out/go"), "x\n").unwrap();
    machine
        .wait("its end", |m| m.read(&format!("/proc/{pid}/stat")).contains(") Z ").then_some(()));
    machine.signal_pid1(libc::SIGCONT);
    machine.until("brief", "stopped");
}

#[test]
fn s6_services_write_a_line_and_others_are_found() {
    let machine = Machine::boot(
        r#"
        [service.s6]
        command = ["/bin/sh", "-c", "until [ -e /out/go ]; do sleep 0.01; done; printf x >&7; echo >&7; exec 7>&-; exec sleep 1000"]
        ready = "fd:7"
        [service.s6-sockets]
        command = ["/bin/sh", "-c", "ls /proc/self/fd > /out/fds; echo >&4; exec sleep 1000"]
        listen = "/run/s6"
        start = "boot"
        ready = "fd:4"
        [service.port]
        command = ["/bin/sh", "-c", "until [ -e /out/go ]; do sleep 0.01; done; exec /usr/bin/python3 -c \"import socket,time; s=socket.create_server(('127.0.0.1', 8081)); time.sleep(1000)\""]
        ready = "tcp:8081"
        [service.stream]
        command = ["/bin/sh", "-c", "until [ -e /out/go ]; do sleep 0.01; done; exec /usr/bin/python3 -c \"import socket,time; s=socket.socket(socket.AF_UNIX); s.bind('/run/stream'); s.listen(); time.sleep(1000)\""]
        ready = "unix:/run/stream"
        [service.file]
        command = ["/bin/sh", "-c", "exec sleep 1000"]
        ready = "file:/out/go"
        [service.command]
        command = ["/bin/sh", "-c", "exec sleep 1000"]
        ready = { command = "/usr/bin/test -e /out/go", every = "10ms" }
        "#,
    );
    machine.until("s6-sockets", "up");
    assert_eq!(machine.read("/out/fds"), "0\n1\n2\n3\n4\n5\n");
    let names = ["s6", "port", "stream", "file", "command"];
    for name in names {
        machine.until(name, "starting");
    }
    reason(&machine, "port", "not ready yet (tcp:8081)");
    machine.write("/out/go", "");
    for name in names {
        machine.until(name, "up");
    }
    for name in names {
        machine.order(&["stop", name]);
    }
    assert_eq!(
        machine.run(&["/usr/bin/pgrep", "-f", "--", "--await"]).text,
        "",
        "nobody looks any more"
    );
}

#[test]
fn a_name_on_the_bus_is_waited_for() {
    let machine = Plan::new()
        .file("/etc/teller.py", TELLER)
        .file(
            "/etc/bus.conf",
            "<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow user='*'/><allow receive_sender='*'/><allow send_destination='*' eavesdrop='true'/><allow own='*'/></policy></busconfig>\n",
        )
        .boot(
            "[service.bus]\ncommand = \"/usr/bin/dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile\"\n\
             before-start = \"/bin/mkdir -p /run/dbus\"\nready = \"unix:/run/dbus/system_bus_socket\"\n\
             [service.teller]\ncommand = \"/usr/bin/python3 /etc/teller.py /out/teller\"\n\
             ready = \"dbus:org.example.Teller\"\nneeds = \"bus\"\n",
        );
    machine.until("bus", "up");
    machine.appears("/out/teller/ready");
    assert_eq!(machine.status("teller")["state"], "starting");
    order(&machine, "bus org.example.Teller");
    machine.until("teller", "up");
}
