//! The programs that this file carries: a table that is empty when the file is linked, and filled in when the heaps of the programs,
//! each made by this very file (`teu-freeze`), are put behind it (tools/build/programs.ts).
//!
//! ```text
//! magic     16 bytes, found nowhere else in the file
//! entries   8 times: name (32 bytes), words (64), offset of the heap in the file (8, little endian), its length (8)
//! ```
//!
//! Name and words are ended by NUL, the words by one more. With one of its words among its arguments, a program must run from an image
//! that nobody can write (CVE-2019-5736). A table without pointers, to be read before anything is set up: see `early.rs`.

const ENTRIES: usize = 8;
const NAME: usize = 32;
const WORDS: usize = 64;

#[repr(C)]
pub struct Entry {
    name: [u8; NAME],
    words: [u8; WORDS],
    offset: u64,
    length: u64,
}

#[repr(C)]
struct Index {
    magic: [u8; 16],
    entries: [Entry; ENTRIES],
}

const NONE: Entry = Entry { name: [0; NAME], words: [0; WORDS], offset: 0, length: 0 };

#[used]
static INDEX: Index = Index { magic: *b"\x7fTEU-PROGRAMS-1\x7f", entries: [NONE; ENTRIES] };

/// The program with this name.
///
/// # Safety
/// `name` must be a C string.
pub unsafe fn find(name: *const u8) -> Option<&'static Entry> {
    let mut number = 0;
    while number < ENTRIES {
        // SAFETY: a live entry, in which the table's maker has ended the name. Read as volatile, since the compiler knows only the empty table.
        unsafe {
            let entry = (&raw const INDEX.entries).cast::<Entry>().add(number);
            let its = (&raw const (*entry).name).cast::<u8>();
            if its.read_volatile() != 0 && same(its, name) {
                return Some(&*entry);
            }
        }
        number += 1;
    }
    None
}

/// Names of all programs.
pub fn names() -> impl Iterator<Item = String> {
    (0..ENTRIES).map_while(|number| {
        // SAFETY: a live entry; volatile as above.
        let name = unsafe { (&raw const INDEX.entries[number].name).read_volatile() };
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        (length > 0).then(|| String::from_utf8_lossy(&name[..length]).into_owned())
    })
}

impl Entry {
    /// Where the program's heap is in the file, and how long.
    pub fn place(&self) -> (u64, usize) {
        // SAFETY: live fields; volatile as above.
        unsafe { ((&raw const self.offset).read_volatile(), (&raw const self.length).read_volatile() as usize) }
    }

    /// Is one of its words among these arguments? One match anywhere is enough: the option grammar is TypeScript's, and being protected
    /// once too often only costs time.
    ///
    /// # Safety
    /// `argv` must be an array of `argc` C strings.
    pub unsafe fn wants_seal(&self, argc: usize, argv: *const *const u8) -> bool {
        // SAFETY: as the caller says; the words end with an empty one.
        unsafe {
            let mut word = (&raw const self.words).cast::<u8>();
            while word.read_volatile() != 0 {
                let mut index = 1;
                while index < argc {
                    if same(word, argv.add(index).read()) {
                        return true;
                    }
                    index += 1;
                }
                word = after(word);
            }
            false
        }
    }
}

/// The last part of a path.
///
/// # Safety
/// `path` must be a C string.
pub unsafe fn base_name(path: *const u8) -> *const u8 {
    let (mut name, mut at) = (path, path);
    // SAFETY: as the caller says.
    unsafe {
        while at.read_volatile() != 0 {
            at = at.add(1);
            if at.sub(1).read_volatile() == b'/' {
                name = at;
            }
        }
    }
    name
}

/// What follows this C string.
unsafe fn after(mut at: *const u8) -> *const u8 {
    // SAFETY: the caller passes a C string with something behind it.
    unsafe {
        while at.read_volatile() != 0 {
            at = at.add(1);
        }
        at.add(1)
    }
}

unsafe fn same(mut one: *const u8, mut other: *const u8) -> bool {
    // SAFETY: the caller passes two C strings.
    unsafe {
        while one.read_volatile() == other.read_volatile() {
            if one.read_volatile() == 0 {
                return true;
            }
            one = one.add(1);
            other = other.add(1);
        }
    }
    false
}
