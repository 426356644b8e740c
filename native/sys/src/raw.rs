//! The step from libc's "minus one and errno" to `Result`. Everything that rustix lacks goes through here.

use crate::{Errno, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// The value of a libc call, or errno when it answered -1.
pub(crate) fn check(value: impl Into<i64>) -> Result<i64> {
    let value = value.into();
    if value == -1 { Err(last()) } else { Ok(value) }
}

/// A libc call that answers only 0 or -1.
pub(crate) fn check_unit(value: impl Into<i64>) -> Result<()> {
    check(value).map(|_| ())
}

/// A libc call that answers a new descriptor.
pub(crate) fn check_fd(value: impl Into<i64>) -> Result<OwnedFd> {
    let fd = check(value)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The calling thread's errno.
pub(crate) fn last() -> Errno {
    // SAFETY: the location is thread-local and always valid.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}

/// Repeats a call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
