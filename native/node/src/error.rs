//! Failed system calls as JavaScript errors: `code` is the errno name, the message names the call.

use std::io;

/// The status of an error: becomes `.code` of the JavaScript error.
pub struct Errno(pub &'static str);

impl AsRef<str> for Errno {
    fn as_ref(&self) -> &str {
        self.0
    }
}

pub type Error = napi::Error<Errno>;
pub type Result<T> = std::result::Result<T, Error>;

/// The error for `errno` of the call named `syscall`.
pub fn failure(syscall: &str, errno: i32) -> Error {
    let name = errno_name(errno);
    let text = io::Error::from_raw_os_error(errno).to_string();
    // "No such file or directory (os error 2)": the number says nothing that the name does not.
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    Error::new(Errno(name), format!("{syscall}: {text}"))
}

/// The result of a call that returns a negative number and sets errno on failure.
pub fn check<T: Into<i64> + Copy>(syscall: &str, result: T) -> Result<T> {
    if result.into() < 0 { Err(failure(syscall, last_errno())) } else { Ok(result) }
}

/// As `check`, repeating the call while it is interrupted by a signal.
pub fn retry<T: Into<i64> + Copy>(syscall: &str, mut call: impl FnMut() -> T) -> Result<T> {
    loop {
        let result = call();
        if result.into() >= 0 {
            return Ok(result);
        }
        let errno = last_errno();
        if errno != libc::EINTR {
            return Err(failure(syscall, errno));
        }
    }
}

/// errno of this thread.
pub fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

macro_rules! names {
    ($($name:ident)*) => {
        fn errno_name(errno: i32) -> &'static str {
            match errno {
                $(libc::$name => stringify!($name),)*
                _ => "EUNKNOWN",
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENODATA EOVERFLOW EOPNOTSUPP ESTALE EDQUOT EUCLEAN
    ECANCELED EILSEQ EREMOTEIO ENOMEDIUM
}
