//! Ordinary files of a tar archive put into a plan of `write_files`, many at a time: most entries of a layer are such, and taking each
//! apart in JavaScript costs more than writing it. Only what leaves no question is taken: a small POSIX or GNU header
//! whose numbers are plain octal, whose name is short, ASCII, and one component below the directory that the caller names.
//! At anything else it stops, and `packages/image/src/tar/reader.ts` says what that is. Whether the names are free is
//! the caller's to find out.

use napi::bindgen_prelude::Float64ArraySlice;
use napi_derive::napi;

use crate::error::{Result, failure};
use crate::write_files::{BEGIN, END, FIELDS, NAME_IN_DATA};

const BLOCK: usize = 512;
const NAME: std::ops::Range<usize> = 0..100;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const FLAG: usize = 156;
const LINK_NAME: usize = 157;
const MAGIC: std::ops::Range<usize> = 257..262;
/// NUL for POSIX, a space for GNU.
const VERSION: usize = 262;
/// Both numbers of a device: of no meaning for a file, and nothing but zeros here.
const DEVICES: std::ops::Range<usize> = 329..345;
/// Begins a part of the name (POSIX) or other times of the file (GNU).
const PREFIX: usize = 345;

/// What was put into the plan.
#[napi(object, object_from_js = false)]
pub struct PlannedFiles {
    /// Of the archive: header, content and padding of all of them.
    pub bytes: u32,
    /// The last components of their names, each followed by a slash.
    pub names: String,
}

/// Plans the ordinary files that begin at `at` of `archive` and are whole in it, while each one's name is `before` (a directory's
/// text with its slash, or nothing) and one more component that does not begin with a dot. They are made below
/// `dirfd`, by records from the first of `plan` on, as far as it has room. `base` is where `archive` begins in the memory that
/// the plan's offsets count from.
#[napi]
pub fn plan_files(
    archive: &[u8],
    at: u32,
    before: &[u8],
    dirfd: i32,
    base: u32,
    mut plan: Float64ArraySlice<'_>,
) -> Result<PlannedFiles> {
    let at = at as usize;
    let mut planned = PlannedFiles { bytes: 0, names: String::new() };
    // The array is JavaScript's, and nothing else runs there during the call.
    for record in unsafe { plan.as_mut() }.chunks_exact_mut(FIELDS) {
        let begin = at + planned.bytes as usize;
        let rest = archive.get(begin..).ok_or_else(|| failure("plan files", libc::EINVAL))?;
        let Some(file) = Header::of(rest, before) else { break };
        let offset = f64::from(base) + begin as f64;
        record.copy_from_slice(&[
            f64::from(dirfd),
            f64::from(BEGIN | END | NAME_IN_DATA),
            (file.mode & 0o7777) as f64,
            file.uid as f64,
            file.gid as f64,
            file.seconds as f64,
            0.0,
            offset + before.len() as f64,
            file.name.len() as f64,
            offset + BLOCK as f64,
            file.size as f64,
        ]);
        planned.names.push_str(file.name);
        planned.names.push('/');
        planned.bytes += file.length as u32;
    }
    Ok(planned)
}

struct Header<'a> {
    name: &'a str,
    mode: u64,
    uid: u64,
    gid: u64,
    seconds: u64,
    size: u64,
    /// Of header, content and padding.
    length: usize,
}

impl<'a> Header<'a> {
    /// None for everything that is not as the head of this file says.
    fn of(rest: &'a [u8], before: &[u8]) -> Option<Self> {
        let block = rest.first_chunk::<BLOCK>()?;
        let posix_or_gnu = &block[MAGIC] == b"ustar" && matches!(block[VERSION], 0 | b' ');
        let plain = block[FLAG] == b'0' && block[LINK_NAME] == 0 && block[PREFIX] == 0;
        let devices = block[DEVICES].iter().any(|byte| !matches!(byte, 0 | b'0'));
        if !posix_or_gnu || !plain || devices || !is_whole(block) {
            return None;
        }
        let size = number(&block[124..136])?;
        let length = BLOCK + usize::try_from(size).ok()?.checked_next_multiple_of(BLOCK)?;
        if length > rest.len() {
            return None;
        }
        Some(Header {
            name: last_component(block, before)?,
            mode: number(&block[100..108])?,
            uid: number(&block[108..116])?,
            gid: number(&block[116..124])?,
            seconds: number(&block[136..148])?,
            size,
            length,
        })
    }
}

/// The sum of all bytes, with its own field as spaces: six digits, NUL, space.
fn is_whole(block: &[u8; BLOCK]) -> bool {
    let [digits @ .., 0, b' '] = &block[CHECKSUM] else { return false };
    let all: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = block[CHECKSUM].iter().map(|byte| u32::from(*byte)).sum();
    octal(digits) == Some(u64::from(all - own + 8 * u32::from(b' ')))
}

/// A field that is digits up to its last byte, and that a NUL or a space.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [digits @ .., 0 | b' '] => octal(digits),
        _ => None,
    }
}

/// At most eleven digits: 33 bits.
fn octal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u64::from(digit - b'0')),
        _ => None,
    })
}

fn last_component<'a>(block: &'a [u8; BLOCK], before: &[u8]) -> Option<&'a str> {
    let field = &block[NAME];
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let name = field[..end].strip_prefix(before)?;
    // A dot begins what has a meaning of its own: "..", a whiteout.
    let one = !name.is_empty() && name[0] != b'.' && !name.contains(&b'/') && name.is_ascii();
    if one { str::from_utf8(name).ok() } else { None }
}
