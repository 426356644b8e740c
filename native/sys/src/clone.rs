//! clone3(2) without a new stack: the child is a copy that returns from the same call, like fork.

use crate::Result;
use crate::raw::check;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Not libc's constant: that one is too narrow.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// What clone3 is told.
pub struct CloneOptions {
    /// CLONE_* bits, without those that the fields below set.
    pub flags: u64,
    /// Signal for the parent at exit.
    pub exit_signal: u32,
    /// cgroup v2 directory to be born in.
    pub cgroup: Option<RawFd>,
}

/// Who returns from clone3.
pub enum Cloned {
    /// The caller: the child's pid and a close-on-exec pidfd.
    Parent(i32, OwnedFd),
    /// The copy.
    Child,
}

/// clone3(2) with CLONE_PIDFD. The C library does not learn of it: in the copy, what goes by the thread's tid (raise, pthread_*) would
/// mean the thread that was copied.
///
/// Refuses (EINVAL) flags under which a copy cannot go on running: a shared address space (CLONE_VM, CLONE_VFORK, CLONE_THREAD)
/// and TLS or tid words of the caller's making.
pub fn clone(options: &CloneOptions) -> Result<Cloned> {
    let refused = libc::CLONE_VM
        | libc::CLONE_VFORK
        | libc::CLONE_THREAD
        | libc::CLONE_SIGHAND
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    if options.flags & refused as u64 != 0 {
        return Err(crate::Errno::INVAL);
    }
    // All fields zero is a valid value of the struct, and the kernel's default for those that stay so.
    // SAFETY: clone_args is plain numbers.
    let mut args: libc::clone_args = unsafe { core::mem::zeroed() };
    let mut pidfd: RawFd = -1;
    args.flags = options.flags | libc::CLONE_PIDFD as u64;
    args.exit_signal = u64::from(options.exit_signal);
    args.pidfd = (&raw mut pidfd) as u64;
    if let Some(cgroup) = options.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    // SAFETY: without CLONE_VM the child has a copy of all memory, this stack included; there is one thread, so no lock can
    // be held by somebody who is not copied. The kernel writes the pidfd into our variable.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel has just made it for us.
    Ok(Cloned::Parent(pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{self, Change};

    #[test]
    fn clone_refuses_to_share_memory() {
        let options = CloneOptions { flags: libc::CLONE_VM as u64, exit_signal: 17, cgroup: None };
        assert!(matches!(clone(&options), Err(crate::Errno::INVAL)));
    }

    #[test]
    fn child_is_a_copy_with_a_pid_of_its_own() {
        let options = CloneOptions { flags: 0, exit_signal: libc::SIGCHLD as u32, cgroup: None };
        match clone(&options).unwrap() {
            Cloned::Child => {
                // SAFETY: no memory is involved.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                process::exit(1);
            }
            Cloned::Parent(pid, pidfd) => {
                assert!(std::os::fd::AsRawFd::as_raw_fd(&pidfd) > 2);
                assert_eq!(process::wait(pid, 0), Ok(Some((pid, Change::Signaled(libc::SIGKILL)))));
            }
        }
    }
}
