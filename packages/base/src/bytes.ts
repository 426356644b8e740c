// Byte primitives that both sides need: hex, concatenation, comparison, sizes as people write them.
// portable: no host types here.

import { TeuError } from "./errors.ts";

/** One array holding all the others in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Same length and content. Not constant time: not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += byte.toString(16).padStart(2, "0");
  return out;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The bytes of standard base64 with its padding (RFC 4648, section 4); null when it is none. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const digits = text.replace(/=+$/, "");
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    bits = ((bits << 6) | BASE64.indexOf(digit)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[at++] = (bits >> held) & 0xff;
  }
  return out;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/**
 * A size as Docker's flags take it: "64m", "1.5GiB", "100", "2kb"; 1024-based. Returns whole bytes.
 * @throws TeuError `invalid` for anything else, negative or beyond 2^53.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgtp])?(?:i?b)?$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? "b").toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.trunc(Number(match[1]) * unit);
  if (!Number.isSafeInteger(bytes)) {
    throw new TeuError({
      code: "invalid",
      op: "read size",
      subject: text,
      message: 'want a number with an optional unit, as in "64m" or "1.5g"',
    });
  }
  return bytes;
}

/** A byte count for people, decimal units as Docker prints them: "1.23MB". */
export function formatSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 ? String(value) : String(Number(value.toPrecision(3)));
  return `${digits}${units[unit]}`;
}
