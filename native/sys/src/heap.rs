//! The heap of a program that can be frozen: one contiguous range of addresses that is the same in every process, so that a heap full
//! of objects, pointers and all, can be written to a file by one process and mapped by another.
//!
//! ```text
//! BASE   State    where the unused part begins, lists of free blocks, the root
//!        blocks   each: 8 bytes that tell its class, then what its user sees, aligned to 16
//!        unused   mapped in steps, to LIMIT at most
//! ```
//!
//! Blocks come in classes of fixed sizes, and what is given back is kept for the next block of its class. What is larger than the
//! largest class is a mapping of its own, somewhere else: bulk data does not stay in the heap, and cannot be frozen with it.
//! One thread only, as all of this program.

use crate::Result;
use crate::raw::check;
use std::alloc::{GlobalAlloc, Layout};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Far from where the kernel puts anything by itself, and within 39 bits, which is all that some arm64 kernels have.
const BASE: usize = 0x10_0000_0000;
/// The heap's last address: 1 GiB.
const LIMIT: usize = BASE + (1 << 30);
/// What the heap grows by: address space, of which only what is touched becomes memory.
const STEP: usize = 1 << 20;
const PAGE: usize = 4096;
/// What a command that makes a container allocates, or a little less.
const POPULATED: usize = 32 * PAGE;

/// What precedes a block.
const HEADER: usize = 8;
const ALIGN: usize = 16;
/// Sizes with header: steps of 16 up to here, then four for each doubling.
const FINE: usize = 512;
const FINE_CLASSES: usize = FINE / ALIGN;
/// The largest class, with header: 256 KiB, more than the interpreter's largest table.
const LARGEST: usize = 256 << 10;
const CLASSES: usize = FINE_CLASSES + 4 * (LARGEST / FINE).ilog2() as usize;
/// Marks a block that is a mapping of its own: the header is its size with this bit.
const MAPPED: usize = 1 << 63;

#[repr(C)]
struct State {
    /// Where the unused part begins.
    next: usize,
    /// Where the mapped part ends.
    end: usize,
    /// What `freeze` was given.
    root: usize,
    /// Free blocks by class, each with the address of the next one in its first word.
    free: [usize; CLASSES],
}

fn state() -> *mut State {
    ptr::with_exposed_provenance_mut(BASE)
}

/// The allocator. Nothing may be allocated before `begin` or `thaw`.
pub struct Heap;

/// Begins with an empty heap.
pub fn begin() -> Result<()> {
    map(BASE, BASE + STEP, None)?;
    // SAFETY: just mapped, and nobody else knows of it.
    unsafe { state().write(State { next: first_block(), end: BASE + STEP, root: 0, free: [0; CLASSES] }) };
    Ok(())
}

/// Begins with a heap that `frozen` has written to `file` at `offset` (whole pages), `length` bytes of it. The file's pages are shared
/// until they are written to. Answers with the root.
///
/// # Safety
/// The content must have been written by the very same program file: it is full of pointers into it.
pub unsafe fn thaw(file: BorrowedFd<'_>, offset: u64, length: usize) -> Result<usize> {
    let end = BASE + length;
    map(BASE, end, Some((file, offset)))?;
    let limit = end.next_multiple_of(STEP) + STEP;
    map(end, limit, None)?;
    // SAFETY: mapped, and as the caller says a state.
    unsafe {
        (*state()).end = limit;
        Ok((*state()).root)
    }
}

/// Makes the first unused pages this process's own in one call instead of fault by fault: for a command that will need them. The frozen
/// ones stay shared, since hardly any of them is written to. Before Linux 5.14 nothing happens.
///
/// # Safety
/// To be called after `thaw`, with the same length.
pub unsafe fn populate(length: usize) {
    // SAFETY: what `thaw` has mapped behind the file; no content changes.
    unsafe { libc::madvise(at(BASE + length).cast(), POPULATED, libc::MADV_POPULATE_WRITE) };
}

/// Everything in the heap, as `thaw` wants it, with `root` for whoever thaws it. Free blocks are forgotten: new ones then lie side by
/// side on pages of their own instead of in holes on many that must be copied first.
///
/// # Safety
/// The heap must not be used any more.
pub unsafe fn freeze(root: usize) -> &'static [u8] {
    // SAFETY: the state is there, and the range behind it is mapped up to `end`.
    unsafe {
        let place = state();
        (*place).root = root;
        (*place).free = [0; CLASSES];
        // `next` is never beyond `end`, which is a multiple of a page.
        let end = (*place).next.next_multiple_of(PAGE);
        (*place).next = end + ALIGN - HEADER;
        core::slice::from_raw_parts(place.cast_const().cast(), end - BASE)
    }
}

/// The first header, so that what follows it is aligned.
fn first_block() -> usize {
    (BASE + size_of::<State>()).next_multiple_of(ALIGN) + ALIGN - HEADER
}

fn map(from: usize, to: usize, file: Option<(BorrowedFd<'_>, u64)>) -> Result<()> {
    let (fd, offset, anonymous) = match file {
        Some((fd, offset)) => (fd.as_raw_fd(), offset, 0),
        None => (-1, 0, libc::MAP_ANONYMOUS | libc::MAP_NORESERVE),
    };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE | anonymous;
    // SAFETY: a new mapping; with MAP_FIXED_NOREPLACE it replaces nothing.
    let place = unsafe {
        let wanted = ptr::with_exposed_provenance_mut(from);
        libc::mmap(wanted, to - from, protection, flags, fd, offset.cast_signed())
    };
    check(if place == libc::MAP_FAILED { -1 } else { 0 })?;
    // Before Linux 4.17 the flag is only a wish.
    if place.addr() == from { Ok(()) } else { Err(crate::Errno::EXIST) }
}

/// The class of a block of `size` bytes, header included, and its size. Not for more than LARGEST.
const fn class_of(size: usize) -> (usize, usize) {
    if size <= FINE {
        let class = size.div_ceil(ALIGN) - 1;
        return (class, (class + 1) * ALIGN);
    }
    // Between two powers of two there are four classes.
    let power = (size - 1).ilog2();
    let step = 1 << (power - 2);
    let quarter = (size - 1 - (1 << power)) / step;
    let class = FINE_CLASSES + 4 * (power - FINE.ilog2()) as usize + quarter;
    (class, (1 << power) + (quarter + 1) * step)
}

/// Size of a block of this class, header included.
const fn size_of_class(class: usize) -> usize {
    if class < FINE_CLASSES {
        return (class + 1) * ALIGN;
    }
    let (doubling, quarter) = ((class - FINE_CLASSES) / 4, (class - FINE_CLASSES) % 4);
    let power = FINE.ilog2() as usize + doubling;
    (1 << power) + (quarter + 1) * (1 << (power - 2))
}

fn at(address: usize) -> *mut usize {
    ptr::with_exposed_provenance_mut(address)
}

impl Heap {
    /// A block of at least `size` bytes, aligned to 16; null when there is no memory. Its content is whatever was there.
    #[inline]
    pub fn allocate(size: usize) -> *mut u8 {
        let Some(whole) = size.checked_add(HEADER) else { return ptr::null_mut() };
        if whole > LARGEST {
            return allocate_mapping(size);
        }
        let (class, whole) = class_of(whole);
        // SAFETY: the state is there; a free block's first word is the address of the next one.
        unsafe {
            let state = state();
            let free = &mut (*state).free[class];
            if *free != 0 {
                let block = at(*free);
                *free = block.read();
                return block.cast();
            }
            let header = (*state).next;
            if header + whole > (*state).end && !grow(header + whole) {
                return ptr::null_mut();
            }
            (*state).next = header + whole;
            at(header).write(class);
            at(header + HEADER).cast()
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It must come from `allocate` or `reallocate` and not be used any more.
    #[inline]
    pub unsafe fn release(block: *mut u8) {
        // SAFETY: as the caller says, so there is a header before it.
        unsafe {
            let header = at(block.expose_provenance() - HEADER);
            let class = header.read();
            if class & MAPPED != 0 {
                return release_mapping(block, class & !MAPPED);
            }
            let free = &mut (*state()).free[class];
            block.cast::<usize>().write(*free);
            *free = block.addr();
        }
    }

    /// The same content in a block of at least `size` bytes, which may be the same block; null, and nothing changed, when there is no memory.
    ///
    /// # Safety
    /// As for `release`.
    pub unsafe fn reallocate(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: as the caller says; both blocks have at least the bytes that are copied.
        unsafe {
            let now = Self::usable_size(block);
            // Smaller is not worth moving, unless it is very much smaller.
            if size <= now && size >= now / 4 {
                return block;
            }
            let moved = Self::allocate(size);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, now.min(size));
                Self::release(block);
            }
            moved
        }
    }

    /// How many bytes a block really has.
    ///
    /// # Safety
    /// As for `release`.
    pub unsafe fn usable_size(block: *const u8) -> usize {
        // SAFETY: as the caller says, so there is a header before it.
        let class = unsafe { at(block.expose_provenance() - HEADER).read() };
        if class & MAPPED != 0 { (class & !MAPPED) - PAGE } else { size_of_class(class) - HEADER }
    }
}

#[cold]
fn grow(needed: usize) -> bool {
    // SAFETY: the state is there.
    unsafe {
        let end = (*state()).end;
        let wanted = needed.next_multiple_of(STEP).max(end + STEP);
        if wanted > LIMIT || map(end, wanted, None).is_err() {
            return false;
        }
        (*state()).end = wanted;
        true
    }
}

/// One page before the content, whose last word is the header.
#[cold]
fn allocate_mapping(size: usize) -> *mut u8 {
    let Some(whole) = size.checked_next_multiple_of(PAGE).and_then(|size| size.checked_add(PAGE)) else {
        return ptr::null_mut();
    };
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, of which the first page is ours.
    unsafe {
        let place = libc::mmap(ptr::null_mut(), whole, protection, flags, -1, 0);
        if place == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        let block = place.cast::<u8>().add(PAGE);
        block.cast::<usize>().sub(1).write(whole | MAPPED);
        let _ = block.expose_provenance();
        block
    }
}

/// # Safety
/// `block` must come from `allocate_mapping`, with this size of the mapping.
#[cold]
unsafe fn release_mapping(block: *mut u8, whole: usize) {
    // SAFETY: as the caller says.
    unsafe { libc::munmap(block.sub(PAGE).cast(), whole) };
}

// SAFETY: blocks are aligned to 16; for more, room is asked for and the block is never given back (nobody does that here).
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGN {
            return Heap::allocate(layout.size());
        }
        let block = Heap::allocate(layout.size() + layout.align());
        if block.is_null() { block } else { block.wrapping_add(block.align_offset(layout.align())) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() <= ALIGN {
            // SAFETY: the caller's promise: it comes from `alloc`.
            unsafe { Heap::release(block) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGN {
            // SAFETY: the caller's promise: it comes from `alloc`.
            return unsafe { Heap::reallocate(block, size) };
        }
        // SAFETY: the caller's promise; both blocks have at least the bytes that are copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_is_asked_of_them() {
        let mut before = 0;
        for size in 1..=LARGEST {
            let (class, whole) = class_of(size);
            assert!(whole >= size && whole % ALIGN == 0 && class < CLASSES, "{size}: {class}, {whole}");
            assert!(whole <= size.max(ALIGN) * 5 / 4 + ALIGN, "{size} wastes too much: {whole}");
            assert_eq!(size_of_class(class), whole);
            assert!(class == before || class == before + 1);
            before = class;
        }
        assert_eq!(before, CLASSES - 1);
    }

    /// One test, since there is one heap in a process.
    #[test]
    fn a_heap_survives_being_frozen() {
        begin().unwrap();
        // SAFETY: this test alone uses the heap, and each block as long as it has it.
        unsafe {
            let words = Heap::allocate(100);
            assert_eq!(words.addr() % ALIGN, 0);
            words.write_bytes(7, 100);
            let moved = Heap::reallocate(words, 5000);
            assert_ne!(moved, words);
            assert_eq!(core::slice::from_raw_parts(moved, 100), [7; 100]);
            assert_eq!(Heap::allocate(100), words, "what was given back is used again");
            let large = Heap::allocate(LARGEST + 1);
            assert!(Heap::usable_size(large) > LARGEST && !(BASE..LIMIT).contains(&large.addr()));
            large.write_bytes(1, LARGEST + 1);
            Heap::release(large);
            assert!(Heap::allocate(usize::MAX).is_null());
            let many: Vec<*mut u8> = (0..40).map(|_| Heap::allocate(100_000)).collect();
            assert!(many.iter().all(|block| !block.is_null()), "it grows over several steps");

            let name = std::env::temp_dir().join(format!("teu-heap-{}", std::process::id()));
            std::fs::write(&name, freeze(moved.addr())).unwrap();
            let length = (*state()).end - BASE;
            assert_eq!(libc::munmap(state().cast(), length), 0);
            let file = std::fs::File::open(&name).unwrap();
            let size = file.metadata().unwrap().len();
            let root = thaw(std::os::fd::AsFd::as_fd(&file), 0, size as usize).unwrap();
            populate(size as usize);
            std::fs::remove_file(&name).unwrap();
            assert_eq!(core::slice::from_raw_parts(at(root).cast::<u8>(), 100), [7; 100]);
            let new = Heap::allocate(100);
            assert!(new.addr() >= BASE + size as usize - PAGE, "not among what was frozen");
        }
    }
}
