//! Directory entries: making, linking, renaming and removing them, and changing owner and mode.

use crate::Result;
use crate::raw::{check_unit, retry};
use rustix::fs::{AtFlags, FileType, Gid, Mode, RenameFlags, Uid};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// mkdirat(2).
pub fn make_directory(dirfd: BorrowedFd<'_>, path: &CStr, mode: u32) -> Result<()> {
    rustix::fs::mkdirat(dirfd, path, Mode::from_bits_retain(mode))
}

/// mknodat(2); `mode` carries the file type.
pub fn make_node(dirfd: BorrowedFd<'_>, path: &CStr, mode: u32, major: u32, minor: u32) -> Result<()> {
    let kind = FileType::from_raw_mode(mode);
    let device = rustix::fs::makedev(major, minor);
    rustix::fs::mknodat(dirfd, path, kind, Mode::from_raw_mode(mode), device)
}

/// symlinkat(2).
pub fn make_symlink(target: &CStr, dirfd: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    rustix::fs::symlinkat(target, dirfd, path)
}

/// linkat(2); `flags` AT_SYMLINK_FOLLOW, AT_EMPTY_PATH.
pub fn link(from_fd: BorrowedFd<'_>, from: &CStr, to_fd: BorrowedFd<'_>, to: &CStr, flags: u32) -> Result<()> {
    rustix::fs::linkat(from_fd, from, to_fd, to, AtFlags::from_bits_retain(flags))
}

/// unlinkat(2); `flags` AT_REMOVEDIR.
pub fn unlink(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32) -> Result<()> {
    rustix::fs::unlinkat(dirfd, path, AtFlags::from_bits_retain(flags))
}

/// renameat2(2); `flags` RENAME_*.
pub fn rename(from_fd: BorrowedFd<'_>, from: &CStr, to_fd: BorrowedFd<'_>, to: &CStr, flags: u32) -> Result<()> {
    rustix::fs::renameat_with(from_fd, from, to_fd, to, RenameFlags::from_bits_retain(flags))
}

/// readlinkat(2), the whole target.
pub fn read_link(dirfd: BorrowedFd<'_>, path: &CStr) -> Result<Vec<u8>> {
    rustix::fs::readlinkat(dirfd, path, Vec::new()).map(|target| target.into_bytes())
}

/// fchmod(2).
pub fn change_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    rustix::fs::fchmod(fd, Mode::from_bits_retain(mode))
}

/// fchmodat(2), or fchmodat2(2) (Linux 6.6) when there are flags.
pub fn change_mode_at(dirfd: BorrowedFd<'_>, path: &CStr, mode: u32, flags: u32) -> Result<()> {
    if flags == 0 {
        return rustix::fs::chmodat(dirfd, path, Mode::from_bits_retain(mode), AtFlags::empty());
    }
    // SAFETY: the path is a C string that outlives the call.
    check_unit(unsafe { libc::syscall(libc::SYS_fchmodat2, dirfd.as_raw_fd(), path.as_ptr(), mode, flags) })
}

/// fchownat(2); 4294967295 leaves an id as it is. `flags` AT_*.
pub fn change_owner_at(dirfd: BorrowedFd<'_>, path: &CStr, uid: u32, gid: u32, flags: u32) -> Result<()> {
    rustix::fs::chownat(dirfd, path, user(uid), group(gid), AtFlags::from_bits_retain(flags))
}

/// fchown(2); 4294967295 leaves an id as it is.
pub fn change_owner(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    retry(|| rustix::fs::fchown(fd, user(uid), group(gid)))
}

fn user(id: u32) -> Option<Uid> {
    (id != u32::MAX).then(|| Uid::from_raw(id))
}

fn group(id: u32) -> Option<Gid> {
    (id != u32::MAX).then(|| Gid::from_raw(id))
}
