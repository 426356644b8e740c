//! memcpy and memmove for x86_64: musl's begin a string instruction for every copy, which for the few bytes that an interpreter copies
//! at a time takes longer than the copy.

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_storeu_si128};

    /// Copies `N` blocks of `T` from the front and `N` from the back, which may overlap: all of `size` bytes, if that is between N and 2N
    /// blocks. All are read before one is written. Without a loop: the compiler would make a call of memcpy of it.
    macro_rules! ends {
        ($to:ident, $from:ident, $size:ident, $block:ty, $load:expr, $store:expr, $($index:literal)*) => {{
            const WIDTH: usize = size_of::<$block>();
            let front = [$($load($from.add($index * WIDTH))),*];
            let back = [$($load($from.add($size - ($index + 1) * WIDTH))),*];
            $($store($to.add($index * WIDTH), front[$index]);)*
            $($store($to.add($size - ($index + 1) * WIDTH), back[$index]);)*
        }};
    }

    unsafe fn load<T: Copy>(from: *const u8) -> T {
        // SAFETY: the caller's: there are that many bytes.
        unsafe { from.cast::<T>().read_unaligned() }
    }

    unsafe fn store<T>(to: *mut u8, value: T) {
        // SAFETY: the caller's: there are that many bytes.
        unsafe { to.cast::<T>().write_unaligned(value) }
    }

    unsafe fn load16(from: *const u8) -> __m128i {
        // SAFETY: the caller's: there are that many bytes.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    unsafe fn store16(to: *mut u8, value: __m128i) {
        // SAFETY: the caller's: there are that many bytes.
        unsafe { _mm_storeu_si128(to.cast(), value) }
    }

    /// # Safety
    /// As for memcpy(3).
    // SAFETY: the name is the C library's for this very function.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
        // SAFETY: as the caller says; each case reads and writes within `size` bytes.
        unsafe {
            match size {
                0 => {}
                1 => *to = *from,
                2..=3 => ends!(to, from, size, u16, load::<u16>, store, 0),
                4..=7 => ends!(to, from, size, u32, load::<u32>, store, 0),
                8..=16 => ends!(to, from, size, u64, load::<u64>, store, 0),
                17..=32 => ends!(to, from, size, __m128i, load16, store16, 0),
                33..=64 => ends!(to, from, size, __m128i, load16, store16, 0 1),
                65..=128 => ends!(to, from, size, __m128i, load16, store16, 0 1 2 3),
                129..=256 => ends!(to, from, size, __m128i, load16, store16, 0 1 2 3 4 5 6 7),
                _ => core::arch::asm!(
                    "rep movsb",
                    inout("rcx") size => _,
                    inout("rdi") to => _,
                    inout("rsi") from => _,
                    options(nostack, preserves_flags),
                ),
            }
        }
        to
    }

    /// # Safety
    /// As for memmove(3).
    // SAFETY: the name is the C library's for this very function.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
        // SAFETY: as the caller says. Up to 256 bytes memcpy reads all before it writes; beyond, it goes upwards byte by byte, which is right unless the
        // target begins inside of the source: then this goes downwards.
        unsafe {
            if size <= 256 || to.addr().wrapping_sub(from.addr()) >= size {
                return memcpy(to, from, size);
            }
            core::arch::asm!(
                "std",
                "rep movsb",
                "cld",
                inout("rcx") size => _,
                inout("rdi") to.add(size - 1) => _,
                inout("rsi") from.add(size - 1) => _,
                options(nostack),
            );
        }
        to
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn memmove_copies_what_overlaps() {
            let before: Vec<u8> = (0..2000u32).map(|number| (number * 7 + 1) as u8).collect();
            for size in [0, 1, 3, 9, 17, 40, 100, 200, 257, 300, 900] {
                for shift in [0, 1, 3, 15, 16, 100, 299] {
                    for (to, from) in [(500 + shift, 500), (500, 500 + shift)] {
                        let mut moved = before.clone();
                        let start = moved.as_mut_ptr();
                        // SAFETY: all within the vector.
                        unsafe { super::memmove(start.add(to), start.add(from).cast_const(), size) };
                        let mut wanted = before.clone();
                        wanted[to..to + size].clone_from_slice(&before[from..from + size]);
                        assert_eq!(moved, wanted, "{size} bytes from {from} to {to}");
                    }
                }
            }
        }

        #[test]
        fn memcpy_copies_every_size_and_nothing_else() {
            let from: Vec<u8> = (0..1000u32).map(|number| (number * 7 + 1) as u8).collect();
            for size in 0..600 {
                for shift in [0, 1, 5, 8] {
                    let mut to = vec![0xaau8; 700];
                    // SAFETY: both are longer.
                    let answer = unsafe { super::memcpy(to[16 + shift..].as_mut_ptr(), from[shift..].as_ptr(), size) };
                    assert_eq!(answer, to[16 + shift..].as_mut_ptr());
                    assert_eq!(to[16 + shift..16 + shift + size], from[shift..shift + size], "{size}");
                    assert!(
                        to[..16 + shift].iter().chain(&to[16 + shift + size..]).all(|byte| *byte == 0xaa),
                        "{size}"
                    );
                }
            }
        }
    }
}
