//! teu-host: one binary for all kernel-side programs. The name under which it is started chooses which.
#![no_main]

use std::ffi::{CString, c_char};
use teu_host::container::Container;
use teu_host::{EXIT_NO_PROGRAM, EXIT_UNCAUGHT, engine, seal, start};

mod table {
    include!(concat!(env!("OUT_DIR"), "/programs.rs"));
}

/// Started by the C library: Rust's own start code would change signals and descriptors before anybody could see them.
///
/// # Safety
/// Only the C library may call it, with the kernel's arguments.
// SAFETY: the name is the C library's for this very function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: i32, argv: *mut *mut c_char) -> i32 {
    // SAFETY: these are main's arguments, as the C library gives them.
    let given = unsafe { start::take(argc, argv) };
    let Some((name, program)) =
        table::PROGRAMS.iter().find(|(name, _)| name.as_bytes() == start::base_name(&given.argv))
    else {
        return no_program(&given.argv);
    };
    match Container::read(program) {
        Ok(container) => run(name, &container, given),
        Err(reason) => {
            eprintln!("{name}: the program in this binary {reason}");
            EXIT_UNCAUGHT
        }
    }
}

fn run(name: &str, container: &Container<'_>, given: start::Given) -> i32 {
    // A closed standard stream would be taken by the first file that is opened, and written to as if it were the stream.
    if let Err(errno) = teu_host::fill_standard_streams() {
        eprintln!("{name}: cannot open /dev/null: {errno}");
        return EXIT_UNCAUGHT;
    }
    let mut words = given.argv.iter().skip(1).map(|word| word.to_bytes());
    if container.wants_seal(&mut words)
        && let Err(errno) = seal(false, &given)
    {
        eprintln!("{name}: cannot protect the program against being overwritten: {errno}");
        return EXIT_UNCAUGHT;
    }
    let arguments: Vec<CString> = given.argv.into_iter().skip(1).collect();
    start::set(start::Start { program: name.into(), arguments, environment: given.env });
    // SAFETY: the bytecode is part of this binary, and its build has just been compared.
    unsafe { engine::run_bytecode(name, container) }
}

fn no_program(argv: &[CString]) -> i32 {
    let names: Vec<&str> = table::PROGRAMS.iter().map(|(name, _)| *name).collect();
    let called = String::from_utf8_lossy(start::base_name(argv)).into_owned();
    eprintln!("{called}: no such program in this binary; start it under one of the names: {}", names.join(", "));
    EXIT_NO_PROGRAM
}
