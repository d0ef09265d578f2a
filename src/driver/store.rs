//! Descriptors that services give to be kept for their next start: FDSTORE=1 in sd_notify(3).
//!
//! One whose other side is gone, or that fails, is worth nothing to the next start: it is let go
//! as soon as the kernel says so, unless FDPOLL=0 came with it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use super::Driver;
use super::site::Site;
use super::watch::Token;
use crate::config::spec::{Ready, ServiceSpec};
use crate::engine::{Descriptors, Level, NodeId};
use crate::os::{closing, fds};

/// The first descriptor that is handed over, sd_listen_fds(3).
const FIRST: usize = 3;
/// Descriptors kept for one service.
const KEPT: usize = 64;

/// A descriptor that is kept.
#[derive(Debug)]
pub struct Stored {
    /// By which the service knows it, in LISTEN_FDNAMES.
    pub name: String,
    pub fd: OwnedFd,
    /// By which the set knows it; none where nobody watches.
    number: Option<u32>,
}

impl Stored {
    /// The descriptor, if its other side is watched.
    pub fn polled(&self) -> Option<RawFd> {
        self.number.map(|_| self.fd.as_raw_fd())
    }
}

impl Driver {
    /// What is done with descriptors that came with a notice; the rest are closed here.
    pub(super) fn keep_descriptors(
        &mut self,
        node: NodeId,
        wish: &Descriptors,
        mut came: Vec<OwnedFd>,
    ) {
        match wish {
            Descriptors::Keep { name, polled } => {
                let site = self.sites.get(node);
                let kept = site.map_or(&[][..], |site| site.rare().kept.as_slice());
                let is_kept = |fd: &OwnedFd| {
                    kept.iter().any(|known| fds::are_one(known.fd.as_fd(), fd.as_fd()))
                };
                // Given again after each start, it is kept once, sd_notify(3).
                let (known, new): (Vec<_>, Vec<_>) = came.into_iter().partition(is_kept);
                let waits = |fd: &OwnedFd| fds::is_of_program(fd.as_fd());
                let (slow, new): (Vec<_>, Vec<_>) = new.into_iter().partition(waits);
                if !slow.is_empty() {
                    let text = format!(
                        "{}: a file of a file system that is a program (FUSE) is not kept: \
                         whatever finit starts could wait for it (FDSTORE)",
                        self.engine.name(node)
                    );
                    self.console.tell(Level::Trouble, &text);
                }
                let held = kept.len();
                came = new;
                closing::aside(known);
                closing::aside(slow);
                let room = KEPT.saturating_sub(held);
                let lost = came.split_off(room.min(came.len()));
                for fd in came {
                    self.keep(node, name.clone(), fd, *polled);
                }
                if !lost.is_empty() {
                    let text = format!(
                        "{}: {} descriptors are not kept: it has {KEPT} already (FDSTORE)",
                        self.engine.name(node),
                        lost.len()
                    );
                    self.console.tell(Level::Trouble, &text);
                }
                closing::aside(lost);
            }
            Descriptors::Drop(name) => {
                self.let_go(node, |kept| kept.name == *name);
                closing::aside(came);
            }
            Descriptors::Unwanted | Descriptors::Barrier => closing::aside(came),
        }
    }

    /// Keeps a descriptor, as long as its other side is there if `polled`.
    pub(super) fn keep(&mut self, node: NodeId, name: String, fd: OwnedFd, polled: bool) {
        let Some(site) = self.sites.of(node) else { return };
        let rare = site.make_rare();
        rare.last_kept = rare.last_kept.wrapping_add(1);
        let number = rare.last_kept;
        // One for which the kernel has no room is kept.
        let watched = polled
            && fds::asks_nobody(fd.as_fd())
            && self.watch.hung_up(&fd, Token::Kept(node, number)).is_ok();
        rare.kept.push(Stored { name, fd, number: watched.then_some(number) });
    }

    /// The other side of a kept descriptor is gone, or it failed.
    pub(super) fn on_hung_up(&mut self, node: NodeId, number: u32) {
        for name in self.let_go(node, |kept| kept.number == Some(number)) {
            let service = self.engine.name(node);
            let text = format!(
                "{service}: its descriptor `{name}` is kept no longer: the other side is gone \
                 (FDPOLL=0 keeps such)"
            );
            self.console.tell(Level::Detail, &text);
        }
    }

    /// Before a start: a definition that gives its service no socket leaves none of them a use, and
    /// the descriptor of its line comes behind all that are handed over. Those for which there is
    /// no place are let go, so that no start fails for them.
    pub(super) fn fit_kept(&mut self, node: NodeId, spec: &ServiceSpec) {
        let sockets = spec.sockets.as_ref().map_or(0, |sockets| sockets.sockets.len());
        let room = match spec.ready.when {
            _ if !spec.ready.listens() => 0,
            Ready::Descriptor(number) => {
                usize::from(number).saturating_sub(FIRST.saturating_add(sockets))
            }
            Ready::Exec | Ready::Exit | Ready::Notify | Ready::Found(_) => return,
        };
        let mut number = 0_usize;
        let gone = self.let_go(node, |_| {
            number = number.saturating_add(1);
            number > room
        });
        if !gone.is_empty() {
            let service = self.engine.name(node);
            let text = format!(
                "{service}: {} descriptors are kept no longer: with `ready` as it is there is no \
                 place for them (FDSTORE)",
                gone.len()
            );
            self.console.tell(Level::Trouble, &text);
        }
    }

    /// A service that is not wanted any more needs nothing kept.
    pub(super) fn unkeep(&mut self, node: NodeId) {
        self.let_go(node, |_| true);
    }

    /// Closes kept descriptors; their names. The service has copies, and as long as it has, the
    /// set would watch on.
    fn let_go(&mut self, node: NodeId, mut which: impl FnMut(&Stored) -> bool) -> Vec<String> {
        let Some(rare) = self.sites.of(node).and_then(Site::rare_mut) else { return Vec::new() };
        let gone: Vec<Stored> = rare.kept.extract_if(.., |kept| which(kept)).collect();
        for kept in gone.iter().filter(|kept| kept.number.is_some()) {
            self.watch.forget(&kept.fd);
        }
        let (names, fds): (Vec<String>, Vec<OwnedFd>) =
            gone.into_iter().map(|kept| (kept.name, kept.fd)).unzip();
        closing::aside(fds);
        names
    }
}
