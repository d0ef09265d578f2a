//! Extended attributes of an open file, which carry its access list: xattr(7), acl(5).

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use crate::facts::Errno;

/// As long as a value can be, and all names together: XATTR_SIZE_MAX, XATTR_LIST_MAX.
const MOST: usize = 64 * 1024;

/// The names of all that it has and that we may see. EOPNOTSUPP where the file system has none.
/// flistxattr(2)
pub fn names(file: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut list = vec![0u8; MOST];
    // SAFETY: the buffer is live and that long.
    let length =
        unsafe { libc::flistxattr(file.as_raw_fd(), list.as_mut_ptr().cast(), list.len()) };
    list.truncate(length_of(length)?);
    let names = list.split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(|name| CStr::from_bytes_with_nul(name).ok()).map(CStr::to_owned).collect())
}

/// The value of one. ENODATA if it has none of that name. fgetxattr(2)
pub fn get(file: BorrowedFd<'_>, name: &CStr) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0u8; MOST];
    let (pointer, size) = (value.as_mut_ptr().cast(), value.len());
    // SAFETY: the name is ended by a NUL; the buffer is live and that long.
    let length = unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), pointer, size) };
    value.truncate(length_of(length)?);
    Ok(value)
}

/// Gives it one, or another value. EPERM, ENOSPC, EOPNOTSUPP. fsetxattr(2)
pub fn set(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    let (pointer, size) = (value.as_ptr().cast(), value.len());
    // SAFETY: the name is ended by a NUL; the value is live and that long.
    let done = unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), pointer, size, 0) };
    Ok(nix::errno::Errno::result(done).map(drop)?)
}

/// Takes one away. ENODATA if it has none of that name. fremovexattr(2)
pub fn remove(file: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name is ended by a NUL.
    let done = unsafe { libc::fremovexattr(file.as_raw_fd(), name.as_ptr()) };
    Ok(nix::errno::Errno::result(done).map(drop)?)
}

fn length_of(answer: isize) -> Result<usize, Errno> {
    Ok(nix::errno::Errno::result(answer).map(isize::unsigned_abs)?)
}
