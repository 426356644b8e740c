//! From rules to a seccomp BPF program, by libseccomp (LGPL-2.1, linked statically): it knows each architecture's system
//! call numbers, multiplexed socket calls and the two halves of 64-bit arguments.

use crate::{Errno, Result, file};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};

mod ffi {
    use std::ffi::{c_char, c_int, c_uint, c_void};

    #[repr(C)]
    pub struct Comparison {
        pub argument: c_uint,
        pub operator: c_int,
        pub value: u64,
        pub second: u64,
    }

    #[repr(C)]
    pub struct Version {
        pub major: c_uint,
        pub minor: c_uint,
        pub micro: c_uint,
    }

    #[link(name = "seccomp", kind = "static")]
    unsafe extern "C" {
        pub fn seccomp_version() -> *const Version;
        pub fn seccomp_init(action: u32) -> *mut c_void;
        pub fn seccomp_release(context: *mut c_void);
        pub fn seccomp_arch_resolve_name(name: *const c_char) -> u32;
        pub fn seccomp_arch_add(context: *mut c_void, token: u32) -> c_int;
        pub fn seccomp_syscall_resolve_name(name: *const c_char) -> c_int;
        pub fn seccomp_rule_add_array(
            context: *mut c_void,
            action: u32,
            syscall: c_int,
            count: c_uint,
            comparisons: *const Comparison,
        ) -> c_int;
        pub fn seccomp_export_bpf(context: *const c_void, fd: c_int) -> c_int;
    }
}

/// libseccomp's answer for a name that it does not know (__NR_SCMP_ERROR).
const UNKNOWN: i32 = -1;

/// One comparison of an argument.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// 0..5.
    pub argument: u32,
    /// SCMP_CMP_* 1..7.
    pub operator: i32,
    /// What is compared with; for MASKED_EQ the mask.
    pub value: u64,
    /// For MASKED_EQ the value.
    pub second: u64,
}

/// A filter under construction.
pub struct Filter(*mut std::ffi::c_void);

impl Drop for Filter {
    fn drop(&mut self) {
        // SAFETY: made by seccomp_init and released once.
        unsafe { ffi::seccomp_release(self.0) }
    }
}

fn status(value: i32) -> Result<()> {
    if value < 0 { Err(Errno::from_raw_os_error(-value)) } else { Ok(()) }
}

impl Filter {
    /// An empty filter for the native architecture.
    pub fn new(default_action: u32) -> Result<Self> {
        // SAFETY: takes a number.
        let context = unsafe { ffi::seccomp_init(default_action) };
        // The library says only "no"; it checks nothing but the action.
        if context.is_null() { Err(Errno::INVAL) } else { Ok(Filter(context)) }
    }

    /// Adds an architecture by libseccomp's name ("x86", "x32", "arm" ...). Adding one twice is fine.
    pub fn add_architecture(&mut self, name: &CStr) -> Result<()> {
        // SAFETY: the name is a C string; the context is live.
        let (token, added) = unsafe {
            let token = ffi::seccomp_arch_resolve_name(name.as_ptr());
            (token, if token == 0 { 0 } else { ffi::seccomp_arch_add(self.0, token) })
        };
        match status(added) {
            _ if token == 0 => Err(Errno::INVAL),
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    /// Adds a rule; false when the library does not know the name. A rule that says what the default says is left out.
    pub fn add_rule(&mut self, name: &CStr, action: u32, comparisons: &[Comparison]) -> Result<bool> {
        let comparisons: Vec<ffi::Comparison> = comparisons
            .iter()
            .map(|c| ffi::Comparison { argument: c.argument, operator: c.operator, value: c.value, second: c.second })
            .collect();
        // SAFETY: the name is a C string, the array has as many elements as is told, the context is live.
        let added = unsafe {
            let number = ffi::seccomp_syscall_resolve_name(name.as_ptr());
            if number == UNKNOWN {
                return Ok(false);
            }
            ffi::seccomp_rule_add_array(self.0, action, number, comparisons.len() as u32, comparisons.as_ptr())
        };
        match status(added) {
            // EACCES: the action is the filter's default one. EDOM: the call does not exist on the native architecture (a
            // pseudo number) and neither on the others; like runc, such rules do nothing.
            Ok(()) | Err(Errno::ACCESS | Errno::DOM) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// The program: an array of struct sock_filter.
    pub fn export(&self) -> Result<Vec<u8>> {
        // libseccomp 2.5 exports to a descriptor only.
        let memory = file::memfd(c"seccomp", 0)?;
        // SAFETY: the context is live and the descriptor open.
        status(unsafe { ffi::seccomp_export_bpf(self.0, memory.as_raw_fd()) })?;
        file::lseek(memory.as_fd(), 0, libc::SEEK_SET)?;
        // BPF_MAXINSNS instructions of 8 bytes.
        file::read_to_end(memory.as_fd(), 4096 * 8)
    }
}

/// The library's version: "2.5.4".
pub fn version() -> String {
    // SAFETY: a pointer to a constant of the library.
    let version = unsafe { &*ffi::seccomp_version() };
    format!("{}.{}.{}", version.major, version.minor, version.micro)
}

/// The number of a system call on the native architecture; `None` when the library does not know the name or the call is not there
/// (libseccomp's pseudo numbers are negative).
pub fn syscall_number(name: &CStr) -> Option<i32> {
    // SAFETY: the name is a C string.
    let number = unsafe { ffi::seccomp_syscall_resolve_name(name.as_ptr()) };
    (number >= 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;

    #[test]
    fn export_gives_whole_instructions() {
        let mut filter = Filter::new(ALLOW).unwrap();
        let comparison = Comparison { argument: 0, operator: 4, value: 1 << 40, second: 0 };
        assert!(filter.add_rule(c"personality", ERRNO | 1, &[comparison]).unwrap());
        let program = filter.export().unwrap();
        assert!(program.len() > 8 && program.len().is_multiple_of(8));
    }

    #[test]
    fn add_rule_says_no_for_a_name_nobody_knows() {
        let mut filter = Filter::new(ALLOW).unwrap();
        assert!(!filter.add_rule(c"no_such_call", ERRNO | 1, &[]).unwrap());
    }

    #[test]
    fn add_architecture_refuses_an_unknown_name() {
        let mut filter = Filter::new(ALLOW).unwrap();
        assert_eq!(filter.add_architecture(c"pdp11"), Err(Errno::INVAL));
        let own = std::ffi::CString::new(std::env::consts::ARCH).unwrap();
        assert_eq!(filter.add_architecture(&own), Ok(()));
    }

    #[test]
    fn new_refuses_an_unknown_action() {
        assert!(matches!(Filter::new(0x1234_0000), Err(Errno::INVAL)));
    }

    #[test]
    fn syscall_number_is_the_kernels() {
        assert_eq!(syscall_number(c"read"), Some(libc::SYS_read as i32));
        assert_eq!(syscall_number(c"no_such_call"), None);
    }
}
