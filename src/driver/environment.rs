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

/// `NAME=value` lines as systemd.exec(5) takes them in an EnvironmentFile: comments with # and
/// ;, quotes around a value or parts of it, a backslash for the next character or line.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", "");
    joined.lines().filter_map(assignment).collect()
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    good.then(|| (name.to_owned(), unquote(value.trim())))
}

fn unquote(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut quote = None;
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', Some('"') | None) => plain.extend(letters.next()),
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, _) => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_systemd_reads_it() {
        let text = "# a comment\nA=1\n; another\nB = \"two words\" \nexport C='it is'\nD=x\\\ny\n\
                    1BAD=no\nE=a\"b c\"d\nF=\n";
        let pairs = parse(text);
        let plain: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            plain,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "it is"),
                ("D", "xy"),
                ("E", "ab cd"),
                ("F", "")
            ]
        );
    }
}
