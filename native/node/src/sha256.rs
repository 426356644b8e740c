//! SHA-256 of one stream, and of two at once: the processor's instructions for it wait for each other, half of the time at least, which
//! a second stream has use for. Two streams cost two thirds of what they cost one after the other (`sha256_two.rs`), where no other program has that time.

use sha2::block_api::compress256;

use crate::sha256_two::compress_two;

/// Bytes that are hashed at once.
pub const BLOCK: usize = 64;
/// FIPS 180-4, 5.3.3.
const START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
/// Of the length at the end of the last block.
const LENGTH: usize = 8;

/// A digest being computed.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// Bytes that were taken. Those behind the last whole block are in `rest`.
    length: u64,
    rest: [u8; BLOCK],
}

impl Sha256 {
    pub fn new() -> Self {
        Sha256 { state: START, length: 0, rest: [0; BLOCK] }
    }

    pub fn update(&mut self, data: &[u8]) {
        let (blocks, rest) = self.fill_block(data).as_chunks();
        compress256(&mut self.state, blocks);
        self.keep(blocks.len(), rest);
    }

    /// FIPS 180-4, 5.1.1: a one bit, zeros, and the length in bits.
    pub fn digest(&self) -> [u8; 32] {
        let mut last = self.clone();
        let bits = self.length.wrapping_mul(8);
        let have = self.rest_length();
        let zeros = (2 * BLOCK - have - 1 - LENGTH) % BLOCK;
        let mut end = [0; 2 * BLOCK];
        end[0] = 0x80;
        end[1 + zeros..][..LENGTH].copy_from_slice(&bits.to_be_bytes());
        last.update(&end[..1 + zeros + LENGTH]);
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(last.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        digest
    }

    fn rest_length(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Makes the block whole that was begun, as far as `data` goes; returns what is left of it.
    fn fill_block<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let have = self.rest_length();
        if have == 0 {
            return data;
        }
        let (taken, left) = data.split_at(data.len().min(BLOCK - have));
        self.rest[have..][..taken.len()].copy_from_slice(taken);
        self.length += taken.len() as u64;
        if self.rest_length() == 0 {
            compress256(&mut self.state, &[self.rest]);
        }
        left
    }

    /// Behind `blocks` that were hashed.
    fn keep(&mut self, blocks: usize, rest: &[u8]) {
        self.length += (blocks * BLOCK) as u64;
        // None, or the block that was begun is whole: there is room.
        let have = self.rest_length();
        self.rest[have..][..rest.len()].copy_from_slice(rest);
        self.length += rest.len() as u64;
    }
}

/// `one.update(data)` and `two.update(other)`.
pub fn update_two(one: &mut Sha256, data: &[u8], two: &mut Sha256, other: &[u8]) {
    let (blocks, rest) = one.fill_block(data).as_chunks();
    let (others, other_rest) = two.fill_block(other).as_chunks();
    let both = blocks.len().min(others.len());
    compress_two([&mut one.state, &mut two.state], &blocks[..both], &others[..both]);
    compress256(&mut one.state, &blocks[both..]);
    compress256(&mut two.state, &others[both..]);
    one.keep(blocks.len(), rest);
    two.keep(others.len(), other_rest);
}
