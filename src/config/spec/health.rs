//! Checks that are repeated while a service is up.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::exec::Hook;
use super::sockets::Address;

/// A check that is repeated while a service is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is looked at.
    pub check: Check,
    /// How long until the first one, and from the end of one to the next.
    pub every: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// So many in a row that fail are the end of the service.
    pub failures: u32,
}

/// What shows that a service is healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// This command ends with success.
    Command(Box<Hook>),
    /// Somebody accepts connections there.
    Accepts(Address),
    /// A web server there answers a GET of that path with a status from 200 to 399.
    Answers(Address, String),
}

impl Health {
    /// How long one check may take: a command may have a time of its own.
    pub fn patience(&self) -> Duration {
        match &self.check {
            Check::Command(hook) => hook.timeout.unwrap_or(self.timeout),
            Check::Accepts(_) | Check::Answers(..) => self.timeout,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(_) => f.write_str("command"),
            Self::Accepts(address) => address.fmt(f),
            Self::Answers(Address::TcpPort(port), path) => write!(f, "http://:{port}{path}"),
            Self::Answers(Address::Tcp(address), path) => write!(f, "http://{address}{path}"),
            Self::Answers(other, path) => write!(f, "http://{other}{path}"),
        }
    }
}
