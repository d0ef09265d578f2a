//! Looking into pipes without taking, and taking exactly what has been decided: the tee(2) and
//! splice(2) half of `kept`.

use std::os::fd::{BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice, tee};
use nix::unistd::{pipe2, read};

/// Bytes of one pipe in a turn.
pub const TURN: usize = 32 * 1024;

/// The pipes of the writer itself, and its one buffer.
#[derive(Debug)]
pub struct Pipes {
    scratch_out: OwnedFd,
    scratch_in: OwnedFd,
    staging_out: OwnedFd,
    staging_in: OwnedFd,
    /// Made at the first byte.
    buffer: Vec<u8>,
}

impl Pipes {
    /// Over the staging pipe of PID 1.
    pub fn new(staging_out: OwnedFd, staging_in: OwnedFd) -> Result<Self, Errno> {
        let (scratch_out, scratch_in) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { scratch_out, scratch_in, staging_out, staging_in, buffer: Vec::new() })
    }

    /// Up to [`TURN`] bytes from the front of a pipe, which stay in it.
    pub fn look(&mut self, pipe: BorrowedFd<'_>) -> Result<&[u8], Errno> {
        let count = copy(pipe, &self.scratch_in)?;
        self.fill(count)
    }

    /// What has been staged, which stays staged.
    pub fn look_staged(&mut self) -> Result<&[u8], Errno> {
        let count = copy(&self.staging_out, &self.scratch_in)?;
        self.fill(count)
    }

    /// Moves bytes from the front of a pipe to the staging pipe and tells how many: all, if they
    /// have been looked at. At once, as far as anyone who kills this process can tell, for
    /// neither pipe makes splice(2) wait.
    pub fn stage(&self, pipe: BorrowedFd<'_>, bytes: usize) -> usize {
        let mut moved = 0_usize;
        while moved < bytes {
            let rest = bytes.saturating_sub(moved);
            let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
            match splice(pipe, None, &self.staging_in, None, rest, flags) {
                Ok(count) if count > 0 => moved = moved.saturating_add(count),
                _ => break,
            }
        }
        moved
    }

    /// Empties the staging pipe: its bytes are where they belong. A read of a pipe that has
    /// bytes is not interrupted by signals, unlike splice(2) to /dev/null.
    pub fn unstage(&mut self) {
        while read(&self.staging_out, &mut self.buffer).is_ok_and(|count| count > 0) {}
    }

    fn fill(&mut self, count: usize) -> Result<&[u8], Errno> {
        if count > 0 && self.buffer.is_empty() {
            self.buffer = vec![0; TURN];
        }
        let mut filled = 0;
        // More than one read only for a pipe of packets (O_DIRECT, pipe(7)).
        while filled < count {
            let room = self.buffer.get_mut(filled..count).ok_or(Errno::EIO)?;
            filled = filled.saturating_add(read(&self.scratch_out, room)?);
        }
        self.buffer.get(..count).ok_or(Errno::EIO)
    }
}

fn copy(pipe: impl std::os::fd::AsFd, scratch: &OwnedFd) -> Result<usize, Errno> {
    match tee(pipe, scratch, TURN, SpliceFFlags::SPLICE_F_NONBLOCK) {
        Err(Errno::EAGAIN) => Ok(0),
        outcome => outcome,
    }
}
