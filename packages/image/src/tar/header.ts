// The 512-byte header block: decoding its fields in the dialects that occur (POSIX ustar, GNU, star, V7).
// Extension records (PAX, GNU long names, sparse maps) are the reader's business.

import { fileNameFromBytes } from "@teu/files/file-name";

import { BLOCK } from "./entry.ts";

/** The fields of a block, as far as the block itself has them. */
export interface RawHeader {
  /** The type flag as a byte; NUL for V7's ordinary file. */
  readonly flag: number;
  readonly name: string;
  readonly linkName: string;
  /** Bytes of data that follow. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Whole seconds. */
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly gnu: boolean;
}

/** What is wrong with a header; the reader adds the offset. */
export class HeaderFault extends Error {}

const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  linkName: [157, 100],
  userName: [265, 32],
  groupName: [297, 32],
  devMajor: [329, 8],
  devMinor: [337, 8],
  prefix: [345, 155],
  starPrefix: [345, 131],
} as const;
const FLAG = 156;
const MAGIC = 257;
const USTAR = Buffer.from("ustar");
const STAR_TRAILER = 508;
const STAR = Buffer.from("tar\0");
const SPACE = 0x20;
const ZERO = 0x30;

/** Whether the block at `at` is all zeros: half of an end marker. */
export function isZeroBlock(buffer: Buffer, at: number): boolean {
  // The first byte of a name is never NUL, so this is nearly always one comparison.
  for (let i = at; i < at + BLOCK; i++) if (buffer[i] !== 0) return false;
  return true;
}

/** Decodes the block at `at`. A view of its own for each block would be more work than many of the fields. @throws HeaderFault. */
export function decodeHeader(buffer: Buffer, at: number): RawHeader {
  verifyChecksum(buffer, at);
  const ustar = hasText(buffer, at + MAGIC, USTAR);
  const gnu = ustar && buffer[at + MAGIC + USTAR.length] === SPACE;
  let name = textField(buffer, FIELD.name, at);
  if (ustar && !gnu) {
    const star = hasText(buffer, at + STAR_TRAILER, STAR);
    const prefix = textField(buffer, star ? FIELD.starPrefix : FIELD.prefix, at);
    if (prefix !== "") name = `${prefix}/${name}`;
  }
  return {
    flag: buffer[at + FLAG] as number,
    name,
    linkName: textField(buffer, FIELD.linkName, at),
    size: unsignedField(buffer, "size", at),
    mode: unsignedField(buffer, "mode", at),
    uid: unsignedField(buffer, "uid", at),
    gid: unsignedField(buffer, "gid", at),
    userName: ustar ? textField(buffer, FIELD.userName, at) : "",
    groupName: ustar ? textField(buffer, FIELD.groupName, at) : "",
    mtime: numberField(buffer, "mtime", at),
    devMajor: ustar ? unsignedField(buffer, "devMajor", at) : 0,
    devMinor: ustar ? unsignedField(buffer, "devMinor", at) : 0,
    gnu,
  };
}

/** Old GNU sparse map: where its pieces are in the header ("S") and in its extension blocks. */
export const GNU_SPARSE = {
  inHeader: { at: 386, entries: 4, extended: 482 },
  inExtension: { at: 0, entries: 21, extended: 504 },
  realSize: [483, 12],
} as const;

/** A number at [offset, length]: octal text, or base 256 when the first bit is set. @throws HeaderFault. */
export function decodeNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] as number;
  return (first & 0x80) === 0 ? octal(block, offset, length) : base256(block, offset, length);
}

/** Text up to the first NUL, of a field whose place is counted from `base`. */
export function textField(buffer: Buffer, [offset, length]: readonly [number, number], base: number = 0): string {
  const begin = base + offset;
  let end = begin;
  let high = 0;
  for (const last = begin + length; end < last; end++) {
    const byte = buffer[end] as number;
    if (byte === 0) break;
    high |= byte;
  }
  if (end === begin) return "";
  return high < 0x80 ? buffer.toString("latin1", begin, end) : fileNameFromBytes(buffer.subarray(begin, end));
}

function hasText(buffer: Buffer, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (buffer[at + i] !== text[i]) return false;
  return true;
}

function verifyChecksum(buffer: Buffer, base: number): void {
  const [offset, length] = FIELD.checksum;
  const wanted = checksumField(buffer, base + offset, length);
  let sum = sumOf(buffer, base, base + BLOCK) + length * SPACE - sumOf(buffer, base + offset, base + offset + length);
  if (wanted === sum) return;
  // Some old writers summed signed characters.
  for (let i = 0; i < BLOCK; i++) {
    if ((i < offset || i >= offset + length) && (buffer[base + i] as number) >= 0x80) sum -= 0x100;
  }
  if (wanted !== sum) throw new HeaderFault("header checksum is wrong");
}

function sumOf(buffer: Buffer, begin: number, end: number): number {
  let sum = 0;
  for (let i = begin; i < end; i++) sum += buffer[i] as number;
  return sum;
}

function checksumField(buffer: Buffer, at: number, length: number): number {
  try {
    return octal(buffer, at, length);
  } catch (error) {
    // Not even a number: most likely this is no tar at all.
    throw error instanceof HeaderFault ? new HeaderFault("header checksum is wrong") : error;
  }
}

function unsignedField(
  buffer: Buffer,
  name: "size" | "mode" | "uid" | "gid" | "devMajor" | "devMinor",
  base: number,
): number {
  const value = numberField(buffer, name, base);
  if (value < 0) throw new HeaderFault(`${name} is negative`);
  return value;
}

function numberField(buffer: Buffer, name: keyof typeof FIELD, base: number): number {
  const [offset, length] = FIELD[name];
  try {
    return decodeNumber(buffer, base + offset, length);
  } catch (error) {
    throw error instanceof HeaderFault ? new HeaderFault(`${name} ${error.message}`) : error;
  }
}

function octal(block: Buffer, offset: number, length: number): number {
  const end = offset + length;
  let at = offset;
  while (at < end && block[at] === SPACE) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] as number) - ZERO;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  while (at < end && block[at] === SPACE) at++;
  // What follows a NUL is nobody's business.
  if (at < end && block[at] !== 0) throw new HeaderFault("is not an octal number");
  if (!Number.isSafeInteger(value)) throw new HeaderFault("is beyond 2^53");
  return value;
}

/** GNU's extension for what octal cannot hold: two's complement, big endian, the first bit as mark. */
function base256(block: Buffer, offset: number, length: number): number {
  const first = block[offset] as number;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? (first & 0x3f) - 0x40 : first & 0x3f);
  for (let i = offset + 1; i < offset + length; i++) value = (value << 8n) | BigInt(block[i] as number);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new HeaderFault("is beyond 2^53");
  return number;
}
