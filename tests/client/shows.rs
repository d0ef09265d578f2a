//! What is shown, to people, programs and terminals.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use finit::client::cgroup::Usage;
use finit::client::output::{Colour, Style};
use finit::client::overview::{self, Scope};
use finit::client::{detail, text};
use finit::proto::frame::Answer;
use finit::proto::report::{Detail, FrozenReport};
use finit::proto::{
    Code, MachineReport, Outcome, Power, Refusal, Reply, Request, ScheduledReport, ServiceReport,
    StateWord,
};

use super::fake::*;

#[test]
fn a_shutdown_to_come_is_shown_with_its_time() {
    let scheduled = ScheduledReport {
        how: Power::Poweroff,
        in_ms: 240_000,
        by: "finitctl (pid 77, uid 0)".to_owned(),
        message: "new \u{1b}[2Jdisks".to_owned(),
    };
    let report = MachineReport { scheduled: Some(scheduled), ..machine() };
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(report))));
    let out = server.run(&[]).out;
    let line = out.lines().nth(1).unwrap();
    let rest = line.strip_prefix("power off at ").unwrap();
    let (clock, rest) = rest.split_at(8);
    assert!(clock.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'), "{line}");
    assert_eq!(rest, " (in 4 min), asked for by finitctl (pid 77, uid 0): new disks");

    let ran = server.run_as("shutdown", &["--show"]);
    assert!(ran.code == 0 && ran.out.ends_with(&format!("{rest}\n")), "{}", ran.out);
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(machine()))));
    let ran = server.run_as("shutdown", &["--show"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "no shutdown is scheduled\n"));
}

#[test]
fn the_machine_is_one_plain_table_in_a_pipe() {
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(machine()))));
    let ran = server.run(&[]);
    let expected = "\
finit 0.1.0: running, target default, up since 2 h 10 min, booted in 2.31 s
warning: /etc/finit.toml has errors; the last good copy runs
failed: web, swap

NAME  STATE    SINCE  PID  MEMORY  RESTARTS  REASON
sshd  up       3 min  412
web   failed   3 min                      3  exec /usr/sbin/nginx: No such file or directory (ENOENT)
ftp   stopped  3 min
swap  failed   3 min
";
    assert_eq!(ran.out, expected);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(server.run(&["--all"]).out.contains("\nfsck  done"));
}

#[test]
fn json_is_the_object_of_the_protocol() {
    let server = Server::new(|request| {
        vec![Answer::Reply(match request {
            Request::List => Reply::Machine(Box::new(machine())),
            _ => Reply::Service(Box::new(service("web", StateWord::Up))),
        })]
    });
    let ran = server.run(&["--json"]);
    assert_eq!(serde_json::from_str::<MachineReport>(&ran.out).unwrap(), machine());
    assert_eq!(ran.out.lines().count(), 1);
    let ran = server.run(&["status", "web", "--json"]);
    let report = serde_json::from_str::<ServiceReport>(&ran.out).unwrap();
    assert_eq!(report, service("web", StateWord::Up));
    let ran = server.run(&["list", "--failed", "--json"]);
    assert_eq!(ran.out.lines().count(), 2, "one object a line");
}

#[test]
fn a_narrow_terminal_cuts_the_reason_and_wraps_nothing() {
    for width in 1..120 {
        let style = Style { colour: Colour::Off, width: Some(width) };
        let screen = overview::render(&machine(), Scope::All, style);
        let table = screen.split_once("\n\n").unwrap().1;
        assert_eq!(table.lines().count(), 6, "{screen}");
        for line in table.lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
    let style = Style { colour: Colour::Off, width: Some(70) };
    let screen = overview::render(&machine(), Scope::Usual, style);
    let web = screen.lines().find(|line| line.starts_with("web")).unwrap();
    assert!(web.contains("exec /usr/sbin") && web.ends_with('…'), "{web}");
    assert!(screen.contains("sshd  up       3 min  412\n"), "{screen}");
}

#[test]
fn colours_are_on_states_alone() {
    let style = Style { colour: Colour::On, width: None };
    let screen = overview::render(&machine(), Scope::Usual, style);
    assert!(screen.contains("sshd  \u{1b}[32mup\u{1b}[0m       3 min"), "{screen:?}");
    assert!(screen.contains("web   \u{1b}[31mfailed\u{1b}[0m   3 min"), "{screen:?}");
    let plain = overview::render(&machine(), Scope::Usual, Style::default());
    let stripped: String = screen.lines().map(|line| format!("{}\n", text::clean(line))).collect();
    assert_eq!(stripped, plain);
    // A name that is a state must not take its colour.
    let mut named = machine();
    named.services = vec![service("up", StateWord::Up)];
    let screen = overview::render(&named, Scope::Usual, style);
    assert!(screen.contains("\nup    \u{1b}[32mup"), "{screen:?}");
}

#[test]
fn a_terminal_gets_colour_and_its_own_width() {
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(machine()))));
    let on_terminal = |no_color: &str| {
        let size = nix::pty::Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = nix::pty::openpty(Some(&size), None).unwrap();
        let mut command = command(&server.folder, "finitctl", &[]);
        command.env("TERM", "linux").env("NO_COLOR", no_color).stdout(pty.slave);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut seen = Vec::new();
        // EIO, once the last slave is closed, ends it.
        drop(fs::File::from(pty.master).read_to_end(&mut seen));
        assert_eq!(child.wait().unwrap().code(), Some(0));
        String::from_utf8(seen).unwrap()
    };
    let plain = on_terminal("1");
    let table = plain.split_once("\r\n\r\n").unwrap().1;
    assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
    assert!(table.contains('…') && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(on_terminal("").contains("\u{1b}[31mfailed"));
}

fn full() -> ServiceReport {
    let detail = Detail {
        description: "web server".to_owned(),
        command: "/usr/sbin/nginx -g 'daemon off;'".to_owned(),
        cause: "started by root (finitctl)".to_owned(),
        last_exit: Some("exited with status 1".to_owned()),
        enabled: false,
        changed: true,
        sockets: vec!["tcp:80".to_owned()],
        watches: vec!["changed /etc/web.conf".to_owned()],
        needs: vec![("db".to_owned(), StateWord::Up), ("cache".to_owned(), StateWord::Failed)],
        after: vec![("network".to_owned(), StateWord::Done)],
        needed_by: vec!["login".to_owned()],
        log: Some("/var/log/finit/web.log".to_owned()),
        log_stderr: Some("/var/log/finit/web.err".to_owned()),
        log_tag: None,
        log_stderr_tag: None,
        strays: 2,
    };
    let own_user = Some(61_234);
    ServiceReport { detail: Some(detail), own_user, restarts: 4, ..service("web", StateWord::Up) }
}

#[test]
fn a_service_in_full() {
    let usage = Usage { memory: Some(12_900_000), cpu: Some(Duration::from_millis(1234)) };
    let page = detail::render(&full(), usage, &["line one".to_owned()], Style::default());
    let expected = "\
web: up since 3 min (pid 412)
  description web server
  command     /usr/sbin/nginx -g 'daemon off;'
  because     started by root (finitctl)
  user        61234 (its own while it runs)
  last end    exited with status 1
  memory      12.3 MiB
  cpu         1.23 s
  restarts    4
  sockets     tcp:80
  watches     changed /etc/web.conf
  needs       db (up), cache (failed)
  after       network (done)
  needed by   login
  at boot     not started (enabled = false)
  note        the file has changed since it was started; run: finitctl restart web
  strays      2 processes live on after its main one
  log         /var/log/finit/web.log
  stderr      /var/log/finit/web.err
    line one
";
    assert_eq!(page, expected);
}

#[test]
fn a_failure_says_what_to_do() {
    let line = |reason: &str| {
        let report =
            ServiceReport { reason: reason.to_owned(), ..service("web", StateWord::Failed) };
        detail::headline(&report, Style::default())
    };
    let expected = format!(
        "web: failed: {NGINX}; fix the command in /etc/finit.toml and run: finitctl start web"
    );
    assert_eq!(line(NGINX), expected);
    assert_eq!(line(&format!("failed: {NGINX}")), expected);
    assert_eq!(
        line("exited with status 1"),
        "web: failed: exited with status 1; see why: finitctl logs web"
    );
    assert_eq!(line("x; run: finitctl reset web"), "web: failed: x; run: finitctl reset web");
    assert_eq!(line(""), "web: failed; see why: finitctl logs web");
    // A step of the boot writes no log.
    let mut step = service("fsck", StateWord::Failed);
    step.reason = "fsck: exited with status 8".to_owned();
    assert_eq!(
        detail::headline(&step, Style::default()),
        "fsck: failed: fsck: exited with status 8; see to that and run: finitctl start fsck"
    );
    assert_eq!(
        detail::headline(&service("sshd", StateWord::Up), Style::default()),
        "sshd: up since 3 min (pid 412)"
    );
}

#[test]
fn a_condition_that_does_not_hold_is_said_and_a_path_is_no_service() {
    let line = |state, reason: &str| {
        let report = ServiceReport { reason: reason.to_owned(), ..service("web", state) };
        detail::headline(&report, Style::default())
    };
    let reason = "only-if.exists = /etc/web: it does not exist";
    assert_eq!(line(StateWord::Skipped, reason), format!("web: skipped: {reason}"));
    assert_eq!(
        line(StateWord::Waiting, "waits for /run/is failed"),
        "web: waiting: waits for /run/is failed"
    );
    assert_eq!(
        line(StateWord::Failed, "assert.exists = /srv: it does not exist"),
        "web: failed: assert.exists = /srv: it does not exist; see to that, or fix `assert` in \
         /etc/finit.toml, and run: finitctl start web"
    );
}

#[test]
fn memory_cpu_and_log_lines_are_read_by_the_client() {
    let folder = folder();
    fs::write(folder.join("memory.current"), "12900000\n").unwrap();
    fs::write(folder.join("cpu.stat"), "usage_usec 1230000\nuser_usec 1\n").unwrap();
    let lines: String = (0..100).map(|n| format!("line {n}\n")).collect();
    fs::write(folder.join("web.log"), lines).unwrap();
    let mut report = full();
    report.cgroup = Some(folder.to_str().unwrap().to_owned());
    let detail = report.detail.as_mut().unwrap();
    detail.log = Some(folder.join("web.log").to_str().unwrap().to_owned());
    detail.log_stderr = None;
    let server = Server::always(Answer::Reply(Reply::Service(Box::new(report))));
    let ran = server.run(&["status", "web"]);
    assert!(ran.out.contains("memory      12.3 MiB\n  cpu         1.23 s\n"), "{}", ran.out);
    assert!(ran.out.ends_with("web.log\n    line 90\n    line 91\n    line 92\n    line 93\n    line 94\n    line 95\n    line 96\n    line 97\n    line 98\n    line 99\n"));
}

#[test]
fn what_a_service_says_drives_no_terminal() {
    let evil = "a\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{9b}31md\re\nf\u{202e}g\u{7f}h\u{1b}(Bi\u{1b}]j";
    let clean = "abcd e fghij";
    assert_eq!(text::clean(evil), clean);
    assert_eq!(text::clean("\u{1b}[31"), "");
    assert_eq!(text::clean("\u{1b}"), "");
    assert_eq!(text::clean("\u{1b}P1\u{1b}\\x"), "x");
    assert_eq!(text::clean("grüße 世界"), "grüße 世界");

    let folder = folder();
    let log = folder.join("x.log");
    fs::write(&log, "\u{1b}[2Jlog\u{9b}2J line\u{0}\n\u{ff}\u{fe}\n").unwrap();
    let word = || evil.to_owned();
    let mut report = full();
    report.name = word();
    report.reason = word();
    report.detail = Some(Detail {
        description: word(),
        command: word(),
        cause: word(),
        last_exit: Some(word()),
        sockets: vec![word()],
        needs: vec![(word(), StateWord::Up)],
        after: vec![(word(), StateWord::Up)],
        needed_by: vec![word()],
        log: Some(log.to_str().unwrap().to_owned()),
        ..full().detail.unwrap()
    });
    let mut state = machine();
    state.phase = word();
    state.target = word();
    state.version = word();
    state.warnings = vec![word()];
    state.services = vec![ServiceReport { detail: None, ..report.clone() }];
    let server = Server::new(move |request| match request {
        Request::List => vec![Answer::Reply(Reply::Machine(Box::new(state.clone())))],
        Request::Status { .. } => vec![Answer::Reply(Reply::Service(Box::new(report.clone())))],
        Request::Stop { .. } => vec![job(&[evil], &[evil])],
        Request::Wait { .. } => {
            vec![event(evil, evil, None), event(evil, evil, Some(Outcome::Failed))]
        }
        Request::Apply => vec![Answer::Refused(Refusal::new(Code::Denied, evil).hint(evil))],
        _ => vec![Answer::Reply(Reply::Done { message: evil.to_owned() })],
    });
    for words in [
        &[] as &[&str],
        &["--json"],
        &["list"],
        &["list", "--sockets"],
        &["status", "x"],
        &["status", "x", "--json"],
        &["stop", "x"],
        &["stop", "x", "--json"],
        &["apply"],
        &["start", "x"],
        &["logs", "x"],
        &["logs", "x", "--json"],
    ] {
        let ran = server.run(words);
        for c in ran.out.chars().chain(ran.err.chars()) {
            let harmful = c != '\n' && c.is_control() || c == '\u{202e}';
            assert!(!harmful, "{words:?}: {:?} {:?}", ran.out, ran.err);
        }
        assert!(!ran.out.is_empty() || !ran.err.is_empty(), "{words:?}");
    }
    for name in ["init", "poweroff"] {
        let words: &[&str] = if name == "init" { &["reset", "x"] } else { &[] };
        let ran = server.run_as(name, words);
        assert_eq!(ran.out.matches('\n').count(), 1, "{:?} {:?}", ran.out, ran.err);
        assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
    }
}

#[test]
fn ten_thousand_services_are_one_long_line() {
    let mut large = machine();
    large.services = (0..10_000).map(|n| service(&format!("service-{n}"), StateWord::Up)).collect();
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(large))));
    let begin = Instant::now();
    let ran = server.run(&[]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 10_004));
    println!("{:?}", begin.elapsed());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut large = machine();
    large.services = (0..5_000).map(|n| service(&format!("s{n}"), StateWord::Up)).collect();
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(large))));
    let mut child = command(&server.folder, "finitctl", &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(command(&server.folder, "finitctl", &[]).stdout(full).stderr(Stdio::piped()));
    assert_eq!(ran.code, 1, "a full disk is one");
    assert!(ran.err.contains("No space left"), "{}", ran.err);
}

#[test]
fn lists_are_filtered() {
    let mut state = machine();
    let target =
        ServiceReport { kind: "target".to_owned(), ..service("rescue", StateWord::Stopped) };
    state.services.push(target);
    state.services.push(ServiceReport { held: true, ..service("mail", StateWord::Up) });
    let frozen = Some(FrozenReport { since_ms: 5_000, by: Some("finitctl".to_owned()) });
    state.services.push(ServiceReport { frozen, ..service("cold", StateWord::Up) });
    let server = Server::new(move |request| match request {
        Request::Status { name } if name == "sshd" => {
            let detail = Detail { sockets: vec!["tcp:22".to_owned()], ..Detail::default() };
            let report =
                ServiceReport { detail: Some(detail), ..service("sshd", StateWord::Listening) };
            vec![Answer::Reply(Reply::Service(Box::new(report)))]
        }
        Request::Status { name } => {
            let detail = Some(Detail::default());
            let report = ServiceReport { detail, ..service(name, StateWord::Up) };
            vec![Answer::Reply(Reply::Service(Box::new(report)))]
        }
        _ => vec![Answer::Reply(Reply::Machine(Box::new(state.clone())))],
    });
    let names = |words: &[&str]| {
        let ran = server.run(words);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let first = |line: &str| line.split(' ').next().unwrap().to_owned();
        ran.out.lines().map(first).collect::<Vec<_>>()
    };
    assert_eq!(names(&["list", "--failed"]), ["NAME", "web", "swap"]);
    assert_eq!(names(&["list", "--state", "stopped"]), ["NAME", "ftp"]);
    assert_eq!(names(&["list", "--targets"]), ["NAME", "rescue"]);
    assert_eq!(names(&["list", "--held"]), ["NAME", "mail"]);
    assert_eq!(names(&["list", "--frozen"]), ["NAME", "cold"]);
    let shown = server.run(&["list", "--frozen"]).out;
    assert!(shown.contains("up (frozen)"), "{shown}");
    assert_eq!(names(&["list", "--state", "skipped"]), Vec::<String>::new());
    let sockets = server.run(&["list", "--sockets"]).out;
    assert_eq!(sockets, "SOCKET  NAME  STATE\ntcp:22  sshd  listening\n");
}

#[test]
fn what_is_long_in_a_list_of_sockets_stays_apart() {
    let (socket, name) = ("/run/php/php8.2-fpm-intranet-of-all.sock", "php-fpm-of-the-intranet");
    let server = Server::new(move |request| {
        let sockets = vec![socket.to_owned()];
        let detail = Some(Detail { sockets, ..Detail::default() });
        let report = ServiceReport { detail, ..service(name, StateWord::Listening) };
        let services = vec![service(name, StateWord::Listening)];
        vec![Answer::Reply(match request {
            Request::Status { .. } => Reply::Service(Box::new(report)),
            _ => Reply::Machine(Box::new(MachineReport { services, ..machine() })),
        })]
    });
    let shown = server.run(&["list", "--sockets"]).out;
    let last: Vec<&str> = shown.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(last, [socket, name, "listening"], "{shown}");
}

#[test]
fn what_a_hold_is_and_how_it_ends_is_told_by_its_help() {
    let ran = Server::raw(|_| None).run(&["hold", "--help"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for words in ["finitctl unhold NAME", "finitctl list --held", "ends with a shutdown"] {
        assert!(ran.out.contains(words), "{}", ran.out);
    }
}

#[test]
fn what_a_freeze_and_a_gentle_stop_are_is_told_by_their_help() {
    let help = |verb: &str| Server::raw(|_| None).run(&[verb, "--help"]).out;
    let freeze = help("freeze");
    for words in ["finitctl thaw NAME", "finitctl list --frozen", "watchdog"] {
        assert!(freeze.contains(words), "{freeze}");
    }
    let stop = help("stop");
    assert!(stop.contains("With --gentle nobody goes"), "{stop}");
}
