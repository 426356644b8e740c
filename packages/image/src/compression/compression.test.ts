// Compression: detection, several members and frames, what follows the end, limits, reproducible output.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { MEDIA_TYPES } from "@teu/specs/image";

import { CHUNK_BYTES } from "../chunk-memory.ts";
import { collectBytes } from "../verified-stream.ts";
import { compress } from "./compress.ts";
import { decompress, type DecompressLimits, DEFAULT_DECOMPRESS_LIMITS } from "./decompress.ts";
import { detectCompression, layerCompression, layerMediaType } from "./detect.ts";

const scope = createScope();
const HELLO = Buffer.from("hello ".repeat(5000));
const GZIP = gzipSync(HELLO);
const ZSTD = zstdCompressSync(HELLO);
const LONG = Buffer.alloc((1 << 20) + 50_000, "long ");
const SKIPPABLE = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);

async function* cut(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function inflate(bytes: Uint8Array, size: number, limits?: Partial<DecompressLimits>): Promise<Buffer> {
  return Buffer.from(
    await collectBytes(decompress(scope, cut(bytes, size), { ...DEFAULT_DECOMPRESS_LIMITS, ...limits }), 1 << 30),
  );
}

const TWICE = Buffer.concat([HELLO, HELLO]);
const GOOD: readonly [string, Uint8Array, Buffer][] = [
  ["plain", HELLO, HELLO],
  ["nothing", new Uint8Array(0), Buffer.alloc(0)],
  ["gzip", GZIP, HELLO],
  ["two gzip members", Buffer.concat([GZIP, GZIP]), TWICE],
  ["zstd", ZSTD, HELLO],
  ["two zstd frames", Buffer.concat([ZSTD, ZSTD]), TWICE],
  ["skippable frames around", Buffer.concat([SKIPPABLE, ZSTD, SKIPPABLE, SKIPPABLE, ZSTD, SKIPPABLE]), TWICE],
  // Each frame's input is used up before all of its output had room.
  [
    "zstd of more than a chunk, thrice",
    Buffer.concat([zstdCompressSync(LONG), zstdCompressSync(LONG), zstdCompressSync(LONG)]),
    Buffer.concat([LONG, LONG, LONG]),
  ],
  [
    "a hundred zstd frames",
    Buffer.concat(Array.from({ length: 100 }, () => zstdCompressSync("x"))),
    Buffer.alloc(100, "x"),
  ],
];

for (const [name, bytes, want] of GOOD) {
  test(`decompress: ${name}, however the bytes are cut`, async () => {
    for (const size of [1 << 20, 1000, 7, 1]) assert.ok(want.equals(await inflate(bytes, size)), `${size}`);
  });
}

const BAD: readonly [string, Uint8Array][] = [
  ["gzip and garbage", Buffer.concat([GZIP, Buffer.from("garbage")])],
  ["gzip and zeros", Buffer.concat([GZIP, Buffer.alloc(20)])],
  ["gzip and half a header", Buffer.concat([GZIP, Buffer.from([0x1f, 0x8b])])],
  ["gzip cut", GZIP.subarray(0, -5)],
  ["gzip with a wrong sum", Buffer.concat([GZIP.subarray(0, -8), Buffer.alloc(8, 1)])],
  ["zstd and garbage", Buffer.concat([ZSTD, Buffer.from("garbage")])],
  ["zstd and zeros", Buffer.concat([ZSTD, Buffer.alloc(20)])],
  ["zstd cut", ZSTD.subarray(0, -1)],
  ["a gzip header alone", GZIP.subarray(0, 10)],
];

for (const [name, bytes] of BAD) {
  test(`decompress: corrupt for ${name}`, async () => {
    for (const size of [1 << 20, 3, 1])
      await assert.rejects(inflate(bytes, size), (error) => isTeuError(error, "corrupt"), `${size}`);
  });
}

/** As a content store reads with `memory`: four buffers take turns, and what is over is overwritten at once. */
async function* reused(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  const buffers = Array.from({ length: 4 }, () => Buffer.alloc(CHUNK_BYTES));
  for (let at = 0, turn = 0; at < bytes.length; at += CHUNK_BYTES, turn++) {
    const buffer = buffers[turn % buffers.length] as Buffer;
    buffer.fill(0xff);
    const length = Buffer.from(bytes.subarray(at, at + CHUNK_BYTES)).copy(buffer);
    yield buffer.subarray(0, length);
  }
}

test("decompress: a source that uses its memory again", async () => {
  const noise = randomBytes(15_500_000);
  const words = Buffer.alloc(40_000_000, "what compresses well is unpacked from few chunks ");
  for (const bytes of [noise, gzipSync(noise, { level: 1 }), zstdCompressSync(noise), gzipSync(words, { level: 1 })]) {
    const want =
      bytes === noise ? noise : detectCompression(bytes) === "zstd" ? zstdDecompressSync(bytes) : gunzipSync(bytes);
    const hash = createHash("sha256");
    // A slow reader: all that may wait does.
    for await (const chunk of decompress(scope, reused(bytes), DEFAULT_DECOMPRESS_LIMITS, { reuse: true })) {
      await new Promise((resolve) => setTimeout(resolve, chunk.length > 1000 ? 5 : 0));
      hash.update(chunk);
    }
    assert.equal(hash.digest("hex"), createHash("sha256").update(want).digest("hex"));
  }
});

test("decompress: exhausted beyond the size or the ratio", async () => {
  const zeros = Buffer.alloc(20 << 20);
  for (const bomb of [gzipSync(zeros), zstdCompressSync(zeros)]) {
    await assert.rejects(inflate(bomb, 1 << 20, { bytes: (20 << 20) - 1 }), (error) => isTeuError(error, "exhausted"));
    await assert.rejects(inflate(bomb, 1 << 20, { ratio: 100, ratioFloor: 1 << 20 }), (error) =>
      isTeuError(error, "exhausted"),
    );
    assert.equal(
      (await inflate(bomb, 1 << 20, { bytes: 20 << 20, ratio: 100, ratioFloor: 20 << 20 })).length,
      20 << 20,
    );
  }
});

test("decompress: corrupt for a zstd window beyond 128 MiB", async () => {
  // Frame header: no single segment, window descriptor of 2^(10+20) bytes, one empty last block.
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00]);
  await assert.rejects(inflate(frame, 100), (error) => isTeuError(error, "corrupt"));
});

test("decompress: passes on what the source throws, and cancellation", async () => {
  const failure = new Error("lost");
  async function* broken(): AsyncIterable<Uint8Array> {
    yield GZIP.subarray(0, 20);
    throw failure;
  }
  await assert.rejects(collectBytes(decompress(scope, broken()), 1 << 20), (error) => error === failure);
  const controller = new AbortController();
  async function* stuck(): AsyncIterable<Uint8Array> {
    yield GZIP.subarray(0, 20);
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 50));
    yield GZIP.subarray(20);
  }
  await assert.rejects(collectBytes(decompress(scope.withSignal(controller.signal), stuck()), 1 << 20), (error) =>
    isTeuError(error, "cancelled"),
  );
});

test("decompress: a reader that stops early ends the source", async () => {
  let returned = false;
  async function* source(): AsyncIterable<Uint8Array> {
    try {
      for (let i = 0; i < 1000; i++) yield gzipSync(Buffer.alloc(1 << 20, i));
    } finally {
      returned = true;
    }
  }
  for await (const _ of decompress(scope, source())) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(returned);
});

test("compress: what decompress reads, the same bytes each time", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const pack = (): Promise<Uint8Array> => collectBytes(compress(scope, cut(TWICE, 1000), { compression }), 1 << 20);
    const packed = await pack();
    assert.equal(detectCompression(packed), compression);
    assert.ok(Buffer.from(packed).equals(await pack()));
    assert.ok(TWICE.equals(await inflate(packed, 100)));
  }
  const best = await collectBytes(compress(scope, cut(TWICE, 1000), { compression: "gzip", level: 9 }), 1 << 20);
  assert.ok(TWICE.equals(await inflate(best, 100)));
});

test("compress: gzip of many pieces is one member, the same however the source is cut", async () => {
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => `line ${index * index}\n`).join(""));
  assert.ok(content.length > 4 << 20);
  const pack = (size: number): Promise<Uint8Array> =>
    collectBytes(compress(scope, cut(content, size), { compression: "gzip" }), 1 << 24);
  const packed = await pack(content.length);
  // Of one member, and as small as without pieces.
  assert.ok(gunzipSync(packed, { rejectGarbageAfterEnd: true }).equals(content));
  assert.ok(packed.length < gzipSync(content).length * 1.005);
  for (const size of [(1 << 20) - 1, 1 << 20, 77_777]) assert.ok(Buffer.from(await pack(size)).equals(packed));
  assert.ok(content.equals(await inflate(packed, 1000)));
});

test("compress: cancelled while the source keeps it waiting, and its source is ended when nobody reads on", async () => {
  for (const compression of ["gzip", "zstd"] as const) {
    const controller = new AbortController();
    async function* stuck(): AsyncIterable<Uint8Array> {
      yield HELLO;
      controller.abort();
      await new Promise(() => {});
    }
    const packed = compress(scope.withSignal(controller.signal), stuck(), { compression });
    await assert.rejects(collectBytes(packed, 1 << 20), (error) => isTeuError(error, "cancelled"));
  }
  let returned = false;
  async function* endless(): AsyncIterable<Uint8Array> {
    try {
      for (;;) yield HELLO;
    } finally {
      returned = true;
    }
  }
  for await (const chunk of compress(scope, endless(), { compression: "gzip" })) if (chunk.length > 1000) break;
  assert.ok(returned);
});

test("compress: passes on what the source throws", async () => {
  async function* broken(): AsyncIterable<Uint8Array> {
    yield HELLO;
    throw new Error("lost");
  }
  for (const compression of ["none", "gzip", "zstd"] as const) {
    await assert.rejects(collectBytes(compress(scope, broken(), { compression }), 1 << 20), /lost/);
  }
});

test("detectCompression: by magic; unsupported for what layers never have", () => {
  assert.equal(detectCompression(GZIP), "gzip");
  assert.equal(detectCompression(SKIPPABLE), "zstd");
  assert.equal(detectCompression(new Uint8Array(0)), "none");
  for (const magic of [
    [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
    [0x42, 0x5a, 0x68],
    [0x04, 0x22, 0x4d, 0x18],
  ]) {
    assert.throws(
      () => detectCompression(Uint8Array.from(magic)),
      (error) => isTeuError(error, "unsupported"),
    );
  }
});

test("layerCompression, layerMediaType: what media types say", () => {
  assert.equal(layerCompression(MEDIA_TYPES.layerNondistributableZstd), "zstd");
  assert.equal(layerCompression(MEDIA_TYPES.dockerForeignLayerGzip), "gzip");
  assert.equal(layerCompression(MEDIA_TYPES.config), null);
  assert.equal(layerMediaType("gzip"), MEDIA_TYPES.layerGzip);
});
