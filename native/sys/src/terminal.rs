//! Pseudo terminals and terminal settings, pty(7), ioctl_tty(2).

use crate::Result;
use crate::raw::{check_fd, check_unit};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// TIOCSPTLCK with 0, then TIOCGPTN: unlocks the other side and tells its number.
pub fn unlock(ptmx: BorrowedFd<'_>) -> Result<u32> {
    let unlocked: libc::c_int = 0;
    let mut number: libc::c_uint = 0;
    // SAFETY: the first call reads one integer, the second writes one.
    unsafe {
        check_unit(libc::ioctl(ptmx.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked))?;
        check_unit(libc::ioctl(ptmx.as_raw_fd(), libc::TIOCGPTN, &raw mut number))?;
    }
    Ok(number)
}

/// TIOCGPTPEER: opens the other side without a path, close-on-exec. `flags` O_RDWR, O_NOCTTY.
pub fn peer(ptmx: BorrowedFd<'_>, flags: i32) -> Result<OwnedFd> {
    // SAFETY: the argument is a number.
    check_fd(unsafe { libc::ioctl(ptmx.as_raw_fd(), libc::TIOCGPTPEER, flags | libc::O_CLOEXEC) })
}

/// TIOCSWINSZ.
pub fn set_size(fd: BorrowedFd<'_>, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: one struct is read.
    check_unit(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
}

/// TIOCGWINSZ: (rows, columns).
pub fn size(fd: BorrowedFd<'_>) -> Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: one struct is written.
    check_unit(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// TIOCSCTTY without stealing.
pub fn set_controlling(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the argument is a number.
    check_unit(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0) })
}

/// Does the descriptor answer TCGETS?
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    settings(fd).is_ok()
}

/// tcgetattr(3).
pub fn settings(fd: BorrowedFd<'_>) -> Result<libc::termios> {
    // SAFETY: the struct is plain numbers, which the call fills.
    let (answer, settings) = unsafe {
        let mut settings: libc::termios = core::mem::zeroed();
        (libc::tcgetattr(fd.as_raw_fd(), &raw mut settings), settings)
    };
    check_unit(answer)?;
    Ok(settings)
}

/// tcsetattr(3), after pending output.
pub fn set_settings(fd: BorrowedFd<'_>, settings: &libc::termios) -> Result<()> {
    // SAFETY: one struct is read.
    check_unit(unsafe { libc::tcsetattr(fd.as_raw_fd(), libc::TCSADRAIN, std::ptr::from_ref(settings)) })
}

/// Settings as opaque bytes.
pub fn settings_bytes(settings: &libc::termios) -> Vec<u8> {
    let pointer = std::ptr::from_ref(settings).cast::<u8>();
    // SAFETY: the struct was zeroed as a whole before it was filled, so all of its bytes are initialised.
    unsafe { core::slice::from_raw_parts(pointer, size_of::<libc::termios>()) }.to_vec()
}

/// Settings from the bytes that `settings_bytes` gave; `None` when the size is another.
pub fn settings_from(bytes: &[u8]) -> Option<libc::termios> {
    if bytes.len() != size_of::<libc::termios>() {
        return None;
    }
    // SAFETY: the size is right and any bytes are a valid value of a struct of integers.
    Some(unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// cfmakeraw(3); the settings before.
pub fn make_raw(fd: BorrowedFd<'_>) -> Result<libc::termios> {
    let before = settings(fd)?;
    let mut raw = before;
    // SAFETY: changes the struct only.
    unsafe { libc::cfmakeraw(&raw mut raw) };
    set_settings(fd, &raw)?;
    Ok(before)
}

/// Turns ONLCR off: the program's "\n" arrives as it was written.
pub fn clear_onlcr(fd: BorrowedFd<'_>) -> Result<()> {
    let mut settings = settings(fd)?;
    settings.c_oflag &= !libc::ONLCR;
    set_settings(fd, &settings)
}
