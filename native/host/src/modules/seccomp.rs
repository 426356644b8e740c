//! sys:seccomp

use crate::answer::{Field, Nullable, Record, Text};
use crate::call::{Call, Fields};
use crate::export::{Export, exports};
use crate::failure::{On, Outcome};
use std::ffi::CString;
use std::os::fd::IntoRawFd;
use teu_sys::filter::{self, Comparison, Filter};
use teu_sys::seccomp;

pub const EXPORTS: &[Export] = exports! {
    "compile" 1 => compile,
    "load" 2 => load,
    "actionAvailable" 1 => action_available,
    "libraryVersion" 0 => library_version,
    "syscallNumber" 1 => syscall_number,
};

fn compile(call: &Call) -> Outcome<Record<2>> {
    let fields = call.record(0)?;
    let default_action: u32 = fields.number("defaultAction")?;
    let mut filter = Filter::new(default_action).on("seccomp_init", format!("0x{default_action:x}"))?;
    for name in fields.paths("architectures")? {
        filter.add_architecture(&name).on("seccomp_arch_add", name.as_bytes())?;
    }
    let mut unknown: Vec<Vec<u8>> = Vec::new();
    for rule in fields.records("rules")? {
        let name = rule.path("syscall")?;
        if !add_rule(&mut filter, &name, &rule)? && !unknown.iter().any(|known| known == name.as_bytes()) {
            unknown.push(name.into_bytes());
        }
    }
    let program = filter.export().on_call("seccomp_export_bpf")?;
    Ok(Record([("program", Field::Bytes(program)), ("unknown", Field::Texts(unknown))]))
}

fn add_rule(filter: &mut Filter, name: &CString, rule: &Fields<'_>) -> Outcome<bool> {
    let comparisons = rule
        .records("args")?
        .iter()
        .map(|argument| {
            Ok(Comparison {
                argument: argument.number("index")?,
                operator: argument.number("op")?,
                value: argument.big("value")?,
                second: argument.big("valueTwo")?,
            })
        })
        .collect::<Outcome<Vec<_>>>()?;
    filter.add_rule(name, rule.number("action")?, &comparisons).on("seccomp_rule_add", name.as_bytes())
}

fn load(call: &Call) -> Outcome<i32> {
    let listener = seccomp::load(call.bytes(0)?, call.u32(1)?).on_call("seccomp")?;
    Ok(listener.map_or(-1, IntoRawFd::into_raw_fd))
}

fn action_available(call: &Call) -> Outcome<bool> {
    let action = call.u32(0)?;
    seccomp::action_available(action).on("seccomp", format!("0x{action:x}"))
}

fn library_version(_call: &Call) -> Outcome<Text> {
    Ok(Text(filter::version().into_bytes()))
}

fn syscall_number(call: &Call) -> Outcome<Nullable<i32>> {
    Ok(Nullable(filter::syscall_number(&call.path(0)?)))
}
