//! Two mistakes at a time: neither hides the other, and none is told twice.

use std::collections::BTreeMap;

use finit::config::{Source, parse};

/// A mistake: lines of the service `a`, lines of the service `b`, and tables beside them; and how
/// often something is said about it alone.
struct Mistake {
    what: &'static str,
    a: &'static str,
    b: &'static str,
    beside: &'static str,
    said: usize,
}

const fn of_a(what: &'static str, a: &'static str) -> Mistake {
    Mistake { what, a, b: "", beside: "", said: 1 }
}

const fn of_both(what: &'static str, a: &'static str, b: &'static str) -> Mistake {
    Mistake { what, a, b, beside: "", said: 1 }
}

const fn beside(what: &'static str, beside: &'static str) -> Mistake {
    Mistake { what, a: "", b: "", beside, said: 1 }
}

const MISTAKES: [Mistake; 38] = [
    of_a("an unknown key", "usre = 'x'"),
    of_a("a key of a later version", "slice = 'x'"),
    of_a("an unknown key of an inner table", "stop.sginal = 'TERM'"),
    of_a("two users", "dynamic-user = true\nuser = 'web'"),
    of_a("a wrong type", "nice = 'x'"),
    of_a("a wrong value", "umask = '999'"),
    of_a("a wrong duration", "start-timeout = 'soon'"),
    of_a("a wrong value of an inner table", "restart.burst = -1"),
    of_a("a wrong word", "stage = 'earyl'"),
    of_a("a wrong flag", "enabled = 'no'"),
    of_a("an unknown name that is needed", "needs = 'zebra'"),
    of_a("an unknown name that is wanted", "wants = 'giraffe'"),
    of_a("an unknown name that comes first", "after = 'rhino'"),
    of_a("an unknown target", "targets = 'savanna'"),
    of_a("itself", "before = 'a'"),
    of_a("a name that is none", "bound-to = 'no name'"),
    of_a("a taken alias", "alias = 'c'"),
    beside("a wrong time", "[task.e]\ncommand = '/x'\nschedule = 'daily 25:00'"),
    of_a("a wrong signal", "stop.signal = 'SIGFOO'"),
    of_a("a wrong condition", "only-if.exists = 3"),
    of_a("an unknown condition", "only-if.exsits = '/x'"),
    of_a("a wrong address", "listen = '70000'"),
    of_a("an unknown limit", "limits = { nofle = 3 }"),
    of_both("a wrong value of another", "", "nice = 77"),
    of_both("an unknown key of another", "", "descripton = 'x'"),
    of_both("an unknown name of another", "", "needs = 'lion'"),
    beside("nothing to run", "[service.d]\nnice = 3"),
    beside("two commands", "[service.d]\ncommand = '/x'\nscript = 'x'"),
    beside("a wrong list of instances", "[service.d]\ncommand = '/x'\ninstances = 'x'"),
    beside("a wrong instance", "[service.d]\ncommand = '/x'\ninstances = ['y', 3]"),
    beside("a name of finit", "[service.fsck]\ncommand = '/x'"),
    beside("an unknown table", "[sevrice.d]\ncommand = '/x'"),
    beside("an unknown key of a target", "[target.t]\nwnats = 'a'"),
    beside("an unknown name of a target", "[target.t]\nwants = 'tiger'"),
    beside("an override of nothing", "[override.service.nix]\nnice = 3"),
    beside("a wrong override", "[override.service.c]\nnice = 'y'"),
    beside("a wrong setting", "[boot]\nfstab = 'maybe'"),
    beside("an unknown setting", "[log]\ndirectroy = '/x'"),
];

/// Ties that are wrong, in services of their own, so that any of the others may be in them too.
const TIES: [Mistake; 5] = [
    of_both("a circle", "needs = 'b'", "needs = 'a'"),
    beside(
        "a circle of orders",
        "[service.f]\ncommand = '/f'\nafter = 'g'\n[service.g]\ncommand = '/g'\nafter = 'f'",
    ),
    of_both("rivals that need each other", "conflicts = 'b'", "wants = 'c'\nneeds = 'a'"),
    of_both("one alias", "alias = 'z'", "alias = 'z'"),
    of_both("one terminal", "tty = 'tty8'", "tty = 'tty8'"),
];

fn said(mistakes: &[&Mistake]) -> BTreeMap<String, usize> {
    let lines = |of: fn(&Mistake) -> &'static str| {
        mistakes.iter().map(|one| format!("{}\n", of(one))).collect::<String>()
    };
    let text = format!(
        "[service.a]\ncommand = '/a'\n{}[service.b]\ncommand = '/b'\n{}[service.c]\ncommand = '/c'\n{}",
        lines(|one| one.a),
        lines(|one| one.b),
        lines(|one| one.beside)
    );
    let mut said = BTreeMap::new();
    for diagnostic in parse(&[Source::new("/etc/finit.toml", text)]).diagnostics {
        *said.entry(diagnostic.message).or_default() += 1;
    }
    said
}

/// Mistakes in when, or with whom, `a` is there: nobody knows whom it excludes then.
const WHEN: [&str; 5] = [
    "a wrong word",
    "a wrong flag",
    "an unknown target",
    "a wrong address",
    "rivals that need each other",
];

/// Keys that a mistake says: two that say the same cannot stand in one service.
fn keys(lines: &str) -> Vec<&str> {
    lines.lines().filter_map(|line| line.split([' ', '.']).next()).collect()
}

fn fit(one: &Mistake, other: &Mistake) -> bool {
    let apart = |of: fn(&Mistake) -> &'static str| {
        let others = keys(of(other));
        !keys(of(one)).iter().any(|key| others.contains(key))
    };
    let vague = WHEN.contains(&one.what) && other.what == "one terminal";
    !vague
        && apart(|one| one.a)
        && apart(|one| one.b)
        && (one.beside.is_empty()
            || other.beside.is_empty()
            || one.beside.lines().next() != other.beside.lines().next())
}

#[test]
fn no_mistake_hides_another_and_none_is_told_twice() {
    let all: Vec<&Mistake> = MISTAKES.iter().chain(&TIES).collect();
    let mut wrong = Vec::new();
    for (number, one) in all.iter().enumerate() {
        let alone = said(&[one]);
        if alone.values().sum::<usize>() != one.said {
            wrong.push(format!("{} alone: {alone:?}", one.what));
        }
        for other in all.iter().skip(number + 1).filter(|other| fit(one, other)) {
            let mut expected = alone.clone();
            for (message, times) in said(&[other]) {
                *expected.entry(message).or_default() += times;
            }
            let both = said(&[one, other]);
            if both != expected {
                wrong.push(format!(
                    "{} and {}:\n  {both:?}\n  instead of {expected:?}",
                    one.what, other.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_defined_twice_is_read_twice_and_told_whole() {
    let file = |text: &str| Source::new("/etc/finit.toml.d/x.toml", text);
    let first = file("[service.a]\ncommand = '/a'\nalias = 'z'\ntty = 'tty1'\n");
    let second =
        file("[service.a]\ncommand = '/a'\nalias = 'z'\ntty = 'tty1'\nnice = 'x'\nusre = 'y'\n");
    let third = file("[target.a]\nwnats = 'b'\n[service.b]\ncommand = '/b'\nneeds = 'zebra'\n");
    let diagnostics = parse(&[first, second, third]).diagnostics;
    let told: Vec<&str> = diagnostics.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(told.iter().filter(|one| one.contains("defined twice")).count(), 2, "{told:?}");
    for message in ["`nice` must", "unknown key `usre`", "unknown key `wnats`", "`zebra`"] {
        assert_eq!(told.iter().filter(|one| one.contains(message)).count(), 1, "{told:?}");
    }
    assert_eq!(told.len(), 6, "{told:?}");
}
