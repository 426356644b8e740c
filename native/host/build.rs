//! Names the QuickJS build: from the version of rquickjs-sys in Cargo.lock, its build script, which names the digest of its source
//! (tools/build/quickjs.ts), and the target.

use std::hash::{DefaultHasher, Hash, Hasher};

fn main() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../quickjs/target/rquickjs-sys/build.rs");
    println!("cargo:rerun-if-changed={lock}");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(lock).expect("Cargo.lock beside the workspace");
    let engine = text.split("[[package]]").find(|package| package.contains("name = \"rquickjs-sys\""));
    let mut hasher = DefaultHasher::new();
    engine.expect("rquickjs-sys in Cargo.lock").hash(&mut hasher);
    std::fs::read(script).expect("sources of QuickJS: npm run build makes them").hash(&mut hasher);
    std::env::var("TARGET").unwrap_or_default().hash(&mut hasher);
    println!("cargo:rustc-env=TEU_ENGINE={:08x}", hasher.finish() as u32);
}
