// A blob of another layout becomes a second link to it when nobody else can change it, and never unverified.

import assert from "node:assert/strict";
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { DiskContentStore } from "./disk-content-store.ts";
import { digestOf } from "./digest.ts";
import { writeImageConfig, writeManifest } from "./documents.ts";
import { emptyImageConfig } from "./image-config.ts";
import { exportLayout } from "./layout/export-layout.ts";
import { MemoryContentStore } from "./memory-content-store.ts";
import { parseReference } from "./reference.ts";
import { copyImage } from "./transport/copy-image.ts";
import { layoutSink, layoutSource } from "./transport/layout-image.ts";

const scope = createScope();
const CONTENT = Buffer.alloc((3 << 20) + 17, "content ");
const BLOB = { digest: digestOf(CONTENT), size: CONTENT.length };

async function inTemp(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "teu-adopt-"));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test("adopt: a second link, read only by digest; what an interrupted copy left of it is gone", async () => {
  await inTemp(async (directory) => {
    const store = await DiskContentStore.open(join(directory, "store"));
    const file = join(directory, "file");
    await writeFile(file, CONTENT, { mode: 0o644 });
    {
      await using ingest = await store.ingest(scope, BLOB.digest, { ...BLOB, resume: true });
      await ingest.write(CONTENT.subarray(0, 1 << 20));
    }
    assert.equal((await readdir(join(store.directory, "ingest"))).length, 1);
    assert.equal(await store.adopt(scope, file, BLOB), true);
    assert.equal((await stat(store.path(BLOB.digest))).ino, (await stat(file)).ino);
    assert.deepEqual(await readdir(join(store.directory, "ingest")), []);
    assert.equal(await store.adopt(scope, file, BLOB), false, "it is there");
  });
});

test("adopt: false for what is to be copied or is no file of this user's alone, with nothing left", async () => {
  await inTemp(async (directory) => {
    const store = await DiskContentStore.open(join(directory, "store"));
    const file = join(directory, "file");
    await writeFile(file, CONTENT);
    await symlink("file", join(directory, "link"));
    assert.equal(await store.adopt(scope, join(directory, "link"), BLOB), false);
    assert.equal(await store.adopt(scope, join(directory, "missing"), BLOB), false);
    assert.equal(await store.adopt(scope, directory, BLOB), false);
    assert.equal(await store.adopt(scope, file, { ...BLOB, size: BLOB.size + 1 }), false);
    for (const mode of [0o664, 0o646]) {
      await chmod(file, mode);
      assert.equal(await store.adopt(scope, file, BLOB), false, mode.toString(8));
    }
    // Another file system: /proc is one everywhere.
    const version = await readFile("/proc/self/cmdline");
    const other = { digest: digestOf(version), size: 0 };
    assert.equal(await store.adopt(scope, "/proc/self/cmdline", other).catch(() => false), false);
    assert.deepEqual(await readdir(join(store.directory, "blobs/sha256")), []);
    assert.deepEqual(await readdir(join(store.directory, "ingest")), []);
  });
});

test("adopt: corrupt when the content is another, with nothing left", async () => {
  await inTemp(async (directory) => {
    const store = await DiskContentStore.open(join(directory, "store"));
    const file = join(directory, "file");
    await writeFile(file, Buffer.alloc(CONTENT.length));
    await assert.rejects(store.adopt(scope, file, BLOB), (error) => isTeuError(error, "corrupt"));
    assert.deepEqual(await readdir(join(store.directory, "blobs/sha256")), []);
  });
});

test("copyImage: between layouts blobs are shared; a damaged one is refused, and one that others can change is copied", async () => {
  await inTemp(async (directory) => {
    const memory = new MemoryContentStore();
    const layer: Descriptor = { mediaType: "application/octet-stream", ...BLOB };
    await using ingest = await memory.ingest(scope, "layer");
    await ingest.write(CONTENT);
    await ingest.commit();
    const config = await writeImageConfig(scope, memory, emptyImageConfig({ os: "linux", architecture: "amd64" }));
    const descriptor = await writeManifest(scope, memory, { config, layers: [layer] });
    const from = join(directory, "from");
    await exportLayout(scope, memory, [{ descriptor, names: [parseReference("v1")] }], from);
    const blob = (layout: string): string => join(layout, "blobs/sha256", BLOB.digest.slice(7));
    const copy = async (to: string): Promise<void> => {
      await using source = layoutSource("from", from);
      await using sink = await layoutSink("to", to, "v1");
      const { blobs, bytes } = await copyImage(scope, { source, sink, platform: "all" });
      assert.deepEqual([blobs.copied, bytes], [2, BLOB.size + config.size]);
    };
    await copy(join(directory, "shared"));
    assert.equal((await stat(blob(join(directory, "shared")))).ino, (await stat(blob(from))).ino);
    await chmod(blob(from), 0o666);
    await copy(join(directory, "copied"));
    assert.notEqual((await stat(blob(join(directory, "copied")))).ino, (await stat(blob(from))).ino);
    assert.ok((await readFile(blob(join(directory, "copied")))).equals(CONTENT));
    await rm(blob(from));
    await writeFile(blob(from), Buffer.alloc(CONTENT.length), { mode: 0o444 });
    await link(blob(from), join(directory, "other"));
    await assert.rejects(copy(join(directory, "refused")), (error) => isTeuError(error, "corrupt"));
    await assert.rejects(stat(blob(join(directory, "refused"))), /ENOENT/);
  });
});
