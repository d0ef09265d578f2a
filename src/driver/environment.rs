//! The environment of a service: made from nothing, so that no word of the kernel command line
//! and no secret of PID 1 leaks into it. PATH, HOME, USER, LOGNAME, SHELL, LANG; then files;
//! then the words of its definition.

use std::path::Path;

use crate::config::spec::{ExecSpec, Missing};
use crate::facts::{Errno, SpawnError, Stage};
use crate::os::fds;
use crate::os::users::User;

/// Where programs are looked for, as Debian's login does for root.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes of an environment file that are read.
const FILE_MAX: usize = 256 * 1024;

/// Variables in order; setting one again keeps its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// The environment of a service that runs as `user`. `own` is PID 1's, for `env-pass`.
    ///
    /// # Errors
    /// A file of variables that cannot be read.
    pub fn make(
        exec: &ExecSpec,
        user: Option<&User>,
        own: &[(String, String)],
    ) -> Result<Self, SpawnError> {
        let mut made = Self::default();
        let of = |get: fn(&User) -> String, root: &str| user.map_or(root.to_owned(), get);
        made.set("PATH", PATH);
        made.set("HOME", &of(|user| user.home.display().to_string(), "/root"));
        made.set("USER", &of(|user| user.name.clone(), "root"));
        made.set("LOGNAME", &of(|user| user.name.clone(), "root"));
        made.set("SHELL", &of(|user| user.shell.display().to_string(), "/bin/sh"));
        made.set("LANG", "C.UTF-8");
        if exec.tty.is_some() {
            let console = exec.tty.as_deref().is_some_and(|tty| {
                tty.strip_prefix("tty").is_some_and(|n| n.parse::<u8>().is_ok())
            });
            made.set("TERM", if console { "linux" } else { "vt220" });
        }
        for name in &exec.env_pass {
            if let Some((_, value)) = own.iter().find(|(known, _)| known == name) {
                made.set(name, value);
            }
        }
        for (path, missing) in &exec.env_files {
            made.read(path, *missing)?;
        }
        for (name, value) in &exec.env {
            made.set(name, value);
        }
        for name in &exec.env_unset {
            made.0.retain(|(known, _)| known != name);
        }
        Ok(made)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// As the kernel takes it.
    pub fn into_bytes(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect()
    }

    fn read(&mut self, path: &Path, missing: Missing) -> Result<(), SpawnError> {
        let bytes = match fds::read_small(path, FILE_MAX) {
            Ok(bytes) => bytes,
            Err(Errno(libc::ENOENT)) if missing == Missing::Allowed => return Ok(()),
            Err(errno) => {
                let subject = path.display().to_string();
                return Err(SpawnError { stage: Stage::EnvFile, errno, subject });
            }
        };
        for (name, value) in parse(&String::from_utf8_lossy(&bytes)) {
            self.set(&name, &value);
        }
        Ok(())
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
