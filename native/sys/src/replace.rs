//! Replacing a file so that nobody ever sees half of it.

use crate::{Errno, Result, clock, file};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Writes `bytes` to a new file beside `path`, gives it exactly `mode`, optionally syncs it and its directory, and renames it
/// over `path`. On failure the new file is gone and `path` is as it was.
pub fn replace(dirfd: BorrowedFd<'_>, path: &CStr, bytes: &[u8], mode: u32, sync: bool) -> Result<()> {
    let (fd, temporary) = create_beside(dirfd, path)?;
    let written = fill(&fd, bytes, mode, sync).and_then(|()| rustix::fs::renameat(dirfd, &*temporary, dirfd, path));
    if let Err(errno) = written {
        // The first error is the one to report; a leftover that cannot be removed changes nothing about it.
        let _ = rustix::fs::unlinkat(dirfd, &*temporary, AtFlags::empty());
        return Err(errno);
    }
    if sync { sync_parent(dirfd, path) } else { Ok(()) }
}

fn fill(fd: &OwnedFd, bytes: &[u8], mode: u32, sync: bool) -> Result<()> {
    file::write_all(fd.as_fd(), bytes).map_err(|(errno, _)| errno)?;
    // Not at open: the umask would take bits away.
    rustix::fs::fchmod(fd, Mode::from_bits_retain(mode))?;
    if sync { file::sync(fd.as_fd()) } else { Ok(()) }
}

fn create_beside(dirfd: BorrowedFd<'_>, path: &CStr) -> Result<(OwnedFd, CString)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..64 {
        let mut name = path.to_bytes().to_vec();
        let random = u64::from_ne_bytes(clock::random(8)?.try_into().map_err(|_| Errno::IO)?);
        name.extend_from_slice(format!(".{random:016x}.tmp").as_bytes());
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        match rustix::fs::openat(dirfd, &*name, flags, Mode::from_bits_retain(0o600)) {
            Ok(fd) => return Ok((fd, name)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EXIST)
}

fn sync_parent(dirfd: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    let bytes = path.to_bytes();
    let parent = match bytes.iter().rposition(|byte| *byte == b'/') {
        None => CString::from(c"."),
        Some(0) => CString::from(c"/"),
        Some(end) => CString::new(&bytes[..end]).map_err(|_| Errno::INVAL)?,
    };
    let parent =
        rustix::fs::openat(dirfd, &*parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    file::sync(parent.as_fd())
}
