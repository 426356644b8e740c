//! Putting a filter in force, seccomp(2). Making one is the business of `filter`.

use crate::raw::{check, check_unit};
use crate::{Errno, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// Bytes of one BPF instruction (struct sock_filter).
const INSTRUCTION: usize = 8;

/// SECCOMP_SET_MODE_FILTER with a program of sock_filter instructions; a close-on-exec descriptor with
/// SECCOMP_FILTER_FLAG_NEW_LISTENER, else nothing.
pub fn load(program: &[u8], flags: u32) -> Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len() / INSTRUCTION).map_err(|_| Errno::INVAL)?;
    if !program.len().is_multiple_of(INSTRUCTION) || length == 0 {
        return Err(Errno::INVAL);
    }
    // The kernel wants the instructions aligned; bytes from TypeScript may lie anywhere.
    let words: Vec<u64> = program.as_chunks::<INSTRUCTION>().0.iter().map(|bytes| u64::from_ne_bytes(*bytes)).collect();
    let fprog = libc::sock_fprog { len: length, filter: words.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel reads `len` instructions of 8 bytes.
    let answer =
        check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const fprog) })?;
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32 == 0 {
        return if answer == 0 { Ok(None) } else { Err(Errno::SRCH) };
    }
    // SAFETY: with the flag, the answer is a descriptor that the kernel has just made.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(answer as i32) }))
}

/// SECCOMP_GET_ACTION_AVAIL.
pub fn action_available(action: u32) -> Result<bool> {
    // SAFETY: the kernel reads one number.
    match check_unit(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) })
    {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_refuses_a_broken_program() {
        for program in [&[][..], &[0; 7], &[0; 12]] {
            assert!(matches!(load(program, 0), Err(Errno::INVAL)));
        }
    }

    #[test]
    fn action_available_knows_kill() {
        assert_eq!(action_available(libc::SECCOMP_RET_KILL_PROCESS), Ok(true));
        assert_eq!(action_available(0x1234_0000), Ok(false));
    }
}
