//! sys:terminal

use crate::answer::{Bytes, Field, Record};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use std::os::fd::OwnedFd;
use teu_sys::{Errno, terminal};

pub const EXPORTS: &[Export] = exports! {
    "unlock" 1 => unlock,
    "peer" 2 => peer,
    "setSize" 3 => set_size,
    "getSize" 1 => get_size,
    "setControlling" 1 => set_controlling,
    "isTerminal" 1 => is_terminal,
    "makeRaw" 1 => make_raw,
    "restore" 2 => restore,
    "clearOnlcr" 1 => clear_onlcr,
};

fn unlock(call: &Call) -> Outcome<u32> {
    terminal::unlock(call.fd(0)?).on("ioctl(TIOCSPTLCK)", call.fd(0)?)
}

fn peer(call: &Call) -> Outcome<OwnedFd> {
    terminal::peer(call.fd(0)?, call.i32(1)?).on("ioctl(TIOCGPTPEER)", call.fd(0)?)
}

fn set_size(call: &Call) -> Outcome<()> {
    let side = |index| {
        let number = call.u32(index)?;
        u16::try_from(number).map_err(|_| Failure::system(Errno::INVAL, "ioctl(TIOCSWINSZ)", number.to_string()))
    };
    terminal::set_size(call.fd(0)?, side(1)?, side(2)?).on("ioctl(TIOCSWINSZ)", call.fd(0)?)
}

fn get_size(call: &Call) -> Outcome<Record<2>> {
    let (rows, columns) = terminal::size(call.fd(0)?).on("ioctl(TIOCGWINSZ)", call.fd(0)?)?;
    Ok(Record([("rows", Field::Number(rows.into())), ("columns", Field::Number(columns.into()))]))
}

fn set_controlling(call: &Call) -> Outcome<()> {
    terminal::set_controlling(call.fd(0)?).on("ioctl(TIOCSCTTY)", call.fd(0)?)
}

fn is_terminal(call: &Call) -> Outcome<bool> {
    Ok(terminal::is_terminal(call.fd(0)?))
}

fn make_raw(call: &Call) -> Outcome<Bytes> {
    let before = terminal::make_raw(call.fd(0)?).on("tcsetattr", call.fd(0)?)?;
    Ok(Bytes(terminal::settings_bytes(&before)))
}

fn restore(call: &Call) -> Outcome<()> {
    let settings = terminal::settings_from(call.bytes(1)?);
    let settings = settings.ok_or_else(|| Failure::system(Errno::INVAL, "tcsetattr", "settings of another size"))?;
    terminal::set_settings(call.fd(0)?, &settings).on("tcsetattr", call.fd(0)?)
}

fn clear_onlcr(call: &Call) -> Outcome<()> {
    terminal::clear_onlcr(call.fd(0)?).on("tcsetattr", call.fd(0)?)
}
