//! Content: whole small files in one call, in-kernel copies, allocation, durability.

use std::ptr;

use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno, retry};
use crate::file_name::FileName;
use crate::read_buffer::ReadBuffer;

/// Creates a file that must not exist (O_EXCL, so a symlink is never followed) and fills it with `data`; its mode is
/// `mode` whatever the umask, its owner and times as given. One call instead of six: most files in a layer are small.
/// On failure after the creation the file is left for the caller to remove.
#[napi]
pub fn write_new_file(
    dirfd: i32,
    name: FileName,
    data: &[u8],
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    mtime_ns: u32,
) -> Result<()> {
    let name = name.c_string("openat")?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    let fd = retry("openat", || unsafe { libc::openat(dirfd, name.as_ptr(), flags, 0o600) })?;
    let done = fill(fd, data).and_then(|()| dress(fd, mode, uid, gid, mtime, mtime_ns));
    let closed = check("close", unsafe { libc::close(fd) });
    done.and(closed.map(|_| ()))
}

pub fn fill(fd: i32, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        let written = unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
        if written < 0 {
            match last_errno() {
                libc::EINTR => continue,
                errno => return Err(failure("write", errno)),
            }
        }
        data = &data[written as usize..];
    }
    Ok(())
}

/// Owner before mode: chown clears the setuid and setgid bits.
fn dress(fd: i32, mode: u32, uid: u32, gid: u32, mtime: i64, mtime_ns: u32) -> Result<()> {
    check("fchown", unsafe { libc::fchown(fd, uid, gid) })?;
    check("fchmod", unsafe { libc::fchmod(fd, mode) })?;
    let time = libc::timespec { tv_sec: mtime, tv_nsec: i64::from(mtime_ns) };
    check("futimens", unsafe { libc::futimens(fd, [time, time].as_ptr()) })?;
    Ok(())
}

/// write(2) of everything at the descriptor's position.
#[napi]
pub fn write_all(fd: i32, data: &[u8]) -> Result<()> {
    fill(fd, data)
}

/// Copies up to `count` bytes between descriptors at their positions: reflink or in-kernel copy where possible,
/// read and write where not. Returns the bytes copied; fewer than asked only at the end of the source.
#[napi]
pub fn copy_range(from: i32, to: i32, count: i64) -> Result<i64> {
    let mut copied = 0i64;
    while copied < count {
        let want = (count - copied).min(1 << 30) as usize;
        let moved =
            unsafe { libc::copy_file_range(from, ptr::null_mut(), to, ptr::null_mut(), want, 0) };
        match moved {
            0 => break,
            1.. => copied += moved as i64,
            _ => match last_errno() {
                libc::EINTR => {}
                // Other file system, special files, old kernels: by hand.
                libc::EXDEV | libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP if copied == 0 => {
                    return copy_by_hand(from, to, count);
                }
                errno => return Err(failure("copy_file_range", errno)),
            },
        }
    }
    Ok(copied)
}

fn copy_by_hand(from: i32, to: i32, count: i64) -> Result<i64> {
    let mut memory = ReadBuffer::new(256 * 1024);
    let buffer = memory.bytes();
    let mut copied = 0i64;
    while copied < count {
        let want = (count - copied).min(buffer.len() as i64) as usize;
        let length = retry("read", || unsafe {
            libc::read(from, buffer.as_mut_ptr().cast(), want)
        } as i64)?;
        if length == 0 {
            break;
        }
        fill(to, &buffer[..length as usize])?;
        copied += length;
    }
    Ok(copied)
}

/// ftruncate(2).
#[napi]
pub fn ftruncate(fd: i32, size: i64) -> Result<()> {
    retry("ftruncate", || unsafe { libc::ftruncate(fd, size) })?;
    Ok(())
}

/// fallocate(2) of the first `size` bytes; false where the file system cannot.
#[napi]
pub fn allocate(fd: i32, size: i64) -> Result<bool> {
    match retry("fallocate", || unsafe { libc::fallocate(fd, 0, 0, size) }) {
        Ok(_) => Ok(true),
        Err(error) if error.status.0 == "EOPNOTSUPP" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Start of the next data (`hole` false) or hole at or after `offset`; -1 when there is none.
#[napi]
pub fn seek_extent(fd: i32, offset: i64, hole: bool) -> Result<i64> {
    let whence = if hole { libc::SEEK_HOLE } else { libc::SEEK_DATA };
    let found = unsafe { libc::lseek(fd, offset, whence) };
    if found >= 0 {
        return Ok(found);
    }
    match last_errno() {
        libc::ENXIO => Ok(-1),
        errno => Err(failure("lseek", errno)),
    }
}

/// fsync(2).
#[napi]
pub fn fsync(fd: i32) -> Result<()> {
    retry("fsync", || unsafe { libc::fsync(fd) })?;
    Ok(())
}

/// syncfs(2): everything of the file system that `fd` is on.
#[napi]
pub fn syncfs(fd: i32) -> Result<()> {
    retry("syncfs", || unsafe { libc::syncfs(fd) })?;
    Ok(())
}
