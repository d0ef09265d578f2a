//! The capabilities of a process, as bits: for PID 1 itself, and for the child between clone and
//! exec, so with bare system calls and no allocation; capabilities(7).

use core::ffi::{c_int, c_long};

use super::syscall::{call, outcome};
use crate::facts::Errno;

/// Which layout the sets have, _LINUX_CAPABILITY_VERSION_3, and whose they are: our own.
#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

static HEADER: Header = Header { version: 0x2008_0522, pid: 0 };

/// Half of the three sets, the lower 32 bits or the upper.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn sets() -> Result<[Half; 2], c_int> {
    let mut halves = [Half::default(); 2];
    let arguments = [(&raw const HEADER).addr(), halves.as_mut_ptr().addr(), 0, 0, 0, 0];
    // SAFETY: both are live, and of that version the kernel fills in two halves.
    outcome(unsafe { call(libc::SYS_capget, arguments) })?;
    Ok(halves)
}

fn set(halves: [Half; 2]) -> Result<(), c_int> {
    let arguments = [(&raw const HEADER).addr(), halves.as_ptr().addr(), 0, 0, 0, 0];
    // SAFETY: both are live, and of that version the kernel reads two halves; the sets are those
    // of this process alone.
    outcome(unsafe { call(libc::SYS_capset, arguments) }).map(drop)
}

/// A prctl(2) whose arguments are numbers; those that are not given must be 0.
fn control(option: c_int, arguments: [usize; 2]) -> Result<(), c_int> {
    let [first, second] = arguments;
    let arguments = [option.cast_unsigned() as usize, first, second, 0, 0, 0];
    let number: c_long = libc::SYS_prctl;
    // SAFETY: the callers below pass no pointers, and each changes only this process.
    outcome(unsafe { call(number, arguments) }).map(drop)
}

/// A change of user is to leave the permitted capabilities alone; exec ends that.
pub(super) fn outlive_user() -> Result<(), c_int> {
    control(libc::PR_SET_KEEPCAPS, [1, 0])
}

/// The permitted ones.
pub(super) fn permitted() -> Result<u64, c_int> {
    let [low, high] = sets()?;
    Ok(u64::from(low.permitted) | u64::from(high.permitted).wrapping_shl(32))
}

/// The permitted, effective and inheritable ones become these; what is ambient and not among them
/// is gone, too.
pub(super) fn have_only(bits: u64) -> Result<(), c_int> {
    let half = |bits: u64| {
        let bits = bits as u32;
        Half { effective: bits, permitted: bits, inheritable: bits }
    };
    set([half(bits), half(bits.wrapping_shr(32))])
}

/// The one of that number is to outlive exec though the user is not root.
pub(super) fn raise_ambient(number: u32) -> Result<(), c_int> {
    control(libc::PR_CAP_AMBIENT, [libc::PR_CAP_AMBIENT_RAISE as usize, number as usize])
}

/// Nothing is left that a program could inherit because its file says so, nor ambient ones: some
/// container engines give their first process such, and it would be every service's.
pub fn inherit_nothing() -> Result<(), Errno> {
    let halves = sets().map_err(Errno)?.map(|half| Half { inheritable: 0, ..half });
    set(halves).map_err(Errno)
}
