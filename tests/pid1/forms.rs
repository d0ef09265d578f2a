//! TF11: whichever way a service says that it is up, it says so for one run: neither more nor less.

use crate::machine::Machine;

/// Each is up once /out/NAME is there, and not before.
const FILE: &str = r#"
[defaults]
restart = { delay = "1ms", max-delay = "1ms" }
reload = "CONT"
before-start = "/bin/rm -f /run/unix"

[service.notify]
command = ["/bin/sh", "-c", "until [ -e /out/notify ]; do sleep 0.01; done; systemd-notify --ready; exec sleep 1000"]
ready = "notify"
notify-from = "any"

[service.fd]
command = ["/bin/sh", "-c", "until [ -e /out/fd ]; do sleep 0.01; done; echo >&7; exec 7>&-; exec sleep 1000"]
ready = "fd:7"

[service.forked]
command = ["/bin/sh", "-c", "until [ -e /out/forked ]; do sleep 0.01; done; /programs/idle & echo $! >/run/forked.pid"]
ready = "forked"
pidfile = "/run/forked.pid"

[service.tcp]
command = ["/bin/sh", "-c", '''until [ -e /out/tcp ]; do sleep 0.01; done
exec /usr/bin/python3 -c "import socket,time; s=socket.create_server(('127.0.0.1', 8081)); time.sleep(1000)"''']
ready = "tcp:8081"

[service.unix]
command = ["/bin/sh", "-c", '''until [ -e /out/unix ]; do sleep 0.01; done
exec /usr/bin/python3 -c "import socket,time; s=socket.socket(socket.AF_UNIX); s.bind('/run/unix'); s.listen(); time.sleep(1000)"''']
ready = "unix:/run/unix"

[service.file]
command = "/programs/idle"
ready = "file:/out/file"

[service.command]
command = "/programs/idle"
ready = { command = "/usr/bin/test -e /out/command", every = "10ms" }
"#;

const NAMES: [&str; 7] = ["notify", "fd", "forked", "tcp", "unix", "file", "command"];

fn gate(name: &str) -> String {
    format!("/out/{name}")
}

/// Its next run begins, and is not up.
fn begins(machine: &Machine, name: &str, pid: i32, how: &str) {
    machine.forget(&gate(name));
    match how {
        "kill" => assert_eq!(machine.sh(&format!("kill -9 {pid}")).code, 0),
        "stop" => {
            machine.order(&["stop", name]);
            let status = machine.status(name);
            assert_eq!((&status["state"], status["pid"].is_null()), (&"stopped".into(), true));
            machine.order(&["start", "--no-wait", name]);
        }
        how => {
            machine.order(&[how, "--no-wait", name]);
        }
    }
    machine.until(name, "starting");
}

#[test]
fn tf11_each_run_says_for_itself_that_it_is_up_and_what_is_no_new_run_changes_nothing() {
    let machine = Machine::boot(FILE);
    for name in NAMES {
        machine.until(name, "starting");
        machine.write(&gate(name), "");
    }
    let pids = || NAMES.map(|name| machine.main_pid(name));
    let mut before = pids();
    machine.booted();
    machine.order(&[&["reload"], &NAMES[..]].concat());
    assert_eq!(machine.order(&["apply"]).trim(), "nothing changed");
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(pids(), before);
    assert!(NAMES.iter().all(|name| machine.status(name)["restarts"] == 0));

    for how in ["kill", "restart", "stop"] {
        for (name, pid) in NAMES.into_iter().zip(before) {
            begins(&machine, name, pid, how);
        }
        // Neither the file nor another finit makes it ready, and each still waits for its own sign.
        assert_eq!(machine.order(&["apply"]).trim(), "nothing changed");
        machine.hang_up();
        machine.order(&["upgrade"]);
        for name in NAMES {
            assert_eq!(machine.status(name)["state"], "starting", "{name} after {how}");
            machine.write(&gate(name), "");
            machine.until(name, "up");
        }
        let now = pids();
        for ((name, old), new) in NAMES.into_iter().zip(before).zip(now) {
            assert_ne!(old, new, "{name} after {how}");
        }
        before = now;
    }
}
