//! What is wrong with a text, where, and what to write instead.

use std::fmt;
use std::ops::Range;

/// A mistake in the text of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub hint: String,
    /// Which bytes of the text it is about.
    pub at: Range<usize>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl std::error::Error for Mistake {}
