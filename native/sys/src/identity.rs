//! Users and groups of this process, credentials(7). Raw calls: glibc would try to reach other threads, of which there are none.

use crate::Result;
use crate::raw::{check, check_unit};

/// getuid(2).
pub fn user() -> u32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::getuid() }
}

/// geteuid(2).
pub fn effective_user() -> u32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::geteuid() }
}

/// getgid(2).
pub fn group() -> u32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::getgid() }
}

/// getegid(2).
pub fn effective_group() -> u32 {
    // SAFETY: no memory is involved; it cannot fail.
    unsafe { libc::getegid() }
}

/// setresuid(2). 4294967295 leaves an id as it is: whoever validates ids must refuse it (crun's CVE-2026-30892 class).
pub fn set_users(real: u32, effective: u32, saved: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::syscall(libc::SYS_setresuid, real, effective, saved) })
}

/// setresgid(2). 4294967295 leaves an id as it is.
pub fn set_groups_of_process(real: u32, effective: u32, saved: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::syscall(libc::SYS_setresgid, real, effective, saved) })
}

/// setgroups(2): supplementary groups.
pub fn set_supplementary(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `len` numbers from the slice.
    check_unit(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
}

/// getgroups(2).
pub fn supplementary() -> Result<Vec<u32>> {
    let mut groups = vec![0u32; 65536];
    // SAFETY: the kernel writes at most `len` numbers into the vector.
    let count = check(unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) })?;
    groups.truncate(count as usize);
    Ok(groups)
}
