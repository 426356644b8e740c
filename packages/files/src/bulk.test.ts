// Bulk work in the thread pool gives what Node's own gives.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { poolHasher, poolInflater } from "./bulk.ts";

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
