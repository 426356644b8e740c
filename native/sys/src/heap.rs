//! The heap of the C library, made ready in two calls instead of in dozens of small steps.

use std::ptr;

/// What the heap grows by at least: address space, of which only what is touched becomes memory.
const STEP: i32 = 1 << 20;

/// Has the heap grow in large steps. To be called before anything is allocated.
pub fn grow_in_large_steps() {
    // SAFETY: only sets numbers in the C library. When it refuses, the heap grows in small steps: slower, nothing else.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, STEP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * STEP);
    }
}

/// Gives memory to the next `size` bytes of the heap at once, because they are about to be used: each page on its own would cost a
/// page fault. At most one step; before Linux 5.14 nothing happens.
pub fn populate(size: usize) {
    const PAGE: usize = 4096;
    // Below what becomes a mapping of its own; two are more than the heap's first piece, so that it grows now.
    const PROBE: usize = 120 << 10;
    // SAFETY: the blocks are only asked for to learn where the heap's unused part begins, and given back. Populating changes no
    // content, and the range lies between that place and the heap's end.
    unsafe {
        // Opaque, or the compiler would see that nobody uses the memory and not ask for it.
        let probes = std::hint::black_box([libc::malloc(PROBE), libc::malloc(PROBE)]);
        let start = probes[0].addr().next_multiple_of(PAGE);
        let end = libc::sbrk(0).addr().min(start.saturating_add(size)) / PAGE * PAGE;
        for probe in probes {
            libc::free(probe);
        }
        if probes.iter().any(|probe| probe.is_null()) {
            return;
        }
        if start < end {
            let place = ptr::with_exposed_provenance_mut(start);
            let _ = libc::madvise(place, end - start, libc::MADV_POPULATE_WRITE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn populate_changes_no_content() {
        grow_in_large_steps();
        let before = vec![7u8; 10_000];
        populate(64 << 10);
        populate(usize::MAX);
        assert!(before.iter().all(|byte| *byte == 7));
        assert_eq!(vec![1u8; 200_000].len(), 200_000);
    }
}
