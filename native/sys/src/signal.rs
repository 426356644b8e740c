//! Signal masks and dispositions of this process, signal(7).

use crate::Result;
use crate::raw::check_unit;

/// Highest signal number of Linux.
pub const LAST_SIGNAL: i32 = 64;

/// The kernel's own signal set: bit N-1 is signal N. glibc's functions hide signals 32 and 33; these do not.
pub type Mask = u64;

/// The mask of these signal numbers; `None` when one is out of range.
pub fn mask_of(signals: impl IntoIterator<Item = i32>) -> Option<Mask> {
    signals
        .into_iter()
        .try_fold(0, |mask, signal| (1..=LAST_SIGNAL).contains(&signal).then(|| mask | 1 << (signal - 1)))
}

/// rt_sigprocmask(2): `how` is SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK. The old mask.
pub fn change_mask(how: i32, mask: Mask) -> Result<Mask> {
    let mut old: Mask = 0;
    // SAFETY: the kernel reads one set and writes one, each 8 bytes as told.
    check_unit(unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, &raw mut old, size_of::<Mask>())
    })?;
    Ok(old)
}

/// The kernel's struct sigaction with everything zero but the handler: all that SIG_DFL and SIG_IGN need.
#[repr(C)]
struct KernelAction {
    handler: usize,
    rest: [u64; 3],
}

fn set_disposition(signal: i32, handler: usize) -> Result<()> {
    let action = KernelAction { handler, rest: [0; 3] };
    let old = std::ptr::null_mut::<KernelAction>();
    // SAFETY: no handler of ours is installed, only SIG_DFL or SIG_IGN; the struct is as large as the kernel's.
    check_unit(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, old, size_of::<Mask>()) })
}

/// SIG_DFL for one signal.
pub fn set_default(signal: i32) -> Result<()> {
    set_disposition(signal, libc::SIG_DFL)
}

/// SIG_IGN for one signal.
pub fn ignore(signal: i32) -> Result<()> {
    set_disposition(signal, libc::SIG_IGN)
}

/// SIG_DFL for every signal that can be caught. Only plain system calls: safe between vfork and exec.
pub fn reset_all() -> Result<()> {
    for signal in 1..=LAST_SIGNAL {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            set_default(signal)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_of_knows_the_range() {
        assert_eq!(mask_of([1, 64]), Some(1 | 1 << 63));
        assert_eq!(mask_of([]), Some(0));
        assert_eq!(mask_of([0]), None);
        assert_eq!(mask_of([65]), None);
    }

    #[test]
    fn change_mask_gives_the_old_one_back() {
        let set = mask_of([libc::SIGUSR2]).unwrap();
        let old = change_mask(libc::SIG_BLOCK, set).unwrap();
        assert_eq!(change_mask(libc::SIG_SETMASK, old).unwrap() & set, set);
    }
}
