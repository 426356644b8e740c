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

/// What /proc/PID/stat says of a process.
#[derive(Debug, PartialEq)]
pub struct ProcessStat {
    /// Field 3: `R`, `S`, `D`, ...; `Z` when it has ended and nobody has waited for it.
    pub letter: u8,
    /// Field 4.
    pub parent: i32,
    /// Field 22, clock ticks after boot.
    pub start_time: u64,
    /// Fields 32 and 33: does it block or ignore any of the first 31 signals?
    pub deaf: bool,
}

/// `None` when there is no such process.
pub fn process_stat(pid: i32) -> Result<Option<ProcessStat>> {
    let path = CString::new(format!("/proc/{pid}/stat")).map_err(|_| Errno::INVAL)?;
    let opened = file::openat(rustix::fs::CWD, &path, libc::O_RDONLY as u32, 0);
    // The kernel writes this file whole for the first read, and it is much shorter than a page.
    let text = match opened.and_then(|fd| file::read(fd.as_fd(), 4096)) {
        // ESRCH: it went away between open and read.
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        other => other?,
    };
    stat_in(&text).map(Some).ok_or(Errno::BADMSG)
}

/// The second field is the program's name in parentheses and may hold anything, parentheses and spaces included.
fn stat_in(stat: &[u8]) -> Option<ProcessStat> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
    // Each `nth` counts from behind the field before it.
    Some(ProcessStat {
        letter: *fields.next()?.as_bytes().first()?,
        parent: fields.next()?.parse().ok()?,
        start_time: fields.nth(22 - 5)?.parse().ok()?,
        deaf: fields.nth(32 - 23)? != "0" || fields.next()? != "0",
    })
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
    fn stat_is_read_after_a_name_with_parentheses() {
        let stat = |blocked: u32, ignored: u32| {
            let text = format!(
                "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1 2 3 4 5 6 7 0 {blocked} {ignored} 9"
            );
            stat_in(text.as_bytes()).unwrap()
        };
        assert_eq!(stat(0, 0), ProcessStat { letter: b'S', parent: 3, start_time: 12345, deaf: false });
        assert!(stat(1, 0).deaf && stat(0, 4096).deaf);
        assert_eq!(stat_in(b"7 (a"), None);
    }

    #[test]
    fn process_stat_is_none_without_the_process() {
        assert_eq!(process_stat(i32::MAX).unwrap(), None);
        assert_eq!(process_stat(crate::process::id()).unwrap().unwrap().letter, b'R');
    }
}
