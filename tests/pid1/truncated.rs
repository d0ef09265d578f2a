//! A file that ends too early, at each of its bytes: what runs is never harmed by it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::machine::Machine;

const FILE: &str = "/etc/finit.toml";
/// Some of each kind of value, and everything that a block can end with.
const WHOLE: &str = r#"# what a machine may have
[boot]
hostname = "short"

[service.db]
description = "what others stand on"
command     = "/programs/idle"
env         = { LANG = "C", WHERE = "/db" }

[service.web]
command      = "/programs/idle"
needs        = "db"
umask        = "0027"
stop.timeout = "5s"
restart      = { delay = "250ms" }

# by hand
[service.spare]
command = "/programs/idle"
start   = "manual"

[service.node]
instances = ["one", "two"]
command   = ["/programs/idle", "/out/node-%i"]
after     = ["db", "web"]

[task.once]
command = "/bin/true"
remain  = true

[service.listener]
command = "/programs/idle"
listen  = "127.0.0.1:7007"
start   = "boot"

[service.last]
command     = """
  /programs/idle
"""
description = 'ends without a new line'"#;
/// Those that run all the time, with the first words after their block.
const RUN: [(&str, &str); 5] = [
    ("db", "[service.web]"),
    ("web", "# by hand"),
    ("node@one", "[task.once]"),
    ("node@two", "[task.once]"),
    ("last", ""),
];

fn pids(machine: &Machine) -> BTreeMap<String, Option<i64>> {
    let entry = |service: &Value| {
        let name = service["name"].as_str().unwrap().to_owned();
        RUN.iter().any(|(known, _)| *known == name).then(|| (name, service["pid"].as_i64()))
    };
    machine.list().iter().filter_map(entry).collect()
}

/// The pids when all of them are up.
fn all_up(machine: &Machine) -> BTreeMap<String, Option<i64>> {
    machine.wait("the whole machine", |m| {
        let up = |name| m.status(name)["state"] == "up";
        RUN.iter().all(|(name, _)| up(name)).then(|| pids(m))
    })
}

fn apply(machine: &Machine, text: &str) -> Value {
    machine.write(FILE, text);
    machine.request(r#"{"method":"apply"}"#)
}

/// Where the block of a service ends: the empty line behind it does not matter.
fn end_of(next: &str) -> usize {
    let end = if next.is_empty() { WHOLE.len() } else { WHOLE.find(next).unwrap() };
    WHOLE[..end].trim_end().len()
}

#[test]
fn a_file_truncated_at_any_byte_harms_nothing_that_runs() {
    let machine = Machine::boot(WHOLE);
    machine.booted();
    let mut now = all_up(&machine);
    let (mut refused, mut followed) = (0, 0);
    for end in 0..WHOLE.len() {
        let prefix = &WHOLE[..end];
        let answer = apply(&machine, prefix);
        if answer["result"].is_null() {
            assert_eq!(answer["error"]["code"], "broken-config", "{end}: {answer}");
            assert_eq!(pids(&machine), now, "{end}: {answer}\n{}", machine.story());
            refused += 1;
            continue;
        }
        followed += 1;
        let whole = |(_, next): &&(&str, &str)| end_of(next) <= end;
        // Whose block is whole runs on; the rest goes, or comes as far as it is there.
        let kept = |pids: &BTreeMap<String, Option<i64>>| {
            RUN.iter().filter(whole).map(|(name, _)| pids.get(*name).copied()).collect::<Vec<_>>()
        };
        assert_eq!(kept(&pids(&machine)), kept(&now), "{end}: {answer}\n{}", machine.story());
        let there: toml::Table = prefix.parse().unwrap();
        machine.wait("what is missing to go", |m| {
            let missing = |name: &String| {
                let service = name.split('@').next().unwrap();
                there.get("service").is_none_or(|services| services.get(service).is_none())
            };
            (!pids(m).iter().any(|(name, pid)| missing(name) && pid.is_some())).then_some(())
        });
        assert!(apply(&machine, WHOLE)["error"].is_null());
        let after = all_up(&machine);
        assert_eq!(kept(&after), kept(&now), "{end}\n{}", machine.story());
        now = after;
    }
    assert!(refused > 500 && followed > 20, "{refused} {followed}");
    assert_eq!(all_up(&machine), now);
}
