//! Logs, files, other machines.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{chown, symlink};
use std::process::Stdio;
use std::time::Duration;

use finit::calendar::Civil;
use finit::client::{Status, remote, text};
use finit::proto::frame::Answer;
use finit::proto::report::Detail;
use finit::proto::{Code, Refusal, Reply, Request, ServiceReport, StateWord};
use serde_json::Value;

use super::fake::*;

/// A server of three services with logs in its folder; `db` has none.
fn with_logs() -> (Server, Folder) {
    let logs = folder();
    let folder = logs.to_path_buf();
    let report = move |name: &str| {
        let path = folder.join(format!("{name}.log")).to_str().unwrap().to_owned();
        let log = (name != "db").then_some(path);
        let errors = folder.join(format!("{name}.err")).to_str().unwrap().to_owned();
        let log_stderr = (name == "two").then_some(errors);
        let detail = Some(Detail { log, log_stderr, ..Detail::default() });
        ServiceReport { detail, ..service(name, StateWord::Up) }
    };
    let server = Server::new(move |request| match request {
        Request::Status { name } => vec![Answer::Reply(Reply::Service(Box::new(report(name))))],
        _ => {
            let mut state = machine();
            state.services = ["a", "b", "db"].map(|name| service(name, StateWord::Up)).to_vec();
            vec![Answer::Reply(Reply::Machine(Box::new(state)))]
        }
    });
    (server, logs)
}

#[test]
fn logs_are_the_last_lines_by_time() {
    let (server, logs) = with_logs();
    fs::write(logs.join("a.log.1"), "00:01 one\n00:03 three\n").unwrap();
    fs::write(logs.join("a.log"), "00:05 five\n00:07 seven\n").unwrap();
    fs::write(logs.join("b.log"), "00:02 two\n00:06 six\n").unwrap();
    assert_eq!(server.run(&["logs", "a"]).out, "00:01 one\n00:03 three\n00:05 five\n00:07 seven\n");
    assert_eq!(server.run(&["logs", "-n", "3", "a"]).out, "00:03 three\n00:05 five\n00:07 seven\n");
    assert_eq!(server.run(&["logs", "-n3"]).out, "a: 00:05 five\nb: 00:06 six\na: 00:07 seven\n");
    assert_eq!(server.run(&["logs", "-n", "0", "a"]).out, "");
    let ran = server.run(&["logs", "db"]);
    assert!(ran.err.contains("db: no log file"), "{}", ran.err);
    nix::unistd::mkfifo(&logs.join("x.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ran = server.run(&["logs", "x"]);
    assert_eq!((ran.code, ran.err.contains("not a regular file")), (1, true), "{}", ran.err);
    let large: String = (0..50_000).map(|n| format!("00:00 line {n}\n")).collect();
    fs::write(logs.join("b.log"), large).unwrap();
    let ran = server.run(&["logs", "-n", "20000", "b"]);
    assert_eq!(ran.out.lines().count(), 20_000);
    assert!(ran.out.starts_with("00:00 line 30000\n") && ran.out.ends_with("line 49999\n"));
}

/// Who rotates files may make the next one only when there is a line for it.
#[test]
fn lines_that_were_rotated_away_are_shown_where_no_file_followed() {
    let (server, logs) = with_logs();
    fs::write(logs.join("a.log.1"), "00:02 two\n").unwrap();
    fs::write(logs.join("a.log.2"), "00:01 one\n").unwrap();
    assert_eq!(server.run(&["logs", "a"]).out, "00:01 one\n00:02 two\n");
    let shown = server.run(&["status", "a"]).out;
    assert!(shown.contains("00:01 one\n    00:02 two\n"), "{shown}");
}

#[test]
fn more_files_than_a_program_usually_may_open_are_shown() {
    let (server, logs) = with_logs();
    let names: Vec<String> = (0..40).map(|number| format!("x{number}")).collect();
    for name in &names {
        fs::write(logs.join(format!("{name}.log")), format!("00:01 {name}\n")).unwrap();
    }
    let words: Vec<&str> =
        ["logs", "-n40"].into_iter().chain(names.iter().map(|n| n.as_str())).collect();
    let mut run = std::process::Command::new("prlimit");
    let told = command(&server.folder, "finitctl", &words);
    run.arg("--nofile=16:1024").arg(told.get_program()).args(told.get_args());
    let ran = Ran::of(run.env("FINIT_SOCKET", server.folder.join("initctl")));
    assert_eq!((ran.code, ran.err.as_str(), ran.out.lines().count()), (0, "", 40));
}

/// One template of a pattern without instances hides nobody else.
#[test]
fn a_template_without_instances_has_no_lines_and_the_others_are_shown() {
    let logs = folder();
    let path = logs.join("openssh.log").to_str().unwrap().to_owned();
    fs::write(&path, "00:01 one\n").unwrap();
    let server = Server::new(move |request| {
        let detail = Some(Detail { log: Some(path.clone()), ..Detail::default() });
        let ssh = ServiceReport { detail, ..service("openssh", StateWord::Up) };
        let kind = "template".to_owned();
        let vpn = ServiceReport { kind, ..service("openvpn", StateWord::Up) };
        vec![match request {
            Request::Status { name } if name == "openvpn" => {
                Answer::Reply(Reply::Service(Box::new(vpn)))
            }
            Request::Status { name } if name == "open*" => {
                Answer::Reply(Reply::Services(vec![ssh, vpn]))
            }
            _ => Answer::Refused(Refusal::new(Code::NoSuchService, "no service matches that")),
        }]
    });
    let ran = server.run(&["logs", "open*"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "00:01 one\n", ""));
    let ran = server.run(&["logs", "openvpn"]);
    assert_eq!((ran.code, ran.err.as_str()), (4, "finitctl: openvpn has no instances\n"));
}

#[test]
fn both_streams_of_a_service_are_one_story() {
    let (server, logs) = with_logs();
    fs::write(logs.join("two.log"), "00:01 one\n00:03 three\n").unwrap();
    fs::write(logs.join("two.err"), "00:02 stderr: two\n00:04 stderr: four\n").unwrap();
    let all = "00:01 one\n00:02 stderr: two\n00:03 three\n00:04 stderr: four\n";
    assert_eq!(server.run(&["logs", "two"]).out, all);
    assert_eq!(server.run(&["logs", "-n", "1", "two"]).out, "00:04 stderr: four\n");
    let shown = server.run(&["status", "two"]).out;
    assert!(shown.contains("two.err\n    00:01 one\n    00:02 stderr: two\n    00:03"), "{shown}");
    fs::write(logs.join("a.log"), "00:05 five\n").unwrap();
    let both = server.run(&["logs", "-n", "2", "two", "a"]).out;
    assert_eq!(both, "two: 00:04 stderr: four\na: 00:05 five\n");
    fs::remove_file(logs.join("two.log")).unwrap();
    assert_eq!(server.run(&["logs", "-n", "1", "two"]).out, "00:04 stderr: four\n");
}

/// A terminal or a pipe keeps none of its lines, and is not all there is of them.
#[test]
fn a_stream_that_leads_to_no_file_leaves_the_other_one() {
    let (server, logs) = with_logs();
    for [pipe, file] in [["two.log", "two.err"], ["two.err", "two.log"]] {
        let [pipe, file] = [pipe, file].map(|name| logs.join(name));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let ran = server.run(&["logs", "two"]);
        assert_eq!((ran.code, ran.err.contains("not a regular file")), (1, true), "{}", ran.err);
        fs::write(&file, "00:01 one\n").unwrap();
        let ran = server.run(&["logs", "two"]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "00:01 one\n", ""));
        [pipe, file].iter().for_each(|path| fs::remove_file(path).unwrap());
    }
}

/// Who owns the folder of a log decides what is in it, and not what root is shown of others.
#[test]
fn a_link_of_somebody_else_shows_nobody_what_is_roots() {
    let (server, logs) = with_logs();
    let inner = logs.join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("a.log"), "00:01 secret\n").unwrap();
    fs::write(logs.join("secret"), "00:01 secret\n").unwrap();
    let shown = |path: &str, why: &str| {
        let ran = server.run(&["logs", path]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{path}");
        assert!(ran.err.contains(why), "{path}: {}", ran.err);
        let ran = server.run(&["status", path]);
        assert!(!ran.out.contains("secret"), "{path}: {}", ran.out);
    };
    symlink("secret", logs.join("x.log")).unwrap();
    shown("x", "could be led elsewhere by others than root");
    chown(&*logs, Some(1000), Some(1000)).unwrap();
    fs::hard_link(logs.join("secret"), logs.join("y.log")).unwrap();
    shown("y", "another name elsewhere");
    symlink("inner", logs.join("link")).unwrap();
    shown("link/a", "could be led elsewhere by others than root");
}

/// Nothing at all would say that there is nothing.
#[test]
fn who_is_told_no_details_is_told_so() {
    let answer = |request: &Request| match request {
        Request::Status { name } => Reply::Service(Box::new(service(name, StateWord::Up))),
        _ => Reply::Machine(Box::new(machine())),
    };
    let server = Server::new(move |request| vec![Answer::Reply(answer(request))]);
    for words in [&["logs"] as &[_], &["logs", "-f"], &["logs", "sshd"], &["list", "--sockets"]] {
        let ran = server.run(words);
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{words:?} {}", ran.err);
        assert!(ran.err.contains("told to root alone; ask as root"), "{}", ran.err);
    }
}

#[test]
fn logs_since_a_time_are_all_lines_from_then_on() {
    let (server, logs) = with_logs();
    let (now, _) = finit::os::time::wall();
    let line = |ago: i64| format!("{}.500Z x", Civil::of(now - ago).to_string().replace(' ', "T"));
    let text = |ages: &[i64]| ages.iter().map(|ago| line(*ago) + "\n").collect::<String>();
    let old = text(&[172_900, 172_700, 90_000, 8000]);
    let new = text(&[7000, 3000]) + &text(&[1000; 500]) + &text(&[50]);
    fs::write(logs.join("a.log.1"), &old).unwrap();
    fs::write(logs.join("a.log"), &new).unwrap();
    let words = |since: &str| ["logs", "--since", since, "a"].map(str::to_owned);
    let since = |since: &str| {
        let words = words(since);
        let mut run = command(&server.folder, "finitctl", &words.each_ref().map(String::as_str));
        // Three hours before Greenwich.
        let ran = Ran::of(run.env("TZ", "EAT-3"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{since}");
        ran.out.lines().count()
    };
    let local = |ago: i64| Civil::of(now - ago + 3 * 3600).to_string();
    for (word, count) in [
        ("2 days ago", 506),
        ("-2d", 506),
        ("2h", 503),
        ("100min ago", 502),
        ("40s", 0),
        ("now", 0),
        (&local(2999), 501),
        (&local(7000), 503),
        (&local(7000).replace(' ', "T"), 503),
        (&format!("{}.500", local(7000)), 503),
        (&format!("{}.501", local(7000)), 502),
        (&line(7000)[..24], 503),
        ("2000-01-01", 507),
        // Within the last day, whether today or yesterday.
        (&local(2999)[11..], 501),
        (&local(-1000)[11..16], 504),
        ("yesterday 0:00", 504 + usize::from(local(90_000)[..10] == local(86_400)[..10])),
    ] {
        assert_eq!(since(word), count, "{word} of {}", local(0));
    }
    let ran = server.run(&["logs", "-n2", "--since", "2h", "a"]);
    assert_eq!(ran.out, text(&[1000, 50]));
    for word in [
        "",
        "14",
        "2026",
        "24:00",
        "14:00:60",
        "2026-02-29",
        "2026-11-24 14",
        "tomorrow",
        "1:2:3:4",
        "ago",
    ] {
        let ran = server.run(&["logs", "--since", word, "a"]);
        let told = ran.err.contains(&format!("`{word}` is no time; write 10min, 14:00"));
        assert_eq!((ran.code, told), (2, true), "{word}: {}", ran.err);
    }
}

#[test]
fn logs_are_followed_through_a_rotation() {
    let (server, logs) = with_logs();
    let path = logs.join("a.log");
    fs::write(&path, "one\n").unwrap();
    let mut follower = command(&server.folder, "finitctl", &["logs", "-f", "a"]);
    let mut child = follower.stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "one\n");
    let append = |text: &str| {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("two\nthr");
    assert_eq!(line(), "two\n");
    append("ee\nfour\n");
    fs::rename(&path, logs.join("a.log.1")).unwrap();
    append("five\n");
    assert_eq!([line(), line(), line()], ["three\n", "four\n", "five\n"]);
    // Three files later; one that was shown long before is none of them.
    append("six\n");
    fs::rename(logs.join("a.log.1"), logs.join("a.log.4")).unwrap();
    fs::rename(&path, logs.join("a.log.3")).unwrap();
    fs::write(logs.join("a.log.2"), "seven\n").unwrap();
    fs::write(logs.join("a.log.1"), "eight\n").unwrap();
    append("nine\n");
    let lines = [line(), line(), line(), line()];
    assert_eq!(lines, ["six\n", "seven\n", "eight\n", "nine\n"]);
    // The known one is gone, and its time says what came after it.
    fs::rename(&path, logs.join("gone")).unwrap();
    fs::remove_file(logs.join("gone")).unwrap();
    append("ten\n");
    assert_eq!(line(), "ten\n");
    // Nobody reads any more: it ends by itself, without a new line to write.
    drop(reader);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_host_gets_the_words_as_they_are() {
    let server = Server::always(done());
    let ssh = server.folder.join("ssh");
    fs::write(&ssh, "#!/bin/sh\nprintf '[%s]' \"$@\"\nexit 3\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&ssh, mode).unwrap();
    let run = |words: &[&str]| {
        let path = format!("{}:/usr/bin:/bin", server.folder.display());
        Ran::of(command(&server.folder, "finitctl", words).env("PATH", path))
    };
    let ran = run(&["status", "-H", "root@host", "it's", "$(reboot)"]);
    assert_eq!(ran.out, r"[root@host][--][finitctl][status]['it'\''s']['$(reboot)']");
    assert_eq!(ran.code, 3);
    assert_eq!(run(&["--host=h", "--json"]).out, "[h][--][finitctl][status][--json]");
    assert_eq!(run(&["-Hh", "stop", "a", "--", "-H"]).out, "[h][--][finitctl][stop][a][--][-H]");
    // Sent along, the option would connect on without end.
    assert_eq!(run(&["-H", "h", "logs", "-fHh"]).code, 2);
    assert_eq!(server.requests(), Vec::<String>::new());
    assert_eq!(remote::quoted(""), "''");
}

#[test]
fn a_file_is_checked_without_a_running_finit() {
    let folder = folder();
    let file = folder.join("finit.toml");
    let path = file.to_str().unwrap();
    let check = |words: &[&str]| Ran::of(&mut command(&folder, "finitctl", words));

    let cron = "[service.cron]\ncommand = \"/usr/sbin/cron -f\"\n";
    fs::write(&file, format!("{cron}tty = \"tty9\"\n")).unwrap();
    let ran = check(&["check", path]);
    assert_eq!(ran.out, format!("{path}: 1 service, 0 tasks: no errors\n"), "{}", ran.err);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = check(&["check", path, "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&found["services"], &found["errors"]), (&1.into(), &0.into()));

    fs::write(&file, "[service.cron]\nbad = 1\nworse = 2\n").unwrap();
    let ran = check(&["check", path]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("`bad`") && ran.err.contains("`worse`"), "all at once: {}", ran.err);
    let ran = check(&["check", "/nonexistent.toml"]);
    assert_eq!((ran.code, ran.err.contains("/nonexistent.toml")), (1, true), "{}", ran.err);
}

/// It may need, and override, what the file defines that it belongs to.
#[test]
fn a_drop_in_is_checked_within_its_file() {
    let folder = folder();
    let drop_ins = folder.join("finit.toml.d");
    fs::create_dir(&drop_ins).unwrap();
    let main = "[service.db]\ncommand = \"/db\"\nbad = 1\n[service.dns]\ncommand = \"/dns\"\n";
    fs::write(folder.join("finit.toml"), main).unwrap();
    let app = "[service.app]\ncommand = \"/app %i\"\nneeds = \"dns\"\ninstances = [\"a\", \"b\"]\n\
               [override.service.dns]\nuser = \"nobody\"\n";
    let part = drop_ins.join("app.toml");
    fs::write(&part, app).unwrap();
    let check = |file: &str, from: &std::path::Path| {
        Ran::of(command(&folder, "finitctl", &["check", file]).current_dir(from))
    };
    let path = part.to_str().unwrap();
    for (file, from) in [
        (path, &*folder),
        ("app.toml", &drop_ins),
        ("./app.toml", &drop_ins),
        ("finit.toml.d/../finit.toml.d/./app.toml", &folder),
    ] {
        let ran = check(file, from);
        assert_eq!(ran.out, format!("{file}: 2 services, 0 tasks: no errors\n"), "{}", ran.err);
    }
    fs::write(drop_ins.join("other.toml"), "[service.other]\ncommand = \"/o\"\n").unwrap();
    fs::write(&part, format!("{app}[service.other]\ncommand = \"/x\"\nneeds = \"zebra\"\n"))
        .unwrap();
    let ran = check(path, &folder);
    assert_eq!((ran.code, ran.err.matches("error: ").count()), (1, 2), "{}", ran.err);
    assert!(
        ran.err.contains("`zebra`") && ran.err.contains("`other` is defined twice"),
        "{}",
        ran.err
    );
}

/// "No errors" would be about a file that nobody reads.
#[test]
fn a_check_says_that_a_file_among_drop_ins_is_not_read() {
    let folder = folder();
    let drop_ins = folder.join("finit.toml.d");
    fs::create_dir(&drop_ins).unwrap();
    fs::write(folder.join("finit.toml"), "[service.a]\ncommand = \"/a\"\n").unwrap();
    for name in [".h.toml", "h.toml.off"] {
        let path = drop_ins.join(name);
        let check = |text: &str| {
            fs::write(&path, text).unwrap();
            Ran::of(command(&folder, "finitctl", &["check", name]).current_dir(&drop_ins))
        };
        let ran = check("[service.b");
        assert_eq!(ran.code, 1, "{}", ran.out);
        let ran = check("[service.b]\ncommand = \"/b\"\n");
        assert_eq!(ran.out, format!("{name}: 1 service, 0 tasks: no errors\n"), "{}", ran.err);
        assert!(ran.err.starts_with("warning: ") && ran.err.contains("not read"), "{}", ran.err);
    }
}

#[test]
fn a_check_looks_for_instances_and_runs_no_command() {
    let folder = folder();
    let file = folder.join("finit.toml");
    let sites = folder.join("sites");
    fs::create_dir(&sites).unwrap();
    for name in ["a", "b", "not good"] {
        fs::write(sites.join(name), "").unwrap();
    }
    let glob = format!("instances.glob = \"{}/*\"", sites.display());
    let ran = sites.join("ran");
    fs::write(
        &file,
        format!(
            "[service.site]\ncommand = \"/x %i\"\ntty = \"%i\"\n{glob}\n\
             [service.other]\ncommand = \"/x\"\n\
             instances = {{ command = \"/bin/touch {}\" }}\n",
            ran.display()
        ),
    )
    .unwrap();
    let path = file.to_str().unwrap();
    let said = Ran::of(&mut command(&folder, "finitctl", &["check", path]));
    assert_eq!(said.out, format!("{path}: 2 services, 0 tasks: no errors\n"), "{}", said.err);
    for words in [
        "/not good` is left out: ` ` cannot stand in the name `not good`",
        "warning: the instances of other are what a command prints, and a check does not run it",
    ] {
        assert!(said.err.contains(words), "{}", said.err);
    }
    assert!(!ran.exists());
}

/// Nothing is wrong with such files, but who boots with one sits before a machine without a login.
#[test]
fn a_check_warns_of_a_machine_without_a_login() {
    let folder = folder();
    let drop_ins = folder.join("finit.toml.d");
    fs::create_dir(&drop_ins).unwrap();
    let check = |path: std::path::PathBuf, text: &str| {
        fs::write(&path, text).unwrap();
        let ran = Ran::of(&mut command(&folder, "finitctl", &["check", path.to_str().unwrap()]));
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    };
    let getty = "[service.getty]\ncommand = \"/sbin/agetty -\"\ntty = \"tty1\"\n";
    let elsewhere = format!("{getty}targets = \"rescue\"\n");
    for text in ["# nothing\n", &elsewhere, &format!("{getty}enabled = false\n")] {
        let said = check(folder.join("finit.toml"), text);
        assert!(said.contains("nobody can log in on the console"), "{text}: {said}");
    }
    let wanted = format!("{elsewhere}[target.default]\nwants = \"getty\"\n");
    for text in [getty, &wanted] {
        assert_eq!(check(folder.join("finit.toml"), text), "", "{text}");
    }
    assert_eq!(check(drop_ins.join("x.toml"), "# nothing\n"), "", "the login is another file's");
}

#[test]
fn keys_are_explained() {
    let folder = folder();
    let explain = |key: &str| Ran::of(&mut command(&folder, "finitctl", &["explain", key]));
    let ran = explain("stop.signal");
    assert_eq!((ran.code, ran.out.contains("takes a signal")), (0, true), "{}", ran.out);
    let ran = explain("nonsense");
    assert_eq!((ran.code, ran.err.as_str()), (2, "finitctl: no key is called `nonsense`\n"));
}

#[test]
fn short_words_for_ages_and_sizes() {
    let ages = [(0, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_600_000, "1 h")];
    for (milliseconds, word) in ages {
        assert_eq!(text::age(milliseconds), word);
    }
    assert_eq!(text::age(172_800_000), "2 days");
    assert_eq!(text::age(u64::MAX), "213503982334 days");
    let sizes = [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (12_900_000, "12.3 MiB")];
    for (bytes, word) in sizes {
        assert_eq!(text::size(bytes), word);
    }
    assert_eq!(text::size(u64::MAX), "16777215 TiB");
    assert_eq!(text::span(Duration::from_millis(840)), "840 ms");
    for (word, milliseconds) in [("30s", 30_000), ("500ms", 500), ("2min", 120_000), ("7", 7000)] {
        assert_eq!(text::parse_time(word), Ok(Duration::from_millis(milliseconds)));
    }
    for word in ["", "s", "-1s", "1x", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
        assert!(text::parse_time(word).is_err(), "{word}");
    }
    assert_eq!(Status::NoConnection.code(), 7);
}
