//! The file that carries a compiled program: a short header and QuickJS bytecode.
//!
//! ```text
//! "TEUQBC1\n"  8 bytes
//! engine       8 bytes: which QuickJS build made the bytecode
//! words        2 bytes little endian: length of the list that follows
//!              command words, separated by newlines: with one of them among its arguments, the program must run from an image
//!              that nobody can write (CVE-2019-5736)
//! bytecode     the rest
//! ```

const MAGIC: &[u8; 8] = b"TEUQBC1\n";
/// Which QuickJS build this is: made by build.rs from the engine's version and checksum in Cargo.lock. Bytecode means
/// something only to the build that made it.
const ENGINE: &[u8; 8] = env!("TEU_ENGINE").as_bytes().first_chunk().unwrap();

/// A compiled program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    seal_words: &'a [u8],
    /// For the interpreter.
    pub bytecode: &'a [u8],
}

impl<'a> Container<'a> {
    /// Puts a program together. `None` when the list of words is too long or a word is empty or has a newline.
    pub fn write(bytecode: &[u8], seal_words: &[&str]) -> Option<Vec<u8>> {
        if seal_words.iter().any(|word| word.is_empty() || word.contains('\n')) {
            return None;
        }
        let words = seal_words.join("\n");
        let length = u16::try_from(words.len()).ok()?.to_le_bytes();
        Some([MAGIC, &ENGINE[..], &length, words.as_bytes(), bytecode].concat())
    }

    /// Takes a program apart; the reason when it is not one, or one of another build.
    pub fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or("is too short")?;
        let (engine, rest) = rest.split_first_chunk::<8>().ok_or("is too short")?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or("is too short")?;
        if magic != MAGIC {
            return Err("is not a compiled program");
        }
        if engine != ENGINE {
            return Err("was compiled by another build of the engine: build it again");
        }
        let length = usize::from(u16::from_le_bytes(*length));
        let (seal_words, bytecode) = rest.split_at_checked(length).ok_or("is cut off")?;
        Ok(Container { seal_words, bytecode })
    }

    /// Must the program run from a sealed image, given these arguments? One match anywhere is enough: the option grammar is TypeScript's,
    /// and sealing once too often only costs time.
    pub fn wants_seal<'b>(&self, mut arguments: impl Iterator<Item = &'b [u8]>) -> bool {
        let is_word = |argument: &[u8]| self.seal_words.split(|byte| *byte == b'\n').any(|word| word == argument);
        !self.seal_words.is_empty() && arguments.any(is_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_gives_back_what_was_written() {
        let file = Container::write(b"code", &["create", "run"]).unwrap();
        let container = Container::read(&file).unwrap();
        assert_eq!(container.bytecode, b"code");
        assert!(container.wants_seal([&b"--root"[..], b"/x", b"run"].into_iter()));
        assert!(!container.wants_seal([&b"state"[..], b"running", b""].into_iter()));
    }

    #[test]
    fn wants_seal_is_never_so_without_words() {
        let file = Container::write(b"code", &[]).unwrap();
        assert!(!Container::read(&file).unwrap().wants_seal([&b""[..]].into_iter()));
    }

    #[test]
    fn read_refuses_what_is_not_of_this_build() {
        let file = Container::write(b"code", &["run"]).unwrap();
        let mut other = file.clone();
        other[9] ^= 1;
        assert!(Container::read(&other).unwrap_err().contains("another build"));
        assert!(Container::read(b"#!/bin/sh and some more bytes").is_err());
        assert_eq!(Container::read(&file[..19]), Err("is cut off"));
        assert_eq!(Container::read(b""), Err("is too short"));
    }

    #[test]
    fn write_refuses_words_that_cannot_be_kept() {
        assert_eq!(Container::write(b"", &["a\nb"]), None);
        assert_eq!(Container::write(b"", &[""]), None);
    }
}
