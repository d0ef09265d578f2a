//! Templates whose instances are found on the machine: where to look, and what was found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CommandLine;

/// A template whose instances are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSpec {
    /// Its name, or one that an instance of it would have, or provide, that is not known yet.
    pub name: String,
    /// Where its instances are found; none for such a name.
    pub search: Option<Search>,
    /// Whether the machine starts them by itself.
    pub enabled: bool,
    /// Whether somebody has looked.
    pub listed: bool,
    /// What there is to say about them: that nobody has looked yet, that none was found, or what
    /// was left out.
    pub remark: Option<String>,
}

/// Where instances are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Where to look.
    pub look: Look,
    /// How long that may take.
    pub timeout: Duration,
}

/// How instances are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// Each path that matches is one.
    Glob {
        /// The pattern, an absolute path.
        pattern: String,
        /// The name of an instance, with `$1` for what the first wildcard stands for.
        name: String,
    },
    /// Each line that this prints is one.
    Command(CommandLine),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listing {
    /// The instances, in order.
    pub instances: Vec<String>,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What the mistake of a template begins with of which nothing is known, since a look has failed.
pub const NO_LOOK: &str = "its instances cannot be found: ";
/// What the mistake of a name begins with that an instance would have, and none was found.
pub const NO_INSTANCE: &str = "no instance of ";

/// What makes up for the mistake that a name was left out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another file.
    File,
    /// A look for instances that does not fail.
    Look,
    /// An instance.
    Instance,
}

impl Remedy {
    /// That for a mistake.
    pub fn of(mistake: &str) -> Self {
        if mistake.starts_with(NO_LOOK) {
            Self::Look
        } else if mistake.starts_with(NO_INSTANCE) {
            Self::Instance
        } else {
            Self::File
        }
    }
}
