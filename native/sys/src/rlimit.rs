//! Resource limits, prlimit(2).

use crate::Result;
use crate::raw::check_unit;

/// Soft and hard limit; `u64::MAX` is RLIM_INFINITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts now.
    pub soft: u64,
    /// How far an unprivileged process may raise it.
    pub hard: u64,
}

/// prlimit64(2): sets `new` when given; the limit before. `pid` 0: this process.
pub fn exchange(pid: i32, resource: u32, new: Option<Limit>) -> Result<Limit> {
    let new = new.map(|limit| libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard });
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the kernel reads one struct (or none, when null) and writes one.
    check_unit(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, new, &raw mut old) })?;
    Ok(Limit { soft: old.rlim_cur, hard: old.rlim_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_without_a_new_limit_only_reads() {
        let first = exchange(0, libc::RLIMIT_NOFILE, None).unwrap();
        assert_eq!(exchange(0, libc::RLIMIT_NOFILE, None).unwrap(), first);
        assert!(exchange(0, 9999, None).is_err());
    }
}
