// Bulk work in the thread pool gives what Node's own gives.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";

import { poolHasher, poolInflater, poolUnzstd } from "./bulk.ts";

const CONTENT = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `line ${index * index}\n`).join(""));

test("poolHasher: SHA-256 and SHA-512 of what was taken so far, as node:crypto has them", async () => {
  for (const bits of [256, 512] as const) {
    const hasher = poolHasher(bits);
    const known = createHash(`sha${bits}`);
    assert.equal(hasher.digest(), known.copy().digest("hex"));
    for (let at = 0; at < CONTENT.length; at += 99_991) {
      const piece = CONTENT.subarray(at, at + 99_991);
      await hasher.update(piece);
      assert.equal(hasher.digest(), known.update(piece).copy().digest("hex"));
    }
  }
});

test("poolInflater: fills what it is given, says what it used, and knows the end of its member", async () => {
  const packed = Buffer.concat([gzipSync(CONTENT), Buffer.from("more")]);
  const inflater = poolInflater();
  const output = Buffer.alloc(10_000);
  const parts: Buffer[] = [];
  let input = packed;
  for (let ended = false; !ended;) {
    const step = await inflater.step(input.subarray(0, 5000), output);
    parts.push(Buffer.from(output.subarray(0, step.produced)));
    input = input.subarray(step.consumed);
    ended = step.ended;
  }
  assert.ok(Buffer.concat(parts).equals(CONTENT));
  assert.equal(input.toString(), "more");
});

test("poolInflater: rejects what is no gzip, and a sum that is wrong", async () => {
  const output = Buffer.alloc(2 * CONTENT.length);
  await assert.rejects(poolInflater().step(Buffer.from("this is something else"), output), /header/);
  const packed = gzipSync(CONTENT);
  packed.writeUInt32LE(0, packed.length - 8);
  await assert.rejects(poolInflater().step(packed, output), /check/);
});

test("poolUnzstd: frame after frame, in whatever pieces, and more than one output's worth of the last byte", async () => {
  const packed = Buffer.concat([
    zstdCompressSync(CONTENT),
    zstdCompressSync(Buffer.alloc(0)),
    zstdCompressSync(CONTENT),
  ]);
  for (const [inputs, outputs] of [
    [1, 10_000],
    [1 << 20, 100],
    [777, 1 << 20],
  ] as const) {
    const stream = poolUnzstd(27);
    const output = Buffer.alloc(outputs);
    const parts: Buffer[] = [];
    let between = true;
    for (let at = 0; at < packed.length;) {
      let input = packed.subarray(at, at + inputs);
      at += input.length;
      for (;;) {
        const step = await stream.step(input, output);
        parts.push(Buffer.from(output.subarray(0, step.produced)));
        input = input.subarray(step.consumed);
        between = step.ended;
        if (input.length === 0 && step.produced < output.length) break;
      }
    }
    assert.ok(between);
    assert.ok(Buffer.concat(parts).equals(Buffer.concat([CONTENT, CONTENT])), `${inputs}, ${outputs}`);
  }
});

test("poolUnzstd: rejects what is no zstd, a sum that is wrong, a window that is too large", async () => {
  const output = Buffer.alloc(2 * CONTENT.length);
  await assert.rejects(poolUnzstd(27).step(Buffer.from("this is something else"), output), /frame/i);
  const packed = zstdCompressSync(CONTENT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  packed.writeUInt32LE(0, packed.length - 4);
  await assert.rejects(poolUnzstd(27).step(packed, output), /checksum/);
  const wide = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00]);
  await assert.rejects(poolUnzstd(27).step(wide, output), /memory/);
  assert.deepEqual(await poolUnzstd(30).step(wide, output), { consumed: wide.length, produced: 0, ended: true });
});
