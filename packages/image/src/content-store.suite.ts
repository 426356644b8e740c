// The contract of a content store as tests: every implementation runs them against itself.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import type { ContentStore } from "./content-store.ts";
import { type Digest, digestOf, parseDigest } from "./digest.ts";

/** A store made for one test; disposing removes it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ContentStore;
}

const scope = createScope();
const HELLO = Buffer.from("hello, blob");
const HELLO_DIGEST = digestOf(HELLO);
const ABSENT = parseDigest(`sha256:${"0".repeat(64)}`);

async function put(store: ContentStore, content: Uint8Array, digest?: Digest): Promise<Digest> {
  await using ingest = await store.ingest(scope, "put", digest === undefined ? {} : { digest });
  await ingest.write(content);
  return (await ingest.commit()).digest;
}

async function digests(store: ContentStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { digest } of store.list(scope)) found.push(digest);
  return found.toSorted();
}

/** Registers the suite for the implementation called `name`. */
export function contentStoreSuite(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name}: content store contract`, () => {
    readingTests(make);
    writingTests(make);
    resumeTests(make);
  });
}

function readingTests(make: () => Promise<StoreUnderTest>): void {
  test("info: null when absent, digest and size when present", async () => {
    await using made = await make();
    assert.equal(await made.store.info(scope, HELLO_DIGEST), null);
    await put(made.store, HELLO);
    assert.deepEqual(await made.store.info(scope, HELLO_DIGEST), { digest: HELLO_DIGEST, size: HELLO.length });
  });

  test("read: whole, in ranges, and empty", async () => {
    await using made = await make();
    await put(made.store, HELLO);
    const read = async (range?: { offset?: number; length?: number }): Promise<string> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of made.store.read(scope, HELLO_DIGEST, range)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    };
    assert.equal(await read(), "hello, blob");
    assert.equal(await read({ offset: 7 }), "blob");
    assert.equal(await read({ offset: 0, length: 5 }), "hello");
    assert.equal(await read({ offset: 11, length: 0 }), "");
    for (const range of [{ offset: -1 }, { offset: 12 }, { offset: 5, length: 7 }, { length: -1 }, { offset: 0.5 }]) {
      await assert.rejects(read(range), (error) => isTeuError(error, "invalid"), JSON.stringify(range));
    }
  });

  test("read, readAll: not-found when absent", async () => {
    await using made = await make();
    const read = async (): Promise<void> => {
      for await (const _ of made.store.read(scope, ABSENT)) assert.fail("a chunk of nothing");
    };
    await assert.rejects(read(), (error) => isTeuError(error, "not-found"));
    await assert.rejects(made.store.readAll(scope, ABSENT, 10), (error) => isTeuError(error, "not-found"));
  });

  test("readAll: exhausted when larger than the limit", async () => {
    await using made = await make();
    await put(made.store, HELLO);
    assert.deepEqual(Buffer.from(await made.store.readAll(scope, HELLO_DIGEST, HELLO.length)), HELLO);
    await assert.rejects(made.store.readAll(scope, HELLO_DIGEST, HELLO.length - 1), (error) =>
      isTeuError(error, "exhausted"),
    );
  });

  test("read: what the reader does to its chunk does not change the blob", async () => {
    await using made = await make();
    await put(made.store, HELLO);
    for await (const chunk of made.store.read(scope, HELLO_DIGEST)) chunk.fill(0);
    assert.deepEqual(Buffer.from(await made.store.readAll(scope, HELLO_DIGEST, 100)), HELLO);
  });

  test("list, delete: all blobs, and one fewer", async () => {
    await using made = await make();
    const other = await put(made.store, Buffer.from("other"));
    await put(made.store, HELLO);
    assert.deepEqual(await digests(made.store), [HELLO_DIGEST, other].toSorted());
    assert.equal(await made.store.delete(scope, other), true);
    assert.equal(await made.store.delete(scope, other), false);
    assert.deepEqual(await digests(made.store), [HELLO_DIGEST]);
  });

  test("every call: cancelled when the scope has ended", async () => {
    await using made = await make();
    const ended = createScope({ signal: AbortSignal.abort() });
    await assert.rejects(made.store.info(ended, ABSENT), (error) => isTeuError(error, "cancelled"));
    await assert.rejects(made.store.ingest(ended, "k"), (error) => isTeuError(error, "cancelled"));
  });
}

function writingTests(make: () => Promise<StoreUnderTest>): void {
  test("commit: many chunks, reused buffers, sha512 and blake3, the empty blob", async () => {
    await using made = await make();
    const content = Buffer.alloc(3_000_000, "0123456789abcdef!");
    await using ingest = await made.store.ingest(scope, "chunks");
    const window = Buffer.alloc(70_001);
    for (let at = 0; at < content.length; at += window.length) {
      const length = content.copy(window, 0, at);
      await ingest.write(window.subarray(0, length));
      window.fill(0xff);
    }
    assert.equal(ingest.offset, content.length);
    const { digest, size } = await ingest.commit({ digest: digestOf(content), size: content.length });
    assert.equal(size, content.length);
    assert.ok(content.equals(await made.store.readAll(scope, digest, size)));

    for (const algorithm of ["sha512", "blake3"] as const) {
      const other = digestOf(HELLO, algorithm);
      assert.equal(await put(made.store, HELLO, other), other);
      assert.deepEqual(Buffer.from(await made.store.readAll(scope, other, 100)), HELLO);
    }
    assert.equal(await put(made.store, new Uint8Array(0)), digestOf(""));
    assert.equal((await made.store.readAll(scope, digestOf(""), 0)).length, 0);
  });

  test("commit: corrupt when digest or size differ, and nothing is visible then", async () => {
    await using made = await make();
    const cases = [
      { at: "start", expected: { digest: ABSENT } },
      { at: "start", expected: { size: HELLO.length + 1 } },
      { at: "commit", expected: { digest: ABSENT } },
      { at: "commit", expected: { digest: HELLO_DIGEST, size: HELLO.length - 1 } },
      { at: "commit", expected: { size: HELLO.length + 1 } },
    ] as const;
    for (const { at, expected } of cases) {
      await using ingest = await made.store.ingest(scope, "bad", at === "start" ? { ...expected, resume: true } : {});
      await ingest.write(HELLO);
      await assert.rejects(
        ingest.commit(at === "commit" ? expected : {}),
        (error) => isTeuError(error, "corrupt"),
        JSON.stringify(expected),
      );
    }
    assert.deepEqual(await digests(made.store), []);
    await using again = await made.store.ingest(scope, "bad", { resume: true });
    assert.equal(again.offset, 0, "refused bytes must not be continued");
  });

  test("write: corrupt as soon as there is more than declared", async () => {
    await using made = await make();
    await using ingest = await made.store.ingest(scope, "endless", { size: 10 });
    await ingest.write(Buffer.alloc(10));
    await assert.rejects(ingest.write(Buffer.alloc(1)), (error) => isTeuError(error, "corrupt"));
  });

  test("abort, dispose: leave nothing, and end the ingest", async () => {
    await using made = await make();
    const ingest = await made.store.ingest(scope, "gone");
    await ingest.write(HELLO);
    await ingest.abort();
    await assert.rejects(ingest.write(HELLO), (error) => isTeuError(error, "conflict"));
    await assert.rejects(ingest.commit(), (error) => isTeuError(error, "conflict"));
    await ingest[Symbol.asyncDispose]();
    assert.deepEqual(await digests(made.store), []);
  });

  test("ingest: several writers of one digest all succeed", async () => {
    await using made = await make();
    const content = Buffer.alloc(2_000_000, "same");
    const found = await Promise.all([1, 2, 3, 4].map(() => put(made.store, content)));
    assert.equal(new Set(found).size, 1);
    assert.deepEqual(await digests(made.store), [digestOf(content)]);
  });

  test("ingest: keys are names, not paths", async () => {
    await using made = await make();
    await using ingest = await made.store.ingest(scope, "../../etc/passwd\0", { resume: true });
    await ingest.write(HELLO);
    assert.equal((await ingest.commit()).digest, HELLO_DIGEST);
  });
}

function resumeTests(make: () => Promise<StoreUnderTest>): void {
  test("resume: continues where the last one was disposed", async () => {
    await using made = await make();
    {
      await using first = await made.store.ingest(scope, "part", { resume: true });
      await first.write(HELLO.subarray(0, 5));
    }
    await using second = await made.store.ingest(scope, "part", { resume: true, digest: HELLO_DIGEST });
    assert.equal(second.offset, 5);
    await second.write(HELLO.subarray(5));
    assert.deepEqual(await second.commit(), { digest: HELLO_DIGEST, size: HELLO.length });
    await using third = await made.store.ingest(scope, "part", { resume: true });
    assert.equal(third.offset, 0, "committed bytes are not continued");
  });

  test("resume: abort drops what was kept, and without resume nothing is kept", async () => {
    await using made = await make();
    {
      await using first = await made.store.ingest(scope, "part", { resume: true });
      await first.write(HELLO);
      await first.abort();
    }
    {
      await using plain = await made.store.ingest(scope, "part");
      assert.equal(plain.offset, 0);
      await plain.write(HELLO);
    }
    await using last = await made.store.ingest(scope, "part", { resume: true });
    assert.equal(last.offset, 0);
  });

  test("resume: a second one with the same key starts empty while the first is at work", async () => {
    await using made = await make();
    await using first = await made.store.ingest(scope, "part", { resume: true });
    await first.write(HELLO.subarray(0, 3));
    await using second = await made.store.ingest(scope, "part", { resume: true });
    assert.equal(second.offset, 0);
    await second.write(HELLO);
    assert.equal((await second.commit()).digest, HELLO_DIGEST);
    await first.write(HELLO.subarray(3));
    assert.equal((await first.commit()).digest, HELLO_DIGEST);
  });
}
