//! The control client: what a person types, the lines to PID 1, and what comes back in words.
//!
//! It runs once and ends, so it may block, and it knows neither tokio nor the engine. The
//! arrows: [`verbs`] (what can be typed) → one file a subject → [`connect`] (the socket) and
//! [`output`] (the terminal). Nothing that came from outside reaches a terminal without
//! [`text::clean`]. Nothing acts on a word that is not understood.
//!
//! `finit` itself, started as `init` beside a running PID 1, needs [`words`] alone: the rest is
//! left out of a build without the feature `client`.

#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod advice;
#[cfg(feature = "client")]
pub mod cgroup;
#[cfg(feature = "client")]
pub mod change;
pub mod connect;
#[cfg(feature = "client")]
pub mod detail;
#[cfg(feature = "client")]
pub mod enable;
#[cfg(feature = "client")]
pub mod list;
#[cfg(feature = "client")]
mod log_file;
#[cfg(feature = "client")]
pub mod logs;
#[cfg(feature = "client")]
pub mod names;
#[cfg(feature = "client")]
pub mod offline;
pub mod output;
#[cfg(feature = "client")]
pub mod overview;
#[cfg(feature = "client")]
pub mod plan;
#[cfg(feature = "client")]
pub mod power;
#[cfg(feature = "client")]
pub mod remote;
#[cfg(feature = "client")]
pub mod shells;
#[cfg(feature = "client")]
pub mod since;
#[cfg(feature = "client")]
pub mod status;
#[cfg(feature = "client")]
pub mod table;
pub mod terminal;
pub mod text;
#[cfg(feature = "client")]
pub mod timers;
#[cfg(feature = "client")]
pub mod tree;
#[cfg(feature = "client")]
pub mod verbs;
#[cfg(feature = "client")]
pub mod when;
#[cfg(feature = "client")]
pub mod why;
pub mod words;

use std::path::PathBuf;
use std::time::Duration;

use connect::{Connection, Failure, PATIENCE};
use output::{Output, Style, Written};

use crate::proto::{Reply, Request};

/// Where PID 1 listens.
pub const SOCKET: &str = "/run/initctl";

/// How a command ended, as its exit code. `status` answers with LSB's codes, which agree: 0
/// up, 1 dead after failing, 3 stopped, 4 unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// Not understood; nothing was done.
    Usage = 2,
    /// The service is not running.
    NotRunning = 3,
    /// Nothing has that name.
    NoSuchService = 4,
    /// Not allowed, or not now.
    Refused = 5,
    /// Not in time.
    TimedOut = 6,
    /// PID 1 was not reached.
    NoConnection = 7,
}

impl Status {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// This, or if all is well so far, what comes next.
    #[must_use]
    pub fn or(self, next: Self) -> Self {
        if self == Self::Done { next } else { self }
    }
}

/// What the process environment says, read once by `main`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// FINIT_SOCKET: another socket than the usual one.
    pub socket: Option<PathBuf>,
    /// NO_COLOR, or a terminal that has none.
    pub plain: bool,
    /// COLUMNS.
    pub columns: Option<u16>,
}

impl Environment {
    /// Reads it. Someone who runs us with the rights of another must not choose the socket.
    pub fn read() -> Self {
        let same_user = nix::unistd::getuid() == nix::unistd::geteuid();
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            socket: of("FINIT_SOCKET").filter(|_| same_user).map(PathBuf::from),
            plain: of("NO_COLOR").is_some() || of("TERM").is_none_or(|term| term == "dumb"),
            columns: of("COLUMNS").and_then(|text| text.to_str()?.parse().ok()),
        }
    }

    /// Columns of the terminal.
    pub fn width(&self) -> Option<u16> {
        self.columns.or_else(terminal::width).filter(|columns| *columns > 0)
    }
}

/// Whether results are for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Words and tables.
    Text,
    /// The objects of the protocol.
    Json,
}

/// One run of the client.
#[derive(Debug)]
pub struct Session {
    /// Where results go.
    pub output: Output,
    /// Whom they are for.
    pub form: Form,
    /// How long the person wants to wait; the usual time without.
    pub patience: Option<Duration>,
    /// The socket of PID 1.
    pub socket: PathBuf,
    environment: Environment,
    connection: Option<Connection>,
}

impl Session {
    /// Connects to nothing yet.
    pub fn new(program: &str, environment: &Environment) -> Self {
        Self {
            output: Output::new(program, environment),
            form: Form::Text,
            patience: None,
            socket: environment.socket.clone().unwrap_or_else(|| PathBuf::from(SOCKET)),
            environment: environment.clone(),
            connection: None,
        }
    }

    /// How results look; asks the terminal, so only tables call it.
    pub fn style(&self) -> Style {
        self.output.style(&self.environment)
    }

    /// The connection, made when it is first needed.
    ///
    /// # Errors
    /// Nobody there.
    pub fn connection(&mut self) -> Result<&mut Connection, Failure> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => Connection::open(&self.socket, self.patience.unwrap_or(PATIENCE))?,
        };
        Ok(self.connection.insert(open))
    }

    /// The next request makes a connection of its own.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// No reply, or a refusal.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.connection()?.ask(request)
    }

    /// Says what went wrong: in a sentence on standard error, or to a program, which reads one
    /// stream as it reads the socket, with an object among the results.
    pub fn complain(&mut self, failure: &Failure) {
        match self.form {
            Form::Text => self.output.complain(&failure.to_string()),
            Form::Json => self.output.json(&failure.object()),
        }
    }

    /// The end of a run: a failure becomes a sentence and an exit code.
    pub fn end(mut self, result: Result<Status, Failure>) -> Status {
        let status = result.unwrap_or_else(|failure| {
            self.complain(&failure);
            failure.status()
        });
        match self.output.finish() {
            Written::Incomplete if status == Status::Done => Status::Failed,
            Written::All | Written::Incomplete => status,
        }
    }
}

/// What a reply of the wrong kind is called.
pub fn unexpected(reply: &Reply) -> Failure {
    let kind = match reply {
        Reply::Hello { .. } => "hello",
        Reply::Pong => "pong",
        Reply::Machine(_) => "a machine",
        Reply::Service(_) => "a service",
        Reply::Services(_) => "services",
        Reply::Why(_) | Reply::Stories(_) => "why",
        Reply::Graph(_) => "a graph",
        Reply::Plan(_) => "a plan",
        Reply::Job { .. } => "a job",
        Reply::Done { .. } => "done",
    };
    Failure::Unreadable(format!("{kind} is the answer to something else"))
}

/// Runs the program that was started under that name, with those words behind it.
#[cfg(feature = "client")]
pub fn run(program: &str, words: &[String], environment: &Environment) -> Status {
    match program {
        "poweroff" | "reboot" | "halt" | "shutdown" => {
            let session = Session::new(program, environment);
            names::run(program, words, session)
        }
        "init" | "telinit" => names::telinit(program, words, Session::new(program, environment)),
        _ => verbs::run(words, Session::new("finitctl", environment)),
    }
}
