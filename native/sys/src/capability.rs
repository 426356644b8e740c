//! The five capability sets of this thread, capabilities(7). Bit N is capability N.

use crate::Result;
use crate::raw::{check, check_unit};

/// The three sets that capget(2) and capset(2) carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// What counts now.
    pub effective: u64,
    /// What may become effective.
    pub permitted: u64,
    /// What may pass through execve.
    pub inheritable: u64,
}

/// _LINUX_CAPABILITY_VERSION_3: two words per set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Words {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// capget(2); `pid` 0: this thread.
pub fn get(pid: i32) -> Result<Sets> {
    let mut header = Header { version: VERSION, pid };
    let mut words = [Words::default(); 2];
    // SAFETY: version 3 has the kernel write two elements.
    check_unit(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    let [low, high] = words;
    let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Sets {
        effective: join(low.effective, high.effective),
        permitted: join(low.permitted, high.permitted),
        inheritable: join(low.inheritable, high.inheritable),
    })
}

/// capset(2) for this thread.
pub fn set(sets: Sets) -> Result<()> {
    let header = Header { version: VERSION, pid: 0 };
    let part = |shift: u32| Words {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let words = [part(0), part(32)];
    // SAFETY: version 3 has the kernel read two elements.
    check_unit(unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) })
}

fn prctl(option: i32, second: u64, third: u64) -> Result<i64> {
    // SAFETY: none of the options used here takes a pointer.
    check(unsafe { libc::syscall(libc::SYS_prctl, option, second, third, 0, 0) })
}

/// PR_CAPBSET_DROP.
pub fn bounding_drop(capability: u32) -> Result<()> {
    prctl(libc::PR_CAPBSET_DROP, capability.into(), 0).map(|_| ())
}

/// PR_CAPBSET_READ; EINVAL for a capability that this kernel does not know.
pub fn bounding_has(capability: u32) -> Result<bool> {
    prctl(libc::PR_CAPBSET_READ, capability.into(), 0).map(|answer| answer == 1)
}

/// PR_CAP_AMBIENT_RAISE.
pub fn ambient_raise(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, capability.into()).map(|_| ())
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
pub fn ambient_clear() -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(|_| ())
}

/// PR_CAP_AMBIENT_IS_SET.
pub fn ambient_has(capability: u32) -> Result<bool> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET as u64, capability.into()).map(|answer| answer == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_is_within_permitted() {
        let sets = get(0).unwrap();
        assert_eq!(sets.effective & !sets.permitted, 0);
    }

    #[test]
    fn bounding_has_fails_for_a_capability_nobody_knows() {
        assert_eq!(bounding_has(63), Err(crate::Errno::INVAL));
    }
}
