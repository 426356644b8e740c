//! openat2, close, flock, room for descriptors.

use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
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

/// Makes room for `count` descriptors, in the thread pool; does nothing where the limit is lower. The kernel makes a table of
/// twice the size each time one is full, and with several threads each time waits for all processors (synchronize_rcu, up to
/// 10 ms): who is about to open hundreds asks for all of them at once.
#[napi]
pub fn reserve_descriptors(count: i32) -> AsyncTask<Reserve> {
    AsyncTask::new(Reserve { count })
}

/// One `reserve_descriptors` on its way through the pool.
pub struct Reserve {
    count: i32,
}

impl Task for Reserve {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        let root = unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
        if root >= 0 {
            let far = unsafe { libc::fcntl(root, libc::F_DUPFD_CLOEXEC, self.count - 1) };
            for fd in [far, root] {
                if fd >= 0 {
                    unsafe { libc::close(fd) };
                }
            }
        }
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}
