//! What lies between Rust's standard library, which expects the GNU C library, and musl, which we are linked with.
//!
//! Why musl: the GNU C library asks the processor for its caches at each start, with instructions that a virtual machine must emulate
//! (half a millisecond, a third of what a small program takes to start and end), and musl does not. Why not Rust's own musl target: it is no
//! part of a distribution's or rustup's default installation, and the layouts that both libraries share with the kernel are the same.
//!
//! Names with "64" are what musl's plain names are: it offers them only in old versions (before 1.2.4).

use std::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    fn fstat(fd: c_int, status: *mut c_void) -> c_int;
    fn stat(path: *const c_char, status: *mut c_void) -> c_int;
    fn lstat(path: *const c_char, status: *mut c_void) -> c_int;
    fn fstatat(fd: c_int, path: *const c_char, status: *mut c_void, flags: c_int) -> c_int;
    fn getrlimit(resource: c_int, limit: *mut c_void) -> c_int;
    fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
    fn mmap(place: *mut c_void, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn pread(fd: c_int, buffer: *mut c_void, count: usize, offset: i64) -> isize;
    fn pwrite(fd: c_int, buffer: *const c_void, count: usize, offset: i64) -> isize;
    fn ftruncate(fd: c_int, size: i64) -> c_int;
    fn readdir(directory: *mut c_void) -> *mut c_void;
}

/// Defines `name64` as another name of `name`.
macro_rules! also64 {
    ($($name64:ident = $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(
            /// # Safety
            #[doc = concat!("As `", stringify!($name), "`.")]
            // SAFETY: the name is the GNU C library's for this very function.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name64($($argument: $type),*) -> $answer {
                // SAFETY: as the caller says.
                unsafe { $name($($argument),*) }
            }
        )*
    };
}

also64! {
    fstat64 = fstat(fd: c_int, status: *mut c_void) -> c_int;
    stat64 = stat(path: *const c_char, status: *mut c_void) -> c_int;
    lstat64 = lstat(path: *const c_char, status: *mut c_void) -> c_int;
    fstatat64 = fstatat(fd: c_int, path: *const c_char, status: *mut c_void, flags: c_int) -> c_int;
    getrlimit64 = getrlimit(resource: c_int, limit: *mut c_void) -> c_int;
    lseek64 = lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
    mmap64 = mmap(place: *mut c_void, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    open64 = open(path: *const c_char, flags: c_int, mode: c_int) -> c_int;
    pread64 = pread(fd: c_int, buffer: *mut c_void, count: usize, offset: i64) -> isize;
    pwrite64 = pwrite(fd: c_int, buffer: *const c_void, count: usize, offset: i64) -> isize;
    ftruncate64 = ftruncate(fd: c_int, size: i64) -> c_int;
    readdir64 = readdir(directory: *mut c_void) -> *mut c_void;
}

/// The compiler's unwinder asks the GNU C library first, and looks itself when that does not know.
// SAFETY: the name is the GNU C library's for this very function.
#[unsafe(no_mangle)]
extern "C" fn _dl_find_object(_address: *mut c_void, _result: *mut c_void) -> c_int {
    -1
}

/// In a function of libseccomp that prints a filter for people, which nobody calls here.
// SAFETY: the name is the GNU C library's; the arguments after these are not looked at.
#[unsafe(no_mangle)]
extern "C" fn __fprintf_chk(_stream: *mut c_void, _flag: c_int, _format: *const c_char) -> c_int {
    std::process::abort()
}
