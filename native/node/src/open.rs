//! openat2, close, flock.

use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno, retry};
use crate::file_name::FileName;

/// openat2 fails with EAGAIN when a rename elsewhere raced with a scoped walk; the kernel asks to try again.
const RACE_RETRIES: u32 = 128;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// openat2(2), close-on-exec always. Returns the new descriptor, the caller's to close.
#[napi]
pub fn openat2(dirfd: i32, path: FileName, flags: u32, mode: u32, resolve: u32) -> Result<i32> {
    let path = path.c_string("openat2")?;
    let how = OpenHow {
        flags: u64::from(flags) | libc::O_CLOEXEC as u64 | libc::O_LARGEFILE as u64,
        mode: u64::from(mode),
        resolve: u64::from(resolve),
    };
    let mut tries = 0;
    loop {
        let fd = unsafe {
            libc::syscall(libc::SYS_openat2, dirfd, path.as_ptr(), &how, size_of::<OpenHow>())
        };
        if fd >= 0 {
            return Ok(fd as i32);
        }
        match last_errno() {
            libc::EINTR => {}
            libc::EAGAIN if tries < RACE_RETRIES => tries += 1,
            errno => return Err(failure("openat2", errno)),
        }
    }
}

/// close(2). Not repeated on EINTR: Linux has closed the descriptor by then.
#[napi]
pub fn close(fd: i32) -> Result<()> {
    check("close", unsafe { libc::close(fd) })?;
    Ok(())
}

/// flock(2) without waiting (LOCK_NB is added): true when locked, false when somebody else holds it.
#[napi]
pub fn try_flock(fd: i32, operation: i32) -> Result<bool> {
    match retry("flock", || unsafe { libc::flock(fd, operation | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(error) if error.status.0 == "EAGAIN" => Ok(false),
        Err(error) => Err(error),
    }
}
