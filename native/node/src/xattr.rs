//! Extended attributes as bytes. By descriptor, or by name below a descriptor without following a symlink:
//! the kernel's own *xattrat calls are too new (6.13), so the second form goes through /proc/self/fd.

use std::ffi::CString;
use std::ptr;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno};
use crate::file_name::{FileName, NameBytes};

/// XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel.
const LARGEST: usize = 65536;

/// fsetxattr(2), or lsetxattr(2) on `name` below `dirfd` when it is not empty.
#[napi]
pub fn set_xattr(dirfd: i32, path: FileName, name: FileName, value: &[u8]) -> Result<()> {
    let name = name.c_string("setxattr")?;
    let at = value.as_ptr().cast();
    match below(dirfd, path, "lsetxattr")? {
        None => check("fsetxattr", unsafe {
            libc::fsetxattr(dirfd, name.as_ptr(), at, value.len(), 0)
        })?,
        Some(path) => check("lsetxattr", unsafe {
            libc::lsetxattr(path.as_ptr(), name.as_ptr(), at, value.len(), 0)
        })?,
    };
    Ok(())
}

/// One value; null when the attribute is absent (ENODATA) or the file system has none (EOPNOTSUPP).
#[napi]
pub fn get_xattr(dirfd: i32, path: FileName, name: FileName) -> Result<Option<Buffer>> {
    let name = name.c_string("getxattr")?;
    let path = below(dirfd, path, "lgetxattr")?;
    let mut value = vec![0u8; 256];
    loop {
        let room = value.as_mut_ptr().cast();
        let length = match &path {
            None => unsafe { libc::fgetxattr(dirfd, name.as_ptr(), room, value.len()) },
            Some(path) => unsafe {
                libc::lgetxattr(path.as_ptr(), name.as_ptr(), room, value.len())
            },
        };
        if length >= 0 {
            value.truncate(length as usize);
            return Ok(Some(value.into()));
        }
        match last_errno() {
            libc::ENODATA | libc::EOPNOTSUPP => return Ok(None),
            libc::ERANGE if value.len() < LARGEST => value.resize(LARGEST, 0),
            errno => return Err(failure("getxattr", errno)),
        }
    }
}

/// All names; empty where the file system has none.
#[napi]
pub fn list_xattrs(dirfd: i32, path: FileName) -> Result<Vec<NameBytes>> {
    let path = below(dirfd, path, "llistxattr")?;
    let list = |room: *mut libc::c_char, size: usize| match &path {
        None => unsafe { libc::flistxattr(dirfd, room, size) },
        Some(path) => unsafe { libc::llistxattr(path.as_ptr(), room, size) },
    };
    // Nearly every file has none: ask for the size alone first.
    let length = list(ptr::null_mut(), 0);
    if length == 0 {
        return Ok(Vec::new());
    }
    let mut names = vec![0u8; LARGEST];
    let length = list(names.as_mut_ptr().cast(), names.len());
    if length < 0 {
        return match last_errno() {
            libc::EOPNOTSUPP => Ok(Vec::new()),
            errno => Err(failure("listxattr", errno)),
        };
    }
    let parts = names[..length as usize].split(|byte| *byte == 0).filter(|part| !part.is_empty());
    Ok(parts.map(|part| NameBytes(part.to_vec())).collect())
}

/// fremovexattr(2), or lremovexattr(2) below `dirfd`; false when there was none.
#[napi]
pub fn remove_xattr(dirfd: i32, path: FileName, name: FileName) -> Result<bool> {
    let name = name.c_string("removexattr")?;
    let result = match below(dirfd, path, "lremovexattr")? {
        None => unsafe { libc::fremovexattr(dirfd, name.as_ptr()) },
        Some(path) => unsafe { libc::lremovexattr(path.as_ptr(), name.as_ptr()) },
    };
    if result == 0 {
        return Ok(true);
    }
    match last_errno() {
        libc::ENODATA | libc::EOPNOTSUPP => Ok(false),
        errno => Err(failure("removexattr", errno)),
    }
}

fn below(dirfd: i32, path: FileName, syscall: &str) -> Result<Option<CString>> {
    let name = path.into_bytes();
    if name.is_empty() {
        return Ok(None);
    }
    let mut full = format!("/proc/self/fd/{dirfd}/").into_bytes();
    full.extend_from_slice(&name);
    CString::new(full).map(Some).map_err(|_| failure(syscall, libc::EINVAL))
}
