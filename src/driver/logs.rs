//! The log writer. Both ends of each log pipe are kept for ever, so that neither the restart of a
//! service nor of the writer loses a line. The writer is a process of its own that is passed the
//! read ends; PID 1 never reads a line and never waits for a disk.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::reaper::Owner;
use super::watch::Token;
use super::{Driver, Fact};
use crate::boot::MYSELF;
use crate::config::spec::LogSpec;
use crate::engine::Level;
use crate::facts::{Moment, Pid, SpawnError, Stage};
use crate::logger::{Kept, Message, packets};
use crate::os::spawn::{self, Launch, Plan};
use crate::os::{fds, passing, socket, time};

/// How soon after its start the end of a writer is one too soon, and how long the next one waits.
const REST: Duration = Duration::from_secs(1);

/// What PID 1 holds of the log writer.
#[derive(Default)]
pub struct Logs {
    kept: Option<Kept>,
    /// The writer that runs, and the socket to it.
    writer: Option<(Pid, OwnedFd)>,
    /// It takes no more; the set tells when it does.
    full: bool,
    /// Messages that wait to be sent.
    queue: VecDeque<(Message, Option<OwnedFd>)>,
    /// When the last writer was started.
    started: Option<Moment>,
    /// It ended at once, or did not start at all: the next one has to wait.
    resting: bool,
    /// Whether the folder of the files can be written.
    writable: bool,
    /// The machine goes down: a writer that ended is not started again.
    finished: bool,
}

impl Logs {
    /// What the next finit has to keep.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Whether the folder of the files can be written.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Has the writer end the last line of a pipe. Where that waits to be said already, the writer
    /// will read all up to then: while it stands still, its messages must not grow in number.
    pub fn flush(&mut self, id: u32) {
        for (message, _) in self.queue.iter().rev() {
            match message {
                Message::Flush { id: other } if *other == id => return,
                // What is said before it is of another pipe, or of another place.
                Message::Open { id: other, .. } if *other == id => break,
                _ => {}
            }
        }
        self.tell(Message::Flush { id });
    }

    /// Has the writer told something.
    pub fn tell(&mut self, message: Message) {
        self.queue.push_back((message, None));
    }

    /// The same with a descriptor.
    pub fn tell_with(&mut self, message: Message, fd: OwnedFd) {
        self.queue.push_back((message, Some(fd)));
    }

    /// Nothing waits to be told any more: the next writer is told everything.
    pub fn forget_told(&mut self) {
        self.queue.clear();
    }

    /// Takes up what the finit before kept.
    pub fn take_up(&mut self, kept: Option<Kept>, writable: bool) {
        (self.kept, self.writable) = (kept, writable);
    }
}

impl Driver {
    /// Files can be made from now on.
    pub(super) fn logs_writable(&mut self) {
        if !self.logs.writable {
            self.logs.writable = true;
            if self.logs.writer.is_some() {
                self.logs.tell(Message::Writable);
            }
        }
    }

    /// Files are made, and kept, as another file of finit says.
    pub(super) fn set_logs(&mut self) {
        if self.logs.writer.is_some() {
            self.logs.tell(settings(self.engine.log_settings()));
            self.flush_logs();
        }
    }

    /// Writes out what there is and ends the writer, before the file systems go.
    pub(super) fn finish_logs(&mut self) {
        self.logs.finished = true;
        if self.logs.writer.is_some() {
            self.logs.tell(Message::Finish);
            self.flush_logs();
        }
    }

    /// Sends what waits, as far as the socket takes it; the rest goes when it has room.
    pub(super) fn flush_logs(&mut self) {
        if self.logs.queue.is_empty() || self.logs.resting || self.logs.full {
            return;
        }
        if self.logs.writer.is_none() {
            self.start_writer();
        }
        let Some((_, socket)) = &self.logs.writer else { return };
        let packets = packets(self.logs.queue.drain(..));
        let mut packets = packets.into_iter();
        while let Some(packet) = packets.next() {
            let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
            if passing::send_with_fds(socket.as_fd(), &packet.bytes, &fds).is_ok() {
                continue;
            }
            // No room, or no reader: these messages go again, in order.
            let rest = std::iter::once(packet).chain(packets);
            for packet in rest {
                let fds = packet.fds;
                self.logs.queue.extend(crate::logger::unpack(&packet.bytes, fds));
            }
            self.logs.full = self.watch.writable(socket, Token::Logs).is_ok();
            return;
        }
    }

    /// There is room in the socket, or nobody reads it any more.
    pub(super) fn on_log_room(&mut self) {
        self.logs.full = false;
        self.flush_logs();
    }

    /// Starts a writer and tells it all that it has to know.
    fn start_writer(&mut self) {
        if self.logs.finished {
            self.logs.queue.clear();
            return;
        }
        match self.spawn_writer() {
            Ok(writer) => self.logs.writer = Some(writer),
            Err(error) => {
                self.console.tell(Level::Trouble, &format!("log writer: {error}"));
                self.rest_from_logs();
                return;
            }
        }
        let kept = match self.logs.kept.take() {
            Some(kept) => Some(kept),
            None => Kept::make().ok(),
        };
        let mut first = Vec::new();
        if let Some(kept) = &kept {
            for (message, fd) in kept.messages() {
                first.push((message, fd.and_then(|fd| fds::dup(fd).ok())));
            }
        }
        self.logs.kept = kept;
        first.push((settings(self.engine.log_settings()), None));
        // In front of what waits already, which names pipes of its own.
        for message in first.into_iter().rev() {
            self.logs.queue.push_front(message);
        }
        if self.logs.writable {
            // Lines that wait for their files are written then: what their pipes say of those
            // counts.
            self.logs.tell(Message::Writable);
        }
    }

    fn spawn_writer(&mut self) -> Result<(Pid, OwnedFd), SpawnError> {
        let fail = |errno| SpawnError::at(Stage::Descriptors, errno);
        let (ours, theirs) = socket::pair().map_err(fail)?;
        let argv = [MYSELF, crate::logger::WORD].map(|word| word.as_bytes().to_vec());
        let plan =
            Plan::new(&Launch { argv: &argv, stdin: Some(theirs.as_fd()), ..Launch::default() })?;
        let spawned = spawn::spawn(plan)?;
        let pid = spawned.pid;
        self.logs.started = Some(time::now());
        self.reaper.adopt(spawned, Owner::LogWriter);
        Ok((pid, ours))
    }

    /// The writer ended. What it had not read is in the pipes still: another one takes over.
    pub(super) fn on_writer_ended(&mut self, pid: Pid, how: &str) {
        if self.logs.writer.as_ref().is_none_or(|(writer, _)| *writer != pid) {
            return;
        }
        (self.logs.writer, self.logs.full) = (None, false);
        if self.logs.finished {
            return;
        }
        let rests = self.logs.started.is_some_and(|started| time::now().since(started) < REST);
        let again = if rests { " in a second" } else { "" };
        self.console.tell(Level::Trouble, &format!("log writer {how}; starting another{again}"));
        if rests {
            self.rest_from_logs();
        } else {
            self.reopen_outputs();
        }
    }

    /// Leaves the next writer for later: what keeps this one from working may do so for long.
    fn rest_from_logs(&mut self) {
        self.logs.resting = true;
        self.later(REST, Fact::WriterRested);
    }

    /// It is time for the next writer.
    pub(super) fn on_writer_rested(&mut self) {
        self.logs.resting = false;
        if !self.logs.finished {
            self.reopen_outputs();
        }
    }
}

fn settings(log: &LogSpec) -> Message {
    Message::Settings {
        directory: log.directory.display().to_string(),
        max_size: log.max_size,
        keep: log.keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logger::{Output, Target};

    fn open(id: u32) -> (Message, Option<OwnedFd>) {
        let output = Output { name: "web".into(), target: Target::Files, ..Output::default() };
        (Message::Open { id, output }, None)
    }

    #[test]
    fn the_end_of_a_line_waits_to_be_said_once_for_each_pipe_and_place() {
        let mut logs = Logs::default();
        logs.queue.push_back(open(1));
        for id in [1, 2, 1, 2, 1] {
            logs.flush(id);
        }
        logs.queue.push_back(open(1));
        for id in [1, 2, 1] {
            logs.flush(id);
        }
        let ends = logs.queue.iter().map(|(message, _)| match message {
            Message::Flush { id } => *id,
            _ => 0,
        });
        assert_eq!(ends.collect::<Vec<_>>(), [0, 1, 2, 0, 1]);
    }
}
