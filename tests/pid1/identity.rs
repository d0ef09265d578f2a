//! As whom programs run, and what they may do: capabilities of who is not root.

use crate::machine::{Machine, Plan};
use crate::talk::Line;

/// Has a port below 1024, or ends with what Python says of it.
const BIND: &str = r#"/usr/bin/python3 -c 'import socket, signal; s = socket.create_server(("", 80)); signal.pause()'"#;

/// The lines of capabilities in a text, without those of what is possible at all.
fn capabilities(text: &str) -> Vec<(String, u64)> {
    let lines = text.lines().filter(|line| line.starts_with("Cap") && !line.starts_with("CapBnd"));
    let pair = |line: &str| {
        let (key, bits) = line.split_once(':').unwrap();
        (key.to_owned(), u64::from_str_radix(bits.trim(), 16).unwrap())
    };
    lines.map(pair).collect()
}

/// All four sets alike.
fn all(bits: u64) -> Vec<(String, u64)> {
    ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|key| (key.to_owned(), bits)).into()
}

#[test]
fn a_user_keeps_what_its_service_says_and_nothing_else() {
    // PID 1 has been given capabilities to inherit, as some container engines do.
    let machine = Plan::new().with("dirty=yes").boot(
        r#"
        [defaults]
        start = "manual"
        [service.some]
        command = "/programs/mirror /out/some"
        user = "nobody"
        capabilities = ["net-bind-service", "CAP_NET_ADMIN"]
        before-start = [
            "/bin/sh -c 'grep Cap /proc/self/status >/out/hook'",
            { run = "/bin/sh -c 'grep Cap /proc/self/status >/out/other'", user = "web" },
            { run = "/bin/sh -c 'grep Cap /proc/self/status >/out/of-root'", user = "root" },
        ]
        [service.none]
        command = "/programs/mirror /out/none"
        user = "nobody"
        [service.jailed]
        command = "/programs/mirror /out/jailed"
        user = "web"
        root = "/jail"
        capabilities = "sys-nice"
        [service.greeter]
        command = "/bin/sh -c 'grep CapAmb /proc/self/status'"
        user = "nobody"
        capabilities = "sys_chroot"
        inetd = "/run/greeter"
        start = "demand"
        "#,
    );
    for service in ["some", "none"] {
        machine.order(&["start", service]);
    }
    let facts = machine.appears("/out/some");
    assert_eq!(capabilities(&facts), all(1 << 10 | 1 << 12));
    assert!(facts.contains("NoNewPrivs:\t1\n"), "{facts}");
    assert_eq!(capabilities(&machine.read("/out/hook")), all(1 << 10 | 1 << 12));
    assert_eq!(capabilities(&machine.read("/out/other")), all(0));
    let of_root = capabilities(&machine.read("/out/of-root"));
    assert_eq!((of_root[0].1, of_root[3].1), (0, 0), "{of_root:?}");
    assert_eq!(capabilities(&machine.appears("/out/none")), all(0));

    let made = machine.sh("mkdir -p /jail/programs /jail/proc && mkdir -m 777 /jail/out && \
         cp /programs/mirror /jail/programs && mount -t proc proc /jail/proc");
    assert_eq!(made.code, 0, "{made:?}");
    machine.order(&["start", "jailed"]);
    assert_eq!(capabilities(&machine.appears("/jail/out/jailed")), all(1 << 23));

    machine.until("greeter", "listening");
    let mut line = Line::to(&machine.path("/run/greeter")).unwrap();
    assert_eq!(capabilities(&line.hear().unwrap()), [("CapAmb".to_owned(), 1 << 18)]);
}

/// The groups of a service may be as good as root, and a program that is set-uid is root.
#[test]
fn a_hook_of_another_user_has_the_groups_and_privileges_of_that_user() {
    let hook = |name: &str, user: &str| {
        let show = "grep -E '^(Uid|Gid|Groups|NoNewPrivs)' /proc/self/status";
        format!("{{ run = '''/bin/sh -c \"{show} >/out/{name}\"'''{user} }}")
    };
    let hooks = |of: &str| {
        let one = |user: &str| hook(&format!("{of}-{user}"), &format!(", user = '{user}'"));
        format!("before-start = [{}, {}, {}]", hook(of, ""), one("nobody"), one("root"))
    };
    let machine = Machine::boot(&format!(
        "[service.low]\ncommand = '/programs/idle'\nuser = 'web:www-data'\n\
         groups = ['media', 'power']\n{}\n\
         [service.high]\ncommand = '/programs/idle'\ngroups = ['power']\n{}\n",
        hooks("low"),
        hooks("high")
    ));
    let facts = |name: &str| {
        let text = machine.read(&format!("/out/{name}"));
        let fact = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Of the four ids the real one.
            let (key, values) = words.split_first().expect("a fact");
            let count = if matches!(*key, "Uid:" | "Gid:") { 1 } else { values.len() };
            format!("{key} {}", values[..count].join(" "))
        };
        text.lines().map(fact).collect::<Vec<String>>().join(", ")
    };
    machine.until("low", "up");
    machine.until("high", "up");
    assert_eq!(facts("low"), "Uid: 1234, Gid: 33, Groups: 500 2001, NoNewPrivs: 1");
    assert_eq!(facts("high"), "Uid: 0, Gid: 0, Groups: 500, NoNewPrivs: 0");
    for of in ["low", "high"] {
        let nobody = "Uid: 65534, Gid: 65534, Groups: 2002 65534, NoNewPrivs: 1";
        assert_eq!(facts(&format!("{of}-nobody")), nobody, "{of}");
        let root = "Uid: 0, Gid: 0, Groups: 0, NoNewPrivs: 0";
        assert_eq!(facts(&format!("{of}-root")), root, "{of}");
    }
}

#[test]
fn a_user_has_a_low_port_with_the_capability_and_is_refused_it_without() {
    let machine = Machine::boot(&format!(
        "[defaults]\nuser = \"nobody\"\nstart = \"manual\"\nrestart = \"never\"\n\
         [service.refused]\ncommand = '''{BIND}'''\n\
         [service.has]\ncommand = '''{BIND}'''\ncapabilities = \"net-bind-service\"\n"
    ));
    machine.order(&["start", "--no-wait", "refused"]);
    machine.until("refused", "failed");
    let log = machine.wait("its last words", |m| {
        let log = m.read("/var/log/finit/refused.log");
        log.contains("PermissionError").then_some(log)
    });
    assert!(log.contains("Permission denied"), "{log}");

    machine.order(&["start", "has"]);
    machine.wait("the port", |m| {
        let listens = m.read(&format!("/proc/{}/net/tcp", m.main_pid("has")));
        listens.lines().any(|line| line.contains(":0050 ") && line.contains(" 0A ")).then_some(())
    });
}

/// The machine of these tests may not syslog(2), whoever asks.
#[test]
fn a_capability_that_finit_may_not_have_is_a_failed_start_that_names_it() {
    let machine = Machine::boot(
        "[service.reader]\ncommand = \"/programs/idle\"\nuser = \"nobody\"\nrestart = \"never\"\n\
         capabilities = [\"chown\", \"syslog\"]\n",
    );
    machine.until("reader", "failed");
    let said = machine.ctl(&["status", "reader"]).text;
    let words = "capabilities syslog, which finit may not give it: ";
    for word in [words, "EPERM", "take it out of `capabilities`"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
