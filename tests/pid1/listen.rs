//! Sockets that finit holds and hands to their service.

use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};

use crate::machine::{Machine, Plan};
use crate::ready::TELLER;
use crate::talk::{Line, Said};

#[test]
fn each_kind_of_socket_is_handed_over_with_its_name_and_works() {
    let machine = Machine::boot(
        r#"
        [service.all]
        command = "/programs/listener /out/book"
        listen = [
            { on = "127.0.0.1:80", name = "web" },
            { on = "/run/stream", name = "stream" },
            { on = "unix-dgram:/run/dgram", name = "dgram" },
            { on = "unix-seqpacket:/run/seqpacket", name = "packets" },
            { on = "udp:53", name = "names" },
            { on = "fifo:/run/fifo", name = "fifo" },
        ]
        "#,
    );
    machine.until("all", "listening");
    // The first one starts it.
    assert_eq!(Line::to(&machine.path("/run/stream")).unwrap().hear().unwrap(), "stream");
    let handed = "3 web stream\n4 stream stream\n5 dgram dgram\n6 packets seqpacket\n7 names dgram\n8 fifo fifo\n";
    assert_eq!(machine.read("/out/book"), handed);
    let said = machine.run(&["/programs/clients", "80", "1", "1"]);
    assert!(said.text.starts_with("1 fine"), "{}", said.text);
    let packets = machine.run(&["/programs/packet", "/run/seqpacket"]);
    assert_eq!(packets.text, "packets\n");
    let wait_for = |line: &str| {
        machine.wait(line, |m| m.read("/out/book").lines().any(|l| l == line).then_some(()));
    };
    UnixDatagram::unbound().unwrap().send_to(b"a letter", machine.path("/run/dgram")).unwrap();
    wait_for("dgram: a letter");
    machine.run(&["/bin/bash", "-c", "echo who > /dev/udp/127.0.0.1/53"]);
    wait_for("names: who");
    let mut fifo = std::fs::File::options().write(true).open(machine.path("/run/fifo")).unwrap();
    fifo.write_all(b"through a pipe\n").unwrap();
    wait_for("fifo: through a pipe");
}

/// The socket is finit's: while the service is away, connections wait in its queue.
#[test]
fn no_connection_is_refused_while_the_service_crashes_and_restarts() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/listener /out/book /out/pids\"\nlisten = \"80\"\nstart = \"boot\"\n\
         restart = { delay = \"1ms\", max-delay = \"1ms\" }\n",
    );
    machine.appears("/out/pids");
    let clients = machine.begin(&["/programs/clients", "80", "20000", "4"]);
    let killed = machine.run(&["/programs/killer", "/out/pids", "60"]);
    assert_eq!(killed.code, 0, "{}", killed.text);
    for _ in 0..5 {
        machine.order(&["restart", "web"]);
    }
    let said = Said::from(clients.wait_with_output().unwrap());
    // A connection that was accepted by a process that is then killed ends empty.
    assert!(said.text.contains(" 0 refused,"), "{}", said.text);
    let fine: u32 = said.text.split(' ').next().unwrap().parse().unwrap();
    assert!(fine > 10_000, "{}", said.text);
}

#[test]
fn the_first_connection_starts_a_service_and_waits_for_it() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/listener /out/book\"\nlisten = \"/run/web\"\nbefore-start = \"/programs/stamp /out/hook\"\n",
    );
    machine.until("web", "listening");
    assert!(!machine.exists("/out/hook"), "nothing runs before somebody asks");
    assert_eq!(Line::to(&machine.path("/run/web")).unwrap().hear().unwrap(), "web");
    assert_eq!(machine.read("/out/hook"), "x\n");
    machine.until("web", "up");
    // Who asks for it by its name need not connect, before or after.
    for (words, hooks) in [(["stop", "web"], 1), (["start", "web"], 2), (["restart", "web"], 3)] {
        machine.order(&words);
        assert_eq!(machine.read("/out/hook").lines().count(), hooks, "{words:?}");
    }
    assert!(machine.main_pid("web") > 0);
    assert_eq!(Line::to(&machine.path("/run/web")).unwrap().hear().unwrap(), "web");
}

#[test]
fn a_port_that_is_taken_is_tried_again_until_it_is_free() {
    let machine = Machine::boot(
        "[service.first]\ncommand = \"/programs/serve\"\ninetd = \"80\"\n\
         [service.second]\ncommand = \"/programs/serve\"\ninetd = \"80\"\nafter = \"first\"\n",
    );
    machine.until("first", "listening");
    machine.wait("a reason", |m| {
        m.status("second")["reason"]
            .as_str()
            .is_some_and(|r| r.contains("EADDRINUSE"))
            .then_some(())
    });
    machine.order(&["stop", "first"]);
    machine.until("second", "listening");
}

/// What each says of a socket that it is handed: six options as numbers, and the device.
const OPTIONS: &str = r#"
import socket as s
fd = s.socket(fileno=3)
numbers = [(s.SOL_SOCKET, s.SO_KEEPALIVE), (s.SOL_SOCKET, s.SO_REUSEPORT), (s.SOL_SOCKET, s.SO_REUSEADDR),
           (s.IPPROTO_TCP, s.TCP_NODELAY), (s.IPPROTO_IPV6, s.IPV6_V6ONLY), (s.IPPROTO_IP, 15)]
print(*[fd.getsockopt(*one) for one in numbers], fd.getsockopt(s.SOL_SOCKET, 25, 16).rstrip(b"\0").decode())
"#;

#[test]
fn h3_each_option_of_a_socket_is_set_in_the_kernel_where_it_is_said() {
    let said = [
        ("", "0 0 1 0 0 0 \n"),
        (", keepalive = true", "1 0 1 0 0 0 \n"),
        (", reuseport = true", "0 1 1 0 0 0 \n"),
        (", nodelay = true", "0 0 1 1 0 0 \n"),
        (", v6only = true", "0 0 1 0 1 0 \n"),
        (", freebind = true", "0 0 1 0 0 1 \n"),
        (", device = 'lo'", "0 0 1 0 0 0 lo\n"),
    ];
    let service = |(number, (option, _)): (usize, &(&str, &str))| {
        format!(
            "[service.t{number}]\nscript = \"python3 /etc/options.py >/out/t{number}\"\n\
             start = \"boot\"\nrestart = \"never\"\nlisten = {{ on = \"{}\"{option} }}\n",
            9000 + number
        )
    };
    let toml: String = said.iter().enumerate().map(service).collect();
    let machine = Plan::new().file("/etc/options.py", OPTIONS).boot(&toml);
    for (number, (option, told)) in said.iter().enumerate() {
        let file = format!("/out/t{number}");
        let found =
            machine.wait(&file, |m| Some(m.read(&file)).filter(|text| text.ends_with('\n')));
        assert_eq!(found, *told, "{option}");
    }
}

/// Which of both comes first makes no difference.
#[test]
fn h3_one_port_is_had_by_both_families_apart_or_by_one_socket() {
    let service = |name: &str, listen: &str, after: &str| {
        format!(
            "[service.{name}]\ncommand = \"/programs/idle\"\nlisten = {listen}\nafter = [{after}]\n"
        )
    };
    let (six, four) = ("{ on = \"80\", v6only = true }", "\"0.0.0.0:80\"");
    let (both, shared) = ("\"80\"", "{ on = \"80\", reuseport = true }");
    let pairs = [
        (six, four, true),
        (four, six, true),
        (both, four, false),
        (four, both, false),
        (shared, shared, true),
        (shared, both, false),
        (both, shared, false),
    ];
    let mut toml = String::new();
    for (number, (first, second, _)) in pairs.iter().enumerate() {
        let port = (8000 + number).to_string();
        let [first, second] = [first, second].map(|one| one.replace("80", &port));
        toml += &service(&format!("first{number}"), &first, "");
        toml += &service(&format!("second{number}"), &second, &format!("\"first{number}\""));
    }
    let machine = Machine::boot(&toml);
    for (number, (_, _, apart)) in pairs.iter().enumerate() {
        machine.until(&format!("first{number}"), "listening");
        let second = format!("second{number}");
        if *apart {
            machine.until(&second, "listening");
        } else {
            machine.wait(&format!("{second} to be refused"), |m| {
                let status = m.status(&second);
                status["reason"].as_str().is_some_and(|r| r.contains("EADDRINUSE")).then_some(())
            });
        }
    }
}

#[test]
fn a_web_server_and_the_secure_shell_just_run() {
    let machine = Machine::boot(
        "[service.nginx]\ncommand = \"/usr/sbin/nginx -g 'daemon off;'\"\n\
         [service.sshd]\ncommand = \"/usr/sbin/sshd -D\"\nstop.scope = \"main\"\n\
         before-start = [\"/bin/mkdir -p /run/sshd\", \"/usr/bin/ssh-keygen -A\"]\n",
    );
    let get = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3";
    machine.until("nginx", "up");
    machine
        .wait("a page", |m| m.run(&["/bin/bash", "-c", get]).text.contains("200 OK").then_some(()));
    machine.until("sshd", "up");
    machine.wait("the secure shell", |m| {
        m.run(&["/programs/clients", "22", "1", "1"]).text.contains("SSH-2.0").then_some(())
    });
    machine.order(&["stop", "nginx", "sshd"]);
    assert_eq!(machine.sh("pidof nginx").text, "");
    // With the scope "main" a session of sshd lives on, until it has seen that its client is gone.
    machine.wait("no session", |m| m.sh("pidof sshd").text.is_empty().then_some(()));
}

/// What has a file is gone from the file system with its service, unless that is not wanted; and the
/// folder for it is made.
#[test]
fn a_socket_takes_its_file_along_and_makes_the_folder_for_it() {
    let service = |name: &str, listen: &str| {
        format!("[service.{name}]\ncommand = \"/programs/idle\"\nlisten = {listen}\n")
    };
    let toml = [
        service("web", "[\"/run/new/of/web\", \"fifo:/run/new/fifo\"]"),
        service("stays", "{ on = \"fifo:/run/new/stays\", unlink = false }"),
        service("moves", "\"/run/new/before\""),
    ];
    let machine = Machine::boot(&toml.concat());
    for name in ["web", "stays", "moves"] {
        machine.until(name, "listening");
    }
    machine.write("/etc/finit.toml", &toml.concat().replace("/before", "/after"));
    machine.order(&["apply"]);
    machine.until("moves", "listening");
    let files = || machine.sh("cd /run/new && find . ! -type d | sort").text;
    assert_eq!(files(), "./after\n./fifo\n./of/web\n./stays\n");
    machine.order(&["stop", "web", "stays", "moves"]);
    assert_eq!(files(), "./stays\n");
}

#[test]
fn an_owner_of_a_socket_that_nobody_knows_is_told() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/idle\"\n\
         listen = { on = \"/run/web\", user = \"nobody-such\" }\n",
    );
    machine.until("web", "restarting");
    let status = machine.ctl(&["status", "web"]).text;
    assert!(status.contains("user `nobody-such` in /etc/passwd"), "{status}");
    assert!(status.contains("fix `user` in /etc/finit.toml"), "{status}");
}

/// Both ask libsystemd what they are handed.
#[test]
fn a_real_daemon_and_the_library_of_systemd_find_their_sockets() {
    let machine = Plan::new().file("/etc/teller.py", TELLER).boot(
        r#"
        [service.bus]
        command = "/usr/bin/dbus-daemon --session --nofork --nopidfile --address=systemd:"
        listen = "/run/bus.socket"
        [service.teller]
        command = "/usr/bin/python3 /etc/teller.py /out/teller"
        listen = [{ on = "/run/one.socket", name = "one" }, "/run/two.socket"]
        "#,
    );
    machine.until("bus", "listening");
    let said = machine.run(&[
        "timeout",
        "30",
        "dbus-send",
        "--bus=unix:path=/run/bus.socket",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/",
        "org.freedesktop.DBus.ListNames",
    ]);
    assert!(said.code == 0 && said.text.contains("\"org.freedesktop.DBus\""), "{said:?}");
    machine.until("bus", "up");

    machine.until("teller", "listening");
    let _client = UnixStream::connect(machine.path("/run/two.socket")).unwrap();
    let given = machine.appears("/out/teller/given");
    assert_eq!(given, "one=a socket teller=a socket watchdog=off");
}
