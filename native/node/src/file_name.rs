//! File names across the border. Linux names are bytes, JavaScript's are UTF-16: bytes that are not UTF-8 travel as
//! U+DC80..U+DCFF (what Python calls surrogateescape), so that every name survives in both directions.

use std::ffi::{CStr, CString};
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, sys};

use crate::error::{Result, failure};

/// UTF-16 units taken without an allocation; longer than any name and most paths.
const STACK_UNITS: usize = 512;
/// Longest path in UTF-16 units; the kernel's own limit is 4096 bytes.
const LONGEST: usize = 8192;

/// A name or path given by JavaScript, as the kernel wants it.
pub struct FileName {
    bytes: Vec<u8>,
}

impl FileName {
    /// NUL-terminated; `EINVAL` when the name holds a NUL, which no file name can.
    pub fn c_string(self, syscall: &str) -> Result<CString> {
        CString::new(self.bytes).map_err(|_| failure(syscall, libc::EINVAL))
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl TypeName for FileName {
    fn type_name() -> &'static str {
        "String"
    }
    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for FileName {}

impl FromNapiValue for FileName {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut stack = [0u16; STACK_UNITS];
        let mut length = 0usize;
        let status = unsafe {
            sys::napi_get_value_string_utf16(env, value, stack.as_mut_ptr(), STACK_UNITS, &mut length)
        };
        napi::check_status!(status, "want a file name as string")?;
        if length + 1 < STACK_UNITS {
            return Ok(FileName { bytes: encode(&stack[..length]) });
        }
        // The buffer was filled: perhaps there is more.
        napi::check_status!(unsafe {
            sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &mut length)
        })?;
        let mut units = vec![0u16; length.min(LONGEST) + 1];
        napi::check_status!(unsafe {
            sys::napi_get_value_string_utf16(env, value, units.as_mut_ptr(), units.len(), &mut length)
        })?;
        Ok(FileName { bytes: encode(&units[..length]) })
    }
}

fn encode(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len() + 8);
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        rest = tail;
        match unit {
            0..=0x7f => bytes.push(unit as u8),
            0xdc80..=0xdcff => bytes.push((unit & 0xff) as u8),
            0xd800..=0xdbff if matches!(tail.first(), Some(0xdc00..=0xdfff)) => {
                let code = 0x10000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(tail[0]) - 0xdc00);
                rest = &tail[1..];
                push_utf8(&mut bytes, code);
            }
            // Other lone surrogates have no bytes to stand for.
            0xd800..=0xdfff => push_utf8(&mut bytes, 0xfffd),
            _ => push_utf8(&mut bytes, u32::from(unit)),
        }
    }
    bytes
}

fn push_utf8(bytes: &mut Vec<u8>, code: u32) {
    let mut buffer = [0u8; 4];
    let character = char::from_u32(code).unwrap_or('\u{fffd}');
    bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}

/// A name given by the kernel, on its way to JavaScript.
pub struct NameBytes(pub Vec<u8>);

impl NameBytes {
    pub fn from_c(name: &CStr) -> Self {
        NameBytes(name.to_bytes().to_vec())
    }
}

impl ToNapiValue for NameBytes {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        let mut result = ptr::null_mut();
        let bytes = &value.0;
        if bytes.is_ascii() {
            let length = bytes.len() as isize;
            let status =
                unsafe { sys::napi_create_string_latin1(env, bytes.as_ptr().cast(), length, &mut result) };
            napi::check_status!(status)?;
            return Ok(result);
        }
        let units = decode(bytes);
        let status = unsafe {
            sys::napi_create_string_utf16(env, units.as_ptr(), units.len() as isize, &mut result)
        };
        napi::check_status!(status)?;
        Ok(result)
    }
}

fn decode(bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().encode_utf16());
        units.extend(chunk.invalid().iter().map(|byte| 0xdc00 | u16::from(*byte)));
    }
    units
}
