//! Lists the compiled programs of TEU_BYTECODE_DIR, so that the linker carries them: start-up then opens no file.
//!
//! NAME.qbc is a whole program, NAME+WORD,WORD.qbc the part of it that those commands need.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=TEU_BYTECODE_DIR");
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        println!("cargo:rustc-link-arg-bins=-Wl,-e,teu_entry");
    }
    let mut table = String::from("pub static PROGRAMS: &[Program] = &[\n");
    let mut early = Vec::new();
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
            println!("cargo:rerun-if-changed={}", file.display());
            let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
            let (name, words) = stem.split_once('+').unwrap_or((stem, ""));
            let words: Vec<&str> = words.split(',').filter(|word| !word.is_empty()).collect();
            let path = file.display().to_string();
            writeln!(
                table,
                "    Program {{ name: {name:?}, words: &{words:?}, container: include_bytes!({path:?}) }},"
            )
            .expect("strings do not fail");
            if words.is_empty() {
                add_seal_words(&mut early, name, file);
            }
        }
    }
    table.push_str("];\n");
    early.push(0);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    std::fs::write(out.join("programs.rs"), table).expect("OUT_DIR can be written");
    let early = format!(
        "#[cfg_attr(not(target_arch = \"x86_64\"), allow(dead_code))]\nstatic COMMANDS: [u8; {}] = {early:?};\n",
        early.len()
    );
    std::fs::write(out.join("early.rs"), early).expect("OUT_DIR can be written");
}

/// The words of a container's header (native/host/src/container.rs), each ended by NUL, for `early.rs`.
fn add_seal_words(early: &mut Vec<u8>, name: &str, file: &Path) {
    let content = std::fs::read(file).expect("a program can be read");
    let length = content.get(16..18).expect("a program has a header");
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let words = content.get(18..18 + length).expect("a program has a whole header");
    if words.is_empty() {
        return;
    }
    early.extend_from_slice(name.as_bytes());
    early.push(0);
    for word in words.split(|byte| *byte == b'\n') {
        early.extend_from_slice(word);
        early.push(0);
    }
    early.push(0);
}
