// Archives of strangers: any headers in any order, damaged, cut anywhere. The reader refuses, or tells entries whose data lies where
// it says; what it tells, written again, reads the same. It never tells more than it was given.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_XATTRS, type TarEntry } from "@teu/image/tar/entry";
import { encodePaxRecord } from "@teu/image/tar/pax";
import { TarReader } from "@teu/image/tar/reader";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import fc from "fast-check";

import { accepted, damaged, runs } from "./settings.ts";

interface Told {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

/** Reads in pieces of `size`, and checks what must be so of any archive. */
function read(bytes: Buffer, size: number): Told[] {
  const told: Told[] = [];
  let open: { entry: TarEntry; parts: Uint8Array[]; end: number } | null = null;
  let data = 0;
  const reader = new TarReader(
    {
      entry(entry) {
        assert.equal(open, null, "an entry inside another one");
        assert.doesNotMatch(entry.name + entry.linkName, /\0/);
        assert.ok(Number.isSafeInteger(entry.size) && entry.size >= 0);
        assert.ok(entry.mode <= 0o7777 && entry.uid >= 0 && entry.gid >= 0);
        open = { entry, parts: [], end: 0 };
      },
      data(chunk, offset) {
        assert.ok(open !== null && offset >= open.end && offset + chunk.length <= open.entry.size);
        open.parts.push(Buffer.from(chunk));
        open.end = offset + chunk.length;
        data += chunk.length;
      },
      endEntry() {
        assert.ok(open !== null);
        const content = Buffer.concat(open.parts);
        if (open.entry.sparse === null) assert.equal(content.length, open.entry.size);
        told.push({ entry: open.entry, content });
        open = null;
      },
    },
    { entries: 10_000 },
  );
  for (let at = 0; at < bytes.length; at += size) reader.write(bytes.subarray(at, at + size));
  reader.end();
  assert.ok(data <= bytes.length, "more data than there are bytes");
  assert.ok(told.length <= bytes.length / 512, "more entries than headers");
  assert.equal(open, null);
  return told;
}

/** A header with any flag, fields that lie, and a right checksum. */
const header = fc
  .record({
    name: fc.constantFrom("a", "../x", "/", "d/", ".wh.a", "", "././@LongLink", "é"),
    flag: fc.constantFrom(..."0123456789xgLKSDVXAM\0 "),
    size: fc.oneof(fc.nat(2000), fc.constantFrom(0, 512, 513, 2 ** 33, 2 ** 53 - 1)),
    magic: fc.constantFrom("ustar\u000000", "ustar  \0", "\0\0\0\0\0\0\0\0"),
    garbage: fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ name, flag, size, magic, garbage }) => {
    const block = Buffer.from(encodeTarHeader(tarEntry({ type: "file", name: "x" })));
    block.fill(0, 0, 100).write(name, 0, "utf8");
    if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
    else block.writeBigUInt64BE(BigInt(size), 128);
    if (size >= 8 ** 11) block[124] = 0x80;
    block.write(flag, 156, "latin1");
    block.write(magic, 257, "latin1");
    for (const [at, value] of garbage) block[at] = value;
    return withChecksum(block);
  });
const KEYS = [
  ...["path", "linkpath", "size", "uid", "gid", "mtime", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.realsize"],
  ...["GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "SCHILY.xattr.user.a", "comment", ""],
];
const VALUES = ["", "0", "1", "0,1", "1,0,5,1", "-1", "1e9", "9".repeat(30), "1.5", "../x", "a\0b", "\n", "a/"];
const records = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES)), { maxLength: 5 })
  .map((list) => {
    const content = Buffer.concat(list.map(([key, value]) => encodePaxRecord(key, value)));
    const block = Buffer.from(encodeTarHeader(tarEntry({ type: "file", name: "p", size: content.length })));
    block.write("x", 156, "latin1");
    return Buffer.concat([withChecksum(block), content, tarPadding(content.length)]);
  });
const filler = fc.constantFrom(
  Buffer.alloc(512, "1\n"),
  Buffer.alloc(512),
  Buffer.alloc(1024, "x"),
  Buffer.from("short"),
);

function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function checkArchive(bytes: Buffer, size: number): void {
  const told = accepted(() => read(bytes, size), "corrupt", "exhausted", "unsupported");
  if (told === null) return;
  assert.deepEqual(read(bytes, 511), told, "how the bytes are cut changes nothing");
  // Names that are empty are for whoever unpacks to refuse; nobody writes them.
  const whole = told.filter(({ entry }) => entry.sparse === null && entry.name !== "");
  const again = Buffer.concat([
    ...whole.flatMap(({ entry, content }) => [encodeTarHeader(entry), content, tarPadding(content.length)]),
    TAR_END,
  ]);
  assert.deepEqual(read(again, 4096), whole);
}

test("fuzz TarReader: headers, records and data in any order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(header, records, filler), { maxLength: 8 }),
      fc.integer({ min: 1, max: 1500 }),
      (parts, size) => checkArchive(Buffer.concat([...parts, TAR_END]), size),
    ),
    runs(3),
  );
});

test("fuzz TarReader: a good archive with damage", () => {
  const entry = tarEntry({
    type: "file",
    name: `${"long/".repeat(30)}é`,
    size: 700,
    uid: 3_000_000,
    mtimeNs: 1_234_567_890_123_456_789n,
    xattrs: new Map([["user.a", Uint8Array.of(0, 1, 255)]]),
  });
  const good = Buffer.concat([
    encodeTarHeader(tarEntry({ type: "directory", name: "long" })),
    encodeTarHeader(entry),
    Buffer.alloc(700, "c"),
    tarPadding(700),
    encodeTarHeader(tarEntry({ type: "symlink", name: "l", linkName: "x".repeat(200), xattrs: NO_XATTRS })),
    encodeTarHeader(tarEntry({ type: "character", name: "n", devMajor: 1, devMinor: 3 })),
    TAR_END,
  ]);
  assert.equal(read(good, 100).length, 4);
  fc.assert(
    fc.property(damaged(good), fc.integer({ min: 1, max: 1500 }), (bytes, size) => checkArchive(bytes, size)),
    runs(3),
  );
});
