//! Scheduling: nice values, I/O priority, policies, CPU and memory affinity, sched(7), numa(7).

use crate::raw::check_unit;
use crate::{Errno, Result};

/// setpriority(2); `which` PRIO_*.
pub fn set_priority(which: u32, who: u32, value: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::syscall(libc::SYS_setpriority, which, who, value) })
}

/// ioprio_set(2).
pub fn set_io_priority(which: i32, who: i32, priority: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::syscall(libc::SYS_ioprio_set, which, who, priority) })
}

/// struct sched_attr, first version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    size: u32,
    /// SCHED_*.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// For SCHED_OTHER and SCHED_BATCH.
    pub nice: i32,
    /// For SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// For SCHED_DEADLINE, nanoseconds.
    pub runtime: u64,
    /// For SCHED_DEADLINE, nanoseconds.
    pub deadline: u64,
    /// For SCHED_DEADLINE, nanoseconds.
    pub period: u64,
}

impl Attributes {
    /// SCHED_OTHER with nothing set.
    pub const fn new() -> Self {
        Attributes {
            size: size_of::<Self>() as u32,
            policy: 0,
            flags: 0,
            nice: 0,
            priority: 0,
            runtime: 0,
            deadline: 0,
            period: 0,
        }
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new()
    }
}

/// sched_setattr(2).
pub fn set_attributes(pid: i32, attributes: &Attributes) -> Result<()> {
    // SAFETY: the kernel reads as many bytes as the struct's `size` says, which is its size.
    check_unit(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, std::ptr::from_ref(attributes), 0) })
}

/// Highest CPU or node number that is taken; far above any kernel's NR_CPUS, far below a request for gigabytes.
const LAST_BIT: u32 = 65535;

fn bits_of(numbers: &[u32]) -> Result<Vec<u64>> {
    let last = numbers.iter().copied().max().unwrap_or(0);
    if last > LAST_BIT {
        return Err(Errno::INVAL);
    }
    let mut words = vec![0u64; last as usize / 64 + 1];
    for &number in numbers {
        words[number as usize / 64] |= 1 << (number % 64);
    }
    Ok(words)
}

/// sched_setaffinity(2).
pub fn set_affinity(pid: i32, cpus: &[u32]) -> Result<()> {
    let words = bits_of(cpus)?;
    // SAFETY: the kernel reads as many bytes as the vector has.
    check_unit(unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid, words.len() * 8, words.as_ptr()) })
}

/// set_mempolicy(2); `mode` MPOL_* with its flags.
pub fn set_memory_policy(mode: i32, nodes: &[u32]) -> Result<()> {
    if nodes.is_empty() {
        // SAFETY: a null mask with length 0 is how "no nodes" is said.
        return check_unit(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, std::ptr::null::<u64>(), 0) });
    }
    let words = bits_of(nodes)?;
    // The kernel takes one bit less than it is told (man page, BUGS), hence the 1.
    // SAFETY: the kernel reads `len` bits from the vector.
    check_unit(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, words.as_ptr(), words.len() * 64 + 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_sets_one_bit_per_number() {
        assert_eq!(bits_of(&[0, 65]).unwrap(), [1, 2]);
        assert_eq!(bits_of(&[70000]), Err(Errno::INVAL));
    }
}
