//! What who(1) and last(1) find of gettys and of those who log in by them.

use crate::machine::{Machine, Plan};

const INIT: i16 = 5;
const LOGIN: i16 = 6;
const USER: i16 = 7;
const DEAD: i16 = 8;

/// Of a record what matters here: type, process, terminal, name, signal and status.
type Record = (i16, i32, String, String, (i16, i16));

fn records(machine: &Machine, path: &str) -> Vec<Record> {
    let bytes = std::fs::read(machine.path(path)).unwrap();
    let size = std::mem::size_of::<libc::utmpx>();
    assert_eq!(bytes.len() % size, 0);
    let text = |field: &[u8]| {
        String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap()).into_owned()
    };
    let short = |field: &[u8]| i16::from_ne_bytes(field[..2].try_into().unwrap());
    let exit = std::mem::offset_of!(libc::utmpx, ut_exit);
    let read = |record: &[u8]| {
        let pid = i32::from_ne_bytes(record[4..8].try_into().unwrap());
        let ended = (short(&record[exit..]), short(&record[exit + 2..]));
        (short(record), pid, text(&record[8..40]), text(&record[40..44]), ended)
    };
    bytes.chunks(size).map(read).collect()
}

/// Of the terminal's own entry, if there is one, type and process.
fn entry(machine: &Machine, id: &str) -> Option<(i16, i32)> {
    let found = records(machine, "/run/utmp").into_iter().filter(|record| record.3 == id);
    let found: Vec<_> = found.map(|(kind, pid, ..)| (kind, pid)).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().copied()
}

/// Waits until all that is to be written is.
fn no_helper(machine: &Machine) {
    let none =
        |m: &Machine| (m.run(&["pgrep", "-f", "--", "--note-session"]).code == 1).then_some(());
    machine.wait("no helper", none);
}

/// A machine with both files, as tmpfiles(8) makes them.
fn plan() -> Plan {
    Plan::new().file("/run/utmp", "").file("/var/log/wtmp", "")
}

/// Whoever comes may, and is told of in wtmp, which login(1) leaves to that.
const LOGINS: &str = "auth required pam_permit.so\naccount required pam_permit.so\n\
                      session required pam_permit.so\nsession optional pam_lastlog.so\n";

/// The getty, the login and the readers are those of the distribution.
#[test]
fn who_logs_in_is_seen_and_who_has_left_is_not() {
    let leave = |machine: &Machine, _: i32| machine.type_in("exit\n");
    comes_and_goes(leave, "term=0");
}

/// Nobody tells of its end but finit.
#[test]
fn who_is_thrown_out_is_not_seen_either() {
    let throw = |machine: &Machine, pid: i32| drop(machine.sh(&format!("kill -9 {pid}")));
    comes_and_goes(throw, "term=9");
}

fn comes_and_goes(leave: impl Fn(&Machine, i32), how: &str) {
    let machine = plan().file("/etc/pam.d/login", LOGINS).boot(
        "[service.getty]\ncommand = \"/sbin/agetty --noclear --keep-baud - vt220\"\ntty = \"console\"\n\
         utmp = true\nlog = \"none\"\nrestart = \"never\"\nstop.hup = true\n",
    );
    let pid = machine.main_pid("getty");
    machine.until_shown("login: ");
    machine.wait("the getty's record", |m| (entry(m, "sole")? == (LOGIN, pid)).then_some(()));
    machine.type_in("root\n");
    let who = |m: &Machine, options: &str| m.sh(&format!("LC_ALL=C who {options} /run/utmp")).text;
    let seen = machine.wait("somebody", |m| Some(who(m, "")).filter(|text| !text.is_empty()));
    assert!(seen.starts_with("root ") && seen.contains(" console "), "{seen}");
    assert_eq!(entry(&machine, "sole").map(|(kind, _)| kind), Some(USER));

    leave(&machine, pid);
    machine.wait("the record of its end", |m| (entry(m, "sole")? == (DEAD, pid)).then_some(()));
    assert_eq!(who(&machine, ""), "");
    let dead = who(&machine, "--dead");
    let dead: Vec<&str> = dead.split_whitespace().collect();
    assert!(dead.contains(&"console"), "{dead:?}");
    assert!(dead.ends_with(&["id=sole", how, "exit=0"]), "{dead:?}");
    // The end of it is known for ever too.
    no_helper(&machine);
    let is_over = |m: &Machine| {
        let last = m.sh("LC_ALL=C last -f /var/log/wtmp").text;
        let session = last.lines().find(|line| line.starts_with("root ")).expect("a session");
        (session.contains(" - ") && !session.contains("gone")).then_some(())
    };
    machine.wait("the end in wtmp", is_over);
    let finits = [(INIT, pid), (DEAD, pid)].map(|(kind, pid)| (kind, pid, "console", "sole"));
    let ever = records(&machine, "/var/log/wtmp");
    let all = ever.iter().map(|(kind, pid, line, id, _)| (*kind, *pid, line.as_str(), id.as_str()));
    assert!(all.clone().any(|record| record == finits[1]), "{ever:?}");
    // A getty that was faster has told of itself, and there is no need for more.
    assert!(all.filter(|(kind, ..)| *kind == INIT).all(|record| record == finits[0]), "{ever:?}");
}

/// The program says nothing itself, so that all of it is finit's.
#[test]
fn each_start_and_each_end_is_there_in_order_with_how_it_ended() {
    let machine = plan().boot(
        "[service.getty]\ncommand = \"/bin/sh -c 'echo $$ >>/out/pids; exec /programs/exiter 3'\"\n\
         tty = \"console\"\nutmp = true\nlog = \"none\"\n\
         restart = { delay = \"1ms\", max-delay = \"1ms\", burst = 3, within = \"1h\" }\n\
         [service.idle]\ncommand = \"/programs/idle\"\nutmp = \"idle\"\n",
    );
    machine.until("getty", "failed");
    let pids: Vec<i32> =
        machine.read("/out/pids").lines().map(|line| line.parse().unwrap()).collect();
    assert!(pids.len() > 2, "{pids:?}");
    let of = |pid: i32| {
        let what = |kind, end| (kind, pid, "console".to_owned(), "sole".to_owned(), end);
        [what(INIT, (0, 0)), what(DEAD, (0, 3))]
    };
    let expected: Vec<Record> = pids.iter().flat_map(|pid| of(*pid)).collect();
    machine.wait("all of them", |m| {
        let mut all = records(m, "/var/log/wtmp");
        all.retain(|record| record.3 == "sole");
        (all == expected).then_some(())
    });
    assert_eq!(entry(&machine, "sole"), Some((DEAD, *pids.last().unwrap())));

    // What is up has its record, and its end by a signal is told as that.
    let pid = machine.main_pid("idle");
    machine.wait("its record", |m| (entry(m, "idle")? == (INIT, pid)).then_some(()));
    machine.sh(&format!("kill -9 {pid}"));
    let killed = (DEAD, pid, String::new(), "idle".to_owned(), (9, 0));
    machine.wait("its end", |m| records(m, "/var/log/wtmp").contains(&killed).then_some(()));
}

/// Another finit knows what the one before has written, and what it had yet to write.
#[test]
fn an_end_after_an_upgrade_is_told_by_the_next_finit() {
    let machine = plan().boot(
        "[service.getty]\ncommand = \"/programs/idle\"\ntty = \"console\"\nutmp = true\n\
         log = \"none\"\nrestart = \"never\"\n",
    );
    let pid = machine.main_pid("getty");
    machine.wait("its record", |m| (entry(m, "sole")? == (INIT, pid)).then_some(()));
    // The file asks for no records any more: it is followed, and nobody is logged out for that.
    let file = std::fs::read_to_string(machine.path("/etc/finit.toml")).unwrap();
    machine.write("/etc/finit.toml", &file.replace("utmp = true\n", ""));
    let said = machine.order(&["plan"]);
    assert!(said.contains("update") && said.contains("changed: utmp"), "{said}");
    machine.order(&["apply"]);
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(machine.main_pid("getty"), pid);
    machine.sh(&format!("kill -TERM {pid}"));
    machine.wait("its end", |m| (entry(m, "sole")? == (DEAD, pid)).then_some(()));
    machine.until("getty", "stopped");
    no_helper(&machine);
    assert_eq!(records(&machine, "/var/log/wtmp").len(), 2);
    machine.order(&["start", "getty"]);
    machine.order(&["stop", "getty"]);
    no_helper(&machine);
    assert_eq!(records(&machine, "/var/log/wtmp").len(), 2, "without `utmp` nothing is told");
}

/// Somebody has the file locked: nobody waits for that but a helper, which the next one and what
/// it has to tell wait for, however often the service comes and goes, and over an upgrade.
#[test]
fn a_file_that_is_locked_stops_nobody_and_is_written_in_order_in_the_end() {
    let hold = "import fcntl, os, time\nfile = open('/run/utmp', 'r+')\nfcntl.lockf(file, fcntl.LOCK_EX)\n\
                open('/out/locked', 'w').close()\nwhile not os.path.exists('/out/go'): time.sleep(0.01)\n";
    let machine = plan().file("/etc/hold.py", hold).boot(
        "[service.getty]\ncommand = \"/programs/idle\"\ntty = \"console\"\nutmp = true\n\
         log = \"none\"\nstart = \"manual\"\n",
    );
    let holder = machine.begin(&["/usr/bin/python3", "/etc/hold.py"]);
    machine.appears("/out/locked");
    let helpers = |m: &Machine| m.run(&["pgrep", "-cf", "--", "--note-session"]).text;
    let mut pids = Vec::new();
    for _ in 0..10 {
        machine.order(&["start", "getty"]);
        pids.push(machine.main_pid("getty"));
        machine.order(&["stop", "getty"]);
    }
    assert_eq!(helpers(&machine).trim(), "1");
    machine.order(&["start", "getty"]);
    let last = machine.main_pid("getty");
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert!(records(&machine, "/run/utmp").is_empty());
    machine.write("/out/go", "");
    assert!(holder.wait_with_output().unwrap().status.success());
    machine.wait("the last of them", |m| (entry(m, "sole")? == (INIT, last)).then_some(()));
    no_helper(&machine);
    let ever = records(&machine, "/var/log/wtmp");
    let ever: Vec<(i16, i32)> = ever.iter().map(|record| (record.0, record.1)).collect();
    let mut all = pids.iter().flat_map(|pid| [(INIT, *pid), (DEAD, *pid)]).chain([(INIT, last)]);
    assert!(ever.iter().all(|record| all.any(|other| other == *record)), "{ever:?}");
    assert!(
        ever.ends_with(&[(INIT, last)]) && ever.len() < 21,
        "the oldest are left out: {ever:?}"
    );
}

#[test]
fn files_that_are_not_there_are_not_made_and_nobody_is_the_worse_for_it() {
    let machine = Machine::boot(
        "[service.getty]\ncommand = \"/programs/idle\"\ntty = \"console\"\nutmp = true\nlog = \"none\"\n\
         [service.other]\ncommand = \"/programs/idle\"\n",
    );
    machine.sh("rm -f /run/utmp /var/log/wtmp");
    for _ in 0..3 {
        machine.order(&["restart", "getty"]);
    }
    no_helper(&machine);
    assert!(!machine.exists("/run/utmp") && !machine.exists("/var/log/wtmp"));
    machine.until("other", "up");
}
