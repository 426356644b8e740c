//! Processes: waiting, signalling, pidfds, sessions, directories, prctl(2), the title.

use crate::raw::{check, check_fd, check_unit, retry};
use crate::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// How a child changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Ended by itself, with its exit status.
    Exited(i32),
    /// Ended by a signal.
    Signaled(i32),
    /// Stopped by a signal.
    Stopped(i32),
    /// Goes on after a stop.
    Continued,
}

/// waitpid(2); `None` when WNOHANG found nobody. Retries EINTR.
pub fn wait(pid: i32, options: i32) -> Result<Option<(i32, Change)>> {
    let mut status = 0;
    let pid = retry(|| {
        // SAFETY: the kernel writes one integer. wait4 directly, since libc's waitpid is a cancellation point.
        check(unsafe {
            libc::syscall(libc::SYS_wait4, pid, &raw mut status, options, std::ptr::null::<libc::rusage>())
        })
    })?;
    if pid == 0 {
        return Ok(None);
    }
    let change = if libc::WIFEXITED(status) {
        Change::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Change::Signaled(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        Change::Stopped(libc::WSTOPSIG(status))
    } else {
        Change::Continued
    };
    Ok(Some((pid as i32, change)))
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::kill(pid, signal) })
}

/// pidfd_open(2), close-on-exec.
pub fn pidfd_open(pid: i32, flags: u32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })
}

/// pidfd_getfd(2), close-on-exec.
pub fn pidfd_getfd(pidfd: BorrowedFd<'_>, fd: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the info is null, which the call allows.
    check_unit(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, 0) })
}

/// getpid(2), from the kernel each time: a copy made by clone3 must not see its parent's.
pub fn id() -> i32 {
    // SAFETY: no memory is involved; it cannot fail.
    (unsafe { libc::syscall(libc::SYS_getpid) }) as i32
}

/// getppid(2).
pub fn parent_id() -> i32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::getppid() }
}

/// setsid(2); the new session's id.
pub fn new_session() -> Result<i32> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setsid() }).map(|id| id as i32)
}

/// setpgid(2).
pub fn set_group(pid: i32, group: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::setpgid(pid, group) })
}

/// umask(2); the old mask.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::umask(mask) }
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> Result<()> {
    // SAFETY: the path is a C string that outlives the call.
    check_unit(unsafe { libc::chdir(path.as_ptr()) })
}

/// fchdir(2).
pub fn change_directory_to(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::fchdir(fd.as_raw_fd()) })
}

/// chroot(2).
pub fn change_root(path: &CStr) -> Result<()> {
    // SAFETY: the path is a C string that outlives the call.
    check_unit(unsafe { libc::chroot(path.as_ptr()) })
}

/// getcwd(2) as the kernel gives it: glibc would turn "(unreachable)/..." into ENOENT.
pub fn current_directory() -> Result<Vec<u8>> {
    let mut bytes = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most the given number of bytes and tells how many, the closing NUL included.
    let length = check(unsafe { libc::syscall(libc::SYS_getcwd, bytes.as_mut_ptr(), bytes.len()) })?;
    bytes.truncate((length as usize).saturating_sub(1));
    Ok(bytes)
}

/// prctl(2) with plain numbers. Options that take a pointer are EFAULT.
pub fn prctl(option: i32, arguments: [u64; 4]) -> Result<i64> {
    let [second, third, fourth, fifth] = arguments;
    let takes_pointer = matches!(
        option,
        libc::PR_GET_PDEATHSIG
            | libc::PR_GET_NAME
            | libc::PR_GET_UNALIGN
            | libc::PR_GET_ENDIAN
            | libc::PR_GET_TSC
            | libc::PR_GET_FPEMU
            | libc::PR_GET_FPEXC
            | libc::PR_GET_CHILD_SUBREAPER
            | libc::PR_GET_TID_ADDRESS
            | libc::PR_SET_NAME
            | libc::PR_SET_MM
            | libc::PR_SET_SECCOMP
    );
    if takes_pointer {
        return Err(Errno::FAULT);
    }
    // SAFETY: the numbers come from TypeScript; options that take a pointer, which a number could be made to look like, have just
    // been refused.
    check(unsafe { libc::syscall(libc::SYS_prctl, option, second, third, fourth, fifth) })
}

/// prctl(PR_SET_NAME): the first 15 bytes.
pub fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads at most 16 bytes of a C string.
    check_unit(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) })
}

/// Overwrites the argument strings, as ps shows them, with `title`, cut to the room that there is.
///
/// # Safety
/// `argv` must be the array that the kernel gave to `main`, with `argc` entries, and nobody may use its strings any more.
pub unsafe fn set_title(argv: *mut *mut libc::c_char, argc: usize, title: &[u8]) {
    if argc == 0 {
        return;
    }
    // SAFETY: the kernel lays the strings out one after another; from the first byte of the first to the NUL of the last
    // is one writable area of the stack.
    unsafe {
        let start = *argv;
        let last = *argv.add(argc - 1);
        let room = (last as usize - start as usize) + libc::strlen(last);
        let length = title.len().min(room);
        std::ptr::copy_nonoverlapping(title.as_ptr(), start.cast(), length);
        std::ptr::write_bytes(start.add(length), 0, room - length);
    }
}

/// _exit(2) of the whole process: no handlers, no flush.
pub fn exit(code: i32) -> ! {
    // SAFETY: does not come back.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prctl_refuses_options_that_write_through_a_pointer() {
        assert_eq!(prctl(libc::PR_GET_NAME, [0; 4]), Err(Errno::FAULT));
        assert_eq!(prctl(libc::PR_GET_DUMPABLE, [0; 4]), Ok(1));
    }

    #[test]
    fn pidfd_getfd_copies_and_says_when_there_is_none() {
        let own = pidfd_open(id(), 0).unwrap();
        let pidfd = std::os::fd::AsFd::as_fd(&own);
        let copy = pidfd_getfd(pidfd, own.as_raw_fd()).unwrap();
        assert_ne!(copy.as_raw_fd(), own.as_raw_fd());
        assert!(matches!(pidfd_getfd(pidfd, 1_000_000), Err(Errno::BADF)));
    }

    #[test]
    fn current_directory_is_absolute() {
        assert_eq!(current_directory().unwrap().first(), Some(&b'/'));
    }

    #[test]
    fn wait_says_no_child_when_there_is_none_of_that_number() {
        assert_eq!(wait(id(), libc::WNOHANG), Err(Errno::CHILD));
    }
}
