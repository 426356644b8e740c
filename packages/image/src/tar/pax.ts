// PAX extended headers (POSIX pax, "ustar interchange format extended header"): decoding and encoding of records.
// Keys are text; values are bytes, since extended attributes are.

import { fileNameFromBytes, fileNameToBytes } from "@teu/files/file-name";

import type { SparseSegment } from "./entry.ts";
import { HeaderFault } from "./header.ts";

/** Prefix of extended attributes, as star, GNU tar and Go write them. */
const XATTR = "SCHILY.xattr.";

/** What extension records say about the next entry; what is absent was not said. */
export interface PaxRecords {
  path?: string;
  linkPath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  userName?: string;
  groupName?: string;
  mtimeNs?: bigint;
  xattrs?: Map<string, Uint8Array>;
  sparse?: PaxSparse;
}

/** GNU's sparse files in PAX clothes, formats 0.0, 0.1 and 1.0. */
export interface PaxSparse {
  /** Format 1.0: the map is at the beginning of the data. */
  mapInData: boolean;
  name?: string;
  realSize?: number;
  segments: SparseSegment[];
  /** Format 0.0: an offset whose length has not come yet. */
  pendingOffset?: number;
}

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const SPACE = 0x20;

/** Decodes the content of one "x" header. @throws HeaderFault. */
export function decodePax(content: Buffer): PaxRecords {
  const records: PaxRecords = {};
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(SPACE, at);
    const digits = space < 0 ? "" : content.toString("latin1", at, Math.min(space, at + 20));
    const length = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > content.length || content[end - 1] !== NEWLINE) {
      throw new HeaderFault("PAX record has a wrong length");
    }
    const equals = content.indexOf(EQUALS, space);
    if (equals < 0 || equals >= end) throw new HeaderFault('PAX record has no "="');
    const key = content.toString("latin1", space + 1, equals);
    takeRecord(records, key, content.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

function takeRecord(records: PaxRecords, key: string, value: Buffer): void {
  switch (key) {
    case "path":
      return setOrDelete(records, "path", nameValue(key, value));
    case "linkpath":
      return setOrDelete(records, "linkPath", nameValue(key, value));
    case "uname":
      return setOrDelete(records, "userName", nameValue(key, value));
    case "gname":
      return setOrDelete(records, "groupName", nameValue(key, value));
    case "size":
    case "uid":
    case "gid":
      return setOrDelete(records, key, value.length === 0 ? undefined : numberValue(key, value));
    case "mtime":
      return setOrDelete(records, "mtimeNs", value.length === 0 ? undefined : decodePaxTime(value.toString("latin1")));
  }
  if (key.startsWith(XATTR)) takeXattr(records, key.slice(XATTR.length), value);
  else if (key.startsWith("GNU.sparse.")) takeSparse(records, key.slice("GNU.sparse.".length), value);
  // Others (atime, ctime, comment, vendors' own) say nothing that is kept.
}

/** An empty value means: as if there were no record. */
function setOrDelete<K extends keyof PaxRecords>(records: PaxRecords, key: K, value: PaxRecords[K] | undefined): void {
  if (value === undefined) delete records[key];
  else records[key] = value;
}

function nameValue(key: string, value: Buffer): string | undefined {
  if (value.includes(0)) throw new HeaderFault(`PAX ${key} holds a NUL`);
  return value.length === 0 ? undefined : fileNameFromBytes(value);
}

function numberValue(key: string, value: Buffer): number {
  const text = value.toString("latin1");
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw new HeaderFault(`PAX ${key} ${JSON.stringify(text.slice(0, 40))} is not a size`);
  return number;
}

function takeXattr(records: PaxRecords, name: string, value: Buffer): void {
  if (name === "" || name.includes("\0")) throw new HeaderFault("PAX extended attribute without a name");
  records.xattrs ??= new Map();
  // A copy: the content's buffer is reused.
  records.xattrs.set(fileNameFromBytes(Buffer.from(name, "latin1")), new Uint8Array(value));
}

function takeSparse(records: PaxRecords, key: string, value: Buffer): void {
  records.sparse ??= { mapInData: false, segments: [] };
  const { sparse } = records;
  switch (key) {
    case "major":
      sparse.mapInData = numberValue(key, value) >= 1;
      return;
    case "name": {
      const name = nameValue(key, value);
      if (name !== undefined) sparse.name = name;
      return;
    }
    case "size":
    case "realsize":
      sparse.realSize = numberValue(key, value);
      return;
    case "offset":
      sparse.pendingOffset = numberValue(key, value);
      return;
    case "numbytes":
      if (sparse.pendingOffset === undefined) throw new HeaderFault("sparse map is out of order");
      sparse.segments.push({ offset: sparse.pendingOffset, length: numberValue(key, value) });
      delete sparse.pendingOffset;
      return;
    case "map":
      sparse.segments = decodeSparseList(value.toString("latin1"));
  }
}

function decodeSparseList(text: string): SparseSegment[] {
  const numbers = text === "" ? [] : text.split(",").map((part) => numberValue("sparse map", Buffer.from(part)));
  if (numbers.length % 2 !== 0) throw new HeaderFault("sparse map has an odd number of fields");
  const segments: SparseSegment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    segments.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  }
  return segments;
}

/** "1700000000.123456789" in nanoseconds; digits beyond nine are cut. @throws HeaderFault. */
export function decodePaxTime(text: string): bigint {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw new HeaderFault(`PAX time ${JSON.stringify(text.slice(0, 40))} is not a number of seconds`);
  const rest = BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  const total = BigInt(match[2] as string) * 1_000_000_000n + rest;
  return match[1] === "-" ? -total : total;
}

/** The reverse, without trailing zeros. */
export function encodePaxTime(nanoseconds: bigint): string {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const rest = String(magnitude % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const text = String(magnitude / 1_000_000_000n) + (rest === "" ? "" : `.${rest}`);
  return nanoseconds < 0n ? `-${text}` : text;
}

/** The record "LENGTH KEY=VALUE\n", whose length counts its own digits. */
export function encodePaxRecord(key: string, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? fileNameToBytes(value) : value;
  const name = fileNameToBytes(key);
  const payload = name.length + bytes.length + 3;
  let length = payload + 1;
  // The length counts its own digits.
  while (payload + String(length).length !== length) length = payload + String(length).length;
  return Buffer.concat([Buffer.from(`${length} `), name, Buffer.from("="), bytes, Buffer.from("\n")]);
}

/** The key of an extended attribute's record. */
export function xattrKey(name: string): string {
  return XATTR + name;
}
