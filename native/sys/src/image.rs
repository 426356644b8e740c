//! The program image of this process, and how to keep a container from writing to it.
//!
//! CVE-2019-5736: a container's root that gets hold of /proc/PID/exe of a process of the runtime can open it for writing once the
//! process has gone, and so replace the runtime on the host. The defence is to run from an image that nobody can write: a read-only
//! detached mount of the file, or a sealed copy in memory.

use crate::exec::{StringArray, execveat};
use crate::{Errno, Result, file, mount, stat};
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
    // The mount costs no memory and shares the page cache, but needs CAP_SYS_ADMIN and a mount that this namespace owns.
    let mounted = if copy { Err(Errno::PERM) } else { read_only_mount(image.as_fd()) };
    let sealed = mounted.or_else(|_| sealed_copy(image.as_fd()))?;
    let (argv, env) = (StringArray::new(argv), StringArray::new(env));
    Err(execveat(sealed.as_fd(), c"", &argv, &env, libc::AT_EMPTY_PATH))
}

fn read_only_mount(image: BorrowedFd<'_>) -> Result<OwnedFd> {
    let tree = mount::clone_read_only(image.as_raw_fd())?;
    if is_sealed(tree.as_fd())? { Ok(tree) } else { Err(Errno::ROFS) }
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
