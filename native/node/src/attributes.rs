//! Owner, mode and times. -1 as descriptor number never occurs: "nothing to change" is the caller's business.

use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno};
use crate::file_name::FileName;

/// fchownat(2).
#[napi]
pub fn fchownat(dirfd: i32, path: FileName, uid: u32, gid: u32, flags: i32) -> Result<()> {
    let path = path.c_string("fchownat")?;
    check("fchownat", unsafe { libc::fchownat(dirfd, path.as_ptr(), uid, gid, flags) })?;
    Ok(())
}

/// fchown(2).
#[napi]
pub fn fchown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    check("fchown", unsafe { libc::fchown(fd, uid, gid) })?;
    Ok(())
}

/// fchmodat(2), following a final symlink; with flags fchmodat2(2), which needs Linux 6.6.
#[napi]
pub fn fchmodat(dirfd: i32, path: FileName, mode: u32, flags: i32) -> Result<()> {
    let path = path.c_string("fchmodat")?;
    if flags == 0 {
        check("fchmodat", unsafe { libc::fchmodat(dirfd, path.as_ptr(), mode, 0) })?;
    } else {
        check("fchmodat2", unsafe {
            libc::syscall(libc::SYS_fchmodat2, dirfd, path.as_ptr(), mode, flags)
        })?;
    }
    Ok(())
}

/// fchmod(2).
#[napi]
pub fn fchmod(fd: i32, mode: u32) -> Result<()> {
    check("fchmod", unsafe { libc::fchmod(fd, mode) })?;
    Ok(())
}

/// utimensat(2). Seconds may be negative; nanoseconds are 0..=999999999, or UTIME_OMIT to leave a time alone.
#[napi]
pub fn utimensat(
    dirfd: i32,
    path: FileName,
    atime: i64,
    atime_ns: u32,
    mtime: i64,
    mtime_ns: u32,
    flags: i32,
) -> Result<()> {
    let path = path.c_string("utimensat")?;
    let times = [timespec(atime, atime_ns), timespec(mtime, mtime_ns)];
    check("utimensat", unsafe { libc::utimensat(dirfd, path.as_ptr(), times.as_ptr(), flags) })?;
    Ok(())
}

/// futimens(3).
#[napi]
pub fn futimens(fd: i32, atime: i64, atime_ns: u32, mtime: i64, mtime_ns: u32) -> Result<()> {
    let times = [timespec(atime, atime_ns), timespec(mtime, mtime_ns)];
    check("futimens", unsafe { libc::futimens(fd, times.as_ptr()) })?;
    Ok(())
}

fn timespec(seconds: i64, nanoseconds: u32) -> libc::timespec {
    libc::timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) }
}

/// FS_IOC_SETFLAGS of FS_TOPDIR_FL beside the flags that there are; false where the file system does not do it.
#[napi]
pub fn set_top_directory(fd: i32) -> Result<bool> {
    /// linux/fs.h
    const FS_TOPDIR_FL: libc::c_int = 0x0002_0000;
    // The kernel reads and writes an int, whatever the number of the call says.
    let mut flags: libc::c_int = 0;
    let done = unsafe {
        libc::ioctl(fd, libc::FS_IOC_GETFLAGS, &mut flags) == 0
            && (flags & FS_TOPDIR_FL != 0 || {
                flags |= FS_TOPDIR_FL;
                libc::ioctl(fd, libc::FS_IOC_SETFLAGS, &flags) == 0
            })
    };
    match last_errno() {
        // The caller's mistake; everything else is no reason not to go on.
        libc::EBADF if !done => Err(failure("ioctl", libc::EBADF)),
        _ => Ok(done),
    }
}
