#![allow(unsafe_code, reason = "the one room that talks to the kernel")]

//! What finit asks of the kernel, one subject a file, and the only unsafe code in the house.
//!
//! The rules of this room:
//!
//! * An `unsafe` block holds one operation and a `SAFETY:` line that says why it holds *here*.
//!   Whatever nix or std offer as safe calls is called through them.
//! * Nothing blocks. Paths that may hang (network file systems, consoles) are opened by the
//!   child that needs them, or with O_NONBLOCK.
//! * Every descriptor is close-on-exec from birth. `child` clears the flag, in the child, and
//!   whoever hands descriptors over to the next finit.
//! * Nothing is decided here: a function does one thing and reports what the kernel said.
//! * PID 1 never changes its own niceness, umask or working directory, so what the kernel gave
//!   it is what its children inherit unless a service says otherwise; of its limits only that of
//!   descriptors, which each child gets back as it was.
//! * What comes from outside (/proc, /etc, datagrams) is read up to a bound and any line of it
//!   may be nonsense.
//!
//! `spawn` is the heart: `plan` prepares everything in the parent, `child` runs it between
//! clone and exec with bare system calls from `calls` and `syscall`, on a stack of `stack`,
//! with its descriptors delivered by `lanes`.

mod calls;
mod child;
mod lanes;
mod launch;
mod peer;
mod plan;
mod stack;
mod syscall;
mod watch;

pub mod attributes;
pub mod capability;
pub mod cgroup;
pub mod closing;
pub mod early;
pub mod entry;
pub mod fault;
pub mod fds;
pub mod folders;
pub mod host;
pub mod ipc;
pub mod kill;
pub mod kmsg;
pub mod memory;
pub mod mount;
pub mod passing;
pub mod paths;
pub mod pidfd;
pub mod place;
pub mod proc;
pub mod reboot;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod time;
pub mod tty;
pub mod users;
pub mod wait;
