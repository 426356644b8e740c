//! Moving bytes between two descriptors inside the kernel where it can.

use crate::{Errno, Result, file, poll};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes per step: what splice moves through a pipe at most, and the buffer of the last resort.
const STEP: usize = 64 << 10;

/// Which call moves the bytes; each is tried once per copy, in this order, until one takes the pair of descriptors.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    CopyFileRange,
    Splice,
    SendFile,
    ReadWrite,
}

/// Copies until `count` bytes or the end of `from`; the number of bytes moved. When something moved and then an error came
/// (EAGAIN included), the bytes moved are the answer and the error shows at the next call.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: u64) -> Result<u64> {
    let mut way = Way::CopyFileRange;
    let mut done = 0;
    while done < count {
        let step = usize::try_from(count - done).unwrap_or(usize::MAX).min(1 << 30);
        let moved = match way {
            Way::CopyFileRange => copy_file_range(from, to, step),
            Way::Splice => splice(from, to, step),
            Way::SendFile => send_file(from, to, step),
            Way::ReadWrite => read_write(from, to, step),
        };
        match moved {
            // procfs files look empty to copy_file_range: the end is only believed from the next way on.
            Ok(0) if way == Way::CopyFileRange && done == 0 => way = Way::Splice,
            Ok(0) => break,
            Ok(moved) => done += moved as u64,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if done > 0 => break,
            Err(Errno::AGAIN) => return Err(Errno::AGAIN),
            Err(_) if way == Way::CopyFileRange => way = Way::Splice,
            // Neither side is a pipe.
            Err(Errno::INVAL) if way == Way::Splice => way = Way::SendFile,
            Err(Errno::INVAL) if way == Way::SendFile => way = Way::ReadWrite,
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

fn copy_file_range(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> Result<usize> {
    rustix::fs::copy_file_range(from, None, to, None, count)
}

fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> Result<usize> {
    // SAFETY: both offsets are null; no memory is involved.
    let moved = unsafe {
        libc::splice(
            from.as_raw_fd(),
            std::ptr::null_mut(),
            to.as_raw_fd(),
            std::ptr::null_mut(),
            count.min(1 << 20),
            0,
        )
    };
    crate::raw::check(moved as i64).map(|moved| moved as usize)
}

/// From what has a page cache (a file) to anything that was not opened for appending.
fn send_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> Result<usize> {
    rustix::fs::sendfile(to, from, None, count)
}

fn read_write(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> Result<usize> {
    let bytes = file::read(from, count.min(STEP))?;
    let mut done = 0;
    while done < bytes.len() {
        match file::write_some(to, &bytes[done..]) {
            Ok(count) => done += count,
            // What was read cannot be put back, so this one step waits even for a nonblocking descriptor.
            Err(Errno::AGAIN) => poll::one(to, libc::POLLOUT, -1).map(|_| ())?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}
