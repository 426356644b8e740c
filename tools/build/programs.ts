// Puts the heaps of the kernel-side programs behind the host, in one file, and fills in the table by which the host finds them
// (native/programs/src/index.rs draws it). The heaps must have been made by this very host: they point into it.

import { Buffer } from "node:buffer";

/** One program for the file. */
export interface FrozenProgram {
  /** The name it is started under. At most 31 bytes. */
  readonly name: string;
  /** Commands before which the host protects its own file against being overwritten from inside a container (CVE-2019-5736). */
  readonly seal: readonly string[];
  /** What teu-freeze wrote. */
  readonly heap: Uint8Array;
}

const MAGIC = Buffer.from("\x7fTEU-PROGRAMS-1\x7f", "latin1");
const ENTRIES = 8;
const NAME = 32;
const WORDS = 64;
const ENTRY = NAME + WORDS + 8 + 8;
// Heaps are mapped: they begin on a page of any of our machines' sizes.
const PAGE = 1 << 16;

/** The finished file. Throws when the host has no empty table or a name or list of words does not fit. */
export function assemblePrograms(host: Uint8Array, programs: readonly FrozenProgram[]): Uint8Array {
  const at = tableOf(host);
  if (programs.length > ENTRIES) throw new Error(`${programs.length} programs: the table has ${ENTRIES} places`);
  const table = Buffer.alloc(ENTRIES * ENTRY);
  let end = aligned(host.length);
  programs.forEach(({ name, seal, heap }, number) => {
    const entry = table.subarray(number * ENTRY);
    writeStrings(entry.subarray(0, NAME), [name]);
    writeStrings(entry.subarray(NAME, NAME + WORDS), seal);
    entry.writeBigUInt64LE(BigInt(end), NAME + WORDS);
    entry.writeBigUInt64LE(BigInt(heap.length), NAME + WORDS + 8);
    end = aligned(end + heap.length);
  });
  const file = Buffer.alloc(end);
  file.set(host, 0);
  file.set(table, at);
  let offset = aligned(host.length);
  for (const { heap } of programs) {
    file.set(heap, offset);
    offset = aligned(offset + heap.length);
  }
  return file;
}

function aligned(size: number): number {
  return Math.ceil(size / PAGE) * PAGE;
}

function tableOf(host: Uint8Array): number {
  const bytes = Buffer.from(host.buffer, host.byteOffset, host.byteLength);
  const first = bytes.indexOf(MAGIC);
  if (first < 0) throw new Error("the host has no table of programs");
  if (bytes.indexOf(MAGIC, first + 1) >= 0) throw new Error("the host has more than one table of programs");
  const at = first + MAGIC.length;
  if (bytes.subarray(at, at + ENTRIES * ENTRY).some((byte) => byte !== 0))
    throw new Error("the host carries programs already");
  return at;
}

// Each ended by NUL, and the field by one more: it was zero before.
function writeStrings(field: Buffer, strings: readonly string[]): void {
  const text = strings.map((string) => `${string}\0`).join("");
  if (strings.some((string) => string === "" || string.includes("\0")) || Buffer.byteLength(text) >= field.length)
    throw new Error(`does not fit into ${field.length} bytes: ${JSON.stringify(strings)}`);
  field.write(text);
}
