//! Open files: opening, reading, writing, descriptors and their flags, pipes, memfds.

use crate::raw::{check, check_unit, retry};
use crate::{Errno, Result};
use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags, SealFlags};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

/// openat2 answers EAGAIN when a rename somewhere raced with a RESOLVE_IN_ROOT walk; man page: try again.
const OPENAT2_TRIES: usize = 128;

/// openat2(2), close-on-exec. Without `resolve` it is openat(2), which is there under filters that do not know the other.
pub fn openat2(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32, mode: u32, resolve: u64) -> Result<OwnedFd> {
    if resolve == 0 {
        return openat(dirfd, path, flags, mode);
    }
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    let mode = Mode::from_bits_retain(mode);
    let resolve = ResolveFlags::from_bits_retain(resolve);
    let mut answer = Err(Errno::AGAIN);
    for _ in 0..OPENAT2_TRIES {
        answer = rustix::fs::openat2(dirfd, path, flags, mode, resolve);
        if !matches!(answer, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    answer
}

/// openat(2), close-on-exec.
pub fn openat(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32, mode: u32) -> Result<OwnedFd> {
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    retry(|| rustix::fs::openat(dirfd, path, flags, Mode::from_bits_retain(mode)))
}

/// close(2) of a descriptor known by number. EINTR counts as closed: on Linux it is.
pub fn close(fd: RawFd) -> Result<()> {
    // SAFETY: close takes any number; the caller gives up the descriptor by calling this.
    match check_unit(unsafe { libc::close(fd) }) {
        Err(Errno::INTR) => Ok(()),
        other => other,
    }
}

/// close_range(2).
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<()> {
    // SAFETY: no memory is involved; the caller gives up the descriptors (or only has them flagged).
    check_unit(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })
}

/// read(2) into a new buffer of up to `count` bytes. Retries EINTR.
pub fn read(fd: BorrowedFd<'_>, count: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count);
    retry(|| rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes)))?;
    Ok(bytes)
}

/// pread(2) into a new buffer of up to `count` bytes. Retries EINTR.
pub fn pread(fd: BorrowedFd<'_>, count: usize, offset: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count);
    retry(|| rustix::io::pread(fd, rustix::buffer::spare_capacity(&mut bytes), offset))?;
    Ok(bytes)
}

/// One write(2). Retries EINTR.
pub fn write_some(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    retry(|| rustix::io::write(fd, bytes))
}

/// write(2) until all is written; on failure also how much was.
pub fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> core::result::Result<(), (Errno, usize)> {
    let mut done = 0;
    while done < bytes.len() {
        match write_some(fd, &bytes[done..]) {
            Ok(0) => return Err((Errno::IO, done)),
            Ok(count) => done += count,
            Err(errno) => return Err((errno, done)),
        }
    }
    Ok(())
}

/// One pwrite(2). Retries EINTR.
pub fn pwrite(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> Result<usize> {
    retry(|| rustix::io::pwrite(fd, bytes, offset))
}

/// lseek(2); `whence` is SEEK_*.
pub fn lseek(fd: BorrowedFd<'_>, offset: i64, whence: i32) -> Result<i64> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::lseek(fd.as_raw_fd(), offset, whence) })
}

/// Reads to the end of the file; EFBIG when it is longer than `limit`.
pub fn read_to_end(fd: BorrowedFd<'_>, limit: usize) -> Result<Vec<u8>> {
    // procfs and cgroupfs report size 0, so size is learnt by reading; one page answers nearly always.
    let mut bytes = Vec::with_capacity(4096.min(limit.saturating_add(1)));
    loop {
        if bytes.len() == bytes.capacity() {
            let grow = bytes.len().max(4096).min(limit.saturating_add(1).saturating_sub(bytes.len()));
            if grow == 0 {
                return Err(Errno::FBIG);
            }
            bytes.reserve_exact(grow);
        }
        let count = retry(|| rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes)))?;
        if bytes.len() > limit {
            return Err(Errno::FBIG);
        }
        if count == 0 {
            return Ok(bytes);
        }
    }
}

/// ftruncate(2).
pub fn truncate(fd: BorrowedFd<'_>, size: u64) -> Result<()> {
    retry(|| rustix::fs::ftruncate(fd, size))
}

/// fsync(2).
pub fn sync(fd: BorrowedFd<'_>) -> Result<()> {
    retry(|| rustix::fs::fsync(fd))
}

/// flock(2) with LOCK_* bits. Retries EINTR.
pub fn lock(fd: BorrowedFd<'_>, operation: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    retry(|| check_unit(unsafe { libc::flock(fd.as_raw_fd(), operation) }))
}

/// memfd_create(2), close-on-exec.
pub fn memfd(name: &CStr, flags: u32) -> Result<OwnedFd> {
    rustix::fs::memfd_create(name, MemfdFlags::from_bits_retain(flags) | MemfdFlags::CLOEXEC)
}

/// fcntl(F_ADD_SEALS).
pub fn add_seals(fd: BorrowedFd<'_>, seals: u32) -> Result<()> {
    rustix::fs::fcntl_add_seals(fd, SealFlags::from_bits_retain(seals))
}

/// fcntl(F_GET_SEALS).
pub fn seals(fd: BorrowedFd<'_>) -> Result<u32> {
    rustix::fs::fcntl_get_seals(fd).map(|seals| seals.bits())
}

/// pipe2(2), both ends close-on-exec: (read end, write end).
pub fn pipe(flags: i32) -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two integers into the array.
    check_unit(unsafe { libc::pipe2(ends.as_mut_ptr(), flags | libc::O_CLOEXEC) })?;
    // Both were made just now; check_fd only takes ownership.
    Ok((crate::raw::check_fd(ends[0])?, crate::raw::check_fd(ends[1])?))
}

/// fcntl(F_DUPFD_CLOEXEC): a copy numbered `min` or higher.
pub fn duplicate(fd: BorrowedFd<'_>, min: RawFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, min)
}

/// dup3(2) onto the number `to`; with equal numbers only the close-on-exec flag changes.
pub fn duplicate_to(fd: BorrowedFd<'_>, to: RawFd, cloexec: bool) -> Result<()> {
    if fd.as_raw_fd() == to {
        return set_cloexec(fd, cloexec);
    }
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: no memory is involved; whatever `to` was, the caller gives it up.
    retry(|| check_unit(unsafe { libc::dup3(fd.as_raw_fd(), to, flags) }))
}

/// fcntl(F_SETFD).
pub fn set_cloexec(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    let flags = if on { rustix::io::FdFlags::CLOEXEC } else { rustix::io::FdFlags::empty() };
    rustix::io::fcntl_setfd(fd, flags)
}

/// fcntl(F_SETFL) with O_NONBLOCK on or off, the other flags kept.
pub fn set_nonblock(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(fd)?;
    flags.set(OFlags::NONBLOCK, on);
    rustix::fs::fcntl_setfl(fd, flags)
}

/// Opens /dev/null for each of fds 0, 1, 2 that is closed, so that no later file becomes somebody's standard stream.
pub fn fill_standard_streams() -> Result<()> {
    for fd in 0..=2 {
        // SAFETY: F_GETFD reads a flag of any number.
        if check(unsafe { libc::fcntl(fd, libc::F_GETFD) }).is_err() {
            let null = openat(rustix::fs::CWD, c"/dev/null", OFlags::RDWR.bits(), 0)?;
            if null.as_raw_fd() != fd {
                return Err(Errno::BADF);
            }
            set_cloexec(null.as_fd(), false)?;
            let _stays_open = null.into_raw_fd();
        }
    }
    Ok(())
}
