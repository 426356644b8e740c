//! The `sys:*` modules, one file each, equal to packages/sys/src/contract/*.d.ts.

mod bpf;
mod capability;
mod fs;
mod host;
mod mount;
mod namespace;
mod poll;
mod process;
mod seccomp;
mod socket;
mod terminal;

use crate::export::SysModule;

/// All of them.
pub static MODULES: [SysModule; 11] = [
    SysModule { name: "sys:process", exports: process::EXPORTS },
    SysModule { name: "sys:capability", exports: capability::EXPORTS },
    SysModule { name: "sys:namespace", exports: namespace::EXPORTS },
    SysModule { name: "sys:mount", exports: mount::EXPORTS },
    SysModule { name: "sys:fs", exports: fs::EXPORTS },
    SysModule { name: "sys:socket", exports: socket::EXPORTS },
    SysModule { name: "sys:terminal", exports: terminal::EXPORTS },
    SysModule { name: "sys:poll", exports: poll::EXPORTS },
    SysModule { name: "sys:seccomp", exports: seccomp::EXPORTS },
    SysModule { name: "sys:bpf", exports: bpf::EXPORTS },
    SysModule { name: "sys:host", exports: host::EXPORTS },
];
