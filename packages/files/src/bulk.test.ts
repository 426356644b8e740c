// Bulk work in the thread pool gives what Node's own gives.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";

import { gzipExpander, type PoolExpander, hasher, zstdExpander } from "./bulk.ts";

const CONTENT = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `line ${index * index}\n`).join(""));

test("hasher: SHA-256 and SHA-512 of what was taken so far, as node:crypto has them", async () => {
  for (const bits of [256, 512] as const) {
    const hash = hasher(bits);
    const known = createHash(`sha${bits}`);
    assert.equal(hash.digest(), known.copy().digest("hex"));
    for (let at = 0; at < CONTENT.length; at += 99_991) {
      const piece = CONTENT.subarray(at, at + 99_991);
      if (at % 2 === 0) await hash.update(piece);
      else hash.take(piece);
      assert.equal(hash.digest(), known.update(piece).copy().digest("hex"));
    }
  }
});

/** Everything that comes out of `packed`, handed over in pieces of `inputs` bytes, into three buffers of `outputs` bytes. */
async function expanded(expander: PoolExpander, packed: Uint8Array, inputs: number, outputs: number): Promise<Buffer> {
  const given: Buffer[] = Array.from({ length: 3 }, () => Buffer.alloc(outputs));
  for (const buffer of given) expander.give(buffer);
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const length = expander.take();
    if (length < 0) return Buffer.concat(parts);
    if (length > 0) {
      const buffer = given.shift() as Buffer;
      parts.push(Buffer.from(buffer.subarray(0, length)));
      expander.give(buffer);
      given.push(buffer);
      continue;
    }
    if (expander.idle()) {
      await expander.run();
      continue;
    }
    assert.equal(expander.waiting(), 0, "it stops while there is something to do");
    if (at < packed.length) expander.push(packed.subarray(at, at + inputs));
    else expander.end();
    at += inputs;
  }
}

const KINDS = [
  { name: "gzip", make: gzipExpander, pack: gzipSync },
  { name: "zstd", make: () => zstdExpander(27), pack: zstdCompressSync },
] as const;

for (const { name, make, pack } of KINDS) {
  test(`${name}Expander: member after member, in whatever pieces, and more than one output's worth of the last byte`, async () => {
    const packed = Buffer.concat([pack(CONTENT), pack(Buffer.alloc(0)), pack(CONTENT)]);
    // A piece of one byte costs a turn of the pool: few of them.
    const tiny = await expanded(make(), pack(CONTENT.subarray(0, 100)), 1, 10);
    assert.ok(tiny.equals(CONTENT.subarray(0, 100)));
    for (const [inputs, outputs] of [
      [97, 10_000],
      [1 << 20, 100],
      [777, 1 << 20],
    ] as const) {
      const output = await expanded(make(), packed, inputs, outputs);
      assert.ok(output.equals(Buffer.concat([CONTENT, CONTENT])), `${inputs}, ${outputs}`);
    }
  });

  test(`${name}Expander: what came before an error is given first; it knows whether that was between two members`, async () => {
    const whole = pack(CONTENT);
    const cases: readonly [string, Uint8Array, boolean, RegExp][] = [
      ["nothing of the kind", Buffer.from("this is something else"), false, /header|frame/i],
      ["something after it", Buffer.concat([whole, Buffer.from("this is something else")]), true, /header|frame/i],
      ["cut", whole.subarray(0, -1), false, /middle/],
    ];
    for (const [what, packed, between, message] of cases) {
      const expander = make();
      const output = Buffer.alloc(CONTENT.length);
      expander.give(output);
      expander.give(Buffer.alloc(10));
      expander.push(packed);
      expander.end();
      while (expander.idle()) await expander.run();
      if (what !== "nothing of the kind") {
        // zstd gives whole blocks.
        const length = expander.take();
        assert.ok(length > 100_000 && output.subarray(0, length).equals(CONTENT.subarray(0, length)), what);
      }
      assert.throws(() => expander.take(), message, what);
      assert.equal(expander.between(), between, what);
      assert.equal(expander.idle(), false, what);
    }
  });

  test(`${name}Expander: goes on by itself while nobody waits, and stops when it is closed`, async () => {
    const expander = make();
    for (let count = 0; count < 3; count++) expander.give(Buffer.alloc(1000));
    expander.push(pack(CONTENT));
    await expander.run();
    assert.equal(expander.idle(), false, "no room");
    assert.deepEqual([expander.take(), expander.take(), expander.take(), expander.take()], [1000, 1000, 1000, 0]);
    for (let count = 0; count < 3; count++) expander.give(Buffer.alloc(1000));
    await expander.run();
    assert.deepEqual([expander.take(), expander.idle()], [1000, true], "it stops for who waits");
    expander.close();
    assert.equal(expander.idle(), false);
    await expander.run();
  });
}

test("gzipExpander, zstdExpander: a sum that is wrong, a window that is too large", async () => {
  const gzip = gzipSync(CONTENT);
  gzip.writeUInt32LE(0, gzip.length - 8);
  await assert.rejects(expanded(gzipExpander(), gzip, 1 << 20, 1 << 20), /check/);
  const zstd = zstdCompressSync(CONTENT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  zstd.writeUInt32LE(0, zstd.length - 4);
  await assert.rejects(expanded(zstdExpander(27), zstd, 1 << 20, 1 << 20), /checksum/);
  const wide = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00]);
  await assert.rejects(expanded(zstdExpander(27), wide, 100, 100), /memory/);
  assert.equal((await expanded(zstdExpander(30), wide, 100, 100)).length, 0);
});
