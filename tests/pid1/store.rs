//! Descriptors that services give to be kept for their next start.

use crate::machine::{Machine, Plan};
use crate::ready::{order, reason, teller};

#[test]
fn descriptors_are_kept_over_a_crash_and_an_upgrade_and_let_go_by_a_stop() {
    let machine = teller("ready = \"notify\"\nwatchdog = \"1h\"\n");
    assert_eq!(machine.read("/out/teller/given"), " watchdog=3600000000");
    for word in ["tell READY=1", "keep a=alpha", "keep b=beta", "keep c=gamma"] {
        order(&machine, word);
    }
    order(&machine, "tell FDSTOREREMOVE=1;FDNAME=b");
    order(&machine, "barrier");
    machine.booted();
    machine.hang_up();
    machine.order(&["upgrade"]);
    let again = |how: &str| {
        machine.forget("/out/teller/given");
        machine.sh(how);
        machine.appears("/out/teller/given")
    };
    let given = again(&format!("kill -9 {}", machine.main_pid("teller")));
    assert_eq!(given, "a=alpha c=gamma watchdog=3600000000");
    let given = again("finitctl stop teller; finitctl start --no-wait teller");
    assert_eq!(given, " watchdog=3600000000");
    // The finit of now hears it as the one before did.
    machine.wait("its orders", |m| (!m.read("/out/teller/ready").is_empty()).then_some(()));
    order(&machine, "tell READY=1;STATUS=heard");
    reason(&machine, "teller", "heard");
}

/// Another program connects to the service, which gives that connection to be kept; its pid.
fn client(machine: &Machine, name: &str, more: &str) -> String {
    let connects = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); \
                    s.connect('/out/teller/socket'); \
                    open('/out/' + sys.argv[1], 'w').write(f'{os.getpid()}.'); s.recv(1)";
    machine.sh(&format!("setsid python3 -c \"{connects}\" {name} >/dev/null 2>&1 &"));
    let path = format!("/out/{name}");
    let pid = machine.wait(&path, |m| m.read(&path).strip_suffix('.').map(str::to_owned));
    order(machine, &format!("accept {name} {more}"));
    order(machine, "barrier");
    pid
}

/// The other side of a kept descriptor goes.
fn leaves(machine: &Machine, pid: &str) {
    machine.sh(&format!("kill -9 {pid}"));
}

#[test]
fn a_descriptor_whose_other_side_is_gone_is_let_go_unless_that_is_not_wanted() {
    let machine = teller("ready = \"notify\"\n");
    for word in ["tell READY=1", "accept", "keep file=text", "barrier"] {
        order(&machine, word);
    }
    let before = machine.pid1_descriptors();
    let clients = [("a", ""), ("b", "FDPOLL=0"), ("c", "FDPOLL=1"), ("d", ""), ("e", "")];
    let [a, b, c, _, _] = clients.map(|(name, more)| client(&machine, name, more));
    assert_eq!(machine.pid1_descriptors(), before + 5);
    let held = |more: usize| {
        let there = |m: &Machine| (m.pid1_descriptors() == before + more).then_some(());
        machine.wait(&format!("{more} descriptors"), there);
    };
    order(&machine, "tell FDSTOREREMOVE=1;FDNAME=d");
    order(&machine, "barrier");
    held(4);
    leaves(&machine, &b);
    leaves(&machine, &a);
    held(3);
    machine.booted();
    machine.hang_up();
    machine.order(&["upgrade"]);
    machine.booted();
    held(3);
    leaves(&machine, &c);
    held(2);
    machine.forget("/out/teller/given");
    machine.sh(&format!("kill -9 {}", machine.main_pid("teller")));
    let given = machine.appears("/out/teller/given");
    assert_eq!(given, "file=text b=a socket e=a socket watchdog=off");
}

/// The line of a service has its place behind all that is handed over, and another program has no
/// use for what the one before gave.
#[test]
fn what_there_is_no_place_for_any_more_is_let_go_and_stops_no_start() {
    let machine = teller("ready = \"notify\"\n");
    for (line, ready, given) in [
        ("echo >&4; exec 4>&-; ", "\"fd:4\"\nwatchdog = \"1h\"", "a=alpha watchdog=3600000000"),
        ("echo >&3; exec 3>&-; ", "\"fd:3\"\nwatchdog = \"1h\"", " watchdog=3600000000"),
        ("", "\"exec\"", " watchdog=off"),
    ] {
        machine.appears("/out/teller/ready");
        for word in ["tell READY=1", "keep a=alpha", "keep b=beta", "barrier"] {
            order(&machine, word);
        }
        machine.forget("/out/teller/given");
        machine.forget("/out/teller/ready");
        machine.write(
            "/etc/finit.toml",
            &format!(
                "[service.teller]\ncommand = \"/bin/sh -c '{line}exec /usr/bin/python3 \
                 /etc/teller.py /out/teller'\"\nready = {ready}\n"
            ),
        );
        machine.order(&["apply"]);
        assert_eq!(machine.appears("/out/teller/given"), given);
        machine.until("teller", "up");
    }
}

/// Many services give all that they have after each start.
#[test]
fn a_descriptor_that_is_given_again_is_kept_once() {
    let machine = teller("ready = \"notify\"\n");
    for word in ["tell READY=1", "keep a=alpha", "barrier"] {
        order(&machine, word);
    }
    let before = machine.pid1_descriptors();
    for _ in 0..2 {
        machine.forget("/out/teller/given");
        machine.sh(&format!("kill -9 {}", machine.main_pid("teller")));
        assert_eq!(machine.appears("/out/teller/given"), "a=alpha watchdog=off");
        machine.wait("its orders", |m| (!m.read("/out/teller/ready").is_empty()).then_some(()));
        for word in ["tell READY=1", "again other", "barrier"] {
            order(&machine, word);
        }
    }
    assert_eq!(machine.pid1_descriptors(), before);
}

pub const STUCK: &str = include_str!("stuck.py");

/// Gives a file of a file system that answers nobody, and a set that has it in it.
const KEEPS: &str = "\
import ctypes, os, select, time
fd = os.open('/out/stuck/file', os.O_RDWR)
set = select.epoll()
set.register(fd)
tell = ctypes.CDLL('libsystemd.so.0').sd_pid_notify_with_fds
for fd in (set.fileno(), fd):
    assert tell(0, 0, b'FDSTORE=1', (ctypes.c_int * 1)(fd), 1) > 0
ctypes.CDLL('libsystemd.so.0').sd_notify(0, b'READY=1')
time.sleep(1000)
";

/// To look whether it is still good, and to close it in a child, is to wait for its file system.
#[test]
fn a_file_whose_file_system_does_not_answer_is_not_kept_and_stops_nobody() {
    let machine = Plan::new().file("/etc/stuck.py", STUCK).file("/etc/keeps.py", KEEPS).boot(
        "[service.stuck]\ncommand = \"/usr/bin/python3 /etc/stuck.py /out/stuck 0\"\n\
         ready = \"file:/out/stuck.mounted\"\n\
         [service.keeps]\ncommand = \"/usr/bin/python3 /etc/keeps.py\"\nready = \"notify\"\n\
         needs = \"stuck\"\n\
         [service.other]\ncommand = \"/programs/idle\"\n",
    );
    machine.until("keeps", "up");
    let line = "keeps: a file of a file system that is a program (FUSE) is not kept";
    machine.until_shown(line);
    machine.order(&["restart", "other"]);
}
