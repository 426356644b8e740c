//! Finds libseccomp.a: rustc links a static library only from directories that it is told. It is given a directory with nothing else:
//! in the distribution's the linker would find the GNU C library before musl.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBSECCOMP_LIB_PATH");
    println!("cargo:rerun-if-changed=build.rs");
    let machine = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let given = std::env::var("LIBSECCOMP_LIB_PATH").ok();
    // Debian's multiarch directory, Fedora's, everybody else's.
    let places =
        [format!("/usr/lib/{machine}-linux-gnu"), "/usr/lib64".into(), "/usr/lib".into(), "/usr/local/lib".into()];
    match given.iter().chain(&places).find(|place| Path::new(place).join("libseccomp.a").exists()) {
        Some(place) => {
            let out = std::env::var("OUT_DIR").expect("set by cargo");
            std::fs::copy(Path::new(place).join("libseccomp.a"), Path::new(&out).join("libseccomp.a"))
                .expect("libseccomp.a can be copied");
            println!("cargo:rustc-link-search=native={out}");
        }
        None => panic!("libseccomp.a not found: install libseccomp-dev or set LIBSECCOMP_LIB_PATH"),
    }
}
