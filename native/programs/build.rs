//! Lists the compiled programs of TEU_BYTECODE_DIR, so that the linker carries them: start-up then opens no file.

use std::fmt::Write;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-env-changed=TEU_BYTECODE_DIR");
    println!("cargo:rerun-if-changed=build.rs");
    let mut table = String::from("pub static PROGRAMS: &[(&str, &[u8])] = &[\n");
    // Without the variable the binary knows no program: enough for checking and linting it.
    if let Some(directory) = std::env::var_os("TEU_BYTECODE_DIR") {
        let directory = std::fs::canonicalize(&directory).expect("TEU_BYTECODE_DIR is a directory");
        println!("cargo:rerun-if-changed={}", directory.display());
        let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
            .expect("TEU_BYTECODE_DIR can be read")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "qbc")) {
            let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
            println!("cargo:rerun-if-changed={}", file.display());
            writeln!(table, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())
                .expect("strings do not fail");
        }
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    std::fs::write(out.join("programs.rs"), table).expect("OUT_DIR can be written");
}
