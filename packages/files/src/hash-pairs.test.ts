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
import { hashChunk, hashChunkLater, hashFile } from "./hash-pairs.ts";
import { fitThreadPool } from "./thread-pool.ts";

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
/** No two parts of it are the same. */
const CONTENT = Buffer.from(Array.from({ length: 60_000 }, (_, index) => `line ${index * index}\n`).join(""));

test("hashChunk, hashChunkLater: streams side by side, in chunks of any length, are each their own digest", async () => {
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
          const chunk = CONTENT.subarray(at, at + one);
          // The second and every other stream does something else first, for as long as it happens to take.
          if (number % 2 === 0) await hashChunk(hash, chunk);
          else {
            const hashed = hashChunkLater(hash, chunk);
            for (let turns = one % 4; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
            await hashed();
          }
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
    const failures = [1, 2, 3].map(() =>
      assert.rejects(hashFile(hasher(256), unreadable, 0, 10), /pread: is a directory/),
    );
    const counts = files.map(({ fd, hash, size }) => hashFile(hash, fd, 0, size + 10));
    await Promise.all(failures);
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

test("hashChunk: what comes together goes two by two, the last one alone while a thread is idle, else with the next", async () => {
  const calls: string[] = [];
  const ends: (() => void)[] = [];
  const ended = (name: string): Promise<void> => {
    calls.push(name);
    return new Promise((resolve) => ends.push(resolve));
  };
  const stream = (name: string): NativeHasher => ({
    ...hasher(256),
    digest: () => name,
    update: () => ended(name),
    updateTwo: (_, two) => ended(name + two.digest()),
  });
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
  const data = Buffer.alloc(1);
  fitThreadPool({ UV_THREADPOOL_SIZE: "2" });
  const hashed = [..."abc"].map((name) => hashChunk(stream(name), data));
  await turn();
  assert.deepEqual(calls, ["ab", "c"]);
  hashed.push(hashChunk(stream("d"), data));
  await turn();
  assert.deepEqual(calls, ["ab", "c"], "two threads are busy");
  hashed.push(hashChunk(stream("e"), data));
  await turn();
  assert.deepEqual(calls, ["ab", "c", "de"], "as long as one alone would take");
  hashed.push(hashChunk(stream("f"), data));
  await turn();
  assert.equal(calls.length, 3);
  for (const end of ends.splice(0, 2)) end();
  await turn();
  assert.deepEqual(calls, ["ab", "c", "de", "f"]);
  for (const end of ends) end();
  await Promise.all(hashed);
});

test("hashChunkLater: at once while there is one stream, with the next one's when there are several, alone when it is needed", async () => {
  const calls: string[] = [];
  const call = async (name: string): Promise<void> => void calls.push(name);
  const stream = (name: string): NativeHasher => ({
    ...hasher(256),
    digest: () => name,
    update: () => call(name),
    updateTwo: (_, two) => call(name + two.digest()),
  });
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
  const [a, b] = [stream("a"), stream("b")];
  const data = Buffer.alloc(1);
  await hashChunkLater(a, data)();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const alone = hashChunkLater(a, data);
  await turn();
  assert.deepEqual(calls, ["a", "a"], "nobody else is there");
  await alone();
  const first = hashChunkLater(b, data);
  await turn();
  assert.equal(calls.length, 2, "the other stream was there a moment ago");
  const second = hashChunkLater(a, data);
  await Promise.all([first(), second()]);
  assert.deepEqual(calls.slice(2), ["ba"]);
  const last = hashChunkLater(b, data);
  await turn();
  assert.equal(calls.length, 3);
  await last();
  assert.deepEqual(calls.slice(3), ["b"], "it is needed");
});

test("NativeHasher.updateTwo: not of one with itself", () => {
  const hash = hasher(256);
  assert.throws(() => hash.updateTwo(CONTENT, hash, CONTENT), { code: "EINVAL" });
  assert.throws(() => hash.updateTwoFromFiles(0, 0, 1, hash, 0, 0, 1), { code: "EINVAL" });
  assert.equal(hash.digest(), sha256(Buffer.alloc(0)));
});
