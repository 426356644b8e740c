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
const STAR_TRAILER = 508;
const SPACE = 0x20;
const ZERO = 0x30;

/** Whether the block is all zeros: half of an end marker. */
export function isZeroBlock(block: Buffer): boolean {
  // The first byte of a name is never NUL, so this is nearly always one comparison.
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** Decodes a block. @throws HeaderFault. */
export function decodeHeader(block: Buffer): RawHeader {
  verifyChecksum(block);
  const ustar = block[MAGIC] === 0x75 && block.toString("latin1", MAGIC, MAGIC + 5) === "ustar";
  const gnu = ustar && block[MAGIC + 5] === SPACE;
  let name = textField(block, FIELD.name);
  if (ustar && !gnu) {
    const star = block[STAR_TRAILER] === 0x74 && block.toString("latin1", STAR_TRAILER, BLOCK) === "tar\0";
    const prefix = textField(block, star ? FIELD.starPrefix : FIELD.prefix);
    if (prefix !== "") name = `${prefix}/${name}`;
  }
  return {
    flag: block[FLAG] as number,
    name,
    linkName: block[FIELD.linkName[0]] === 0 ? "" : textField(block, FIELD.linkName),
    size: unsignedField(block, "size"),
    mode: unsignedField(block, "mode"),
    uid: unsignedField(block, "uid"),
    gid: unsignedField(block, "gid"),
    userName: ustar ? textField(block, FIELD.userName) : "",
    groupName: ustar ? textField(block, FIELD.groupName) : "",
    mtime: numberField(block, "mtime"),
    devMajor: ustar ? unsignedField(block, "devMajor") : 0,
    devMinor: ustar ? unsignedField(block, "devMinor") : 0,
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

/** Text up to the first NUL. */
export function textField(block: Buffer, [offset, length]: readonly [number, number]): string {
  let end = offset;
  let high = 0;
  for (const last = offset + length; end < last; end++) {
    const byte = block[end] as number;
    if (byte === 0) break;
    high |= byte;
  }
  return high < 0x80 ? block.toString("latin1", offset, end) : fileNameFromBytes(block.subarray(offset, end));
}

function verifyChecksum(block: Buffer): void {
  const [at, length] = FIELD.checksum;
  const wanted = checksumField(block, at, length);
  let sum = 8 * SPACE;
  let high = 0;
  for (let i = 0; i < at; i++) sum += block[i] as number;
  for (let i = at + length; i < BLOCK; i++) sum += block[i] as number;
  if (wanted === sum) return;
  // Some old writers summed signed characters.
  for (let i = 0; i < BLOCK; i++) if ((i < at || i >= at + length) && (block[i] as number) >= 0x80) high++;
  if (wanted !== sum - 0x100 * high) throw new HeaderFault("header checksum is wrong");
}

function checksumField(block: Buffer, at: number, length: number): number {
  try {
    return octal(block, at, length);
  } catch (error) {
    // Not even a number: most likely this is no tar at all.
    throw error instanceof HeaderFault ? new HeaderFault("header checksum is wrong") : error;
  }
}

function unsignedField(block: Buffer, name: "size" | "mode" | "uid" | "gid" | "devMajor" | "devMinor"): number {
  const value = numberField(block, name);
  if (value < 0) throw new HeaderFault(`${name} is negative`);
  return value;
}

function numberField(block: Buffer, name: keyof typeof FIELD): number {
  const [offset, length] = FIELD[name];
  try {
    return decodeNumber(block, offset, length);
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
