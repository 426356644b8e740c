//! Clocks, sleep, randomness.

use crate::Result;
use crate::raw::{check, check_unit, retry};

fn read(clock: libc::clockid_t) -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one struct is written. The clocks used here always exist.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// CLOCK_MONOTONIC, nanoseconds.
pub fn monotonic() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME, nanoseconds since 1970.
pub fn realtime() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// Sleeps, signals or not, until the time has passed.
pub fn sleep(nanoseconds: i64) -> Result<()> {
    let end = monotonic().saturating_add(nanoseconds);
    let until = libc::timespec { tv_sec: end / 1_000_000_000, tv_nsec: end % 1_000_000_000 };
    retry(|| {
        // SAFETY: one struct is read; with an absolute time nothing is written back.
        check_unit(unsafe {
            libc::syscall(
                libc::SYS_clock_nanosleep,
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const until,
                std::ptr::null_mut::<libc::timespec>(),
            )
        })
    })
}

/// getrandom(2).
pub fn random(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0u8; count];
    let mut done = 0;
    while done < count {
        let rest = &mut bytes[done..];
        // SAFETY: the kernel writes at most the given number of bytes into the slice.
        done += retry(|| check(unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) } as i64))? as usize;
    }
    Ok(bytes)
}
