//! sys:poll

use crate::answer::{Field, Nullable, Record};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use std::os::fd::{AsFd, OwnedFd};
use teu_sys::{Errno, poll, signal};

pub const EXPORTS: &[Export] = exports! {
    "create" 0 => create,
    "add" 4 => add,
    "modify" 4 => modify,
    "remove" 2 => remove,
    "wait" 2 => wait,
    "signalfd" 1 => signalfd,
    "readSignal" 1 => read_signal,
    "timerfd" 2 => timerfd,
    "setTimer" 3 => set_timer,
    "readTimer" 1 => read_timer,
    "eventfd" 0 => eventfd,
    "inotify" 0 => inotify,
    "inotifyAdd" 3 => inotify_add,
    "pollOne" 3 => poll_one,
};

fn create(_call: &Call) -> Outcome<OwnedFd> {
    poll::create().on_call("epoll_create1")
}

fn control(call: &Call, operation: i32) -> Outcome<()> {
    let fd = call.fd(1)?;
    poll::control(call.fd(0)?, operation, fd, call.u32(2)?, call.u64(3)?).on("epoll_ctl", fd)
}

fn add(call: &Call) -> Outcome<()> {
    control(call, libc::EPOLL_CTL_ADD)
}

fn modify(call: &Call) -> Outcome<()> {
    control(call, libc::EPOLL_CTL_MOD)
}

fn remove(call: &Call) -> Outcome<()> {
    let fd = call.fd(1)?;
    poll::remove(call.fd(0)?, fd).on("epoll_ctl", fd)
}

fn wait(call: &Call) -> Outcome<Vec<Record<2>>> {
    let events = poll::wait(call.fd(0)?, call.i64(1)?).on_call("epoll_wait")?;
    let record = |(token, events): (u64, u32)| {
        Record([("token", Field::Number(token as f64)), ("events", Field::Number(events.into()))])
    };
    Ok(events.into_iter().map(record).collect())
}

fn signalfd(call: &Call) -> Outcome<OwnedFd> {
    let signals: Vec<i32> = call.numbers(0)?;
    let mask = signal::mask_of(signals).ok_or_else(|| Failure::system(Errno::INVAL, "signalfd4", ""))?;
    signal::change_mask(libc::SIG_BLOCK, mask).on_call("rt_sigprocmask")?;
    poll::signalfd(mask).on_call("signalfd4")
}

fn read_signal(call: &Call) -> Outcome<Nullable<Record<3>>> {
    let info = poll::read_signal(call.fd(0)?).on_call("read")?;
    Ok(Nullable(info.map(|info| {
        Record([
            ("signal", Field::Number(info.signal.into())),
            ("pid", Field::Number(info.pid.into())),
            ("uid", Field::Number(info.uid.into())),
        ])
    })))
}

/// Milliseconds as nanoseconds; a negative number is "never".
fn nanoseconds(milliseconds: i64) -> Option<i64> {
    (milliseconds >= 0).then(|| milliseconds.saturating_mul(1_000_000))
}

fn timerfd(call: &Call) -> Outcome<OwnedFd> {
    let (first, interval) = (nanoseconds(call.i64(0)?), nanoseconds(call.i64(1)?));
    let fd = poll::timerfd().on_call("timerfd_create")?;
    poll::set_timer(fd.as_fd(), first, interval.unwrap_or(0)).on_call("timerfd_settime")?;
    Ok(fd)
}

fn set_timer(call: &Call) -> Outcome<()> {
    let (first, interval) = (nanoseconds(call.i64(1)?), nanoseconds(call.i64(2)?));
    poll::set_timer(call.fd(0)?, first, interval.unwrap_or(0)).on_call("timerfd_settime")
}

fn read_timer(call: &Call) -> Outcome<f64> {
    poll::read_timer(call.fd(0)?).map(|count| count as f64).on_call("read")
}

fn eventfd(_call: &Call) -> Outcome<OwnedFd> {
    poll::eventfd().on_call("eventfd2")
}

fn inotify(_call: &Call) -> Outcome<OwnedFd> {
    poll::inotify().on_call("inotify_init1")
}

fn inotify_add(call: &Call) -> Outcome<i32> {
    let path = call.path(1)?;
    poll::inotify_add(call.fd(0)?, &path, call.u32(2)?).on("inotify_add_watch", path.as_bytes())
}

fn poll_one(call: &Call) -> Outcome<bool> {
    let fd = call.fd(0)?;
    poll::one(fd, call.u32(1)? as i16, call.i64(2)?).on("poll", fd)
}
