//! Who comes to the control socket, and with what.

use crate::machine::Machine;
use crate::talk::Line;

const LIST: &str = "{\"method\":\"list\"}\n";

#[allow(unsafe_code, reason = "nix changes all threads of the process")]
/// Has somebody else than root do something: credentials belong to a thread.
fn as_user<T: Send>(uid: u32, deed: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // SAFETY: plain numbers. The raw call changes this thread alone, which ends below.
            let done = unsafe { libc::syscall(libc::SYS_setresuid, -1, uid, -1) };
            assert_eq!(done, 0, "setresuid: {}", std::io::Error::last_os_error());
            deed()
        });
        other.join().unwrap()
    })
}

fn services(count: usize) -> String {
    (0..count)
        .map(|n| format!("[service.s{n}]\ncommand = \"/programs/idle\"\nstart = \"manual\"\n"))
        .collect()
}

fn most_memory(machine: &Machine) -> usize {
    let text = machine.pid1_status("VmHWM");
    text.trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn who_asks_and_never_reads_costs_no_memory() {
    let machine = Machine::boot(&services(200));
    machine.until("s0", "stopped");
    let path = machine.path("/run/initctl");
    let before = most_memory(&machine);
    let deaf: Vec<Line> = as_user(1234, || {
        let ask = |_| {
            let mut line = Line::to(&path).unwrap();
            line.send(LIST.repeat(200).as_bytes()).unwrap();
            line
        };
        (0..8).map(ask).collect()
    });
    // Whoever comes after them is heard after them.
    for _ in 0..100 {
        assert!(machine.list().iter().any(|service| service["name"] == "s199"));
    }
    let grown = most_memory(&machine) - before;
    assert!(grown < 16 * 1024, "{grown} KiB for 1,600 answers that nobody reads");
    // And all answers are there for one that reads at last.
    for mut line in deaf {
        for _ in 0..200 {
            assert!(line.hear().unwrap().contains("\"s199\""));
        }
    }
}

#[test]
fn a_crowd_is_turned_away_and_root_still_gets_in() {
    let machine = Machine::boot("# nothing\n");
    machine.list();
    let path = machine.path("/run/initctl");
    let come = |_| {
        let mut line = Line::to(&path).unwrap();
        // One that is turned away may have its answer before it has asked.
        let _closed = line.send(b"status\n");
        let said = line.hear().unwrap();
        (line, said)
    };
    let crowd: Vec<(Line, String)> = (1000..1020)
        .flat_map(|uid| as_user(uid, || (0..9).map(come).collect::<Vec<_>>()))
        .collect();
    let inside: Vec<&str> = crowd
        .iter()
        .map(|(_, said)| said.as_str())
        .filter(|said| !said.contains("too many clients"))
        .collect();
    assert!((8..=62).contains(&inside.len()), "{inside:?}");
    assert!(crowd[8].1.contains("too many clients"), "the ninth of a user: {}", crowd[8].1);
    assert_eq!(machine.ctl(&["status"]).code, 0);
    for _ in 0..20 {
        let said =
            machine.run(&["setpriv", "--reuid=1000", "--clear-groups", "finitctl", "status"]);
        assert_eq!(said.text, "finitctl: too many clients; try again\n", "{}", said.code);
    }
    drop(crowd);
    machine.wait("places to be free", |_| {
        let (_, said) = as_user(1000, || come(0));
        (!said.contains("too many clients")).then_some(())
    });
}

#[test]
fn any_user_may_look_and_root_alone_may_act() {
    let machine = Machine::boot(&services(1));
    machine.until("s0", "stopped");
    let path = machine.path("/run/initctl");
    // The second is negative for who takes numbers of users for signed ones (H9).
    for uid in [1234, 4_294_967_294] {
        let [look, act] = as_user(uid, || {
            ["status s0", "start s0"].map(|words| Line::to(&path).unwrap().ask(words).unwrap())
        });
        assert_eq!((look.as_str(), act.starts_with("error: ")), ("dead", true), "{uid}: {act}");
    }
    assert_eq!(machine.status("s0")["state"], "stopped");
}

#[test]
fn who_only_looked_so_far_is_named_once_it_acts() {
    let machine = Machine::boot(&services(1));
    machine.until("s0", "stopped");
    let lines = "import socket\n\
                 s = socket.socket(socket.AF_UNIX)\n\
                 s.connect('/run/initctl')\n\
                 f = s.makefile('rw')\n\
                 for line in 'status s0', 'start s0':\n\
                 \x20print(line, file=f, flush=True)\n\
                 \x20f.readline()\n";
    let said = machine.run(&["/usr/bin/python3", "-c", lines]);
    assert_eq!(said.code, 0, "{said:?}");
    machine.until("s0", "up");
    let story = machine.ctl(&["why", "s0"]).text;
    assert!(story.contains("python3 (pid ") && story.contains("asked: start s0"), "{story}");
}

#[test]
fn a_line_that_is_none_is_answered_and_the_next_client_is_served() {
    let machine = Machine::boot("# nothing\n");
    machine.list();
    let long = vec![b'x'; 70_000];
    for (bytes, answer) in [
        (long.as_slice(), "error: the line is longer than 64 KiB"),
        (b"status \xff\xfe\n", "error: the line is not UTF-8"),
        (b"{\"method\":\"list\"", "error: the line took too long"),
        (b"\0\0\0\0\n", "error: "),
        (b"{\"method\":7}\n", "{\"error\":"),
        (b"[[[[[[[[[[\n", "error: "),
    ] {
        let mut line = machine.connect();
        // The rest of a line that is too long is not taken.
        let _closed = line.send(bytes);
        let said = line.hear().unwrap();
        assert!(said.starts_with(answer), "{said}");
        assert_eq!(machine.ctl(&["status"]).code, 0);
    }
}

/// DX-io_end: what was to follow may have made it another order.
#[test]
fn half_a_line_and_an_end_is_no_order_and_costs_nothing() {
    let machine = Machine::boot(&services(1));
    machine.until("s0", "stopped");
    machine.hang_up();
    machine.list();
    let before = machine.pid1_descriptors();
    let whole = r#"{"method":"start","params":{"names":["s0"]}}"#;
    for half in ["start s0", whole, "{\"method\":\"start\",\"par", "s"] {
        let mut line = machine.connect();
        line.send(half.as_bytes()).unwrap();
        line.ends().unwrap();
        let said = line.hear().unwrap();
        assert_eq!(said, "error: the line does not end with a newline", "{half}");
        assert!(line.hear().is_err(), "nothing more is said to {half}");
        // The same from one who is gone by then, after a whole line.
        let mut line = machine.connect();
        line.send(format!("ping\n{half}").as_bytes()).unwrap();
        drop(line);
    }
    machine.wait("their connections to end", |m| (m.pid1_descriptors() <= before).then_some(()));
    assert_eq!(machine.status("s0")["state"], "stopped");
    assert_eq!(machine.connect().ask("start s0").unwrap(), "job 1", "the first that was taken");
}

#[test]
fn patterns_stand_for_what_they_match_with_every_verb() {
    let machine = Machine::boot(
        r#"
        [service.web]
        instances = ["a", "b", "c"]
        command = "/bin/sleep 1000"
        reload = "CONT"
        [service.db]
        command = "/bin/sleep 1000"
        "#,
    );
    machine.booted();
    let states = || {
        ["web@a", "web@b", "web@c", "db"]
            .map(|name| machine.status(name)["state"].as_str().unwrap().to_owned())
    };
    machine.order(&["stop", "web@[ab]"]);
    assert_eq!(states(), ["stopped", "stopped", "up", "up"]);
    machine.order(&["start", "web@?"]);
    assert_eq!(states(), ["up", "up", "up", "up"]);
    for verb in ["restart", "reload", "freeze", "thaw"] {
        let said = machine.order(&[verb, "web@*"]);
        assert!(["web@a", "web@b", "web@c"].iter().all(|name| said.contains(name)), "{said}");
        assert!(!said.contains("db"), "{said}");
    }
    let said = machine.ctl(&["status", "web@*"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.text.starts_with("web@a: up") && said.text.contains("\n\nweb@c: up"), "{said:?}");
    let said = machine.ctl(&["why", "w*@b", "db"]);
    assert!(said.code == 0 && said.text.starts_with("web@b: up since"), "{said:?}");
    assert!(said.text.contains("\n\ndb: up since"), "{said:?}");
    let said = machine.ctl(&["stop", "db", "sshd*"]);
    assert_eq!(said.code, 4);
    assert!(said.text.contains("no service matches `sshd*`"), "{said:?}");
    assert_eq!(states(), ["up", "up", "up", "up"], "all or none");
    machine.order(&["stop", "*"]);
    assert_eq!(states(), ["stopped", "stopped", "stopped", "stopped"]);
}

/// The name of every request that there is, as serde knows them.
fn every_method() -> Vec<String> {
    let odd = serde_json::json!({"method": "no-such"});
    let error = serde_json::from_value::<finit::proto::Request>(odd).unwrap_err().to_string();
    let listed = error.split_once("expected one of ").expect("a list of them").1;
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// DX-fuzz: requests of every method with whatever in them; each is answered, and all goes on.
#[test]
fn sd26_random_requests_of_every_method_are_answered_and_pid_1_lives_on() {
    let known = every_method();
    assert!(known.len() >= 27, "{known:?}");
    // To be executed anew drops this connection: pid1::upgrade is about that one.
    let methods: Vec<&str> =
        known.iter().map(String::as_str).filter(|method| *method != "upgrade").collect();
    // No word here is a way to go down.
    let keys = ["name", "names", "signal", "seconds", "job", "message", "quiet", "how", "odd"];
    let values = [
        r#""s0""#,
        r#""s1""#,
        r#"["s0","s2"]"#,
        r#"["s1"]"#,
        r#""no-such""#,
        r#""rescue""#,
        r#""default""#,
        r#""HUP""#,
        r#""KILL""#,
        "[]",
        "null",
        "-1",
        "1000000000",
        "0.5",
        r#"{"a":[]}"#,
    ];
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut state = u64::from(nanos.subsec_nanos()) | 1;
    println!("seed {state}");
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    let machine = Machine::boot(&services(3));
    machine.until("s0", "stopped");
    let mut line = machine.connect();
    let mut done = 0;
    for _ in 0..3_000 {
        let parts: Vec<String> = (0..below(4))
            .map(|_| format!("\"{}\":{}", keys[below(keys.len())], values[below(values.len())]))
            .collect();
        let method = methods.get(below(methods.len() + 1)).unwrap_or(&"no-such");
        let request =
            format!("{{\"id\":1,\"method\":\"{method}\",\"params\":{{{}}}}}", parts.join(","));
        let said = line.ask(&request).unwrap_or_else(|error| panic!("{request}: {error}"));
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        let is_done = !answer["result"].is_null();
        assert_ne!(is_done, answer["error"].is_object(), "{request}: {said}");
        done += usize::from(is_done);
    }
    assert!(done > 300, "{done} of them meant something");
    for words in [["unhold", "s0"], ["thaw", "s0"], ["target", "default"]] {
        machine.ctl(&words);
    }
    machine.order(&["restart", "s0"]);
    machine.until("s0", "up");
    machine.order(&["stop", "s0"]);
    assert_eq!(machine.status("s0")["state"], "stopped");
}

#[test]
fn a_tree_shows_what_a_machine_stands_on() {
    let machine = Machine::boot(
        r#"
        [service.web]
        command = "/bin/sleep 1000"
        needs = "db"
        wants = "cache"
        [service.db]
        command = "/bin/sleep 1000"
        [service.cache]
        command = "/bin/false"
        restart = "never"
        wants = "db"
        "#,
    );
    machine.booted();
    machine.until("cache", "failed");
    let said = machine.ctl(&["tree", "web"]);
    let page = "web: up\n  needs db: up\n  wants cache: failed\n    wants db: up (above)\n";
    assert_eq!((said.code, said.text.as_str()), (0, page));
    let said = machine.ctl(&["tree"]).text;
    let members = "default: up\n  wants web: up\n    needs db: up\n";
    assert!(said.starts_with(members), "{said}");
    let said = machine.ctl(&["graph", "--dot"]).text;
    assert!(said.contains("\n  \"web\" -> \"cache\" [style=dashed];\n"), "{said}");
    assert_eq!(machine.ctl(&["tree", "wbe"]).code, 4);
}

/// A job that does not end by itself, and its number.
fn waiting_job(machine: &Machine) -> u64 {
    machine.booted();
    let mut line = Line::to(&machine.path("/run/initctl")).unwrap();
    let said = line.ask(r#"{"id":1,"method":"start","params":{"names":["mute"]}}"#).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let job = said["result"]["job"]["job"].as_u64().unwrap_or_else(|| panic!("{said}"));
    machine.until("mute", "starting");
    job
}

const MUTE: &str = "[service.mute]\ncommand = \"/programs/idle\"\nready = \"notify\"\n\
                    start-timeout = \"1h\"\nstart = \"manual\"\n";

#[test]
fn who_gave_up_waiting_leaves_its_place_to_another() {
    let machine = Machine::boot(MUTE);
    let job = waiting_job(&machine);
    let path = machine.path("/run/initctl");
    let before = machine.pid1_descriptors();
    for _ in 0..100 {
        machine.wait("a place", |_| {
            let mut line = Line::to(&path).unwrap();
            let wait = format!(r#"{{"id":2,"method":"wait","params":{{"job":{job}}}}}"#);
            let said = line.ask(&wait).unwrap();
            (!said.contains("too many clients")).then_some(())
        });
    }
    assert_eq!(machine.ctl(&["status"]).code, 0);
    machine
        .wait("their descriptors to be closed", |m| (m.pid1_descriptors() <= before).then_some(()));
}

/// They say in full what `status` says in full to root alone: who asked, and lines of the file.
#[test]
fn the_news_of_a_job_are_for_root() {
    let machine = Machine::boot(MUTE);
    let job = waiting_job(&machine);
    let path = machine.path("/run/initctl");
    let wait = format!(r#"{{"id":2,"method":"wait","params":{{"job":{job}}}}}"#);
    for (uid, told) in [(1234, false), (0, true)] {
        let said = as_user(uid, || Line::to(&path).unwrap().ask(&wait).unwrap());
        assert_eq!((said.contains("\"event\""), said.contains("denied")), (told, !told), "{said}");
    }
}

#[test]
fn who_waits_for_many_jobs_at_once_is_told_how_many_may_be_waited_for() {
    let machine = Machine::boot(MUTE);
    let job = waiting_job(&machine);
    let path = machine.path("/run/initctl");
    let wait = format!(r#"{{"id":2,"method":"wait","params":{{"job":{job}}}}}"#);
    let mut line = Line::to(&path).unwrap();
    let said: Vec<String> = (0..100).map(|_| line.ask(&wait).unwrap()).collect();
    let refused = said.iter().filter(|said| said.contains("32 jobs are waited for")).count();
    assert_eq!(refused, 68, "{said:?}");
}
