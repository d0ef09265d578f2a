//! Each form of readiness with a program that people run, which knows nothing of finit: it counts
//! as up when it serves and not before, and goes on as one that is up.

use crate::machine::{Machine, Plan};

/// Form, and command; each waits for a file before it begins.
const FORMS: [(&str, &str, &str); 7] = [
    // It writes its address there once it listens, as services of s6 do.
    (
        "fd",
        "/usr/bin/dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile --print-address=7",
        "ready = \"fd:7\"\nbefore-start = \"/bin/mkdir -p /run/dbus\"",
    ),
    (
        "dbus",
        "/lib/systemd/systemd-hostnamed",
        "ready = \"dbus:org.freedesktop.hostname1\"\nneeds = \"fd\"",
    ),
    (
        "notify",
        "/usr/bin/systemd-notify --ready; exec /programs/idle",
        "ready = \"notify\"\nnotify-from = \"any\"",
    ),
    (
        "forked",
        "/usr/sbin/nginx -c /etc/forked.conf",
        "ready = \"forked\"\npidfile = \"/run/forked.pid\"",
    ),
    (
        "tcp",
        "/usr/sbin/sshd -D",
        "ready = \"tcp:22\"\nbefore-start = [\"/bin/mkdir -p /run/sshd\", \"/usr/bin/ssh-keygen -A\"]",
    ),
    (
        "file",
        "/usr/sbin/nginx -c /etc/file.conf -g 'daemon off;'",
        "ready = \"file:/run/file.pid\"",
    ),
    (
        "command",
        "/usr/sbin/nginx -c /etc/command.conf -g 'daemon off;'",
        "ready = { command = [\"/bin/bash\", \"-c\", \"exec 3<>/dev/tcp/127.0.0.1/8082\"], every = \"10ms\" }",
    ),
];

fn machine(gate: &str) -> Machine {
    let service = |(name, command, more): &(&str, &str, &str)| {
        format!(
            "[service.{name}]\ncommand = [\"/bin/sh\", \"-c\", \"\"\"{gate}{command}\"\"\"]\n{more}\n\
                 restart = {{ delay = \"1ms\", max-delay = \"1ms\" }}\n"
        )
    };
    let nginx = |name: &str, port: u16| {
        format!(
            "pid /run/{name}.pid;\nerror_log stderr;\nevents {{}}\n\
             http {{ access_log off; server {{ listen {port}; return 204; }} }}\n"
        )
    };
    let file: String = FORMS.iter().map(service).collect();
    Plan::new()
        .file("/etc/bus.conf", BUS)
        .file("/etc/forked.conf", &nginx("forked", 8080))
        .file("/etc/file.conf", &nginx("file", 8081))
        .file("/etc/command.conf", &nginx("command", 8082))
        .boot(&file)
}

const BUS: &str = "<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>\
    <auth>EXTERNAL</auth><policy context='default'><allow user='*'/><allow receive_sender='*'/>\
    <allow send_destination='*' eavesdrop='true'/><allow own='*'/></policy></busconfig>\n";

fn pids(machine: &Machine) -> Vec<i32> {
    FORMS.iter().map(|(name, ..)| machine.main_pid(name)).collect()
}

#[test]
fn a_program_counts_as_up_when_it_serves_and_not_before() {
    let machine = machine("until [ -e /out/go ]; do sleep 0.01; done; ");
    for (name, ..) in FORMS {
        machine.until(name, if name == "dbus" { "waiting" } else { "starting" });
    }
    machine.write("/out/go", "");
    // Whoever is told that it is up is served by it at once.
    let serves = [
        (
            "fd",
            "dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames",
        ),
        (
            "dbus",
            "dbus-send --system --print-reply --dest=org.freedesktop.hostname1 /org/freedesktop/hostname1 org.freedesktop.DBus.Peer.Ping",
        ),
        ("forked", "exec 3<>/dev/tcp/127.0.0.1/8080"),
        ("tcp", "exec 3<>/dev/tcp/127.0.0.1/22; read -r line <&3; [[ $line == SSH-2.0-* ]]"),
        ("file", "exec 3<>/dev/tcp/127.0.0.1/8081"),
        ("command", "exec 3<>/dev/tcp/127.0.0.1/8082"),
    ];
    for (name, script) in serves {
        machine.until(name, "up");
        let said = machine.run(&["/bin/bash", "-c", script]);
        assert_eq!(said.code, 0, "{name}: {}", said.text);
    }
    machine.until("notify", "up");
}

/// TF11, TF33: to follow a file that says nothing new is nothing, whoever says how that one is up;
/// and each comes back as it came.
#[test]
fn what_is_up_in_any_form_goes_on_over_an_apply_and_comes_back_after_its_end() {
    let machine = machine("");
    machine.booted();
    let first = pids(&machine);
    let file = machine.read("/etc/finit.toml");
    for comment in ["", "# The same.\n"] {
        machine.write("/etc/finit.toml", &format!("{comment}{file}"));
        machine.order(&["apply"]);
        assert_eq!(pids(&machine), first);
    }
    machine.hang_up();
    machine.order(&["upgrade"]);
    machine.order(&["apply"]);
    assert_eq!(pids(&machine), first);
    assert!(machine.list().iter().all(|service| service["restarts"] == 0), "{}", machine.story());
    // The name on the bus is lost with the bus.
    for (name, ..) in FORMS {
        let killed = machine.main_pid(name);
        machine.sh(&format!("kill -9 {killed}"));
        let next =
            machine.wait("another one", |m| Some(m.main_pid(name)).filter(|pid| *pid != killed));
        machine.order(&["restart", name]);
        assert!(![killed, next].contains(&machine.main_pid(name)), "{name}");
        machine.order(&["apply"]);
        machine.order(&["stop", name]);
        assert_eq!(machine.status(name)["state"], "stopped", "{}", machine.story());
        machine.order(&["start", name]);
    }
}
