// Digests of streams that are hashed two at a time are those that node:crypto has, whatever comes when.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import fc from "fast-check";

import type { NativeHasher } from "./addon.ts";
import { hasher } from "./bulk.ts";
import { hashChunk, hashFile } from "./hash-pairs.ts";

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
/** No two parts of it are the same. */
const CONTENT = Buffer.from(Array.from({ length: 60_000 }, (_, index) => `line ${index * index}\n`).join(""));

test("hashChunk: streams side by side, in chunks of any length, are each their own digest", async () => {
  // Around the blocks of 64 bytes, and the lengths from which on the end needs a block more.
  const length = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(55, 56, 63, 64, 65, 119, 128, 9_000));
  const stream = fc.array(length, { minLength: 1, maxLength: 6 });
  const property = fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 5 }), async (streams) => {
    const digests = await Promise.all(
      streams.map(async (lengths, number) => {
        const hash = hasher(256);
        let at = 1_000 * number;
        const from = at;
        for (const one of lengths) {
          await hashChunk(hash, CONTENT.subarray(at, at + one));
          at += one;
        }
        return [hash.digest(), sha256(CONTENT.subarray(from, at))];
      }),
    );
    for (const [found, wanted] of digests) assert.equal(found, wanted);
  });
  await fc.assert(property, { numRuns: 200 });
});

test("hashFile: parts of files side by side; one that is shorter, or cannot be read, is no matter of the others", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-hash-"));
  const open: number[] = [];
  const opened = (path: string): number => {
    const fd = openSync(path, "r");
    open.push(fd);
    return fd;
  };
  try {
    const sizes = [CONTENT.length, 0, 1, 64, 300_001, 500_000];
    const files = sizes.map((size, number) => {
      const path = join(directory, `file-${number}`);
      writeFileSync(path, CONTENT.subarray(0, size));
      return { fd: opened(path), size, hash: hasher(256) };
    });
    const unreadable = opened(directory);
    const failures = [1, 2, 3].map(() => hashFile(hasher(256), unreadable, 0, 10));
    const counts = files.map(({ fd, hash, size }) => hashFile(hash, fd, 0, size + 10));
    for (const failure of failures) await assert.rejects(failure, /pread: is a directory/);
    assert.deepEqual(await Promise.all(counts), sizes);
    for (const { hash, size } of files) assert.equal(hash.digest(), sha256(CONTENT.subarray(0, size)), `${size}`);
    const parts = [hasher(256), hasher(256), hasher(256)];
    const { fd } = files[0] as { fd: number };
    await Promise.all(parts.map((hash, number) => hashFile(hash, fd, 100 * number, 200_000 + number)));
    for (const [number, hash] of parts.entries())
      assert.equal(hash.digest(), sha256(CONTENT.subarray(100 * number, 100 * number + 200_000 + number)));
  } finally {
    for (const fd of open) closeSync(fd);
    rmSync(directory, { recursive: true });
  }
});

test("hashChunk: at once when nothing is being hashed, then two together, and the last one when it is its turn", async () => {
  const calls: string[] = [];
  const ends: (() => void)[] = [];
  const ended = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const stream = (name: string): NativeHasher & { readonly name: string } => ({
    ...(hasher(256) as NativeHasher),
    name,
    update: () => {
      calls.push(name);
      return ended();
    },
    updateTwo: (_, two) => {
      calls.push(name + (two as unknown as { name: string }).name);
      return ended();
    },
  });
  const data = Buffer.alloc(1);
  const all = [..."abcd"].map((name) => hashChunk(stream(name), data));
  assert.deepEqual(calls, ["a", "bc"]);
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
  ends[0]?.();
  await all[0];
  await turn();
  assert.deepEqual(calls, ["a", "bc"], "something is being hashed still: another one may come");
  ends[1]?.();
  await Promise.all(all.slice(1, 3));
  await turn();
  assert.deepEqual(calls, ["a", "bc", "d"]);
  ends[2]?.();
  await all[3];
});

test("NativeHasher.updateTwo: not of one with itself", () => {
  const hash = hasher(256);
  assert.throws(() => hash.updateTwo(CONTENT, hash, CONTENT), { code: "EINVAL" });
  assert.throws(() => hash.updateTwoFromFiles(0, 0, 1, hash, 0, 0, 1), { code: "EINVAL" });
  assert.equal(hash.digest(), sha256(Buffer.alloc(0)));
});
