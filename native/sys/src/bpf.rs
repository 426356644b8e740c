//! cgroup v2 device programs, bpf(2). The instructions are made elsewhere.

use crate::raw::{check, check_fd, check_unit};
use crate::{Errno, Result};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const PROG_GET_FD_BY_ID: i32 = 13;
const PROG_QUERY: i32 = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const FLAG_ALLOW_MULTI: u32 = 2;
const FLAG_REPLACE: u32 = 4;

/// union bpf_attr as the commands below see it; the kernel wants the unused rest zero.
type Attributes = [u64; 16];

fn bpf(command: i32, attributes: &mut Attributes) -> Result<i64> {
    // SAFETY: the kernel reads and writes at most the size given; pointers inside are set by the callers below to live memory.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of::<Attributes>()) })
}

/// Two 32-bit fields that lie in one word.
fn pair(first: u32, second: u32) -> u64 {
    let [a, b] = [first.to_ne_bytes(), second.to_ne_bytes()];
    u64::from_ne_bytes([a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]])
}

fn first_of(word: u64) -> u32 {
    let bytes = word.to_ne_bytes();
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// BPF_PROG_LOAD of a cgroup device program, close-on-exec. With the verifier's log it is loaded again after a refusal, so
/// that the caller can say why: the second part of the error.
pub fn load_device_program(instructions: &[u8]) -> core::result::Result<OwnedFd, (Errno, Vec<u8>)> {
    let count = instructions.len() / 8;
    if count == 0 || !instructions.len().is_multiple_of(8) {
        return Err((Errno::INVAL, b"not whole instructions".to_vec()));
    }
    // The kernel wants them aligned.
    let words: Vec<u64> = instructions.as_chunks::<8>().0.iter().map(|bytes| u64::from_ne_bytes(*bytes)).collect();
    let licence = c"Apache";
    let mut attributes: Attributes = [0; 16];
    attributes[0] = pair(TYPE_CGROUP_DEVICE, count as u32);
    attributes[1] = words.as_ptr() as u64;
    attributes[2] = licence.as_ptr() as u64;
    match bpf(PROG_LOAD, &mut attributes) {
        Ok(fd) => check_fd(fd).map_err(|errno| (errno, Vec::new())),
        Err(errno) => {
            let mut log = vec![0u8; 64 << 10];
            attributes[3] = pair(1, log.len() as u32);
            attributes[4] = log.as_mut_ptr() as u64;
            if let Ok(fd) = bpf(PROG_LOAD, &mut attributes) {
                return check_fd(fd).map_err(|errno| (errno, Vec::new()));
            }
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
            log.truncate(end.min(2000));
            Err((errno, log.trim_ascii().to_vec()))
        }
    }
}

/// BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI; with `replace`, in the place of that program (BPF_F_REPLACE).
pub fn attach_device(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, replace: Option<BorrowedFd<'_>>) -> Result<()> {
    let flags = FLAG_ALLOW_MULTI | if replace.is_some() { FLAG_REPLACE } else { 0 };
    let mut attributes: Attributes = [0; 16];
    attributes[0] = pair(cgroup.as_raw_fd() as u32, program.as_raw_fd() as u32);
    attributes[1] = pair(ATTACH_CGROUP_DEVICE, flags);
    attributes[2] = replace.map_or(0, |fd| pair(fd.as_raw_fd() as u32, 0));
    check_unit(bpf(PROG_ATTACH, &mut attributes)?)
}

/// BPF_PROG_QUERY: ids of the device programs attached to the cgroup itself.
pub fn query_device(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    let mut ids = vec![0u32; 64];
    loop {
        let mut attributes: Attributes = [0; 16];
        attributes[0] = pair(cgroup.as_raw_fd() as u32, ATTACH_CGROUP_DEVICE);
        attributes[2] = ids.as_mut_ptr() as u64;
        attributes[3] = pair(ids.len() as u32, 0);
        match bpf(PROG_QUERY, &mut attributes) {
            Ok(_) => {
                ids.truncate(first_of(attributes[3]) as usize);
                return Ok(ids);
            }
            // More than fit: the kernel has said how many.
            Err(Errno::NOSPC) if ids.len() < 65536 => {
                ids = vec![0; (first_of(attributes[3]) as usize).max(ids.len() * 2)]
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// BPF_PROG_GET_FD_BY_ID, close-on-exec.
pub fn program_by_id(id: u32) -> Result<OwnedFd> {
    let mut attributes: Attributes = [0; 16];
    attributes[0] = pair(id, 0);
    check_fd(bpf(PROG_GET_FD_BY_ID, &mut attributes)?)
}
