//! Making, naming and removing directory entries.

use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno};
use crate::file_name::{FileName, NameBytes};

/// mkdirat(2).
#[napi]
pub fn mkdirat(dirfd: i32, path: FileName, mode: u32) -> Result<()> {
    let path = path.c_string("mkdirat")?;
    check("mkdirat", unsafe { libc::mkdirat(dirfd, path.as_ptr(), mode) })?;
    Ok(())
}

/// mknodat(2); `mode` with its S_IFMT bits.
#[napi]
pub fn mknodat(dirfd: i32, path: FileName, mode: u32, major: u32, minor: u32) -> Result<()> {
    let path = path.c_string("mknodat")?;
    let device = libc::makedev(major, minor);
    check("mknodat", unsafe { libc::mknodat(dirfd, path.as_ptr(), mode, device) })?;
    Ok(())
}

/// symlinkat(2).
#[napi]
pub fn symlinkat(target: FileName, dirfd: i32, path: FileName) -> Result<()> {
    let target = target.c_string("symlinkat")?;
    let path = path.c_string("symlinkat")?;
    check("symlinkat", unsafe { libc::symlinkat(target.as_ptr(), dirfd, path.as_ptr()) })?;
    Ok(())
}

/// linkat(2).
#[napi]
pub fn linkat(from_fd: i32, from: FileName, to_fd: i32, to: FileName, flags: i32) -> Result<()> {
    let from = from.c_string("linkat")?;
    let to = to.c_string("linkat")?;
    check("linkat", unsafe { libc::linkat(from_fd, from.as_ptr(), to_fd, to.as_ptr(), flags) })?;
    Ok(())
}

/// unlinkat(2); AT_REMOVEDIR for directories.
#[napi]
pub fn unlinkat(dirfd: i32, path: FileName, flags: i32) -> Result<()> {
    let path = path.c_string("unlinkat")?;
    check("unlinkat", unsafe { libc::unlinkat(dirfd, path.as_ptr(), flags) })?;
    Ok(())
}

/// renameat2(2).
#[napi]
pub fn renameat2(from_fd: i32, from: FileName, to_fd: i32, to: FileName, flags: u32) -> Result<()> {
    let from = from.c_string("renameat2")?;
    let to = to.c_string("renameat2")?;
    check("renameat2", unsafe {
        libc::renameat2(from_fd, from.as_ptr(), to_fd, to.as_ptr(), flags)
    })?;
    Ok(())
}

/// readlinkat(2). An empty `path` reads the link that `dirfd` (O_PATH) is.
#[napi]
pub fn readlinkat(dirfd: i32, path: FileName) -> Result<NameBytes> {
    let path = path.c_string("readlinkat")?;
    let mut target = vec![0u8; libc::PATH_MAX as usize + 1];
    let length =
        unsafe { libc::readlinkat(dirfd, path.as_ptr(), target.as_mut_ptr().cast(), target.len()) };
    if length < 0 {
        return Err(failure("readlinkat", last_errno()));
    }
    target.truncate(length as usize);
    Ok(NameBytes(target))
}
