//! The scenarios of other inits, what inits broke at, and the test that shows each:
//! `tests/catalogue.toml` and `tests/hazards.toml` are the lists. They are complete, their tests are
//! there, their reasons hold, and `tests/run` prints them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail, and this one is to be read"
)]
#![allow(missing_docs, reason = "the names of tests say it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A list of scenarios: which there are, and what is known of each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    of: String,
    ids: Vec<String>,
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    what: String,
    #[serde(default)]
    test: Tests,
    left_out: Option<String>,
    lacks: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tests {
    One(String),
    Many(Vec<String>),
}

/// What finit does not have. Lines of a service or a task that it refuses for that.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lack {
    because: String,
    service: Option<String>,
    task: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Catalogue {
    lacks: BTreeMap<String, Lack>,
    #[serde(flatten)]
    lists: BTreeMap<String, List>,
}

impl Default for Tests {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Row {
    fn tests(&self) -> &[String] {
        match &self.test {
            Tests::One(test) => std::slice::from_ref(test),
            Tests::Many(tests) => tests,
        }
    }

    /// Why it is left out, or a part of it.
    fn reason<'a>(&'a self, catalogue: &'a Catalogue) -> Option<&'a str> {
        let lack = self.lacks.as_ref().map(|name| catalogue.lacks[name].because.as_str());
        self.left_out.as_deref().or(lack)
    }
}

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A name that is there twice is no TOML: reading it is the test for that.
fn catalogue() -> Catalogue {
    let read = |name: &str| fs::read_to_string(top().join("tests").join(name)).unwrap();
    let text = format!("{}\n{}", read("catalogue.toml"), read("hazards.toml"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("both lists, one after the other: {error}"))
}

/// All names of a list: A1..A3 is A1, A2, A3.
fn names(ids: &[String]) -> Vec<String> {
    let number = |id: &str| {
        let stem = id.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number: u32 = id.strip_prefix(&stem).unwrap().parse().expect("a number at the end");
        (stem, number)
    };
    let all = ids.iter().flat_map(|id| match id.split_once("..") {
        None => vec![id.clone()],
        Some((first, last)) => {
            let ((stem, from), (same, to)) = (number(first), number(last));
            assert!(stem == same && from < to, "{id} is no range");
            (from..=to).map(|number| format!("{stem}{number}")).collect()
        }
    });
    all.collect()
}

/// The file that a test is in, by the modules before its name.
fn file(binary: &str, modules: &[&str]) -> Option<PathBuf> {
    let tests = top().join("tests");
    let folder = if binary == "finit" { top().join("src") } else { tests.join(binary) };
    if binary == "vm" {
        return Some(folder.join(format!("{}.py", modules.first()?)));
    }
    // The tests of a module may be in one of its own, in the same file.
    let modules = modules.strip_suffix(&["tests"]).unwrap_or(modules);
    if modules.is_empty() {
        let one = tests.join(format!("{binary}.rs"));
        return Some(if one.exists() { one } else { folder.join("main.rs") });
    }
    let path = folder.join(modules.join("/"));
    let one = path.with_extension("rs");
    Some(if one.exists() { one } else { path.join("mod.rs") })
}

/// The tests of a file.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let name = |line: &str, word| -> Option<String> {
        Some(line.trim().strip_prefix(word)?.split('(').next()?.to_owned())
    };
    if path.extension().is_some_and(|extension| extension == "py") {
        return text.lines().filter_map(|line| name(line, "def ")).collect();
    }
    let after = text.split("#[test]").skip(1);
    after.filter_map(|rest| rest.lines().find_map(|line| name(line, "fn "))).collect()
}

/// Whether cargo knows a test of this name.
fn is_there(test: &str) -> bool {
    let parts: Vec<&str> = test.split("::").collect();
    let [binary, modules @ .., name] = parts.as_slice() else { return false };
    file(binary, modules).is_some_and(|path| tests_in(&path).contains(*name))
}

fn all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "tests/catalogue.toml and tests/hazards.toml:\n{}", wrong.join("\n"));
}

#[test]
fn each_scenario_has_a_row_and_each_row_is_a_scenario() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (prefix, list) in catalogue().lists {
        let known = names(&list.ids);
        for id in &known {
            if !list.rows.contains_key(id) {
                wrong.push(format!("{id} has no row"));
            }
            if !seen.insert(id.clone()) {
                wrong.push(format!("{id} is there twice"));
            }
        }
        for id in list.rows.keys() {
            if !known.contains(id) || !id.starts_with(&prefix) {
                wrong.push(format!("{id} is no scenario of [{prefix}]"));
            }
        }
    }
    assert!(seen.len() >= 530, "only {} scenarios", seen.len());
    all_right(&wrong);
}

#[test]
fn each_scenario_has_a_test_that_is_there_or_a_reason() {
    let catalogue = catalogue();
    let mut wrong = Vec::new();
    let mut lacked = BTreeSet::new();
    for (id, row) in catalogue.lists.values().flat_map(|list| &list.rows) {
        for test in row.tests().iter().filter(|test| !is_there(test)) {
            wrong.push(format!("{id}: there is no test {test}"));
        }
        if let Some(name) = row.lacks.as_ref().filter(|name| !catalogue.lacks.contains_key(*name)) {
            wrong.push(format!("{id} lacks {name}, which is not in [lacks]"));
            continue;
        }
        lacked.extend(row.lacks.clone());
        let reason = row.reason(&catalogue);
        if row.what.trim().is_empty() || reason.is_some_and(|reason| reason.trim().is_empty()) {
            wrong.push(format!("{id} does not say what it is, or why it is left out"));
        }
        if row.tests().is_empty() && reason.is_none() {
            wrong.push(format!("{id} has neither a test nor a reason"));
        }
        if row.left_out.is_some() && row.lacks.is_some() {
            wrong.push(format!("{id} has two reasons"));
        }
    }
    let idle = catalogue.lacks.keys().filter(|name| !lacked.contains(*name));
    wrong.extend(idle.map(|name| format!("nobody lacks {name}")));
    all_right(&wrong);
}

/// A test that is named after a scenario is in the list under that name.
#[test]
fn each_test_that_is_named_after_a_scenario_is_its_test() {
    let catalogue = catalogue();
    let of: BTreeMap<String, &Row> = catalogue
        .lists
        .values()
        .flat_map(|list| &list.rows)
        .map(|(id, row)| (id.to_lowercase().replace(['-', '@'], "_"), row))
        .collect();
    let tests = top().join("tests");
    let folder = fs::read_dir(tests.join("engine/catalogue")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.extend(["pid1/catalogue.rs", "pid1/lines.rs"].map(|name| tests.join(name)));
    let mut wrong = Vec::new();
    let mut count = 0;
    for test in files.iter().flat_map(|path| tests_in(path)) {
        count += 1;
        // The longest id counts: ni1005_down_added is none of ni1005.
        let ids = of.keys().filter(|id| test.starts_with(&format!("{id}_")));
        let Some(id) = ids.max_by_key(|id| id.len()) else {
            wrong.push(format!("{test} has the name of no scenario"));
            continue;
        };
        if !of[id].tests().iter().any(|named| named.ends_with(&format!("::{test}"))) {
            wrong.push(format!("{test} is not the test of {id}"));
        }
    }
    assert!(count >= 70, "only {count} tests were found");
    all_right(&wrong);
}

/// Once this version takes what a scenario lacked, the scenario is due.
#[test]
fn what_is_lacking_is_refused_by_this_version() {
    let catalogue = catalogue();
    let rows = || catalogue.lists.values().flat_map(|list| &list.rows);
    let mut wrong = Vec::new();
    for (name, lack) in &catalogue.lacks {
        for (kind, lines) in [("service", &lack.service), ("task", &lack.task)] {
            let Some(lines) = lines else { continue };
            let text = format!("[{kind}.x]\ncommand = '/x'\n{lines}\n");
            let source = finit::config::Source::new("/etc/finit.toml", text);
            let errors = finit::config::parse(&[source]).errors().join("\n");
            if !errors.contains("this version") {
                let due = rows().filter(|(_, row)| row.lacks.as_ref() == Some(name));
                let due: Vec<&str> = due.map(|(id, _)| id.as_str()).collect();
                wrong.push(format!("{name} is there now; due are {}\n{errors}", due.join(", ")));
            }
        }
    }
    all_right(&wrong);
}

/// The list for people: cargo test --test catalogue -- --nocapture shown
#[test]
fn the_list_is_shown() {
    let catalogue = catalogue();
    let mut page = String::new();
    let (mut whole, mut parts, mut none) = (0, 0, 0);
    for list in catalogue.lists.values() {
        writeln!(page, "\n{}", list.of).unwrap();
        for id in names(&list.ids) {
            let row = &list.rows[&id];
            let reason = row.reason(&catalogue);
            match (row.tests(), reason) {
                ([], _) => none += 1,
                (_, Some(_)) => parts += 1,
                (_, None) => whole += 1,
            }
            let tests = row.tests().iter().cloned();
            let left_out = reason.map(|reason| {
                let how = if row.tests().is_empty() { "left out" } else { "in part" };
                format!("{how}: {reason}")
            });
            let said: Vec<String> = tests.chain(left_out).collect();
            writeln!(page, "{id} · {} · {}", row.what, said.join(", ")).unwrap();
        }
    }
    let all = whole + parts + none;
    print!("{page}\n{all} scenarios: {whole} shown, {parts} in part, {none} left out\n");
    let rows: usize = catalogue.lists.values().map(|list| list.rows.len()).sum();
    assert_eq!((all, page.matches(" · ").count()), (rows, 2 * rows));
}
