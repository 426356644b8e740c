//! Reading directories by descriptor.

use std::ffi::CStr;

use napi_derive::napi;

use crate::error::{Result, check, failure, last_errno};
use crate::file_name::NameBytes;

const BUFFER_BYTES: usize = 64 * 1024;
/// Offsets in struct linux_dirent64.
const RECLEN: usize = 16;
const TYPE: usize = 18;
const NAME: usize = 19;

/// What a directory holds, without "." and "..": names, and beside each its DT_* type.
#[napi(object, object_from_js = false)]
pub struct DirectoryEntries {
    pub names: Vec<NameBytes>,
    pub types: Vec<u32>,
}

/// getdents64(2) from the beginning to the end.
#[napi]
pub fn read_directory(fd: i32) -> Result<DirectoryEntries> {
    check("lseek", unsafe { libc::lseek(fd, 0, libc::SEEK_SET) })?;
    let mut entries = DirectoryEntries { names: Vec::new(), types: Vec::new() };
    let mut buffer = vec![0u8; BUFFER_BYTES];
    loop {
        let length =
            unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) };
        if length < 0 {
            return Err(failure("getdents64", last_errno()));
        }
        if length == 0 {
            return Ok(entries);
        }
        collect(&buffer[..length as usize], &mut entries)?;
    }
}

fn collect(mut rest: &[u8], entries: &mut DirectoryEntries) -> Result<()> {
    while rest.len() > NAME {
        let length = usize::from(u16::from_ne_bytes([rest[RECLEN], rest[RECLEN + 1]]));
        if length <= NAME || length > rest.len() {
            return Err(failure("getdents64", libc::EIO));
        }
        let name = CStr::from_bytes_until_nul(&rest[NAME..length])
            .map_err(|_| failure("getdents64", libc::EIO))?;
        if name != c"." && name != c".." {
            entries.names.push(NameBytes::from_c(name));
            entries.types.push(u32::from(rest[TYPE]));
        }
        rest = &rest[length..];
    }
    Ok(())
}
