//! How this process was started: arguments and environment, copied once, and the place where ps looks for the title.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What the program is told about its start.
pub struct Start {
    /// The name it was started under, without directories.
    pub program: Vec<u8>,
    /// Its arguments without the name.
    pub arguments: Vec<CString>,
    /// "NAME=value" strings.
    pub environment: Vec<CString>,
}

static START: OnceLock<Start> = OnceLock::new();
static ARGUMENT_COUNT: AtomicUsize = AtomicUsize::new(0);
static ARGUMENT_STRINGS: AtomicPtr<*mut c_char> = AtomicPtr::new(std::ptr::null_mut());

/// The strings that the kernel gave to `main`.
pub struct Given {
    /// argv, the name included.
    pub argv: Vec<CString>,
    /// The environment.
    pub env: Vec<CString>,
}

/// Copies what the kernel gave, and remembers where it lies for `set_title`.
///
/// # Safety
/// `argc` and `argv` must be what `main` was called with.
pub unsafe fn take(argc: i32, argv: *mut *mut c_char) -> Given {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    ARGUMENT_COUNT.store(usize::try_from(argc).unwrap_or(0), Ordering::Relaxed);
    ARGUMENT_STRINGS.store(argv, Ordering::Relaxed);
    // SAFETY: both arrays are ended by NULL and hold C strings; nothing has changed them yet.
    unsafe { Given { argv: copy(argv.cast()), env: copy(environ) } }
}

/// # Safety
/// `strings` must be null or a NULL-terminated array of C strings.
unsafe fn copy(mut strings: *const *const c_char) -> Vec<CString> {
    let mut copies = Vec::new();
    // SAFETY: as the caller says.
    unsafe {
        while !strings.is_null() && !(*strings).is_null() {
            copies.push(CStr::from_ptr(*strings).to_owned());
            strings = strings.add(1);
        }
    }
    copies
}

/// The last part of argv[0].
pub fn base_name(argv: &[CString]) -> &[u8] {
    let name = argv.first().map_or(&b""[..], |name| name.to_bytes());
    name.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Sets what `get` answers. The first call counts.
pub fn set(start: Start) {
    let _ = START.set(start);
}

/// What the program is told about its start.
pub fn get() -> &'static Start {
    START.get_or_init(|| Start { program: Vec::new(), arguments: Vec::new(), environment: Vec::new() })
}

/// The name of the process as ps and /proc show it, short and long form.
pub fn set_title(title: &CStr) -> teu_sys::Result<()> {
    let strings = ARGUMENT_STRINGS.load(Ordering::Relaxed);
    let count = ARGUMENT_COUNT.load(Ordering::Relaxed);
    if !strings.is_null() {
        // SAFETY: they are main's, and everything that reads them has its own copy (`take`).
        unsafe { teu_sys::process::set_title(strings, count, title.to_bytes()) };
    }
    teu_sys::process::set_name(title)
}
