//! One process a connection, as inetd does it.

use crate::machine::{Machine, Plan};
use crate::talk::Line;

/// Connections that stay.
const CALLER: &str = include_str!("caller.py");
const GREETING: &str = "connection 1 blocking 1 errors logged others 0 listen 0";

#[test]
fn a_connection_is_the_stdin_and_stdout_of_its_process() {
    let machine =
        Machine::boot("[service.echo]\ncommand = \"/programs/serve\"\ninetd = \"/run/echo\"\n");
    machine.until("echo", "listening");
    let mut line = Line::to(&machine.path("/run/echo")).unwrap();
    assert_eq!(line.hear().unwrap(), GREETING);
    assert_eq!(line.ask("there and back").unwrap(), "there and back");
    assert_eq!(machine.status("echo")["connections"], 1);
    drop(line);
    machine.wait("the process to end", |m| (m.status("echo")["connections"] == 0).then_some(()));
}

/// A limit delays, it never refuses: who comes late is served when somebody leaves.
#[test]
fn past_a_limit_accepting_pauses_and_resumes() {
    let machine = Machine::boot(
        "[service.echo]\ncommand = \"/programs/serve /out/book\"\ninetd = \"/run/echo\"\ninetd-max = 2\n",
    );
    machine.until("echo", "listening");
    let connect = || Line::to(&machine.path("/run/echo")).unwrap();
    let mut lines: Vec<Line> = (0..10).map(|_| connect()).collect();
    let full = "accepts no more until one of its 2 ends (inetd-max)";
    machine.wait("the limit", |m| (m.status("echo")["reason"] == full).then_some(()));
    for mut line in lines.drain(..) {
        assert_eq!(line.hear().unwrap(), GREETING);
        assert_eq!(line.ask("echo").unwrap(), "echo");
    }
    machine.wait("the last to leave", |m| (m.status("echo")["connections"] == 0).then_some(()));
    let (mut now, mut most) = (0, 0);
    for word in machine.read("/out/book").lines() {
        now += if word == "begin" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 2));
}

/// Somebody who connects from an address of his own once he is started.
fn caller(name: &str, from: &str, to: &str, port: u16) -> String {
    format!(
        "[service.{name}]\ncommand = \"/usr/bin/python3 /etc/caller.py {from} {to} {port} /out/{name}\"\n\
         start = \"manual\"\nrestart = \"never\"\n"
    )
}

/// An address is the same one on every socket, and stays it while finit is executed anew.
#[test]
fn past_the_limit_of_a_source_its_next_connection_waits_and_others_are_served() {
    let file = [
        "[service.echo]\ncommand = \"/programs/serve\"\ninetd = [\"7\", \"127.0.0.1:8\"]\n\
         inetd-max-per-source = 1\n"
            .to_owned(),
        caller("first", "127.0.0.1", "127.0.0.1", 7),
        caller("late", "127.0.0.1", "127.0.0.1", 8),
        caller("other", "127.0.0.2", "127.0.0.1", 7),
        caller("six", "::1", "::1", 7),
    ];
    let machine = Plan::new().file("/etc/caller.py", CALLER).boot(&file.concat());
    machine.booted();
    let heard = |name: &str, text: &str| {
        let path = format!("/out/{name}");
        machine.wait(name, |m| (m.read(&path) == text).then_some(()));
    };
    let greeted = format!("connected\n{GREETING}\n");
    machine.order(&["start", "first"]);
    heard("first", &greeted);
    machine.order(&["start", "late"]);
    heard("late", "connected\n");
    // Those come later, and are served all the same.
    for name in ["other", "six"] {
        machine.order(&["start", name]);
        heard(name, &greeted);
    }
    for _ in 0..3 {
        machine.hang_up();
        machine.order(&["upgrade"]);
    }
    let status = machine.status("echo");
    assert_eq!(status["connections"], 3, "{status}");
    assert_eq!(status["reason"], "1 connection waits until another of its address ends");
    assert_eq!(machine.read("/out/late"), "connected\n");
    machine.order(&["stop", "first"]);
    heard("late", &greeted);
    machine.order(&["start", "first"]);
    heard("first", "connected\n");
    machine.order(&["stop", "echo"]);
    heard("first", "connected\nclosed\n");
}

#[test]
fn past_a_rate_accepting_pauses_until_its_time_is_over() {
    let machine = Machine::boot(
        "[service.echo]\ncommand = \"/programs/serve\"\ninetd = \"7\"\ninetd-rate = \"3/1s\"\n",
    );
    machine.until("echo", "listening");
    let said = machine.run(&["/programs/clients", "7", "10", "10"]).text;
    let rate =
        said.strip_prefix("10 fine, 0 refused, 0 empty, ").unwrap_or_else(|| panic!("{said}"));
    // Three pauses: a machine that is slow makes it fewer still.
    let rate: u32 = rate.split_once('/').unwrap().0.parse().unwrap();
    assert!(rate <= 3, "{said}");
    assert_eq!(machine.status("echo")["state"], "listening");
}

#[test]
fn a_thousand_connections_of_eight_clients_are_all_served() {
    let machine = Machine::boot("[service.echo]\ncommand = \"/programs/serve\"\ninetd = \"7\"\n");
    machine.until("echo", "listening");
    let said = machine.run(&["/programs/clients", "7", "1000", "8"]);
    assert!(said.text.starts_with("1000 fine, 0 refused, 0 empty"), "{}", said.text);
    machine.wait("all to end", |m| (m.status("echo")["connections"] == 0).then_some(()));
}

#[test]
fn connections_outlive_the_stop_of_their_service_where_it_says_so() {
    let machine = Machine::boot(
        "[service.echo]\ncommand = \"/programs/serve\"\ninetd = \"/run/echo\"\nstop.scope = \"main\"\n",
    );
    machine.until("echo", "listening");
    let mut line = Line::to(&machine.path("/run/echo")).unwrap();
    assert_eq!(line.hear().unwrap(), GREETING);
    machine.order(&["stop", "echo"]);
    assert!(Line::to(&machine.path("/run/echo")).is_err(), "stopped, it takes no connection");
    assert_eq!(line.ask("still here").unwrap(), "still here");
    machine.order(&["start", "echo"]);
    assert_eq!(Line::to(&machine.path("/run/echo")).unwrap().hear().unwrap(), GREETING);
}

#[test]
fn a_program_that_is_not_there_costs_a_connection_and_not_the_socket() {
    let machine =
        Machine::boot("[service.echo]\ncommand = \"/srv/serve\"\ninetd = \"/run/echo\"\n");
    machine.until("echo", "listening");
    let mut line = Line::to(&machine.path("/run/echo")).unwrap();
    assert!(line.hear().is_err(), "closed without a word");
    machine.sh("mkdir -p /srv && cp /programs/serve /srv/");
    let mut line = Line::to(&machine.path("/run/echo")).unwrap();
    assert_eq!(line.hear().unwrap(), GREETING);
}

#[test]
fn the_secure_shell_answers_as_a_process_a_connection() {
    let machine = Machine::boot(
        "[service.sshd]\ncommand = \"/usr/sbin/sshd -i\"\ninetd = \"22\"\nbefore-start = \"/bin/mkdir -p /run/sshd\"\n",
    );
    machine.until("sshd", "listening");
    machine.sh("mkdir -p /run/sshd; ssh-keygen -A");
    let said = machine.run(&["/programs/clients", "22", "1", "1"]);
    assert!(said.text.contains("\nSSH-2.0-"), "{}", said.text);
}
