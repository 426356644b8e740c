//! sys:host

use crate::answer::{Big, Bytes, Field, Record, Text};
use crate::call::{Call, borrow};
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use crate::{sha256, strict_json, text};
use teu_sys::{clock, file, system};

pub const EXPORTS: &[Export] = exports! {
    "monotonicNs" 0 => monotonic_ns,
    "realtimeNs" 0 => realtime_ns,
    "sleepMs" 1 => sleep_ms,
    "randomBytes" 1 => random_bytes,
    "sha256Hex" 1 => sha256_hex,
    "utf8Encode" 1 => utf8_encode,
    "utf8Decode" 1 => utf8_decode,
    "print" 1 => print,
    "printError" 1 => print_error,
    "version" 0 => version,
    "memory" 0 => memory,
    "jsonLines" 3 => json_lines,
    "isStrictJson" 2 => is_strict_json,
};

fn monotonic_ns(_call: &Call) -> Outcome<Big> {
    Ok(Big(clock::monotonic()))
}

fn realtime_ns(_call: &Call) -> Outcome<Big> {
    Ok(Big(clock::realtime()))
}

fn sleep_ms(call: &Call) -> Outcome<()> {
    let milliseconds = call.u64(0)? as i64;
    clock::sleep(milliseconds.saturating_mul(1_000_000)).on_call("clock_nanosleep")
}

fn random_bytes(call: &Call) -> Outcome<Bytes> {
    clock::random(call.count(0)?).map(Bytes).on_call("getrandom")
}

fn sha256_hex(call: &Call) -> Outcome<Text> {
    Ok(Text(sha256::hex(&call.data(0)?).into_bytes()))
}

fn utf8_encode(call: &Call) -> Outcome<Bytes> {
    call.text(0).map(Bytes)
}

fn utf8_decode(call: &Call) -> Outcome<Text> {
    Ok(Text(String::from_utf8_lossy(call.bytes(0)?).into_owned().into_bytes()))
}

fn print_to(call: &Call, fd: i32) -> Outcome<()> {
    let mut line = call.text(0)?;
    line.push(b'\n');
    file::write_all(borrow(fd), &line).map_err(|(errno, _)| Failure::system(errno, "write", format!("fd {fd}")))
}

fn print(call: &Call) -> Outcome<()> {
    print_to(call, 1)
}

fn print_error(call: &Call) -> Outcome<()> {
    print_to(call, 2)
}

fn version(_call: &Call) -> Outcome<Record<2>> {
    let host = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
    Ok(Record([("host", Field::Text(host)), ("quickjs", Field::Text(crate::engine::version().into()))]))
}

fn memory(_call: &Call) -> Outcome<Record<2>> {
    let peak = system::peak_memory().on_call("getrusage")?;
    Ok(Record([
        ("peakKiB", Field::Number(peak as f64)),
        ("currentKiB", Field::Number(system::current_memory() as f64)),
    ]))
}

fn json_lines(call: &Call) -> Outcome<Bytes> {
    let (data, before, after) = (call.bytes(0)?, call.text(1)?, call.text(2)?);
    let mut out = Vec::with_capacity(data.len() + (before.len() + after.len()) * (data.len() / 32 + 1));
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(&before);
        text::escape_json(line, text::Invalid::Replace, &mut out);
        out.extend_from_slice(&after);
    }
    Ok(Bytes(out))
}

fn is_strict_json(call: &Call) -> Outcome<bool> {
    Ok(strict_json::is_strict(&call.text(0)?, call.count(1)?))
}
