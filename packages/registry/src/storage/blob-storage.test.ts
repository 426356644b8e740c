import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { blobStorageSuite } from "@teu/distribution/server/blob-storage.suite";
import { digestOf } from "@teu/image/digest";
import { withoutFdLeak } from "@teu/testkit/fd-leak";
import { tempRoot } from "@teu/testkit/temp-root";

import { DiskBlobStorage } from "./disk-blob-storage.ts";
import { MemoryBlobStorage } from "./memory-blob-storage.ts";

const scope = createScope();

blobStorageSuite("MemoryBlobStorage", async () => {
  const storage = new MemoryBlobStorage();
  return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
});

blobStorageSuite("DiskBlobStorage", async () => {
  const root = await tempRoot();
  const storage = await DiskBlobStorage.open(scope, root.path);
  return { storage, [Symbol.asyncDispose]: () => root[Symbol.asyncDispose]() };
});

test("DiskBlobStorage: an upload goes on in another process", async () => {
  await using root = await tempRoot();
  const id = randomUUID();
  const first = await DiskBlobStorage.open(scope, root.path);
  await using upload = await first.createUpload(scope, id);
  await upload.write([Buffer.from("before ")]);
  await upload[Symbol.asyncDispose]();
  const second = await DiskBlobStorage.open(scope, root.path);
  await using continued = await second.openUpload(scope, id);
  assert.equal(continued.offset, 7);
  await continued.write([Buffer.from("after")]);
  await continued.commit(digestOf("before after"));
});

test("DiskBlobStorage: an upload id cannot leave the directory", async () => {
  await using root = await tempRoot();
  const storage = await DiskBlobStorage.open(scope, root.path);
  for (const id of ["../x", "a/b", "", ".", "x".repeat(65), "a\0b"]) {
    await assert.rejects(storage.createUpload(scope, id), (error) => isTeuError(error, "invalid"), id);
  }
});

test("DiskBlobStorage: a file that was cut short is an error, not a short blob", async () => {
  await using root = await tempRoot();
  const storage = await DiskBlobStorage.open(scope, root.path);
  await using upload = await storage.createUpload(scope, randomUUID());
  await upload.write([Buffer.alloc(100)]);
  const { digest } = await upload.commit(digestOf(Buffer.alloc(100)));
  await using blob = await storage.open(scope, digest);
  assert.ok(blob !== null);
  await writeFile(root.join("blobs", "sha256", digest.slice(7)), "short");
  await assert.rejects(
    async () => {
      for await (const chunk of blob.read(scope, { start: 0, end: 100 })) assert.ok(chunk.length > 0);
    },
    (error) => isTeuError(error, "corrupt"),
  );
});

test("DiskBlobStorage: leaves no descriptor open and no file behind", async () => {
  await using root = await tempRoot();
  await withoutFdLeak(async () => {
    const storage = await DiskBlobStorage.open(scope, root.path);
    for (let i = 0; i < 20; i++) {
      await using upload = await storage.createUpload(scope, randomUUID());
      await upload.write([Buffer.from(`content ${i}`)]);
      const wanted = digestOf(i % 2 === 0 ? `content ${i}` : "other");
      await upload.commit(wanted).catch((error: unknown) => assert.ok(isTeuError(error, "corrupt")));
    }
  });
  assert.equal((await readdir(root.join("uploads"))).length, 0);
  assert.equal((await readdir(root.join("blobs", "sha256"))).length, 10);
});
