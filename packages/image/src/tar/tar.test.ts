// Reader and writer: dialects, limits, hostile headers, and the round trip of any entry in any chunking.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import { BLOCK, type TarEntry } from "./entry.ts";
import { tarMembers } from "./members.ts";
import { encodePaxRecord } from "./pax.ts";
import { TarReader, type TarLimits } from "./reader.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "./writer.ts";

interface Read {
  readonly entry: TarEntry;
  readonly content: string;
  readonly offsets: readonly number[];
}

function read(bytes: Uint8Array, chunk: number = bytes.length, limits: TarLimits = {}): Read[] {
  const found: { entry: TarEntry; parts: Buffer[]; offsets: number[] }[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void found.push({ entry, parts: [], offsets: [] }),
      data: (data, offset) => {
        found.at(-1)?.parts.push(Buffer.from(data));
        found.at(-1)?.offsets.push(offset);
      },
      endEntry: () => {},
    },
    limits,
  );
  for (let at = 0; at < bytes.length; at += chunk) reader.write(bytes.subarray(at, at + chunk));
  reader.end();
  return found.map(({ entry, parts, offsets }) => ({
    entry,
    content: Buffer.concat(parts).toString("latin1"),
    offsets,
  }));
}

/** A header block with some bytes replaced and the checksum made right. */
function header(
  parts: Parameters<typeof tarEntry>[0],
  patches: Readonly<Record<number, string | Uint8Array>> = {},
): Buffer {
  const block = Buffer.from(encodeTarHeader(tarEntry(parts))).subarray(-BLOCK);
  for (const [at, bytes] of Object.entries(patches)) Buffer.from(bytes).copy(block, Number(at));
  return withChecksum(block);
}

function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function padded(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, tarPadding(bytes.length)]);
}

function pax(records: readonly (readonly [string, Uint8Array | string])[]): Buffer {
  const content = Buffer.concat(records.map(([key, value]) => encodePaxRecord(key, value)));
  return Buffer.concat([header({ type: "file", name: "pax", size: content.length }, { 156: "x" }), padded(content)]);
}

const FILE = header({ type: "file", name: "f", size: 3 });
const ABC = padded("abc");

test("TarReader, encodeTarHeader: any entry comes back the same, however the bytes are cut", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab/é\udcff\u{1f600} ="), maxLength: 300 });
  const name = text.map((value) => `x${value}`.replace(/\/+$/, ""));
  const entry = fc.record({
    type: fc.constantFrom("file", "directory", "symlink", "hardlink", "fifo", "character", "block"),
    name,
    linkName: text,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 2 ** 32 }),
    gid: fc.integer({ min: 0, max: 2 ** 32 }),
    userName: fc.string({ unit: fc.constantFrom("u", "é"), maxLength: 40 }),
    groupName: fc.string({ unit: fc.constantFrom("g", "é"), maxLength: 40 }),
    mtimeNs: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 20n }),
    devMajor: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    devMinor: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    xattrs: fc
      .array(fc.tuple(fc.constantFrom("user.a", "user.é", "security.capability"), fc.uint8Array({ maxLength: 300 })), {
        maxLength: 3,
      })
      .map((list) => new Map(list)),
    content: fc.uint8Array({ maxLength: 1500 }),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 4 }), fc.integer({ min: 1, max: 1600 }), (entries, chunk) => {
      const want = entries.map(({ content, ...parts }) => {
        const link = parts.type === "symlink" || parts.type === "hardlink";
        const device = parts.type === "character" || parts.type === "block";
        const own = tarEntry({
          ...parts,
          type: parts.type,
          linkName: link ? parts.linkName : "",
          size: parts.type === "file" ? content.length : 0,
          devMajor: device ? parts.devMajor : 0,
          devMinor: device ? parts.devMinor : 0,
        });
        return { entry: own, content: parts.type === "file" ? content : new Uint8Array(0) };
      });
      const bytes = Buffer.concat([
        ...want.flatMap(({ entry: one, content }) => [encodeTarHeader(one), padded(content)]),
        TAR_END,
      ]);
      const found = read(bytes, chunk);
      assert.deepEqual(
        found.map(({ entry: one, content }) => ({ entry: plain(one), content })),
        want.map(({ entry: one, content }) => ({
          entry: plain(one),
          content: Buffer.from(content).toString("latin1"),
        })),
      );
    }),
    { numRuns: 300 },
  );
});

function plain(entry: TarEntry): unknown {
  return {
    ...entry,
    xattrs: [...entry.xattrs].map(([key, value]) => [key, Buffer.from(value).toString("hex")]).toSorted(),
  };
}

test("TarReader: only ever throws corrupt, exhausted or unsupported on random damage", () => {
  const good = Buffer.concat([
    pax([
      ["path", "longer"],
      ["GNU.sparse.map", "0,1"],
    ]),
    FILE,
    ABC,
    header({ type: "file", name: "s", size: 3 }, { 156: "S" }),
    ABC,
    TAR_END,
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (damage, fix) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of damage) bytes[at] = value;
        if (fix)
          for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK)
            if (bytes.toString("latin1", at + 257, at + 262) === "ustar") withChecksum(bytes.subarray(at, at + BLOCK));
        try {
          read(bytes, 700);
        } catch (error) {
          if (!isTeuError(error) || !["corrupt", "exhausted", "unsupported"].includes(error.code)) throw error;
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("TarReader: V7, old directories, GNU long names, star prefixes, base-256 numbers", () => {
  const v7 = header({ type: "file", name: "old", size: 3 }, { 156: "\0", 257: "\0".repeat(8) });
  const v7dir = header({ type: "file", name: "dir/" }, { 156: "\0", 257: "\0".repeat(8) });
  const long = "n".repeat(300);
  const gnuLong = Buffer.concat([
    header({ type: "file", name: "././@LongLink", size: 301 }, { 156: "L" }),
    padded(`${long}\0`),
  ]);
  const gnuLink = Buffer.concat([
    header({ type: "file", name: "././@LongLink", size: 301 }, { 156: "K" }),
    padded(`${long}\0`),
  ]);
  const big = Buffer.alloc(8);
  big[0] = 0x80;
  big.writeUInt32BE(4_000_000_000, 4);
  const negative = Buffer.alloc(12, 0xff);
  const found = read(
    Buffer.concat([
      v7,
      ABC,
      v7dir,
      gnuLong,
      FILE,
      ABC,
      gnuLink,
      header({ type: "symlink", name: "l", linkName: "short" }),
      header({ type: "file", name: "b" }, { 108: big, 136: negative }),
      header({ type: "file", name: "tail" }, { 345: "head", 508: "tar\0" }),
      header({ type: "file", name: "tail" }, { 345: "head/two" }),
      TAR_END,
    ]),
    333,
  ).map(({ entry }) => entry);
  assert.deepEqual(
    found.map(({ name, type }) => [name, type]),
    [
      ["old", "file"],
      ["dir", "directory"],
      [long, "file"],
      ["l", "symlink"],
      ["b", "file"],
      ["head/tail", "file"],
      ["head/two/tail", "file"],
    ],
  );
  assert.equal(found[3]?.linkName, long);
  assert.equal(found[4]?.uid, 4_000_000_000);
  assert.equal(found[4]?.mtimeNs, -1_000_000_000n);
});

test("TarReader: PAX records override, empty ones are as if absent, global ones are passed over", () => {
  const global = Buffer.concat([
    header({ type: "file", name: "g", size: 20 }, { 156: "g" }),
    padded(encodePaxRecord("path", "evil-name")),
  ]);
  const [file] = read(
    Buffer.concat([
      global,
      pax([
        ["path", "long/name"],
        ["path", ""],
        ["uid", "70000"],
        ["uname", "who"],
        ["mtime", "-1.5"],
        ["SCHILY.xattr.user.b", Uint8Array.of(0xff, 0x0a, 0x3d)],
        ["comment", "x"],
      ]),
      FILE,
      ABC,
      TAR_END,
    ]),
  );
  assert.equal(file?.entry.name, "f");
  assert.equal(file?.entry.uid, 70_000);
  assert.equal(file?.entry.userName, "who");
  assert.equal(file?.entry.mtimeNs, -1_500_000_000n);
  assert.deepEqual([...(file?.entry.xattrs.get("user.b") ?? [])], [0xff, 0x0a, 0x3d]);
});

test("TarReader: links, nodes and directories have no data, whatever their size says", () => {
  const found = read(
    Buffer.concat([
      ...["1", "2", "3", "4", "5", "6"].map((flag) => header({ type: "file", name: "x", size: 3 }, { 156: flag })),
      FILE,
      ABC,
      TAR_END,
    ]),
  );
  assert.equal(found.length, 7);
  assert.ok(found.slice(0, 6).every(({ entry, content }) => entry.size === 0 && content === ""));
});

test("TarReader: sparse files in all formats, told where their data goes", () => {
  const name = "GNUSparseFile.0/f";
  const stored = (size: number): Buffer => header({ type: "file", name, size });
  const map10 = padded("2\n0\n1\n100\n2\n");
  const gnu = header(
    { type: "file", name: "f", size: 3 },
    { 156: "S", 257: "ustar  \0", 386: `${octal(0)}${octal(1)}${octal(100)}${octal(2)}`, 482: "\0", 483: octal(200) },
  );
  const extended = header(
    { type: "file", name: "f", size: 5 },
    { 156: "S", 257: "ustar  \0", 386: [0, 1, 10, 1, 20, 1, 30, 1].map(octal).join(""), 482: "\x01", 483: octal(200) },
  );
  const extension = Buffer.alloc(BLOCK);
  extension.write(`${octal(100)}${octal(1)}`);
  const cases: readonly [Buffer, string, number[]][] = [
    [
      Buffer.concat([
        pax([
          ["GNU.sparse.size", "200"],
          ["GNU.sparse.offset", "0"],
          ["GNU.sparse.numbytes", "1"],
          ["GNU.sparse.offset", "100"],
          ["GNU.sparse.numbytes", "2"],
        ]),
        stored(3),
        ABC,
      ]),
      "abc",
      [0, 100],
    ],
    [
      Buffer.concat([
        pax([
          ["GNU.sparse.size", "200"],
          ["GNU.sparse.map", "0,1,100,2"],
          ["GNU.sparse.name", "f"],
        ]),
        stored(3),
        ABC,
      ]),
      "abc",
      [0, 100],
    ],
    [
      Buffer.concat([
        pax([
          ["GNU.sparse.major", "1"],
          ["GNU.sparse.minor", "0"],
          ["GNU.sparse.realsize", "200"],
          ["GNU.sparse.name", "f"],
        ]),
        stored(515),
        map10,
        ABC,
      ]),
      "abc",
      [0, 100],
    ],
    [Buffer.concat([gnu, ABC]), "abc", [0, 100]],
    [Buffer.concat([extended, extension, padded("abcde")]), "abcde", [0, 10, 20, 30, 100]],
  ];
  for (const [bytes, content, offsets] of cases) {
    const [file] = read(Buffer.concat([bytes, TAR_END]));
    assert.equal(file?.entry.size, 200);
    assert.deepEqual([file?.content, file?.offsets], [content, offsets]);
    assert.equal(read(Buffer.concat([bytes, TAR_END]), 1)[0]?.content, content);
  }
});

function octal(value: number): string {
  return `${value.toString(8).padStart(11, "0")}\0`;
}

const SPARSE_MAP_FOLLOWS = pax([
  ["GNU.sparse.major", "1"],
  ["GNU.sparse.realsize", "9"],
]);
const HOSTILE: readonly { name: string; code: ErrorCode; text: RegExp; bytes: Uint8Array; limits?: TarLimits }[] = [
  {
    name: "a wrong checksum",
    code: "corrupt",
    text: /checksum.*byte 1024/,
    bytes: Buffer.concat([FILE, ABC, Buffer.alloc(BLOCK, "x")]),
  },
  { name: "text that is no tar", code: "corrupt", text: /checksum/, bytes: Buffer.alloc(BLOCK, "hello") },
  {
    name: "a size that is negative",
    code: "corrupt",
    text: /size is negative/,
    bytes: header({ type: "file", name: "f" }, { 124: Buffer.alloc(12, 0xff) }),
  },
  {
    name: "a size beyond 2^53",
    code: "corrupt",
    text: /beyond 2\^53/,
    bytes: header(
      { type: "file", name: "f" },
      { 124: Uint8Array.of(0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) },
    ),
  },
  {
    name: "a uid that is negative",
    code: "corrupt",
    text: /uid is negative/,
    bytes: header({ type: "file", name: "f" }, { 108: Buffer.alloc(8, 0xff) }),
  },
  {
    name: "a mode that is no number",
    code: "corrupt",
    text: /mode is not an octal/,
    bytes: header({ type: "file", name: "f" }, { 100: "12x4567\0" }),
  },
  {
    name: "an unknown type",
    code: "unsupported",
    text: /unknown type "Z"/,
    bytes: header({ type: "file", name: "f" }, { 156: "Z" }),
  },
  { name: "an end in a header", code: "corrupt", text: /ends in the middle/, bytes: FILE.subarray(0, 100) },
  {
    name: "an end in the data",
    code: "corrupt",
    text: /ends in the middle/,
    bytes: Buffer.concat([FILE, Buffer.from("ab")]),
  },
  {
    name: "an end in the padding",
    code: "corrupt",
    text: /ends in the middle/,
    bytes: Buffer.concat([FILE, Buffer.from("abc")]),
  },
  { name: "records without an entry", code: "corrupt", text: /ends in the middle/, bytes: pax([["path", "x"]]) },
  {
    name: "one block of zeros between entries",
    code: "corrupt",
    text: /single block of zeros/,
    bytes: Buffer.concat([Buffer.alloc(BLOCK), FILE, ABC]),
  },
  {
    name: "a PAX record that is too long",
    code: "corrupt",
    text: /wrong length/,
    bytes: Buffer.concat([header({ type: "file", name: "p", size: 10 }, { 156: "x" }), padded("99 path=x\n")]),
  },
  {
    name: "a PAX record without =",
    code: "corrupt",
    text: /no "="/,
    bytes: Buffer.concat([header({ type: "file", name: "p", size: 8 }, { 156: "x" }), padded("8 pathx\n")]),
  },
  {
    name: "a PAX record of length 0",
    code: "corrupt",
    text: /wrong length/,
    bytes: Buffer.concat([header({ type: "file", name: "p", size: 10 }, { 156: "x" }), padded("0 path=xx\n")]),
  },
  {
    name: "a PAX path with NUL",
    code: "corrupt",
    text: /holds a NUL/,
    bytes: Buffer.concat([pax([["path", "a\0b"]]), FILE, ABC]),
  },
  {
    name: "a PAX size that is none",
    code: "corrupt",
    text: /not a size/,
    bytes: Buffer.concat([pax([["size", "-1"]]), FILE, ABC]),
  },
  {
    name: "a PAX time that is none",
    code: "corrupt",
    text: /not a number of seconds/,
    bytes: Buffer.concat([pax([["mtime", "1e9"]]), FILE, ABC]),
  },
  {
    name: "PAX records beyond the limit",
    code: "exhausted",
    text: /beyond the limit of 1048576/,
    bytes: header({ type: "file", name: "p", size: 100 << 20 }, { 156: "x" }),
  },
  {
    name: "a GNU long name beyond the limit",
    code: "exhausted",
    text: /beyond the limit/,
    bytes: header({ type: "file", name: "p", size: 2 << 20 }, { 156: "L" }),
  },
  {
    name: "more entries than allowed",
    code: "exhausted",
    text: /limit of 1 entries/,
    bytes: Buffer.concat([FILE, ABC, FILE, ABC]),
    limits: { entries: 1 },
  },
  {
    name: "a sparse map out of order",
    code: "corrupt",
    text: /does not fit/,
    bytes: Buffer.concat([
      pax([
        ["GNU.sparse.size", "9"],
        ["GNU.sparse.map", "5,1,0,2"],
      ]),
      FILE,
      ABC,
    ]),
  },
  {
    name: "a sparse map beyond its file",
    code: "corrupt",
    text: /does not fit/,
    bytes: Buffer.concat([
      pax([
        ["GNU.sparse.size", "9"],
        ["GNU.sparse.map", "8,3"],
      ]),
      FILE,
      ABC,
    ]),
  },
  {
    name: "a sparse map with other sums",
    code: "corrupt",
    text: /differ/,
    bytes: Buffer.concat([
      pax([
        ["GNU.sparse.size", "9"],
        ["GNU.sparse.map", "0,2"],
      ]),
      FILE,
      ABC,
    ]),
  },
  {
    name: "a sparse map with half a pair",
    code: "corrupt",
    text: /odd number/,
    bytes: Buffer.concat([
      pax([
        ["GNU.sparse.size", "9"],
        ["GNU.sparse.map", "0"],
      ]),
      FILE,
      ABC,
    ]),
  },
  {
    name: "a sparse map longer than its data",
    code: "corrupt",
    text: /longer than its entry/,
    bytes: Buffer.concat([SPARSE_MAP_FOLLOWS, FILE, padded("99\n")]),
  },
  {
    name: "a sparse map with more numbers than a header may have bytes",
    code: "exhausted",
    text: /sparse map is beyond the limit of 1000/,
    bytes: Buffer.concat([
      SPARSE_MAP_FOLLOWS,
      header({ type: "file", name: "f", size: 1 << 20 }),
      padded(`99999\n${"0\n".repeat(2000)}`),
    ]),
    limits: { headerBytes: 1000 },
  },
  {
    name: "GNU's sparse maps that go on and on",
    code: "exhausted",
    text: /sparse map is beyond the limit of 1000/,
    bytes: Buffer.concat([
      header(
        { type: "file", name: "f", size: 1 << 20 },
        { 156: "S", 257: "ustar  \0", 386: `${octal(0)}${octal(1)}`, 482: "\x01", 483: octal(1 << 20) },
      ),
      ...Array.from({ length: 10 }, (_, i) => {
        const pairs = Array.from({ length: 21 }, (_, j) => `${octal(2 * (i * 21 + j + 1))}${octal(1)}`).join("");
        return Buffer.concat([Buffer.from(pairs.padEnd(BLOCK - 8, "\0")), Buffer.from("\x01".padEnd(8, "\0"))]);
      }),
    ]),
    limits: { headerBytes: 1000 },
  },
  {
    name: "a sparse map of text",
    code: "corrupt",
    text: /something else/,
    bytes: Buffer.concat([SPARSE_MAP_FOLLOWS, header({ type: "file", name: "f", size: 600 }), padded("x\n")]),
  },
  {
    name: "a directory with content in file's clothes",
    code: "corrupt",
    text: /ends with a slash/,
    bytes: Buffer.concat([header({ type: "file", name: "d/", size: 3 }), ABC]),
  },
];

for (const { name, code, text, bytes, limits } of HOSTILE) {
  test(`TarReader: ${code} for ${name}`, () => {
    for (const chunk of [bytes.length, 100]) {
      assert.throws(
        () => read(bytes, chunk, limits),
        (error) =>
          isTeuError(error, code) &&
          text.test(error.message) &&
          (code === "unsupported" || typeof error.detail["offset"] === "number"),
      );
    }
  });
}

test("TarReader: an archive may end without its marker, and after it anything may follow", () => {
  assert.equal(read(Buffer.concat([FILE, ABC])).length, 1);
  assert.equal(read(Buffer.concat([FILE, ABC, Buffer.alloc(BLOCK)])).length, 1);
  assert.equal(read(Buffer.concat([FILE, ABC, TAR_END, Buffer.from("anything")])).length, 1);
  assert.equal(read(new Uint8Array(0)).length, 0);
});

test("tarMembers: contents on demand, what is not read is passed over", async () => {
  const bytes = Buffer.concat([FILE, ABC, header({ type: "directory", name: "d" }), FILE, ABC, FILE, ABC, TAR_END]);
  async function* source(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 513) yield bytes.subarray(at, at + 513);
  }
  const found: string[] = [];
  let count = 0;
  for await (const { entry, content } of tarMembers(createScope(), source())) {
    if (++count === 3) continue;
    const parts: Uint8Array[] = [];
    for await (const chunk of content) parts.push(chunk);
    found.push(`${entry.name}=${Buffer.concat(parts).toString()}`);
  }
  assert.deepEqual(found, ["f=abc", "d=", "f=abc"]);
});
