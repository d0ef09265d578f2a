//! The rules of the house that no compiler knows: which room may name which, where unsafe code
//! and tokio live, how long a file may be, what PID 1 links, and that nothing is left out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]
#![allow(missing_docs, reason = "the names of tests say it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and those it may name: only what is on a floor below, and `facts` for all.
const ROOMS: [(&str, &[&str]); 11] = [
    ("facts", &[]),
    ("os", &["facts"]),
    ("proto", &["facts"]),
    ("calendar", &["facts"]),
    ("config", &["facts", "os", "calendar"]),
    ("engine", &["facts", "proto", "calendar", "config"]),
    ("boot", &["facts", "os", "config"]),
    ("logger", &["facts", "os"]),
    ("probe", &["facts", "os", "config"]),
    (
        "driver",
        &["facts", "os", "proto", "calendar", "config", "engine", "boot", "logger", "probe"],
    ),
    ("client", &["facts", "os", "calendar", "proto", "config"]),
];

/// Longest file, in lines.
const LONGEST: usize = 500;

/// What PID 1 may link by its own wish; each is in README with its reason.
const LINKED: [&str; 6] = ["libc", "nix", "serde", "serde_json", "tokio", "toml"];

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with their text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(top()).unwrap().to_owned(), text));
        }
    }
    found
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn room_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// What stands after `crate::`, each name of a list in braces included.
fn named(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(|line| format!("{}\n", code(line))).collect();
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let listed = rest.strip_prefix('{').and_then(|list| list.split('}').next());
        for one in listed.unwrap_or(rest).split(',').take(if listed.is_some() { 99 } else { 1 }) {
            let name = one.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next();
            names.insert(name.unwrap_or_default().to_owned());
        }
    }
    names
}

/// What is found wrong with lines of the files below a folder, each told with its place.
fn wrong_lines(folder: &str, find: impl Fn(&Path, &str) -> Option<&'static str>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in sources(&top().join(folder)) {
        for (number, line) in (1..).zip(text.lines()) {
            let found = find(&path, line);
            wrong.extend(found.map(|what| format!("{}:{number}: {what}", path.display())));
        }
    }
    wrong
}

fn all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_room_names_only_those_below_it() {
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, text) in sources(&top().join("src")) {
        let room = room_of(&path);
        let Some((_, below)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        seen.insert(room.clone());
        for name in named(&text) {
            if rooms.contains(&*name) && name != room && !below.contains(&&*name) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert_eq!(seen.len(), ROOMS.len(), "rooms that are not there: {seen:?}");
    all_right(&wrong);
}

#[test]
fn unsafe_code_lives_in_os_and_tokio_in_the_driver() {
    let has_unsafe = ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code"];
    let mut wrong = wrong_lines("src", |path, line| {
        let is_unsafe = has_unsafe.iter().any(|word| code(line).contains(word));
        (is_unsafe && room_of(path) != "os").then_some("unsafe code")
    });
    wrong.extend(wrong_lines("src", |path, line| {
        (code(line).contains("tokio::") && room_of(path) != "driver").then_some("tokio")
    }));
    all_right(&wrong);
}

/// No clock, file, process, thread or hash map, whose order would differ from run to run.
#[test]
fn the_engine_is_pure() {
    let banned = [
        "Instant",
        "SystemTime",
        "std::fs",
        "std::process",
        "std::thread",
        "HashMap",
        "HashSet",
        "nix::",
    ];
    all_right(&wrong_lines("src/engine", |_, line| {
        banned.into_iter().find(|word| code(line).contains(word))
    }));
}

#[test]
fn files_stay_short() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in sources(&top().join(folder)) {
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.push(format!("{} has {lines} lines, {LONGEST} are the most", path.display()));
            }
        }
    }
    all_right(&wrong);
}

#[test]
fn no_test_is_left_out() {
    let is_ignored = |_: &Path, line: &str| {
        let is_ignored = line.trim_start().starts_with(concat!("#[", "ignore"));
        is_ignored.then_some("a test that nobody runs")
    };
    all_right(&[wrong_lines("src", is_ignored), wrong_lines("tests", is_ignored)].concat());
}

/// What cargo says that the program without the client is made of.
#[test]
fn pid_1_links_few_libraries_and_the_readme_says_why() {
    #[allow(clippy::disallowed_methods, reason = "a test may wait for a program")]
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--no-default-features"])
        .args(["--edges", "normal", "--depth", "1", "--prefix", "none", "--format", "{p}"])
        .current_dir(top())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let linked: Vec<&str> =
        text.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(linked, LINKED);
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    for name in LINKED {
        assert!(readme.contains(name), "README does not say why {name} is linked");
    }
}

/// The faults of `tests/mutants` still have their places in the code.
#[test]
fn each_mutant_has_one_place() {
    let list: toml::Table =
        fs::read_to_string(top().join("tests/mutants.toml")).unwrap().parse().unwrap();
    let mutants = list["mutant"].as_array().unwrap();
    assert!(mutants.len() >= 10);
    for mutant in mutants {
        let word = |key: &str| mutant[key].as_str().unwrap();
        assert!(["lives", "scenarios"].contains(&word("by")), "{mutant:?}");
        let text = fs::read_to_string(top().join(word("file"))).unwrap();
        assert_eq!(text.matches(word("old")).count(), 1, "{mutant:?}");
    }
}
