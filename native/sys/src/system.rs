//! The machine and this process in it: uname, host name, personality, memory in use, a process's start time.

use crate::raw::{check, check_unit};
use crate::{Errno, Result, file};
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

/// What uname(2) says.
pub struct Uname {
    /// "Linux".
    pub sysname: Vec<u8>,
    /// Host name.
    pub nodename: Vec<u8>,
    /// "6.18.0".
    pub release: Vec<u8>,
    /// Build.
    pub version: Vec<u8>,
    /// "x86_64".
    pub machine: Vec<u8>,
}

/// uname(2).
pub fn uname() -> Result<Uname> {
    // SAFETY: the struct is byte arrays; the kernel fills each with a C string.
    let (answer, names) = unsafe {
        let mut names: libc::utsname = core::mem::zeroed();
        (libc::uname(&raw mut names), names)
    };
    check_unit(answer)?;
    let text = |field: &[libc::c_char]| field.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    Ok(Uname {
        sysname: text(&names.sysname),
        nodename: text(&names.nodename),
        release: text(&names.release),
        version: text(&names.version),
        machine: text(&names.machine),
    })
}

/// sethostname(2).
pub fn set_host_name(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes of the slice.
    check_unit(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })
}

/// setdomainname(2).
pub fn set_domain_name(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes of the slice.
    check_unit(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) })
}

/// personality(2); the old one.
pub fn personality(persona: u64) -> Result<u64> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::personality(persona) }).map(|old| old as u64)
}

/// Field 22 of /proc/PID/stat, clock ticks after boot; `None` when there is no such process.
pub fn process_start_time(pid: i32) -> Result<Option<u64>> {
    let path = CString::new(format!("/proc/{pid}/stat")).map_err(|_| Errno::INVAL)?;
    let opened = file::openat(rustix::fs::CWD, &path, libc::O_RDONLY as u32, 0);
    let text = match opened.and_then(|fd| file::read_to_end(fd.as_fd(), 4096)) {
        // ESRCH: it went away between open and read.
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        other => other?,
    };
    start_time_in(&text).map(Some).ok_or(Errno::BADMSG)
}

/// The second field is the program's name in parentheses and may hold anything, parentheses and spaces included.
fn start_time_in(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = str::from_utf8(&stat[after_name..]).ok()?;
    // The first field here is number 3.
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// Peak resident set in KiB (getrusage).
pub fn peak_memory() -> Result<u64> {
    // SAFETY: the struct is plain numbers; the kernel fills it.
    let (answer, usage) = unsafe {
        let mut usage: libc::rusage = core::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), usage)
    };
    check_unit(answer)?;
    Ok(usage.ru_maxrss as u64)
}

/// Resident set in KiB (/proc/self/statm); 0 where there is no procfs.
pub fn current_memory() -> u64 {
    let read = |path: &CStr| -> Option<u64> {
        let fd = file::openat(rustix::fs::CWD, path, libc::O_RDONLY as u32, 0).ok()?;
        let text = file::read_to_end(fd.as_fd(), 4096).ok()?;
        let pages: u64 = str::from_utf8(&text).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages * page_size() / 1024)
    };
    read(c"/proc/self/statm").unwrap_or(0)
}

/// Bytes in a page.
pub fn page_size() -> u64 {
    // SAFETY: no memory is involved; the answer always exists.
    (unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_after_a_name_with_parentheses() {
        let stat = b"7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        assert_eq!(start_time_in(stat), Some(12345));
        assert_eq!(start_time_in(b"7 (a"), None);
    }

    #[test]
    fn process_start_time_is_none_without_the_process() {
        assert_eq!(process_start_time(i32::MAX).unwrap(), None);
        assert!(process_start_time(crate::process::id()).unwrap().is_some());
    }
}
