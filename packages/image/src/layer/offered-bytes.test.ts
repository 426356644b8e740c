// A stream's digest is right whoever hashes its chunks, and no chunk is let go before it is hashed.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { HashedBytes, Turn } from "@teu/files/file-writer";

import { digestOf } from "../digest.ts";
import { PoolBlobVerifier } from "../verified-stream.ts";
import { OfferedBytes } from "./offered-bytes.ts";

const CHUNKS = Array.from({ length: 12 }, (_, number) => Buffer.alloc(1_000 + number, `chunk ${number} `));
const DIGEST = digestOf(Buffer.concat(CHUNKS));

/** A turn of the thread pool with nothing else in it. */
async function turn(bytes: HashedBytes | undefined): Promise<Turn> {
  return { done: bytes === undefined ? Promise.resolve() : bytes.hasher.update(bytes.bytes) };
}

test("OfferedBytes: each chunk is hashed once and in order, taken or not", async () => {
  for (const takes of ["none", "all", "every third", "twice"] as const) {
    const verifier = new PoolBlobVerifier("test", { digest: DIGEST });
    const offered = new OfferedBytes(verifier);
    const taken: (number | undefined)[] = [];
    const passed: Uint8Array[] = [];
    const take = (): Promise<void> =>
      offered.handOver((bytes) => {
        taken.push(bytes?.bytes.length);
        return turn(bytes);
      });
    for await (const chunk of offered.through(source([]))) {
      passed.push(chunk);
      if (takes === "all" || takes === "twice" || (takes === "every third" && passed.length % 3 === 0)) await take();
      if (takes === "twice") await take();
    }
    assert.equal(verifier.finish(), DIGEST, takes);
    assert.deepEqual(passed, CHUNKS);
    const all = CHUNKS.map(({ length }) => length);
    if (takes === "all") assert.deepEqual(taken, all);
    if (takes === "twice")
      assert.deepEqual(
        taken,
        all.flatMap((length) => [length, undefined]),
        "there is nothing to take the second time",
      );
  }
});

test("OfferedBytes: the next but one is asked for when a chunk that was taken is hashed, and not before", async () => {
  const asked: number[] = [];
  const verifier = new PoolBlobVerifier("test", { digest: DIGEST });
  const offered = new OfferedBytes(verifier);
  const stream = offered.through(source(asked))[Symbol.asyncIterator]();
  await stream.next();
  let end: () => void = () => {};
  const hashed = new Promise<void>((resolve) => (end = resolve));
  await offered.handOver(async (bytes) => ({ done: hashed.then(() => bytes?.hasher.update(bytes.bytes)) }));
  const next = stream.next();
  let came = false;
  void next.then(() => (came = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([came, asked], [false, [0, 1]]);
  end();
  assert.equal((await next).value, CHUNKS[1]);
  while ((await stream.next()).done !== true);
  assert.equal(verifier.finish(), DIGEST);
});

test("OfferedBytes: where the turn cannot begin, that is told, and the stream can be ended", async () => {
  const offered = new OfferedBytes(new PoolBlobVerifier("test", {}));
  await assert.rejects(async () => {
    for await (const _ of offered.through(source([])))
      await offered.handOver(() => Promise.reject(new Error("no room on the disk")));
  }, /no room on the disk/);
  // Too many bytes are told before any is hashed.
  const short = new OfferedBytes(new PoolBlobVerifier("test", { digest: DIGEST, size: 1_500 }));
  const seen: (number | undefined)[] = [];
  await assert.rejects(async () => {
    for await (const _ of short.through(source([])))
      await short.handOver((bytes) => {
        seen.push(bytes?.bytes.length);
        return turn(bytes);
      });
  }, /longer than the 1500 bytes declared/);
  assert.deepEqual(seen, [1_000]);
});

async function* source(asked: number[]): AsyncIterable<Uint8Array> {
  for (const [number, chunk] of CHUNKS.entries()) {
    asked.push(number);
    yield chunk;
  }
}
