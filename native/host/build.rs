//! Names the QuickJS build: from the version and checksum of rquickjs-sys in Cargo.lock, and the target.

use std::hash::{DefaultHasher, Hash, Hasher};

fn main() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    println!("cargo:rerun-if-changed={lock}");
    println!("cargo:rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(lock).expect("Cargo.lock beside the workspace");
    let engine = text.split("[[package]]").find(|package| package.contains("name = \"rquickjs-sys\""));
    let mut hasher = DefaultHasher::new();
    engine.expect("rquickjs-sys in Cargo.lock").hash(&mut hasher);
    std::env::var("TARGET").unwrap_or_default().hash(&mut hasher);
    println!("cargo:rustc-env=TEU_ENGINE={:08x}", hasher.finish() as u32);
}
