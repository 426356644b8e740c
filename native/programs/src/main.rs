//! teu-host: one binary for all kernel-side programs. The name under which it is started chooses which; its heap, made when it was
//! built, lies behind the code in this file, is mapped, and `main` is called in it.
#![no_main]

mod early;
mod freeze;
mod index;

use index::Entry;
use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use teu_host::{EXIT_NO_PROGRAM, EXIT_UNCAUGHT, engine, seal, start};
use teu_sys::heap::{self, Heap};

#[global_allocator]
static HEAP: Heap = Heap;

/// Started by the C library: Rust's own start code would change signals and descriptors before anybody could see them.
///
/// # Safety
/// Only the C library may call it, with the kernel's arguments.
// SAFETY: the name is the C library's for this very function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: i32, argv: *mut *mut c_char) -> i32 {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the kernel gives at least one argument (Linux 5.18; before, none was possible), and all are C strings. Nothing is
    // allocated before there is a heap.
    unsafe {
        let path = if count == 0 { c"".as_ptr() } else { argv.read().cast_const() };
        match index::find(index::base_name(path.cast())) {
            Some(program) => run(program, count, argv),
            None if heap::begin().is_err() => EXIT_UNCAUGHT,
            None => freeze::freeze(argc, argv).unwrap_or_else(|| no_program(CStr::from_ptr(path))),
        }
    }
}

/// # Safety
/// `argv` must be main's, with `argc` strings.
unsafe fn run(program: &Entry, argc: usize, argv: *mut *mut c_char) -> i32 {
    // SAFETY: these are main's arguments, as the C library gives them.
    let wants_seal = unsafe { program.wants_seal(argc, argv.cast_const().cast()) };
    // SAFETY: this file made the heaps behind it, and nothing is allocated before there is one.
    let root = match unsafe { thaw(program, wants_seal) } {
        Ok(root) => root,
        Err(error) => return without_heap(error),
    };
    // SAFETY: as above.
    let given = unsafe { start::take(argc as i32, argv) };
    let name = String::from_utf8_lossy(start::base_name(&given.argv)).into_owned();
    // A closed standard stream would be taken by the first file that is opened, and written to as if it were the stream.
    if let Err(errno) = teu_host::fill_standard_streams() {
        eprintln!("{name}: cannot open /dev/null: {errno}");
        return EXIT_UNCAUGHT;
    }
    if wants_seal
        && !early::is_sealed()
        && let Err(errno) = seal(false, &given)
    {
        eprintln!("{name}: cannot protect the program against being overwritten: {errno}");
        return EXIT_UNCAUGHT;
    }
    let arguments: Vec<CString> = given.argv.into_iter().skip(1).collect();
    start::set(start::Start { program: name.clone().into_bytes(), arguments, environment: given.env });
    // SAFETY: the root is this heap's.
    unsafe { engine::run_frozen(&name, root) }
}

/// `long`: for a command that will use much of the heap. Those that want a seal are the ones that make or enter containers.
///
/// # Safety
/// Nothing may have been allocated.
unsafe fn thaw(program: &Entry, long: bool) -> teu_sys::Result<usize> {
    let image = match early::take_image() {
        // SAFETY: opened by the first instructions, and now ours.
        Some(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
        None => teu_sys::image::open_self()?,
    };
    let (offset, length) = program.place();
    // SAFETY: as the caller says, and the table's places are those of heaps that this file made.
    unsafe {
        let root = heap::thaw(image.as_fd(), offset, length)?;
        if long {
            heap::populate(length);
        }
        Ok(root)
    }
}

/// There is no heap, so nothing that needs one.
fn without_heap(error: teu_sys::Errno) -> i32 {
    let text = match error {
        teu_sys::Errno::NOENT => c"teu: cannot map the program: /proc is not mounted\n",
        teu_sys::Errno::NOMEM => c"teu: cannot map the program: no memory\n",
        _ => c"teu: cannot map the program\n",
    };
    // SAFETY: the length is the text's.
    unsafe { libc::write(2, text.as_ptr().cast(), text.to_bytes().len()) };
    EXIT_UNCAUGHT
}

fn no_program(path: &CStr) -> i32 {
    let names: Vec<String> = index::names().collect();
    let called = path.to_string_lossy();
    let called = called.rsplit('/').next().unwrap_or_default();
    eprintln!("{called}: no such program in this binary; start it under one of the names: {}", names.join(", "));
    EXIT_NO_PROGRAM
}
