// UTF-8 in both directions for code that runs where TextEncoder does not exist. Strict: what is not UTF-8 is refused.
// Meant for documents; bulk data never passes here.
// portable: no host types here.

import { TeuError } from "./errors.ts";

/**
 * Text of `bytes`, a byte order mark included as the character it is.
 * @throws TeuError `invalid` with the offset of the first byte that is not UTF-8 (overlong forms and surrogates included).
 */
export function decodeUtf8(bytes: Uint8Array, op = "read text"): string {
  const parts: string[] = [];
  let units: number[] = [];
  let i = 0;
  while (i < bytes.length) {
    const first = bytes[i] ?? 0;
    if (first < 0x80) {
      units.push(first);
      i++;
    } else {
      const length = sequenceLength(bytes, i);
      if (length === 0) throw new TeuError({ code: "invalid", op, message: `not UTF-8 at byte ${i}` });
      let point = first & (0xff >> (length + 1));
      for (let j = 1; j < length; j++) point = (point << 6) | ((bytes[i + j] ?? 0) & 0x3f);
      if (point < 0x10000) units.push(point);
      else units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
      i += length;
    }
    // A call takes a limited number of arguments.
    if (units.length > 4000) {
      parts.push(String.fromCharCode(...units));
      units = [];
    }
  }
  parts.push(String.fromCharCode(...units));
  return parts.join("");
}

/** Bytes of `text`; a lone surrogate becomes U+FFFD as everywhere on the web. */
export function encodeUtf8(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 3);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let point = text.codePointAt(i) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) {
      out[length++] = point;
    } else if (point < 0x800) {
      out[length++] = 0xc0 | (point >> 6);
      out[length++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      out[length++] = 0xe0 | (point >> 12);
      out[length++] = 0x80 | ((point >> 6) & 0x3f);
      out[length++] = 0x80 | (point & 0x3f);
    } else {
      out[length++] = 0xf0 | (point >> 18);
      out[length++] = 0x80 | ((point >> 12) & 0x3f);
      out[length++] = 0x80 | ((point >> 6) & 0x3f);
      out[length++] = 0x80 | (point & 0x3f);
      i++;
    }
  }
  return out.slice(0, length);
}

// Length of the well-formed sequence at `at` (Unicode 15, table 3-7), or 0.
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
