//! Files of variables, `env-file`, read by a child of finit: one may be on a file system that does
//! not answer, and PID 1 waits for nobody. The child gets the paths as JSON, and says in JSON what
//! they set or which of them cannot be read.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::spec::Missing;
use crate::facts::{Errno, SpawnError, Stage};
use crate::os::fds;

/// The word that makes finit such a child; its second word is the JSON.
pub const READ: &str = "--read-variables";

/// Bytes of a file that are read.
const FILE_MAX: usize = 256 * 1024;

/// What files set, the later ones last, or which one cannot be read.
pub type Answer = Result<Vec<(String, String)>, SpawnError>;

/// What cannot be had.
pub fn failed(errno: Errno, subject: String) -> SpawnError {
    SpawnError { stage: Stage::EnvFile, errno, subject }
}

/// Reads, and says it on stdout.
pub fn read(json: &str) -> u8 {
    let answer: Answer = match serde_json::from_str::<Vec<(PathBuf, Missing)>>(json) {
        Ok(files) => files.iter().try_fold(Vec::new(), |mut all, (path, missing)| {
            all.extend(read_one(path, *missing)?);
            Ok(all)
        }),
        Err(error) => Err(failed(Errno(libc::EINVAL), error.to_string())),
    };
    let bytes = serde_json::to_vec(&answer).unwrap_or_default();
    u8::from(std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()).is_err())
}

fn read_one(path: &Path, missing: Missing) -> Answer {
    match fds::read_small(path, FILE_MAX) {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(Errno(libc::ENOENT)) if missing == Missing::Allowed => Ok(Vec::new()),
        Err(errno) => Err(failed(errno, path.display().to_string())),
    }
}

/// Where in a file of variables a letter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    BeforeName,
    Comment,
    Name,
    BeforeValue,
    Value,
    Single,
    Double,
}

/// `NAME=value` lines as systemd.exec(5) takes them in an EnvironmentFile: comments with # and ;,
/// quotes where a value begins, over several lines if need be, a backslash for the next letter or
/// line; and an `export` before it, as the shell has it.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let (mut name, mut value) = (String::new(), String::new());
    // How much of the value is not mere blanks at its end.
    let mut solid = 0;
    let mut found = Vec::new();
    let mut part = Part::BeforeName;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        part = match (part, letter) {
            (Part::BeforeName, '#' | ';') => Part::Comment,
            (Part::BeforeName, blank) if blank.is_whitespace() => Part::BeforeName,
            (Part::Comment, '\\') => {
                letters.next();
                Part::Comment
            }
            (Part::Comment, '\n') => Part::BeforeName,
            (Part::Comment, _) => Part::Comment,
            (Part::Name, '\n') => {
                name.clear();
                Part::BeforeName
            }
            (Part::Name, '=') => Part::BeforeValue,
            (Part::BeforeName | Part::Name, letter) => {
                name.push(letter);
                Part::Name
            }
            (Part::BeforeValue | Part::Value, '\n') => {
                value.truncate(solid);
                found.extend(assignment(std::mem::take(&mut name), std::mem::take(&mut value)));
                solid = 0;
                Part::BeforeName
            }
            (Part::BeforeValue, '\'') => Part::Single,
            (Part::BeforeValue, '"') => Part::Double,
            (Part::BeforeValue, blank) if blank.is_whitespace() => Part::BeforeValue,
            (Part::BeforeValue | Part::Value, '\\') => {
                value.extend(letters.next().filter(|next| *next != '\n'));
                solid = value.len();
                Part::Value
            }
            (Part::BeforeValue | Part::Value, letter) => {
                value.push(letter);
                solid = if letter.is_whitespace() { solid } else { value.len() };
                Part::Value
            }
            (Part::Single, '\'') | (Part::Double, '"') => {
                solid = value.len();
                Part::BeforeValue
            }
            (Part::Double, '\\') => {
                match letters.next() {
                    Some(next) if "\"\\`$".contains(next) => value.push(next),
                    Some('\n') | None => {}
                    Some(next) => value.extend(['\\', next]),
                }
                Part::Double
            }
            (Part::Single | Part::Double, letter) => {
                value.push(letter);
                part
            }
        };
    }
    if !matches!(part, Part::BeforeName | Part::Comment | Part::Name) {
        if matches!(part, Part::BeforeValue | Part::Value) {
            value.truncate(solid);
        }
        found.extend(assignment(name, value));
    }
    found
}

fn assignment(name: String, value: String) -> Option<(String, String)> {
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim_start);
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    good.then(|| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_systemd_reads_it() {
        let read = |text: &str| {
            let pair = |(name, value)| format!("{name}|{value}");
            parse(text).into_iter().map(pair).collect::<Vec<_>>()
        };
        let text = "# a comment\\\nA=in it\nA=1\n; another\nB = \"two words\" \nexport C='it is'\n\
                    D=x\\\ny \n1BAD=no\nE=a\"b c\"d\nF=\n";
        assert_eq!(read(text), ["A|1", "B|two words", "C|it is", "D|xy", "E|a\"b c\"d", "F|"]);
        // What libsystemd's load_env_file() makes of them.
        for (line, value) in [
            (r#"X={"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"X="^\d+\"\$\\""#, r#"^\d+"$\"#),
            ("X=it's fine", "it's fine"),
            ("X=\"-----BEGIN-----\nAAA=\n-----END-----\"", "-----BEGIN-----\nAAA=\n-----END-----"),
            (r"X='a\b'", r"a\b"),
            (r"X=C:\\new\ line\ ", r"C:\new line "),
            ("X=\"one\" two  ", "onetwo"),
            ("X=\"no end ", "no end "),
        ] {
            assert_eq!(read(line), [format!("X|{value}")], "{line}");
        }
    }
}
