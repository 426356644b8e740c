// The store on disk: the contract, and what only a disk can do wrong.

import assert from "node:assert/strict";
import { link, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";

import { ChunkMemory } from "./chunk-memory.ts";
import { contentStoreSuite } from "./content-store.suite.ts";
import { digestOf } from "./digest.ts";
import { DiskContentStore } from "./disk-content-store.ts";

const scope = createScope();

async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "teu-store-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

for (const syncNamesLater of [false, true]) {
  contentStoreSuite(`DiskContentStore${syncNamesLater ? ", names synced later" : ""}`, async () => {
    const directory = await temporary();
    const store = await DiskContentStore.open(directory.path, { syncNamesLater });
    return {
      store,
      [Symbol.asyncDispose]: async () => {
        await store.syncNames();
        assert.deepEqual(await readdir(join(directory.path, "ingest")), [], "temp files left");
        await directory[Symbol.asyncDispose]();
      },
    };
  });
}

test("DiskContentStore.read: corrupt when the file was changed behind its back", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  const digest = digestOf("content");
  const path = store.path(digest);
  await writeFile(path, "c0ntent");
  await assert.rejects(store.readAll(scope, digest, 100), (error) => isTeuError(error, "corrupt"));
  // Who verifies it himself gets it as it is.
  const chunks = await Array.fromAsync(store.read(scope, digest, { unverified: true }));
  assert.equal(Buffer.concat(chunks).toString(), "c0ntent");
});

test("DiskContentStore.read with memory: four buffers take turns, each whole until the third chunk after it is asked for", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  const content = Buffer.alloc(7_500_000);
  for (let at = 0; at < content.length; at++) content[at] = (at * 31) >> 8;
  const digest = digestOf(content);
  await writeFile(store.path(digest), content);
  const chunks: Uint8Array[] = [];
  let at = 0;
  const memory = new ChunkMemory();
  for await (const chunk of store.read(scope, digest, { memory })) {
    chunks.push(chunk);
    at += chunk.length;
    const held = chunks.slice(-3);
    const length = held.reduce((sum, one) => sum + one.length, 0);
    assert.ok(content.subarray(at - length, at).equals(Buffer.concat(held)), `${at}`);
  }
  assert.equal(at, content.length);
  assert.equal(new Set(chunks.map(({ buffer }) => buffer)).size, 4);
});

test("DiskContentStore.path: the blob itself, read-only", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  await using ingest = await store.ingest(scope, "key");
  await ingest.write(Buffer.from("text"));
  const { digest } = await ingest.commit();
  assert.equal(await readFile(store.path(digest), "utf8"), "text");
  assert.equal((await stat(store.path(digest))).mode & 0o777, 0o444);
});

test("DiskContentStore.open: removes what killed writers left, keeps the living and the resumable", async () => {
  await using directory = await temporary();
  const first = await DiskContentStore.open(directory.path);
  const ingest = join(directory.path, "ingest");
  await writeFile(join(ingest, "tmp-dead"), "half");
  await writeFile(join(ingest, "key-recent"), "half");
  await writeFile(join(ingest, "key-old"), "half");
  await utimes(join(ingest, "key-old"), 0, 0);
  // Killed between the link that makes a blob and the removal of the name it was written under.
  await writeFile(join(ingest, "key-published"), "whole");
  await link(join(ingest, "key-published"), first.path(digestOf("whole")));
  await using living = await first.ingest(scope, "alive");
  await living.write(Buffer.from("still here"));
  await DiskContentStore.open(directory.path);
  const left = await readdir(ingest);
  assert.equal(left.length, 2);
  assert.ok(left.includes("key-recent"));
  assert.equal(await readFile(first.path(digestOf("whole")), "utf8"), "whole");
  assert.equal((await living.commit()).digest, digestOf("still here"));
});

test("DiskContentStore.dropInterrupted: takes what could be gone on with, and spares the living", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  await writeFile(join(directory.path, "ingest/key-recent"), "half");
  await using living = await store.ingest(scope, "alive", { resume: true });
  await living.write(Buffer.from("still "));
  await store.dropInterrupted(scope);
  assert.equal((await readdir(join(directory.path, "ingest"))).length, 1);
  await living.write(Buffer.from("here"));
  assert.equal((await living.commit()).digest, digestOf("still here"));
});

test("DiskContentStore.ingest: goes on when its working directory was taken away", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  for (const resume of [false, true]) {
    await rm(join(directory.path, "ingest"), { recursive: true });
    await using ingest = await store.ingest(scope, "key", { resume });
    await ingest.write(Buffer.from("text"));
    assert.equal((await ingest.commit()).digest, digestOf("text"));
  }
});

test("DiskContentStore.ingest: a longer leftover than declared is begun again", async () => {
  await using directory = await temporary();
  const store = await DiskContentStore.open(directory.path);
  {
    await using first = await store.ingest(scope, "key", { resume: true });
    await first.write(Buffer.from("something quite long"));
  }
  await using second = await store.ingest(scope, "key", { resume: true, size: 5 });
  assert.equal(second.offset, 0);
  await second.write(Buffer.from("short"));
  assert.equal((await second.commit()).digest, digestOf("short"));
});
