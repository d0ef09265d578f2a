//! Each word of sd_notify(3), as systemd's own tool and its own library send it.

use std::io::{BufRead, BufReader};
use std::time::Instant;

use crate::machine::{Machine, Plan};
use crate::ready::{TELLER, give, order, reason, teller};
use crate::store::STUCK;

/// How a word is said: by the library in the service, and by the tool that scripts have.
const WAYS: [&str; 2] = ["tell", "shell systemd-notify"];

fn main_pid(machine: &Machine) -> i64 {
    machine.status("teller")["pid"].as_i64().unwrap_or(0)
}

fn restarted(machine: &Machine, name: &str, times: u64) {
    let count = |m: &Machine| m.status(name)["restarts"].as_u64().unwrap();
    machine.wait("a restart", |m| (count(m) >= times).then_some(()));
}

#[test]
fn words_of_states_and_of_the_main_process_count_from_both() {
    for way in WAYS {
        let machine = teller("ready = \"notify\"\nnotify-from = \"any\"\n");
        let say = |words: &str| order(&machine, &format!("{way} {words}"));
        say("STATUS=warming_up");
        reason(&machine, "teller", "not ready yet (notify); it says: warming_up");
        say("READY=1");
        machine.until("teller", "up");
        reason(&machine, "teller", "warming_up");
        say("RELOADING=1");
        reason(&machine, "teller", "reloading: warming_up");
        say("READY=1");
        reason(&machine, "teller", "warming_up");
        let first = main_pid(&machine);
        order(&machine, "shell sleep 1000 & echo $! >/out/heir");
        let heir: i64 = machine.read("/out/heir").trim().parse().unwrap();
        say(&format!("MAINPID={heir}"));
        order(&machine, "barrier");
        assert_eq!(main_pid(&machine), heir, "{way}");
        say(&format!("MAINPID={first}"));
        order(&machine, "barrier");
        assert_eq!(main_pid(&machine), first, "{way}");
        say("STOPPING=1");
        reason(&machine, "teller", "says that it is stopping: warming_up");
    }
}

/// It is not silent as long as it speaks, has the time that it asks for, and may give itself up.
#[test]
fn signs_of_life_count_from_both() {
    let library = "import ctypes, time; l = ctypes.CDLL('libsystemd.so.0'); l.sd_notify(0, b'READY=1')\n\
                   while True: l.sd_notify(0, b'WATCHDOG=1'); time.sleep(0.05)";
    let tool = "systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.05; done";
    let unit = |name: &str, argv: &str| {
        format!(
            "[service.{name}]\ncommand = [{argv}]\nready = \"notify\"\nnotify-from = \"any\"\n\
             watchdog = \"1s\"\nrestart = {{ delay = \"1ms\", max-delay = \"1ms\" }}\n"
        )
    };
    let machine = Machine::boot(
        &[
            unit("library", &format!("\"/usr/bin/python3\", \"-c\", {library:?}")),
            unit("tool", &format!("\"/bin/sh\", \"-c\", {tool:?}")),
            unit("mute", "\"/bin/sh\", \"-c\", \"systemd-notify --ready; exec sleep 1000\""),
        ]
        .concat(),
    );
    machine.until("library", "up");
    machine.until("tool", "up");
    restarted(&machine, "mute", 3);
    let restarts = ["library", "tool"].map(|name| machine.status(name)["restarts"].as_u64());
    assert_eq!(restarts, [Some(0), Some(0)]);

    for way in WAYS {
        let machine = teller("ready = \"notify\"\nnotify-from = \"any\"\n");
        let mut restarts = 0;
        for (word, why) in [
            ("WATCHDOG=trigger", "gave itself up (WATCHDOG=trigger)"),
            ("WATCHDOG_USEC=100000", "no sign of life for 100ms (watchdog)"),
        ] {
            machine.wait("its orders", |m| (!m.read("/out/teller/ready").is_empty()).then_some(()));
            order(&machine, &format!("{way} READY=1"));
            machine.until("teller", "up");
            machine.forget("/out/teller/ready");
            give(&machine, &format!("{way} {word}"));
            restarts += 1;
            restarted(&machine, "teller", restarts);
            let last = "killed by SIGABRT";
            let is_last = |m: &Machine| m.status("teller")["detail"]["last_exit"] == last;
            machine.wait(last, |m| is_last(m).then_some(()));
            let line = format!("teller: {}; starting it again", why);
            machine.until_shown(&line);
        }
    }
}

/// SD23: more time for a start and for a stop; of those that ask for none, nothing is left by then.
#[test]
fn sd23_who_needs_more_time_has_it_from_both() {
    let library = "#!/usr/bin/python3\nimport ctypes\nctypes.CDLL('libsystemd.so.0')\
                   .sd_notify(0, b'EXTEND_TIMEOUT_USEC=300000000')\n";
    let tool = "#!/bin/sh\nexec systemd-notify EXTEND_TIMEOUT_USEC=300000000\n";
    let waits = |path: &str| format!("until [ -e {path} ]; do sleep 0.01; done");
    let unit = |name: &str, at_start: &str, at_stop: &str| {
        format!(
            "[service.{name}]\nscript = \"\"\"\ntrap '{at_stop}{}; exit 0' TERM\n{at_start}{}\n\
             systemd-notify --ready\nwhile :; do sleep 0.01; done\n\"\"\"\nready = \"notify\"\n\
             notify-from = \"any\"\nstart-timeout = \"1s\"\nstop.timeout = \"1s\"\n\
             start = \"manual\"\nrestart = \"never\"\n",
            waits("/out/stop"),
            waits("/out/start"),
        )
    };
    for way in [library, tool] {
        let asks = unit("asks", "/etc/more; echo >/out/asked\n", "/etc/more; echo >/out/more; ");
        let machine = Plan::new().file("/etc/more", way).boot(&(asks + &unit("mute", "", "")));
        machine.order(&["start", "--no-wait", "asks"]);
        machine.appears("/out/asked");
        assert_eq!(machine.ctl(&["start", "mute"]).code, 1);
        assert_eq!(machine.status("asks")["state"], "starting");
        machine.write("/out/start", "");
        machine.until("asks", "up");
        machine.order(&["start", "mute"]);
        machine.order(&["stop", "--no-wait", "asks"]);
        machine.appears("/out/more");
        machine.order(&["stop", "mute"]);
        assert_eq!(machine.status("mute")["detail"]["last_exit"], "killed by SIGKILL");
        assert_eq!(machine.status("asks")["state"], "stopping");
        machine.write("/out/stop", "");
        machine.until("asks", "stopped");
        assert_eq!(machine.status("asks")["detail"]["last_exit"], "exited with status 0");
    }
}

/// Sends a connection that lingers, closes it, and stays so that nobody resets it.
const LINGERS: &str = r#"
import array, os, socket, struct, sys, time
listener = socket.create_server(("127.0.0.1", 0))
sender = socket.create_connection(listener.getsockname())
sender.setblocking(False)
try:
    while True:
        sender.send(b"x" * 65536)
except BlockingIOError:
    pass
sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
finit = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
finit.connect(sys.argv[1])
if sys.argv[3] == "late":
    finit.send(b"x" * 70000)
if sys.argv[3] == "unread":
    finit.send(b'{"method":"list"}\n' * 3000)
rights = array.array("i", [sender.fileno()])
finit.sendmsg([b"X"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
os.close(sender.detach())
print("sent", flush=True)
time.sleep(1000)
"#;

/// PID 1 is the last who has it, and the last close(2) of it takes half a minute: any user could
/// keep it from everything else for as long.
#[test]
fn a_descriptor_that_takes_long_to_close_holds_up_nobody() {
    let machine = Plan::new()
        .file("/etc/lingers.py", LINGERS)
        .file("/etc/teller.py", TELLER)
        .boot("[service.teller]\ncommand = \"/usr/bin/python3 /etc/teller.py /out/teller\"\nready = \"notify\"\n");
    machine.sh("ip link set lo up");
    machine.appears("/out/teller/ready");
    let socket = machine.sh("echo /run/finitd/notify/*").text.trim().to_owned();
    let before = machine.pid1_descriptors();
    for [path, kind, when] in [
        [socket.as_str(), "SOCK_DGRAM", "now"],
        ["/run/initctl", "SOCK_STREAM", "now"],
        ["/run/initctl", "SOCK_STREAM", "late"],
    ] {
        assert_eq!(machine.status("teller")["state"], "starting");
        // So that whoever sends it has closed it before.
        machine.signal_pid1(libc::SIGSTOP);
        let user = ["setpriv", "--reuid=65534", "--clear-groups", "--regid=65534"];
        let sends = ["/usr/bin/python3", "/etc/lingers.py", path, kind, when];
        let mut client = machine.begin(&[user.as_slice(), sends.as_slice()].concat());
        let mut said = String::new();
        BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        machine.signal_pid1(libc::SIGCONT);
        assert_eq!(said, "sent\n");
        let began = Instant::now();
        machine.hang_up();
        for _ in 0..10 {
            machine.order(&["status"]);
        }
        assert!(began.elapsed().as_secs() < 15, "{path} {when}: {:?}", began.elapsed());
        client.kill().unwrap();
        client.wait().unwrap();
    }
    machine.hang_up();
    machine.wait("no more descriptors than before", |m| {
        (m.pid1_descriptors() <= before + 1).then_some(())
    });
}

/// Gives the file of a file system that answers nobody away, so often.
const HOARDS: &str = r#"
import array, os, socket, sys, time
rights = array.array("i", [os.open("/out/stuck/file", os.O_RDWR)])
for _ in range(int(sys.argv[3])):
    finit = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
    finit.connect(sys.argv[1])
    finit.sendmsg([b"X"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finit.close()
time.sleep(1000)
"#;

fn hoarded() -> Machine {
    let machine = Plan::new()
        .file("/etc/stuck.py", STUCK)
        .file("/etc/hoards.py", HOARDS)
        .file("/etc/lingers.py", LINGERS)
        .file("/etc/teller.py", TELLER)
        .boot(&format!(
            "[service.teller]\ncommand = \"/usr/bin/python3 /etc/teller.py /out/teller\"\n\
             ready = \"notify\"\n{STUCK_SERVICE}"
        ));
    machine.until("stuck", "up");
    machine.appears("/out/teller/ready");
    machine
}

const STUCK_SERVICE: &str = "[service.stuck]\nready = \"file:/out/stuck.mounted\"\n\
    command = \"/usr/bin/python3 /etc/stuck.py /out/stuck 65534\"\n";

fn children(machine: &Machine) -> usize {
    let path = format!("/proc/{0}/task/{0}/children", machine.pid);
    std::fs::read_to_string(path).unwrap().split_whitespace().count()
}

/// Has a user give files away until many children of PID 1 close them.
fn hoard(machine: &Machine, path: &str, kind: &str, times: &str) -> std::process::Child {
    let before = children(machine);
    let user = ["setpriv", "--reuid=65534", "--clear-groups", "--regid=65534"];
    let sends = ["/usr/bin/python3", "/etc/hoards.py", path, kind, times];
    let client = machine.begin(&[user.as_slice(), sends.as_slice()].concat());
    machine.wait("many that close", |m| (children(m) >= before + 16).then_some(()));
    client
}

/// A client that takes no answers is not heard either: what it has sent waits, and goes with its
/// connection when finit is executed anew.
#[test]
fn an_upgrade_closes_no_descriptors_that_nobody_has_read() {
    let machine = Plan::new().file("/etc/lingers.py", LINGERS).boot("# nothing\n");
    machine.booted();
    machine.sh("ip link set lo up");
    let sends = ["/usr/bin/python3", "/etc/lingers.py", "/run/initctl", "SOCK_STREAM", "unread"];
    let mut client = machine.begin(&sends);
    let mut said = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "sent\n");
    machine.hang_up();
    let began = Instant::now();
    machine.order(&["upgrade"]);
    machine.booted();
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    client.kill().unwrap();
    client.wait().unwrap();
}

/// What is in a socket is closed with it: nobody has read it, as finit waits for other closings.
#[test]
fn a_service_that_is_gone_takes_no_unread_descriptors_along() {
    let machine = hoarded();
    machine.sh("ip link set lo up");
    let path = machine.sh("echo /run/finitd/notify/*").text.trim().to_owned();
    assert_eq!(machine.status("teller")["state"], "starting");
    let mut hoarder = hoard(&machine, &path, "SOCK_DGRAM", "16");
    let sends = ["/usr/bin/python3", "/etc/lingers.py", path.as_str(), "SOCK_DGRAM", "now"];
    let mut client = machine.begin(&sends);
    let mut said = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "sent\n");
    machine.write("/etc/finit.toml", STUCK_SERVICE);
    let began = Instant::now();
    machine.request(r#"{"method":"apply"}"#);
    machine.wait("the end of it", |m| m.status("teller").is_null().then_some(()));
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    for child in [&mut client, &mut hoarder] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Any user could have all descriptors of PID 1, and all processes of the machine.
#[test]
fn descriptors_that_are_never_closed_are_few() {
    for kind in ["SOCK_DGRAM", "SOCK_STREAM"] {
        let machine = hoarded();
        let stuck = machine.main_pid("stuck");
        let path = match kind {
            "SOCK_DGRAM" => machine.sh("echo /run/finitd/notify/*").text.trim().to_owned(),
            _ => "/run/initctl".to_owned(),
        };
        let before = machine.pid1_descriptors();
        let mut client = hoard(&machine, &path, kind, "1000000");
        for _ in 0..3000 {
            assert_eq!(machine.status("teller")["state"], "starting");
        }
        let now = (children(&machine), machine.pid1_descriptors());
        assert!(now.0 < 100 && now.1 < before + 100, "{before}: {now:?}");
        machine.run(&["pkill", "-9", "-f", "/etc/hoards.py"]);
        machine.sh(&format!("kill -9 {stuck}"));
        client.wait().unwrap();
        machine.order(&["status"]);
        machine.hang_up();
        machine.wait("none of it", |m| (m.pid1_descriptors() <= before).then_some(()));
    }
}

/// No file of the machine's is in its root.
#[test]
fn a_daemon_with_a_root_of_its_own_is_found_there() {
    let daemon = "import os, signal\nif os.fork(): os._exit(0)\n\
                  open('/d.pid', 'w').write(str(os.getpid()))\nsignal.pause()";
    let machine = Machine::boot(&format!(
        "[service.jailed]\ncommand = [\"/usr/bin/python3\", \"-c\", \"\"\"{daemon}\"\"\"]\n\
         ready = \"forked\"\npidfile = \"/jail/d.pid\"\nroot = \"/jail\"\nstart = \"manual\"\n"
    ));
    let made = machine.sh("mkdir /jail && mount --bind / /jail");
    assert_eq!(made.code, 0, "{made:?}");
    machine.order(&["start", "jailed"]);
    assert_eq!(machine.status("jailed")["state"], "up", "{}", machine.story());
}

#[test]
fn who_has_a_root_of_its_own_is_heard_from_there() {
    let says = "import ctypes, signal; ctypes.CDLL(\"libsystemd.so.0\").sd_notify(0, b\"READY=1\"); \
                signal.pause()";
    let file = |root: &str| {
        format!(
            "[service.jailed]\ncommand = [\"/usr/bin/python3\", \"-c\", '{says}']\n\
             ready = \"notify\"\nstart = \"manual\"\n{root}"
        )
    };
    let root = "root = \"/jail\"\nuser = \"nobody\"\nwatchdog = \"1h\"\n";
    let machine = Machine::boot(&file(root));
    // Without what is mounted below: it has neither /run nor /proc.
    let made = machine.sh("mkdir /jail && mount --bind / /jail && [ ! -e /jail/run/initctl ]");
    assert_eq!(made.code, 0, "{made:?}");
    let files = |m: &Machine| m.sh("find /run -path '*/notify/*'").text.lines().count();
    machine.order(&["start", "jailed"]);
    assert_eq!((machine.status("jailed")["state"].as_str(), files(&machine)), (Some("up"), 0));
    machine.order(&["upgrade"]);
    machine.hang_up();
    machine.order(&["restart", "jailed"]);
    // Each has the one that it reaches.
    for (root, count) in [("", 1), (root, 0)] {
        machine.write("/etc/finit.toml", &file(root));
        machine.order(&["apply"]);
        machine.order(&["restart", "jailed"]);
        let up = machine.status("jailed")["state"] == "up";
        assert!(up && files(&machine) == count, "{root}\n{}", machine.story());
    }
}

/// Says that it is ready when it gets SIGUSR1, and that it has said so once finit has read it.
const LATE: &str = r#"
import ctypes, os, signal
lib = ctypes.CDLL("libsystemd.so.0")
def note(path, text):
    with open(path, "a") as file:
        file.write(text + "\n")
def tell(*_):
    lib.sd_notify(0, b"READY=1")
    lib.sd_notify_barrier(0, ctypes.c_uint64(60_000_000))
    note("/out/told", str(os.getpid()))
signal.signal(signal.SIGUSR1, tell)
note("/out/pids", str(os.getpid()))
while True:
    signal.pause()
"#;

/// The one before it was left alone, and means itself.
#[test]
fn the_word_of_an_earlier_run_that_lives_on_is_not_about_this_one() {
    let machine = Plan::new().file("/etc/late.py", LATE).boot(
        "[service.late]\ncommand = \"/usr/bin/python3 /etc/late.py\"\nready = \"notify\"\n\
         stop.scope = \"none\"\n",
    );
    let runs = |count: usize| {
        machine.wait("a run", |m| {
            let pids: Vec<String> = m.read("/out/pids").lines().map(str::to_owned).collect();
            (pids.len() == count).then_some(pids)
        })
    };
    let tells = |pid: &str| {
        let before = machine.read("/out/told").lines().count();
        machine.sh(&format!("kill -USR1 {pid}"));
        machine
            .wait("it has told", |m| (m.read("/out/told").lines().count() > before).then_some(()));
    };
    let pids = runs(1);
    tells(&pids[0]);
    machine.until("late", "up");
    machine.order(&["restart", "--no-wait", "late"]);
    let pids = runs(2);
    tells(&pids[0]);
    assert_eq!(machine.status("late")["state"], "starting");
    tells(&pids[1]);
    assert_eq!(machine.until("late", "up")["pid"].to_string(), pids[1]);
}
