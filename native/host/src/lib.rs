//! The host of the kernel side: QuickJS with the `sys:*` modules of packages/sys/src/contract. It runs and compiles programs; what they
//! do is theirs. One thread, always: unshare(2), setns(2) and clone3(2) depend on it.

mod answer;
mod call;
pub mod container;
pub mod engine;
mod export;
mod failure;
mod modules;
mod report;
mod sha256;
mod stack;
pub mod start;
mod strict_json;
mod text;

/// Exit code for an exception that nobody caught (EX_SOFTWARE).
pub const EXIT_UNCAUGHT: i32 = 70;
/// Exit code for a name under which there is no program, as a shell has it for "command not found".
pub const EXIT_NO_PROGRAM: i32 = 127;

/// Runs this process from an image that nobody can write, if it does not already: see `teu_sys::image`.
/// `copy`: in the second-best way even where the best is allowed.
pub fn seal(copy: bool, given: &start::Given) -> Result<(), String> {
    teu_sys::image::seal(&given.argv, &given.env, copy).map_err(|errno| teu_sys::errno::name(errno).into_owned())
}

/// Opens /dev/null for each closed standard stream.
pub fn fill_standard_streams() -> Result<(), String> {
    teu_sys::file::fill_standard_streams().map_err(|errno| teu_sys::errno::name(errno).into_owned())
}
