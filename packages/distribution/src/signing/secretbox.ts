// NaCl's secretbox, XSalsa20-Poly1305: what cosign and skopeo encrypt private keys with. OpenSSL has neither Salsa20 nor a bare
// Poly1305. Keys are a few hundred bytes, so this is written to be read; it is compared with published vectors.

import { timingSafeEqual } from "node:crypto";

const KEY_LENGTH = 32;
const NONCE_LENGTH = 24;
const TAG_LENGTH = 16;
/** "expand 32-byte k". */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;
/** The quarter rounds of a double round, first its columns, then its rows. */
const QUARTERS = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

/** Tag and encrypted message. */
export function sealSecretbox(message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  const { tagKey, pad } = padFor(message.length, nonce, key);
  const sealed = xor(message, pad);
  return Buffer.concat([poly1305(sealed, tagKey), sealed]);
}

/** The message; null when it was not sealed with this key and nonce. */
export function openSecretbox(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | null {
  if (box.length < TAG_LENGTH) return null;
  const sealed = box.subarray(TAG_LENGTH);
  const { tagKey, pad } = padFor(sealed.length, nonce, key);
  return timingSafeEqual(poly1305(sealed, tagKey), box.subarray(0, TAG_LENGTH)) ? xor(sealed, pad) : null;
}

/** Whether the lengths are those of NaCl. */
export function fitsSecretbox(nonce: Uint8Array, key: Uint8Array): boolean {
  return nonce.length === NONCE_LENGTH && key.length === KEY_LENGTH;
}

function padFor(length: number, nonce: Uint8Array, key: Uint8Array): { tagKey: Uint8Array; pad: Uint8Array } {
  const subkey = hsalsa20(words(key), words(nonce.subarray(0, 16)));
  const rest = words(nonce.subarray(16));
  const stream = new Uint8Array(Math.ceil((length + KEY_LENGTH) / 64) * 64);
  for (let block = 0; block * 64 < stream.length; block++) {
    const input = state(subkey, [rest[0] ?? 0, rest[1] ?? 0, block, 0]);
    const mixed = rounds(input);
    stream.set(bytes(mixed.map((word, i) => (word + (input[i] ?? 0)) >>> 0)), block * 64);
  }
  return { tagKey: stream.subarray(0, KEY_LENGTH), pad: stream.subarray(KEY_LENGTH, KEY_LENGTH + length) };
}

function hsalsa20(key: Uint32Array, input: Uint32Array): Uint32Array {
  const mixed = rounds(state(key, [...input]));
  return Uint32Array.from([0, 5, 10, 15, 6, 7, 8, 9], (at) => mixed[at] ?? 0);
}

function state(key: Uint32Array, input: readonly number[]): Uint32Array {
  const [a, b, c, d] = SIGMA;
  return Uint32Array.from([a, ...key.subarray(0, 4), b, ...input, c, ...key.subarray(4), d]);
}

function rounds(input: Uint32Array): Uint32Array {
  const x = Uint32Array.from(input);
  const add = (to: number, one: number, other: number, turn: number): void => {
    const sum = ((x[one] ?? 0) + (x[other] ?? 0)) >>> 0;
    x[to] = (x[to] ?? 0) ^ ((sum << turn) | (sum >>> (32 - turn)));
  };
  for (let double = 0; double < 10; double++) {
    for (const [a, b, c, d] of QUARTERS) {
      add(b, a, d, 7);
      add(c, b, a, 9);
      add(d, c, b, 13);
      add(a, d, c, 18);
    }
  }
  return x;
}

function poly1305(message: Uint8Array, key: Uint8Array): Uint8Array {
  const prime = (1n << 130n) - 5n;
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + number(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  let tag = (sum + number(key.subarray(16))) & ((1n << 128n) - 1n);
  return Uint8Array.from({ length: TAG_LENGTH }, () => {
    const byte = Number(tag & 0xffn);
    tag >>= 8n;
    return byte;
  });
}

function number(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function words(littleEndian: Uint8Array): Uint32Array {
  const view = new DataView(littleEndian.buffer, littleEndian.byteOffset, littleEndian.byteLength);
  return Uint32Array.from({ length: littleEndian.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function bytes(from: Uint32Array): Uint8Array {
  const out = new Uint8Array(4 * from.length);
  const view = new DataView(out.buffer);
  from.forEach((word, i) => view.setUint32(4 * i, word, true));
  return out;
}

function xor(one: Uint8Array, other: Uint8Array): Uint8Array {
  return one.map((byte, i) => byte ^ (other[i] ?? 0));
}
