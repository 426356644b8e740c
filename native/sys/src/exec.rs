//! execveat(2) and the argument arrays that it wants.

use crate::raw::check_unit;
use crate::{Errno, signal};
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A NULL-terminated array of C strings, as execve wants it. Borrows the strings.
pub struct StringArray<'a> {
    pointers: Vec<*const libc::c_char>,
    _strings: core::marker::PhantomData<&'a CStr>,
}

impl<'a> StringArray<'a> {
    /// The array of these strings.
    pub fn new(strings: &'a [CString]) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        StringArray { pointers, _strings: core::marker::PhantomData }
    }

    /// For the kernel; valid as long as this value.
    pub fn as_ptr(&self) -> *const *const libc::c_char {
        self.pointers.as_ptr()
    }
}

/// execveat(2), or execve(2) where that says the same (seccomp profiles that are in force by then often know only that one).
/// Comes back only with the reason why not.
///
/// The program starts with SIGPIPE as it was meant to be: ignored dispositions pass through exec, and this process ignores it.
pub fn execveat(dirfd: BorrowedFd<'_>, path: &CStr, argv: &StringArray, env: &StringArray, flags: i32) -> Errno {
    let before = signal::set_default(libc::SIGPIPE);
    // SAFETY: path and both arrays are NUL- and NULL-terminated and outlive the call.
    let answer = check_unit(unsafe {
        if dirfd.as_raw_fd() == libc::AT_FDCWD && flags == 0 {
            libc::syscall(libc::SYS_execve, path.as_ptr(), argv.as_ptr(), env.as_ptr())
        } else {
            libc::syscall(libc::SYS_execveat, dirfd.as_raw_fd(), path.as_ptr(), argv.as_ptr(), env.as_ptr(), flags)
        }
    });
    if before.is_ok() {
        // Still the same program: it goes on as it was. Cannot fail, having just worked the other way.
        let _ = signal::ignore(libc::SIGPIPE);
    }
    answer.err().unwrap_or(Errno::IO)
}
