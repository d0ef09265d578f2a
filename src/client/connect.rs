//! The connection to PID 1: one request line out, answer lines in.
//!
//! Every wait has an end where the person asked for one, connecting included: an init that
//! hangs must not hang whoever looks after it.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use serde_json::Value;

use super::{Status, text};
use crate::proto::frame::{self, Answer};
use crate::proto::{Code, JobEvent, Refusal, Reply, Request};

/// How long PID 1 may take to answer where nobody said otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens, or we may not connect.
    NoConnection {
        /// Where.
        socket: String,
        /// Why.
        errno: Errno,
    },
    /// The connection ended in the middle.
    Lost(String),
    /// What came is no answer of this protocol.
    Unreadable(String),
    /// Not in time.
    TimedOut(Duration),
    /// What was asked for goes on, and was not over in time.
    Unfinished(Duration),
    /// PID 1 said no.
    Refused(Refusal),
    /// The request makes no sense, so it was not sent.
    Usage(String),
    /// Something here went wrong.
    Local(String),
}

impl Failure {
    /// The exit code for it.
    pub fn status(&self) -> Status {
        match self {
            Self::NoConnection { .. } | Self::Lost(_) => Status::NoConnection,
            Self::Unreadable(_) | Self::Local(_) => Status::Failed,
            Self::TimedOut(_) | Self::Unfinished(_) => Status::TimedOut,
            Self::Usage(_) => Status::Usage,
            Self::Refused(refusal) => match refusal.code {
                Code::BadRequest => Status::Usage,
                Code::NoSuchService => Status::NoSuchService,
                Code::NotRunning => Status::NotRunning,
                Code::FinitFailed => Status::NoConnection,
                Code::NoSuchJob | Code::BrokenConfig | Code::NothingOnTrial => Status::Failed,
                Code::UnknownMethod
                | Code::Denied
                | Code::ShuttingDown
                | Code::Busy
                | Code::SelfWait
                | Code::Held
                | Code::NotSupported => Status::Refused,
            },
        }
    }
}

impl Failure {
    /// What it is called for programs; a refusal has the word of PID 1.
    fn word(&self) -> Value {
        let word = match self {
            Self::NoConnection { .. } => "no-connection",
            Self::Lost(_) => "connection-lost",
            Self::Unreadable(_) => "unreadable-answer",
            Self::TimedOut(_) => "timed-out",
            Self::Unfinished(_) => "unfinished",
            Self::Usage(_) => "usage",
            Self::Local(_) => "failed",
            Self::Refused(refusal) => {
                return serde_json::to_value(refusal.code).unwrap_or_default();
            }
        };
        word.into()
    }

    /// What is wrong, and what to do, which may be nothing.
    fn parts(&self) -> (String, &str) {
        let told = |text: String| (text, "");
        match self {
            Self::NoConnection { socket, errno } => {
                let hint = match errno {
                    Errno::EACCES | Errno::EPERM => "Are you root?",
                    Errno::ENOENT | Errno::ECONNREFUSED => {
                        "Is finit PID 1 here (readlink /proc/1/exe)? If it is, kill -USR1 1 makes \
                         its socket anew."
                    }
                    _ => "Is finit PID 1 here (readlink /proc/1/exe)?",
                };
                (format!("no connection to {socket}: {}", errno.desc()), hint)
            }
            Self::Lost(why) => (
                format!("the connection ended before the answer was complete: {why}"),
                "What was asked may have been done: look at finitctl status.",
            ),
            Self::Unreadable(why) => (
                format!("the answer is not understood: {why}"),
                "Is finitctl older than the finit that runs?",
            ),
            Self::TimedOut(after) => told(format!("no answer within {}", text::span(*after))),
            Self::Unfinished(after) => (
                format!("not finished after {}", text::span(*after)),
                "finit goes on with it: finitctl status shows how far it is",
            ),
            Self::Refused(refusal) => (refusal.message.clone(), &refusal.hint),
            Self::Usage(message) | Self::Local(message) => told(message.clone()),
        }
    }

    /// The same for programs: `{"error": {"code", "message", "hint"}}`, as PID 1 answers.
    pub fn object(&self) -> Value {
        let (message, hint) = self.parts();
        let mut error = serde_json::json!({"code": self.word(), "message": message});
        if let Some(object) = error.as_object_mut().filter(|_| !hint.is_empty()) {
            object.insert("hint".to_owned(), hint.into());
        }
        serde_json::json!({"error": error})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, hint) = self.parts();
        let between = match self {
            _ if hint.is_empty() => "",
            Self::Refused(_) if message.contains('\n') => "\n",
            Self::Refused(_) | Self::Unfinished(_) => "; ",
            Self::NoConnection { .. }
            | Self::Lost(_)
            | Self::Unreadable(_)
            | Self::TimedOut(_)
            | Self::Usage(_)
            | Self::Local(_) => ". ",
        };
        write!(f, "{message}{between}{hint}")
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    /// What was read and not yet taken.
    pending: Vec<u8>,
    /// Bytes of `pending` that hold no line end.
    searched: usize,
    id: u64,
    end: Deadline,
}

/// When waiting ends.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Option<Instant>,
    patience: Duration,
}

impl Deadline {
    fn within(patience: Duration) -> Self {
        Self { at: Instant::now().checked_add(patience), patience }
    }

    /// What is left, as a socket takes it: none for ever, never zero.
    fn left(self) -> Result<Option<Duration>, Failure> {
        let Some(at) = self.at else { return Ok(None) };
        match at.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Failure::TimedOut(self.patience)),
            left => Ok(Some(left)),
        }
    }
}

impl Connection {
    /// Connects to the socket within that time, which is also the time for the first answer.
    ///
    /// # Errors
    /// Nobody there, not allowed, not in time.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, Failure> {
        let stream = dial(path, patience).map_err(|errno| match errno {
            Errno::EAGAIN | Errno::EINPROGRESS => Failure::TimedOut(patience),
            _ => Failure::NoConnection { socket: path.display().to_string(), errno },
        })?;
        let end = Deadline::within(patience);
        Ok(Self { stream, pending: Vec::new(), searched: 0, id: 0, end })
    }

    /// From here on, waits this long; none for ever.
    pub fn wait_for(&mut self, patience: Option<Duration>) {
        self.end = patience.map_or(Deadline { at: None, patience: PATIENCE }, Deadline::within);
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// No reply, or a refusal.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.begin();
        self.send(request, frame::encode_request)?;
        self.reply()
    }

    /// The same for a request whose job is followed to its end.
    ///
    /// # Errors
    /// No reply, or a refusal: it could only wait for itself, say.
    pub fn order(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.begin();
        self.send(request, frame::encode_order)?;
        self.reply()
    }

    /// Each answer has its own time, but for the first one, which shares that of connecting: what a
    /// person reads between two of them is no fault of finit.
    fn begin(&mut self) {
        if self.id > 0 {
            self.end = Deadline::within(self.end.patience);
        }
    }

    fn reply(&mut self) -> Result<Reply, Failure> {
        match self.answer()? {
            Answer::Reply(reply) => Ok(reply),
            Answer::Refused(refusal) => Err(Failure::Refused(refusal)),
            Answer::Event(_) => Err(Failure::Unreadable("an event instead of a reply".to_owned())),
        }
    }

    /// Asks to hear of a job; then [`Connection::event`] reads what happens.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn follow(&mut self, job: u64) -> Result<(), Failure> {
        self.send(&Request::Wait { job }, frame::encode_request)
    }

    /// The next event of the job that is followed. The reply that confirms the following may
    /// come before or behind the first events, and says nothing.
    ///
    /// # Errors
    /// The connection is gone, or the job is not known.
    pub fn event(&mut self) -> Result<JobEvent, Failure> {
        loop {
            match self.answer()? {
                Answer::Event(event) => return Ok(event),
                Answer::Refused(refusal) => return Err(Failure::Refused(refusal)),
                Answer::Reply(_) => {}
            }
        }
    }

    /// Sends a line as it is.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send_line(&mut self, line: &str) -> Result<(), Failure> {
        match self.stream.write_all(line.as_bytes()) {
            // Whoever is turned away has an answer to read before the question was sent.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            sent => sent.map_err(|error| self.broken(&error)),
        }
    }

    /// The next line, without its end; none when the other side has closed between two lines.
    ///
    /// # Errors
    /// The connection is gone, half a line, not in time.
    pub fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            if let Some(line) = self.take_line() {
                return String::from_utf8(line)
                    .map(Some)
                    .map_err(|error| Failure::Unreadable(error.to_string()));
            }
            let left = self.end.left()?;
            // Only its own zero is refused, and that never comes out of `left`.
            self.stream.set_read_timeout(left).map_err(|error| self.broken(&error))?;
            // A page: most answers fit, and more would be four fresh pages for each client.
            let mut chunk = [0; 4096];
            let count = match self.stream.read(&mut chunk) {
                Ok(0) if self.pending.is_empty() => return Ok(None),
                Ok(0) => return Err(Failure::Lost("half a line came".to_owned())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(&error)),
            };
            self.pending.extend(chunk.iter().take(count));
        }
    }

    /// Tells the other side that no more requests come.
    pub fn finish(&mut self) {
        // If the connection is gone already, reading says so.
        drop(self.stream.shutdown(std::net::Shutdown::Write));
    }

    fn send(
        &mut self,
        request: &Request,
        encode: fn(u64, &Request) -> String,
    ) -> Result<(), Failure> {
        self.id = self.id.saturating_add(1);
        let line = encode(self.id, request);
        if line.len() > frame::MAX_LINE {
            return Err(Failure::Usage(format!(
                "too many names at once: a request is at most {} KiB",
                frame::MAX_LINE / 1024
            )));
        }
        self.send_line(&line)
    }

    fn answer(&mut self) -> Result<Answer, Failure> {
        let line = self.line()?.ok_or_else(|| Failure::Lost("finit closed it".to_owned()))?;
        frame::decode_answer(&line).map_err(Failure::Unreadable)
    }

    /// A machine of 10,000 services answers with megabytes in one line: no byte is looked at
    /// twice.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let found = self.pending.iter().skip(self.searched).position(|byte| *byte == b'\n');
        let Some(found) = found else {
            self.searched = self.pending.len();
            return None;
        };
        let end = self.searched.saturating_add(found).saturating_add(1);
        let rest = self.pending.split_off(end);
        let mut line = std::mem::replace(&mut self.pending, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }

    fn broken(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Failure::TimedOut(self.end.patience)
            }
            _ => Failure::Lost(error.to_string()),
        }
    }
}

/// std connects without a limit, and connect(2) to a unix socket waits as long as its backlog
/// is full; the limit must be set before.
fn dial(path: &Path, patience: Duration) -> Result<UnixStream, Errno> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let milliseconds = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX / 1000);
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::milliseconds(milliseconds.max(1)))?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(fd))
}
