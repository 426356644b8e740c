//! teu-dev: for building and developing. Compiles bundles to bytecode, runs bundles from source.
//!
//! ```text
//! teu-dev compile BUNDLE.js OUT.qbc [--name NAME]
//! teu-dev run BUNDLE.js|PROGRAM.qbc [ARGUMENT...]
//! teu-dev seal mount|copy BUNDLE.js|PROGRAM.qbc [ARGUMENT...]
//! ```
//!
//! `seal` is `run` from an image that nobody can write, made in the one way or the other: programs get it by their command
//! words, tests get it here.
#![no_main]

use std::ffi::{CString, c_char};
use std::path::Path;
use teu_host::container::Container;
use teu_host::{EXIT_UNCAUGHT, engine, seal, start};

const USAGE: &str = "usage: teu-dev compile BUNDLE.js OUT.qbc [--name NAME]
       teu-dev run BUNDLE.js|PROGRAM.qbc [ARGUMENT...]
       teu-dev seal mount|copy BUNDLE.js|PROGRAM.qbc [ARGUMENT...]";

/// Started by the C library: Rust's own start code would change signals and descriptors before anybody could see them.
///
/// # Safety
/// Only the C library may call it, with the kernel's arguments.
// SAFETY: the name is the C library's for this very function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: i32, argv: *mut *mut c_char) -> i32 {
    // SAFETY: these are main's arguments, as the C library gives them.
    let given = unsafe { start::take(argc, argv) };
    let words: Option<Vec<&str>> = given.argv.iter().map(|word| word.to_str().ok()).collect();
    match words.as_deref() {
        Some([_, "compile", input, output, options @ ..]) => compile(input, output, options),
        Some([_, "run", file, ..]) => run(file, &given, 3),
        Some([_, "seal", way @ ("mount" | "copy"), file, ..]) => match seal(*way == "copy", &given) {
            Ok(()) => run(file, &given, 4),
            Err(message) => {
                eprintln!("teu-dev: cannot seal: {message}");
                EXIT_UNCAUGHT
            }
        },
        _ => {
            eprintln!("{USAGE}");
            2
        }
    }
}

fn compile(input: &str, output: &str, options: &[&str]) -> i32 {
    match compile_file(input, output, options) {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("teu-dev: {message}");
            1
        }
    }
}

fn compile_file(input: &str, output: &str, options: &[&str]) -> Result<(), String> {
    let stem = Path::new(input).file_stem().and_then(|stem| stem.to_str()).unwrap_or("program");
    let name = match options {
        [] => stem,
        ["--name", name] => name,
        other => return Err(format!("do not know {other:?}\n{USAGE}")),
    };
    let source = std::fs::read(input).map_err(|error| format!("cannot read {input:?}: {error}"))?;
    let bytecode = engine::compile(name, &source).map_err(|message| format!("cannot compile {input:?}: {message}"))?;
    std::fs::write(output, Container::write(&bytecode)).map_err(|error| format!("cannot write {output:?}: {error}"))?;
    // For whoever holds programs to a size.
    println!("{} {}", bytecode.len(), output);
    Ok(())
}

fn run(file: &str, given: &start::Given, before_arguments: usize) -> i32 {
    let content = match std::fs::read(file) {
        Ok(content) => content,
        Err(error) => {
            eprintln!("teu-dev: cannot read {file:?}: {error}");
            return EXIT_UNCAUGHT;
        }
    };
    let name = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or("program");
    let arguments: Vec<CString> = given.argv.iter().skip(before_arguments).cloned().collect();
    start::set(start::Start { program: name.into(), arguments, environment: given.env.clone() });
    if !file.ends_with(".qbc") {
        return engine::run_source(name, &content);
    }
    match Container::read(&content) {
        // SAFETY: whoever runs a developer's tool on a file vouches for the file; the build has been compared.
        Ok(container) => unsafe { engine::run_bytecode(name, &container) },
        Err(reason) => {
            eprintln!("teu-dev: {file:?} {reason}");
            EXIT_UNCAUGHT
        }
    }
}
