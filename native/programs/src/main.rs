//! teu-host: one binary for all kernel-side programs. The name under which it is started chooses which, and of a program that is
//! there in parts the first argument that is a command of a part chooses the part: what a command does not need is not loaded.
//! The choice is a guess, since the option grammar is TypeScript's: a part that meets another command starts NAME-whole.
#![no_main]

mod early;

use std::ffi::{CString, c_char};
use teu_host::container::Container;
use teu_host::{EXIT_NO_PROGRAM, EXIT_UNCAUGHT, engine, seal, start};

/// A compiled program, or the part of it that some commands need.
struct Program {
    name: &'static str,
    /// The commands of a part; none: the whole program.
    words: &'static [&'static str],
    container: &'static [u8],
}

/// Ends the name under which a program is asked for as a whole.
const WHOLE: &[u8] = b"-whole";

mod table {
    use super::Program;
    include!(concat!(env!("OUT_DIR"), "/programs.rs"));
}

/// Started by the C library: Rust's own start code would change signals and descriptors before anybody could see them.
///
/// # Safety
/// Only the C library may call it, with the kernel's arguments.
// SAFETY: the name is the C library's for this very function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: i32, argv: *mut *mut c_char) -> i32 {
    teu_host::grow_heap_in_large_steps();
    // SAFETY: these are main's arguments, as the C library gives them.
    let given = unsafe { start::take(argc, argv) };
    let Some(program) = choose(&given.argv) else {
        return no_program(&given.argv);
    };
    match Container::read(program.container) {
        Ok(container) => run(program.name, &container, given),
        Err(reason) => {
            eprintln!("{}: the program in this binary {reason}", program.name);
            EXIT_UNCAUGHT
        }
    }
}

fn choose(argv: &[CString]) -> Option<&'static Program> {
    let called = start::base_name(argv);
    let (name, whole) = called.strip_suffix(WHOLE).map_or((called, false), |name| (name, true));
    let named = || table::PROGRAMS.iter().filter(|program| program.name.as_bytes() == name);
    let has = |program: &Program, word: &CString| program.words.iter().any(|one| one.as_bytes() == word.to_bytes());
    let part = argv.iter().skip(1).find_map(|word| named().find(|program| has(program, word)));
    part.filter(|_| !whole).or_else(|| named().find(|program| program.words.is_empty()))
}

fn run(name: &str, container: &Container<'_>, given: start::Given) -> i32 {
    // A closed standard stream would be taken by the first file that is opened, and written to as if it were the stream.
    if let Err(errno) = teu_host::fill_standard_streams() {
        eprintln!("{name}: cannot open /dev/null: {errno}");
        return EXIT_UNCAUGHT;
    }
    let mut words = given.argv.iter().skip(1).map(|word| word.to_bytes());
    if !early::is_sealed()
        && container.wants_seal(&mut words)
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
    let whole = table::PROGRAMS.iter().filter(|program| program.words.is_empty());
    let names: Vec<&str> = whole.map(|program| program.name).collect();
    let called = String::from_utf8_lossy(start::base_name(argv)).into_owned();
    eprintln!("{called}: no such program in this binary; start it under one of the names: {}", names.join(", "));
    EXIT_NO_PROGRAM
}
