//! Whether a JSON text is surely I-JSON (RFC 7493): no name twice in an object, no lone surrogate, nested no deeper than allowed. Only
//! what a parser lets pass is looked for: whether the text is JSON at all is the parser's to say.

use std::collections::HashSet;

/// Objects with more names than this are checked with a set; most have a handful.
const FEW: usize = 16;

/// The names of an object so far; `None`: an array.
type Level<'a> = Option<Names<'a>>;

#[derive(Default)]
struct Names<'a> {
    few: Vec<&'a [u8]>,
    many: HashSet<&'a [u8]>,
}

impl<'a> Names<'a> {
    /// False when it was there.
    fn add(&mut self, name: &'a [u8]) -> bool {
        if self.few.len() < FEW {
            let new = !self.few.contains(&name);
            self.few.push(name);
            return new;
        }
        !self.few.contains(&name) && self.many.insert(name)
    }
}

/// True when it surely is. False when it is not, and also when only a slower look could tell (names with escapes).
pub fn is_strict(text: &[u8], max_depth: usize) -> bool {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                if levels.len() >= max_depth {
                    return false;
                }
                levels.push((byte == b'{').then(Names::default));
            }
            b'}' | b']' => {
                levels.pop();
            }
            b'"' => {
                let Some((string, escaped)) = string_at(text, at) else { return false };
                at += string.len() + 1;
                let is_name = text[at.min(text.len())..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                if escaped && (is_name || has_surrogate(string)) {
                    return false;
                }
                if is_name
                    && let Some(Some(names)) = levels.last_mut()
                    && !names.add(string)
                {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// The inside of the string that begins at `at`, and whether it has escapes; `None` when it does not end.
fn string_at(text: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let mut escaped = false;
    let mut end = at;
    loop {
        match text.get(end)? {
            b'"' => return Some((&text[at..end], escaped)),
            b'\\' => {
                escaped = true;
                end += 2;
            }
            _ => end += 1,
        }
    }
}

/// An escape for U+D800 to U+DFFF: half of a pair, or alone.
fn has_surrogate(string: &[u8]) -> bool {
    let is_half =
        |four: &[u8]| four.starts_with(b"\\u") && matches!(four[2], b'd' | b'D') && !matches!(four[3], b'0'..=b'7');
    string.windows(4).any(is_half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_strict_says_yes_to_ordinary_documents() {
        for text in [
            r#"{"a":1,"b":{"a":[{"a":"x"},{"a":"y : z"}]},"c":"\n\"\\"}"#,
            "[]",
            r#"{"a" : "a", "b":"a"}"#,
            r#""\u0041""#,
            "7",
        ] {
            assert!(is_strict(text.as_bytes(), 8), "{text}");
        }
    }

    #[test]
    fn is_strict_says_no_to_what_a_parser_lets_pass() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"[{"b":{"x":1,"y":2,"x":3}}]"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"["\ud800"]"#,
            r#"["\uDBff"]"#,
            "[[[[[[[[[1]]]]]]]]]",
            r#""never ends"#,
        ] {
            assert!(!is_strict(text.as_bytes(), 8), "{text}");
        }
    }

    #[test]
    fn is_strict_finds_a_name_twice_among_many() {
        let names: Vec<String> = (0..100).map(|number| format!("\"n{number}\":0")).collect();
        assert!(is_strict(format!("{{{}}}", names.join(",")).as_bytes(), 8));
        for twice in ["\"n3\":1", "\"n77\":1"] {
            assert!(!is_strict(format!("{{{},{twice}}}", names.join(",")).as_bytes(), 8));
        }
    }
}
