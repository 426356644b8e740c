//! Directories as a whole: listing, and removing a tree that somebody else may own.

use crate::{Errno, Result};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, ResolveFlags};
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One entry: its name and DT_* type.
pub struct Entry {
    /// Name without any directory.
    pub name: CString,
    /// DT_*: 4 directory, 8 regular, 10 symbolic link ..., 0 unknown.
    pub kind: u8,
}

/// All entries but "." and "..", from the beginning, whatever was read before.
pub fn read(fd: BorrowedFd<'_>) -> Result<Vec<Entry>> {
    rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = Vec::<MaybeUninit<u8>>::with_capacity(32 << 10);
    // SAFETY: the elements are MaybeUninit: any memory is a valid value of them.
    unsafe { buffer.set_len(32 << 10) };
    let mut entries = Vec::new();
    let mut reader = RawDir::new(fd, &mut buffer);
    while let Some(entry) = reader.next() {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            entries.push(Entry { name: entry.file_name().to_owned(), kind: kind_number(entry.file_type()) });
        }
    }
    Ok(entries)
}

fn kind_number(kind: rustix::fs::FileType) -> u8 {
    use rustix::fs::FileType;
    match kind {
        FileType::Fifo => libc::DT_FIFO,
        FileType::CharacterDevice => libc::DT_CHR,
        FileType::Directory => libc::DT_DIR,
        FileType::BlockDevice => libc::DT_BLK,
        FileType::RegularFile => libc::DT_REG,
        FileType::Symlink => libc::DT_LNK,
        FileType::Socket => libc::DT_SOCK,
        FileType::Unknown => libc::DT_UNKNOWN,
    }
}

/// Removes `path` below `dirfd` and all that is in it. The directories on the way to its last name are the caller's to trust; that name
/// and all below it are never followed through a symbolic link nor into another mount (EXDEV or EBUSY then). Missing is fine.
/// Stops at the first failure.
pub fn remove_tree(dirfd: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    let Some((parent, name)) = split(path) else { return remove_below(dirfd, path) };
    // NO_XDEV would count a mount on the way here as well: the state directory of a runtime usually lies on a tmpfs of its own.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(dirfd, &*parent, flags, Mode::empty()) {
        Ok(parent) => remove_below(parent.as_fd(), &name),
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The directory of a path, and its last name; `None` for a bare name.
fn split(path: &CStr) -> Option<(CString, CString)> {
    let bytes = path.to_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/')? + 1;
    let start = bytes[..end].iter().rposition(|byte| *byte == b'/')? + 1;
    // Parts of a C string have no NUL.
    Some((CString::new(&bytes[..start]).ok()?, CString::new(&bytes[start..end]).ok()?))
}

fn remove_below(dirfd: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    match rustix::fs::unlinkat(dirfd, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // EISDIR is Linux's answer for directories, EPERM is what POSIX has.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let top = match open_below(dirfd, path) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    empty(top)?;
    remove_directory(dirfd, path)
}

/// A directory whose entries are being removed: depth costs a descriptor each, not stack.
struct Level {
    fd: OwnedFd,
    left: Vec<Entry>,
}

fn empty(top: OwnedFd) -> Result<()> {
    let left = read(top.as_fd())?;
    let mut levels = vec![Level { fd: top, left }];
    // Names of the directories between the levels, to remove each when its level is done.
    let mut names: Vec<CString> = Vec::new();
    while let Some(level) = levels.last_mut() {
        let Some(entry) = level.left.pop() else {
            levels.pop();
            if let (Some(parent), Some(name)) = (levels.last(), names.pop()) {
                remove_directory(parent.fd.as_fd(), &name)?;
            }
            continue;
        };
        if entry.kind != libc::DT_DIR {
            match rustix::fs::unlinkat(&level.fd, &*entry.name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR) => {}
                Err(errno) => return Err(errno),
            }
        }
        match open_below(level.fd.as_fd(), &entry.name) {
            Ok(fd) => {
                let left = read(fd.as_fd())?;
                levels.push(Level { fd, left });
                names.push(entry.name);
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn open_below(dirfd: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(dirfd, name, flags, Mode::empty(), resolve) {
        // No such call, or a filter around us that does not know it.
        Err(Errno::NOSYS | Errno::PERM) => open_on_mount(dirfd, name, flags),
        other => other,
    }
}

/// The same for one name by openat(2), which follows no last link, and a look at the mount.
fn open_on_mount(dirfd: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
    let fd = rustix::fs::openat(dirfd, name, flags, Mode::empty())?;
    let mount = |fd: BorrowedFd<'_>| crate::stat::of(fd).map(|found| found.stx_mnt_id);
    if mount(fd.as_fd())? == mount(dirfd)? { Ok(fd) } else { Err(Errno::XDEV) }
}

fn remove_directory(dirfd: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match rustix::fs::unlinkat(dirfd, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
