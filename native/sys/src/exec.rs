//! execveat(2) and the argument arrays that it wants.

use crate::raw::check_unit;
use crate::Errno;
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

/// execveat(2); comes back only with the reason why not.
pub fn execveat(dirfd: BorrowedFd<'_>, path: &CStr, argv: &StringArray, env: &StringArray, flags: i32) -> Errno {
    // SAFETY: path and both arrays are NUL- and NULL-terminated and outlive the call.
    let answer = check_unit(unsafe {
        libc::syscall(libc::SYS_execveat, dirfd.as_raw_fd(), path.as_ptr(), argv.as_ptr(), env.as_ptr(), flags)
    });
    answer.err().unwrap_or(Errno::IO)
}
