//! Moving this process between namespaces, namespaces(7). The process has one thread, so the calls mean what they say.

use crate::Result;
use crate::raw::check_unit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// unshare(2).
pub fn unshare(flags: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::unshare(flags) })
}

/// setns(2) with a namespace's descriptor or a pidfd.
pub fn set(fd: BorrowedFd<'_>, flags: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::setns(fd.as_raw_fd(), flags) })
}
