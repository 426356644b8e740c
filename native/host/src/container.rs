//! The file that carries a compiled program: a short header and QuickJS bytecode.
//!
//! ```text
//! "TEUQBC1\n"  8 bytes
//! engine       8 bytes: which QuickJS build made the bytecode
//! bytecode     the rest
//! ```

const MAGIC: &[u8; 8] = b"TEUQBC1\n";
/// Which QuickJS build this is: made by build.rs from the engine's version and checksum in Cargo.lock. Bytecode means
/// something only to the build that made it.
const ENGINE: &[u8; 8] = env!("TEU_ENGINE").as_bytes().first_chunk().unwrap();

/// A compiled program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// For the interpreter.
    pub bytecode: &'a [u8],
}

impl<'a> Container<'a> {
    /// Puts a program together.
    pub fn write(bytecode: &[u8]) -> Vec<u8> {
        [MAGIC, &ENGINE[..], bytecode].concat()
    }

    /// Takes a program apart; the reason when it is not one, or one of another build.
    pub fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or("is too short")?;
        let (engine, bytecode) = rest.split_first_chunk::<8>().ok_or("is too short")?;
        if magic != MAGIC {
            return Err("is not a compiled program");
        }
        if engine != ENGINE {
            return Err("was compiled by another build of the engine: build it again");
        }
        Ok(Container { bytecode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_gives_back_what_was_written() {
        assert_eq!(Container::read(&Container::write(b"code")).unwrap().bytecode, b"code");
    }

    #[test]
    fn read_refuses_what_is_not_of_this_build() {
        let file = Container::write(b"code");
        let mut other = file.clone();
        other[9] ^= 1;
        assert!(Container::read(&other).unwrap_err().contains("another build"));
        assert!(Container::read(b"#!/bin/sh and some more bytes").is_err());
        assert_eq!(Container::read(&file[..15]), Err("is too short"));
        assert_eq!(Container::read(b""), Err("is too short"));
    }
}
