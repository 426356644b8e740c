//! What a file or a file system is: statx(2), fstatfs(2), faccessat2(2).

use crate::raw::check_unit;
use crate::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The kernel's answer to statx(2), basic set and mount id.
pub type Statx = rustix::fs::Statx;

/// statx(2); `flags` are AT_*.
pub fn at(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32) -> Result<Statx> {
    use rustix::fs::{AtFlags, StatxFlags};
    // 0x1000 is STATX_MNT_ID, which older kernels leave out of the answer.
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    rustix::fs::statx(dirfd, path, AtFlags::from_bits_retain(flags), mask)
}

/// statx(2) of an open file.
pub fn of(fd: BorrowedFd<'_>) -> Result<Statx> {
    at(fd, c"", libc::AT_EMPTY_PATH as u32)
}

/// What fstatfs(2) says.
pub struct FileSystem {
    /// `f_type`.
    pub magic: i64,
    /// `f_flags`: ST_*.
    pub flags: i64,
    /// `f_bsize`.
    pub block_size: i64,
    /// `f_blocks`.
    pub blocks: u64,
    /// `f_bfree`.
    pub blocks_free: u64,
}

/// fstatfs(2).
pub fn file_system(fd: BorrowedFd<'_>) -> Result<FileSystem> {
    let answer = rustix::fs::fstatfs(fd)?;
    Ok(FileSystem {
        magic: answer.f_type as i64,
        flags: answer.f_flags as i64,
        block_size: answer.f_bsize as i64,
        blocks: answer.f_blocks,
        blocks_free: answer.f_bfree,
    })
}

/// `f_type` of what the path is on, statfs(2).
pub fn file_system_type(path: &CStr) -> Result<i64> {
    Ok(rustix::fs::statfs(path)?.f_type as i64)
}

/// faccessat2(2) for the effective ids: false for ENOENT, ENOTDIR and EACCES. Where a filter that does not know it is in force
/// already (EPERM, ENOSYS), faccessat(2), which asks for the real ids: after setresuid(2) they are the same.
pub fn access(dirfd: BorrowedFd<'_>, path: &CStr, mode: u32) -> Result<bool> {
    // SAFETY: the path is a C string that outlives the call.
    let mut answer = check_unit(unsafe {
        libc::syscall(libc::SYS_faccessat2, dirfd.as_raw_fd(), path.as_ptr(), mode, libc::AT_EACCESS)
    });
    if matches!(answer, Err(Errno::PERM | Errno::NOSYS)) {
        // SAFETY: as above.
        answer = check_unit(unsafe { libc::syscall(libc::SYS_faccessat, dirfd.as_raw_fd(), path.as_ptr(), mode) });
    }
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(false),
        Err(errno) => Err(errno),
    }
}
