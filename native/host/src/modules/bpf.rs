//! sys:bpf

use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use std::os::fd::OwnedFd;
use teu_sys::bpf;

pub const EXPORTS: &[Export] = exports! {
    "loadCgroupDevice" 1 => load_cgroup_device,
    "attachCgroupDevice" 3 => attach_cgroup_device,
    "queryCgroupDevice" 1 => query_cgroup_device,
    "programById" 1 => program_by_id,
};

fn load_cgroup_device(call: &Call) -> Outcome<OwnedFd> {
    let loaded = bpf::load_device_program(call.bytes(0)?);
    loaded.map_err(|(errno, log)| Failure::system(errno, "bpf(BPF_PROG_LOAD)", log))
}

fn attach_cgroup_device(call: &Call) -> Outcome<()> {
    let cgroup = call.fd(0)?;
    let attached = bpf::attach_device(cgroup, call.fd(1)?, call.optional_fd(2)?);
    attached.on("bpf(BPF_PROG_ATTACH)", cgroup)
}

fn query_cgroup_device(call: &Call) -> Outcome<Vec<u32>> {
    let cgroup = call.fd(0)?;
    bpf::query_device(cgroup).on("bpf(BPF_PROG_QUERY)", cgroup)
}

fn program_by_id(call: &Call) -> Outcome<OwnedFd> {
    let id = call.u32(0)?;
    bpf::program_by_id(id).on("bpf(BPF_PROG_GET_FD_BY_ID)", id)
}
