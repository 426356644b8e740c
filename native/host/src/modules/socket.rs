//! sys:socket

use crate::answer::{Field, Record};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use teu_sys::Errno;
use teu_sys::socket::{self, Address};

pub const EXPORTS: &[Export] = exports! {
    "socket" 3 => new_socket,
    "socketpair" 1 => socketpair,
    "bindUnix" 2 => bind_unix,
    "connectUnix" 2 => connect_unix,
    "bindNetlink" 2 => bind_netlink,
    "bindInet" 3 => bind_inet,
    "listen" 2 => listen,
    "accept" 1 => accept,
    "send" 3 => send,
    "sendMessage" 3 => send_message,
    "receiveMessage" 2 => receive_message,
    "shutdown" 2 => shutdown,
    "peerCredentials" 1 => peer_credentials,
    "setOption" 4 => set_option,
};

fn new_socket(call: &Call) -> Outcome<OwnedFd> {
    socket::new(call.i32(0)?, call.i32(1)?, call.i32(2)?).on_call("socket")
}

fn socketpair(call: &Call) -> Outcome<(OwnedFd, OwnedFd)> {
    socket::pair(call.i32(0)?).on_call("socketpair")
}

fn bind_unix(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let address = Address::unix(path.as_bytes()).on("bind", path.as_bytes())?;
    socket::bind(call.fd(0)?, &address).on("bind", path.as_bytes())
}

fn connect_unix(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let address = Address::unix(path.as_bytes()).on("connect", path.as_bytes())?;
    socket::connect(call.fd(0)?, &address).on("connect", path.as_bytes())
}

fn bind_netlink(call: &Call) -> Outcome<()> {
    socket::bind(call.fd(0)?, &Address::netlink(call.u32(1)?)).on("bind", "netlink")
}

fn bind_inet(call: &Call) -> Outcome<()> {
    let (text, port) = (call.path(1)?, call.u32(2)?);
    let subject = [text.as_bytes(), b":", port.to_string().as_bytes()].concat();
    let invalid = || Failure::system(Errno::INVAL, "bind", subject.clone());
    let address = socket::parse_ip(&text).ok_or_else(invalid)?;
    let port = u16::try_from(port).map_err(|_| invalid())?;
    socket::bind(call.fd(0)?, &Address::inet(address, port)).on("bind", subject)
}

fn listen(call: &Call) -> Outcome<()> {
    socket::listen(call.fd(0)?, call.i32(1)?).on("listen", call.fd(0)?)
}

fn accept(call: &Call) -> Outcome<i32> {
    let accepted = socket::accept(call.fd(0)?).on("accept4", call.fd(0)?)?;
    Ok(accepted.map_or(-1, IntoRawFd::into_raw_fd))
}

fn send(call: &Call) -> Outcome<f64> {
    let sent = socket::send(call.fd(0)?, call.bytes(1)?, call.i32(2)?);
    sent.map(|count| count as f64).on("sendto", call.fd(0)?)
}

fn send_message(call: &Call) -> Outcome<f64> {
    let fds: Vec<RawFd> = call.numbers(2)?;
    let sent = socket::send_message(call.fd(0)?, call.bytes(1)?, &fds);
    sent.map(|count| count as f64).on("sendmsg", call.fd(0)?)
}

fn receive_message(call: &Call) -> Outcome<Record<3>> {
    let message = socket::receive_message(call.fd(0)?, call.count(1)?).on("recvmsg", call.fd(0)?)?;
    let fds = message.fds.into_iter().map(|fd| f64::from(fd.into_raw_fd())).collect();
    Ok(Record([
        ("data", Field::Bytes(message.bytes)),
        ("fds", Field::Numbers(fds)),
        ("truncated", Field::Bool(message.truncated)),
    ]))
}

fn shutdown(call: &Call) -> Outcome<()> {
    socket::shutdown(call.fd(0)?, call.i32(1)?).on("shutdown", call.fd(0)?)
}

fn peer_credentials(call: &Call) -> Outcome<Record<3>> {
    let (pid, uid, gid) = socket::peer_credentials(call.fd(0)?).on("getsockopt(SO_PEERCRED)", call.fd(0)?)?;
    Ok(Record([
        ("pid", Field::Number(pid.into())),
        ("uid", Field::Number(uid.into())),
        ("gid", Field::Number(gid.into())),
    ]))
}

fn set_option(call: &Call) -> Outcome<()> {
    let set = socket::set_option(call.fd(0)?, call.i32(1)?, call.i32(2)?, call.i32(3)?);
    set.on("setsockopt", call.fd(0)?)
}
