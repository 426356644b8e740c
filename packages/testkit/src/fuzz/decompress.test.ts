// Compressed streams of strangers: gzip and zstd, whole or damaged, cut anywhere, one behind the other. What comes out is what went
// in, or an error; never more than the limits let pass.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { decompress } from "@teu/image/compression/decompress";
import fc from "fast-check";

import { damaged, runs } from "./settings.ts";

const scope = createScope();
const LIMIT = 1 << 20;
const PLAIN = Buffer.from("teu ".repeat(3000));

async function* pieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The content; null when it was refused. */
async function content(bytes: Uint8Array, size: number): Promise<Buffer | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of decompress(scope, pieces(bytes, size), { bytes: LIMIT, ratio: 250, ratioFloor: LIMIT })) {
      length += chunk.length;
      assert.ok(length <= LIMIT, "more than the limit came out");
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  } catch (error) {
    assert.ok(isTeuError(error) && ["corrupt", "exhausted", "unsupported"].includes(error.code), String(error));
    return null;
  }
}

const member = fc.constantFrom(
  gzipSync(PLAIN),
  gzipSync(Buffer.alloc(0)),
  gzipSync(PLAIN.subarray(0, 5), { level: 0 }),
);
const frame = fc.constantFrom(
  zstdCompressSync(PLAIN),
  zstdCompressSync(Buffer.alloc(0)),
  Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]),
  Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]),
);

test("fuzz decompress: what one damaged stream gives is the same however it is cut, or an error", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(damaged(gzipSync(PLAIN)), damaged(zstdCompressSync(PLAIN))),
      fc.integer({ min: 1, max: 500 }),
      async (bytes, size) => {
        const found = await content(bytes, size);
        const whole = await content(bytes, 1 << 16);
        assert.deepEqual(found, whole);
      },
    ),
    runs(0.5),
  );
});

test("fuzz decompress: members one behind the other, and nothing else behind them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.array(member, { minLength: 1, maxLength: 4 }), fc.array(frame, { minLength: 1, maxLength: 4 })),
      fc.constantFrom("", "x", "\0", "\x1f", "\x1f\x8b", "\x28\xb5"),
      fc.integer({ min: 1, max: 500 }),
      async (parts, tail, size) => {
        const found = await content(Buffer.concat([...parts, Buffer.from(tail, "latin1")]), size);
        if (tail !== "") return assert.equal(found, null, `${JSON.stringify(tail)} behind the end was taken`);
        assert.ok(found !== null);
        assert.equal(found.length % PLAIN.length <= 20, true);
      },
    ),
    runs(0.5),
  );
});
