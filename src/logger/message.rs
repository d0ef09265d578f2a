//! What PID 1 says to the log writer: messages, and how they travel as datagrams.
//!
//! A datagram is UTF-8 text, one message a line, each a JSON value; its descriptors belong, in
//! order, to the messages in it that take one ([`Message::takes_fd`]). The writer never
//! answers. PID 1 only encodes ([`packets`]) and sends when the socket has room.

use serde::{Deserialize, Serialize};

/// Bytes of text in a datagram; only a single message may be longer, never past
/// [`DATAGRAM_MAX`].
const PACKET_BYTES: usize = 16 * 1024;

/// Descriptors in a datagram, below the kernel's limit of 253.
const PACKET_FDS: usize = 200;

/// No datagram is longer. Names and paths are bounded by the configuration far below it.
pub const DATAGRAM_MAX: usize = 32 * 1024;

/// An order of PID 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// With a pipe: write end of the staging pipe ([`super::Kept`]).
    StagingIn,
    /// With a pipe: read end of the staging pipe.
    StagingOut,
    /// With a memfd: where lines wait for a disk.
    Spool,
    /// Where files go and when they are rotated; before the first `open`, and after a reload.
    Settings {
        /// Folder of the files.
        directory: String,
        /// Bytes after which a file is rotated; 0: never.
        max_size: u64,
        /// Rotated files kept.
        keep: u32,
    },
    /// With a pipe: the read end of a service's output. A number in use is taken over.
    Open {
        /// Names the pipe in later messages.
        id: u32,
        /// What becomes of what comes out of it.
        #[serde(flatten)]
        output: Output,
    },
    /// The service ended: what it said last is a line even without a newline.
    Flush {
        /// Which pipe.
        id: u32,
    },
    /// Write what is in the pipe and forget it.
    Close {
        /// Which pipe.
        id: u32,
    },
    /// Files can be made from now on.
    Writable,
    /// Write what is in all pipes to the disk and end.
    Finish,
}

impl Message {
    /// Whether a descriptor travels with it.
    pub fn takes_fd(&self) -> bool {
        matches!(self, Self::StagingIn | Self::StagingOut | Self::Spool | Self::Open { .. })
    }
}

/// What becomes of the lines of a pipe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// Name of the service: of its file, and before its lines where lines are mixed.
    pub name: String,
    /// Where they go.
    pub target: Target,
    /// Instead of the name before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Bytes after which their file is rotated, instead of those of the settings; 0: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// They are those of its stderr alone, and are marked as such in files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub errors: bool,
}

/// Where the lines of a pipe go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `DIRECTORY/NAME.log`.
    #[default]
    Files,
    /// This file or device, which others may share.
    File(String),
    /// The kernel's ring.
    Kmsg,
    /// /dev/console; what it does not take at once is dropped and counted.
    Console,
    /// The socket /dev/log.
    Syslog,
    /// Nowhere: read and dropped.
    Nowhere,
}

/// One datagram to send.
#[derive(Debug)]
pub struct Packet<F> {
    /// Its text.
    pub bytes: Vec<u8>,
    /// What travels with it.
    pub fds: Vec<F>,
}

/// Packs messages into as few datagrams as they fit in. `F` is whatever PID 1 keeps its ends
/// in: a number, a borrowed or an owned descriptor. A message without the descriptor that it
/// needs, or with one that it does not take, is left out, and so is one of impossible length.
pub fn packets<F>(messages: impl IntoIterator<Item = (Message, Option<F>)>) -> Vec<Packet<F>> {
    let mut packets: Vec<Packet<F>> = Vec::new();
    for (message, fd) in messages {
        let Ok(line) = serde_json::to_string(&message) else { continue };
        if message.takes_fd() != fd.is_some() || line.len() >= DATAGRAM_MAX {
            continue;
        }
        let room = packets.last().is_some_and(|last| {
            last.bytes.len().saturating_add(line.len()) < PACKET_BYTES
                && last.fds.len() < PACKET_FDS
        });
        if !room {
            packets.push(Packet { bytes: Vec::new(), fds: Vec::new() });
        }
        if let Some(last) = packets.last_mut() {
            last.bytes.extend_from_slice(line.as_bytes());
            last.bytes.push(b'\n');
            last.fds.extend(fd);
        }
    }
    packets
}

/// The messages of a datagram, each with its descriptor. A line that is no message is passed
/// over; a descriptor too few ends the datagram, for what follows would get the wrong one.
pub fn unpack<F>(bytes: &[u8], fds: Vec<F>) -> Vec<(Message, Option<F>)> {
    let mut fds = fds.into_iter();
    let mut messages = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(message) = serde_json::from_slice::<Message>(line) else { continue };
        let fd = if message.takes_fd() { fds.next() } else { None };
        if message.takes_fd() && fd.is_none() {
            break;
        }
        messages.push((message, fd));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer is started from the program on the disk, which may be another one by then.
    #[test]
    fn what_a_service_says_nothing_of_is_said_as_ever() {
        let output = Output { name: "web".into(), ..Output::default() };
        let text = r#"{"open":{"id":1,"name":"web","target":"files"}}"#;
        let plain = Message::Open { id: 1, output: output.clone() };
        assert_eq!(serde_json::to_string(&plain).unwrap(), text);
        assert_eq!(serde_json::from_str::<Message>(text).unwrap(), plain);
        let output = Output {
            target: Target::File("/x".into()),
            tag: Some("w".into()),
            max_size: Some(1 << 20),
            errors: true,
            ..output
        };
        let whole = Message::Open { id: 1 << 31, output };
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), whole);
    }
}
