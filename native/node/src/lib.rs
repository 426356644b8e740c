//! File system calls that `node:fs` lacks, one function per system call, and the start of a daemon, for packages/files.
//! No policy and no state: file descriptors are numbers and stay the caller's. All calls are synchronous.
//! Namespaces and mounts are deliberately absent: Node has many threads.

mod attributes;
mod data;
mod directory;
mod entries;
mod error;
mod file_name;
mod open;
mod process;
mod stat;
mod xattr;
