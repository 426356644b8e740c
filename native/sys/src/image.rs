//! The program image of this process, and how to keep a container from writing to it.
//!
//! CVE-2019-5736: a container's root that gets hold of /proc/PID/exe of a process of the runtime can open it for writing once the
//! process has gone, and so replace the runtime on the host. The defence is to run from an image that nobody can write: a read-only
//! detached mount of the file, or a sealed copy in memory.

use crate::exec::{StringArray, execveat};
use crate::{Errno, Result, file, mount, process, raw, stat};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE.
const ALL_SEALS: u32 = 1 | 2 | 4 | 8;
/// ST_RDONLY.
const READ_ONLY: i64 = 1;
/// MFD_CLOEXEC | MFD_ALLOW_SEALING.
const SEALABLE: u32 = 1 | 2;
/// MFD_EXEC (Linux 6.3): wanted where vm.memfd_noexec is set, unknown to older kernels.
const EXECUTABLE: u32 = 0x10;

/// Can nobody write to this file through a path to it, /proc/PID/exe included?
fn is_sealed(fd: BorrowedFd<'_>) -> Result<bool> {
    if stat::file_system(fd)?.flags & READ_ONLY != 0 {
        return Ok(true);
    }
    // EINVAL: not a memfd.
    Ok(file::seals(fd).is_ok_and(|seals| seals & ALL_SEALS == ALL_SEALS))
}

/// The file of this process's program.
pub fn open_self() -> Result<OwnedFd> {
    file::openat(rustix::fs::CWD, c"/proc/self/exe", libc::O_RDONLY as u32, 0)
}

/// Does this process run from an image that a container cannot write? False when it cannot be told.
pub fn sealed() -> bool {
    open_self().and_then(|image| is_sealed(image.as_fd())).unwrap_or(false)
}

/// Makes this process run from an image that nobody can write: returns at once when it does already, else starts the same program
/// again with the same arguments from a sealed image and does not return. With an error nothing has changed.
///
/// `copy` skips the read-only mount, so that the copy can be tested where mounting is allowed.
pub fn seal(argv: &[CString], env: &[CString], copy: bool) -> Result<()> {
    let image = open_self()?;
    if is_sealed(image.as_fd())? {
        return Ok(());
    }
    // The mount costs no memory and shares the page cache, but needs CAP_SYS_ADMIN and a mount that this namespace owns. Who lacks
    // the one has it in a user namespace of his own.
    let mounted = if copy {
        Err(Errno::PERM)
    } else {
        read_only_mount(image.as_fd()).or_else(|_| mount_from_user_namespace(image.as_fd()))
    };
    let sealed = mounted.or_else(|_| sealed_copy(image.as_fd()))?;
    let (argv, env) = (StringArray::new(argv), StringArray::new(env));
    Err(execveat(sealed.as_fd(), c"", &argv, &env, libc::AT_EMPTY_PATH))
}

fn read_only_mount(image: BorrowedFd<'_>) -> Result<OwnedFd> {
    let tree = mount::clone_read_only(image.as_raw_fd())?;
    if is_sealed(tree.as_fd())? { Ok(tree) } else { Err(Errno::ROFS) }
}

/// The mount made by a process in a user and a mount namespace of its own, which ends at once; what stays is our descriptor, and
/// once that is closed by execve nobody can change the mount's attributes any more: it is in no namespace.
///
/// The file is found again by its path, since a mount can only be copied by who is in its namespace; a file that was put in its place
/// meanwhile is refused.
fn mount_from_user_namespace(image: BorrowedFd<'_>) -> Result<OwnedFd> {
    let path = rustix::fs::readlink(c"/proc/self/exe", Vec::new())?;
    // The child's descriptors are ours; it puts the mount in the place of this one.
    let place = file::openat(rustix::fs::CWD, c"/", (libc::O_PATH | libc::O_CLOEXEC) as u32, 0)?;
    let flags = libc::CLONE_FILES | libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has a copy of all memory, this stack included; there is one thread. It only makes system
    // calls and leaves.
    let pid = raw::check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })? as i32;
    if pid == 0 {
        let made = mount::clone_read_only_at(libc::AT_FDCWD, &path).and_then(|tree| {
            // SAFETY: both descriptors are open.
            raw::check(unsafe { libc::dup3(tree.as_raw_fd(), place.as_raw_fd(), libc::O_CLOEXEC) })
        });
        process::exit(i32::from(made.is_err()));
    }
    if process::wait(pid, 0)?.map(|(_, change)| change) != Some(process::Change::Exited(0)) {
        return Err(Errno::PERM);
    }
    let (mounted, wanted) = (stat::of(place.as_fd())?, stat::of(image)?);
    let inode = |it: &stat::Statx| (it.stx_dev_major, it.stx_dev_minor, it.stx_ino);
    if inode(&mounted) == inode(&wanted) && is_sealed(place.as_fd())? { Ok(place) } else { Err(Errno::ROFS) }
}

fn sealed_copy(image: BorrowedFd<'_>) -> Result<OwnedFd> {
    let name: &CStr = c"teu";
    let copy = file::memfd(name, SEALABLE | EXECUTABLE).or_else(|_| file::memfd(name, SEALABLE))?;
    crate::copy::copy(image, copy.as_fd(), u64::MAX)?;
    if stat::of(copy.as_fd())?.stx_size != stat::of(image)?.stx_size {
        return Err(Errno::IO);
    }
    file::add_seals(copy.as_fd(), ALL_SEALS)?;
    if is_sealed(copy.as_fd())? { Ok(copy) } else { Err(Errno::ROFS) }
}
