//! The log writer: a helper process of PID 1, started as the same program with the one word
//! `--log-writer` and a SOCK_SEQPACKET socket to PID 1 as descriptor 0.
//!
//! PID 1 makes one pipe per service and keeps both ends for ever, so neither a restart of the
//! service nor of the writer nor of PID 1 loses what is in it. It never reads: it passes read
//! ends to this process, which turns bytes into lines in files. So PID 1 is out of the data
//! path, never waits for a disk, and a service that floods is slowed by its own full pipe.
//!
//! ```text
//! message   what PID 1 says, and how: its half is `packets`
//! kept      the three descriptors that PID 1 keeps, and why no kill loses or doubles a line
//! watch     the loop          writer   one turn of one pipe     pipes   tee and splice
//! text      bytes to lines    store    file or spool?           files, spool, devices
//! ```
//!
//! The writer imports `facts` and `os`, nothing else of finit. It ends when PID 1 says so or
//! is gone, and by no signal but SIGKILL, since it outlives the services at a shutdown.

mod devices;
mod files;
mod kept;
mod message;
mod pipes;
mod route;
mod spool;
mod store;
mod text;
mod watch;
mod writer;

pub use kept::Kept;
pub use message::{DATAGRAM_MAX, Message, Output, Packet, Target, packets, unpack};

/// The one word that makes the program a log writer.
pub const WORD: &str = "--log-writer";

/// Writes logs until PID 1 ends it; the answer is the exit code. 1: the kernel refused
/// something, start another.
pub fn run() -> u8 {
    // Blocked is as good as ignored, and needs no handler. A socket or pipe that breaks and a
    // file that grows too long are errors of the call.
    let blocked = nix::sys::signal::SigSet::all().thread_block();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    u8::from(blocked.and_then(|()| watch::watch_stdin()).is_err())
}
