// The contract of BlobStorage as tests: every implementation runs it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Digest, digestOf } from "@teu/image/digest";

import type { BlobStorage } from "./blob-storage.ts";

const scope = createScope();

/** Runs the contract against storages made by `make`; what it returns is disposed after each test. */
export function blobStorageSuite(
  name: string,
  make: () => Promise<AsyncDisposable & { readonly storage: BlobStorage }>,
): void {
  const check = (title: string, body: (storage: BlobStorage) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      await using made = await make();
      await body(made.storage);
    });
  };

  check("a committed upload is a blob, in whole and in parts", async (storage) => {
    const content = Buffer.from("0123456789");
    const digest = await store(storage, content);
    assert.deepEqual(await storage.stat(scope, digest), { digest, size: 10 });
    assert.equal((await read(storage, digest, 0, 10)).toString(), "0123456789");
    assert.equal((await read(storage, digest, 3, 5)).toString(), "34");
    assert.equal((await read(storage, digest, 5, 5)).length, 0);
  });

  check("blobs larger than any buffer come back as they were", async (storage) => {
    const content = Buffer.alloc(5_000_001, "abcdefghijk");
    const digest = await store(storage, content);
    assert.ok((await read(storage, digest, 0, content.length)).equals(content));
    assert.ok((await read(storage, digest, 1_048_575, 3_145_729)).equals(content.subarray(1_048_575, 3_145_729)));
  });

  check("nothing is visible before commit, and nothing of it afterwards but the blob", async (storage) => {
    const id = randomUUID();
    const digest = digestOf("abc");
    await using upload = await storage.createUpload(scope, id);
    await upload.write([Buffer.from("abc")]);
    assert.equal(await storage.stat(scope, digest), null);
    assert.equal(await storage.open(scope, digest), null);
    await upload.commit(digest);
    assert.equal(await storage.uploadSize(scope, id), null);
    await rejects("not-found", storage.openUpload(scope, id));
  });

  check("what was written belongs to the caller again", async (storage) => {
    const id = randomUUID();
    const digest = digestOf("abcdef");
    await using upload = await storage.createUpload(scope, id);
    const chunk = Buffer.from("abc");
    await upload.write([chunk]);
    chunk.write("def");
    await upload.write([chunk]);
    chunk.fill(0);
    await upload.commit(digest);
    assert.equal((await read(storage, digest, 0, 6)).toString(), "abcdef");
  });

  check("an upload goes on where it was left", async (storage) => {
    const id = randomUUID();
    for (const part of ["one,", "two,", "three"]) {
      await using upload =
        part === "one," ? await storage.createUpload(scope, id) : await storage.openUpload(scope, id);
      await upload.write([Buffer.from(part)]);
    }
    assert.equal(await storage.uploadSize(scope, id), 13);
    await using upload = await storage.openUpload(scope, id);
    assert.equal(upload.offset, 13);
    assert.deepEqual(await upload.commit(digestOf("one,two,three")), { digest: digestOf("one,two,three"), size: 13 });
  });

  check("a wrong digest is refused and leaves nothing", async (storage) => {
    const id = randomUUID();
    await using upload = await storage.createUpload(scope, id);
    await upload.write([Buffer.from("abc")]);
    await rejects("corrupt", upload.commit(digestOf("abd")));
    assert.equal(await storage.uploadSize(scope, id), null);
    assert.equal(await storage.stat(scope, digestOf("abd")), null);
    assert.equal(await storage.stat(scope, digestOf("abc")), null);
  });

  check("the algorithm of the digest counts, not the hint", async (storage) => {
    const id = randomUUID();
    const digest = digestOf("abc", "sha512");
    await using upload = await storage.createUpload(scope, id, "sha256");
    await upload.write([Buffer.from("abc")]);
    await upload.commit(digest);
    assert.deepEqual(await storage.stat(scope, digest), { digest, size: 3 });
  });

  check("truncate takes back what was written", async (storage) => {
    await using upload = await storage.createUpload(scope, randomUUID());
    await upload.write([Buffer.from("abc"), Buffer.from("def")]);
    await upload.truncate(2);
    assert.equal(upload.offset, 2);
    await upload.write([Buffer.from("X")]);
    await upload.commit(digestOf("abX"));
  });

  check("what was written can be read back while more is", async (storage) => {
    await using upload = await storage.createUpload(scope, randomUUID());
    await upload.write([Buffer.from("abc"), Buffer.from("def")]);
    const writing = upload.write([Buffer.from("ghi")]);
    assert.equal(Buffer.from(await upload.readBack(2, 5)).toString(), "cde");
    await writing;
    assert.equal(Buffer.from(await upload.readBack(6, 9)).toString(), "ghi");
    await upload.commit(digestOf("abcdefghi"));
  });

  check("an empty blob is a blob", async (storage) => {
    const digest = await store(storage, Buffer.alloc(0));
    assert.deepEqual(await storage.stat(scope, digest), { digest, size: 0 });
    assert.equal((await read(storage, digest, 0, 0)).length, 0);
  });

  check("the same content twice is one blob", async (storage) => {
    const digest = await store(storage, Buffer.from("twice"));
    assert.equal(await store(storage, Buffer.from("twice")), digest);
    assert.deepEqual(await listed(storage), [digest]);
  });

  check("an upload id is used once", async (storage) => {
    const id = randomUUID();
    await using _ = await storage.createUpload(scope, id);
    await rejects("already-exists", storage.createUpload(scope, id));
  });

  check("a deleted blob is gone for new readers, and whole for those that have it open", async (storage) => {
    const digest = await store(storage, Buffer.alloc(3_000_000, "x"));
    await using blob = await storage.open(scope, digest);
    assert.ok(blob !== null);
    assert.equal(storage.retire(digest), true);
    assert.equal(storage.retire(digest), false);
    await storage.freeRetired(scope);
    assert.equal(await storage.stat(scope, digest), null);
    let size = 0;
    for await (const chunk of blob.read(scope, { start: 0, end: blob.size })) size += chunk.length;
    assert.equal(size, 3_000_000);
  });

  check("uploads are listed and deleted", async (storage) => {
    const id = randomUUID();
    await (await storage.createUpload(scope, id))[Symbol.asyncDispose]();
    const ids: string[] = [];
    for await (const one of storage.listUploads(scope)) ids.push(one);
    assert.deepEqual(ids, [id]);
    assert.equal(await storage.deleteUpload(scope, id), true);
    assert.equal(await storage.deleteUpload(scope, id), false);
  });

  check("a reader that stops early disturbs nobody", async (storage) => {
    const content = Buffer.alloc(4_000_000, "0123456789");
    const digest = await store(storage, content);
    await using blob = await storage.open(scope, digest);
    assert.ok(blob !== null);
    for await (const chunk of blob.read(scope, { start: 0, end: blob.size })) if (chunk.length > 0) break;
    assert.ok((await read(storage, digest, 0, content.length)).equals(content));
  });
}

async function store(storage: BlobStorage, content: Uint8Array): Promise<Digest> {
  await using upload = await storage.createUpload(scope, randomUUID());
  await upload.write([content]);
  return (await upload.commit(digestOf(content))).digest;
}

async function read(storage: BlobStorage, digest: Digest, start: number, end: number): Promise<Buffer> {
  await using blob = await storage.open(scope, digest);
  assert.ok(blob !== null);
  const chunks: Buffer[] = [];
  for await (const chunk of blob.read(scope, { start, end })) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function listed(storage: BlobStorage): Promise<Digest[]> {
  const found: Digest[] = [];
  for await (const digest of storage.list(scope)) found.push(digest);
  return found;
}

async function rejects(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => isTeuError(error) && error.code === code);
}
