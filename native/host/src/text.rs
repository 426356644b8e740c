//! Strings between JavaScript (UTF-16) and the kernel (bytes). Bytes that are not UTF-8 become U+DC80..U+DCFF and come back as what they
//! were, as in Python's "surrogateescape": so every file name survives the way through TypeScript.

/// The bytes of a JavaScript string given as QuickJS encodes it: UTF-8, lone surrogates as three bytes each (WTF-8).
/// Surrogates that are no escape become U+FFFD, unless `strict`: then there is no answer.
pub fn to_bytes(wtf8: &[u8], strict: bool) -> Option<Vec<u8>> {
    // Surrogates begin with 0xED; without one the bytes are UTF-8 already.
    if !wtf8.contains(&0xed) {
        return Some(wtf8.to_vec());
    }
    let mut bytes = Vec::with_capacity(wtf8.len());
    let mut rest = wtf8;
    while let Some((&first, tail)) = rest.split_first() {
        match rest {
            [0xed, middle @ 0xa0..=0xbf, last, after @ ..] => {
                let unit = 0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f);
                match unit {
                    0xdc80..=0xdcff => bytes.push((unit & 0xff) as u8),
                    _ if strict => return None,
                    _ => bytes.extend_from_slice("\u{fffd}".as_bytes()),
                }
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    Some(bytes)
}

/// UTF-16 for bytes from the kernel; those that are not UTF-8 as escapes.
pub fn to_utf16(bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().encode_utf16());
        units.extend(chunk.invalid().iter().map(|byte| 0xdc00 | u16::from(*byte)));
    }
    units
}

/// What becomes of bytes that are not UTF-8 when text is escaped for JSON.
#[derive(Clone, Copy, PartialEq)]
pub enum Invalid {
    /// "\udc80" for byte 0x80, and so on: nothing is lost.
    Escape,
    /// U+FFFD.
    Replace,
}

/// Appends the text as the inside of a JSON string, escaped as JSON.stringify does it.
pub fn escape_json(bytes: &[u8], invalid: Invalid, out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        escape_valid(chunk.valid().as_bytes(), out);
        if invalid == Invalid::Replace && !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
            continue;
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\udc{byte:02x}").as_bytes());
        }
    }
}

fn escape_valid(mut text: &[u8], out: &mut Vec<u8>) {
    // What needs an escape is rare: the runs between are copied as they are.
    while let Some(end) = text.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
        out.extend_from_slice(&text[..end]);
        match text[end] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            byte @ 0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.extend_from_slice(&[b'\\', byte]),
        }
        text = &text[end + 1..];
    }
    out.extend_from_slice(text);
}

/// The text in double quotes, as JSON.stringify writes it.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = vec![b'"'];
    escape_json(bytes, Invalid::Escape, &mut out);
    out.push(b'"');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// U+DC80 and U+DCFF as QuickJS hands them over.
    const ESCAPES: &[u8] = b"a\xed\xb2\x80\xed\xb3\xbfz";

    #[test]
    fn to_bytes_undoes_escapes() {
        assert_eq!(to_bytes(ESCAPES, true).unwrap(), b"a\x80\xffz");
        assert_eq!(to_bytes("häß €".as_bytes(), true).unwrap(), "häß €".as_bytes());
        assert_eq!(to_bytes("\u{d7ff}".as_bytes(), true).unwrap(), "\u{d7ff}".as_bytes());
    }

    #[test]
    fn to_bytes_refuses_or_replaces_other_surrogates() {
        assert_eq!(to_bytes(b"\xed\xa0\x80", true), None);
        assert_eq!(to_bytes(b"\xed\xb0\x80", true), None);
        assert_eq!(to_bytes(b"x\xed\xa0\x80", false).unwrap(), "x\u{fffd}".as_bytes());
    }

    #[test]
    fn to_utf16_escapes_what_is_not_utf8() {
        assert_eq!(to_utf16(b"a\x80\xff"), [0x61, 0xdc80, 0xdcff]);
        // An encoded surrogate is not UTF-8: three escapes, so that it comes back as it was.
        assert_eq!(to_utf16(b"\xed\xb2\x80"), [0xdced, 0xdcb2, 0xdc80]);
    }

    #[test]
    fn escape_json_keeps_what_needs_no_escape() {
        let mut out = b"<".to_vec();
        escape_json(b"\x08\x0c\r\t/\x7f\xc3\xa9\xe2\x82", Invalid::Replace, &mut out);
        assert_eq!(str::from_utf8(&out).unwrap(), "<\\b\\f\\r\\t/\u{7f}é\u{fffd}");
    }

    #[test]
    fn quote_is_json() {
        assert_eq!(quote(b"a\"\\\n\x01\xff"), "\"a\\\"\\\\\\n\\u0001\\udcff\"");
    }
}
