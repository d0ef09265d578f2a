//! The environment of a service: made from nothing, so that no word of the kernel command line
//! and no secret of PID 1 leaks into it. PATH, HOME, USER, LOGNAME, SHELL, LANG; then files;
//! then the words of its definition.

use std::borrow::Cow;

use crate::config::spec::ExecSpec;
use crate::os::users::User;

/// Where programs are looked for, as Debian's login does for root.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that most have, with a few of their own.
const USUAL: usize = 10;

/// Variables in order; setting one again keeps its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Environment<'a> {
    /// The environment of a service that runs as `user`. `own` is PID 1's, for `env-pass`;
    /// `files` is what its files say.
    pub fn make(
        exec: &'a ExecSpec,
        user: Option<&'a User>,
        own: &[(String, String)],
        files: &[(String, String)],
    ) -> Self {
        let mut made = Self(Vec::with_capacity(USUAL));
        let name = user.map_or("root", |user| &user.name);
        made.set("PATH", PATH);
        made.set("HOME", user.map_or("/root".into(), |user| user.home.to_string_lossy()));
        made.set("USER", name);
        made.set("LOGNAME", name);
        made.set("SHELL", user.map_or("/bin/sh".into(), |user| user.shell.to_string_lossy()));
        made.set("LANG", "C.UTF-8");
        if exec.tty.is_some() {
            let console = exec.tty.as_deref().is_some_and(|tty| {
                tty.strip_prefix("tty").is_some_and(|n| n.parse::<u8>().is_ok())
            });
            made.set("TERM", if console { "linux" } else { "vt220" });
        }
        for name in &exec.env_pass {
            if let Some((_, value)) = own.iter().find(|(known, _)| known == name) {
                made.set(name, value.clone());
            }
        }
        for (name, value) in files {
            made.set(name.clone(), value.clone());
        }
        for (name, value) in &exec.env {
            made.set(name, value);
        }
        for name in &exec.env_unset {
            made.0.retain(|(known, _)| known != name);
        }
        made
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// As the kernel takes it.
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }
}
