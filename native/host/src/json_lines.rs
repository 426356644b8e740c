//! The log's hot loop: lines of bytes into lines of JSON, in one pass.

/// For each line of `data` (its newline included; a rest without one is a line): `before`, the line as the inside of a JSON
/// string, `after`. Invalid UTF-8 becomes U+FFFD, one for each sequence that Rust's decoder rejects.
pub fn json_lines(data: &[u8], before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() * 2 + before.len() + after.len());
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(before);
        for chunk in line.utf8_chunks() {
            escape(chunk.valid().as_bytes(), &mut out);
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        out.extend_from_slice(after);
    }
    out
}

// RFC 8259 section 7: quote, backslash and control characters; everything else as it is.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x20.. => continue,
            _ => 0,
        };
        out.extend_from_slice(&text[start..at]);
        start = at + 1;
        if short == 0 {
            let hex = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use super::json_lines;

    fn lines(data: &[u8]) -> String {
        String::from_utf8(json_lines(data, b"<", b">")).expect("always UTF-8")
    }

    #[test]
    fn lines_are_wrapped_and_escaped() {
        assert_eq!(lines(b""), "");
        assert_eq!(lines(b"a\nb"), "<a\\n><b>");
        assert_eq!(lines(b"\n\n"), "<\\n><\\n>");
        assert_eq!(lines("\"\\\t\r\u{1}\u{7f}é😀".as_bytes()), "<\\\"\\\\\\t\\r\\u0001\u{7f}é😀>");
        assert_eq!(lines(b"a\xffb\xe2\x82"), "<a\u{fffd}b\u{fffd}>");
    }
}
