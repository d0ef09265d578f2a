//! What services read from: files, and the socket that finit holds for them.

use std::io::Write;

use crate::lines::lines;
use crate::machine::{Machine, Plan};

/// Root alone may read it, and who reads it is nobody in a place without it.
#[test]
fn a_service_reads_a_file_from_its_beginning_at_each_start() {
    let machine = Plan::new().file("/etc/input", "first\n").boot(
        "[service.reader]\n\
         command = [\"/bin/sh\", \"-c\", \"read line; echo $line >>/out/lines; exec /programs/idle\"]\n\
         stdin = \"file:/etc/input\"\nuser = \"nobody\"\n\
         before-start = { run = \"/bin/sh -c 'chmod 600 /etc/input; read x; chmod 777 /out; echo $?$x >>/out/before'\", user = \"root\" }\n",
    );
    machine.until("reader", "up");
    machine.wait("a line", |m| (m.read("/out/lines") == "first\n").then_some(()));
    assert_eq!(machine.read("/out/before"), "0\n", "a command before it reads from nothing");
    machine.write("/etc/input", "second\n");
    machine.order(&["restart", "reader"]);
    machine.wait("another", |m| (m.read("/out/lines") == "first\nsecond\n").then_some(()));
    let file = std::fs::read_to_string(machine.path("/etc/finit.toml")).unwrap();
    machine.write("/etc/finit.toml", &file.replace("/etc/input\"\nuser", "/etc/other\"\nuser"));
    let said = machine.order(&["plan"]);
    assert!(said.contains("restart") && said.contains("changed: stdin"), "{said}");
}

#[test]
fn a_file_that_is_missing_is_a_failed_start_that_says_which() {
    let machine = Machine::boot(
        "[service.reader]\ncommand = \"/programs/idle\"\nstdin = \"file:/etc/input\"\n\
         restart = \"never\"\n",
    );
    let why = "stdin /etc/input: No such file or directory (ENOENT)";
    assert_eq!(machine.until("reader", "failed")["reason"], why);
    let status = machine.ctl(&["status", "reader"]).text;
    assert!(status.contains("fix `stdin` in /etc/finit.toml"), "{status}");
    machine.write("/etc/input", "");
    machine.order(&["start", "reader"]);
}

/// Nobody writes to it: who waits for that is a child, which a stop and the time for a start end.
#[test]
fn a_pipe_that_nobody_writes_to_stops_nobody_but_its_service() {
    let machine = Machine::boot(
        "[defaults]\ncommand = [\"/bin/sh\", \"-c\", \"exec cat >/out/heard\"]\nrestart = \"never\"\n\
         [service.late]\nstdin = \"file:/run/fifo\"\nstart-timeout = \"500ms\"\n\
         before-start = \"/usr/bin/mkfifo /run/fifo\"\n\
         [service.waits]\nstdin = \"file:/run/fifo\"\nstart = \"manual\"\n\
         [service.other]\ncommand = \"/programs/idle\"\n",
    );
    let why = machine.until("late", "failed")["reason"].as_str().unwrap().to_owned();
    // Not by the SIGKILL that follows a while later.
    let late =
        "not ready after 500ms (start-timeout): its program was not executed; killed by SIGTERM";
    assert_eq!(why, late);
    machine.until("other", "up");

    machine.order(&["start", "--no-wait", "waits"]);
    machine.opens("waits");
    machine.order(&["stop", "waits"]);
    assert_eq!(machine.status("waits")["detail"]["last_exit"], "killed by SIGTERM");
    assert!(!machine.exists("/out/heard"));

    machine.order(&["start", "--no-wait", "waits"]);
    machine.opens("waits");
    let mut fifo = std::fs::File::options().write(true).open(machine.path("/run/fifo")).unwrap();
    fifo.write_all(b"at last").unwrap();
    machine.until("waits", "up");
    drop(fifo);
    machine.until("waits", "stopped");
    assert_eq!(machine.read("/out/heard"), "at last");
}

/// What PID 1 has open by these numbers would be kept open for as long as nobody writes.
#[test]
fn a_start_that_waits_has_nothing_below_the_descriptor_that_tells_that_it_is_ready() {
    let machine = Machine::boot(
        "[task.fifo]\ncommand = \"/usr/bin/mkfifo /run/fifo\"\n\
         [service.waits]\ncommand = [\"/bin/sh\", \"-c\", \"ls /proc/self/fd >/out/has; cat >&7\"]\n\
         stdin = \"file:/run/fifo\"\nready = \"fd:7\"\nneeds = \"fifo\"\nrestart = \"never\"\n",
    );
    machine.until("waits", "starting");
    let pid = machine.opens("waits");
    machine.wait("nothing but its own to be open", |m| {
        let open = m.sh(&format!("ls /proc/{pid}/fd")).text;
        // The last one is where it says what fails.
        (open.split_whitespace().collect::<Vec<_>>() == ["0", "1", "2", "7", "8"]).then_some(())
    });
    machine.write("/run/fifo", "ready\n");
    machine.until("waits", "stopped");
    // One is what is looked at.
    let has = machine.read("/out/has");
    assert_eq!(has.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "7"]);
}

/// It takes one datagram, the one that started it, answers and ends.
const SERVER: &str = "\
import os, socket, stat, sys
one = socket.socket(fileno=0)
word, client = one.recvfrom(100)
same = os.fstat(0).st_ino == os.fstat(1).st_ino
others = [fd for fd in range(3, 20) if os.path.exists('/proc/self/fd/%d' % fd)]
listen = [name for name in os.environ if name.startswith('LISTEN_')]
one.sendto(b'%s, stdout is %s, beside it %s %s' % (word, b'it' if same else b'another',
    str(others).encode(), str(listen).encode()), client)
print('served', word.decode(), file=sys.stderr)
";

const CLIENT: &str = "\
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(50)
client.sendto(sys.argv[1].encode(), ('127.0.0.1', 37))
print(client.recv(200).decode())
";

#[test]
fn a_datagram_server_is_started_by_a_datagram_and_reads_it_as_under_inetd() {
    let machine = Plan::new().file("/etc/server.py", SERVER).file("/etc/client.py", CLIENT).boot(
        "[service.time]\ncommand = \"/usr/bin/python3 /etc/server.py\"\nlisten = \"udp:37\"\n\
         stdin = \"socket\"\nrestart = \"on-failure\"\n",
    );
    machine.until("time", "listening");
    for word in ["one", "two", "three"] {
        let said = machine.run(&["/usr/bin/python3", "/etc/client.py", word]);
        assert_eq!(said.text, format!("{word}, stdout is it, beside it [] []\n"));
    }
    let said = lines(&machine, "time", 3);
    assert!(
        said.iter().zip(["one", "two", "three"]).all(|(l, word)| l.ends_with(word)),
        "{said:?}"
    );
    machine.until("time", "listening");
}

/// A stream's own socket, which the service accepts on, and a FIFO, which has no way back.
#[test]
fn a_socket_that_takes_connections_and_a_pipe_are_read_from_too() {
    let accepts = "import socket; s = socket.socket(fileno=0); c = s.accept()[0]; \
                   c.sendall(b'accepted\\n'); c.close()";
    let machine = Plan::new().file("/etc/accepts.py", accepts).boot(
        "[service.stream]\ncommand = \"/usr/bin/python3 /etc/accepts.py\"\nlisten = \"/run/stream\"\n\
         stdin = \"socket\"\nrestart = \"on-failure\"\n\
         [service.pipe]\ncommand = \"/bin/sh -c 'read line; echo heard $line'\"\n\
         listen = \"fifo:/run/pipe\"\nstdin = \"socket\"\nrestart = \"on-failure\"\n",
    );
    machine.until("stream", "listening");
    for _ in 0..2 {
        let mut line = crate::talk::Line::to(&machine.path("/run/stream")).unwrap();
        assert_eq!(line.hear().unwrap(), "accepted");
    }
    machine.until("pipe", "listening");
    let mut fifo = std::fs::File::options().write(true).open(machine.path("/run/pipe")).unwrap();
    fifo.write_all(b"a word\n").unwrap();
    assert!(lines(&machine, "pipe", 1)[0].ends_with("heard a word"));
}
