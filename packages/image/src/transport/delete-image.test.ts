// Images taken out of layouts: what goes, what stays, and what a kill leaves.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { writeDocument, writeIndex, writeManifest } from "../documents.ts";
import { emptyImageConfig } from "../image-config.ts";
import { MemoryContentStore } from "../memory-content-store.ts";
import { copyImage } from "./copy-image.ts";
import { deleteFromLayout } from "./delete-image.ts";
import { layoutSink } from "./layout-image.ts";
import { storeSource } from "./store-image.ts";

const scope = createScope();

class Layout implements AsyncDisposable {
  readonly store = new MemoryContentStore();
  readonly directory: string;
  readonly #parent: string;

  private constructor(parent: string) {
    this.#parent = parent;
    this.directory = join(parent, "layout");
  }

  static async make(): Promise<Layout> {
    return new Layout(await mkdtemp(join(tmpdir(), "teu-delete-")));
  }

  async put(root: Descriptor, labels: readonly string[], referrers: readonly Descriptor[] = []): Promise<void> {
    const source = storeSource({
      name: "memory",
      store: this.store,
      resolve: async () => root,
      listed: async () => referrers,
    });
    await using sink = await layoutSink("oci", this.directory, ...labels);
    await copyImage(scope, { source, sink, platform: "all", referrers: true });
  }

  delete(reference: string, allNames = false): ReturnType<typeof deleteFromLayout> {
    return deleteFromLayout(scope, { name: "oci", directory: this.directory, reference, allNames });
  }

  blobs(): Promise<string[]> {
    return readdir(join(this.directory, "blobs/sha256"));
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return (await this.blobs()).includes(descriptor.digest.slice(7));
  }

  async entries(): Promise<readonly Descriptor[]> {
    const text = await readFile(join(this.directory, "index.json"), "utf8");
    return (JSON.parse(text) as { manifests: Descriptor[] }).manifests;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#parent, { recursive: true, force: true });
  }
}

async function blob(store: ContentStore, text: string): Promise<Descriptor> {
  await using ingest = await store.ingest(scope, text);
  await ingest.write(Buffer.from(text));
  const { digest, size } = await ingest.commit();
  return { mediaType: MEDIA_TYPES.layer, digest, size };
}

async function image(store: ContentStore, name: string, layers: readonly Descriptor[], subject?: Descriptor) {
  const value = { ...emptyImageConfig({ os: "linux", architecture: "amd64" }), author: name };
  const config = await writeDocument(scope, store, MEDIA_TYPES.config, value);
  return writeManifest(scope, store, { config, layers, ...(subject === undefined ? {} : { subject }) });
}

test("deleteFromLayout: an image goes with its last name, and with it what it shares with none", async () => {
  await using layout = await Layout.make();
  const { store } = layout;
  const [shared, own] = [await blob(store, "shared"), await blob(store, "own")];
  const one = await image(store, "one", [shared, own]);
  const two = await image(store, "two", [shared]);
  const list = await writeIndex(scope, store, [one, two]);
  await layout.put(one, ["a", "b"]);
  await layout.put(two, ["c"]);
  await layout.put(list, ["list"]);
  const all = await layout.blobs();
  assert.equal((await layout.delete("a")).blobs, 0);
  assert.equal((await layout.delete(`@${one.digest}`)).blobs, 0);
  assert.deepEqual(await layout.blobs(), all, "the index needs it still");
  assert.equal((await layout.delete("list")).blobs, 4);
  assert.deepEqual([await layout.has(shared), await layout.has(own), await layout.has(list)], [true, false, false]);
  assert.deepEqual(
    (await layout.entries()).map(({ digest }) => digest),
    [two.digest],
  );
  await assert.rejects(layout.delete("list"), (error) => isTeuError(error, "not-found"));
  await layout.delete("@0");
  assert.deepEqual(await layout.blobs(), []);
  assert.deepEqual((await readdir(layout.directory)).sort(), ["blobs", "index.json", "oci-layout"]);
});

test("deleteFromLayout: all names at once; signatures go with what they sign, named ones stay", async () => {
  await using layout = await Layout.make();
  const { store } = layout;
  const one = await image(store, "one", [await blob(store, "layer")]);
  const signature = await image(store, "signature", [await blob(store, "signature")], one);
  const ofSignature = await image(store, "of-signature", [await blob(store, "of-signature")], signature);
  const named = await image(store, "named", [await blob(store, "named")], one);
  await layout.put(one, ["a", "b"], [signature, ofSignature]);
  await layout.put(named, ["named"]);
  const { entries } = await layout.delete("b", true);
  assert.equal(entries.length, 2);
  assert.deepEqual(
    (await layout.entries()).map(({ digest }) => digest),
    [named.digest],
  );
  assert.equal((await layout.blobs()).length, 3);
});

test("deleteFromLayout: refuses where it cannot be known what others need", async () => {
  await using layout = await Layout.make();
  const { store, directory } = layout;
  const one = await image(store, "one", [await blob(store, "one")]);
  const two = await image(store, "two", [await blob(store, "two")]);
  await layout.put(one, ["one"]);
  await layout.put(two, ["two"]);
  const before = [await layout.blobs(), await layout.entries()];
  const manifest = join(directory, "blobs/sha256", two.digest.slice(7));
  const bytes = await readFile(manifest);
  await unlink(manifest);
  await writeFile(manifest, "{}");
  await assert.rejects(layout.delete("one"), (error) => isTeuError(error, "corrupt"));
  assert.deepEqual([await layout.blobs(), await layout.entries()], before);
  // It can itself be deleted, with what is known to be its own.
  await layout.delete("two");
  assert.equal(await layout.has(two), false);
  await writeFile(manifest, bytes);
  await rename(join(directory, "blobs"), join(directory, "../blobs"));
  await symlink("../blobs", join(directory, "blobs"));
  await assert.rejects(layout.delete("one"), (error) => isTeuError(error, "unsupported"));
  assert.equal(await layout.has(one), true);
});

test("deleteFromLayout: a layout that is none is not made one", async () => {
  await using layout = await Layout.make();
  await assert.rejects(layout.delete("one"), (error) => isTeuError(error, "not-found"));
  await assert.rejects(readdir(layout.directory), { code: "ENOENT" });
});

test("layouts: what a killed removal left is deleted by the next writer, as far as nothing needs it", async () => {
  await using layout = await Layout.make();
  const { store, directory } = layout;
  const shared = await blob(store, "shared");
  const one = await image(store, "one", [shared, await blob(store, "one")]);
  const two = await image(store, "two", [shared]);
  await layout.put(one, ["one"]);
  await layout.put(two, ["two"]);
  const doomed = (await layout.blobs()).map((hex) => `sha256:${hex}`);
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: (await layout.entries()).slice(1) }),
  );
  await mkdir(join(directory, "ingest"));
  await writeFile(join(directory, "ingest/removal"), JSON.stringify([...doomed, "sha256:../../index.json", 7]));
  await writeFile(join(directory, "ingest/.removal.0123456789ab"), "[");
  await writeFile(join(directory, "ingest/writers"), "");
  await layout.put(await image(store, "three", []), ["three"]);
  assert.deepEqual([await layout.has(one), await layout.has(two), await layout.has(shared)], [false, true, true]);
  assert.equal((await layout.blobs()).length, 5);
  assert.deepEqual((await readdir(directory)).sort(), ["blobs", "index.json", "oci-layout"]);
});

test("deleteFromLayout: waits for writers, so that what they found there is there when they end", async () => {
  await using layout = await Layout.make();
  const { store } = layout;
  const shared = await blob(store, "shared");
  const one = await image(store, "one", [shared]);
  const two = await image(store, "two", [shared]);
  await layout.put(one, ["one"]);
  let deleted: Promise<unknown> = Promise.resolve();
  {
    await using sink = await layoutSink("oci", layout.directory, "two");
    const source = storeSource({ name: "memory", store, resolve: async () => two });
    const approve = async (): Promise<void> => {};
    const put = sink.putBlob.bind(sink);
    sink.putBlob = async (...args) => {
      const outcome = await put(...args);
      // Begun while the copy relies on the blob that it found.
      if (outcome === "present") deleted = layout.delete("one");
      return outcome;
    };
    await copyImage(scope, { source, sink, platform: "all", approve });
    assert.equal(await layout.has(shared), true);
    assert.equal((await layout.entries()).length, 2, "nothing is deleted before the copy has ended");
  }
  await deleted;
  assert.deepEqual([await layout.has(one), await layout.has(two), await layout.has(shared)], [false, true, true]);
});
