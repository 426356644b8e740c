//! sys:namespace

use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{On, Outcome};
use teu_sys::namespace;

pub const EXPORTS: &[Export] = exports! {
    "unshare" 1 => unshare,
    "setns" 2 => setns,
};

fn unshare(call: &Call) -> Outcome<()> {
    let flags = call.u32(0)?;
    namespace::unshare(flags as i32).on("unshare", format!("0x{flags:x}"))
}

fn setns(call: &Call) -> Outcome<()> {
    let flags = call.u32(1)?;
    namespace::set(call.fd(0)?, flags as i32).on("setns", format!("0x{flags:x}"))
}
