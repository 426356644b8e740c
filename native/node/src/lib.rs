//! File system calls that `node:fs` lacks, one function per system call, and the start of a daemon, for packages/files.
//! No policy and no state: file descriptors are numbers and stay the caller's. These calls are synchronous.
//! Beside them, work on many bytes that runs in libuv's thread pool: unpacking, hashing, writing files.
//! Namespaces and mounts are deliberately absent: Node has many threads.

mod attributes;
mod data;
mod directory;
mod entries;
mod error;
mod expand;
mod file_name;
mod hash;
mod open;
mod plan_files;
mod process;
mod read_buffer;
mod sha256;
mod sha256_two;
mod shared_plan;
mod stat;
mod unpackers;
mod write_files;
mod xattr;
