//! Sockets: unix with descriptor passing, netlink, and enough of INET to reserve a port.

use crate::raw::{check, check_fd, check_unit, retry};
use crate::{Errno, Result};
use std::ffi::CStr;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Most descriptors in one message, sent or received. The kernel's own limit is 253.
pub const MOST_FDS: usize = 16;

/// socket(2), close-on-exec.
pub fn new(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check_fd(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// socketpair(2) of unix sockets, close-on-exec.
pub fn pair(kind: i32) -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two integers into the array.
    check_unit(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) })?;
    Ok((check_fd(ends[0])?, check_fd(ends[1])?))
}

/// An address in the kernel's form.
pub struct Address {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Address {
    fn of<T>(value: T, length: usize) -> Self {
        // SAFETY: sockaddr_storage is plain bytes, at least as large and as aligned as each kind of address.
        unsafe {
            let mut storage: libc::sockaddr_storage = core::mem::zeroed();
            (&raw mut storage).cast::<T>().write(value);
            Address { storage, length: length as libc::socklen_t }
        }
    }

    /// A unix socket's path, or "@name" for the abstract name space. ENAMETOOLONG beyond 107 bytes.
    pub fn unix(path: &[u8]) -> Result<Self> {
        // SAFETY: the struct is plain numbers.
        let mut address: libc::sockaddr_un = unsafe { core::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as u16;
        if path.len() >= address.sun_path.len() {
            return Err(Errno::NAMETOOLONG);
        }
        if path.is_empty() {
            return Err(Errno::INVAL);
        }
        for (to, from) in address.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        let header = core::mem::offset_of!(libc::sockaddr_un, sun_path);
        if path[0] == b'@' {
            address.sun_path[0] = 0;
            return Ok(Self::of(address, header + path.len()));
        }
        Ok(Self::of(address, header + path.len() + 1))
    }

    /// Netlink with the port number chosen by the kernel.
    pub fn netlink(groups: u32) -> Self {
        // SAFETY: the struct is plain numbers.
        let mut address: libc::sockaddr_nl = unsafe { core::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        Self::of(address, size_of::<libc::sockaddr_nl>())
    }

    /// IPv4 or IPv6.
    pub fn inet(ip: IpAddr, port: u16) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                // SAFETY: the struct is plain numbers.
                let mut address: libc::sockaddr_in = unsafe { core::mem::zeroed() };
                address.sin_family = libc::AF_INET as u16;
                address.sin_port = port.to_be();
                address.sin_addr.s_addr = u32::from_ne_bytes(ip.octets());
                Self::of(address, size_of::<libc::sockaddr_in>())
            }
            IpAddr::V6(ip) => {
                // SAFETY: the struct is plain numbers.
                let mut address: libc::sockaddr_in6 = unsafe { core::mem::zeroed() };
                address.sin6_family = libc::AF_INET6 as u16;
                address.sin6_port = port.to_be();
                address.sin6_addr.s6_addr = ip.octets();
                Self::of(address, size_of::<libc::sockaddr_in6>())
            }
        }
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

/// bind(2).
pub fn bind(fd: BorrowedFd<'_>, address: &Address) -> Result<()> {
    // SAFETY: the address is as long as it says.
    check_unit(unsafe { libc::bind(fd.as_raw_fd(), address.pointer(), address.length) })
}

/// connect(2).
pub fn connect(fd: BorrowedFd<'_>, address: &Address) -> Result<()> {
    // SAFETY: the address is as long as it says.
    retry(|| check_unit(unsafe { libc::connect(fd.as_raw_fd(), address.pointer(), address.length) }))
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::listen(fd.as_raw_fd(), backlog) })
}

/// accept4(2), close-on-exec and nonblocking; `None` when nobody waits (or who waited has gone).
pub fn accept(fd: BorrowedFd<'_>) -> Result<Option<OwnedFd>> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the peer's address is not asked for.
    let accepted =
        retry(|| check_fd(unsafe { libc::accept4(fd.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags) }));
    match accepted {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::AGAIN | Errno::CONNABORTED) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// send(2). Never a SIGPIPE: EPIPE says it.
pub fn send(fd: BorrowedFd<'_>, bytes: &[u8], flags: i32) -> Result<usize> {
    retry(|| {
        // SAFETY: the kernel reads `len` bytes of the slice.
        let sent =
            unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_NOSIGNAL) };
        check(sent as i64)
    })
    .map(|sent| sent as usize)
}

/// Room for one SCM_RIGHTS of `MOST_FDS`, aligned as the kernel's headers want it.
#[repr(C, align(8))]
struct Control([u8; 128]);

/// sendmsg(2) with SCM_RIGHTS. EINVAL for more than `MOST_FDS`.
pub fn send_message(fd: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd]) -> Result<usize> {
    if fds.len() > MOST_FDS {
        return Err(Errno::INVAL);
    }
    let mut control = Control([0; 128]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the header points at one part and, with descriptors, at a control area that is large enough for them
    // (CMSG_SPACE(64) is 80); the kernel only reads.
    let sent = unsafe {
        let mut header: libc::msghdr = core::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        if !fds.is_empty() {
            let size = size_of_val(fds) as u32;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(size) as usize;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size) as usize;
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), size as usize);
        }
        retry(|| check(libc::sendmsg(fd.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) as i64))
    };
    sent.map(|sent| sent as usize)
}

/// What recvmsg(2) brought.
pub struct Message {
    /// The bytes; none at the end of a stream.
    pub bytes: Vec<u8>,
    /// Descriptors, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// Data or descriptors did not fit (MSG_TRUNC, MSG_CTRUNC).
    pub truncated: bool,
}

/// recvmsg(2) of at most `count` bytes and `MOST_FDS` descriptors.
pub fn receive_message(fd: BorrowedFd<'_>, count: usize) -> Result<Message> {
    let mut bytes = Vec::<u8>::with_capacity(count);
    let mut control = Control([0; 128]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: count };
    // SAFETY: the kernel writes at most `count` bytes into the vector's room and at most the control area's size into that; it tells
    // how much of both it wrote. Descriptors in SCM_RIGHTS are new and ours.
    unsafe {
        let mut header: libc::msghdr = core::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE((MOST_FDS * size_of::<RawFd>()) as u32) as usize;
        let received = retry(|| check(libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) as i64))?;
        // With MSG_TRUNC semantics some sockets tell the full length; what was written is what fits.
        bytes.set_len((received as usize).min(count));
        let mut fds = Vec::new();
        let mut item = libc::CMSG_FIRSTHDR(&raw const header);
        while !item.is_null() {
            if (*item).cmsg_level == libc::SOL_SOCKET && (*item).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(item).cast::<RawFd>();
                let size = (*item).cmsg_len - libc::CMSG_LEN(0) as usize;
                for index in 0..size / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            item = libc::CMSG_NXTHDR(&raw const header, item);
        }
        let truncated = header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
        Ok(Message { bytes, fds, truncated })
    }
}

/// shutdown(2).
pub fn shutdown(fd: BorrowedFd<'_>, how: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check_unit(unsafe { libc::shutdown(fd.as_raw_fd(), how) })
}

/// SO_PEERCRED: (pid, uid, gid) of who connected.
pub fn peer_credentials(fd: BorrowedFd<'_>) -> Result<(i32, u32, u32)> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes one struct of the length given.
    check_unit(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut peer).cast(), &raw mut length)
    })?;
    Ok((peer.pid, peer.uid, peer.gid))
}

/// setsockopt(2) with an integer.
pub fn set_option(fd: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel reads one integer.
    check_unit(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const value).cast(), length) })
}

/// The text of an IP address, as far as it is one.
pub fn parse_ip(text: &CStr) -> Option<IpAddr> {
    text.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn message_carries_descriptors_and_marks_them_close_on_exec() {
        let (left, right) = pair(libc::SOCK_SEQPACKET).unwrap();
        let (reader, writer) = crate::file::pipe(0).unwrap();
        assert_eq!(send_message(left.as_fd(), b"hello", &[writer.as_raw_fd()]).unwrap(), 5);
        let message = receive_message(right.as_fd(), 100).unwrap();
        assert_eq!((message.bytes.as_slice(), message.fds.len(), message.truncated), (&b"hello"[..], 1, false));
        assert_eq!(rustix::io::fcntl_getfd(&message.fds[0]).unwrap(), rustix::io::FdFlags::CLOEXEC);
        crate::file::write_all(message.fds[0].as_fd(), b"x").unwrap();
        assert_eq!(crate::file::read(reader.as_fd(), 10).unwrap(), b"x");
    }

    #[test]
    fn message_says_when_it_was_cut() {
        let (left, right) = pair(libc::SOCK_SEQPACKET).unwrap();
        send(left.as_fd(), b"hello", 0).unwrap();
        let message = receive_message(right.as_fd(), 2).unwrap();
        assert_eq!((message.bytes.as_slice(), message.truncated), (&b"he"[..], true));
    }

    #[test]
    fn send_message_refuses_too_many_descriptors() {
        let (left, _right) = pair(libc::SOCK_STREAM).unwrap();
        let fds = [left.as_raw_fd(); MOST_FDS + 1];
        assert_eq!(send_message(left.as_fd(), b"x", &fds), Err(Errno::INVAL));
    }

    #[test]
    fn unix_address_has_a_limit() {
        assert!(Address::unix(&[b'a'; 107]).is_ok());
        assert!(matches!(Address::unix(&[b'a'; 108]), Err(Errno::NAMETOOLONG)));
        assert!(matches!(Address::unix(b""), Err(Errno::INVAL)));
    }
}
