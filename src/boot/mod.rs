//! What is done before the services and after them: each step a few lines that read like the
//! blog post that started this.
//!
//! A step is an async function from a [`Context`] to a [`Report`]; the graph (in
//! `engine::steps`) says what each waits for, the driver runs them side by side, times them
//! and reports them. A failed step is told and the boot goes on. Steps that only make system
//! calls which cannot hang make them here; what can hang runs as a child with a deadline.
//!
//! The small files of the platform, in /proc, /sys, /run, /etc and /usr/lib, are read here
//! directly and capped: they lie in memory or on the very file system that PID 1 was loaded
//! from, so waiting for them is waiting for what the machine cannot start without. Anything on
//! another disk or on the network is the business of a child.

pub mod conditions;
pub mod initramfs;
pub mod instances;
pub mod session;
pub mod shutdown;
pub mod steps;
pub mod unmount;
pub mod variables;
pub mod watcher;

mod carriers;
mod clock;
mod conf;
mod console;
mod crypt;
mod devices;
mod disks;
mod everyone;
mod fsck;
mod fstab;
mod modules;
mod mount_point;
mod mounts;
mod names;
mod nodes;
mod notes;
mod program;
mod record;
mod seed;
mod settings;
mod storage;
mod tmpfiles;
mod way;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::spec::BootSpec;
use crate::facts::{Exit, SpawnError};

/// What a step may ask of the driver.
pub trait Tools: Clone + Send + Sync + 'static {
    /// Runs a program to its end and keeps the first 8 KiB of what it said. The program is
    /// killed when `deadline` has passed.
    fn run(
        &self,
        program: &[&str],
        deadline: Duration,
    ) -> impl Future<Output = Result<Finished, RunError>> + Send;

    /// Tells the person at the console.
    fn say(&self, line: &str);

    /// Waits.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Waits until PID 1 has no child left, at most that long; whether that came true.
    fn everyone_gone(&self, deadline: Duration) -> impl Future<Output = bool> + Send;
}

/// A program that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote on stdout and stderr, the first 8 KiB.
    pub output: String,
}

/// Why a program has no exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// It did not start.
    Spawn(SpawnError),
    /// It was killed at its deadline.
    TooLate(Duration),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => error.fmt(f),
            Self::TooLate(deadline) if deadline.subsec_millis() == 0 => {
                write!(f, "not done after {} s, killed", deadline.as_secs())
            }
            Self::TooLate(deadline) => {
                write!(f, "not done after {} ms, killed", deadline.as_millis())
            }
        }
    }
}

/// What a step has to go by.
#[derive(Debug, Clone)]
pub struct Context {
    /// The `[boot]` table.
    pub boot: BootSpec,
    /// Words of the kernel command line.
    pub words: Vec<String>,
    /// Whether this is a machine or a container: hardware is left alone in a container.
    pub place: Place,
    /// What stands for `/`: another folder only in tests, which leave this machine alone.
    pub root: PathBuf,
}

impl Context {
    /// Where the file of that absolute name is.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Whether that word is on the kernel command line.
    fn has_word(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    /// What the kernel command line says for `key=`; the last one counts.
    fn value(&self, key: &str) -> Option<&str> {
        self.values(key).last()
    }

    /// Everything that the kernel command line says for `key=`.
    fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.words
            .iter()
            .filter_map(move |word| word.split_once('='))
            .filter_map(move |(name, value)| (name == key).then_some(value))
    }
}

/// Where finit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// PID 1 of the kernel.
    Machine,
    /// PID 1 of a PID namespace.
    Container,
}

/// How a step went.
pub type Report = Result<Done, String>;

/// A step that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It did its work.
    Worked,
    /// There was nothing to do, and why.
    Skipped(&'static str),
}

/// finit itself, for a child that is to be one of its [`helper`]s: what is executed is the
/// program of the process that asks, even after its file was replaced.
pub const MYSELF: &str = "/proc/self/exe";

/// The same for helpers with a second word, which is what they are about.
pub fn helper_about(word: &str, subject: &str) -> Option<u8> {
    match word {
        conditions::CHECK => Some(conditions::check(subject)),
        variables::READ => Some(variables::read(subject)),
        instances::FIND => Some(instances::find(subject)),
        conditions::AWAIT => Some(conditions::look_out(subject)),
        watcher::WORD => Some(watcher::watch(subject)),
        session::WORD => Some(session::note(subject)),
        nodes::MAKE => Some(nodes::make(subject)),
        mount_point::MAKE => Some(mount_point::make(subject)),
        settings::writer::WRITE => Some(settings::writer::write(subject)),
        _ => None,
    }
}

/// What finit does as a helper of itself, when it is not PID 1 and `word` is its only
/// argument: the exit status, or none when the word is for somebody else. Helpers may block:
/// they have a deadline, and nobody waits for them but a step.
pub fn helper(word: &str) -> Option<u8> {
    match word {
        carriers::FIND => Some(carriers::find()),
        unmount::GENTLY => Some(unmount::unmount_gently()),
        unmount::WRITE => Some(unmount::write_out()),
        unmount::ALL => Some(unmount::unmount_all()),
        seed::RENEW => Some(seed::renew()),
        seed::SAVE => Some(seed::save()),
        record::UP => Some(record::up()),
        record::DOWN => Some(record::down()),
        _ => None,
    }
}
