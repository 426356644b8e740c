// Writes tar archives: ustar headers, with a PAX header before an entry wherever ustar cannot say it exactly (long or odd
// names, large numbers, nanoseconds, extended attributes). Same entries, same bytes: nothing depends on time or host.
// Sparse files are written out in full, as image-spec advises.

import { TeuError } from "@teu/base/errors";
import { fileNameToBytes } from "@teu/files/file-name";

import { BLOCK, type TarEntry, type TarType } from "./entry.ts";
import { encodePaxRecord, encodePaxTime, xattrKey } from "./pax.ts";

const FLAGS: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
/** Largest numbers in octal fields of 8 and 12 bytes. */
const MAX_7 = 0o7777777;
const MAX_11 = 0o77777777777;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const OWNER_BYTES = 32;

/** The end marker: two blocks of zeros. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK);

const ZEROS = new Uint8Array(BLOCK);

/** The header blocks of an entry; its content follows, then `tarPadding`. @throws TeuError `invalid` for impossible entries. */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const name = fileNameToBytes(entry.type === "directory" ? `${entry.name.replace(/\/+$/, "")}/` : entry.name);
  const link = fileNameToBytes(entry.linkName);
  checkEntry(entry, name, link);
  const split = splitName(name);
  const seconds = Number(floorSeconds(entry.mtimeNs));
  const records = paxRecords(entry, { name, link, fits: split !== null, seconds });
  const header = ustar(entry, {
    // The name in front of a PAX path is for readers that know no PAX.
    ...(split ?? { prefix: new Uint8Array(0), name: name.subarray(0, NAME_BYTES) }),
    link: link.subarray(0, NAME_BYTES),
    size: entry.type === "file" ? entry.size : 0,
    seconds,
    flag: FLAGS[entry.type],
  });
  if (records.length === 0) return header;
  const content = Buffer.concat(records);
  return Buffer.concat([paxHeader(name, content.length), content, tarPadding(content.length), header]);
}

/** The zeros after content of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return ZEROS.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

/** An entry from its telling parts: everything left out is zero, empty, or the obvious. */
export function tarEntry(parts: Pick<TarEntry, "name" | "type"> & Partial<TarEntry>): TarEntry {
  return {
    linkName: "",
    size: 0,
    mode: parts.type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    userName: "",
    groupName: "",
    mtimeNs: 0n,
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    sparse: null,
    ...parts,
  };
}

interface UstarFields {
  readonly prefix: Uint8Array;
  readonly name: Uint8Array;
  readonly link: Uint8Array;
  readonly size: number;
  readonly seconds: number;
  readonly flag: string;
}

function checkEntry(entry: TarEntry, name: Uint8Array, link: Uint8Array): void {
  const numbers = [entry.size, entry.uid, entry.gid, entry.mode, entry.devMajor, entry.devMinor];
  const why =
    name.length === 0 || name.includes(0) || link.includes(0)
      ? "its name is empty or holds a NUL"
      : numbers.some((number) => !Number.isSafeInteger(number) || number < 0)
        ? "a number is negative or not whole"
        : entry.sparse !== null
          ? "sparse files are not written"
          : null;
  if (why !== null) throw new TeuError({ code: "invalid", op: "write tar entry", subject: entry.name, message: why });
}

/** Name and prefix when both fit the ustar fields, split at a slash; null when they do not. */
function splitName(name: Uint8Array): { prefix: Uint8Array; name: Uint8Array } | null {
  if (name.length <= NAME_BYTES) return { prefix: new Uint8Array(0), name };
  // The first slash that leaves little enough behind it; a trailing slash splits nothing.
  const from = Math.max(1, name.length - NAME_BYTES - 1);
  const slash = name.indexOf(0x2f, from);
  if (slash < 0 || slash > PREFIX_BYTES || slash >= name.length - 1) return null;
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}

interface PaxNeeds {
  readonly name: Uint8Array;
  readonly link: Uint8Array;
  readonly fits: boolean;
  readonly seconds: number;
}

function paxRecords(entry: TarEntry, needs: PaxNeeds): Uint8Array[] {
  const records: Uint8Array[] = [];
  const add = (key: string, value: Uint8Array | string): void => void records.push(encodePaxRecord(key, value));
  if (entry.gid > MAX_7) add("gid", String(entry.gid));
  if (byteLength(entry.groupName) > OWNER_BYTES) add("gname", entry.groupName);
  if (needs.link.length > NAME_BYTES) add("linkpath", needs.link);
  if (entry.mtimeNs % 1_000_000_000n !== 0n || needs.seconds < 0 || needs.seconds > MAX_11) {
    add("mtime", encodePaxTime(entry.mtimeNs));
  }
  if (!needs.fits) add("path", needs.name);
  const names = [...entry.xattrs.keys()].toSorted();
  for (const name of names) add(xattrKey(name), entry.xattrs.get(name) as Uint8Array);
  if (entry.type === "file" && entry.size > MAX_11) add("size", String(entry.size));
  if (entry.uid > MAX_7) add("uid", String(entry.uid));
  if (byteLength(entry.userName) > OWNER_BYTES) add("uname", entry.userName);
  return records;
}

function paxHeader(name: Uint8Array, size: number): Uint8Array {
  const base = name.subarray(name.lastIndexOf(0x2f, name.length - 2) + 1);
  const short = Buffer.concat([Buffer.from("PaxHeaders/"), base]).subarray(0, NAME_BYTES);
  const entry: TarEntry = {
    type: "file",
    name: "",
    linkName: "",
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    userName: "",
    groupName: "",
    mtimeNs: 0n,
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    sparse: null,
  };
  const none = new Uint8Array(0);
  return ustar(entry, { prefix: none, name: short, link: none, size, seconds: 0, flag: "x" });
}

function ustar(entry: TarEntry, fields: UstarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.set(fields.name, 0);
  putOctal(block, 100, 8, entry.mode & 0o7777);
  putOctal(block, 108, 8, entry.uid > MAX_7 ? 0 : entry.uid);
  putOctal(block, 116, 8, entry.gid > MAX_7 ? 0 : entry.gid);
  putOctal(block, 124, 12, fields.size > MAX_11 ? 0 : fields.size);
  putOctal(block, 136, 12, fields.seconds < 0 || fields.seconds > MAX_11 ? 0 : fields.seconds);
  block.write(fields.flag, 156, "latin1");
  block.set(fields.link, 157);
  block.write("ustar\u000000", 257, "latin1");
  if (byteLength(entry.userName) <= OWNER_BYTES) block.set(fileNameToBytes(entry.userName), 265);
  if (byteLength(entry.groupName) <= OWNER_BYTES) block.set(fileNameToBytes(entry.groupName), 297);
  putDevice(block, 329, entry.devMajor);
  putDevice(block, 337, entry.devMinor);
  block.set(fields.prefix, 345);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
  return block;
}

function putOctal(block: Buffer, offset: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
}

/** PAX has no records for device numbers: beyond octal they are written in base 256, as GNU does. */
function putDevice(block: Buffer, offset: number, value: number): void {
  if (value <= MAX_7) return putOctal(block, offset, 8, value);
  block[offset] = 0x80;
  block.writeUIntBE(value, offset + 2, 6);
}

function floorSeconds(nanoseconds: bigint): bigint {
  const seconds = nanoseconds / 1_000_000_000n;
  return nanoseconds % 1_000_000_000n < 0n ? seconds - 1n : seconds;
}

function byteLength(text: string): number {
  return fileNameToBytes(text).length;
}
