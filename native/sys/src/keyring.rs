//! Session keyrings, keyctl(2).

use crate::Result;
use crate::raw::{check, check_unit};
use std::ffi::CStr;

/// KEYCTL_JOIN_SESSION_KEYRING; the key's serial number.
pub fn join_session(name: &CStr) -> Result<i32> {
    // SAFETY: the name is a C string that outlives the call.
    let key =
        check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr(), 0, 0, 0) })?;
    Ok(key as i32)
}

/// KEYCTL_SETPERM.
pub fn set_permissions(key: i32, permissions: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SETPERM, key, permissions, 0, 0) })
}
