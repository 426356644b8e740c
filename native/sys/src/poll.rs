//! Waiting: epoll(7), signalfd(2), timerfd(2), eventfd(2), inotify(7), poll(2).

use crate::raw::{check, check_fd, check_unit, retry};
use crate::signal::Mask;
use crate::{Errno, Result, clock};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// epoll_create1(2), close-on-exec.
pub fn create() -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// epoll_ctl(2) EPOLL_CTL_ADD or _MOD.
pub fn control(epoll: BorrowedFd<'_>, operation: i32, fd: BorrowedFd<'_>, events: u32, token: u64) -> Result<()> {
    let mut event = libc::epoll_event { events, u64: token };
    // SAFETY: one struct is read.
    check_unit(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) })
}

/// EPOLL_CTL_DEL.
pub fn remove(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the event may be null since Linux 2.6.9.
    check_unit(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd.as_raw_fd(), std::ptr::null_mut()) })
}

/// Milliseconds left of a wait that ends at `end` (monotonic); -1 for ever.
fn left(end: Option<i64>) -> i32 {
    let Some(end) = end else { return -1 };
    let rest = end.saturating_sub(clock::monotonic());
    // Rounded up: a wait must not end early and spin.
    i32::try_from((rest.max(0) + 999_999) / 1_000_000).unwrap_or(i32::MAX)
}

fn end_of(milliseconds: i64) -> Option<i64> {
    (milliseconds >= 0).then(|| clock::monotonic().saturating_add(milliseconds.saturating_mul(1_000_000)))
}

/// epoll_wait(2): at most 64 (token, events); none at the timeout. Negative: for ever. Goes on waiting after EINTR.
pub fn wait(epoll: BorrowedFd<'_>, milliseconds: i64) -> Result<Vec<(u64, u32)>> {
    let end = end_of(milliseconds);
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let count = retry(|| {
        // SAFETY: the kernel writes at most as many events as the array has.
        check(unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, left(end)) })
    })?;
    Ok(events[..count as usize].iter().map(|event| (event.u64, event.events)).collect())
}

/// poll(2) on one descriptor: is one of `events`, or an error, there in time? Goes on waiting after EINTR.
pub fn one(fd: BorrowedFd<'_>, events: i16, milliseconds: i64) -> Result<bool> {
    let end = end_of(milliseconds);
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry is read and written.
    let count = retry(|| check(unsafe { libc::poll(&raw mut entry, 1, left(end)) }))?;
    if entry.revents & libc::POLLNVAL != 0 { Err(Errno::BADF) } else { Ok(count > 0) }
}

/// signalfd4(2), close-on-exec and nonblocking. The signals must be blocked by the caller.
pub fn signalfd(mask: Mask) -> Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the kernel reads one set of the size given.
    check_fd(unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, size_of::<Mask>(), flags) })
}

/// One signal from a signalfd: its number and who sent it.
pub struct SignalInfo {
    /// Signal number.
    pub signal: u32,
    /// Sender's pid (for SIGCHLD: the child).
    pub pid: u32,
    /// Sender's user.
    pub uid: u32,
}

/// Reads one signal; `None` when none waits.
pub fn read_signal(fd: BorrowedFd<'_>) -> Result<Option<SignalInfo>> {
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the struct is plain numbers; the kernel writes one of them.
    let (count, info) = unsafe {
        let mut info: libc::signalfd_siginfo = core::mem::zeroed();
        (retry(|| check(libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) as i64)), info)
    };
    match count {
        Ok(count) if count as usize == size => {
            Ok(Some(SignalInfo { signal: info.ssi_signo, pid: info.ssi_pid, uid: info.ssi_uid }))
        }
        Ok(_) => Err(Errno::INVAL),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// timerfd_create(2) on CLOCK_MONOTONIC, close-on-exec and nonblocking.
pub fn timerfd() -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) })
}

/// timerfd_settime(2): first expiry and period in nanoseconds. `None` disarms, 0 is "at once".
pub fn set_timer(fd: BorrowedFd<'_>, first: Option<i64>, interval: i64) -> Result<()> {
    let spec =
        |nanoseconds: i64| libc::timespec { tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 };
    // Zero would disarm the timer: a timer of no time is one of one nanosecond.
    let first = first.map_or(0, |first| first.max(1));
    let value = libc::itimerspec { it_value: spec(first), it_interval: spec(interval) };
    // SAFETY: one struct is read; the old value is not asked for.
    check_unit(unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const value, std::ptr::null_mut()) })
}

/// Expirations since the last read, 0 for none.
pub fn read_timer(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut count: u64 = 0;
    // SAFETY: the kernel writes one number of 8 bytes.
    match retry(|| check(unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), 8) } as i64)) {
        Ok(_) => Ok(count),
        Err(Errno::AGAIN) => Ok(0),
        Err(errno) => Err(errno),
    }
}

/// eventfd2(2) that counts from zero, close-on-exec and nonblocking.
pub fn eventfd() -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// inotify_init1(2), close-on-exec and nonblocking.
pub fn inotify() -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
}

/// inotify_add_watch(2); the watch's number.
pub fn inotify_add(fd: BorrowedFd<'_>, path: &CStr, mask: u32) -> Result<i32> {
    // SAFETY: the path is a C string that outlives the call.
    check(unsafe { libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), mask) }).map(|watch| watch as i32)
}
