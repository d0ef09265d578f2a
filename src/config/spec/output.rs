//! Where what a service says goes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ExecSpec;

/// Where the output of a service goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogTarget {
    /// A file of its own in the log folder.
    Files,
    /// The syslog daemon, by /dev/log.
    Syslog,
    /// /dev/kmsg.
    Kmsg,
    /// The console.
    Console,
    /// Nowhere.
    None,
    /// This file, appended to.
    File(PathBuf),
}

/// What few say of their lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnLog {
    /// Where its stderr goes, if not to where its stdout does.
    pub stderr: Option<LogTarget>,
    /// What stands before its lines, instead of its name.
    pub tag: Option<String>,
    /// Bytes after which a file of its lines is rotated, instead of those of `[log]`; 0 for never.
    pub max_size: Option<u64>,
}

/// One of the two streams of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Its stdout, and its stderr where that goes to the same place.
    Output,
    /// A stderr that goes to a place of its own.
    Errors,
}

/// What a stream is to the processes of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlet {
    /// A pipe to the log writer.
    Lines,
    /// The console itself.
    Console,
    /// /dev/null.
    Nothing,
}

impl ExecSpec {
    /// What stands before its lines, if not its name.
    pub fn log_tag(&self) -> Option<&str> {
        self.own_log.as_ref()?.tag.as_deref()
    }

    /// Bytes after which a file of its lines is rotated, if not those of `[log]`.
    pub fn log_max(&self) -> Option<u64> {
        self.own_log.as_ref()?.max_size
    }

    /// Where its stderr goes, if not to where its stdout does.
    pub fn log_stderr(&self) -> Option<&LogTarget> {
        self.own_log.as_ref()?.stderr.as_ref()
    }

    /// Where a stream goes.
    pub fn log_of(&self, stream: Stream) -> &LogTarget {
        match stream {
            Stream::Output => &self.log,
            Stream::Errors => self.log_stderr().unwrap_or(&self.log),
        }
    }

    /// What a stream is. The console is written to by the service itself, unless something is to
    /// stand before its lines.
    pub fn outlet(&self, stream: Stream) -> Outlet {
        match self.log_of(stream) {
            LogTarget::None => Outlet::Nothing,
            LogTarget::Console if self.log_tag().is_none() => Outlet::Console,
            LogTarget::Files
            | LogTarget::Syslog
            | LogTarget::Kmsg
            | LogTarget::Console
            | LogTarget::File(_) => Outlet::Lines,
        }
    }

    /// Whether its stderr is a pipe beside that of its stdout.
    pub fn has_own_errors(&self) -> bool {
        self.log_stderr().is_some() && self.outlet(Stream::Errors) == Outlet::Lines
    }

    /// Whether a process that was started by this has the descriptors that it would have by
    /// another one. A stderr with a pipe of its own goes on in that, wherever it leads.
    pub fn has_streams_of(&self, other: &Self) -> bool {
        let same = |stream| self.outlet(stream) == other.outlet(stream);
        let parts = other.has_own_errors() && !self.has_own_errors();
        same(Stream::Output) && same(Stream::Errors) && !parts
    }
}
