//! How a child gets its few descriptors without a copy of PID 1's many.
//!
//! Clone copies the descriptor table and exec closes the copies: about 0.12 µs for each that
//! PID 1 has open, so a thousand of them add a third to every start. Worse, a child that hangs
//! before exec (a dead file server) would hold copies of PID 1's connections, whose other ends
//! then never see them close.
//!
//! So the child shares the table at first (CLONE_FILES), touches nothing in it, and as its
//! first act leaves it by close_range(CLOSE_RANGE_UNSHARE), which copies only descriptors
//! below a bound. PID 1 goes on meanwhile, so what the child needs must not sit in that table
//! where PID 1 may close it: it travels in a message (SCM_RIGHTS), sent before the clone into
//! one of a few socket pairs whose receiving ends are below the bound and stay for ever. The
//! status pipe's writing end then exists only in the message and in the child, as it must for
//! its end of file to mean something.
//!
//! When all lanes are waiting for their children, the next child gets a copied table. That is
//! only slower.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::calls;
use super::child::Failure;
use super::fds;
use super::plan::Script;
use crate::facts::{Errno, Stage};

/// How many children may be on their way at a time: two processors seldom have more than twenty
/// waiting. The later ones pay 0.12 µs for each that is before them.
const COUNT: usize = 32;
/// Where the sending ends go, to leave the low numbers to the receiving ones.
const SENDERS: i32 = 256;
/// The size of the table from the start. To enlarge one that children share, the kernel waits
/// until no processor can look at the old one (synchronize_rcu): 10 to 20 ms each time that it
/// doubles, in the middle of a boot. 8 bytes each.
const TABLE: i32 = 4096;
/// As many descriptors as the kernel sends in one message, unix(7).
const SCM_MAX_FD: usize = 253;

thread_local! {
    static LANES: RefCell<Option<Lanes>> = const { RefCell::new(None) };
}

struct Lanes {
    /// The lowest that is free is used: a child takes over what is below its lane and no other.
    all: Vec<Lane>,
    /// /dev/null, below all lanes: opened once, as each open of it costs a child 10 µs. They may
    /// share it, for it has no position, and what one sets of it means nothing to another. None
    /// where there was none yet.
    null: Option<OwnedFd>,
}

struct Lane {
    receive: OwnedFd,
    send: OwnedFd,
    /// The child that has not yet been seen to have taken its message.
    user: Option<Arc<Script>>,
}

/// Control data with descriptors, cmsg(3): one header and the numbers.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fds: [libc::c_int; SCM_MAX_FD],
}

impl Control {
    fn empty() -> Self {
        // SAFETY: integers only, for which zeros are values.
        unsafe { std::mem::zeroed() }
    }

    /// The length of a header with that many descriptors.
    fn length(count: usize) -> usize {
        size_of::<libc::cmsghdr>().wrapping_add(count.wrapping_mul(size_of::<libc::c_int>()))
    }

    /// Run `act` with a message header for this control data and one byte of payload.
    fn message<T>(&mut self, length: usize, act: impl FnOnce(&mut libc::msghdr) -> T) -> T {
        let mut byte = 0u8;
        let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // SAFETY: integers and pointers, for which zeros are values; some systems' struct has
        // padding that cannot be named.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut *self).cast();
        message.msg_controllen = length as _;
        act(&mut message)
    }
}

/// Send a child's descriptors ahead of it; false if there is no lane, and then nothing was
/// done. The status pipe's end is the first, the sources follow in order.
pub(super) fn book(script: &Arc<Script>, status: BorrowedFd<'_>) -> bool {
    LANES.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Lanes::open().ok();
        }
        let Some(lanes) = slot else { return false };
        if let Some(null) = &lanes.null {
            script.null.store(null.as_raw_fd(), Relaxed);
        }
        let Some(lane) = lanes.all.iter_mut().find_map(Lane::free) else { return false };
        if !lane.dispatch(script, status) {
            return false;
        }
        lane.user = Some(Arc::clone(script));
        script.lane.store(lane.receive.as_raw_fd(), Relaxed);
        true
    })
}

/// Close what was sent to a child that died before it looked. Its ends of pipes and
/// connections would stay open until the lane is used again.
pub(super) fn settle() {
    // At the end of a thread the lanes may be gone, and their messages with them.
    LANES
        .try_with(|lanes| {
            for lane in lanes.borrow_mut().iter_mut().flat_map(|lanes| &mut lanes.all) {
                lane.free();
            }
        })
        .ok();
}

impl Lanes {
    fn open() -> Result<Self, Errno> {
        enlarge_table();
        let null = File::options().read(true).write(true).open("/dev/null").ok();
        let mut all = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let (receive, send) =
                socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
            // With a low number, if the limit allows no high one.
            let send = fds::dup_above(send.as_fd(), SENDERS).unwrap_or(send);
            all.push(Lane { receive, send, user: None });
        }
        Ok(Self { all, null: null.map(OwnedFd::from) })
    }
}

/// Has the kernel make room for many descriptors, as far as the limit allows.
fn enlarge_table() {
    if let Ok((_read, write)) = fds::pipe() {
        let mut size = TABLE;
        while size > SENDERS && fds::dup_above(write.as_fd(), size.wrapping_sub(1)).is_err() {
            size /= 2;
        }
    }
}

impl Lane {
    /// This lane, if nobody is still to come by it.
    fn free(&mut self) -> Option<&mut Self> {
        if let Some(user) = &self.user {
            if !user.received.load(Acquire) {
                if user.busy.load(Acquire) != 0 {
                    return None;
                }
                self.drain();
            }
            self.user = None;
        }
        Some(self)
    }

    fn dispatch(&self, script: &Script, status: BorrowedFd<'_>) -> bool {
        let mut control = Control::empty();
        let sources = script.sources.iter().map(|source| source.load(Relaxed));
        let all = std::iter::once(status.as_raw_fd()).chain(sources.filter(|fd| *fd >= 0));
        let mut count = 0usize;
        for (place, fd) in control.fds.iter_mut().zip(all) {
            *place = fd;
            count = count.saturating_add(1);
        }
        let length = Control::length(count);
        control.header.cmsg_level = libc::SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.header.cmsg_len = length as _;
        let socket = self.send.as_raw_fd();
        control.message(length, |message| {
            // SAFETY: `message` built the header over live buffers, and `length` is within
            // `Control`, as the loop is bounded by its array.
            let sent = unsafe { libc::sendmsg(socket, &raw const *message, libc::MSG_NOSIGNAL) };
            sent == 1
        })
    }

    /// Receive and close what the last child did not.
    fn drain(&self) {
        if let Ok((_, fds)) = collect(self.receive.as_fd()) {
            for fd in fds.into_iter().filter(|fd| *fd >= 0) {
                // SAFETY: the kernel made this descriptor for us just now.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
}

/// Receive one message: how many descriptors, and them; the rest of the array is -1.
fn collect(lane: BorrowedFd<'_>) -> Result<(usize, [libc::c_int; SCM_MAX_FD]), libc::c_int> {
    let mut control = Control::empty();
    control.fds = [-1; SCM_MAX_FD];
    let room = Control::length(SCM_MAX_FD);
    let (answer, flags, length) = control.message(room, |message| {
        let answer = calls::receive(lane.as_raw_fd(), message);
        (answer, message.msg_flags, message.msg_controllen as _)
    });
    if answer? != 1 || flags & libc::MSG_CTRUNC != 0 {
        return Err(libc::EMFILE);
    }
    let count = usize::saturating_sub(length, Control::length(0)) / 4;
    Ok((count, control.fds))
}

/// In the child: leave PID 1's descriptor table, then take the descriptors that were sent.
pub(super) fn arrive(script: &Script) -> Result<(), Failure> {
    let lane = script.lane.load(Relaxed);
    if lane < 0 {
        return Ok(());
    }
    let failed = Failure::at(Stage::Descriptors);
    let above = lane.unsigned_abs().saturating_add(1);
    // Not one descriptor may be touched before this has worked: they are PID 1's.
    calls::close_range(above, libc::CLOSE_RANGE_UNSHARE).map_err(failed)?;
    // SAFETY: the lanes are open in PID 1 for ever, and this table is a copy of its.
    let lane = unsafe { BorrowedFd::borrow_raw(lane) };
    let (count, fds) = collect(lane).map_err(failed)?;
    let mut arrived = fds.into_iter().take(count);
    script.status.store(arrived.next().ok_or(libc::EBADF).map_err(failed)?, Relaxed);
    script.received.store(true, Release);
    for source in script.sources.iter().filter(|source| source.load(Relaxed) >= 0) {
        source.store(arrived.next().ok_or(libc::EBADF).map_err(failed)?, Relaxed);
    }
    Ok(())
}
