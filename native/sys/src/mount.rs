//! Mounting, the old way and the new: mount(2), open_tree(2), fsopen(2), mount_setattr(2).

use crate::raw::{check_fd, check_unit};
use crate::{Result, file};
use rustix::mount::{FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// mount(2); what is `None` is NULL.
pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    fstype: Option<&CStr>,
    flags: u64,
    data: Option<&CStr>,
) -> Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all strings are C strings that outlive the call, or null where the call allows it.
    check_unit(unsafe { libc::mount(pointer(source), target.as_ptr(), pointer(fstype), flags, pointer(data).cast()) })
}

/// umount2(2).
pub fn unmount(target: &CStr, flags: i32) -> Result<()> {
    // SAFETY: the path is a C string that outlives the call.
    check_unit(unsafe { libc::umount2(target.as_ptr(), flags) })
}

/// pivot_root(2).
pub fn pivot_root(new_root: &CStr, put_old: &CStr) -> Result<()> {
    // SAFETY: both paths are C strings that outlive the call.
    check_unit(unsafe { libc::syscall(libc::SYS_pivot_root, new_root.as_ptr(), put_old.as_ptr()) })
}

/// open_tree(2), close-on-exec.
pub fn open_tree(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32) -> Result<OwnedFd> {
    rustix::mount::open_tree(dirfd, path, OpenTreeFlags::from_bits_retain(flags) | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// move_mount(2).
pub fn move_mount(from_fd: BorrowedFd<'_>, from: &CStr, to_fd: BorrowedFd<'_>, to: &CStr, flags: u32) -> Result<()> {
    rustix::mount::move_mount(from_fd, from, to_fd, to, MoveMountFlags::from_bits_retain(flags))
}

/// struct mount_attr.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// MOUNT_ATTR_* to set.
    pub set: u64,
    /// MOUNT_ATTR_* to clear.
    pub clear: u64,
    /// MS_PRIVATE, MS_SLAVE ..., or 0 to leave it.
    pub propagation: u64,
    /// User namespace for MOUNT_ATTR_IDMAP.
    pub userns_fd: u64,
}

/// mount_setattr(2) (Linux 5.12); `flags` AT_EMPTY_PATH, AT_RECURSIVE ...
pub fn set_attributes(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32, attributes: &Attributes) -> Result<()> {
    // SAFETY: the path is a C string; the kernel reads as many bytes of the struct as it is told it has.
    check_unit(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dirfd.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<Attributes>(),
        )
    })
}

/// fsopen(2), close-on-exec.
pub fn fs_open(fstype: &CStr, flags: u32) -> Result<OwnedFd> {
    rustix::mount::fsopen(fstype, FsOpenFlags::from_bits_retain(flags) | FsOpenFlags::FSOPEN_CLOEXEC)
}

/// fspick(2), close-on-exec.
pub fn fs_pick(dirfd: BorrowedFd<'_>, path: &CStr, flags: u32) -> Result<OwnedFd> {
    rustix::mount::fspick(dirfd, path, FsPickFlags::from_bits_retain(flags) | FsPickFlags::FSPICK_CLOEXEC)
}

/// fsconfig(2) FSCONFIG_SET_STRING.
pub fn fs_set_string(fd: BorrowedFd<'_>, key: &CStr, value: &CStr) -> Result<()> {
    rustix::mount::fsconfig_set_string(fd, key, value)
}

/// fsconfig(2) FSCONFIG_SET_FLAG.
pub fn fs_set_flag(fd: BorrowedFd<'_>, key: &CStr) -> Result<()> {
    rustix::mount::fsconfig_set_flag(fd, key)
}

/// fsconfig(2) FSCONFIG_SET_FD.
pub fn fs_set_fd(fd: BorrowedFd<'_>, key: &CStr, value: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::fsconfig_set_fd(fd, key, value)
}

/// fsconfig(2) FSCONFIG_CMD_CREATE.
pub fn fs_create(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::fsconfig_create(fd)
}

/// fsconfig(2) FSCONFIG_CMD_RECONFIGURE.
pub fn fs_reconfigure(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::fsconfig_reconfigure(fd)
}

/// fsmount(2), close-on-exec; `attributes` MOUNT_ATTR_*.
pub fn fs_mount(fd: BorrowedFd<'_>, flags: u32, attributes: u32) -> Result<OwnedFd> {
    let flags = FsMountFlags::from_bits_retain(flags) | FsMountFlags::FSMOUNT_CLOEXEC;
    rustix::mount::fsmount(fd, flags, MountAttrFlags::from_bits_retain(attributes))
}

/// What the kernel has to say about a failed fsconfig: the messages that wait on the context ("e overlay: ..."), joined.
pub fn fs_messages(fd: BorrowedFd<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    // The kernel keeps at most eight messages; ENODATA is the end of them.
    for _ in 0..16 {
        let Ok(message) = file::read(fd, 8192) else { break };
        let text = message.strip_prefix(b"e ").or_else(|| message.strip_prefix(b"w ")).unwrap_or(&message);
        let text = text.trim_ascii_end();
        if text.is_empty() {
            break;
        }
        if !all.is_empty() {
            all.extend_from_slice(b"; ");
        }
        all.extend_from_slice(text);
    }
    all
}

/// A detached, read-only copy of the mount that holds `fd`'s file, with that file as its root.
pub fn clone_read_only(fd: RawFd) -> Result<OwnedFd> {
    clone_read_only_at(fd, c"")
}

/// The same of what is at a path, or with an empty one of the descriptor.
pub fn clone_read_only_at(fd: RawFd, path: &CStr) -> Result<OwnedFd> {
    /// OPEN_TREE_CLONE.
    const CLONE: i32 = 1;
    /// MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID.
    const READ_ONLY: u64 = 1 | 2;
    let flags = CLONE | libc::O_CLOEXEC | libc::AT_EMPTY_PATH;
    // SAFETY: the path is a C string that outlives the call.
    let tree = check_fd(unsafe { libc::syscall(libc::SYS_open_tree, fd, path.as_ptr(), flags) })?;
    let attributes = Attributes { set: READ_ONLY, ..Attributes::default() };
    set_attributes(std::os::fd::AsFd::as_fd(&tree), c"", libc::AT_EMPTY_PATH as u32, &attributes)?;
    Ok(tree)
}
