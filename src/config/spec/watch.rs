//! Paths that start a service or a task, and what is seen of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A path that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// For what.
    pub trigger: Trigger,
    /// The path, or a pattern of paths.
    pub path: String,
}

/// What of a path counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// It came, went, or is another one now.
    Changed,
    /// The same, and each write.
    Modified,
    /// It is there.
    Exists,
    /// One that matches is there.
    Glob,
    /// It has something in it.
    NotEmpty,
}

impl Trigger {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 5] =
        [Self::Changed, Self::Modified, Self::Exists, Self::Glob, Self::NotEmpty];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Modified => "modified",
            Self::Exists => "exists",
            Self::Glob => "glob",
            Self::NotEmpty => "not-empty",
        }
    }

    /// Whether it goes on: it holds or it does not. Others happen.
    pub fn is_level(self) -> bool {
        match self {
            Self::Exists | Self::Glob | Self::NotEmpty => true,
            Self::Changed | Self::Modified => false,
        }
    }
}

/// Something that was seen of a watched path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// What.
    pub trigger: Trigger,
    /// Of which path; of a pattern, the one that matches.
    pub path: String,
    /// What it was like, in a number: the same as long as nothing of it changes.
    pub mark: u64,
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.trigger {
            Trigger::Changed => write!(f, "path {path} changed"),
            Trigger::Modified => write!(f, "path {path} was modified"),
            Trigger::Exists | Trigger::Glob => write!(f, "path {path} exists"),
            Trigger::NotEmpty => write!(f, "path {path} is not empty"),
        }
    }
}
