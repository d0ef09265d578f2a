//! The environment of a service: made from nothing, so that no word of the kernel command line
//! and no secret of PID 1 leaks into it. PATH, HOME, USER, LOGNAME, SHELL, LANG; then files;
//! then the words of its definition.

use crate::config::spec::ExecSpec;
use crate::os::users::User;

/// Where programs are looked for, as Debian's login does for root.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in order; setting one again keeps its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// The environment of a service that runs as `user`. `own` is PID 1's, for `env-pass`;
    /// `files` is what its files say.
    pub fn make(
        exec: &ExecSpec,
        user: Option<&User>,
        own: &[(String, String)],
        files: &[(String, String)],
    ) -> Self {
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
        for (name, value) in files.iter().chain(&exec.env) {
            made.set(name, value);
        }
        for name in &exec.env_unset {
            made.0.retain(|(known, _)| known != name);
        }
        made
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
}
