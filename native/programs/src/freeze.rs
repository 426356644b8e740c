//! teu-freeze PROGRAM.qbc OUT: what the build calls this binary to do while it carries no programs yet. Runs the program's body and
//! writes the heap that comes out; see `teu_host::engine::freeze`.

use crate::index;
use std::ffi::{CStr, c_char};
use std::fs::File;
use std::os::unix::fs::FileExt;
use teu_host::container::Container;
use teu_host::{EXIT_UNCAUGHT, engine};

/// `None` when this process was not asked to. Only the unfinished binary can: the finished one's heaps must not come from anywhere else.
///
/// # Safety
/// As for `main`, with an empty heap; nothing may use the heap afterwards.
pub unsafe fn freeze(argc: i32, argv: *mut *mut c_char) -> Option<i32> {
    if argc != 3 {
        return None;
    }
    // Nothing is allocated for it: that would be in every heap.
    // SAFETY: main's arguments.
    let [path, input, output] =
        [0, 1, 2].map(|at| unsafe { CStr::from_ptr(*argv.add(at)).to_str().unwrap_or_default() });
    if !path.ends_with("teu-freeze") || index::names().next().is_some() {
        return None;
    }
    // SAFETY: as the caller says.
    let result = unsafe { write(input, output) };
    // No destructors: they would use a heap that has been closed.
    match result {
        Ok(()) => std::process::exit(0),
        Err(message) => {
            eprintln!("teu-freeze: {message}");
            std::process::exit(EXIT_UNCAUGHT)
        }
    }
}

/// # Safety
/// As for `freeze`. The program is believed: whoever builds vouches for it.
unsafe fn write(input: &str, output: &str) -> Result<(), String> {
    let content = std::fs::read(input).map_err(|error| format!("cannot read {input:?}: {error}"))?;
    let container = Container::read(&content).map_err(|reason| format!("{input:?} {reason}"))?;
    let file = File::create(output).map_err(|error| format!("cannot make {output:?}: {error}"))?;
    // SAFETY: as the caller says.
    let heap =
        unsafe { engine::freeze(&container) }.map_err(|message| format!("{input:?} cannot be prepared: {message}"))?;
    file.write_all_at(heap, 0).map_err(|_| "cannot write the heap".to_owned())
}
