//! Extended attributes, xattr(7). Final symbolic links are followed, as the calls do.

use crate::{Errno, Result};
use rustix::fs::XattrFlags;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;

/// getxattr(2).
pub fn get(path: &CStr, name: &CStr) -> Result<Vec<u8>> {
    loop {
        let size = rustix::fs::getxattr_query(path, name)?;
        let mut value = Vec::with_capacity(size.max(1));
        match rustix::fs::getxattr(path, name, rustix::buffer::spare_capacity(&mut value)) {
            // Grew between the two calls.
            Err(Errno::RANGE) => {}
            other => return other.map(|_| value),
        }
    }
}

/// setxattr(2); `flags` XATTR_CREATE 1, XATTR_REPLACE 2.
pub fn set(path: &CStr, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
    rustix::fs::setxattr(path, name, value, XattrFlags::from_bits_retain(flags))
}

/// fsetxattr(2).
pub fn set_of(fd: BorrowedFd<'_>, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
    rustix::fs::fsetxattr(fd, name, value, XattrFlags::from_bits_retain(flags))
}
