//! sys:capability

use crate::answer::{Field, Record};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use teu_sys::Errno;
use teu_sys::capability::{self, Sets};

pub const EXPORTS: &[Export] = exports! {
    "capget" 1 => capget,
    "capset" 1 => capset,
    "boundingDrop" 1 => bounding_drop,
    "boundingHas" 1 => bounding_has,
    "ambientRaise" 1 => ambient_raise,
    "ambientClear" 0 => ambient_clear,
    "ambientHas" 1 => ambient_has,
    "boundingKeepOnly" 1 => bounding_keep_only,
};

fn numbers(set: u64) -> Field {
    Field::Numbers((0..64).filter(|bit| set >> bit & 1 == 1).map(f64::from).collect())
}

fn set_of(numbers: Vec<u8>) -> Outcome<u64> {
    numbers.into_iter().try_fold(0u64, |set, bit| match bit {
        0..=63 => Ok(set | 1 << bit),
        _ => Err(Failure::Argument(format!("capability {bit} is not between 0 and 63"))),
    })
}

fn capget(call: &Call) -> Outcome<Record<3>> {
    let pid = call.i32(0)?;
    let sets = capability::get(pid).on("capget", pid)?;
    Ok(Record([
        ("effective", numbers(sets.effective)),
        ("permitted", numbers(sets.permitted)),
        ("inheritable", numbers(sets.inheritable)),
    ]))
}

fn capset(call: &Call) -> Outcome<()> {
    let fields = call.record(0)?;
    let set = |name: &str| fields.numbers(name).and_then(set_of);
    let sets = Sets { effective: set("effective")?, permitted: set("permitted")?, inheritable: set("inheritable")? };
    capability::set(sets).on_call("capset")
}

fn bounding_drop(call: &Call) -> Outcome<()> {
    let number = call.u32(0)?;
    capability::bounding_drop(number).on("prctl(PR_CAPBSET_DROP)", number)
}

fn bounding_has(call: &Call) -> Outcome<bool> {
    let number = call.u32(0)?;
    capability::bounding_has(number).on("prctl(PR_CAPBSET_READ)", number)
}

fn ambient_raise(call: &Call) -> Outcome<()> {
    let number = call.u32(0)?;
    capability::ambient_raise(number).on("prctl(PR_CAP_AMBIENT_RAISE)", number)
}

fn ambient_clear(_call: &Call) -> Outcome<()> {
    capability::ambient_clear().on_call("prctl(PR_CAP_AMBIENT_CLEAR_ALL)")
}

fn ambient_has(call: &Call) -> Outcome<bool> {
    let number = call.u32(0)?;
    capability::ambient_has(number).on("prctl(PR_CAP_AMBIENT_IS_SET)", number)
}

fn bounding_keep_only(call: &Call) -> Outcome<()> {
    let keep = set_of(call.numbers(0)?)?;
    for number in (0..64).filter(|number| keep >> number & 1 == 0) {
        match capability::bounding_drop(number) {
            Ok(()) => {}
            // Not one that the kernel knows, and so is none after it. Without CAP_SETPCAP it says EPERM, for those as well.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(Failure::system(errno, "prctl(PR_CAPBSET_DROP)", number)),
        }
    }
    Ok(())
}
