//! Where what a service says goes.

use std::path::PathBuf;

use super::super::raw::{Table, Value};
use super::super::report::{Problem, quoted};
use super::super::spec::{LogTarget, OwnLog};
use super::super::values;
use super::section::{Section, one_of};

/// Bytes of a tag, as many as syslog daemons take, and as finit keeps of a name.
const TAG_MAX: usize = 64;
/// What a busy service says at a time goes into its file at a time.
const LOG_LEAST: u64 = 64 << 10;

/// Keys that say more about lines: of the defaults they are those of services for which they do
/// something.
pub(super) const KEYS: [&str; 3] = ["log-stderr", "log-tag", "log-max"];

/// What a service says about its lines.
pub(super) fn output(s: &mut Section<'_, '_, '_>) -> (LogTarget, Option<Box<OwnLog>>) {
    let before = s.report.errors();
    let log = s.get("log", |text| target("log", text)).unwrap_or(LogTarget::Files);
    let own = OwnLog {
        stderr: s.get("log-stderr", |text| target("log-stderr", text)),
        tag: s.get("log-tag", tag),
        max_size: s.get("log-max", log_max),
    };
    if s.report.errors() == before {
        for key in KEYS {
            if let (Some(entry), Some(why)) = (s.entry(key), is_idle(key, s.whole())) {
                let problem = Problem::new(format!("`{key}` does nothing: {why}"));
                s.report.warning(entry.at, problem.hint("take it out"), &[]);
            }
        }
    }
    let stderr = own.stderr.filter(|target| *target != log);
    let own = OwnLog { stderr, ..own };
    let says = own != OwnLog::default();
    (log, says.then(|| Box::new(own)))
}

/// Why one of these keys does nothing beside what else a table says, if so.
pub(super) fn is_idle(key: &str, table: &Table) -> Option<&'static str> {
    let word = |key: &str| match table.get(key).map(|entry| &entry.node.value) {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let log = word("log").unwrap_or("files");
    let stderr = word("log-stderr").unwrap_or(log);
    let any = |is: fn(&str) -> bool| is(log) || is(stderr);
    match key {
        "log-stderr" if stderr == log => Some("its stderr goes where its stdout goes"),
        "log-tag" if !any(|word| !matches!(word, "files" | "none")) => {
            Some("no name stands before lines in a file of its own")
        }
        "log-max" if !any(|word| word == "files" || word.starts_with("file:")) => {
            Some("its lines go to no file")
        }
        _ => None,
    }
}

/// Longest path of a log file, with what it is called when it is rotated; the writer notes no
/// longer one.
const FILE_LONGEST: usize = 1000;

/// Longest path of their folder, below which there are names of services.
pub(super) const FOLDER_LONGEST: usize = 500;

fn target(key: &str, text: &str) -> Result<LogTarget, Problem> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(LogTarget::File(PathBuf::from(values::absolute_within(path, FILE_LONGEST)?)));
    }
    let words: [(&str, usize); 5] =
        [("files", 0), ("kmsg", 1), ("console", 2), ("none", 3), ("syslog", 4)];
    Ok(match one_of(key, text, &words)? {
        0 => LogTarget::Files,
        1 => LogTarget::Kmsg,
        2 => LogTarget::Console,
        3 => LogTarget::None,
        _ => LogTarget::Syslog,
    })
}

/// A tag: what no syslog daemon takes for its end, or for a part of the message.
fn tag(text: &str) -> Result<String, Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:@-/+".contains(c);
    if text.is_empty() {
        return Err(Problem::new("a tag cannot be empty").hint("leave it out to have the name"));
    }
    if let Some((start, c)) = text.char_indices().find(|(_, c)| !fits(*c)) {
        let message = format!("{} cannot stand in a tag", quoted(&c.to_string()));
        let at = start..start.saturating_add(c.len_utf8());
        return Err(Problem::new(message)
            .hint("letters, digits and any of _ . : @ - / + can")
            .at(at));
    }
    if text.len() > TAG_MAX {
        let problem = Problem::new(format!("the tag {} is too long", quoted(text)));
        return Err(problem.hint(format!("at most {TAG_MAX} bytes")));
    }
    Ok(text.to_owned())
}

/// A size, or none at all: 0.
pub(super) fn log_max(text: &str) -> Result<u64, Problem> {
    if text == "never" {
        return Ok(0);
    }
    let size = values::size(text)?;
    if size < LOG_LEAST {
        return Err(Problem::new(format!("{} is too small for a log file", quoted(text)))
            .hint("at least \"64K\"; \"never\" for a file that is not rotated"));
    }
    Ok(size)
}
