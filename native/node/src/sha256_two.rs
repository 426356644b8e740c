//! The blocks of two SHA-256 streams side by side: with the SHA instructions of x86 (Zen, Ice Lake and later), one after the other elsewhere.

use sha2::block_api::compress256;

use crate::sha256::BLOCK;

/// Hashes as many blocks of each. Both have the same count.
pub fn compress_two(states: [&mut [u32; 8]; 2], blocks: &[[u8; BLOCK]], others: &[[u8; BLOCK]]) {
    debug_assert_eq!(blocks.len(), others.len());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { x86::compress_two(states, blocks, others) };
    }
    let [one, two] = states;
    compress256(one, blocks);
    compress256(two, others);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::BLOCK;

    /// FIPS 180-4, 4.2.2: four to a register.
    #[rustfmt::skip]
    const ROUND_CONSTANTS: [[u32; 4]; 16] = [
        [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5], [0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
        [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3], [0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
        [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc], [0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
        [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7], [0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
        [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13], [0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
        [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3], [0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
        [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5], [0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
        [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208], [0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
    ];

    /// One stream. The instructions want the eight words of the state as a, b, e, f and c, d, g, h, the first one highest.
    #[derive(Clone, Copy)]
    struct Lane {
        abef: __m128i,
        cdgh: __m128i,
        /// The last sixteen words of the message schedule.
        words: [__m128i; 4],
    }

    impl Lane {
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn new(state: &[u32; 8]) -> Self {
            let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
            let words = [_mm_setzero_si128(); 4];
            Lane { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h), words }
        }

        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn state(self) -> [u32; 8] {
            let [f, e, b, a] = words_of(self.abef);
            let [h, g, d, c] = words_of(self.cdgh);
            [a, b, c, d, e, f, g, h]
        }

        /// Four words from the message, or from those before: FIPS 180-4, 6.2.2, step 1. Returns what goes into four rounds.
        #[inline]
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn schedule<const GROUP: usize>(&mut self, block: &[u8; BLOCK]) -> __m128i {
            let at = GROUP % 4;
            self.words[at] = if GROUP < 4 {
                let big_endian = _mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203);
                // SAFETY: 16 bytes from a multiple of 16 below 64 on; no alignment is asked for.
                let bytes = unsafe { _mm_loadu_si128(block.as_ptr().add(16 * at).cast()) };
                _mm_shuffle_epi8(bytes, big_endian)
            } else {
                let [oldest, older, newer, newest] = [0, 1, 2, 3].map(|one| self.words[(GROUP + one) % 4]);
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(oldest, older), _mm_alignr_epi8(newest, newer, 4));
                _mm_sha256msg2_epu32(sum, newest)
            };
            let [k0, k1, k2, k3] = ROUND_CONSTANTS[GROUP].map(u32::cast_signed);
            _mm_add_epi32(self.words[at], _mm_set_epi32(k3, k2, k1, k0))
        }
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn words_of(register: __m128i) -> [u32; 4] {
        let mut words = [0; 4];
        // SAFETY: 16 bytes, no alignment is asked for.
        unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), register) };
        words
    }

    /// Of each stream, in turns: neither waits for its own last result only.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn four_rounds<const GROUP: usize>(one: &mut Lane, two: &mut Lane, block: &[u8; BLOCK], other: &[u8; BLOCK]) {
        let sum = one.schedule::<GROUP>(block);
        let other_sum = two.schedule::<GROUP>(other);
        one.cdgh = _mm_sha256rnds2_epu32(one.cdgh, one.abef, sum);
        two.cdgh = _mm_sha256rnds2_epu32(two.cdgh, two.abef, other_sum);
        one.abef = _mm_sha256rnds2_epu32(one.abef, one.cdgh, _mm_shuffle_epi32(sum, 0x0e));
        two.abef = _mm_sha256rnds2_epu32(two.abef, two.cdgh, _mm_shuffle_epi32(other_sum, 0x0e));
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub fn compress_two(states: [&mut [u32; 8]; 2], blocks: &[[u8; BLOCK]], others: &[[u8; BLOCK]]) {
        let [first, second] = states;
        let (mut one, mut two) = (Lane::new(first), Lane::new(second));
        for (block, other) in blocks.iter().zip(others) {
            let (one_before, two_before) = (one, two);
            // One after the other and not in a loop: all indices are constants, and the words stay in registers.
            four_rounds::<0>(&mut one, &mut two, block, other);
            four_rounds::<1>(&mut one, &mut two, block, other);
            four_rounds::<2>(&mut one, &mut two, block, other);
            four_rounds::<3>(&mut one, &mut two, block, other);
            four_rounds::<4>(&mut one, &mut two, block, other);
            four_rounds::<5>(&mut one, &mut two, block, other);
            four_rounds::<6>(&mut one, &mut two, block, other);
            four_rounds::<7>(&mut one, &mut two, block, other);
            four_rounds::<8>(&mut one, &mut two, block, other);
            four_rounds::<9>(&mut one, &mut two, block, other);
            four_rounds::<10>(&mut one, &mut two, block, other);
            four_rounds::<11>(&mut one, &mut two, block, other);
            four_rounds::<12>(&mut one, &mut two, block, other);
            four_rounds::<13>(&mut one, &mut two, block, other);
            four_rounds::<14>(&mut one, &mut two, block, other);
            four_rounds::<15>(&mut one, &mut two, block, other);
            one.abef = _mm_add_epi32(one.abef, one_before.abef);
            one.cdgh = _mm_add_epi32(one.cdgh, one_before.cdgh);
            two.abef = _mm_add_epi32(two.abef, two_before.abef);
            two.cdgh = _mm_add_epi32(two.cdgh, two_before.cdgh);
        }
        *first = one.state();
        *second = two.state();
    }
}
