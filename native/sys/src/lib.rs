//! Linux system calls, typed, one file per subject. Thin on purpose: no policy, no caching, no paths but those given.
//! rustix where it has the call (no `unsafe` then); libc, raw, where it has not.
//!
//! Every descriptor that is made here is close-on-exec and owned by the caller. Flags are the kernel's own numbers:
//! they come from TypeScript and are for the kernel to judge.

pub mod bpf;
pub mod capability;
pub mod clock;
pub mod clone;
pub mod copy;
pub mod directory;
pub mod entry;
pub mod errno;
pub mod exec;
pub mod file;
pub mod filter;
pub mod heap;
pub mod identity;
pub mod image;
pub mod keyring;
mod memcpy;
pub mod mount;
mod musl;
pub mod namespace;
pub mod poll;
pub mod process;
mod raw;
pub mod replace;
pub mod rlimit;
pub mod schedule;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod stat;
pub mod system;
pub mod terminal;
pub mod xattr;

pub use rustix::io::Errno;

/// What a system call gives: its value, or the kernel's errno.
pub type Result<T> = core::result::Result<T, Errno>;
