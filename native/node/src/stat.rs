//! statx(2) and fstatfs(2). Numbers are written into an array the caller keeps: an object per file costs more than the call.

use std::mem::MaybeUninit;

use napi::bindgen_prelude::Float64ArraySlice;
use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno};
use crate::file_name::FileName;

/// Length of the array that `statx` fills.
const FIELDS: usize = 20;

/// statx(2) into `out`: mode nlink uid gid size ino(hi,lo) dev(major,minor) rdev(major,minor) mtime(s,ns) atime(s,ns)
/// ctime(s,ns) blocks mountId attributes. False when there is no such entry (ENOENT, ENOTDIR).
#[napi]
pub fn statx(dirfd: i32, path: FileName, flags: i32, mut out: Float64ArraySlice<'_>) -> Result<bool> {
    let path = path.c_string("statx")?;
    if out.len() < FIELDS {
        return Err(failure("statx", libc::EINVAL));
    }
    let mut buffer = MaybeUninit::<libc::statx>::zeroed();
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    let result = unsafe { libc::statx(dirfd, path.as_ptr(), flags, mask, buffer.as_mut_ptr()) };
    if result < 0 {
        return match last_errno() {
            libc::ENOENT | libc::ENOTDIR => Ok(false),
            errno => Err(failure("statx", errno)),
        };
    }
    let found = unsafe { buffer.assume_init() };
    // Sound: JavaScript does not run, hence does not touch the array, during this call.
    let out = unsafe { out.as_mut() };
    out[..FIELDS].copy_from_slice(&[
        f64::from(found.stx_mode),
        f64::from(found.stx_nlink),
        f64::from(found.stx_uid),
        f64::from(found.stx_gid),
        found.stx_size as f64,
        (found.stx_ino >> 32) as f64,
        (found.stx_ino & 0xffff_ffff) as f64,
        f64::from(found.stx_dev_major),
        f64::from(found.stx_dev_minor),
        f64::from(found.stx_rdev_major),
        f64::from(found.stx_rdev_minor),
        found.stx_mtime.tv_sec as f64,
        f64::from(found.stx_mtime.tv_nsec),
        found.stx_atime.tv_sec as f64,
        f64::from(found.stx_atime.tv_nsec),
        found.stx_ctime.tv_sec as f64,
        f64::from(found.stx_ctime.tv_nsec),
        found.stx_blocks as f64,
        found.stx_mnt_id as f64,
        found.stx_attributes as f64,
    ]);
    Ok(true)
}

/// fstatfs(2): type, block size, blocks, free blocks, available blocks, inodes, free inodes, flags.
#[napi]
pub fn fstatfs(fd: i32) -> Result<Vec<f64>> {
    let mut buffer = MaybeUninit::<libc::statfs64>::zeroed();
    check("fstatfs", unsafe { libc::fstatfs64(fd, buffer.as_mut_ptr()) })?;
    let found = unsafe { buffer.assume_init() };
    Ok(vec![
        found.f_type as f64,
        found.f_bsize as f64,
        found.f_blocks as f64,
        found.f_bfree as f64,
        found.f_bavail as f64,
        found.f_files as f64,
        found.f_ffree as f64,
        found.f_flags as f64,
    ])
}
